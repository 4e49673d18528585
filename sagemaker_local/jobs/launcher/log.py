"""A job's output on disk, and when it came.

Beside the log lies a file `log.times` with records of 16 bytes, little-endian: the offset in the log from
which bytes arrived, and when, in milliseconds since 1970.
"""

from __future__ import annotations

import os
import struct
import time

TIMES_RECORD = struct.Struct("<QQ")
_STEP = 0.02  # seconds: output that comes closer than this shares a record, which bounds the file of times


class Log:
    """The log of one instance, opened for appending. A full disk loses output, not the job."""

    def __init__(self, path: str) -> None:
        flags = os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_CLOEXEC
        self._log = os.open(path, flags, 0o600)
        self._times = os.open(path + ".times", flags, 0o600)
        self._size = os.fstat(self._log).st_size
        # Counted on by uptime, so that the times of a log do not go back, whatever the clock does.
        self._ahead = time.time() - time.monotonic()
        self._stamped = 0.0
        self.problem = ""

    def write(self, data: bytes) -> None:
        if not data:
            return
        try:
            now = self._ahead + time.monotonic()
            if now - self._stamped >= _STEP:
                os.write(self._times, TIMES_RECORD.pack(self._size, int(now * 1000)))
                self._stamped = now
            rest = memoryview(data)
            while rest:
                written = os.write(self._log, rest)
                self._size += written
                rest = rest[written:]
        except OSError as problem:
            self.problem = f"the log is not complete: {problem.strerror}"
