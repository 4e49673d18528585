"""Lists in pages, the same for every List operation.

A page ends with an opaque token that holds the last item's place in the order, not its number: items
that are created or deleted between two pages neither repeat nor hide the ones that were there.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import json
from collections.abc import Callable, Iterable
from typing import Any

from sagemaker_local.errors import AwsError, validation_error

Document = dict[str, Any]


def page(
    documents: Iterable[Document],
    parameters: Document,
    key: Callable[[Document], tuple[str | float, ...]],
    *,
    descending: bool = True,
    size: int = 10,
) -> tuple[list[Document], str | None]:
    """One page of `documents` and the token for the next one, None on the last page.

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


def named_page(
    documents: Iterable[Document],
    parameters: Document,
    name: str,
    status: str | None = None,
    *,
    descending: bool = True,
) -> tuple[list[Document], str | None]:
    """A page of what has a name, as most List operations give it.

    Args:
        parameters: the request; read are NameContains, StatusEquals, SortBy (Name, Status or
            CreationTime), CreationTimeAfter and -Before, LastModifiedTimeAfter and -Before, and what
            :func:`page` reads.
        name, status: the members that hold an item's name and its status.
    """
    found = list(documents)
    for member in ("CreationTime", "LastModifiedTime"):
        after, before = parameters.get(f"{member}After"), parameters.get(f"{member}Before")
        found = created_between(found, after, before, member)
    part, wanted = parameters.get("NameContains", ""), parameters.get("StatusEquals")
    found = [one for one in found if part in one[name] and (status is None or wanted in (None, one[status]))]
    by = {"Name": name, "Status": status or name}.get(parameters.get("SortBy", ""), "CreationTime")
    return page(found, parameters, lambda one: (one[by], one[name]), descending=descending)


def created_between(
    documents: Iterable[Document],
    after: datetime.datetime | None,
    before: datetime.datetime | None,
    member: str = "CreationTime",
) -> list[Document]:
    """Those whose `member` (POSIX seconds) lies after `after` and before `before`, where given."""
    return [
        document
        for document in documents
        if (after is None or document[member] > after.timestamp())
        and (before is None or document[member] < before.timestamp())
    ]


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
