"""A virtual environment for an image: its Python and its libraries, for jobs that name the image.

Which images there are, and what they hold, is in ``image_environments.toml``. An environment is built by pip
when a person asks for it, once for all folders of state, below ``~/.cache/sagemaker-local`` (or the folder
that SAGEMAKER_LOCAL_IMAGES names):

    images/<library>-<tag>/        the environment, and its lock beside it
    images/<library>-<tag>/built   written last: without it, nobody uses the environment
    layers/<digest>/               what a requirements.txt asks for above an environment, written likewise
    installing-is-allowed          a person has said that jobs may have their requirements installed
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_TABLE = Path(__file__).with_name("image_environments.toml")
_FOLDER = "SAGEMAKER_LOCAL_IMAGES"
_NAME = re.compile(r"(?:^|/)(sagemaker-[a-z-]+:\d+\.\d+-\d+)(?:-[\w.-]*)?$")
_BUILT = "built"
_OF_PIP = ("PIP_NO_INDEX", "PIP_TARGET", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
"""Variables of this process that would change what is installed, or where."""


class CannotBuild(Exception):
    """Why an environment could not be built; the text is for people."""


@dataclass(frozen=True)
class ImageEnvironment:
    """An image of the table.

    Attributes:
        name: ``sagemaker-scikit-learn:1.2-1``.
        python: its Python's major and minor version.
        packages: as pip takes them.
    """

    name: str
    python: str
    packages: tuple[str, ...]

    @property
    def folder(self) -> Path:
        return cache_folder() / "images" / self.name.replace(":", "-")

    @property
    def interpreter(self) -> Path | None:
        """Its Python; None as long as it is not built."""
        return self.folder / "bin" / "python" if (self.folder / _BUILT).exists() else None

    @property
    def stand_in(self) -> str | None:
        """The version of the Python that it was built with, where that is another one than the image's."""
        text = (self.folder / "pyvenv.cfg").read_text(encoding="utf-8")
        found = re.search(r"^version\s*=\s*(\d+\.\d+)", text, re.MULTILINE)
        return found[1] if found and found[1] != self.python else None


def cache_folder() -> Path:
    named = os.environ.get(_FOLDER)
    usual = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sagemaker-local"
    return Path(named) if named else usual


@functools.cache
def known_images() -> dict[str, ImageEnvironment]:
    """The table, by name."""
    table = tomllib.loads(_TABLE.read_text(encoding="utf-8"))
    return {
        name: ImageEnvironment(name, one["python"], tuple(one["packages"])) for name, one in table.items()
    }


def image_of(uri: str) -> ImageEnvironment | None:
    """The image that a URI names: ``...amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3``."""
    found = _NAME.search(uri)
    return known_images().get(found[1]) if found else None


def find_python(version: str) -> Path | None:
    """A Python of this version on this machine: on the PATH, or one of pyenv's."""
    on_path = shutil.which(f"python{version}")
    if on_path is not None and _runs(on_path):
        return Path(on_path)
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    found = sorted(root.glob(f"{version}.*/bin/python"), key=_patch, reverse=True)
    return next((path for path in found if _runs(str(path))), None)


def _runs(python: str) -> bool:
    """A shim of pyenv's on the PATH may stand for no Python at all."""
    try:
        return subprocess.run([python, "-c", ""], capture_output=True, timeout=30).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _patch(python: Path) -> int:
    digits = re.match(r"\d+", python.parents[1].name.rpartition(".")[2])
    return int(digits[0]) if digits else -1


def build(image: ImageEnvironment, say: Callable[[str], None], python: Path | None = None) -> Path:
    """Build an image's environment, unless it is built; its Python.

    Args:
        say: told what is done, line by line.
        python: another Python than one of the image's version, which is looked for.

    Raises:
        CannotBuild: there is no such Python, or pip could not install the packages.
    """
    with _locked(image.folder):
        if (built := image.interpreter) is not None:
            return built
        base = python or find_python(image.python)
        if base is None:
            raise CannotBuild(
                f"{image.name} has Python {image.python}, and there is none here. Install it (pyenv install"
                f" {image.python}), or name another Python that may stand for it"
            )
        shutil.rmtree(image.folder, ignore_errors=True)  # of a build that did not come to its end
        say(f"A virtual environment of {base} in {image.folder}")
        _run([str(base), "-m", "venv", str(image.folder)], say)
        made = image.folder / "bin" / "python"
        say(f"Installing {', '.join(image.packages)}")
        _run([str(made), "-m", "pip", "install", "--prefer-binary", *image.packages], say)
        (image.folder / _BUILT).write_text(f"{base}\n")
        return made


def install_is_allowed() -> bool:
    return _permission().exists()


def allow_install(allowed: bool) -> None:
    """Whether jobs may have the requirements of their code installed; kept until it is said otherwise."""
    path = _permission()
    if allowed:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    else:
        path.unlink(missing_ok=True)


def _permission() -> Path:
    return cache_folder() / "installing-is-allowed"


def layer(python: Path, requirements: Path, say: Callable[[str], None]) -> Path:
    """The folder with what a requirements.txt asks for, for PYTHONPATH; installed once for each content.

    Raises:
        CannotBuild: pip could not install it.
    """
    content = requirements.read_bytes()
    digest = hashlib.sha256(os.fsencode(python.resolve()) + b"\0" + content).hexdigest()[:24]
    folder = cache_folder() / "layers" / digest
    with _locked(folder):
        if not (folder / _BUILT).exists():
            shutil.rmtree(folder, ignore_errors=True)
            say(f"Installing requirements.txt into {folder}")
            target = ["--target", str(folder), "-r", requirements.name]
            _run([str(python), "-m", "pip", "install", *target], say, requirements.parent)
            (folder / _BUILT).write_bytes(content)
    return folder


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One process builds, others wait for it; the kernel frees the lock of one that is killed."""
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(f"{folder}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _run(command: Sequence[str], say: Callable[[str], None], folder: Path | None = None) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in _OF_PIP}
    environment["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    last: list[str] = []
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            last = [*last[-4:], line.rstrip()]
            if line.startswith(("Collecting", "Successfully", "ERROR")):
                say(f"  {line.rstrip()}")
    if process.returncode:
        raise CannotBuild(f"{' '.join(command[:4])} ended with {process.returncode}: {' '.join(last)}")
