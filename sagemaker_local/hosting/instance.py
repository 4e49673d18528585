"""One instance of a variant: a process for each of its containers, watched for as long as it is wanted.

Each process has a thread that lays its container out, starts it, waits until it answers `/ping`, and then
watches it. A process that ends, or does not answer `/ping` for a minute, is started again, after a pause
that doubles while it keeps ending. Only the first start may fail for good: a container that never came up
is a mistake in the model, one that dies later may be an accident.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import shutil
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from sagemaker_local import clocks
from sagemaker_local.home import Home, Owner, is_alive
from sagemaker_local.hosting import container
from sagemaker_local.hosting.channel import Address, Backend
from sagemaker_local.hosting.fleet_spec import Container, Variant
from sagemaker_local.jobs import job_log, opt_ml, process
from sagemaker_local.jobs.failure import JobFailure, JobStopped, algorithm_error, disk_failure
from sagemaker_local.jobs.job import Command, JobContext
from sagemaker_local.jobs.opt_ml import OptMl
from sagemaker_local.jobs.places import Host
from sagemaker_local.store import Store

LOG_STREAM = "log-stream"
"""The store's kind for where a process's log lies, under the group that shows it."""

_FIRST_PINGS = 0.01  # seconds between pings of a process that starts
_PING_EVERY = 5.0
_PING_LIMIT = 2.0
_SILENCE = 60.0  # an invocation may take as long, and its script may keep /ping waiting all that time
_STABLE = 60.0  # a process that lived this long starts again at once
_PAUSES = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
_GRACE = 5.0
_REWRITE = "/opt/ml is not given to model servers here: paths in arguments and environment are real ones."


@dataclass(frozen=True)
class FleetContext:
    """What the instances of an endpoint or a transform job are started with.

    Attributes:
        owner: this process.
        log_group: CloudWatch's group for their logs.
    """

    home: Home
    owner: Owner
    store: Store
    region: str
    log_group: str
    job_context: JobContext


class Server:
    """One container's process on one instance."""

    def __init__(
        self, fleet: FleetContext, variant: Variant, part: Container, host: Host, cores: int
    ) -> None:
        self.container = part
        self.ready = False
        self.starts = 0
        self.failure: JobFailure | None = None
        self.first_start_ended = threading.Event()
        self._fleet = fleet
        self._variant = variant
        self._host = host
        self._cores = cores
        self._stopping = threading.Event()
        self._wake, self._wake_writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._process: process.InstanceProcess | None = None
        host.ml.mkdir(parents=True)
        self._address = Address(host.ml)
        self.backend = Backend(self._address)
        self._thread = threading.Thread(target=self._run, name=f"hosting {host.folder}", daemon=True)

    def start(self) -> None:
        """Begin; `first_start_ended` is set once it answers or has failed."""
        self._thread.start()

    def ask_to_stop(self) -> None:
        """SIGTERM now and SIGKILL a little later, or no start at all."""
        self._stopping.set()
        os.write(self._wake_writer, b"s")

    def join(self) -> None:
        """Wait until the process has ended, and remove what it was given; its log stays."""
        if self._thread.ident is not None:  # it was never started where another instance could not be made
            self._thread.join()
        self._address.close()
        os.close(self._wake)
        os.close(self._wake_writer)
        shutil.rmtree(self._host.ml, ignore_errors=True)

    def log_end(self) -> str:
        return job_log.end_of(self._host.log)

    # -- the thread ------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            given = _opt_ml()
            self._host.hosts_file.write_text(f"127.0.0.1 localhost {self._host.name}\n::1 localhost\n")
            command = container.stage(
                self.container,
                self._host,
                region=self._fleet.region,
                rewrite=given.mode == "rewrite",
                context=self._fleet.job_context,
                check=self._check,
                note=self._note,
            )
            if given.remark:
                self._note(given.remark)
            command.environment.setdefault("OMP_NUM_THREADS", str(self._cores))
            self._bring_up(command, given)
        except JobFailure as failure:
            self.failure = failure
        except JobStopped:
            self.failure = JobFailure("ClientError", "it was stopped before it was up.")
        except OSError as problem:
            self.failure = disk_failure("preparing a model server", problem)
        else:
            self.ready = True
            self.first_start_ended.set()
            with contextlib.suppress(JobStopped):
                self._supervise(command, given)
        finally:
            self.ready = False
            if not self.first_start_ended.is_set() and self.failure is None:
                self.failure = JobFailure(
                    "InternalServerError", "a fault of the local SageMaker; see its log."
                )
            self._end_process()
            self.first_start_ended.set()

    def _bring_up(self, command: Command, given: OptMl) -> None:
        """Start the process and return once it answers `/ping`."""
        self._process = process.InstanceProcess(self._host)
        self._process.run(command, given)
        limit = self._variant.startup_seconds
        deadline = time.monotonic() + limit
        while not self._address.ping(_PING_LIMIT):
            if self._has_ended(_FIRST_PINGS):
                ending = self._process.ending
                self._process = None
                assert ending is not None
                if ending.failure is not None:
                    raise ending.failure
                assert ending.code is not None
                raise algorithm_error(self._early_end(), ending.code)
            if time.monotonic() > deadline:
                self._end_process()
                raise JobFailure(
                    "AlgorithmError",
                    f"The {self.container.name} container for production variant {self._variant.name} did not"
                    f" pass the ping health check within {limit} s. The end of its log: {self.log_end()}",
                )
        self.starts += 1

    def _early_end(self) -> str:
        return (
            f"The {self.container.name} container for production variant {self._variant.name} ended before it"
            f" answered /ping. The end of its log: {self.log_end()}"
        )

    def _supervise(self, command: Command, given: OptMl) -> None:
        """Keep the process up until it is to stop. Raises JobStopped."""
        pauses = 0
        while True:
            since = time.monotonic()
            why = self._until_it_fails()
            self.ready = False
            if time.monotonic() - since > _STABLE:
                pauses = 0
            while not self.ready:
                pause = _PAUSES[min(pauses, len(_PAUSES) - 1)]
                pauses += 1
                self._note(f"{why}; it is started again" + (f" in {pause:g} s" if pause else ""))
                self._pause(pause)
                try:
                    self._bring_up(command, given)
                    self.ready = True
                except JobFailure as failure:
                    why = f"the model server did not come up: {failure}"

    def _until_it_fails(self) -> str:
        """Watch the process while it lives and answers; returns what went wrong."""
        answered = time.monotonic()
        while True:
            if self._has_ended(_PING_EVERY):
                ending = self._process.ending if self._process is not None else None
                self._process = None
                if ending is None or ending.code is None:
                    return f"the model server ended: {ending.failure if ending else 'unknown'}"
                return f"the model server ended with exit code {ending.code}"
            if self._address.ping(_PING_LIMIT):
                answered = time.monotonic()
            elif time.monotonic() - answered > _SILENCE:
                self._end_process()
                return f"the model server did not answer /ping for {_SILENCE:.0f} s"

    def _has_ended(self, seconds: float) -> bool:
        """Wait for the end of the process, for so long at most; whether it has ended. Raises JobStopped."""
        assert self._process is not None
        ready, _, _ = select.select([self._process.descriptor, self._wake], [], [], seconds)
        self._check()
        if self._process.descriptor in ready:
            self._process.read_messages()
            if self._process.ending is not None:
                self._process.close()
                return True
        return False

    def _pause(self, seconds: float) -> None:
        select.select([self._wake], [], [], seconds)
        self._check()

    def _check(self) -> None:
        if self._stopping.is_set():
            raise JobStopped

    def _end_process(self) -> None:
        if self._process is None:
            return
        self._process.stop(_GRACE)
        while self._process.ending is None:
            select.select([self._process.descriptor], [], [])
            self._process.read_messages()
        self._process.close()
        self._process = None

    def _note(self, text: str) -> None:
        # Only while no process runs: a log has one writer at a time.
        job_log.note(self._host.log, text)


