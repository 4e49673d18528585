"""The instances of one training job, as workers that train one model together.

XGBoost's tracker runs on the first host of ``resourceconfig.json``; every host connects to it, and XGBoost
sums gradients and metrics over all of them. Each worker has the rows of the files that SageMaker gave its
host, which may be none.

An instance that ends before its time ends the others, within seconds. XGBoost alone does not see to that: a
worker may wait minutes for one that is gone. So each instance keeps a connection of our own to the first,
which closes with the process.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import selectors
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import xgboost as xgb
from hyperparameters import InputError
from xgboost import collective
from xgboost.tracker import RabitTracker

_START_SECONDS = 600  # hosts of one job start minutes apart
_CONNECT_SECONDS = 1800  # one may have more to download than another
_OWN_REASON_SECONDS = 5  # the others' end may have a reason that this instance is about to find, too
_GOODBYE = b"."  # what an instance sends that has done its part
_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Worker:
    """One instance: the ``rank``-th (from 0) of ``world_size``. All have to call its methods alike."""

    rank: int
    world_size: int

    def sum(self, values: Sequence[int] | np.ndarray) -> np.ndarray:
        """The values (int64) of all workers, added up."""
        own = np.asarray(values, np.int64)
        return own if self.world_size == 1 else collective.allreduce(own, collective.Op.SUM)

    def gather(self, values: Sequence[int] | np.ndarray) -> np.ndarray:
        """The values (int64) of every worker, one row for each."""
        rows = np.zeros((self.world_size, len(values)), np.int64)
        rows[self.rank] = values
        return self.sum(rows.ravel()).reshape(rows.shape)

    def from_first(self, value: _Value) -> _Value:
        """What the first worker has."""
        if self.world_size == 1:
            return value
        found: tuple[_Value] = collective.broadcast((value,), 0)  # it refuses None
        return found[0]


@contextlib.contextmanager
def connected(resources: Mapping[str, Any], fail: Callable[[str], None]) -> Iterator[Worker]:
    """This instance among all; it is connected with the others, if there are any, as long as the context
    lasts. Where another one ends before its time, this process ends too: with `InputError`, or with exit
    code 1 while XGBoost still waits for the other.

    Args:
        resources: ``resourceconfig.json``; an empty one is that of a single instance.
        fail: records the reason for which the process ends with exit code 1; called in a thread of its own.

    Raises:
        InputError: the port of XGBoost's tracker is in use, or another instance has ended before its time.
    """
    hosts = sorted(resources.get("hosts") or ["algo-1"], key=lambda host: (len(host), host))
    current = resources.get("current_host", hosts[0])
    if len(hosts) == 1:
        yield Worker(0, 1)
        return
    rank = hosts.index(current)
    address = _address(hosts[0], current)
    # Every host must come to the same port without asking the others.
    job = os.environ.get("TRAINING_JOB_NAME", "")
    port = 20_000 + int.from_bytes(hashlib.sha256(job.encode()).digest()[:4], "big") % 10_000
    tracker = None
    if rank == 0:
        try:
            tracker = RabitTracker(len(hosts), address, port, sortby="task")
            tracker.start()
        except (xgb.core.XGBoostError, ValueError) as error:
            raise InputError(
                f"the tracker cannot listen on {address}:{port}: {str(error).splitlines()[0]}. "
                f"Another process may hold that port: start the job again under another name"
            ) from error
    arguments: dict[str, Any] = {
        "dmlc_communicator": "rabit",
        "dmlc_tracker_uri": address,
        "dmlc_tracker_port": port,
        "dmlc_task_id": f"{rank:05d}",
        "dmlc_retry": 60,
    }
    reason = (
        f"{current} has lost its connection with the other instances: one of them has ended."
        " The reason is in its log; start the job again where there is none"
    )
    ending = threading.Lock()  # whoever has it ends the process

    def end() -> None:
        time.sleep(_OWN_REASON_SECONDS)
        if ending.acquire(blocking=False):
            fail(reason)
            os._exit(1)

    def give_up() -> None:
        if ending.acquire(blocking=False):
            fail(
                f"{current} has waited {_CONNECT_SECONDS} s for all {len(hosts)} instances to connect with"
                f" {hosts[0]}: one of them has ended before, or cannot reach it. Its log may say why;"
                " in a VPC the security groups have to let the instances reach each other"
            )
            os._exit(1)

    waits = threading.Timer(_CONNECT_SECONDS, give_up)
    waits.daemon = True
    try:
        waits.start()
        if rank:
            print(f"{current} connects with {hosts[0]}, {address}:{port}", flush=True)
        with warnings.catch_warnings():
            # XGBoost warns of each attempt until the first instance has started; the last one is an error.
            warnings.filterwarnings("ignore", r"(?s).*(Failed to connect|Retrying connection)")
            collective.init(**arguments)
        worker = Worker(collective.get_rank(), collective.get_world_size())
        others = _connections(worker, address)
        waits.cancel()
        watch = threading.Thread(target=_watch, args=(others, end), name="watch", daemon=True)
        watch.start()
        yield worker
        collective.finalize()
    except BaseException as error:  # nothing to finalize: the process ends, which tells the others
        ending.acquire()
        if not isinstance(error, xgb.core.XGBoostError) or not _is_of_the_connection(error):
            raise
        print(error, flush=True)
        raise InputError(reason) from error
    for connection in others:
        with contextlib.suppress(OSError):  # an instance that has said so itself may be gone
            connection.sendall(_GOODBYE)
    watch.join()
    if tracker is not None:
        tracker.wait_for()


def _is_of_the_connection(error: xgb.core.XGBoostError) -> bool:
    return any(folder in str(error) for folder in ("/collective/", "/rabit/"))


def _connections(worker: Worker, address: str) -> list[socket.socket]:
    """The first instance's connections with all others; of another one, that with the first."""
    if worker.rank == 0:
        with socket.create_server((address, 0), backlog=worker.world_size) as server:
            server.settimeout(_START_SECONDS)
            worker.from_first(server.getsockname()[1])
            connections = [server.accept()[0] for _ in range(worker.world_size - 1)]
    else:
        connections = [socket.create_connection((address, worker.from_first(0)), _START_SECONDS)]
    for connection in connections:
        connection.settimeout(None)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # a machine may go without a word
        for option, value in (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 4)):
            if hasattr(socket, option):
                connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return connections


def _watch(connections: Sequence[socket.socket], end: Callable[[], None]) -> None:
    """Return when every instance has said goodbye, or call `end` when one is gone that has not."""
    with selectors.DefaultSelector() as selector:
        for connection in connections:
            selector.register(connection, selectors.EVENT_READ, connection)
        while selector.get_map():
            for key, _ in selector.select():
                received = b""  # as of a connection that is closed
                with contextlib.suppress(OSError):
                    received = key.data.recv(1)
                if received != _GOODBYE:
                    end()
                selector.unregister(key.fileobj)


def _address(first: str, current: str) -> str:
    """The first host's address. Where not even this host's own name is known, all run on one machine."""
    try:
        socket.gethostbyname(current)
    except OSError:
        return "127.0.0.1"
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            return socket.gethostbyname(first)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)
