"""Which ways of giving /opt/ml work on this machine: each is really tried, in a child process."""

# ruff: noqa: PTH112, PTH114, PTH123
# pathlib would add to the time that it takes to start.
from __future__ import annotations

import errno
import os

from sagemaker_local.jobs.launcher import link, linux, namespace
from sagemaker_local.jobs.launcher.messages import Refused, send
from sagemaker_local.jobs.launcher.namespace import OPT_ML

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def main() -> None:
    """Print a line for each way: its name, and why it does not work (nothing where it does)."""
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


def _symlink() -> None:
    if os.geteuid() != 0:
        raise Refused("", f"only root can make {OPT_ML}")
    if not os.access("/opt" if os.path.isdir("/opt") else "/", os.W_OK):
        raise Refused("", "/opt cannot be written")
    if os.path.lexists(OPT_ML) and not os.path.islink(OPT_ML):
        raise Refused("", f"{OPT_ML} exists and is not a job's")
    os.close(link.open_lock())
