"""Bytes as people read them, the same in every command and on every page."""

from __future__ import annotations


def size_in_words(count: int) -> str:
    """`812 bytes`, `1 MB`, `2.5 GB`; a unit is a thousand of the one below it."""
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{count / factor:.1f}".removesuffix(".0") + f" {unit}"
    return f"{count} byte{'s' if count != 1 else ''}"
