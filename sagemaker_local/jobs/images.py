"""What an image means on a machine without containers: an interpreter, and warnings for the job's log.

The images of XGBoost and scikit-learn may have an environment of their own (``image_environments``). As long
as nobody has built it, their jobs run in the current environment, and what is known to differ is a warning at
the top of the job's log. Any other image runs in it too, with a warning that it is not here, or in the Python
that the endpoint was told to use for images of that name.
"""

from __future__ import annotations

import fnmatch
import importlib.metadata
import os
import platform
import re
import site
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from aws_formats.xgboost_images import IMAGES
from sagemaker_local.jobs import image_environments
from sagemaker_local.jobs.failure import client_error

_KNOWN = re.compile(
    r"(?:^|/)sagemaker-(?P<library>xgboost|scikit-learn):(?P<version>(?P<released>\d+\.\d+)(?:-\d+)?)"
)
_XGBOOST = re.compile(r"(?:^|/)(?:sagemaker-xgboost:(?P<version>\d+\.\d+)[\w.-]*|xgboost:(?:1|latest))$")
_XGBOOST_BEFORE_VERSIONS = "0.72"
"""What the images hold whose tags say no version of XGBoost."""

_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Interpreter:
    """The Python that runs the jobs of an image, and warnings about that for the job's log."""

    python: Path
    warnings: tuple[str, ...] = ()

    @property
    def is_ours(self) -> bool:
        return self.python == Path(sys.executable)


def xgboost_version(image: str) -> str | None:
    """Major and minor version of an XGBoost image of AWS's, "1.7"; None of any other image."""
    found = _XGBOOST.search(image)
    if found is None:
        return None
    return found["version"] or _XGBOOST_BEFORE_VERSIONS


def interpreter_for(image: str, interpreters: Mapping[str, str]) -> Interpreter:
    """The Python for an image.

    Args:
        interpreters: paths of Pythons by image: a glob pattern for all of its name or a part of it.

    Raises:
        JobFailure: the Python that was named does not exist.
    """
    for pattern, path in interpreters.items():
        if pattern in image or fnmatch.fnmatchcase(image, pattern):
            python = Path(path).expanduser()
            if not os.access(python, os.X_OK):
                raise client_error(f"the interpreter for images like '{pattern}' is no program: {path}.")
            return Interpreter(python.absolute())
    stands_for_it = image_environments.image_of(image)
    if stands_for_it is not None and (built := stands_for_it.interpreter) is not None:
        other = stands_for_it.stand_in
        differs = f"{stands_for_it.name} has Python {stands_for_it.python}; its environment has {other}."
        return Interpreter(built, (differs,) if other else ())
    ours = Path(sys.executable)
    known = _KNOWN.search(image)
    if known is None:
        return Interpreter(ours, (f"{image} is not here: the job runs in {ours} instead.",))
    table = IMAGES.get(known["version"]) if known["library"] == "xgboost" else None
    libraries = {known["library"]: known["released"], **(table.libraries if table else {})}
    warnings = [line for name, version in libraries.items() for line in _other_version(name, version)]
    if table is not None and table.python < sys.version_info[:2]:
        warnings.insert(0, f"Python {table.python_version}; this is {platform.python_version()}")
    lines = [f"{image} holds {warning}." for warning in warnings]
    if lines and stands_for_it is not None:
        lines.append(
            f"For an environment of its own: python -m sagemaker_local.images build {stands_for_it.name}"
        )
    return Interpreter(ours, tuple(lines))


def _other_version(library: str, version: str) -> Iterator[str]:
    """What this environment has in place of a version, given in whole or by its first parts."""
    try:
        installed = importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        yield f"{library} {version}; there is none in {sys.executable}"
        return
    if not f"{installed}.".startswith(f"{version}."):
        yield f"{library} {version}; {sys.executable} has {installed}"


def environment(interpreter: Interpreter, home: str, temporary: str, shims: Path) -> dict[str, str]:
    """What every job and model server has in its environment; nothing of the user's own gets in.

    Args:
        home, temporary: folders as the job sees them.
        shims: a folder that is made where `python3` or `pip3` are missing beside the interpreter.
    """
    folder = interpreter.python.parent
    path = [str(folder)]
    if _add_shims(interpreter.python, shims):
        path.append(str(shims))
    values = {
        "PATH": ":".join([*path, _SYSTEM_PATH]),
        "LANG": "C.UTF-8",
        "HOME": home,
        # AWS's containers run as root. As anybody else, the SDK's functions begin by asking for sudo.
        "USER": "root",
        "TMPDIR": temporary,
        "PYTHONUNBUFFERED": "1",  # so that the log is there while the job runs
        # An instance of AWS's is one job's. Here others want the processor on which a waiting thread spins,
        # and XGBoost's threads, each waiting for one that has no processor, get on many times more slowly.
        "OMP_WAIT_POLICY": "PASSIVE",
        # Those of NumPy's and SciPy's linear algebra begin by spinning for 50 ms each, at the import.
        "OPENBLAS_THREAD_TIMEOUT": "4",
        # A job's requirements must not change this machine's environment behind its owner's back:
        # what is installed already satisfies pip, what is missing is a clear error.
        "PIP_NO_INDEX": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    if image_environments.install_is_allowed():  # into the job's own folder, which goes with it
        del values["PIP_NO_INDEX"]
        values |= dict.fromkeys(("PIP_TARGET", "PYTHONPATH"), f"{home}/packages")
    if interpreter.is_ours and site.ENABLE_USER_SITE:
        values["PYTHONUSERBASE"] = site.getuserbase()
    return values


def _add_shims(python: Path, shims: Path) -> bool:
    """Scripts for the names that SageMaker's own shell scripts expect; False if none is missing."""
    wanted = {
        "python3": f'exec "{python}" "$@"',
        "python": f'exec "{python}" "$@"',
        "pip3": f'exec "{python}" -m pip "$@"',
        "pip": f'exec "{python}" -m pip "$@"',
    }
    missing = {name: line for name, line in wanted.items() if not (python.parent / name).exists()}
    for name, line in missing.items():
        shims.mkdir(parents=True, exist_ok=True)
        (shims / name).write_text(f"#!/bin/sh\n{line}\n")
        (shims / name).chmod(0o755)
    return bool(missing)
