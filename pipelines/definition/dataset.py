"""The project's data on its way to S3: a local file or folder under a prefix named by its content.

The same data has the same URI everywhere, so preprocessing is not run again for it, and the version
that a model was trained on can be told from the model. What already lies in S3 is used where it is.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from aws_formats.errors import GatehouseError
from aws_formats.service_errors import is_denied
from pipelines.definition.bucket import ensure_bucket, stored_sizes
from pipelines.definition.bundles import DIGEST_LENGTH, plain_files
from pipelines.settings.project import Project
from pipelines.settings.target import Target

UNVERSIONED = "unversioned"
"""The version of data that already lies in S3, or that is queried, and whose settings name none."""

_DIGEST_BLOCK = 8 << 20

_LARGEST_PUT = 5 << 30
"""Bytes of one PutObject; S3's own cap."""

Told = Callable[[int, int], None]
"""Is given how many bytes were sent so far, and how many there are in all."""

NOT_READ = (
    "files whose name, or whose folder's name, begins with _ or . are passed over, and there is no other"
)


@dataclass(frozen=True)
class DataFile:
    """One local file: its key, and what it was when its digest was taken."""

    key: str
    path: Path
    size: int
    modified_ns: int


@dataclass(frozen=True)
class Dataset:
    """The data as the pipeline's parameters name it.

    Attributes:
        uri: an S3 prefix or object; empty where each execution queries for its own.
        version: the settings' version, or the digest of the local files.
        prefix: the key prefix of the local files in the project's bucket.
        files: the local files behind it; none where the data already lies in S3.
    """

    uri: str
    version: str
    prefix: str = ""
    files: tuple[DataFile, ...] = ()


def find_dataset(project: Project, target: Target) -> Dataset:
    """Look at the project's data source. Reads local files, no network.

    Raises:
        GatehouseError: the source does not exist or holds no data.
    """
    source, version = project.data.source, project.data.version
    if is_queried(project, target):
        return Dataset(uri="", version=version or UNVERSIONED)
    if source.startswith("s3://"):
        return Dataset(uri=source, version=version or UNVERSIONED)
    files = local_files(project)
    total = hashlib.sha256()
    for file, digest_of_file in zip(files, _digests(files), strict=True):
        # The name counts: its ending says how the file is read.
        total.update(file.key.encode() + b"\0" + digest_of_file)
    digest = total.hexdigest()[:DIGEST_LENGTH]
    prefix = f"{project.name}/data/{digest}/"
    return Dataset(
        uri=f"s3://{target.bucket}/{prefix}",
        version=version or digest,
        prefix=prefix,
        files=tuple(replace(file, key=prefix + file.key) for file in files),
    )


def is_queried(project: Project, target: Target) -> bool:
    """Whether executions get their data by the project's query: in AWS, since this machine has no Athena."""
    return project.data.query is not None and target.name == "aws"


def source_in_words(project: Project, target: Target) -> str:
    """Where the data comes from, as messages say it."""
    query = project.data.query
    return query.in_words if query is not None and is_queried(project, target) else project.data.source


def local_files(project: Project) -> tuple[DataFile, ...]:
    """The files of a data source on this machine; their keys are their names below it.

    Raises:
        GatehouseError: the source does not exist, holds no data, or cannot be read.
    """
    path = Path(project.data.source)
    try:
        path = project.root / path.expanduser()
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise _source_error(project, path, "the data does not exist") from None
    except (
        OSError,
        ValueError,
        RuntimeError,
    ) as error:  # no right, a loop of links, a user that there is not
        reason = error.strerror if isinstance(error, OSError) else error
        raise _source_error(project, path, f"the data cannot be found: {reason}") from None
    found = files_below(path)
    if not found:
        what = "the folder holds no data" if path.is_dir() else "this is neither a file nor a folder"
        raise _source_error(project, path, what)
    if not any(file.size for file in found):
        raise _source_error(project, path, "the data is empty")
    if not any(is_read(file.key) for file in found):
        raise _source_error(project, path, NOT_READ)
    return found


