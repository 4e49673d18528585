"""How a kind of document is listed, so that a page costs what is on it, however many documents there are.

Each order that a List operation knows is an index, and so is each order of the documents that have a given
value of a member, where an operation filters by it. A page begins behind the place where the last one ended:
a place is the values that order a document, not its number, so what is created or deleted between two pages
neither repeats nor hides the others.

What filters otherwise (a part of a name, a time) is compared while the index is read. The columns that most
operations compare are at the end of every index, so that no document is read for it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Place = tuple[str | float, ...]
"""A document's place in an order: the values of the order's columns."""


@dataclass(frozen=True)
class Column:
    """What documents are ordered or filtered by.

    Attributes:
        sql: a column of the table or an expression over the document, never NULL where it orders.
        is_number: a number, otherwise a text.
    """

    sql: str
    is_number: bool = False


NAME = Column("name")
CREATED = Column("created", is_number=True)
MODIFIED = Column("modified", is_number=True)
PARENT = Column("parent")
REGION = Column("region")


def member(name: str, *, is_number: bool = False) -> Column:
    """A member of the documents; '' or 0 for those that do not have it."""
    return Column(f"ifnull(json_extract(doc, '$.{name}'), {0 if is_number else repr('')})", is_number)


@dataclass(frozen=True)
class Listing:
    """The orders in which the documents of a kind are listed.

    Attributes:
        orders: by the names that operations give them, the usual one first; a document's values of an
            order's columns are its own.
        equals: members that an operation filters by; each has an index for each order.
        of_parent: the documents of one parent are listed, otherwise those of a region.
    """

    kind: str
    orders: Mapping[str, tuple[Column, ...]]
    equals: tuple[Column, ...] = ()
    of_parent: bool = False

    def order(self, name: str | None) -> tuple[Column, ...]:
        """The order of that name; the usual one where it has none of that name."""
        usual = next(iter(self.orders.values()))
        return usual if name is None else self.orders.get(name, usual)


@dataclass(frozen=True)
class Condition:
    """What documents must meet to be listed."""

    sql: str
    values: tuple[str | float, ...] = ()


_NEVER = Condition("0")
"""For a text that is no UTF-8, half of a surrogate pair for one: no document holds it."""


def equal(column: Column, value: str | float) -> Condition:
    return Condition(f"{column.sql} = ?", (value,)) if is_storable(value) else _NEVER


def contains(column: Column, part: str) -> list[Condition]:
    if not is_storable(part):
        return [_NEVER]
    return [Condition(f"instr({column.sql}, ?) > 0", (part,))] if part else []


def begins_with(column: Column, prefix: str) -> list[Condition]:
    """As a range, so that an index in the column's order is read from the first to the last that has it."""
    if not is_storable(prefix):
        return [_NEVER]
    end = after_prefix(prefix)
    conditions = [Condition(f"{column.sql} >= ?", (prefix,))] if prefix else []
    return conditions if end is None else [*conditions, Condition(f"{column.sql} < ?", (end,))]


def either(conditions: Sequence[Condition]) -> Condition:
    """At least one of them is met."""
    return Condition(
        f"({' OR '.join(one.sql for one in conditions)})", sum((one.values for one in conditions), ())
    )


def every(conditions: Sequence[Condition]) -> Condition:
    """All of them are met, also where there are none."""
    return Condition(
        f"({' AND '.join(one.sql for one in conditions) or 1})", sum((one.values for one in conditions), ())
    )


def between(column: Column, after: float | None, before: float | None) -> list[Condition]:
    """Both bounds are excluded; None is no bound."""
    bounds = ((">", after), ("<", before))
    return [Condition(f"{column.sql} {sign} ?", (bound,)) for sign, bound in bounds if bound is not None]


def is_storable(value: object) -> bool:
    """Whether SQLite can hold a text or number: UTF-8, and 64 bits."""
    if isinstance(value, str):
        return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)
    return isinstance(value, float) or (type(value) is int and -(1 << 63) <= value < 1 << 63)


def after_prefix(prefix: str) -> str | None:
    """The first text in UTF-8 order after all that begin with `prefix`; None if nothing comes after."""
    while prefix:
        last = ord(prefix[-1]) + 1
        if last == 0xD800:  # surrogates are no characters of their own
            last = 0xE000
        if last <= 0x10FFFF:
            return prefix[:-1] + chr(last)
        prefix = prefix[:-1]
    return None


@dataclass(frozen=True)
class Index:
    """One index; its name says what it holds, so the same one is made once."""

    name: str
    definition: str

    @classmethod
    def of(cls, listing: Listing, order: Sequence[Column], filtered: Column | None) -> Index:
        first = [] if filtered is None else [filtered.sql]
        of_parent = [PARENT.sql] if listing.of_parent else []
        ordered = [column.sql for column in order if column != filtered]
        compared = [one.sql for one in (NAME, CREATED, MODIFIED) if one.sql not in ordered]
        definition = f"({', '.join([*first, 'region', *of_parent, *ordered, *compared])})"
        digest = hashlib.sha256(definition.encode()).hexdigest()[:12]
        return cls(f"list {listing.kind} {digest}", f"{definition} WHERE kind = '{listing.kind}'")

    @property
    def creation(self) -> str:
        return f'CREATE INDEX IF NOT EXISTS "{self.name}" ON resource {self.definition}'


def indexes(listing: Listing) -> list[Index]:
    """All that a listing needs."""
    return [
        Index.of(listing, order, filtered)
        for order in listing.orders.values()
        for filtered in (None, *listing.equals)
    ]


def queries(
    listing: Listing,
    order: Sequence[Column],
    conditions: Sequence[Condition],
    *,
    filtered: Column | None,
    after: Place | None,
    descending: bool,
) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """SELECTs of the order's columns and the document which give a list's rest one after another.

    Behind a place (a, b) come first those with the same a and a greater b, then those with a greater a: each
    is a range of the index. The value of `filtered`, if any, is in `conditions`.
    """
    index = Index.of(listing, order, filtered)
    direction, beyond = ("DESC", "<") if descending else ("ASC", ">")
    columns = ", ".join(column.sql for column in order)
    # All documents have the same value of the column by which they are filtered: it orders nothing.
    ordering = [(number, column) for number, column in enumerate(order) if column != filtered]
    for last in range(len(ordering) - 1, -1, -1) if after is not None else (None,):
        met = list(conditions)
        if last is not None and after is not None:
            met += [equal(column, after[number]) for number, column in ordering[:last]]
            number, column = ordering[last]
            met.append(Condition(f"{column.sql} {beyond} ?", (after[number],)))
        # Nor does one that has the value of the place.
        sorting = ", ".join(f"{column.sql} {direction}" for _, column in ordering[last or 0 :])
        where = " AND ".join([f"kind = '{listing.kind}'", *(condition.sql for condition in met)])
        yield (
            f'SELECT {columns}, doc FROM resource INDEXED BY "{index.name}" WHERE {where} ORDER BY {sorting}',
            tuple(value for condition in met for value in condition.values),
        )
