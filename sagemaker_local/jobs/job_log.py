"""A job's output with the time of each line: what the launcher wrote, read back in pieces.

The log is plain text. Beside it `log.times` says which bytes came when (launcher/log.py has the format);
a line's time is that of its first byte. Nothing here reads a log as a whole.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sagemaker_local.jobs.launcher.log import TIMES_RECORD

MAX_LINE = 256 << 10
"""Bytes of one event, as CloudWatch has it; a longer line becomes several events."""

_BLOCK = 64 << 10


@dataclass(frozen=True)
class Line:
    """One event: where it lies in the log, when it came (milliseconds since 1970), its text."""

    start: int
    end: int
    timestamp: int
    text: str


def note(log: Path, text: str) -> None:
    """Add a line of our own to a log that no launcher is writing to; a full disk loses it, not the job."""
    times_path = log.with_name(log.name + ".times")
    with contextlib.suppress(OSError), log.open("ab") as handle, times_path.open("ab") as times:
        times.write(TIMES_RECORD.pack(handle.tell(), int(time.time() * 1000)))
        handle.write(f"[sagemaker-local] {text}\n".encode())


def end_of(log: Path, lines: int = 20, limit: int = 2000) -> str:
    """The last lines of a log, at most `limit` bytes of them."""
    try:
        with log.open("rb") as handle:
            handle.seek(max(0, handle.seek(0, os.SEEK_END) - limit))
            return "\n".join(handle.read().decode("utf-8", "replace").strip().splitlines()[-lines:])
    except FileNotFoundError:
        return ""


class LogReader:
    """One open log. `complete` says that no more will come, so that an unfinished last line counts."""

    def __init__(self, log: Path, *, complete: bool) -> None:
        self._log = log.open("rb")
        self._times = log.with_name(log.name + ".times").open("rb")
        self._records = os.fstat(self._times.fileno()).st_size // TIMES_RECORD.size
        self.size = self._last_break(complete)

    def __enter__(self) -> LogReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._log.close()
        self._times.close()

    def _last_break(self, complete: bool) -> int:
        """Bytes of the log that are whole lines."""
        end = os.fstat(self._log.fileno()).st_size
        position = end
        while not complete and position > max(0, end - MAX_LINE):
            start = max(0, position - _BLOCK)
            found = self._read(start, position).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            position = start
        return 0 if not complete and position == 0 else end

    def _read(self, start: int, end: int) -> bytes:
        return os.pread(self._log.fileno(), end - start, start)

    def _record(self, number: int) -> tuple[int, int]:
        offset, when = TIMES_RECORD.unpack(
            os.pread(self._times.fileno(), TIMES_RECORD.size, number * TIMES_RECORD.size)
        )
        return offset, when

    def _record_for(self, offset: int) -> int:
        """The last record that begins at or before `offset`."""
        low, high = 0, self._records
        while low + 1 < high:
            middle = (low + high) // 2
            if self._record(middle)[0] <= offset:
                low = middle
            else:
                high = middle
        return low

    def forward(self, start: int) -> Iterator[Line]:
        """Lines from a line's beginning on."""
        record = self._record_for(start)
        when = self._record(record)[1] if self._records else 0
        following = self._record(record + 1) if record + 1 < self._records else None
        position, buffer = start, b""
        while position < self.size:
            end = position + len(buffer)
            found = buffer.find(b"\n", 0, MAX_LINE)
            if found < 0 and len(buffer) < MAX_LINE and end < self.size:
                buffer += self._read(end, min(end + _BLOCK, self.size))
                continue
            length = found + 1 if found >= 0 else min(len(buffer), MAX_LINE)
            while following is not None and following[0] <= position:
                when, record = following[1], record + 1
                following = self._record(record + 1) if record + 1 < self._records else None
            text = buffer[:length].decode("utf-8", "replace").rstrip("\r\n")
            yield Line(position, position + length, when, text)
            position, buffer = position + length, buffer[length:]

    def backward(self, end: int) -> Iterator[Line]:
        """Lines that end at or before `end`, the last one first."""
        while end > 0:
            start = self._line_start(end)
            # A line longer than an event is several: forward() cuts it the same way each time.
            yield from reversed(list(self._within(start, end)))
            end = start

    def _within(self, start: int, end: int) -> Iterator[Line]:
        for line in self.forward(start):
            if line.start >= end:
                return
            yield line

    def _line_start(self, end: int) -> int:
        position = end - 1  # its own line break
        while position > 0:
            start = max(0, position - _BLOCK)
            found = self._read(start, position).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            position = start
        return 0
