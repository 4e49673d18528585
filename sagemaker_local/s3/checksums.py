"""The digests that a client sends along, checked while the bytes pass.

boto3 sends a CRC32, the AWS CLI's second version a CRC64/NVME, others SHA-1, SHA-256 or CRC32C.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from sagemaker_local.errors import AwsError

HEADER = "x-amz-checksum-"


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


class _LibraryCrc:
    """A CRC that Python itself does not have; `size` is in bytes."""

    def __init__(self, model: str, size: int) -> None:
        import anycrc  # 20 ms, so only for a client that asks for it

        self._model, self._size = anycrc.Model(model), size
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = self._model.calc(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")


_ALGORITHMS: dict[str, Callable[[], Checksum]] = {
    "crc32": _Crc32,
    "crc32c": lambda: _LibraryCrc("CRC32C", 4),
    "crc64nvme": lambda: _LibraryCrc("CRC64-NVME", 8),
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
