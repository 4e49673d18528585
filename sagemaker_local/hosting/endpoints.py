"""The endpoints that this process serves.

The store holds what an endpoint is to serve; this module holds the fleets that serve it. Threads start,
replace and stop them, while requests come from one event loop. How an endpoint is changed:

    the operation writes Creating / Updating / Deleting, with this process as the owner, and calls here
    a thread starts the new fleet, waits until it answers, and puts it in the place of the old one
    the thread writes InService, or what went wrong; then the old fleet is drained and stopped

An update that fails, or whose process dies, leaves the old fleet where it was. An endpoint that is in
service but not running here (its process has ended) starts with its first request, or, in a process that is
kept up, at once. What another process changes is noticed within a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import TYPE_CHECKING

from aws_formats.arns import LOCAL_ACCOUNT
from sagemaker_local import abandoned
from sagemaker_local.hosting.endpoint_record import ENDPOINT, OWNED, EndpointRecord
from sagemaker_local.hosting.fleet import Fleet
from sagemaker_local.hosting.fleet_spec import SPEC_MEMBER, FleetSpec, read_spec
from sagemaker_local.hosting.instance import FleetContext, sweep
from sagemaker_local.jobs.failure import LIMIT, JobFailure

if TYPE_CHECKING:
    from sagemaker_local.home import Home, Owner
    from sagemaker_local.jobs.job import JobContext
    from sagemaker_local.store import Document, Store

LOG_GROUP = "/aws/sagemaker/Endpoints/"

_FOLLOW_SECONDS = 1.0
_ENDED = "The local SageMaker that was changing the endpoint ended before that was done."
_log = logging.getLogger(__name__)

EndpointKey = tuple[str, str]
"""Region and name."""


class NotInService(Exception):
    """There is no such endpoint, or it cannot answer; the text says which."""


class HostedEndpoints:
    """Fleets by endpoint."""

    def __init__(self, home: Home, owner: Owner, store: Store, context: JobContext) -> None:
        self._home = home
        self._owner = owner
        self._store = store
        self._context = context
        self._lock = threading.Lock()
        self._fleets: dict[EndpointKey, Fleet] = {}
        self._coming_up: set[Fleet] = set()
        self._starting: dict[EndpointKey, Future[Fleet]] = {}
        self._threads: list[threading.Thread] = []
        self._closed = threading.Event()
        self._follower: threading.Thread | None = None

    # -- changes that an operation has written -----------------------------------------------------

    def create(self, region: str, name: str) -> None:
        """Bring up an endpoint whose document says Creating."""
        self._in_thread(lambda: self._create((region, name)), f"creating endpoint {name}")

    def update(self, region: str, name: str, spec: FleetSpec, members: Document) -> None:
        """Serve something else; `members` go into the document with it."""
        self._in_thread(lambda: self._update((region, name), spec, members), f"updating endpoint {name}")

    def delete(self, region: str, name: str) -> None:
        """Take down an endpoint whose document says Deleting, and remove the document."""
        self._in_thread(lambda: self._delete((region, name)), f"deleting endpoint {name}")

    def fleet(self, region: str, name: str) -> Fleet | None:
        """What runs here for an endpoint."""
        return self._fleets.get((region, name))

    def up_to_date(self, document: Document) -> Document | None:
        """The document as it is after a change whose process has died; None if that deleted it."""
        return abandoned.up_to_date(self._store, self._owner, OWNED, document)

    def end_abandoned_changes(self) -> None:
        """End every change whose process has died."""
        abandoned.end_all(self._store, self._owner, OWNED)

    def recover(self, *, start: bool) -> None:
        """End the changes of dead processes, and with `start` bring up every endpoint that should serve."""
        sweep(self._home)
        self.end_abandoned_changes()
        for document in self._store.list(ENDPOINT) if start else ():
            if document["EndpointStatus"] in ("InService", "OutOfService"):
                self._begin((OWNED.key(document).region, document["EndpointName"]))

    # -- requests ----------------------------------------------------------------------------------

    async def ready(self, region: str, name: str) -> None:
        """Return once the endpoint has a fleet here, starting one if it should serve and has none.

        Raises:
            NotInService: there is no such endpoint, it is not in service, or it did not come up.
        """
        if (region, name) in self._fleets:
            return
        document = await asyncio.to_thread(self._read_up_to_date, region, name)
        if document is None:
            raise NotInService(f"Endpoint {name} of account {LOCAL_ACCOUNT} not found.")
        if document["EndpointStatus"] in ("Creating", "Failed", "Deleting"):
            raise NotInService(f"Endpoint {name} is {document['EndpointStatus']}; it cannot be invoked.")
        try:
            await asyncio.wrap_future(self._begin((region, name)))
        except JobFailure as failure:
            raise NotInService(f"Endpoint {name} did not come up. {failure}") from failure

    def _read_up_to_date(self, region: str, name: str) -> Document | None:
        document = self._store.get(ENDPOINT, region, name)
        return document and self.up_to_date(document)

    @contextlib.contextmanager
    def leased(self, region: str, name: str) -> Iterator[Fleet]:
        """The endpoint's fleet, which stays up until the block ends.

        Raises:
            NotInService: it has gone since :meth:`ready`.
        """
        with self._lock:
            fleet = self._fleets.get((region, name))
            if fleet is None:
                raise NotInService(f"Endpoint {name} of account {LOCAL_ACCOUNT} not found.")
            fleet.lease()
        try:
            yield fleet
        finally:
            fleet.end_lease()

    # -- the end -------------------------------------------------------------------------------------

    def close(self) -> None:
        """Stop every process; the endpoints stay in service in the store."""
        with self._lock:
            self._closed.set()
            fleets = list(self._fleets.values())
            self._fleets = {}
            for fleet in self._coming_up:
                fleet.cancel()
        for fleet in fleets:
            fleet.cancel()
            fleet.close()
        for thread in self._threads:
            thread.join()
        if self._follower is not None:
            self._follower.join()

    # -- threads -------------------------------------------------------------------------------------

    def _in_thread(self, work: Callable[[], None], name: str) -> None:
        thread = threading.Thread(target=work, name=name, daemon=True)
        with self._lock:
            with contextlib.suppress(RuntimeError):  # the system gives this process no more threads
                thread.start()
            self._threads = [one for one in (*self._threads, thread) if one.is_alive()]
        if thread.ident is None:
            work()  # a deletion ends, and what needs a new fleet fails: it gets no threads either

    def _create(self, key: EndpointKey) -> None:
        record = self._record(key)
        document = record.read()
        assert document is not None
        try:
            fleet = self._started(key, read_spec(document))
        except JobFailure as failure:
            record.end_change({"EndpointStatus": "Failed", "FailureReason": self._reason(failure)})
        else:
            if self._replace(key, None, fleet):
                record.end_change({"EndpointStatus": "InService"})
            else:
                fleet.close()
                record.end_change({"EndpointStatus": "Failed", "FailureReason": _ENDED})

    def _update(self, key: EndpointKey, spec: FleetSpec, members: Document) -> None:
        record = self._record(key)
        served = members | {"EndpointStatus": "InService", SPEC_MEMBER: spec.document()}
        running = self._fleets.get(key)
        try:
            if running is not None and running.spec.revision == spec.revision:
                running.resize(spec)
                record.end_change(served)
                return
            fleet = self._started(key, spec)
        except JobFailure as failure:
            record.undo_update(self._reason(failure))
            return
        old = self._fleets.get(key)
        while not self._replace(key, old, fleet):
            if self._closed.is_set():
                fleet.close()
                record.undo_update(_ENDED)
                return
            old = self._fleets.get(key)
        record.end_change(served)
        _end(old)

    def _delete(self, key: EndpointKey) -> None:
        self._remove(key)
        self._record(key).delete()

    def _remove(self, key: EndpointKey) -> None:
        """Take an endpoint's fleet away from requests, let those under way end, and stop it."""
        with self._lock:
            fleet = self._fleets.pop(key, None)
        _end(fleet)

    def _started(self, key: EndpointKey, spec: FleetSpec) -> Fleet:
        """Raises JobFailure."""
        region, name = key
        context = FleetContext(
            self._home, self._owner, self._store, region, f"{LOG_GROUP}{name}", self._context
        )
        fleet = Fleet(context, spec)
        with self._lock:
            self._coming_up.add(fleet)
            if self._closed.is_set():
                fleet.cancel()
        try:
            fleet.start()
        finally:
            with self._lock:
                self._coming_up.discard(fleet)
        return fleet

    def _replace(self, key: EndpointKey, old: Fleet | None, new: Fleet) -> bool:
        """Let requests go to `new` from now on instead of `old`.

        Returns:
            False if another fleet than `old` is there meanwhile, or this process is closing.
        """
        with self._lock:
            if self._closed.is_set() or self._fleets.get(key) is not old:
                return False
            self._fleets[key] = new
            if self._follower is None:
                self._follower = threading.Thread(
                    target=self._follow, name="following the store", daemon=True
                )
                self._follower.start()
            return True

    def _record(self, key: EndpointKey) -> EndpointRecord:
        return EndpointRecord(self._store, *key, giving_up=self._closed)

    def _reason(self, failure: JobFailure) -> str:
        if self._closed.is_set():
            return _ENDED
        return str(failure)[:LIMIT]

    # -- endpoints that should serve and do not run here ---------------------------------------------

    def _begin(self, key: EndpointKey) -> Future[Fleet]:
        """Start an endpoint's fleet as the store has it, once for all who ask."""
        future: Future[Fleet] = Future()
        with self._lock:
            running = self._starting.setdefault(key, future)
        if running is future:
            self._in_thread(lambda: self._start_existing(key, future), f"starting {key[1]}")
        return running

    def _start_existing(self, key: EndpointKey, future: Future[Fleet]) -> None:
        record = self._record(key)
        old = self._fleets.get(key)
        try:
            document = record.read()
            if document is None:
                raise JobFailure("ClientError", "it was deleted.")
            fleet = self._started(key, read_spec(document))
        except JobFailure as failure:
            if not self._closed.is_set():
                record.change_status("InService", "OutOfService", str(failure)[:LIMIT])
            self._end_start(key)
            future.set_exception(failure)
            return
        except BaseException as problem:
            self._end_start(key)
            future.set_exception(problem)
            raise
        if self._replace(key, old, fleet):
            record.change_status("OutOfService", "InService", None)
        else:
            fleet.close()
            old = None
        self._end_start(key)
        future.set_result(fleet)
        _end(old)

    def _end_start(self, key: EndpointKey) -> None:
        with self._lock:
            del self._starting[key]

    def _follow(self) -> None:
        """Do here what other processes have written about the endpoints that run here."""
        while not self._closed.wait(_FOLLOW_SECONDS):
            for key, fleet in list(self._fleets.items()):
                try:
                    self._adapt(key, fleet)
                except sqlite3.Error:
                    _log.exception("the store cannot be read")
                except JobFailure as failure:
                    _log.warning("endpoint %s could not follow a change: %s", key[1], failure)

    def _adapt(self, key: EndpointKey, fleet: Fleet) -> None:
        document = self._record(key).read()
        if document is not None and document.get("_Owner") == self._owner.name:
            return  # a change of our own is under way
        if document is None or document["EndpointStatus"] in ("Deleting", "Failed"):
            self._in_thread(lambda: self._remove(key), f"removing {key[1]}")
            return
        wanted = read_spec(document)
        if wanted.revision != fleet.spec.revision:
            self._begin(key)
        elif wanted != fleet.spec:
            fleet.resize(wanted)


def _end(fleet: Fleet | None) -> None:
    """Let the requests under way in a fleet that gets no others end, and stop it."""
    if fleet is not None:
        fleet.drain()
        fleet.close()
