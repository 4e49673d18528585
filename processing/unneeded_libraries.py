"""Keeps libraries out of a process that has no use for them.

Arrow imports pandas when it makes its first array, and XGBoost imports scikit-learn, which imports pandas,
wherever they are installed. Each takes half a second and 40 MB: as long as everything else that small data
needs. SciPy, which XGBoost imports, takes over all names of NumPy, and so has it import what it would import
only when asked: its Fortran interface, its test support and ten more parts.

The folders `processing`, `training` and `evaluation`, each uploaded by itself, hold the same file.
"""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder
from typing import Any


class _Absent(MetaPathFinder):
    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> None:  # noqa: ARG002
        if fullname in self._names:
            raise ModuleNotFoundError(f"this process does without {fullname}", name=fullname)


def keep_out(*names: str) -> None:
    """Make imports of these libraries fail as if they were not installed, in modules imported after this."""
    sys.meta_path.insert(0, _Absent(names))


def keep_out_parts_of_numpy() -> None:
    """Make ``from numpy import *``, of SciPy for one, import no parts of it: a fifth of XGBoost's import."""
    import numpy

    numpy.__all__ = [name for name in numpy.__all__ if name in vars(numpy)]
