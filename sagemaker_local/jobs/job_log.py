"""A job's output with the time of each line: what the launcher wrote, read back in pieces.

The log is plain text. Beside it `log.times` says which bytes came when (launcher/log.py has the format);
a line's time is that of its first byte. Nothing here reads a log as a whole.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sagemaker_local import clocks
from sagemaker_local.jobs.launcher.log import TIMES_RECORD

MAX_LINE = 256 << 10
"""Bytes of one event, as CloudWatch has it; a longer line becomes several events."""

END_OF_TIME = 1 << 62
"""Later than any line, in milliseconds."""

_OURS = "[sagemaker-local] "
"""What a line begins with that the job did not print."""

_BLOCK = 64 << 10
_RECORDS_BLOCK = 4096 * TIMES_RECORD.size


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
        times.write(TIMES_RECORD.pack(handle.tell(), int(clocks.now() * 1000)))
        handle.write(f"{_OURS}{text}\n".encode())


def end_of(log: Path, lines: int = 20, limit: int = 2000) -> str:
    """The last lines of a log, at most `limit` bytes of them."""
    return "\n".join(_last_lines(log, limit)[-lines:])


def end_of_output(log: Path, lines: int = 20, limit: int = 2000) -> str:
    """The last lines that the job itself printed, without our own among them; empty if it printed none."""
    printed = [line for line in _last_lines(log, limit) if not line.startswith(_OURS)]
    return "\n".join(printed[-lines:])


def _last_lines(log: Path, limit: int) -> list[str]:
    try:
        with log.open("rb") as handle:
            handle.seek(max(0, handle.seek(0, os.SEEK_END) - limit))
            return handle.read().decode("utf-8", "replace").strip().splitlines()
    except FileNotFoundError:
        return []


class LogReader:
    """One open log. `complete` says that no more will come, so that an unfinished last line counts.

    Attributes:
        size: bytes of it that are whole lines.
        position: where the lines that :meth:`forward` was asked for last go on.
    """

    def __init__(self, log: Path, *, complete: bool) -> None:
        self._log = log.open("rb")
        self._times = log.with_name(log.name + ".times").open("rb")
        self._records = os.fstat(self._times.fileno()).st_size // TIMES_RECORD.size
        self.size = self._last_break(complete)
        self.position = 0

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

    def _records_from(self, number: int) -> Iterator[tuple[int, int]]:
        """Records in their order, read in blocks."""
        while block := os.pread(self._times.fileno(), _RECORDS_BLOCK, number * TIMES_RECORD.size):
            whole = block[: len(block) - len(block) % TIMES_RECORD.size]
            if not whole:
                return
            yield from TIMES_RECORD.iter_unpack(whole)
            number += len(whole) // TIMES_RECORD.size

    def _records_back(self, number: int) -> Iterator[tuple[int, int]]:
        """The record and those before it, the last one first, read in blocks."""
        end = number + 1
        while end > 0:
            start = max(0, end - _RECORDS_BLOCK // TIMES_RECORD.size)
            size = (end - start) * TIMES_RECORD.size
            block = os.pread(self._times.fileno(), size, start * TIMES_RECORD.size)
            yield from reversed(list(TIMES_RECORD.iter_unpack(block)))
            end = start

    def forward(
        self,
        start: int,
        *,
        since: int = 0,
        until: int = END_OF_TIME,
        holding: bytes = b"",
        stop: int | None = None,
    ) -> Iterator[Line]:
        """Lines from a line's beginning on.

        What is left out is not read, or not taken apart, so that a long log is looked through quickly.

        Args:
            since, until: lines of other times (milliseconds, the end exclusive) are left out.
            holding: lines may be left out that do not hold these bytes.
            stop: no line that begins here or later is given; ``position`` says then where to go on.
        """
        self.position = position = start
        stop = self.size if stop is None else min(stop, self.size)
        records = self._records_from(self._record_for(start))
        when, following = next(records, (0, 0))[1], next(records, None)
        base, block = start, b""  # bytes of the log from `base` on
        while position < stop:
            while following is not None and following[0] <= position:
                when, following = following[1], next(records, None)
            if not since <= when < until:
                while following is not None and not since <= following[1] < until:
                    following = next(records, None)
                begin = self.size if following is None else self._event_from(following[0])
                self.position = position = base = max(begin, position)
                block = b""
                continue
            found = block.find(b"\n", position - base, position - base + MAX_LINE)
            held = base + len(block)
            if found < 0 and held - position < MAX_LINE and held < self.size:
                block = block[position - base :] + self._read(held, min(held + _BLOCK, self.size))
                base = position
                lines = block.rfind(b"\n") + 1
                if lines and block.find(holding, 0, lines) < 0:
                    self.position = position = base + lines
                continue
            end = base + found + 1 if found >= 0 else min(held, position + MAX_LINE)
            yield Line(position, end, when, _text(block[position - base : end - base]))
            self.position = position = end

    def backward(self, end: int, *, until: int = END_OF_TIME) -> Iterator[Line]:
        """Lines that end at or before `end`, the last one first; from `until` on they are left out."""
        end = self._end_before(end, until)
        while end > 0:
            start = self._line_start(end)
            # A line longer than an event is several: forward() cuts it the same way each time.
            for begin in reversed(range(start, end, MAX_LINE)):
                piece = self._read(begin, min(begin + MAX_LINE, end))
                when = self._record(self._record_for(begin))[1] if self._records else 0
                yield Line(begin, begin + len(piece), when, _text(piece))
            end = start

    def _end_before(self, end: int, until: int) -> int:
        """Where the last event at or before `end` ends that is earlier than `until`."""
        if end == 0 or not self._records:
            return end
        beyond = end
        for offset, when in self._records_back(self._record_for(end - 1)):
            if when < until:
                return min(end, self._event_from(beyond)) if beyond < end else end
            beyond = offset
        return 0

    def _event_from(self, offset: int) -> int:
        """Where the first event begins that begins at or after `offset`."""
        start = self._line_start(offset + 1)
        cut = start + -(-(offset - start) // MAX_LINE) * MAX_LINE
        found = self._read(offset, min(cut, self.size)).find(b"\n") if cut > offset else -1
        return min(cut if found < 0 else offset + found + 1, self.size)

    def _line_start(self, end: int) -> int:
        position = end - 1  # its own line break
        while position > 0:
            start = max(0, position - _BLOCK)
            found = self._read(start, position).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            position = start
        return 0


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").rstrip("\r\n")
