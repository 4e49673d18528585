"""The endpoints that this process serves.

The store says what an endpoint is to serve; here are the fleets that do it, brought up, switched and taken
down by threads, while requests come from one event loop. A change of an endpoint goes like this:

    the operation writes Creating / Updating / Deleting, with this process as the owner, and calls here
    a thread starts the new fleet, waits until it answers, and puts it in the place of the old one
    the thread writes InService, or what went wrong; then the old fleet is drained and stopped

An update that fails, or whose process dies, leaves the old fleet where it was. An endpoint that is in
service but not running here (its process has ended) starts with its first request, or, in a process that is
kept up, at once. What another process changes is noticed within a second.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TYPE_CHECKING

from aws_formats.arns import LOCAL_ACCOUNT
from sagemaker_local.home import is_alive
from sagemaker_local.hosting.deployment import Deployment, read_deployment
from sagemaker_local.hosting.fleet import Fleet
from sagemaker_local.hosting.instance import Site, sweep
from sagemaker_local.jobs.failure import LIMIT, JobFailure

if TYPE_CHECKING:
    from sagemaker_local.home import Home, Owner
    from sagemaker_local.jobs.job import Surroundings
    from sagemaker_local.store import Document, Store

ENDPOINT = "endpoint"
LOG_GROUP = "/aws/sagemaker/Endpoints/"
BEFORE = "_StatusBefore"
"""The member that keeps an endpoint's status while it is Updating."""

IN_TRANSITION = ("Creating", "Updating", "RollingBack", "Deleting")

_FOLLOW_SECONDS = 1.0
_ENDED = "The local SageMaker that was changing the endpoint ended before that was done."
_log = logging.getLogger(__name__)

Key = tuple[str, str]
"""Region and name."""


class NotInService(Exception):
    """There is no such endpoint, or it cannot answer; the text says which."""


