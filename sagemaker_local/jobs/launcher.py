"""Runs one instance of a job: gives it `/opt/ml`, copies its output to the log, outlives nobody.

A program of its own, so that the server never forks, never holds a job's output and can be killed
without leaving anything. It starts with each job: run by a bare interpreter (opt_ml.py has the command),
it imports next to nothing and costs some 20 ms. With the server it speaks two pipes:

    stdin    what to run (`read_launch`), then lines `stop SECONDS` at any time; its end means that the
             server is gone, and then the job goes too
    stdout   a line for each thing that happens, words separated by tabs: `started TIME`,
             `ended CODE LOG_PROBLEM`, `refused KIND REASON`; anything else is a traceback of its own

How `/opt/ml` becomes the job's folder:

    namespace  a mount namespace of its own with the folder bound at /opt/ml; a pid namespace where
               /proc may be mounted, so that the kernel itself ends whatever a job leaves behind;
               its own /etc/hosts and host name, so that algo-1, algo-2, ... reach each other
    symlink    /opt/ml is a symbolic link, held by one job at a time under a lock (root only)
    rewrite    nothing here: the server has put the folder's real path wherever /opt/ml was written

The log's side file `log.times` holds records of 16 bytes, little-endian: the offset in the log from
which bytes arrived, and when, in milliseconds since 1970.

`probe` prints which of the modes work on this machine, each really tried.
"""

# ruff: noqa: PTH102, PTH103, PTH108, PTH110, PTH112, PTH114, PTH115, PTH120, PTH123, PTH208, PTH211, SIM105
# pathlib, contextlib, json and typing would each add to the time that every job takes to start.
from __future__ import annotations

import ctypes
import errno
import fcntl
import marshal
import os
import select
import signal
import struct
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

OPT_ML = "/opt/ml"
SYMLINK_LOCK = "/run/sagemaker-local-opt-ml.lock"
TIMES_RECORD = struct.Struct("<QQ")
TIMES_STEP = 0.02  # seconds: chunks closer than this share a record, which bounds the side file
DRAIN = 2.0  # seconds to read what is left in the pipe after the job's last process ended

_NEWNS, _NEWUTS, _NEWUSER, _NEWPID = 0x20000, 0x4000000, 0x10000000, 0x20000000
_BIND, _REC, _PRIVATE = 0x1000, 0x4000, 0x40000
_SET_PDEATHSIG, _SET_CHILD_SUBREAPER = 1, 36
_TERMINATIONS = (signal.SIGTERM, signal.SIGINT)
_libc = ctypes.CDLL(None, use_errno=True)