class Instance:
    """All containers of a variant, once. Its counts are read and changed under the fleet's lock."""

    def __init__(self, fleet: FleetContext, variant: Variant, cores: int) -> None:
        """`cores`: how many of the machine's processors its processes may use."""
        self.outstanding = 0
        name = f"i-{secrets.token_hex(8)}"
        folder = fleet.home.jobs / "hosting" / name
        folder.mkdir(parents=True)
        (folder / "owner").write_text(fleet.owner.name)
        several = len(variant.containers) > 1
        self.servers: list[Server] = []
        for part in variant.containers:
            host = Host(part.name, folder / part.name)
            stream = f"{variant.name}/{name}" + (f"/{part.name}" if several else "")
            self.servers.append(Server(fleet, variant, part, host, cores))
            _register_log(fleet, stream, host)

    @property
    def ready(self) -> bool:
        return all(server.ready for server in self.servers)

    @property
    def starts(self) -> int:
        """How often its processes have come up, all together."""
        return sum(server.starts for server in self.servers)

    def start(self) -> None:
        for server in self.servers:
            server.start()

    def await_first_start(self) -> None:
        """Wait for the first start of every container.

        Raises:
            JobFailure: one of them did not come up.
        """
        for server in self.servers:
            server.first_start_ended.wait()
            if server.failure is not None:
                raise server.failure

    def ask_to_stop(self) -> None:
        for server in self.servers:
            server.ask_to_stop()

    def join(self) -> None:
        """Wait until all its processes have ended, after :meth:`ask_to_stop`."""
        for server in self.servers:
            server.join()


def _register_log(fleet: FleetContext, stream: str, host: Host) -> None:
    document: Mapping[str, object] = {
        "Group": fleet.log_group,
        "Name": stream,
        "CreationTime": clocks.now(),
        "Path": str(host.log.relative_to(fleet.home.root)),
        "_Owner": fleet.owner.name,
    }
    fleet.store.put(LOG_STREAM, fleet.region, f"{fleet.log_group}:{stream}", dict(document), fleet.log_group)


def sweep(home: Home) -> None:
    """Remove what the instances of dead processes were given; their logs stay."""
    for mark in (home.jobs / "hosting").glob("*/owner"):
        with contextlib.suppress(FileNotFoundError):
            owner = mark.read_text()
            # A full disk, or a power cut, can leave the mark without a name.
            if not owner or not is_alive(home, owner):
                for folder in mark.parent.glob("*/ml"):
                    shutil.rmtree(folder, ignore_errors=True)
                mark.unlink()


def _opt_ml() -> OptMl:
    """How `/opt/ml` is given: never by a symbolic link, which only one process at a time can have."""
    given = opt_ml.detect()
    return given if given.mode == "namespace" else OptMl("rewrite", False, _REWRITE)
