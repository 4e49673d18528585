"""Between the object store and a job's folders: inputs are staged, results are uploaded.

An object on disk is a plain file. A large input is another name of it (a hard link), which the job sees
through an overlay that takes what it writes (``launcher.namespace``). Where there is no overlay, and for what
is small, staging asks the file system to share the file's blocks (a reflink), and copies inside the kernel
where it cannot. Results are moved into the store rather than copied.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import urllib.parse
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sagemaker_local.errors import AwsError
from sagemaker_local.jobs import opt_ml
from sagemaker_local.jobs.failure import client_error, disk_failure
from sagemaker_local.jobs.places import OutputFile, is_apart, regular_files, resolved
from sagemaker_local.s3.files import COPY_BLOCK, copy_block

if TYPE_CHECKING:
    from sagemaker_local.jobs.job import JobRun
    from sagemaker_local.s3.objects import ObjectInfo, ObjectStore

_FICLONE = 0x40049409
_NO_LINK = (errno.EXDEV, errno.EMLINK, errno.EPERM, errno.EOPNOTSUPP)

_MOVED_AT_ONCE = 4
"""Files that are digested and wait for the disk at once."""

LEAST_SHARED = 16 << 20
"""Bytes of an input that is shared with the store rather than copied: the overlay costs some ms, too."""

_S3_HOST = re.compile(r"(?:(?P<bucket>.+)\.)?s3(?:[.-][a-z0-9-]+)?\.amazonaws\.com(?:\.cn)?")


@dataclass(frozen=True)
class S3Uri:
    bucket: str
    key: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


def parse_uri(text: str) -> S3Uri:
    """Bucket and key of ``s3://bucket/key``, or of the same as an address of S3's by https.

    Raises:
        JobFailure: it is neither.
    """
    scheme, _, rest = text.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme.lower() == "https" and (host := _S3_HOST.fullmatch(bucket.lower())):
        key = urllib.parse.unquote(key)
        bucket, _, key = (host["bucket"], "", key) if host["bucket"] else key.partition("/")
    elif scheme.lower() != "s3":
        bucket = ""
    if not bucket:
        raise client_error(f"'{text}' is no S3 URI: expected s3://bucket/prefix.")
    return S3Uri(bucket, key)


@dataclass(frozen=True)
class Source:
    """An object and the relative name under which a job finds it."""

    name: str
    info: ObjectInfo


def sources(objects: ObjectStore, uri: str, region: str, role: str) -> list[Source]:
    """All objects whose keys begin with the URI's key, as AWS's S3Prefix selects them, in order of key.

    Names are relative to the prefix where it ends on a folder (``data/`` or ``data`` of ``data/a.csv``)
    and to its last ``/`` otherwise (``data/part`` of ``data/part-1.csv``).

    Raises:
        JobFailure: there are none, or a key would leave the folder.
    """
    parsed = parse_uri(uri)
    found = listed(objects, uri)
    if not found:
        raise client_error(
            f'No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure that the'
            f" bucket exists in the selected region ({region}), that objects exist under that S3 prefix, and"
            f' that the role "{role}" has "s3:ListBucket" permissions on bucket "{parsed.bucket}".'
        )
    return found


def manifest_sources(objects: ObjectStore, uri: str, region: str, role: str) -> list[Source]:
    """The objects that a manifest lists, in its order: ``[{"prefix": "s3://bucket/some/"}, "a.csv", ...]``.

    Names are relative to the prefix. See ManifestFile of the S3DataSource data type:
    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_S3DataSource.html

    Raises:
        JobFailure: the manifest is not there or is none, or an object that it lists is not there.
    """
    parsed = parse_uri(uri)
    manifest = objects.stat(parsed.bucket, parsed.key)
    if manifest is None:
        raise client_error(f'The manifest "{uri}" does not exist.')
    try:
        document = json.loads(manifest.path.read_bytes())
        prefix, names = parse_uri(document[0]["prefix"]), document[1:]
        if not names or not all(isinstance(name, str) for name in names):
            raise ValueError("it lists no objects")
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise client_error(
            f'"{uri}" is no manifest: expected [{{"prefix": "s3://..."}}, "relative/key", ...]. ({error})'
        ) from error
    found = []
    for name in names:
        info = objects.stat(prefix.bucket, prefix.key + name)
        if info is None:
            raise client_error(
                f'The object "s3://{prefix.bucket}/{prefix.key}{name}" of the manifest "{uri}" does not exist'
                f' in {region}, or the role "{role}" may not read it.'
            )
        found.append(Source(_path_of(info.key, name.lstrip("/")), info))
    return found


def listed(objects: ObjectStore, uri: str) -> list[Source]:
    """As :func:`sources`, of which there may be none."""
    parsed = parse_uri(uri)
    return [
        Source(_relative_name(info.key, parsed.key), info)
        for info in objects.list(parsed.bucket, parsed.key)
        if not info.key.endswith("/")  # a folder's marker, made by consoles
    ]


def _relative_name(key: str, prefix: str) -> str:
    if prefix and not prefix.endswith("/") and not key.startswith(prefix + "/"):
        prefix = prefix.rpartition("/")[0]
    return _path_of(key, key[len(prefix) :].lstrip("/"))


def _path_of(key: str, name: str) -> str:
    if any(part in ("", ".", "..") for part in name.split("/")) or "\0" in name:
        raise client_error(f"The S3 key '{key}' cannot be a file's path: it has an empty part, '.' or '..'.")
    return name


def stage(
    objects: Iterable[Source],
    folder: Path,
    check: Callable[[], None],
    give: Callable[[Path, Path], None] | None = None,
) -> None:
    """Copy objects below `folder`, which is made.

    Args:
        check: called before each file; may raise to end the work.
        give: makes the second path a file of the first one's content; :func:`copy_file` if there is none.

    Raises:
        JobFailure: the disk is full, or two keys want to be file and folder at once.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for source in objects:
            check()
            target = folder / source.name
            target.parent.mkdir(parents=True, exist_ok=True)
            (give or copy_file)(source.info.path, target)
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as clash:
        raise client_error(
            f"two S3 keys claim the path {clash.filename} as a file and as a folder."
        ) from clash
    except FileNotFoundError as gone:
        raise client_error(f"an S3 object was deleted while it was copied: {gone.filename}.") from gone
    except OSError as problem:
        raise disk_failure("copying the job's input", problem) from problem


