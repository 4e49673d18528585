"""What docs/json.md promises of the documents that ``--json`` prints."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs/json.md"


def promised(section: str) -> dict[str, tuple[str, set[str]]]:
    """Command -> list or object, and the keys of its entries or of itself; keys in parentheses lie deeper."""
    table = PAGE.read_text(encoding="utf-8").partition(f"## {section}\n")[2].partition("\n## ")[0]
    found = {}
    for commands, kind, keys in re.findall(r"^\| (`[^|]+) \| ([^|]+) \| ([^|]+) \|$", table, re.MULTILINE):
        outer = set(re.findall(r"`(\w+)`", re.sub(r"\([^)]*\)", "", keys)))
        for command in re.findall(r"`([^`]+)`", commands):
            found[command] = (kind.split()[0].strip(","), outer)
    return found
