"""The instances of one training job, as workers that train one model together.

XGBoost's tracker runs on the first host of ``resourceconfig.json``; every host connects to it, and XGBoost
sums gradients and metrics over all of them. ``parts`` gives each worker a part of the rows.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import xgboost as xgb
from hyperparameters import InputError
from xgboost import collective
from xgboost.tracker import RabitTracker

_START_SECONDS = 600  # hosts of one job start minutes apart


@dataclass(frozen=True)
class Worker:
    """One instance: the ``rank``-th (from 0) of ``world_size``."""

    rank: int
    world_size: int


@contextlib.contextmanager
def connected(resources: Mapping[str, Any]) -> Iterator[Worker]:
    """This instance among all; it is connected with the others, if there are any, as long as the context
    lasts.

    Args:
        resources: ``resourceconfig.json``; an empty one is that of a single instance.

    Raises:
        InputError: the port of XGBoost's tracker is in use.
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
    with collective.CommunicatorContext(**arguments):
        yield Worker(collective.get_rank(), collective.get_world_size())
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
