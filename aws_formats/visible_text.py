"""Text that anybody may have stored, as a terminal may be given it.

A terminal obeys what it is sent: a note on a version, a job's log line or an object's key could clear the
screen, change the window's title, or show a line that no program wrote. So whatever prints such text passes
it through :func:`visible` first. JSON needs none of it: its own escapes do the same.
"""

from __future__ import annotations

import logging
import re

_OBEYED = re.compile(
    "["
    "\x00-\x08\x0a-\x1f\x7f-\x9f"  # control characters, C0 and C1, without the tab
    "\xad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # order or hide text
    "\u2028\u2029"  # end a line
    "\ud800-\udfff"  # halves of surrogate pairs, which nothing can print
    "\U000e0000-\U000e007f"  # tags, which no terminal shows
    "]"
)


def visible(text: str) -> str:
    """The text in one line, each character that a terminal would obey or hide as an escape: ``\\x1b``."""
    return _OBEYED.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def visible_lines(text: str) -> str:
    """The same for text that may have several lines."""
    return "\n".join(visible(line) for line in text.split("\n"))


class _VisibleFormatter(logging.Formatter):
    """A record's message in one line; what follows it, such as a traceback, in its own."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return visible(super().formatMessage(record))

    def formatException(self, ei: object) -> str:
        return visible_lines(super().formatException(ei))  # type: ignore[arg-type]


def make_log_visible() -> None:
    """Let the warnings that no handler takes, which Python prints on standard error, be visible too."""
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(_VisibleFormatter())
