"""How far a long upload of data is: a line now and then, on standard error."""

from __future__ import annotations

import time

from aws_formats.sizes import size_in_words
from pipelines.commands.output import notice

_LONGEST_SILENCE = 60.0
"""Seconds; CI systems end jobs that say nothing."""


class UploadProgress:
    """Called with the bytes that were sent and those there are, by one thread at a time."""

    def __init__(self, silence: float = 5.0) -> None:
        """`silence`: seconds before the first line; before the next twice as many."""
        self._silence = silence
        self._said = time.monotonic()

    def __call__(self, sent: int, total: int) -> None:
        now = time.monotonic()
        if now - self._said >= self._silence and sent < total:
            self._said, self._silence = now, min(2 * self._silence, _LONGEST_SILENCE)
            notice(f"  uploading the data: {size_in_words(sent)} of {size_in_words(total)}")