class Refused(Exception):
    """The job cannot be started; `kind` is the class of the job's failure reason."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    arguments = (source.encode(), target.encode(), kind.encode() or None, flags, data.encode() or None)
    _checked(_libc.mount(*arguments), f"mount on {target}")


def _die_with_parent(number: int = signal.SIGKILL) -> None:
    _checked(_libc.prctl(_SET_PDEATHSIG, number, 0, 0, 0), "prctl")


# --- /opt/ml by namespace -------------------------------------------------------------------------


def _unshare(own_pids: bool) -> None:
    """New namespaces: plainly where we are privileged, else inside a user namespace of our own.

    Plain ones come first because inside a user namespace root loses its access to others' files.
    """
    wanted = _NEWNS | _NEWUTS | (_NEWPID if own_pids else 0)
    if os.geteuid() == 0 and _libc.unshare(wanted) == 0:
        return
    uid, gid = os.geteuid(), os.getegid()
    _checked(_libc.unshare(wanted | _NEWUSER), "unshare")
    for name, value in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w") as handle:
            handle.write(value)


def _bind(descriptor: int, target: str) -> None:
    _mount(f"/proc/self/fd/{descriptor}", target, flags=_BIND | _REC)
    os.close(descriptor)


def _make_mount_point() -> None:
    """Cover /opt with a memory file system that holds the same entries and an empty `ml`."""
    parent = os.path.dirname(OPT_ML)
    entries = []
    for name in os.listdir(parent):
        path = f"{parent}/{name}"
        if path == OPT_ML:
            continue
        if os.path.islink(path):
            entries.append((name, os.readlink(path), -1, False))
        else:
            entries.append((name, "", os.open(path, os.O_PATH), os.path.isdir(path)))
    _mount("tmpfs", parent, "tmpfs", data="mode=755")
    for name, link, descriptor, is_folder in entries:
        path = f"{parent}/{name}"
        if link:
            os.symlink(link, path)
            continue
        if is_folder:
            os.mkdir(path)
        else:
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644))
        _bind(descriptor, path)
    os.mkdir(OPT_ML)


def enter_namespace(folder: str, hosts: str | None, host: str, own_pids: bool) -> None:
    """Bind `folder` at /opt/ml and the file `hosts` at /etc/hosts, for this process and its children."""
    _unshare(own_pids)
    _mount("none", "/", flags=_REC | _PRIVATE)
    job = os.open(folder, os.O_PATH)
    # A link is another job's, in the mode of links, and will go when that job ends.
    if os.path.islink(OPT_ML) or not os.path.isdir(OPT_ML):
        _make_mount_point()
    _bind(job, OPT_ML)
    if hosts is not None and os.path.exists("/etc/hosts"):
        _mount(hosts, "/etc/hosts", flags=_BIND)
    _checked(_libc.sethostname(host.encode(), len(host)), "sethostname")


# --- /opt/ml by symbolic link ---------------------------------------------------------------------


def _open_lock() -> int:
    # Never through a link that somebody may have laid there.
    return os.open(SYMLINK_LOCK, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _check_free(lock: int) -> None:
    """Whether /opt/ml is absent or a dead job's link; called with the lock held."""
    left_behind = os.pread(lock, 4096, 0).decode()
    if os.path.islink(OPT_ML) and os.readlink(OPT_ML) == left_behind:
        os.unlink(OPT_ML)
    if os.path.lexists(OPT_ML):
        raise Refused("InternalServerError", f"{OPT_ML} exists and is not a job's: it stays untouched")


def take_symlink(folder: str, tick: Callable[[], None]) -> int:
    """Make /opt/ml a link to `folder` as soon as no other job holds it; returns the lock's descriptor.

    `tick` is called while waiting and may raise.
    """
    if os.geteuid() != 0:
        raise Refused("InternalServerError", f"only root can make {OPT_ML}")
    lock = _open_lock()
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            tick()
    _check_free(lock)
    # The target is noted before the link exists, so that a link left by a death is known as ours.
    os.ftruncate(lock, 0)
    os.pwrite(lock, folder.encode(), 0)
    os.makedirs(os.path.dirname(OPT_ML), exist_ok=True)
    os.symlink(folder, OPT_ML)
    return lock


def give_back_symlink(lock: int) -> None:
    try:
        os.unlink(OPT_ML)
    except FileNotFoundError:
        pass
    os.ftruncate(lock, 0)
    os.close(lock)


# --- the job's process ----------------------------------------------------------------------------


def _exec(launch: dict[str, Any], output: int) -> NoReturn:
    """Become the job: its own session, its output into the pipe, default signals, nothing of ours."""
    argv = launch["argv"]
    try:
        os.setsid()
        nothing = os.open("/dev/null", os.O_RDONLY)
        for source, target in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(source, target)
        for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD, *_TERMINATIONS):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _TERMINATIONS)
        os.chdir(launch["folder"])
        os.execvpe(argv[0], argv, launch["environment"])
    except OSError as problem:
        os.write(2, f"cannot run {argv[0]}: {problem.strerror}\n".encode())
        os._exit(127 if problem.errno == errno.ENOENT else 126)


def _become_init(launch: dict[str, Any], output: int, result: int, lifeline: int) -> NoReturn:
    """Process 1 of the job's pid namespace: starts the job, passes SIGTERM on, reaps, reports.

    When it ends, however it ends, the kernel ends every process of the namespace.
    """
    _die_with_parent()
    # The launcher holds the other end: a hang-up now means that it died before the line above.
    watch = select.poll()
    watch.register(lifeline, 0)
    if watch.poll(0):
        os._exit(1)
    _mount("proc", "/proc", "proc")
    try:
        job = os.fork()
    except OSError as problem:
        _say("refused", "CapacityError", f"no process for the job: {problem.strerror}")
        os._exit(1)
    if job == 0:
        _exec(launch, output)
    os.close(output)

    def forward(number: int, _frame: object) -> None:
        try:
            os.kill(job, number)
        except ProcessLookupError:
            pass

    for number in _TERMINATIONS:
        signal.signal(number, forward)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _TERMINATIONS)
    while True:
        pid, status = os.wait()
        if pid == job:
            os.write(result, struct.pack("<i", status))
            os._exit(0)


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


