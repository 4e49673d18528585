"""Which ways of giving /opt/ml work on this machine: each is really tried, in a child process."""

# ruff: noqa: PTH103, PTH112, PTH113, PTH114, PTH118, PTH120, PTH123
# pathlib would add to the time that it takes to start.
from __future__ import annotations

import errno
import os
import sys

from sagemaker_local.jobs.launcher import link, linux, namespace
from sagemaker_local.jobs.launcher.messages import Refused, send
from sagemaker_local.jobs.launcher.namespace import OPT_ML

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def main() -> None:
    """Print a line for each way: its name, and why it does not work (nothing where it does).

    Given an empty folder, it tries there whether an overlay can keep a file as it is that a job writes to.
    """
    if sys.argv[1:]:
        send("overlay", _problem(lambda: _overlay(sys.argv[1])))
        return
    for way, attempt in (("namespace", _namespace), ("pids", _pids), ("symlink", _symlink)):
        send(way, _problem(attempt))


def _problem(attempt: Callable[[], None]) -> str:
    """Why `attempt` does not work; empty if it does."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            attempt()
        except (OSError, Refused) as problem:
            os.write(writer, (getattr(problem, "strerror", None) or str(problem)).encode())
        os._exit(0)
    os.close(writer)
    with open(reader, "rb") as handle:
        reason = handle.read().decode()
    os.waitpid(child, 0)
    return reason


def _namespace() -> None:
    namespace.enter("/", None, "algo-1", own_pids=False)


def _pids() -> None:
    namespace.enter("/", None, "algo-1", own_pids=True)
    problem = _problem(lambda: linux.mount("proc", "/proc", "proc"))
    if problem:
        raise OSError(errno.EPERM, problem)


def _overlay(folder: str) -> None:
    ml, kept = os.path.join(folder, "ml"), os.path.join(folder, "shared", "kept")
    for path in (ml, os.path.dirname(kept), os.path.join(folder, "work")):
        os.makedirs(path)
    with open(kept, "w") as handle:
        handle.write("kept")
    namespace.enter(ml, None, "algo-1", own_pids=False, shared=True)
    with open(f"{OPT_ML}/kept", "r+") as handle:
        handle.write("lost")
    with open(kept) as handle:
        if handle.read() != "kept" or not os.path.isfile(os.path.join(ml, "kept")):
            raise OSError(errno.EINVAL, "an overlay does not keep files as they are")


def _symlink() -> None:
    if os.geteuid() != 0:
        raise Refused("", f"only root can make {OPT_ML}")
    if not os.access("/opt" if os.path.isdir("/opt") else "/", os.W_OK):
        raise Refused("", "/opt cannot be written")
    if os.path.lexists(OPT_ML) and not os.path.islink(OPT_ML):
        raise Refused("", f"{OPT_ML} exists and is not a job's")
    os.close(link.open_lock())
