"""Names and texts as they stand in a line of the settings file, for the remedies of errors."""

from __future__ import annotations

import re


def toml_key(name: str) -> str:
    """A column's name as a key of a TOML table."""
    if re.fullmatch(r"[A-Za-z0-9_-]+", name):
        return name
    return toml_text(name)


def toml_text(text: str) -> str:
    """A text as TOML writes it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t")
    escaped = "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in escaped)
    return f'"{escaped}"'