def _kill_children() -> None:
    """Kill and reap every descendant: as subreaper we inherit the orphans of what we kill."""
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


class Log:
    """The job's output on disk, with the side file of times. A full disk loses output, not the job."""

    def __init__(self, path: str) -> None:
        flags = os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_CLOEXEC
        self._log = os.open(path, flags, 0o600)
        self._times = os.open(path + ".times", flags, 0o600)
        self._size = os.fstat(self._log).st_size
        self._stamped = 0.0
        self.problem = ""

    def write(self, data: bytes) -> None:
        if not data:
            return
        try:
            now = time.time()
            if now - self._stamped >= TIMES_STEP:
                os.write(self._times, TIMES_RECORD.pack(self._size, int(now * 1000)))
                self._stamped = now
            rest = memoryview(data)
            while rest:
                written = os.write(self._log, rest)
                self._size += written
                rest = rest[written:]
        except OSError as problem:
            self.problem = f"the log is not complete: {problem.strerror}"


def write_launch(**launch: Any) -> bytes:
    """What the server writes first; launcher and server are the same Python, so marshal will do.

    Args:
        server: the server's process id.
        mode, own_pids: how to give /opt/ml (see `OptMl`).
        host, hosts: the instance's name, and the file to be its /etc/hosts.
        ml: the folder to be /opt/ml.
        log: the file for the output.
        argv, environment, folder: the command, everything in its environment, its working directory.
    """
    content = marshal.dumps(launch)
    return struct.pack("<Q", len(content)) + content


def read_launch() -> dict[str, Any]:
    """What the server wants run. Not a byte more is read: the words that follow belong to others."""
    (length,) = struct.unpack("<Q", _read(8))
    launch: dict[str, Any] = marshal.loads(_read(length))
    return launch


def _read(length: int) -> bytes:
    data = b""
    while len(data) < length:
        more = os.read(0, length - len(data))
        if not more:
            raise SystemExit(0)  # the server died before it said what to run
        data += more
    return data