def number_of_files(project: Project, target: Target, most: int) -> int:
    """How many files preprocessing would read; of more than ``most`` in S3, and of a query, that is open."""
    from botocore.exceptions import ClientError

    if is_queried(project, target):
        return most
    source = project.data.source
    if not source.startswith("s3://"):
        return sum(is_read(file.key) for file in local_files(project))
    bucket, _, prefix = source.removeprefix("s3://").partition("/")
    found = 0
    try:
        for page in (
            target.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        ):
            names = (item["Key"].removeprefix(prefix) for item in page.get("Contents", ()) if item["Size"])
            found += sum(map(is_read, names))
            if found >= most:
                break
    except ClientError as error:
        if not is_denied(error):
            raise
        return most  # who may not look is not told
    return found


def is_read(name: str) -> bool:
    """Whether preprocessing reads a file of that name: it passes over parts that begin with these."""
    return not re.search(r"(^|/)[._]", name)


def files_below(path: Path) -> tuple[DataFile, ...]:
    """The files of a folder, or the one file; their keys are their names below it.

    Raises:
        GatehouseError: a file or a folder in it cannot be read, has a name that S3 does not take, or is a
            link that is not followed; a part of the data would be missing.
    """
    _require_readable(path)
    for folder, below, names in os.walk(path):
        below[:] = [name for name in below if not name.startswith(".")]
        for name in below:
            _require_readable(Path(folder, name))
        for name in (*below, *names):
            _refuse_link(Path(folder, name))
    base = path.parent if path.is_file() else path
    paths = [path] if path.is_file() else plain_files(path)
    for file in paths:
        _require_readable(file)
        _require_text(file, base)
    found = [(file, file.stat()) for file in paths]
    return tuple(
        DataFile(file.relative_to(base).as_posix(), file, stat.st_size, stat.st_mtime_ns)
        for file, stat in found
    )


def _require_readable(path: Path) -> None:
    """Refuse a file or a folder that may not be read."""
    if not os.access(path, os.R_OK | (os.X_OK if path.is_dir() else 0)):
        raise GatehouseError(
            "it cannot be read: Permission denied",
            where=str(path),
            remedy="Give yourself the right to read it, or move it away",
        )


def _require_text(file: Path, base: Path) -> None:
    """Refuse a name below the folder that is no UTF-8, as a key of S3 is."""
    try:
        str(file.relative_to(base)).encode()
    except UnicodeEncodeError:
        raise GatehouseError(
            "the file's name is not UTF-8, so that it cannot be one in S3",
            where=str(file),
            remedy="Rename it; of names from Windows: convmv -f cp1252 -t utf8 --notest FILE",
        ) from None


def _refuse_link(path: Path) -> None:
    """Refuse a link to a folder, and one to nothing; links to files are read."""
    if not path.is_symlink() or path.is_file() or not is_read(path.name):
        return
    what = "a link to a folder, which is not followed" if path.is_dir() else "a link to a file that is gone"
    raise GatehouseError(
        f"this is {what}",
        where=str(path),
        remedy="Put the files themselves there, or remove the link if they are no data",
    )


def missing_data(dataset: Dataset, bucket: str, s3: Any) -> tuple[DataFile, ...]:
    """The files that are not in the bucket with their size. Only reads."""
    if not dataset.files:
        return ()
    there = stored_sizes(bucket, dataset.prefix, s3)
    return tuple(file for file in dataset.files if there.get(file.key) != file.size)


