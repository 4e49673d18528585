"""Lists in pages, the same for every List operation: of what is in the store, or of what one document holds.

A page ends with an opaque token that holds the last item's place in the order, not its number: items
that are created or deleted between two pages neither repeat nor hide the ones that were there. A page of
what is in the store reads no more documents than are on it (``store.listing``).
"""

from __future__ import annotations

import base64
import binascii
import datetime
import itertools
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sagemaker_local.errors import AwsError, validation_error
from sagemaker_local.services.call import Call
from sagemaker_local.store.listing import (
    CREATED,
    MODIFIED,
    NAME,
    Column,
    Condition,
    Listing,
    Place,
    between,
    contains,
    is_storable,
    member,
)

Document = dict[str, Any]


def page(
    documents: Iterable[Document],
    parameters: Document,
    key: Callable[[Document], tuple[str | float, ...]],
    *,
    descending: bool = True,
    size: int = 10,
) -> tuple[list[Document], str | None]:
    """One page of a few documents and the token for the next one, None on the last page.

    Args:
        parameters: the request; ``MaxResults``, ``NextToken`` and ``SortOrder`` are read.
        key: an item's place in the order; must be unique, so end it with the name or ARN.
        descending: the order where the request names none.
        size: the page's length where the request names none; 10 is AWS's own for most lists.

    Raises:
        AwsError: the token is none of ours, or belongs to another order.
    """
    if "SortOrder" in parameters:
        descending = parameters["SortOrder"] == "Descending"
    ordered = sorted(documents, key=key, reverse=descending)
    if token := parameters.get("NextToken"):
        last = _decode(token, descending)
        try:
            ordered = [item for item in ordered if (key(item) < last if descending else key(item) > last)]
        except TypeError as error:
            raise _bad_token() from error
    size = parameters.get("MaxResults", size)
    if len(ordered) <= size:
        return ordered, None
    return ordered[:size], _encode(key(ordered[size - 1]), descending)


def sorted_page(
    items: Iterable[Document], parameters: Document, name: str, *, descending: bool, size: int
) -> tuple[list[Document], str | None]:
    """A page of items that come in the order of a member, from the token's place on: no more are taken.

    Args:
        items: in order; those that do not come after :func:`last_name` are left out by the caller.
        name: the member, which is an item's own.
    """
    size = parameters.get("MaxResults", size)
    page = list(itertools.islice(items, size + 1))
    more = len(page) > size
    return page[:size], _encode((page[size - 1][name],), descending) if more else None


def last_name(parameters: Document, *, descending: bool) -> str | None:
    """The name behind which a :func:`sorted_page` begins; None for the first page.

    Raises:
        AwsError: the token is none of ours, or belongs to another order.
    """
    if not (token := parameters.get("NextToken")):
        return None
    (name,) = _place(token, (NAME,), descending)
    return str(name)


def stored_page(
    call: Call,
    listing: Listing,
    parameters: Document,
    *,
    parent: str = "",
    filtered: tuple[Column, str | float | None] | None = None,
    conditions: Sequence[Condition] = (),
    descending: bool = True,
    size: int = 10,
) -> tuple[list[Document], str | None]:
    """A page of what is in the store, and the token for the next one; see :func:`page`.

    Args:
        parameters: the request; read are what :func:`page` reads, and ``SortBy``.
        parent: whose documents, for a listing of a parent's.
        filtered: a column that must have a value, where it is not None.
        conditions: what else a document must meet.
    """
    if "SortOrder" in parameters:
        descending = parameters["SortOrder"] == "Descending"
    order = listing.order(parameters.get("SortBy"))
    token = parameters.get("NextToken")
    size = parameters.get("MaxResults", size)
    found = call.store.page(
        listing,
        order,
        call.region,
        parent=parent,
        filtered=None if filtered is None or filtered[1] is None else (filtered[0], filtered[1]),
        conditions=conditions,
        after=_place(token, order, descending) if token else None,
        descending=descending,
        most=size + 1,
    )
    documents = [document for _, document in found[:size]]
    return documents, _encode(found[size - 1][0], descending) if len(found) > size else None


def named_listing(kind: str, status: str | None = None) -> Listing:
    """Of what has a name, as most List operations list it; `status` is the member that holds its status."""
    orders: dict[str, tuple[Column, ...]] = {"CreationTime": (CREATED, NAME), "Name": (NAME,)}
    if status is None:
        return Listing(kind, orders)
    column = member(status)
    return Listing(kind, orders | {"Status": (column, NAME)}, equals=(column,))


def named_page(
    call: Call, listing: Listing, parameters: Document, *, descending: bool = True
) -> tuple[list[Document], str | None]:
    """A page of a :func:`named_listing`.

    Args:
        parameters: the request; read are NameContains, StatusEquals, CreationTimeAfter and -Before,
            LastModifiedTimeAfter and -Before, and what :func:`stored_page` reads.
    """
    status = parameters.get("StatusEquals")
    return stored_page(
        call,
        listing,
        parameters,
        filtered=(listing.equals[0], status) if listing.equals else None,
        conditions=[
            *contains(NAME, parameters.get("NameContains", "")),
            *time_bounds(parameters),
            *time_bounds(parameters, "LastModifiedTime", MODIFIED),
        ],
        descending=descending,
    )


def time_bounds(
    parameters: Document, what: str = "CreationTime", column: Column = CREATED
) -> list[Condition]:
    """The request's bounds of a time, which are called e.g. CreationTimeAfter and CreationTimeBefore."""
    after, before = (_seconds(parameters.get(f"{what}{which}")) for which in ("After", "Before"))
    return between(column, after, before)


def _seconds(moment: datetime.datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


def _place(token: str, order: Sequence[Column], descending: bool) -> Place:
    place = _decode(token, descending)
    types = [(int, float) if column.is_number else (str,) for column in order]
    if len(place) != len(types) or not all(
        isinstance(value, kind) and is_storable(value) for value, kind in zip(place, types, strict=True)
    ):
        raise _bad_token()
    return place


def _encode(key: tuple[str | float, ...], descending: bool) -> str:
    return base64.urlsafe_b64encode(json.dumps([descending, *key]).encode()).decode("ascii")


def _decode(token: str, descending: bool) -> tuple[Any, ...]:
    try:
        order, *key = json.loads(base64.urlsafe_b64decode(token))
    except (binascii.Error, ValueError, TypeError) as error:
        raise _bad_token() from error
    if order is not descending:
        raise _bad_token()
    return tuple(key)


def _bad_token() -> AwsError:
    return validation_error(
        "The value of NextToken is not valid for this request; start from the first page."
    )
