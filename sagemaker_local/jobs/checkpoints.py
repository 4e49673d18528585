"""A training job's checkpoints: a folder of its instances that S3 has a copy of.

By "Checkpoints in Amazon SageMaker AI" of the developer guide: what lies under the CheckpointConfig's S3 URI
is copied to each instance before the program starts; new and changed files are copied to S3 while it runs;
and what is removed on an instance stays in S3. AWS does not say how soon. Here it is every few seconds, and
once more when the program has ended, in whatever way. The instances have one prefix together: of one name,
the last one counts.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sagemaker_local.errors import AwsError
from sagemaker_local.jobs import transfer
from sagemaker_local.jobs.failure import JobFailure
from sagemaker_local.jobs.job import JobRun
from sagemaker_local.jobs.places import Host, OutputFile, regular_files, resolved

FOLDER = "/opt/ml/checkpoints"
"""Where CheckpointConfig names none."""
_SECONDS = 5.0

_Seen = dict[tuple[str, str], tuple[int, int, int]]
"""Host and name of a file -> its inode, size and time of change."""


def restore(job: JobRun) -> None:
    """Give each instance the folder, with what is in S3.

    Raises:
        JobFailure: the bucket does not exist, or a file cannot be copied.
    """
    config = job.document.get("CheckpointConfig")
    if not config:
        return
    transfer.require_bucket(job.objects, config["S3Uri"], "a checkpoint")
    found = transfer.listed(job.objects, _prefix(config))
    for host in job.hosts:
        transfer.stage(found, _folder(config, host), job.check)


@contextlib.contextmanager
def kept(job: JobRun) -> Iterator[None]:
    """Copy new and changed files to S3 as long as the context lasts, and at its end."""
    config = job.document.get("CheckpointConfig")
    if not config:
        yield
        return
    seen: _Seen = {}
    for host in job.hosts:
        _changed(config, host, seen)  # what was restored is in S3
    ended = threading.Event()

    def copy_until_the_end() -> None:
        while not ended.wait(_SECONDS):
            _copy(job, config, seen)

    thread = threading.Thread(target=copy_until_the_end, name=f"checkpoints {job.name}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        _copy(job, config, seen)


def _copy(job: JobRun, config: dict[str, Any], seen: _Seen) -> None:
    """A copy that fails is tried again with the file's next change; the job goes on without it."""
    for host in job.hosts:
        try:
            transfer.upload(
                job.objects, _changed(config, host, seen), _prefix(config), "a checkpoint", lambda: None
            )
        except (JobFailure, AwsError, OSError) as problem:
            job.note(f"checkpoints: {problem}")


def _changed(config: dict[str, Any], host: Host, seen: _Seen) -> list[OutputFile]:
    folder = resolved(_folder(config, host), host.ml.resolve())
    if folder is None or not folder.is_dir():
        return []
    changed = []
    for file in regular_files(folder, host.ml)[0]:
        with contextlib.suppress(FileNotFoundError):  # renamed meanwhile: its new name is found the next time
            status = file.path.stat()
            now = (status.st_ino, status.st_size, status.st_mtime_ns)
            if seen.get((host.name, file.name)) != now:
                seen[host.name, file.name] = now
                changed.append(OutputFile(file.name, file.path, shared=True))  # the program goes on with it
    return changed


def _folder(config: dict[str, Any], host: Host) -> Path:
    return host.path(config.get("LocalPath") or FOLDER, "CheckpointConfig")


def _prefix(config: dict[str, Any]) -> str:
    return f"{config['S3Uri'].rstrip('/')}/"