def publish_data(dataset: Dataset, target: Target, s3: Any, told: Told | None = None) -> None:
    """Upload the files that are missing to the target's bucket, which exists: several at once, large ones to
    AWS in parts.

    To this machine as many bytes go in one request as S3 takes: each further one would cost processor time.

    Args:
        told: is told of each piece that was sent, by several threads.

    Raises:
        GatehouseError: a file changed after its digest was taken; what was uploaded of it is removed.
    """
    missing = missing_data(dataset, target.bucket, s3)
    if not missing:
        return
    from boto3.s3.transfer import ProgressCallbackInvoker, TransferConfig, create_transfer_manager

    config = TransferConfig(multipart_threshold=_LARGEST_PUT) if target.name == "local" else TransferConfig()
    watching = [ProgressCallbackInvoker(_adding_up(told, missing))] if told is not None else []
    try:
        with create_transfer_manager(s3, config) as transfers:
            uploads = [
                (file, transfers.upload(str(file.path), target.bucket, file.key, subscribers=watching))
                for file in missing
            ]
            for file, upload in uploads:
                with _reading(file.path):
                    upload.result()
                if not _is_unchanged(file):
                    raise _changed(file.path)
    except BaseException:
        # A file that was uploaded beside the one that is told of may have changed as well: the next upload
        # would take it for what it was.
        for file in missing:
            if not _is_unchanged(file):
                s3.delete_object(Bucket=target.bucket, Key=file.key)
        raise


def _adding_up(told: Told, files: Sequence[DataFile]) -> Callable[[int], None]:
    """What is told of each piece, tells of all of them; called by several threads."""
    total, sent, turn = sum(file.size for file in files), 0, threading.Lock()

    def add(count: int) -> None:
        nonlocal sent
        with turn:
            sent += count
            told(sent, total)

    return add


def _is_unchanged(file: DataFile) -> bool:
    try:
        stat = file.path.stat()
    except OSError:
        return False
    return (stat.st_size, stat.st_mtime_ns) == (file.size, file.modified_ns)


def _changed(path: Path) -> GatehouseError:
    return GatehouseError(
        "the data changed while it was read",
        where=str(path),
        remedy="Start again when nothing writes to it any more",
    )


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    """A file that was there a moment ago is read."""
    try:
        yield
    except FileNotFoundError:
        raise _changed(path) from None
    except OSError as error:
        raise GatehouseError(
            f"the data cannot be read: {error.strerror or error}",
            where=str(path),
            remedy="Restore the file, or move it away",
        ) from error


def publish(project: Project, target: Target, told: Told | None = None) -> str:
    """Bring the project's data to S3, if it is not there, and give its URI.

    Raises:
        GatehouseError: as ``find_dataset`` and ``publish_data``; in AWS, the bucket does not exist.
    """
    dataset = find_dataset(project, target)
    if dataset.files:
        s3 = target.client("s3")
        ensure_bucket(target, s3)
        publish_data(dataset, target, s3, told)
    return dataset.uri


def _source_error(project: Project, path: Path, what: str) -> GatehouseError:
    return GatehouseError(
        what,
        where=str(path),
        remedy=f"Put it there, or correct source in the data table of {project.name} in {project.file}",
    )


def _digests(files: Sequence[DataFile]) -> Iterable[bytes]:
    """Of the files' contents; each core takes one file after another."""
    cores = min(len(files), os.cpu_count() or 1)
    if cores == 1:
        return [_file_digest(file.path, file.size, file.modified_ns) for file in files]
    with ThreadPoolExecutor(cores, thread_name_prefix="digest") as threads:
        taken = [threads.submit(_file_digest, file.path, file.size, file.modified_ns) for file in files]
        try:
            return [one.result() for one in taken]
        except BaseException:
            threads.shutdown(cancel_futures=True)
            raise


@functools.lru_cache(maxsize=1 << 16)
def _file_digest(path: Path, size: int, modified_ns: int) -> bytes:
    """Of a file's content, taken once per process for one size and time of change.

    Raises:
        GatehouseError: it cannot be read any more.
    """
    del modified_ns  # it only tells one state of the file from the next
    digest = hashlib.blake2b()
    with _reading(path), path.open("rb", buffering=0) as file:
        # In large blocks, since each takes Python's lock twice, which another thread may hold for long.
        block = memoryview(bytearray(min(_DIGEST_BLOCK, size) or 1))
        while count := file.readinto(block):
            digest.update(block[:count])
    return digest.digest()
