"""Keys in order, folded at a delimiter, in pages: what ListObjects answers."""

from __future__ import annotations

from dataclasses import dataclass

from sagemaker_local.s3.objects import ObjectInfo, ObjectStore
from sagemaker_local.store.listing import after_prefix


@dataclass(frozen=True)
class Page:
    """One page of a listing.

    Attributes:
        objects: by key.
        prefixes: keys up to and with the delimiter, each once.
        next: the first key of the next page may be this; None on the last page.
        last: the last key or prefix on this page; empty if there is none.
    """

    objects: tuple[ObjectInfo, ...]
    prefixes: tuple[str, ...]
    next: str | None
    last: str


def page(store: ObjectStore, bucket: str, *, prefix: str, delimiter: str, first: str, limit: int) -> Page:
    """At most `limit` objects and prefixes together, from the key `first` on.

    A folded prefix is skipped in one query, however many keys begin with it.
    """
    position, end = max(first, prefix), after_prefix(prefix)
    objects: list[ObjectInfo] = []
    prefixes: list[str] = []
    last = ""
    while rows := store.rows(bucket, position, end, limit - len(objects) - len(prefixes) + 1):
        for row in rows:
            if len(objects) + len(prefixes) == limit:
                return Page(tuple(objects), tuple(prefixes), position, last)
            key = row[1]
            head, found, _ = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
            if found:
                last = f"{prefix}{head}{delimiter}"
                prefixes.append(last)
                after = after_prefix(last)
                if after is None:
                    return Page(tuple(objects), tuple(prefixes), None, last)
                position = after
                break
            last = key
            objects.append(store.info(row))
            position = f"{key}\0"
    return Page(tuple(objects), tuple(prefixes), None, last)
