"""The instances of one training job, as workers that train one model together.

XGBoost's tracker runs on the first host of ``resourceconfig.json``; every host connects to it, and XGBoost
sums gradients and metrics over all of them. Each worker has the rows of the files that SageMaker gave its
host, which may be none. When one ends before the others, their connections to it close: they end as well.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import xgboost as xgb
from hyperparameters import InputError
from xgboost import collective
from xgboost.tracker import RabitTracker

_START_SECONDS = 600  # hosts of one job start minutes apart
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
def connected(resources: Mapping[str, Any]) -> Iterator[Worker]:
    """This instance among all; it is connected with the others, if there are any, as long as the context
    lasts.

    Args:
        resources: ``resourceconfig.json``; an empty one is that of a single instance.

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
    try:
        collective.init(**arguments)
        yield Worker(collective.get_rank(), collective.get_world_size())
        collective.finalize()
    except xgb.core.XGBoostError as error:  # nothing to finalize: the process ends, which tells the others
        text = str(error)
        if "/collective/" not in text and "/rabit/" not in text:
            raise
        print(text, flush=True)
        raise InputError(
            f"{current} has lost its connection with the other instances: one of them has ended."
            " The reason is in its log; start the job again where there is none"
        ) from error
    if tracker is not None:
        tracker.wait_for()


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
