"""A job's folders, and how a path inside its container becomes a path on this machine.

    <home>/jobs/<kind>/<job>/<host>/      one for each instance, algo-1, algo-2, ...
        ml/                               what the job sees as /opt/ml
        shared/                           large inputs, which it sees there, too: links to files of the store
        work/                             the overlay's own, where there is `shared`
        log, log.times                    its output, and when it came
        hosts                             its /etc/hosts, where it can be given one

Everything that a job leaves is read from outside its namespace, where a link to /opt/ml/x leads nowhere. So
this module resolves links itself, and never out of the job's own folder.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sagemaker_local.jobs.failure import client_error

OPT_ML = "/opt/ml"
# Not part of a longer name (/opt/mlflow), not the tail of another path (s3://bucket/opt/ml).
_OPT_ML = re.compile(r"(?<![\w.-])/opt/ml(?![\w-])")


@dataclass(frozen=True)
class Host:
    """One instance of a job."""

    name: str
    folder: Path

    @property
    def ml(self) -> Path:
        return self.folder / "ml"

    @property
    def shared(self) -> Path:
        return self.folder / "shared"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def hosts_file(self) -> Path:
        return self.folder / "hosts"

    def path(self, container_path: str, what: str) -> Path:
        """Where a path under /opt/ml lies on this machine.

        Args:
            what: names the path in the error, e.g. "input 'raw'".

        Raises:
            JobFailure: the path is not under /opt/ml.
        """
        inside = os.path.normpath(container_path)
        if not PurePosixPath(inside).is_relative_to(OPT_ML):
            raise client_error(
                f"{what} has the local path {container_path}: the local SageMaker gives jobs paths under"
                f" {OPT_ML} only. Choose one there, e.g. {OPT_ML}/processing/..."
            )
        return self.ml / PurePosixPath(inside).relative_to(OPT_ML)

    def shared_path(self, container_path: str, what: str) -> Path:
        """As :meth:`path`, for files that the job shares with the store: it can only read these.

        Makes the folders that it takes for the instance to be given them.
        """
        for name in ("shared", "work"):
            (self.folder / name).mkdir(exist_ok=True)
        return self.shared / self.path(container_path, what).relative_to(self.ml)

    def remove_shared(self) -> None:
        """Remove what :meth:`shared_path` was for; the instance has ended."""
        shutil.rmtree(self.shared, ignore_errors=True)
        own = self.folder / "work" / "work"  # the kernel makes it, without any rights
        if own.is_dir():
            own.chmod(0o700)
        shutil.rmtree(own.parent, ignore_errors=True)


def is_apart(container_path: str, others: Iterable[str]) -> bool:
    """Whether a folder neither holds one of the others nor lies in one."""
    own = PurePosixPath(os.path.normpath(container_path))
    paths = [PurePosixPath(os.path.normpath(other)) for other in others]
    return not any(own.is_relative_to(other) or other.is_relative_to(own) for other in paths)


def rewritten(text: str, ml: Path | str) -> str:
    """`text` with the folder's real path wherever it says /opt/ml."""
    return _OPT_ML.sub(lambda _: str(ml), text)


@dataclass(frozen=True)
class OutputFile:
    """A regular file that a job left.

    Attributes:
        name: relative to the folder that was asked for, with forward slashes.
        path: the file itself.
        shared: the file may be wanted under another name, too, so it must stay where it is.
    """

    name: str
    path: Path
    shared: bool


def regular_files(folder: Path, ml: Path) -> tuple[list[OutputFile], list[str]]:
    """Every regular file below `folder`, links followed inside the job's `ml`.

    Returns:
        The files by name; and the names of what is not among them: links that lead nowhere, outside or to a
        folder, pipes, sockets, devices.

    Raises:
        OSError: the folder, or one below it, cannot be read.
    """
    files: list[OutputFile] = []
    left_out: list[str] = []
    root = Path(os.path.realpath(ml))
    for name, path in _entries(folder, ""):
        real = resolved(path, root)
        if real is not None and real.is_file():
            files.append(OutputFile(name, real, path.is_symlink()))
        else:
            left_out.append(name)
    return sorted(files, key=lambda file: file.name), left_out


def _entries(folder: Path, prefix: str) -> Iterator[tuple[str, Path]]:
    """Everything but folders, with its relative name. A link to a folder is an entry, never entered."""
    with os.scandir(folder) as entries:
        for entry in entries:
            name = prefix + entry.name
            if entry.is_dir(follow_symlinks=False):
                yield from _entries(Path(entry.path), name + "/")
            else:
                yield name, Path(entry.path)


def resolved(path: Path, root: Path) -> Path | None:
    """What `path` is inside the job's folder; None if that is outside or nothing.

    Args:
        root: the real path of the job's folder.
    """
    for _ in range(16):
        try:
            mode = path.lstat().st_mode
        except OSError:
            return _shared(path, root)
        if not stat.S_ISLNK(mode):
            real = Path(os.path.realpath(path))
            return real if real.is_relative_to(root) else None
        target = PurePosixPath(path.readlink())
        inside = target.is_relative_to(OPT_ML)
        path = root / target.relative_to(OPT_ML) if inside else path.parent / target
    return None


def _shared(path: Path, root: Path) -> Path | None:
    """An input that the job shares with the store and has left as it was."""
    inside = Path(os.path.normpath(path))
    if not inside.is_relative_to(root):
        return None
    shared = root.with_name("shared") / inside.relative_to(root)
    return shared if shared.is_file() else None


def first_kilobyte(path: Path, ml: Path) -> str:
    """The text that a job left in a file such as /opt/ml/output/message; empty if it left none."""
    real = resolved(path, Path(os.path.realpath(ml)))
    if real is None or not real.is_file():
        return ""
    try:
        with real.open("rb") as handle:
            return handle.read(1024).decode("utf-8", errors="replace").strip()
    except OSError:
        return ""
