"""Names and texts as they stand in a line of the settings file, for the remedies of errors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping


def toml_key(name: str) -> str:
    """A column's name as a key of a TOML table."""
    if re.fullmatch(r"[A-Za-z0-9_-]+", name):
        return name
    return toml_text(name)


def list_line(key: str, already: Iterable[str], more: Iterable[str]) -> str:
    """A list with further texts in it, as a whole line: it replaces the one that is there."""
    return f"{key} = [{', '.join(map(toml_text, dict.fromkeys((*already, *more))))}]"


def table_line(key: str, already: Mapping[str, str], more: Mapping[str, str]) -> str:
    """The same for a table of texts."""
    pairs = {**already, **more}.items()
    return f"{key} = {{ {', '.join(f'{toml_key(one)} = {toml_text(other)}' for one, other in pairs)} }}"


def toml_text(text: str) -> str:
    """A text as TOML writes it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t")
    escaped = "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in escaped)
    return f'"{escaped}"'
