"""The job's own process: started in a session of its own, and ended with everything that it started."""

# ruff: noqa: PTH123, PTH208, SIM105
# pathlib and contextlib would each add to the time that every job takes to start.
from __future__ import annotations

import errno
import os
import select
import struct

from sagemaker_local.jobs.launcher import linux
from sagemaker_local.jobs.launcher.messages import send

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import Any, NoReturn
else:
    import _signal as signal

TERMINATIONS = (signal.SIGTERM, signal.SIGINT)


def become_job(request: dict[str, Any], output: int) -> NoReturn:
    """Become the job: its own session, its output into the pipe, default signals, nothing of ours."""
    argv = request["argv"]
    try:
        os.setsid()
        nothing = os.open("/dev/null", os.O_RDONLY)
        for source, target in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(source, target)
        for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD, *TERMINATIONS):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, TERMINATIONS)
        os.chdir(request["folder"])
        os.execvpe(argv[0], argv, request["environment"])
    except OSError as problem:
        os.write(2, f"cannot run {argv[0]}: {problem.strerror}\n".encode())
        os._exit(127 if problem.errno == errno.ENOENT else 126)


def become_init(request: dict[str, Any], output: int, result: int, launcher_lives: int) -> NoReturn:
    """Process 1 of the job's pid namespace: starts the job, passes SIGTERM on, reaps, reports.

    When it ends, however it ends, the kernel ends every process of the namespace.

    Args:
        output: the pipe for the job's output.
        result: the pipe for its wait status, four bytes.
        launcher_lives: a pipe whose other end the launcher holds.
    """
    linux.die_with_parent()
    # A hang-up now means that the launcher died before the line above.
    watch = select.poll()
    watch.register(launcher_lives, 0)
    if watch.poll(0):
        os._exit(1)
    linux.mount("proc", "/proc", "proc")
    try:
        job = os.fork()
    except OSError as problem:
        send("refused", "CapacityError", f"no process for the job: {problem.strerror}")
        os._exit(1)
    if job == 0:
        become_job(request, output)
    os.close(output)

    def forward(number: int, _frame: object) -> None:
        try:
            os.kill(job, number)
        except ProcessLookupError:
            pass

    for number in TERMINATIONS:
        signal.signal(number, forward)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, TERMINATIONS)
    while True:
        pid, status = os.wait()
        if pid == job:
            os.write(result, struct.pack("<i", status))
            os._exit(0)


def kill_children() -> None:
    """Kill and reap every descendant: a process that adopts orphans gets those of what it kills, too."""
    while True:
        for pid in _children():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _children() -> list[int]:
    """Direct children of this process, adopted orphans included."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as handle:
            return [int(pid) for pid in handle.read().split()]
    except FileNotFoundError:  # a kernel without CONFIG_PROC_CHILDREN
        found = []
        for name in os.listdir("/proc"):
            try:
                if name.isdigit():
                    with open(f"/proc/{name}/stat") as handle:
                        if int(handle.read().rpartition(")")[2].split()[1]) == os.getpid():
                            found.append(int(name))
            except OSError:
                pass
        return found
