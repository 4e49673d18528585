"""The comparisons of EventBridge's pattern language: each makes a test of one value out of its operand.

``prefix``, ``suffix`` (each also with ``equals-ignore-case``), ``equals-ignore-case``, ``wildcard``,
``numeric``, ``cidr``, and ``anything-but`` of values or of one of ``prefix``, ``suffix``, ``wildcard``,
``equals-ignore-case``. Plain numbers are compared by their text (1 is not 1.0), ``numeric`` compares their
values.

Source: the EventBridge User Guide, "Comparison operators for use in event patterns".
"""

from __future__ import annotations

import ipaddress
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

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
class Number:
    """A JSON number as it is written."""

    text: str

    @property
    def value(self) -> Decimal:
        return Decimal(self.text)


Test = Callable[[Any], bool]
"""Whether one value that is there passes."""


def only_member(value: Mapping[str, Any], place: str) -> tuple[str, Any]:
    """The name and the operand of a comparison, which is an object with one member."""
    if len(value) != 1:
        raise InvalidPattern(f"a comparison at {place} must have one key, not {len(value)}")
    return next(iter(value.items()))


def _text(operand: object, what: str, *, empty: bool = False) -> str:
    if not isinstance(operand, str) or not (operand or empty):
        raise InvalidPattern(f"{what} must be a string{'' if empty else ' that is not empty'}")
    return operand


def equals(wanted: object) -> Test:
    # True == 1 in Python; numbers are Number here, so a boolean is compared with a boolean only.
    return lambda value: type(value) is type(wanted) and value == wanted


def _on_text(test: Callable[[str], bool]) -> Test:
    return lambda value: isinstance(value, str) and test(value)


def _prefix(operand: object, place: str) -> Test:
    text, fold = _text_and_case(operand, f"prefix at {place}")
    return _on_text(lambda value: fold(value).startswith(text))


def _suffix(operand: object, place: str) -> Test:
    text, fold = _text_and_case(operand, f"suffix at {place}")
    return _on_text(lambda value: fold(value).endswith(text))


def _text_and_case(operand: object, what: str) -> tuple[str, Callable[[str], str]]:
    if isinstance(operand, dict):
        name, inner = only_member(operand, what)
        if name != "equals-ignore-case":
            raise InvalidPattern(f"{what} takes a string or equals-ignore-case, not '{name}'")
        return _text(inner, what).lower(), str.lower
    return _text(operand, what), str


def _ignoring_case(operand: object, place: str) -> Test:
    text = _text(operand, f"equals-ignore-case at {place}", empty=True).lower()
    return _on_text(lambda value: value.lower() == text)


def _wildcard(operand: object, place: str) -> Test:
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


def _numeric(operand: object, place: str) -> Test:
    what = f"numeric at {place}"
    if not isinstance(operand, list) or len(operand) not in (2, 4):
        raise InvalidPattern(f"{what} must be a list of a comparison and a number, or of two such pairs")
    bounds = []
    for sign, number in zip(operand[::2], operand[1::2], strict=True):
        if not isinstance(sign, str) or sign not in _ORDER:
            raise InvalidPattern(f"{what}: a comparison is one of {' '.join(_ORDER)}")
        if not isinstance(number, Number) or abs(number.value) > _LIMIT:
            raise InvalidPattern(f"{what}: '{sign}' is followed by a number from -{_LIMIT} to {_LIMIT}")
        bounds.append((sign, number.value))
    if len(bounds) == 2:
        (low_sign, low), (high_sign, high) = bounds
        if low_sign not in (">", ">=") or high_sign not in ("<", "<="):
            raise InvalidPattern(f"{what}: a range is a lower bound (> or >=), then an upper one (< or <=)")
        if low >= high:
            raise InvalidPattern(f"{what}: the range is empty")
    return lambda value: (
        isinstance(value, Number) and all(_ORDER[sign](value.value, bound) for sign, bound in bounds)
    )


def _cidr(operand: object, place: str) -> Test:
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


def _anything_but(operand: object, place: str) -> Test:
    what = f"anything-but at {place}"
    if isinstance(operand, dict):
        name, inner = only_member(operand, what)
        if name not in ("prefix", "suffix", "wildcard", "equals-ignore-case"):
            raise InvalidPattern(f"{what} takes prefix, suffix, wildcard or equals-ignore-case, not '{name}'")
        options = inner if isinstance(inner, list) else [inner]
        tests = [COMPARISONS[name](one, place) for one in options]
    else:
        options = operand if isinstance(operand, list) else [operand]
        if not all(isinstance(one, str) for one in options) and not all(
            isinstance(one, Number) for one in options
        ):
            raise InvalidPattern(f"{what} must be strings or numbers, all of one kind")
        tests = [equals(one) for one in options]
    if not options:
        raise InvalidPattern(f"{what} must not be an empty list")
    return lambda value: not any(test(value) for test in tests)


COMPARISONS: dict[str, Callable[[object, str], Test]] = {
    "prefix": _prefix,
    "suffix": _suffix,
    "equals-ignore-case": _ignoring_case,
    "wildcard": _wildcard,
    "numeric": _numeric,
    "cidr": _cidr,
    "anything-but": _anything_but,
}
"""Name -> what makes the test out of the operand and its place in the pattern. Each raises InvalidPattern."""
