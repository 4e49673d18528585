"""The ``aws-chunked`` body: chunks with their length in front, and digests in a trailer behind.

A chunk is ``<hex size>[;chunk-signature=...]\\r\\n<bytes>\\r\\n``; the last has size 0 and is followed by
trailer lines and an empty one. Signatures are not checked, since any credentials are accepted here.
Source: "Signature Calculations for the Authorization Header: Transferring Payload in Multiple Chunks"
in the Amazon S3 API Reference.
"""

from __future__ import annotations

from collections.abc import Iterator

from sagemaker_local.errors import AwsError

_LONGEST_LINE = 8192
_MOST_TRAILER_LINES = 64


class Decoder:
    """Takes the body in pieces of any size and gives the object's bytes.

    Attributes:
        trailer: header lines behind the last chunk, names in lower case.
        complete: whether the end has been seen.
    """

    def __init__(self) -> None:
        self.trailer: dict[str, str] = {}
        self.complete = False
        self._buffer = bytearray()
        self._left = 0  # bytes of the present chunk that are still to come
        self._behind_chunk = False  # the line end after a chunk is still to come
        self._in_trailer = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The object's bytes in a piece of the body.

        Raises:
            AwsError: IncompleteBody or InvalidRequest for what is no such body.
        """
        self._buffer += data
        while not self.complete:
            if self._left:
                if not self._buffer:
                    return
                piece = bytes(memoryview(self._buffer)[: self._left])
                del self._buffer[: len(piece)]
                self._left -= len(piece)
                self._behind_chunk = not self._left
                yield piece
                continue
            line = self._line()
            if line is None:
                return
            self._read_line(line)

    def _line(self) -> bytes | None:
        end = self._buffer.find(b"\n")
        if end < 0:
            if len(self._buffer) > _LONGEST_LINE:
                raise _malformed("a line without an end")
            return None
        line = bytes(self._buffer[:end]).rstrip(b"\r")
        del self._buffer[: end + 1]
        return line

    def _read_line(self, line: bytes) -> None:
        if self._behind_chunk:
            if line:
                raise _malformed("a chunk longer than its size")
            self._behind_chunk = False
        elif self._in_trailer:
            if not line:
                self.complete = True
                return
            if len(self.trailer) == _MOST_TRAILER_LINES:
                raise _malformed(f"a trailer of more than {_MOST_TRAILER_LINES} lines")
            name, _, value = line.decode("latin-1").partition(":")
            self.trailer[name.strip().lower()] = value.strip()
        else:
            size = line.partition(b";")[0].strip()
            try:
                self._left = int(size, 16)
            except ValueError as error:
                raise _malformed(f"the chunk size {size[:20]!r}") from error
            if self._left < 0:
                raise _malformed(f"the chunk size {size[:20]!r}")
            self._in_trailer = self._left == 0


def _malformed(what: str) -> AwsError:
    return AwsError("InvalidRequest", f"The aws-chunked body is malformed: {what}.")
