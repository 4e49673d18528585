"""A build backend for pip that needs nothing but Python: packs the modules beside it as a wheel.

Why an artifact carries one is said in ``serving_code``; how pip calls it, in PEP 517; what a wheel is, in the
"Binary distribution format" of the Python Packaging User Guide. pip does not check the hashes of a wheel that
it has just had built, so the list of files goes without them.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

_NAME, _VERSION = "gatehouse_model_code", "1.0.0"
_NO_MODULES = ("setup.py", "code_wheel.py")  # the container's toolkit writes a setup.py into the folder


def build_wheel(
    wheel_directory: str,
    config_settings: dict[str, Any] | None = None,  # noqa: ARG001
    metadata_directory: str | None = None,  # noqa: ARG001
) -> str:
    """Write the wheel of the working directory's modules; returns its file name."""
    info = f"{_NAME}-{_VERSION}.dist-info"
    files = {
        path.name: path.read_text(encoding="utf-8")
        for path in sorted(Path.cwd().glob("*.py"))
        if path.name not in _NO_MODULES
    }
    files[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {_NAME}\nVersion: {_VERSION}\n"
    files[f"{info}/WHEEL"] = (
        "Wheel-Version: 1.0\nGenerator: code_wheel\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    listed = [*files, f"{info}/RECORD"]
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in listed)
    wheel = f"{_NAME}-{_VERSION}-py3-none-any.whl"
    with zipfile.ZipFile(Path(wheel_directory) / wheel, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return wheel
