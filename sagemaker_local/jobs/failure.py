"""Why a job failed, in AWS's terms: a class that retry policies know, and a text for people."""

from __future__ import annotations

import contextlib
import errno
import signal

LIMIT = 1024
"""Characters of FailureReason and ExitMessage that the API carries."""


class JobFailure(Exception):
    """Ends a job as Failed; its text is the job's FailureReason.

    Args:
        kind: ``AlgorithmError`` (the job's own program), ``ClientError`` (the request or its data),
            ``CapacityError`` (this machine) or ``InternalServerError`` (this service).
        reason: what happened and what to do about it.

    Attributes:
        members: what else goes into the job's document.
    """

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(f"{kind}: {reason}")
        self.members: dict[str, str] = {}


class JobStopped(Exception):
    """The job is to end because somebody stopped it."""


def client_error(reason: str) -> JobFailure:
    return JobFailure("ClientError", reason)


def disk_failure(doing: str, problem: OSError) -> JobFailure:
    """What an error of the file system while `doing` something (e.g. "uploading output 'x'") means."""
    where = f" ({problem.filename})" if problem.filename else ""
    if problem.errno in (errno.ENOSPC, errno.EDQUOT):
        return client_error(
            f"no space left on this machine's disk while {doing}{where}. Free some and retry."
        )
    if problem.errno in (errno.EACCES, errno.EPERM):
        return client_error(f"not permitted while {doing}{where}: {problem.strerror}.")
    return JobFailure("InternalServerError", f"{problem.strerror or problem} while {doing}{where}.")


def algorithm_error(text: str, code: int) -> JobFailure:
    """The job's program ended badly.

    Args:
        text: the message that it left, or the end of its log; the end of it is kept where it is too long.
        code: its exit code; that of a killed process is 128 and its signal, as Docker reports it.
    """
    ending = f", exit code: {code}"
    if code > 128:
        with contextlib.suppress(ValueError):
            ending = f", killed by {signal.Signals(code - 128).name}{ending}"
    most = LIMIT - len("AlgorithmError: ") - len(ending)
    text = text.strip()
    if len(text) > most:
        text = "..." + text[-(most - 3) :]
    return JobFailure("AlgorithmError", text + ending)
