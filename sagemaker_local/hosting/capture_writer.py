"""Writes captured requests to S3 in the background, so that no answer waits for a disk.

A request that is captured joins a queue, which costs microseconds. A thread writes what is in it as objects,
one for each variant and hour, every :data:`INTERVAL` seconds, or as soon as :data:`BATCH_BYTES` have come. An
object is there for everybody, durably, once it is written. A process that is killed loses what came in the
last interval; one that ends by itself writes everything before.

What cannot be kept is dropped, never waited for: where :data:`QUEUE_BYTES` wait because the disk is slower
than the requests, and where the disk is full or the bucket is gone. What was dropped is counted in the metric
``CapturesDropped`` of the namespace :data:`NAMESPACE`, and is a line in the endpoint's log group, in a stream
``VARIANT/data-capture-PROCESS``. AWS has no metric for it; there, capture stops on a disk that is nearly
full.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from sagemaker_local import clocks
from sagemaker_local.errors import AwsError
from sagemaker_local.hosting.capture import Captured, file_name
from sagemaker_local.hosting.endpoints import LOG_GROUP
from sagemaker_local.hosting.instance import LOG_STREAM
from sagemaker_local.jobs import job_log
from sagemaker_local.metrics import Series

if TYPE_CHECKING:
    from sagemaker_local.home import Home, Owner
    from sagemaker_local.metrics import Metrics
    from sagemaker_local.s3.objects import ObjectStore
    from sagemaker_local.store import Store

INTERVAL = 5.0
"""Seconds between two writes, and so what a killed process loses at most."""

BATCH_BYTES = 4 << 20
"""Bytes, of bodies and 1 KB for each request, that are written before the interval ends."""

QUEUE_BYTES = 64 << 20
"""Bytes that wait at most."""

NAMESPACE = "SageMakerLocal"
CONTENT_TYPE = "application/jsonlines"

_FULL_QUEUE = f"{QUEUE_BYTES >> 20} MB of them wait for the disk already"
_log = logging.getLogger(__name__)

_Loss = tuple[str, str, str, str]
"""Region, endpoint, variant, and why."""


class Captures:
    """What the endpoints of this process have captured. Safe to share between threads."""

    def __init__(self, home: Home, owner: Owner, objects: ObjectStore, metrics: Metrics) -> None:
        self._home = home
        self._owner = owner
        self._objects = objects
        self._metrics = metrics
        self._lock = threading.Lock()
        self._waiting: list[Captured] = []
        self._bytes = 0  # of what waits and of what is being written
        self._dropped: Counter[_Loss] = Counter()
        self._untold: Counter[_Loss] = Counter()  # the writing thread's alone
        self._wake = threading.Event()
        self._closed = False
        self._thread: threading.Thread | None = None

    def add(self, captured: Captured) -> None:
        """Have a request written, or count it as dropped; never waits, never raises."""
        with self._lock:
            if self._bytes + captured.size > QUEUE_BYTES:
                self._dropped[_loss(captured, _FULL_QUEUE)] += 1
                return
            self._waiting.append(captured)
            self._bytes += captured.size
            if self._bytes >= BATCH_BYTES:
                self._wake.set()
            if self._thread is None:
                with contextlib.suppress(RuntimeError):  # the system gives no thread: the next one tries
                    thread = threading.Thread(target=self._loop, name="writing captures", daemon=True)
                    thread.start()
                    self._thread = thread

    def close(self) -> None:
        """Write what has come; to be called when no request comes any more."""
        self._closed = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        self._write()

    def _loop(self) -> None:
        while not self._closed:
            clocks.wait(self._wake, INTERVAL)
            self._wake.clear()
            self._write()

    def _write(self) -> None:
        with self._lock:
            captures, self._waiting = self._waiting, []
        for group in _by_object(captures):
            try:
                self._write_object(group)
            except (OSError, sqlite3.Error, AwsError) as problem:
                self._drop(group, str(problem))
            except Exception as problem:
                _log.exception("captures could not be written")
                self._drop(group, repr(problem))
            finally:
                with self._lock:
                    self._bytes -= sum(one.size for one in group)
        self._tell_of_dropped()

    def _write_object(self, captures: list[Captured]) -> None:
        """Captures of one variant in one hour, as an object."""
        first = captures[0]
        key = first.folder + file_name(first.moment)
        with self._objects.incoming() as incoming:
            for one in captures:
                # A write gives the other threads their turn, so that requests do not wait for a whole batch.
                incoming.write(one.line())
            self._objects.commit(incoming, first.config.bucket, key, content_type=CONTENT_TYPE)

    def _drop(self, captures: Iterable[Captured], reason: str) -> None:
        with self._lock:
            for one in captures:
                self._dropped[_loss(one, reason)] += 1

    def _tell_of_dropped(self) -> None:
        """Count what was dropped, and say it in the endpoint's log; on a full disk, once it can be."""
        with self._lock:
            dropped, self._dropped = self._dropped, Counter()
        for (region, endpoint, variant, _), count in dropped.items():
            dimensions = (("EndpointName", endpoint), ("VariantName", variant))
            self._metrics.add({Series(region, NAMESPACE, "CapturesDropped", dimensions, "Count"): count})
        self._untold += dropped
        for loss, count in list(self._untold.items()):
            region, endpoint, variant, reason = loss
            text = f"{count} captured requests were dropped: {reason}"
            group = f"{LOG_GROUP}{endpoint}"
            with contextlib.suppress(OSError, sqlite3.Error):
                note(self._home, self._owner, self._objects.store, region, group, variant, text)
                del self._untold[loss]


def note(home: Home, owner: Owner, store: Store, region: str, group: str, beginning: str, text: str) -> None:
    """Say something about captures in a log group.

    Args:
        beginning: of the stream's name, as of the streams of what is captured there.

    Raises:
        OSError, sqlite3.Error: it cannot be said now.
    """
    # One for each process: a log has one writer at a time.
    stream = f"{beginning}/data-capture-{owner.name}"
    name = f"{group}:{stream}"
    document = store.get(LOG_STREAM, region, name)
    if document is None:
        log = home.jobs / "hosting" / f"capture-{secrets.token_hex(8)}" / "log"
        log.parent.mkdir(parents=True)
        document = {
            "Group": group,
            "Name": stream,
            "CreationTime": clocks.now(),
            "Path": str(log.relative_to(home.root)),
            "_Owner": owner.name,
        }
        store.put(LOG_STREAM, region, name, document, group)
    job_log.note(home.root / document["Path"], text)


def _loss(captured: Captured, reason: str) -> _Loss:
    return captured.region, captured.endpoint, captured.variant, reason


def _by_object(captures: Iterable[Captured]) -> Iterator[list[Captured]]:
    """Captures by the object that they go to, in the order in which they came."""
    groups: dict[tuple[str, str], list[Captured]] = {}
    for one in captures:
        groups.setdefault((one.config.bucket, one.folder), []).append(one)
    yield from groups.values()
