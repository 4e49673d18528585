"""Values as a settings file writes them, for the commands that write one."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping


def toml_value(value: object) -> str:
    """A text, number, truth value, list or table as TOML, in one line."""
    if isinstance(value, str):
        text = json.dumps(value, ensure_ascii=False)  # whose escapes are TOML's, too
        # What hides or reorders text is escaped as well, so that people see what the file says.
        return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in text)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{toml_key(key)} = {toml_value(one)}" for key, one in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    return str(value)


def toml_key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else toml_value(name)