class HostedEndpoints:
    """Fleets by endpoint."""

    def __init__(self, home: Home, owner: Owner, store: Store, surroundings: Surroundings) -> None:
        self._home = home
        self._owner = owner
        self._store = store
        self._surroundings = surroundings
        self._lock = threading.Lock()
        self._fleets: dict[Key, Fleet] = {}
        self._rising: set[Fleet] = set()
        self._starting: dict[Key, Future[Fleet]] = {}
        self._threads: list[threading.Thread] = []
        self._closed = threading.Event()
        self._follower: threading.Thread | None = None

    # -- changes that an operation has written -----------------------------------------------------

    def create(self, region: str, name: str) -> None:
        """Bring up an endpoint whose document says Creating."""
        self._in_thread(lambda: self._create(region, name), f"creating endpoint {name}")

    def update(self, region: str, name: str, deployment: Deployment, members: Document) -> None:
        """Serve another deployment; `members` go into the document with it."""
        self._in_thread(lambda: self._update(region, name, deployment, members), f"updating endpoint {name}")

    def delete(self, region: str, name: str) -> None:
        """Take down an endpoint whose document says Deleting, and remove the document."""
        self._in_thread(lambda: self._delete(region, name), f"deleting endpoint {name}")

    def fleet(self, region: str, name: str) -> Fleet | None:
        """What runs here for an endpoint."""
        return self._fleets.get((region, name))

    def settle(self, document: Document) -> Document | None:
        """The document as it is after a change whose process has died; None if that deleted it."""
        region = document["EndpointArn"].split(":")[3]
        if not self._is_abandoned(document):
            return document
        with self._store.transaction():
            current = self._store.get(ENDPOINT, region, document["EndpointName"])
            if current is None or not self._is_abandoned(current):
                return current
            if current["EndpointStatus"] == "Deleting":
                self._forget(region, current)
                return None
            created = current["EndpointStatus"] == "Creating"
            current["EndpointStatus"] = "Failed" if created else current[BEFORE]
            current["FailureReason"] = (
                f"The process that was {'creating' if created else 'updating'} the endpoint ended before that"
                " was done." + ("" if created else " The endpoint is as it was before.")
            )
            _finish(current)
            self._store.put(ENDPOINT, region, current["EndpointName"], current)
            return current

    def recover(self, *, start: bool) -> None:
        """Settle what dead processes left, and with `start` bring up every endpoint that should serve."""
        sweep(self._home)
        for document in self._store.list(ENDPOINT):
            settled = self.settle(document)
            if start and settled is not None and settled["EndpointStatus"] in ("InService", "OutOfService"):
                self._begin((settled["EndpointArn"].split(":")[3], settled["EndpointName"]))

    # -- requests ----------------------------------------------------------------------------------

    async def ready(self, region: str, name: str) -> None:
        """Return once the endpoint has a fleet here, starting one if it should serve and has none.

        Raises:
            NotInService: there is no such endpoint, it is not in service, or it did not come up.
        """
        if (region, name) in self._fleets:
            return
        document = self._store.get(ENDPOINT, region, name)
        document = document and self.settle(document)
        if document is None:
            raise NotInService(f"Endpoint {name} of account {LOCAL_ACCOUNT} not found.")
        if document["EndpointStatus"] in ("Creating", "Failed", "Deleting"):
            raise NotInService(f"Endpoint {name} is {document['EndpointStatus']}; it cannot be invoked.")
        try:
            await asyncio.wrap_future(self._begin((region, name)))
        except JobFailure as failure:
            raise NotInService(f"Endpoint {name} did not come up. {failure}") from failure

    @contextmanager
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
            fleet.give_back()

    # -- the end -------------------------------------------------------------------------------------

    def close(self) -> None:
        """Stop every process; the endpoints stay in service in the store."""
        with self._lock:
            self._closed.set()
            fleets = list(self._fleets.values())
            self._fleets = {}
            for rising in self._rising:
                rising.call_off()
        for fleet in fleets:
            fleet.call_off()
            fleet.close()
        for thread in self._threads:
            thread.join()
        if self._follower is not None:
            self._follower.join()

    # -- threads -------------------------------------------------------------------------------------

    def _in_thread(self, work: Callable[[], None], name: str) -> None:
        thread = threading.Thread(target=work, name=name, daemon=True)
        with self._lock:
            self._threads = [one for one in self._threads if one.is_alive()] + [thread]
        thread.start()

    def _create(self, region: str, name: str) -> None:
        document = self._store.get(ENDPOINT, region, name)
        assert document is not None
        try:
            fleet = self._started(region, name, read_deployment(document["_Deployment"]))
        except JobFailure as failure:
            self._write(region, name, {"EndpointStatus": "Failed", "FailureReason": self._reason(failure)})
        else:
            if self._take_over((region, name), fleet):
                self._write(region, name, {"EndpointStatus": "InService"})
            else:
                fleet.close()
                self._write(region, name, {"EndpointStatus": "Failed", "FailureReason": _ENDED})

    def _update(self, region: str, name: str, deployment: Deployment, members: Document) -> None:
        key = (region, name)
        running = self._fleets.get(key)
        try:
            if running is not None and running.deployment.revision == deployment.revision:
                running.resize(deployment)
                self._write(region, name, members | _serving(deployment))
                return
            fleet = self._started(region, name, deployment)
        except JobFailure as failure:
            self._write_back(region, name, self._reason(failure))
            return
        old = self._fleets.get(key)
        while not self._take_over(key, fleet, old):
            if self._closed.is_set():
                fleet.close()
                self._write_back(region, name, _ENDED)
                return
            old = self._fleets.get(key)
        self._write(region, name, members | _serving(deployment))
        _end(old)

    def _delete(self, region: str, name: str) -> None:
        self._retire((region, name))
        self._persist(lambda: self._forget_if_there(region, name))

    def _retire(self, key: Key) -> None:
        """Take an endpoint's fleet away from requests, let those under way end, and stop it."""
        with self._lock:
            fleet = self._fleets.pop(key, None)
        _end(fleet)

    def _started(self, region: str, name: str, deployment: Deployment) -> Fleet:
        """Raises JobFailure."""
        site = Site(
            self._home, self._owner, self._store, region, name, f"{LOG_GROUP}{name}", self._surroundings
        )
        fleet = Fleet(site, deployment)
        with self._lock:
            self._rising.add(fleet)
            if self._closed.is_set():
                fleet.call_off()
        try:
            fleet.start()
        finally:
            with self._lock:
                self._rising.discard(fleet)
        return fleet

    def _take_over(self, key: Key, fleet: Fleet, old: Fleet | None = None) -> bool:
        """Let requests go to `fleet` from now on instead of `old`.

        Returns:
            False if somebody else has taken the place meanwhile, or this process is closing.
        """
        with self._lock:
            if self._closed.is_set() or self._fleets.get(key) is not old:
                return False
            self._fleets[key] = fleet
            if self._follower is None:
                self._follower = threading.Thread(
                    target=self._follow, name="following the store", daemon=True
                )
                self._follower.start()
            return True

    # -- endpoints that should serve and do not run here ---------------------------------------------

    def _begin(self, key: Key) -> Future[Fleet]:
        """Start an endpoint's fleet as the store has it, once for all who ask."""
        with self._lock:
            future = self._starting.get(key)
            if future is None:
                future = self._starting[key] = Future()
                running: Future[Fleet] = future
                thread = threading.Thread(
                    target=self._bring_back, args=(key, running), name=f"starting {key[1]}", daemon=True
                )
                self._threads = [one for one in self._threads if one.is_alive()] + [thread]
                thread.start()
        return future

    def _bring_back(self, key: Key, future: Future[Fleet]) -> None:
        region, name = key
        old = self._fleets.get(key)
        try:
            document = self._store.get(ENDPOINT, region, name)
            if document is None:
                raise JobFailure("ClientError", "it was deleted.")
            fleet = self._started(region, name, read_deployment(document["_Deployment"]))
        except JobFailure as failure:
            if not self._closed.is_set():
                self._mark(region, name, "InService", "OutOfService", str(failure)[:LIMIT])
            self._settle_start(key)
            future.set_exception(failure)
            return
        except BaseException as problem:
            self._settle_start(key)
            future.set_exception(problem)
            raise
        if self._take_over(key, fleet, old):
            self._mark(region, name, "OutOfService", "InService", None)
        else:
            fleet.close()
            old = None
        self._settle_start(key)
        future.set_result(fleet)
        _end(old)

    def _settle_start(self, key: Key) -> None:
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

    def _adapt(self, key: Key, fleet: Fleet) -> None:
        document = self._store.get(ENDPOINT, *key)
        if document is not None and document.get("_Owner") == self._owner.name:
            return  # a change of our own is under way
        if document is None or document["EndpointStatus"] in ("Deleting", "Failed"):
            self._in_thread(lambda: self._retire(key), f"retiring {key[1]}")
            return
        wanted = read_deployment(document["_Deployment"])
        if wanted.revision != fleet.deployment.revision:
            self._begin(key)
        elif wanted != fleet.deployment:
            fleet.resize(wanted)

    # -- documents -----------------------------------------------------------------------------------

    def _reason(self, failure: JobFailure) -> str:
        if self._closed.is_set():
            return _ENDED
        return str(failure)[:LIMIT]

    def _is_abandoned(self, document: Document) -> bool:
        owner = document.get("_Owner")
        return (
            document["EndpointStatus"] in IN_TRANSITION
            and owner is not None
            and owner != self._owner.name
            and not is_alive(self._home, owner)
        )

    def _write(self, region: str, name: str, members: Document) -> None:
        def change(document: Document) -> None:
            document.pop("FailureReason", None)
            document.update(members)
            _finish(document)

        self._persist(lambda: self._store.update(ENDPOINT, region, name, change))

    def _write_back(self, region: str, name: str, reason: str) -> None:
        """An update has come to nothing: the endpoint is what it was before."""

        def change(document: Document) -> None:
            document.update(EndpointStatus=document[BEFORE], FailureReason=reason)
            _finish(document)

        self._persist(lambda: self._store.update(ENDPOINT, region, name, change))

    def _mark(self, region: str, name: str, before: str, after: str, reason: str | None) -> None:
        """Change the status of an endpoint that has the status `before`, and of no other."""

        def change(document: Document) -> None:
            if document["EndpointStatus"] == before:
                document.update(EndpointStatus=after, FailureReason=reason, LastModifiedTime=time.time())

        self._persist(lambda: self._store.update(ENDPOINT, region, name, change))

    def _forget_if_there(self, region: str, name: str) -> None:
        document = self._store.get(ENDPOINT, region, name)
        if document is not None:
            self._forget(region, document)

    def _forget(self, region: str, document: Document) -> None:
        with self._store.transaction():
            self._store.delete(ENDPOINT, region, document["EndpointName"])
            self._store.delete("tags", region, document["EndpointArn"])

    def _persist(self, write: Callable[[], object]) -> None:
        self._store.write_until_possible(write, giving_up=self._closed)


def _end(fleet: Fleet | None) -> None:
    """Let the requests under way in a fleet that gets no others end, and stop it."""
    if fleet is not None:
        fleet.drain()
        fleet.close()


def _serving(deployment: Deployment) -> Document:
    return {"EndpointStatus": "InService", "_Deployment": deployment.document()}


def _finish(document: Document) -> None:
    """What no change is under way for any more."""
    document.update(LastModifiedTime=time.time())
    for member in ("_Owner", BEFORE, "PendingDeploymentSummary"):
        document.pop(member, None)
