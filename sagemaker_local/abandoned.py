"""What becomes of a resource when the process that was carrying it out has died.

An execution, a job, a transform job and a change of an endpoint run in threads of one process, which their
document names as its ``_Owner``. When that process dies, nobody is left to write how they ended. So whoever
reads such a document next, and every process when it starts, calls this module first. Whether an owner lives
is known at once (``home``), so nothing stays under way for longer than it takes somebody to look.

A kind of resource says with an :class:`OwnedKind` which of its statuses need an owner and what it becomes
without one. The rest is the same for all: the owner is looked at again in the transaction that ends the
resource, because another process may have ended it, or begun it anew, since the document was read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sagemaker_local.home import Owner
from sagemaker_local.store import Document, Key, Store


@dataclass(frozen=True)
class OwnedKind:
    """A kind of document that needs a living owner while it is under way.

    Attributes:
        kind: as the store names it.
        name_member: the document's name in the store; its region is that of `arn_member`.
        under_way: the statuses that need an owner.
        end: writes what becomes of a document whose owner has died, or deletes it.
    """

    kind: str
    name_member: str
    arn_member: str
    status_member: str
    under_way: tuple[str, ...]
    end: Callable[[Store, Key, Document], object]

    def key(self, document: Document) -> Key:
        return Key(self.kind, document[self.arn_member].split(":")[3], document[self.name_member])


def up_to_date(store: Store, owner: Owner, owned: OwnedKind, document: Document) -> Document | None:
    """A document that was just read, ended first if its owner has died; None if that deleted it.

    Args:
        owner: this process.
    """
    if not _is_abandoned(owned, owner, document):
        return document
    end_if_abandoned(store, owner, owned, document)
    return _read(store, owned.key(document))


def end_if_abandoned(store: Store, owner: Owner, owned: OwnedKind, document: Document) -> bool:
    """End a resource if its owner has died; whether that was so."""
    if not _is_abandoned(owned, owner, document):
        return False
    key = owned.key(document)

    def write() -> bool:
        with store.transaction():
            current = _read(store, key)
            if current is None or not _is_abandoned(owned, owner, current):
                return False
            owned.end(store, key, current)
        return True

    return store.write_with_reserve(write)


def end_all(store: Store, owner: Owner, owned: OwnedKind) -> list[Document]:
    """End every resource of a kind whose owner has died; what their documents say now."""
    others = ("_Owner", owner.name)  # this process may have thousands under way
    under_way = store.list_among(owned.kind, owned.status_member, owned.under_way, unless=others)
    ended = [document for document in under_way if end_if_abandoned(store, owner, owned, document)]
    return [current for document in ended if (current := _read(store, owned.key(document))) is not None]


def _read(store: Store, key: Key) -> Document | None:
    return store.get(key.kind, key.region, key.name)


def _is_abandoned(owned: OwnedKind, owner: Owner, document: Document) -> bool:
    return document[owned.status_member] in owned.under_way and not owner.is_alive(document["_Owner"])
