"""Runs one instance, from the server's request on standard input to the last message."""

# ruff: noqa: SIM105
# contextlib would add to the time that every job takes to start.
from __future__ import annotations

import os
import select
import struct
import time

from sagemaker_local.jobs.launcher import job_process, link, linux, namespace
from sagemaker_local.jobs.launcher.job_process import TERMINATIONS
from sagemaker_local.jobs.launcher.log import Log
from sagemaker_local.jobs.launcher.messages import Refused, read_request, send
from sagemaker_local.jobs.launcher.namespace import OPT_ML

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import NoReturn
else:
    import _signal as signal

_DRAIN = 2.0  # seconds to read what is left in the pipe after the job's last process ended


def main() -> None:
    Launcher().run()
    os._exit(0)  # taking the interpreter down would add to the time that every job takes to end


class Launcher:
    """One run of one instance, from the request on standard input to the last status line."""

    def __init__(self) -> None:
        self._unread = b""
        self._request = read_request()
        self._own_pids: bool = self._request["own_pids"]
        self._lock = -1
        self._main = 0
        self._kill_at: float | None = None
        self._killed = False
        self._status: int | None = None

    def run(self) -> None:
        log = Log(self._request["log"])
        wake, wake_writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(wake_writer)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: self._abandon())
        try:
            self._give_opt_ml()
            linux.adopt_orphans()
            # Only now: entering a user namespace clears it. Where the kernel cannot end everything
            # for us, SIGTERM leaves us the time to do it.
            linux.die_with_parent(signal.SIGKILL if self._own_pids else signal.SIGTERM)
            if os.getppid() != self._request["server"]:
                return
            output, result = self._start()
            send("started")
            self._copy(output, result, wake, log)
        except Refused as refusal:
            send("refused", refusal.kind, refusal)
        else:
            self._report(log.problem)
        finally:
            self._release_opt_ml()

    def _give_opt_ml(self) -> None:
        request = self._request
        if request["mode"] == "namespace":
            try:
                namespace.enter(
                    request["ml"], request["hosts"], request["host"], self._own_pids, request["shared"]
                )
            except OSError as problem:
                reason = f"{OPT_ML} cannot be given by a namespace: {problem.strerror}"
                raise Refused("InternalServerError", reason) from problem
        elif request["mode"] == "symlink":
            self._lock = link.take(request["ml"], self._wait_for_turn)

    def _release_opt_ml(self) -> None:
        if self._lock >= 0:
            link.release(self._lock)
            self._lock = -1

    def _wait_for_turn(self) -> None:
        ready, _, _ = select.select([0], [], [], 0.05)
        if ready:
            raise SystemExit(0)  # stopped, or the server is gone, before anything was started

    def _start(self) -> tuple[int, int]:
        """Start the job; returns the read ends of its output and of its wait status."""
        output, output_writer = os.pipe2(os.O_CLOEXEC)
        result, result_writer = os.pipe2(os.O_CLOEXEC)
        launcher_lives, launcher_lives_writer = os.pipe2(os.O_CLOEXEC)
        launcher = os.getpid()
        # Blocked across the fork, so that a stop that comes early waits until it can be handled.
        signal.pthread_sigmask(signal.SIG_BLOCK, TERMINATIONS)
        try:
            self._main = os.fork()
        except OSError as problem:
            raise Refused("CapacityError", f"no process for the job: {problem.strerror}") from problem
        if self._main == 0:
            signal.set_wakeup_fd(-1)
            os.close(launcher_lives_writer)
            if self._own_pids:
                job_process.become_init(self._request, output_writer, result_writer, launcher_lives)
            linux.die_with_parent()
            if os.getppid() != launcher:
                os._exit(1)
            job_process.become_job(self._request, output_writer)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, TERMINATIONS)
        for descriptor in (output_writer, result_writer, launcher_lives):
            os.close(descriptor)
        return output, result

    def _copy(self, output: int, result: int, wake: int, log: Log) -> None:
        """Copy output to the log and carry out commands, until the job and all that it started have ended."""
        watch = select.poll()
        for descriptor in (0, output, wake):
            watch.register(descriptor, select.POLLIN)
        output_open = True
        drain_until: float | None = None
        while True:
            limit = drain_until if drain_until is not None else self._kill_at
            events = watch.poll(None if limit is None else max(0.0, limit - time.monotonic()) * 1000 + 1)
            ready = {descriptor for descriptor, _ in events}
            if output in ready:
                data = os.read(output, 1 << 18)
                log.write(data)
                if not data:
                    watch.unregister(output)
                    output_open = False
            if wake in ready:
                os.read(wake, 4096)
            if 0 in ready:
                self._read_commands()
                self._carry_out_commands()
            if drain_until is None and self._main_ended(result):
                job_process.kill_children()
                drain_until = time.monotonic() + _DRAIN
            elif drain_until is None and self._kill_at is not None and time.monotonic() >= self._kill_at:
                self._kill_main()
            if drain_until is not None and (not output_open or time.monotonic() >= drain_until):
                return

    def _read_commands(self) -> None:
        """Read what the server sends; the end of it means that the server has gone."""
        data = os.read(0, 4096)
        if not data:
            self._abandon()
        self._unread += data

    def _carry_out_commands(self) -> None:
        while b"\n" in self._unread:
            line, _, self._unread = self._unread.partition(b"\n")
            word, _, seconds = line.partition(b" ")
            if word == b"stop":
                try:
                    os.kill(self._main, signal.SIGTERM)
                except ProcessLookupError:
                    pass
                limit = time.monotonic() + float(seconds)
                self._kill_at = limit if self._kill_at is None else min(limit, self._kill_at)

    def _main_ended(self, result: int) -> bool:
        """Reap; True once the job's main process (or its init) is gone, with its status noted."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if pid == 0:
                return False
            if pid == self._main:
                if self._own_pids:
                    packed = os.read(result, 4)
                    self._status = struct.unpack("<i", packed)[0] if packed else None
                else:
                    self._status = status
                return True

    def _kill_main(self) -> None:
        self._kill_at = None
        self._killed = True
        try:
            os.kill(self._main, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def _abandon(self) -> NoReturn:
        """The server is gone, or somebody ends the launcher: nothing may stay behind."""
        job_process.kill_children()
        self._release_opt_ml()
        os._exit(1)

    def _report(self, log_problem: str) -> None:
        if self._status is None and not self._killed:
            send("refused", "InternalServerError", "the job's first process was killed from outside")
        elif self._status is None:
            send("ended", 128 + signal.SIGKILL, log_problem)
        elif os.WIFSIGNALED(self._status):
            send("ended", 128 + os.WTERMSIG(self._status), log_problem)
        else:
            send("ended", os.WEXITSTATUS(self._status), log_problem)
