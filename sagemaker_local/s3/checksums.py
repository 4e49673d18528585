"""The digests that a client sends along, checked while the bytes pass.

boto3 sends a CRC32, the AWS CLI's second version a CRC64/NVME, others SHA-1, SHA-256 or CRC32C. Python
has no fast CRC32C or CRC64: those two are reckoned in many lanes at once with numpy, which is loaded
only if a client asks for them.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

from sagemaker_local.errors import AwsError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HEADER = "x-amz-checksum-"

_LANES = 2048
"""Pieces of a block whose CRCs are reckoned side by side."""


class Checksum(Protocol):
    """A digest that grows with the bytes."""

    def update(self, data: bytes, /) -> None: ...

    def digest(self) -> bytes: ...


class _Crc32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


class _WideCrc:
    """A reflected CRC of 32 or 64 bits.

    A block is cut into lanes of equal length; one step of the table-driven algorithm advances all of
    them by a byte. A lane's result is then carried over the bytes after it by a linear map, which is
    kept as one table for each byte of the CRC.
    """

    def __init__(self, polynomial: int, bits: int) -> None:
        self._polynomial, self._bits = polynomial, bits
        self._mask = (1 << bits) - 1
        self._value = self._mask

    def update(self, data: bytes, /) -> None:
        import numpy as np

        table = _crc_table(self._polynomial)
        length = len(data) // _LANES
        if length:
            lanes = np.frombuffer(data, dtype=np.uint8, count=length * _LANES).reshape(_LANES, length)
            values = np.zeros(_LANES, dtype=np.uint64)
            columns = np.ascontiguousarray(lanes.T).astype(np.uint64)
            for column in columns:
                values = table[(values ^ column) & np.uint64(0xFF)] ^ (values >> np.uint64(8))
            carry = _carry_tables(self._polynomial, self._bits, length)
            for value in values.tolist():
                self._value = _carried(self._value, carry) ^ value
        small = _small_table(self._polynomial)
        value = self._value
        for byte in data[length * _LANES :]:
            value = small[(value ^ byte) & 0xFF] ^ (value >> 8)
        self._value = value

    def digest(self) -> bytes:
        return (self._value ^ self._mask).to_bytes(self._bits // 8, "big")


_ALGORITHMS: dict[str, Callable[[], Checksum]] = {
    "crc32": _Crc32,
    "crc32c": lambda: _WideCrc(0x82F63B78, 32),
    "crc64nvme": lambda: _WideCrc(0x9A6C9329AC4BC9B5, 64),
    "sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "sha256": hashlib.sha256,
}


class Verifier:
    """Digests by algorithm, fed block by block and compared at the end."""

    def __init__(self, algorithms: Iterable[str]) -> None:
        self._running: dict[str, Checksum] = {}
        for name in algorithms:
            if name not in _ALGORITHMS:
                raise AwsError(
                    "InvalidRequest", f"The checksum algorithm '{name}' is none of {', '.join(_ALGORITHMS)}."
                )
            self._running[name] = _ALGORITHMS[name]()

    def update(self, data: bytes) -> None:
        for running in self._running.values():
            running.update(data)

    def verify(self, expected: Mapping[str, str]) -> dict[str, str]:
        """All digests in base64, by the header that carries each.

        Args:
            expected: what the client sent, in base64, by algorithm.

        Raises:
            AwsError: BadDigest where one differs, InvalidRequest where one was announced and not sent.
        """
        found = {name: base64.b64encode(one.digest()).decode("ascii") for name, one in self._running.items()}
        for name, value in found.items():
            if name not in expected:
                raise AwsError("InvalidRequest", f"The checksum '{name}' was announced but not sent.")
            if expected[name] != value:
                raise AwsError(
                    "BadDigest",
                    f"The {name.upper()} you specified did not match the calculated checksum:"
                    f" sent {expected[name]}, calculated {value}.",
                )
        return {f"{HEADER}{name}": value for name, value in found.items()}


def announced(headers: Mapping[str, str]) -> tuple[set[str], dict[str, str]]:
    """The algorithms that a request uses, and the values that its headers (not its trailer) give."""
    given = {
        name.removeprefix(HEADER): value
        for name, value in headers.items()
        if name.startswith(HEADER) and name.removeprefix(HEADER) in _ALGORITHMS
    }
    trailing = {
        name.strip().lower().removeprefix(HEADER)
        for name in headers.get("x-amz-trailer", "").split(",")
        if name.strip()
    }
    return set(given) | trailing, given


@functools.cache
def _small_table(polynomial: int) -> list[int]:
    """Byte -> CRC of that byte, for one byte at a time."""
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (polynomial if value & 1 else 0)
        table.append(value)
    return table


@functools.cache
def _crc_table(polynomial: int) -> NDArray[np.uint64]:
    import numpy as np

    return np.array(_small_table(polynomial), dtype=np.uint64)


@functools.lru_cache(maxsize=8)
def _carry_tables(polynomial: int, bits: int, length: int) -> list[list[int]]:
    """For each byte of a CRC, what its 256 values become after `length` zero bytes."""
    small = _small_table(polynomial)
    images = []
    for bit in range(bits):
        value = 1 << bit
        for _ in range(length):
            value = small[value & 0xFF] ^ (value >> 8)
        images.append(value)
    tables = []
    for byte in range(bits // 8):
        table = [0] * 256
        for value in range(1, 256):
            low = value & -value
            table[value] = table[value ^ low] ^ images[8 * byte + low.bit_length() - 1]
        tables.append(table)
    return tables


def _carried(value: int, tables: list[list[int]]) -> int:
    result = 0
    for table in tables:
        result ^= table[value & 0xFF]
        value >>= 8
    return result
