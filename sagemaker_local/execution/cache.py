"""The step cache: which earlier run of a step did the same work.

The rules are SageMaker's ("Caching Pipeline Steps", "Default cache key attributes by pipeline step
type"): a step is looked up by its name, its type and certain members of its resolved arguments, within
one pipeline, among runs that succeeded, newest first, no older than ExpireAfter. Outputs are not part of
the key, nor is the content behind an S3 URI.

Only work that was really done is an entry: a hit does not make a new one, so ExpireAfter counts from the
computation.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sagemaker_local.execution.language import LanguageError

KEY_MEMBERS = {
    "Processing": ("AppSpecification", "Environment", "ProcessingInputs"),
    "Training": (
        "AlgorithmSpecification",
        "CheckpointConfig",
        "DebugHookConfig",
        "DebugRuleConfigurations",
        "Environment",
        "HyperParameters",
        "InputDataConfig",
    ),
}

_DURATION = re.compile(
    r"P?(?=\d|T\d)(?:(?P<Y>\d+)Y)?(?:(?P<M>\d+)M)?(?:(?P<W>\d+)W)?(?:(?P<D>\d+)D)?"
    r"(?:T(?=\d)(?:(?P<h>\d+)H)?(?:(?P<m>\d+)M)?(?:(?P<s>\d+)S)?)?",
    re.IGNORECASE,
)
_DAY = 86400
_SECONDS = {"Y": 365 * _DAY, "M": 30 * _DAY, "W": 7 * _DAY, "D": _DAY, "h": 3600, "m": 60, "s": 1}

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
    return CacheConfig(config["Enabled"], None if expire_after is None else parse_duration(expire_after))


def parse_duration(text: Any) -> float:
    """Seconds of an ISO 8601 duration, e.g. ``P30D``, ``P1W``, ``PT12H``, ``P4DT12H``.

    As SageMaker does, lower case and a missing P are accepted (``30d``, ``T16m``). A year counts 365
    days and a month 30.
    """
    found = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if not found:
        raise LanguageError(f"ExpireAfter must be an ISO 8601 duration such as P30D or PT12H, not {text!r}.")
    return float(sum(_SECONDS[unit] * int(number) for unit, number in found.groupdict().items() if number))


def cache_key(step_type: str, arguments: Mapping[str, Any]) -> str | None:
    """What must be equal for two runs to be the same work; None for types that are never cached."""
    if step_type not in KEY_MEMBERS:
        return None
    relevant = {name: arguments[name] for name in KEY_MEMBERS[step_type] if arguments.get(name) is not None}
    text = json.dumps([step_type, relevant], sort_keys=True, separators=(",", ":"))
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
