"""EventBridge's pattern language: which events a rule is about.

A pattern is a JSON object with the shape of the events that it matches. Its leaves are lists of
alternatives: plain values, or objects with one comparison (``comparisons``). Every field of a pattern must
match; of an alternative list, one must. A field of the event that is a list matches if any of its items
does, and a pattern's object matches a list of objects if any of them matches as a whole. ``exists`` says
whether the field is there at all; ``$or`` takes a list of patterns.

Source: the EventBridge User Guide, "Comparison operators for use in event patterns".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from sagemaker_local.events.comparisons import COMPARISONS, InvalidPattern, Number, Test, equals, only_member


@dataclass(frozen=True)
class _Leaf:
    """Alternatives of one field."""

    tests: tuple[Test, ...]
    or_absent: bool


@dataclass(frozen=True)
class _Node:
    """Fields that must all match, and lists of nodes of which one must."""

    fields: Mapping[str, _Node | _Leaf]
    choices: tuple[tuple[_Node, ...], ...]


@dataclass(frozen=True)
class Pattern:
    """A pattern that has been checked."""

    _root: _Node

    def matches(self, event: str) -> bool:
        """Whether an event matches, given as a JSON object.

        Raises:
            ValueError: it is none.
        """
        document = _load(event)
        if not isinstance(document, dict):
            raise ValueError("an event is a JSON object")
        return _matches(self._root, document)


def parse(text: str) -> Pattern:
    """Read and check a pattern.

    Raises:
        InvalidPattern: with what is wrong and where.
    """
    try:
        document = _load(text)
    except (ValueError, RecursionError) as error:
        raise InvalidPattern(f"it is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise InvalidPattern("it must be a JSON object")
    return Pattern(_node(document, ""))


def _load(text: str) -> Any:
    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is not a JSON value")

    return json.loads(text, parse_int=Number, parse_float=Number, parse_constant=refuse)


# -- matching ----------------------------------------------------------------------------------------


def _matches(node: _Node, value: object) -> bool:
    members = value if isinstance(value, dict) else {}
    return all(
        _leaf_matches(part, members.get(name, ...))
        if isinstance(part, _Leaf)
        else _object_matches(part, members.get(name))
        for name, part in node.fields.items()
    ) and all(any(_matches(one, members) for one in choice) for choice in node.choices)


def _object_matches(node: _Node, value: object) -> bool:
    objects = [item for item in _items(value) if isinstance(item, dict)]
    return any(_matches(node, item) for item in objects or [{}])


def _leaf_matches(leaf: _Leaf, value: object) -> bool:
    # An object is not a value: the language sees its fields only.
    values = [] if value is ... else [item for item in _items(value) if not isinstance(item, dict)]
    if not values:
        return leaf.or_absent
    return any(test(item) for item in values for test in leaf.tests)


def _items(value: object) -> Iterator[object]:
    if isinstance(value, list):
        for item in value:
            yield from _items(item)
    else:
        yield value


# -- reading -----------------------------------------------------------------------------------------


def _node(document: Mapping[str, Any], where: str) -> _Node:
    if not document:
        raise InvalidPattern(f"{where or 'the pattern'} must not be an empty object")
    fields: dict[str, _Node | _Leaf] = {}
    choices = []
    for name, value in document.items():
        place = f"{where}.{name}" if where else name
        if name == "$or":
            choices.append(_choice(value, place))
        elif isinstance(value, dict):
            fields[name] = _node(value, place)
        elif isinstance(value, list):
            fields[name] = _leaf(value, place)
        else:
            raise InvalidPattern(f"{place} must be an object or a list")
    return _Node(fields, tuple(choices))


def _choice(value: object, place: str) -> tuple[_Node, ...]:
    if not isinstance(value, list) or len(value) < 2 or not all(isinstance(one, dict) for one in value):
        raise InvalidPattern(f"{place} must be a list of at least two objects")
    return tuple(_node(one, f"{place}[{number}]") for number, one in enumerate(value))


def _leaf(values: list[Any], place: str) -> _Leaf:
    if not values:
        raise InvalidPattern(f"{place} must not be an empty list")
    tests: list[Test] = []
    or_absent = False
    for value in values:
        if isinstance(value, list):
            raise InvalidPattern(f"{place} must not hold a list")
        if not isinstance(value, dict):
            tests.append(equals(value))
            continue
        name, operand = only_member(value, place)
        if name == "exists":
            if not isinstance(operand, bool):
                raise InvalidPattern(f"exists at {place} must be true or false")
            if operand:
                tests.append(lambda _: True)
            or_absent = or_absent or not operand
        elif name in COMPARISONS:
            tests.append(COMPARISONS[name](operand, place))
        else:
            known = ", ".join(sorted([*COMPARISONS, "exists"]))
            raise InvalidPattern(f"{place} has the unknown comparison '{name}' (there are: {known})")
    return _Leaf(tuple(tests), or_absent)
