"""Keeps pandas out of a process: importing this module first makes `import pandas` fail.

Arrow imports pandas, where it is installed, when it makes its first array, which takes half a second, 40 MB
and as long as everything else that small data needs. Nothing here uses it.
"""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder
from typing import Any


class _Absent(MetaPathFinder):
    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> None:  # noqa: ARG002
        if fullname == "pandas":
            raise ModuleNotFoundError("this process does without pandas", name=fullname)


sys.meta_path.insert(0, _Absent())