class Launcher:
    """One run of one instance, from the request on standard input to the last status line."""

    def __init__(self) -> None:
        self._unread = b""
        self._launch = read_launch()
        self._own_pids: bool = self._launch["own_pids"]
        self._lock = -1
        self._main = 0
        self._kill_at: float | None = None
        self._killed = False
        self._status: int | None = None

    def run(self) -> None:
        log = Log(self._launch["log"])
        wake, wake_writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(wake_writer)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: self._abandon())
        try:
            self._give_opt_ml()
            _checked(_libc.prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl")
            # Only now: entering a user namespace clears it. Where the kernel cannot end everything
            # for us, SIGTERM leaves us the time to do it.
            _die_with_parent(signal.SIGKILL if self._own_pids else signal.SIGTERM)
            if os.getppid() != self._launch["server"]:
                return
            output, result = self._start()
            _say("started", time.time())
            self._copy(output, result, wake, log)
        except Refused as refusal:
            _say("refused", refusal.kind, refusal)
        else:
            self._report(log.problem)
        finally:
            self._give_back_opt_ml()

    def _give_opt_ml(self) -> None:
        launch = self._launch
        if launch["mode"] == "namespace":
            try:
                enter_namespace(launch["ml"], launch["hosts"], launch["host"], self._own_pids)
            except OSError as problem:
                reason = f"{OPT_ML} cannot be given by a namespace: {problem.strerror}"
                raise Refused("InternalServerError", reason) from problem
        elif launch["mode"] == "symlink":
            self._lock = take_symlink(launch["ml"], self._wait_for_turn)

    def _give_back_opt_ml(self) -> None:
        if self._lock >= 0:
            give_back_symlink(self._lock)
            self._lock = -1

    def _wait_for_turn(self) -> None:
        ready, _, _ = select.select([0], [], [], 0.05)
        if ready:
            raise SystemExit(0)  # stopped, or the server is gone, before anything was started

    def _start(self) -> tuple[int, int]:
        """Start the job; returns the read ends of its output and of its wait status."""
        output, output_writer = os.pipe2(os.O_CLOEXEC)
        result, result_writer = os.pipe2(os.O_CLOEXEC)
        lifeline, lifeline_writer = os.pipe2(os.O_CLOEXEC)
        launcher = os.getpid()
        # Blocked across the fork, so that a stop that comes early waits until it can be handled.
        signal.pthread_sigmask(signal.SIG_BLOCK, _TERMINATIONS)
        try:
            self._main = os.fork()
        except OSError as problem:
            raise Refused("CapacityError", f"no process for the job: {problem.strerror}") from problem
        if self._main == 0:
            signal.set_wakeup_fd(-1)
            os.close(lifeline_writer)
            if self._own_pids:
                _become_init(self._launch, output_writer, result_writer, lifeline)
            _die_with_parent()
            if os.getppid() != launcher:
                os._exit(1)
            _exec(self._launch, output_writer)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _TERMINATIONS)
        for descriptor in (output_writer, result_writer, lifeline):
            os.close(descriptor)
        return output, result

    def _copy(self, output: int, result: int, wake: int, log: Log) -> None:
        """Copy output to the log and obey the server until the job and all that it started have ended."""
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
                self._hear()
                self._obey()
            if drain_until is None and self._main_ended(result):
                _kill_children()
                drain_until = time.monotonic() + DRAIN
            elif drain_until is None and self._kill_at is not None and time.monotonic() >= self._kill_at:
                self._kill_main()
            if drain_until is not None and (not output_open or time.monotonic() >= drain_until):
                return

    def _hear(self) -> None:
        """Read what the server says; its silence for ever means that it has gone."""
        data = os.read(0, 4096)
        if not data:
            self._abandon()
        self._unread += data

    def _obey(self) -> None:
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
        _kill_children()
        self._give_back_opt_ml()
        os._exit(1)

    def _report(self, log_problem: str) -> None:
        if self._status is None and not self._killed:
            _say("refused", "InternalServerError", "the job's first process was killed from outside")
        elif self._status is None:
            _say("ended", 128 + signal.SIGKILL, log_problem)
        elif os.WIFSIGNALED(self._status):
            _say("ended", 128 + os.WTERMSIG(self._status), log_problem)
        else:
            _say("ended", os.WEXITSTATUS(self._status), log_problem)


def _say(*words: object) -> None:
    line = "\t".join(str(word).replace("\t", " ").replace("\n", " ") for word in words)
    try:
        os.write(1, f"{line}\n".encode())
    except BrokenPipeError:
        pass


# --- which modes work here ------------------------------------------------------------------------


def _tried(attempt: Callable[[], None]) -> str | None:
    """Run `attempt` in a child; None if it worked, else why not."""
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
    return reason or None


def probe() -> dict[str, str | None]:
    """For each way (`namespace`, `pids` within it, `symlink`) why it does not work, or None."""

    def namespace() -> None:
        enter_namespace("/", None, "algo-1", own_pids=False)

    def pids() -> None:
        enter_namespace("/", None, "algo-1", own_pids=True)
        problem = _tried(lambda: _mount("proc", "/proc", "proc"))
        if problem:
            raise OSError(errno.EPERM, problem)

    def symlink() -> None:
        if os.geteuid() != 0:
            raise Refused("", f"only root can make {OPT_ML}")
        if not os.access("/opt" if os.path.isdir("/opt") else "/", os.W_OK):
            raise Refused("", "/opt cannot be written")
        if os.path.lexists(OPT_ML) and not os.path.islink(OPT_ML):
            raise Refused("", f"{OPT_ML} exists and is not a job's")
        os.close(_open_lock())

    return {"namespace": _tried(namespace), "pids": _tried(pids), "symlink": _tried(symlink)}


def main(word: str) -> None:
    """`run` a job, or `probe`: a line for each way, its name and why it does not work."""
    if word == "probe":
        for way, problem in probe().items():
            _say(way, problem or "")
    else:
        Launcher().run()
