"""Values against botocore's shapes: the one check of what AWS would take.

botocore ships the service models that AWS's own clients are made from. Its ``ParamValidator`` leaves
``pattern`` and ``enum`` to the service, so all constraints are checked here, in one walk. Requests are
checked by the local SageMaker and definitions by the command line; each words the problems found for
its own readers.

In: JSON-like values; timestamps as POSIX seconds and blobs as base64 text become datetimes and bytes.
Out (``render``): members that the output shape lacks are dropped, datetimes and bytes become JSON again.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import functools
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from botocore.model import Shape

Constraint = Literal["type", "unknown", "missing", "enum", "pattern", "length", "range"]

_KINDS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "structure": (dict, "an object"),
    "map": (dict, "an object"),
    "list": (list, "a list"),
    "string": (str, "a string"),
    "character": (str, "a string"),
    "blob": ((str, bytes), "a base64 string"),
    "boolean": (bool, "true or false"),
    "integer": (int, "a whole number"),
    "long": (int, "a whole number"),
    "float": ((int, float), "a number"),
    "double": ((int, float), "a number"),
    "timestamp": ((int, float), "a number of seconds since 1970"),
}


@dataclass(frozen=True)
class Member:
    """A part of a path: a structure's member."""

    name: str


@dataclass(frozen=True)
class Item:
    """A part of a path: a list's element, counted from 0."""

    position: int


@dataclass(frozen=True)
class Entry:
    """A part of a path: the value under a map's key, or, with ``is_key``, that key itself."""

    key: str
    is_key: bool = False


Path = tuple[Member | Item | Entry, ...]


@dataclass(frozen=True)
class Problem:
    """A constraint that a value does not meet.

    Attributes:
        path: the way to the value; for an unknown or missing member, to the member.
        shape: the value's shape; for an unknown or missing member, the structure that it is about.
        wanted: for ``type``, what the value must be, in words.
        limit: for ``length`` and ``range``, the bound that is passed, and ``is_least`` whether from below.
        size: for ``length``, the value's own.
    """

    constraint: Constraint
    path: Path
    shape: Shape
    value: Any = None
    wanted: str = ""
    limit: int | float = 0
    is_least: bool = False
    size: int = 0


@dataclass
class _Walk:
    """One check: what it found, and which values it leaves open."""

    is_open: Callable[[Any], bool]
    problems: list[Problem] = field(default_factory=list)

    def value(self, shape: Shape, value: Any, path: Path) -> Any:
        if self.is_open(value):
            return value
        kind: str = shape.type_name
        expected, wanted = _KINDS[kind]
        # bool is an int in Python, but not in JSON.
        if not isinstance(value, expected) or (isinstance(value, bool) and expected is not bool):
            self._wrong_type(shape, value, path, wanted)
            return None
        return self._typed(kind, shape, value, path)

    def _typed(self, kind: str, shape: Shape, value: Any, path: Path) -> Any:
        match kind:
            case "structure":
                return self._structure(shape, value, path)
            case "list":
                self._length(shape, len(value), value, path)
                return [
                    self.value(shape.member, item, (*path, Item(position)))
                    for position, item in enumerate(value)
                    if item is not None
                ]
            case "map":
                self._length(shape, len(value), value, path)
                return {
                    self.value(shape.key, key, (*path, Entry(key, is_key=True))): self.value(
                        shape.value, item, (*path, Entry(key))
                    )
                    for key, item in value.items()
                    if item is not None
                }
            case "string" | "character":
                return self._string(shape, value, path)
            case "blob":
                return self._blob(shape, value, path)
            case "timestamp":
                return self._timestamp(shape, value, path)
            case "boolean":
                return value
        return self._number(shape, value, path)

    def _wrong_type(self, shape: Shape, value: Any, path: Path, wanted: str) -> None:
        self.problems.append(Problem("type", path, shape, value, wanted))

    def _structure(self, shape: Shape, value: dict[str, Any], path: Path) -> dict[str, Any]:
        typed = {}
        for name, item in value.items():
            member, where = shape.members.get(name), (*path, Member(name))
            if member is None:
                self.problems.append(Problem("unknown", where, shape, item))
            elif item is not None:
                typed[name] = self.value(member, item, where)
        self.problems += [
            Problem("missing", (*path, Member(name)), shape)
            for name in shape.required_members
            if value.get(name) is None
        ]
        return typed

    def _string(self, shape: Shape, value: str, path: Path) -> str:
        if not _is_text(value):
            self._wrong_type(shape, value, path, "text, without half of a surrogate pair")
            return value
        enum = shape.metadata.get("enum")
        if enum and value not in enum:
            self.problems.append(Problem("enum", path, shape, value))
        # A pattern is tried only on a string of an acceptable length: no pattern meets a value without bound.
        elif self._length(shape, len(value), value, path):
            pattern = shape.metadata.get("pattern")
            if pattern and not _expression(pattern).fullmatch(value):
                self.problems.append(Problem("pattern", path, shape, value))
        return value

    def _blob(self, shape: Shape, value: str | bytes, path: Path) -> bytes:
        content = b""
        try:
            # Some protocols carry the bytes themselves.
            content = value if isinstance(value, bytes) else base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            self._wrong_type(shape, value, path, "a base64 string")
        else:
            self._length(shape, len(content), "(bytes)" if isinstance(value, bytes) else value, path)
        return content

    def _timestamp(self, shape: Shape, value: float, path: Path) -> datetime.datetime | None:
        try:
            return datetime.datetime.fromtimestamp(value, datetime.UTC)
        except (OverflowError, ValueError, OSError):
            self._wrong_type(shape, value, path, "a point in time")
            return None

    def _length(self, shape: Shape, size: int, value: Any, path: Path) -> bool:
        return self._bounds("length", shape, size, value, path)

    def _number(self, shape: Shape, value: float, path: Path) -> float:
        # An integer of any length is finite, and one of hundreds of digits is no float.
        if isinstance(value, float) and not math.isfinite(value):
            self._wrong_type(shape, value, path, "a finite number")
        else:
            self._bounds("range", shape, value, value, path)
        return value

    def _bounds(self, constraint: Constraint, shape: Shape, size: float, value: Any, path: Path) -> bool:
        least, most = shape.metadata.get("min"), shape.metadata.get("max")
        for limit, is_least in ((least, True), (most, False)):
            if limit is not None and (size < limit if is_least else size > limit):
                self.problems.append(
                    Problem(constraint, path, shape, value, limit=limit, is_least=is_least, size=int(size))
                )
                return False
        return True


