"""EventBridge's pattern language: which events a rule is about.

A pattern is a JSON object with the shape of the events that it matches. Its leaves are lists of
alternatives: plain values, or objects with one comparison. Every field of a pattern must match; of an
alternative list, one must. A field of the event that is a list matches if any of its items does, and a
pattern's object matches a list of objects if any of them matches as a whole.

Comparisons: ``prefix``, ``suffix`` (each also with ``equals-ignore-case``), ``equals-ignore-case``,
``wildcard``, ``numeric``, ``cidr``, ``exists``, and ``anything-but`` of values or of one of ``prefix``,
``suffix``, ``wildcard``, ``equals-ignore-case``. ``$or`` takes a list of patterns.

Plain numbers are compared by their text (1 is not 1.0), ``numeric`` compares their values.

Source: the EventBridge User Guide, "Comparison operators for use in event patterns".
"""

from __future__ import annotations

import ipaddress
import json
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NoReturn

_LIMIT = 5_000_000_000
"""Numbers of a ``numeric`` comparison lie within plus and minus this."""

_ORDER: dict[str, Callable[[Decimal, Decimal], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

_WILDCARD_PART = re.compile(r"\\[*\\]|.", re.DOTALL)


class InvalidPattern(Exception):
    """Why a text is no pattern."""


@dataclass(frozen=True)
class _Number:
    """A JSON number as it is written."""

    text: str

    @property
    def value(self) -> Decimal:
        return Decimal(self.text)


_Test = Callable[[Any], bool]
"""Whether one value that is there passes."""


@dataclass(frozen=True)
class _Leaf:
    """Alternatives of one field."""

    tests: tuple[_Test, ...]
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

    return json.loads(text, parse_int=_Number, parse_float=_Number, parse_constant=refuse)


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
    tests: list[_Test] = []
    or_absent = False
    for value in values:
        if isinstance(value, list):
            raise InvalidPattern(f"{place} must not hold a list")
        if not isinstance(value, dict):
            tests.append(_equals(value))
            continue
        name, operand = _only(value, place)
        if name == "exists":
            if not isinstance(operand, bool):
                raise InvalidPattern(f"exists at {place} must be true or false")
            if operand:
                tests.append(lambda _: True)
            or_absent = or_absent or not operand
        elif name in _COMPARISONS:
            tests.append(_COMPARISONS[name](operand, place))
        else:
            known = ", ".join(sorted([*_COMPARISONS, "exists"]))
            raise InvalidPattern(f"{place} has the unknown comparison '{name}' (there are: {known})")
    return _Leaf(tuple(tests), or_absent)


def _only(value: Mapping[str, Any], place: str) -> tuple[str, Any]:
    if len(value) != 1:
        raise InvalidPattern(f"a comparison at {place} must have one key, not {len(value)}")
    return next(iter(value.items()))


def _text(operand: object, what: str, *, empty: bool = False) -> str:
    if not isinstance(operand, str) or not (operand or empty):
        raise InvalidPattern(f"{what} must be a string{'' if empty else ' that is not empty'}")
    return operand


def _equals(wanted: object) -> _Test:
    # True == 1 in Python; numbers are _Number here, so only booleans meet booleans.
    return lambda value: type(value) is type(wanted) and value == wanted


def _on_text(test: Callable[[str], bool]) -> _Test:
    return lambda value: isinstance(value, str) and test(value)


def _prefix(operand: object, place: str) -> _Test:
    text, fold = _perhaps_folded(operand, f"prefix at {place}")
    return _on_text(lambda value: fold(value).startswith(text))


def _suffix(operand: object, place: str) -> _Test:
    text, fold = _perhaps_folded(operand, f"suffix at {place}")
    return _on_text(lambda value: fold(value).endswith(text))


def _perhaps_folded(operand: object, what: str) -> tuple[str, Callable[[str], str]]:
    if isinstance(operand, dict):
        name, inner = _only(operand, what)
        if name != "equals-ignore-case":
            raise InvalidPattern(f"{what} takes a string or equals-ignore-case, not '{name}'")
        return _text(inner, what).lower(), str.lower
    return _text(operand, what), str


def _ignoring_case(operand: object, place: str) -> _Test:
    text = _text(operand, f"equals-ignore-case at {place}", empty=True).lower()
    return _on_text(lambda value: value.lower() == text)


def _wildcard(operand: object, place: str) -> _Test:
    """``*`` stands for any text; a backslash before it or before another backslash makes it plain."""
    text = _text(operand, f"wildcard at {place}")
    parts = [""]
    for part in _WILDCARD_PART.findall(text):
        if part == "\\":
            raise InvalidPattern(f"wildcard at {place}: a backslash stands before * or another backslash")
        if part == "*":
            parts.append("")
        else:
            parts[-1] += part[-1]
    if "" in parts[1:-1]:
        raise InvalidPattern(f"wildcard at {place} must not have two * in a row")
    return _on_text(lambda value: _consists_of(parts, value))


def _consists_of(parts: list[str], value: str) -> bool:
    """Whether `value` is these parts in their order with any text between them."""
    if len(parts) == 1:
        return value == parts[0]
    first, *middle, last = parts
    if not value.startswith(first) or not value.endswith(last) or len(value) < len(first) + len(last):
        return False
    position, end = len(first), len(value) - len(last)
    for part in middle:  # the earliest place is as good as any: no pattern can take long
        found = value.find(part, position, end)
        if found < 0:
            return False
        position = found + len(part)
    return True


def _numeric(operand: object, place: str) -> _Test:
    what = f"numeric at {place}"
    if not isinstance(operand, list) or len(operand) not in (2, 4):
        raise InvalidPattern(f"{what} must be a list of a comparison and a number, or of two such pairs")
    bounds = []
    for sign, number in zip(operand[::2], operand[1::2], strict=True):
        if not isinstance(sign, str) or sign not in _ORDER:
            raise InvalidPattern(f"{what}: a comparison is one of {' '.join(_ORDER)}")
        if not isinstance(number, _Number) or abs(number.value) > _LIMIT:
            raise InvalidPattern(f"{what}: '{sign}' is followed by a number from -{_LIMIT} to {_LIMIT}")
        bounds.append((sign, number.value))
    if len(bounds) == 2:
        (low_sign, low), (high_sign, high) = bounds
        if low_sign not in (">", ">=") or high_sign not in ("<", "<="):
            raise InvalidPattern(f"{what}: a range is a lower bound (> or >=), then an upper one (< or <=)")
        if low >= high:
            raise InvalidPattern(f"{what}: the range is empty")
    return lambda value: (
        isinstance(value, _Number) and all(_ORDER[sign](value.value, bound) for sign, bound in bounds)
    )


def _cidr(operand: object, place: str) -> _Test:
    text = _text(operand, f"cidr at {place}")
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise InvalidPattern(f"cidr at {place}: {error}") from error

    def within(value: str) -> bool:
        try:
            return ipaddress.ip_address(value) in network
        except ValueError:
            return False

    return _on_text(within)


def _anything_but(operand: object, place: str) -> _Test:
    what = f"anything-but at {place}"
    if isinstance(operand, dict):
        name, inner = _only(operand, what)
        if name not in ("prefix", "suffix", "wildcard", "equals-ignore-case"):
            raise InvalidPattern(f"{what} takes prefix, suffix, wildcard or equals-ignore-case, not '{name}'")
        options = inner if isinstance(inner, list) else [inner]
        tests = [_COMPARISONS[name](one, place) for one in options]
    else:
        options = operand if isinstance(operand, list) else [operand]
        if not all(isinstance(one, str) for one in options) and not all(
            isinstance(one, _Number) for one in options
        ):
            raise InvalidPattern(f"{what} must be strings or numbers, all of one kind")
        tests = [_equals(one) for one in options]
    if not options:
        raise InvalidPattern(f"{what} must not be an empty list")
    return lambda value: not any(test(value) for test in tests)


_COMPARISONS: dict[str, Callable[[object, str], _Test]] = {
    "prefix": _prefix,
    "suffix": _suffix,
    "equals-ignore-case": _ignoring_case,
    "wildcard": _wildcard,
    "numeric": _numeric,
    "cidr": _cidr,
    "anything-but": _anything_but,
}
