"""Text of unknown origin inside Markdown: all of it is text, whatever characters it holds."""

from __future__ import annotations

import re

from aws_formats.visible_text import visible

# Not an underscore inside a word, which means nothing: names would be hard to read.
_MARKUP = re.compile(r"[\\`*\[\]~$<>&|]|(?<![^\W_])_|_(?![^\W_])")
_ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;", "|": "&#124;"}
"""The dialects disagree about what backslashes before a bar do to a table."""


def escaped(text: str) -> str:
    """The text in one line, in which nothing is markup or HTML, and no bar ends a table's cell.

    It is for the middle of a line: what is markup only where a line begins, such as ``#``, stays as it is.
    """
    return _MARKUP.sub(
        lambda found: _ENTITIES.get(found[0], f"\\{found[0]}"), visible(" ".join(text.split()))
    )
