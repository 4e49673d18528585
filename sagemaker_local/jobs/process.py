"""Starts a launcher for each instance of a job and watches them until all have ended.

A launcher is told what to run, and to stop, on its standard input, and reports what happens on its standard
output (``launcher.messages``). One that ends without a message was killed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sagemaker_local.jobs.failure import JobFailure
from sagemaker_local.jobs.job import Command
from sagemaker_local.jobs.launcher import messages
from sagemaker_local.jobs.opt_ml import OptMl, launcher_command
from sagemaker_local.jobs.places import Host

_NO_CAPACITY = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)
_MAX_TRACEBACK = 64 << 10


@dataclass(frozen=True)
class InstanceEnd:
    """How an instance ended: an exit code (128 and the signal where it was killed) or why it never ran."""

    host: Host
    code: int | None = None
    failure: JobFailure | None = None
    log_problem: str = ""

    @property
    def is_good(self) -> bool:
        return self.code == 0


class InstanceProcess:
    """The launcher of one instance, under way: at first it waits to be told what to run."""

    def __init__(self, host: Host) -> None:
        """Start it.

        Raises:
            JobFailure: the system gives no process.
        """
        self.host = host
        self.ending: InstanceEnd | None = None
        self.has_started = False
        self._unread = b""
        self._traceback = b""
        try:
            self._process = subprocess.Popen(
                launcher_command("run"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd="/",
                env={},
                start_new_session=True,  # Ctrl-C in a terminal is for the server, which stops its jobs
            )
        except OSError as problem:
            kind = "CapacityError" if problem.errno in _NO_CAPACITY else "InternalServerError"
            raise JobFailure(kind, f"no process for {host.name}: {problem.strerror}.") from problem

    def run(self, command: Command, opt_ml: OptMl) -> None:
        """Let it run the command; the instance's folders are there by now."""
        request = messages.write_request(
            server=os.getpid(),
            mode=opt_ml.mode,
            own_pids=opt_ml.own_pids,
            host=self.host.name,
            hosts=str(self.host.hosts_file),
            ml=str(self.host.ml),
            shared=self.host.shared.is_dir(),
            log=str(self.host.log),
            argv=command.argv,
            environment=command.environment,
            folder=command.folder,
        )
        self._send(request)

    @property
    def descriptor(self) -> int:
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def _send(self, data: bytes) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError, ValueError):  # it has ended, which its output will show
            self._process.stdin.write(data)
            self._process.stdin.flush()

    def stop(self, grace: float) -> None:
        """SIGTERM for the job's process now, SIGKILL for all of it after `grace` seconds."""
        self._send(f"stop {grace}\n".encode())

    def read_messages(self) -> None:
        """Read the launcher's messages; to be called when its descriptor is readable."""
        data = os.read(self.descriptor, 1 << 16)
        *lines, self._unread = (self._unread + data).split(b"\n")
        for line in lines:
            if not self._handle(line.decode("utf-8", "replace").split("\t")):
                self._traceback = (self._traceback + line + b"\n")[-_MAX_TRACEBACK:]
        if not data and self.ending is None:
            self._end_without_message()

    def _handle(self, words: list[str]) -> bool:
        """Whether the line is a message; of several about the end, the first counts."""
        match words:
            case ["started"]:
                self.has_started = True
            case ["refused", kind, reason]:
                self.ending = self.ending or InstanceEnd(self.host, failure=JobFailure(kind, reason))
            case ["ended", code, problem]:
                self.ending = self.ending or InstanceEnd(self.host, int(code), log_problem=problem)
            case _:
                return False
        return True

    def _end_without_message(self) -> None:
        status = self._process.wait()
        last = self._traceback.decode("utf-8", "replace").strip().rpartition("\n")[2]
        how = f"was killed by signal {-status}" if status < 0 else f"ended with {status}"
        reason = f"the launcher of {self.host.name} {how}{': ' if last else ''}{last}"
        self.ending = InstanceEnd(self.host, failure=JobFailure("InternalServerError", reason))

    def close(self) -> None:
        """Wait for the launcher, which has sent its last message."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()

    def kill(self) -> None:
        """End it at once, for the case that this process cannot watch it any longer."""
        self._process.kill()
        self.close()


@dataclass(frozen=True)
class InstancesEnd:
    """The end of all instances. `failed` is the first that failed without having been stopped."""

    failed: InstanceEnd | None
    timed_out: bool
    log_problems: tuple[str, ...]


def watch(
    instances: Sequence[InstanceProcess],
    *,
    limit: float,
    grace: float,
    wake: int,
    stop_requested: Callable[[], float | None],
    on_start: Callable[[], None],
) -> InstancesEnd:
    """Wait for all instances; the first that fails stops the others.

    Args:
        limit: seconds that the job may run, from its start.
        grace: seconds between SIGTERM and SIGKILL, for the time limit and for the others of one that failed.
        wake: a descriptor that becomes readable when `stop_requested` may have changed.
        stop_requested: the grace of a stop that was requested, None until then.
        on_start: called once, when the first instance has started.
    """
    deadline: float | None = None
    failed: InstanceEnd | None = None
    granted: float | None = None
    timed_out = False
    running = {instance.descriptor: instance for instance in instances}
    with selectors.DefaultSelector() as selector:
        for descriptor in (*running, wake):
            selector.register(descriptor, selectors.EVENT_READ)
        while running:
            # Once a second for a stop that another process requested, through the store.
            wait = 1.0 if deadline is None else min(1.0, max(0.0, deadline - time.monotonic()))
            for key, _ in selector.select(wait):
                if key.fd == wake:
                    os.read(wake, 4096)
                    continue
                instance = running[key.fd]
                instance.read_messages()
                if deadline is None and instance.has_started:
                    deadline = time.monotonic() + limit
                    on_start()
                if instance.ending is None:
                    continue
                selector.unregister(key.fd)
                del running[key.fd]
                instance.close()
                if failed is None and granted is None and not instance.ending.is_good:
                    failed = instance.ending
            requested = stop_requested()
            if requested is None and failed is not None:
                requested = grace
            if requested is None and deadline is not None and time.monotonic() >= deadline:
                requested, timed_out = grace, bool(running)
            if requested is not None and (granted is None or requested < granted):
                granted = requested
                for instance in running.values():
                    instance.stop(requested)
            if deadline is not None and granted is not None:
                deadline = float("inf")
    problems = tuple(
        instance.ending.log_problem
        for instance in instances
        if instance.ending is not None and instance.ending.log_problem
    )
    return InstancesEnd(failed, timed_out, problems)
