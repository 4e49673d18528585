"""CBOR (RFC 8949): the binary form of JSON that newer AWS services send, read whole and written plainly.

Of the format's parts it has those of Smithy's protocol: integers of 64 bits, byte strings and texts, lists,
maps with texts as keys, numbers of 16, 32 and 64 bits, true, false, null, and the tag 1 of a time, which is
read as its POSIX seconds.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

_UNSIGNED, _NEGATIVE, _BYTES, _TEXT, _LIST, _MAP, _TAG, _SIMPLE = range(8)
_INDEFINITE, _BREAK = 31, 0xFF
_LENGTHS = {24: 1, 25: 2, 26: 4, 27: 8}
_FLOATS = {25: ">e", 26: ">f", 27: ">d"}
_SIMPLES = {20: False, 21: True, 22: None, 23: None}
_TIME = 1
_DEEPEST = 64


@dataclass(frozen=True)
class Time:
    """A time that is to be written, POSIX seconds."""

    seconds: float


def loads(data: bytes) -> Any:
    """The one value in `data`.

    Raises:
        ValueError: it is no CBOR, holds something that the module's text does not name, or goes on after it.
    """
    reader = _Reader(data)
    value = reader.value(0)
    if reader.position != len(data):
        raise ValueError(f"{len(data) - reader.position} bytes follow the value")
    return value


def dumps(value: Any) -> bytes:
    """A value of dicts, lists, texts, bytes, numbers, booleans, None and :class:`Time`."""
    written = bytearray()
    _write(value, written)
    return bytes(written)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.position = 0

    def value(self, depth: int) -> Any:
        if depth > _DEEPEST:
            raise ValueError("it is nested too deeply")
        first = self._take(1)[0]
        kind, info = first >> 5, first & 31
        if kind in (_UNSIGNED, _NEGATIVE):
            number = self._length(info)
            return number if kind == _UNSIGNED else -1 - number
        if kind in (_BYTES, _TEXT):
            return self._string(kind, info)
        if kind == _LIST:
            return [self.value(depth + 1) for _ in self._items(info)]
        if kind == _MAP:
            return dict(self._entry(depth) for _ in self._items(info))
        if kind == _TAG:
            return self._time(info, depth)
        return self._simple(info)

    def _take(self, length: int) -> bytes:
        taken = self._data[self.position : self.position + length]
        if len(taken) < length:
            raise ValueError("it ends too early")
        self.position += length
        return taken

    def _length(self, info: int) -> int:
        if info < 24:
            return info
        if info not in _LENGTHS:
            raise ValueError(f"a length of kind {info} means nothing")
        return int.from_bytes(self._take(_LENGTHS[info]), "big")

    def _string(self, kind: int, info: int) -> str | bytes:
        if info == _INDEFINITE:
            parts = []
            while not self._ends():
                first = self._take(1)[0]
                if first >> 5 != kind or first & 31 == _INDEFINITE:
                    raise ValueError("a part of a string is none")
                parts.append(self._take(self._length(first & 31)))
            found = b"".join(parts)
        else:
            found = self._take(self._length(info))
        return found.decode() if kind == _TEXT else found

    def _items(self, info: int) -> Any:
        """Counts the items: as many as are announced, or up to the break."""
        if info != _INDEFINITE:
            return range(self._length(info))
        return iter(self._ends, True)

    def _ends(self) -> bool:
        """Whether the break comes next, which is passed then."""
        if self._data[self.position : self.position + 1] == bytes([_BREAK]):
            self.position += 1
            return True
        return False

    def _entry(self, depth: int) -> tuple[str, Any]:
        key = self.value(depth + 1)
        if not isinstance(key, str):
            raise ValueError("a key of a map is no text")
        return key, self.value(depth + 1)

    def _time(self, info: int, depth: int) -> int | float:
        if self._length(info) != _TIME:
            raise ValueError("it holds a tag that is none of a time")
        value = self.value(depth + 1)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError("a time is no number")
        return value

    def _simple(self, info: int) -> Any:
        if info in _FLOATS:
            return struct.unpack(_FLOATS[info], self._take(_LENGTHS[info]))[0]
        if info not in _SIMPLES:
            raise ValueError(f"a simple value of kind {info} means nothing")
        return _SIMPLES[info]


def _write(value: Any, written: bytearray) -> None:
    match value:
        case None:
            written.append(0xF6)
        case bool():
            written.append(0xF5 if value else 0xF4)
        case int():
            _write_head(_NEGATIVE if value < 0 else _UNSIGNED, -1 - value if value < 0 else value, written)
        case float():
            written += struct.pack(">Bd", 0xFB, value)
        case str():
            text = value.encode()
            _write_head(_TEXT, len(text), written)
            written += text
        case bytes():
            _write_head(_BYTES, len(value), written)
            written += value
        case list():
            _write_head(_LIST, len(value), written)
            for item in value:
                _write(item, written)
        case dict():
            _write_head(_MAP, len(value), written)
            for key, item in value.items():
                _write(key, written)
                _write(item, written)
        case Time():
            _write_head(_TAG, _TIME, written)
            _write(float(value.seconds), written)
        case _:
            raise TypeError(f"CBOR has no {type(value).__name__}")


def _write_head(kind: int, length: int, written: bytearray) -> None:
    if length < 24:
        written.append(kind << 5 | length)
        return
    info, size = next((info, size) for info, size in _LENGTHS.items() if length < 1 << 8 * size)
    written.append(kind << 5 | info)
    written += length.to_bytes(size, "big")
