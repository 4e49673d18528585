"""The step cache's entries: parsing a step's configuration, and choosing the result to reuse.

The rules of key and age are those of ``aws_formats.step_cache``. Only work that was really done is an
entry: a hit does not make a new one, so ExpireAfter counts from the computation.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aws_formats.definition_language import LanguageError
from aws_formats.step_cache import key_members, parse_duration

CLOCK_TOLERANCE = 300.0
"""Seconds by which an entry may lie in the future before its age counts as unknown."""


@dataclass(frozen=True)
class CacheConfig:
    """A step's CacheConfig; ``expire_after`` in seconds, None for never."""

    enabled: bool = False
    expire_after: float | None = None


def parse_config(config: Any) -> CacheConfig:
    """A definition's ``{"Enabled": bool, "ExpireAfter": text}``; raises LanguageError."""
    if config is None:
        return CacheConfig()
    if not isinstance(config, dict) or not isinstance(config.get("Enabled"), bool):
        raise LanguageError(f"CacheConfig needs Enabled (true or false), not {config!r}.")
    expire_after = config.get("ExpireAfter")
    if expire_after is None:
        return CacheConfig(config["Enabled"])
    try:
        return CacheConfig(config["Enabled"], parse_duration(str(expire_after)))
    except ValueError as error:
        raise LanguageError(f"ExpireAfter: {error}.") from error


def cache_key(step_type: str, arguments: Mapping[str, Any]) -> str | None:
    """A digest of what must be equal for two runs to be the same work; None for types never cached."""
    members = key_members(step_type, arguments)
    if members is None:
        return None
    text = json.dumps([step_type, members], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def newest_valid(entries: Iterable[dict[str, Any]], config: CacheConfig, now: float) -> dict[str, Any] | None:
    """The entry to reuse, if any.

    Args:
        entries: documents with ``EndTime`` in POSIX seconds.
        config: the step's cache configuration.
        now: POSIX seconds.

    An entry from the future (the clock was set back since) has no known age: beyond a small tolerance
    it is not used, since running again is always right.
    """
    valid = [
        entry
        for entry in entries
        if now - entry["EndTime"] >= -CLOCK_TOLERANCE
        and (config.expire_after is None or now - entry["EndTime"] <= config.expire_after)
    ]
    return max(valid, key=lambda entry: float(entry["EndTime"]), default=None)
