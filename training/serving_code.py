"""The files that serve the model: what training puts into the folder ``code`` of the artifact.

The endpoint's container installs that folder with ``pip install .`` before it imports ``inference``. By
default pip would fetch setuptools to build it, which an endpoint without network cannot: the container would
never answer. So the folder brings a build backend of its own (``code_wheel``, named in ``pyproject.toml``)
that needs nothing but Python.
"""

from __future__ import annotations

import shutil
from pathlib import Path

MODULES = (
    "inference.py",
    "explanations.py",
    "request_rows.py",
    "csv_rows.py",
    "feature_encoding.py",
    "notation.py",
    "dates.py",
    "scale.py",
)
"""The script that SAGEMAKER_PROGRAM names, and what it imports."""

FILES = (*MODULES, "code_wheel.py", "pyproject.toml")


def copy_serving_code(folder: Path) -> None:
    """Copy the files from beside this one; the folder is made."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        shutil.copyfile(Path(__file__).resolve().parent / name, folder / name)