def _nothing_is_open(_value: Any) -> bool:
    return False


def check(
    shape: Shape, value: Any, is_open: Callable[[Any], bool] = _nothing_is_open
) -> tuple[Any, list[Problem]]:
    """A value against its shape and everything inside of it.

    Args:
        is_open: whether a value is only known later (an expression of a definition); it is left as it is.

    Returns:
        the typed value, which means something where there is no problem, and the problems in order.
    """
    walk = _Walk(is_open)
    typed = walk.value(shape, value, ())
    return typed, walk.problems


def render(shape: Shape | None, value: Any) -> Any:
    """What the output shape declares of a response, as JSON values."""
    if shape is None:
        return {}
    kind = shape.type_name
    if kind == "structure":
        return {
            name: render(member, value[name])
            for name, member in shape.members.items()
            if value.get(name) is not None
        }
    if kind == "list":
        return [render(shape.member, item) for item in value]
    if kind == "map":
        return {key: render(shape.value, item) for key, item in value.items()}
    if isinstance(value, datetime.datetime):
        return value.timestamp()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    return value


def _is_text(value: str) -> bool:
    """JSON's escapes can write half of a surrogate pair, which no encoding can: nothing could send it on."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


@functools.cache
def _expression(pattern: str) -> Any:
    """A service model's pattern, which is Java's.

    It is compiled by a library that knows ``\\p{...}`` where it names a kind of characters; others mean the
    same to Python's own, so that a command that asks for little is spared the library's start (50 ms). A dot
    matches line ends as well: some of the models' patterns would otherwise take exponential time on text with
    unusual line ends.
    """
    text = pattern.replace(r"\uD800\uDC00-\uDBFF\uDFFF", r"\U00010000-\U0010FFFF")  # UTF-16's pairs
    text = re.sub(r"\\w-(?=[^\]])", r"\\w\\-", text)  # Java reads the hyphen of [\w-_] as itself
    # CustomerMetadata's patterns end in "${1,256}", where "{1,256}$" was meant; their lengths say the same.
    text = re.sub(r"\$\{\d+,\d+\}$", "", text)
    if not re.search(r"\\[pPwWsS]", text):
        return re.compile(text, re.DOTALL)
    import regex

    return regex.compile(text, regex.DOTALL)
