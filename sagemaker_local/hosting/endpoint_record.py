"""An endpoint's document: what it is to serve, the change that is under way, and how each change ends.

The operations write what is to happen (Creating, Updating, Deleting) with the process that does it as the
owner. The threads of :mod:`sagemaker_local.hosting.endpoints` do it and end it here. The document of an
endpoint that serves has no owner: any process may serve it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from sagemaker_local import clocks
from sagemaker_local.abandoned import OwnedKind
from sagemaker_local.store import Document, Key, Store

ENDPOINT = "endpoint"
BEFORE = "_StatusBefore"
"""The member that keeps an endpoint's status while it is Updating."""


@dataclass(frozen=True)
class EndpointRecord:
    """One endpoint's document in the store.

    Attributes:
        giving_up: set once this process ends; then a change that cannot be written stays as it is, and
            whoever reads the document next ends it.
    """

    store: Store
    region: str
    name: str
    giving_up: threading.Event

    def read(self) -> Document | None:
        return self.store.get(ENDPOINT, self.region, self.name)

    def end_change(self, members: Document) -> None:
        """The change has ended, and this is what the endpoint is now."""

        def change(document: Document) -> None:
            document.pop("FailureReason", None)
            document.update(members)
            _drop_change(document)

        self._update(change)

    def undo_update(self, reason: str) -> None:
        """The update has failed; the endpoint is what it was before."""

        def change(document: Document) -> None:
            document.update(EndpointStatus=document[BEFORE], FailureReason=reason)
            _drop_change(document)

        self._update(change)

    def change_status(self, before: str, after: str, reason: str | None) -> None:
        """Change the status of an endpoint that has the status `before`, and of no other."""

        def change(document: Document) -> None:
            if document["EndpointStatus"] == before:
                document.update(EndpointStatus=after, FailureReason=reason, LastModifiedTime=clocks.now())

        self._update(change)

    def delete(self) -> None:
        self._write(lambda: _delete(self.store, self.region, self.read()))

    def _update(self, change: Callable[[Document], None]) -> None:
        self._write(lambda: self.store.update(ENDPOINT, self.region, self.name, change))

    def _write(self, write: Callable[[], object]) -> None:
        self.store.write_until_possible(write, self.giving_up)


def _drop_change(document: Document) -> None:
    """Remove what is about a change that is under way."""
    document.update(LastModifiedTime=clocks.now())
    for member in ("_Owner", BEFORE, "PendingDeploymentSummary"):
        document.pop(member, None)


def _delete(store: Store, region: str, document: Document | None) -> None:
    if document is None:
        return
    with store.transaction():
        store.delete(ENDPOINT, region, document["EndpointName"])
        store.delete("tags", region, document["EndpointArn"])


def _end_abandoned_change(store: Store, key: Key, document: Document) -> None:
    """A deletion is completed, a creation has failed, and an update is undone."""
    if document["EndpointStatus"] == "Deleting":
        _delete(store, key.region, document)
        return
    created = document["EndpointStatus"] == "Creating"
    document["EndpointStatus"] = "Failed" if created else document[BEFORE]
    document["FailureReason"] = (
        f"The process that was {'creating' if created else 'updating'} the endpoint ended before that"
        " was done." + ("" if created else " The endpoint is as it was before.")
    )
    _drop_change(document)
    store.put(key.kind, key.region, key.name, document)


OWNED = OwnedKind(
    kind=ENDPOINT,
    name_member="EndpointName",
    arn_member="EndpointArn",
    status_member="EndpointStatus",
    under_way=("Creating", "Updating", "RollingBack", "Deleting"),
    end=_end_abandoned_change,
)