def stage_source(
    job: JobRun, source: dict[str, Any], container_path: str, what: str, others: Iterable[str]
) -> None:
    """Give each instance what an S3 data source of a request means: all of it, or its share of the keys.

    Args:
        source: S3Uri, S3DataType, and S3DataDistributionType.
        container_path: the folder for it, under /opt/ml.
        what: names it in an error, e.g. "input 'raw'".
        others: paths of which none may lie in the folder, or the folder in one, for it to be shared.

    Raises:
        JobFailure: as :func:`sources` and :func:`stage`.
    """
    may_share = job.in_namespace and is_apart(container_path, others)
    read = manifest_sources if source.get("S3DataType") == "ManifestFile" else sources
    found = read(job.objects, source["S3Uri"], job.region, job.document["RoleArn"])
    is_sharded = source.get("S3DataDistributionType") == "ShardedByS3Key"
    for number, host in enumerate(job.hosts):
        own = found[number :: len(job.hosts)] if is_sharded else found
        is_large = sum(one.info.size for one in own) >= LEAST_SHARED
        if is_large and may_share and opt_ml.can_share(host.folder.parents[1]):
            stage(own, host.shared_path(container_path, what), job.check, link_file)
        else:
            stage(own, host.path(container_path, what), job.check)


def link_file(source: Path, target: Path) -> None:
    """Another name for the file, to be written to by nobody; a copy where there can be none."""
    try:
        target.unlink(missing_ok=True)  # a manifest may list an object twice
        os.link(source, target)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        copy_file(source, target)


def copy_file(source: Path, target: Path) -> None:
    """A copy that the job may write to without touching the original."""
    with source.open("rb", buffering=0) as reader, target.open("wb", buffering=0) as writer:
        try:
            fcntl.ioctl(writer, _FICLONE, reader.fileno())
        except OSError:  # another file system, or one without reflinks
            offset = 0
            while count := copy_block(reader.fileno(), writer.fileno(), offset, COPY_BLOCK):
                offset += count


def require_bucket(objects: ObjectStore, uri: str, what: str) -> None:
    """Raise before the work starts if what it leaves could not be kept."""
    bucket = parse_uri(uri).bucket
    try:
        objects.bucket(bucket)
    except AwsError as missing:
        raise client_error(
            f"{what} goes to {uri}, but the bucket '{bucket}' does not exist. Create it first."
        ) from missing


def files_of_all_hosts(job: JobRun, container_path: str, what: str) -> list[OutputFile]:
    """What all instances left in a folder; where several left a file of one name, the first instance's.

    Raises:
        JobFailure: the folder has gone, leads out of the job's folder, cannot be read, or holds only links
            that lead to no file of the job.
    """
    files: dict[str, OutputFile] = {}
    links: list[str] = []
    for host in reversed(job.hosts):
        folder = resolved(host.path(container_path, what), host.ml.resolve())
        if folder is None or not folder.is_dir():
            raise client_error(
                f"{what}: {container_path} is no folder any more on {host.name}, or leads out of the job's"
                " folder. Leave it in place and write files into it."
            )
        try:
            found, others = regular_files(folder, host.ml)
        except OSError as problem:
            raise disk_failure(f"reading {what}", problem) from problem
        for name in others:
            job.note(f"{what}: left out {name}: not a regular file inside the job's folder.")
        links += [name for name in others if (folder / name).is_symlink()]
        files |= {file.name: file for file in found}
    if links and not files:
        raise client_error(
            f"{what}: all that is in {container_path} are links that lead to no file of the job: {links[0]}"
            f"{', ...' if len(links) > 1 else ''}. Write files into it instead."
        )
    return list(files.values())


def upload(
    objects: ObjectStore, files: Iterable[OutputFile], uri: str, what: str, check: Callable[[], None]
) -> None:
    """Move files into the store under the URI's key, several at once; what is shared is copied, and first.

    Args:
        check: called before each file; may raise to end the work.

    Raises:
        JobFailure: the disk is full, a file cannot be read, the bucket or a key is not acceptable.
    """
    parsed = parse_uri(uri)
    prefix = parsed.key.rstrip("/")

    def keep(file: OutputFile) -> None:
        check()
        if not file.shared:
            file.path.chmod(0o600)  # moving takes the right to write
        key = f"{prefix}/{file.name}" if prefix else file.name
        objects.put_file(parsed.bucket, key, file.path, move=not file.shared)

    found = list(files)
    moved = [file for file in found if not file.shared]
    try:
        for file in found:
            if file.shared:
                keep(file)
        if len(moved) > 1:
            with ThreadPoolExecutor(min(len(moved), _MOVED_AT_ONCE), thread_name_prefix="output") as threads:
                list(threads.map(keep, moved))
        elif moved:
            keep(moved[0])
    except AwsError as refusal:
        raise client_error(f"{what} cannot be kept at {uri}: {refusal}") from refusal
    except OSError as problem:
        raise disk_failure(f"uploading {what} to {uri}", problem) from problem
    except UnicodeEncodeError as problem:
        raise client_error(f"{what}: the name of a file is not UTF-8: {problem.object!r}.") from problem
