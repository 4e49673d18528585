"""The step cache's rules: what makes two runs of a step the same work, and how long a result counts.

SageMaker looks a step up by its name, its type and certain members of its resolved arguments, within one
pipeline, among runs that succeeded, newest first, no older than ExpireAfter ("Caching Pipeline Steps",
"Default cache key attributes by pipeline step type" in its guide). Outputs are not part of the key, nor
is the content behind an S3 URI. The local SageMaker acts on these rules, and a plan forecasts by them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

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
    "Tuning": (
        "HyperParameterTuningJobConfig",
        "TrainingJobDefinition.AlgorithmSpecification",
        "TrainingJobDefinition.HyperParameterRanges",
        "TrainingJobDefinition.InputDataConfig",
        "TrainingJobDefinition.StaticHyperParameters",
        "TrainingJobDefinition.TuningObjective",
        "TrainingJobDefinitions",
    ),
    "Transform": ("DataProcessing", "Environment", "ModelName", "TransformInput"),
    # The guide names QualityCheckConfig and CheckJobConfig, of which a definition holds these.
    "QualityCheck": (
        "AppSpecification",
        "Environment",
        "ProcessingInputs",
        "ProcessingOutputConfig",
        "ProcessingResources",
        "SkipCheck",
        "RegisterNewBaseline",
        "ModelPackageGroupName",
        "SuppliedBaselineConstraints",
        "SuppliedBaselineStatistics",
    ),
}
"""The members of a step's arguments that are its key, or members of those; other types are never cached.
A QualityCheck step has some of them beside its arguments."""

_DURATION = re.compile(
    r"P?(?=\d|T\d)(?:(?P<Y>\d{1,9})Y)?(?:(?P<M>\d{1,9})M)?(?:(?P<W>\d{1,9})W)?(?:(?P<D>\d{1,9})D)?"
    r"(?:T(?=\d)(?:(?P<h>\d{1,9})H)?(?:(?P<m>\d{1,9})M)?(?:(?P<s>\d{1,9})S)?)?",
    re.IGNORECASE,
)
_DAY = 86400
_SECONDS = {"Y": 365 * _DAY, "M": 30 * _DAY, "W": 7 * _DAY, "D": _DAY, "h": 3600, "m": 60, "s": 1}


def key_members(step_type: str, arguments: Mapping[str, Any]) -> dict[str, Any] | None:
    """What must be equal for two runs to be the same work; None for types that are never cached."""
    if step_type not in KEY_MEMBERS:
        return None
    found: dict[str, Any] = {}
    for path in KEY_MEMBERS[step_type]:
        name, _, inner = path.partition(".")
        value = arguments.get(name)
        if inner:
            value = value.get(inner) if isinstance(value, Mapping) else None
        if value is not None:
            place = found.setdefault(name, {}) if inner else found
            place[inner or name] = value
    return found


def parse_duration(text: str) -> float:
    """Seconds of an ISO 8601 duration, e.g. ``P30D``, ``P1W``, ``PT12H``, ``P4DT12H``.

    As SageMaker does, lower case and a missing P are accepted (``30d``, ``T16m``). A year counts 365
    days and a month 30.

    Raises:
        ValueError: it is none.
    """
    found = _DURATION.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is no ISO 8601 duration such as P30D or PT12H")
    return float(sum(_SECONDS[unit] * int(number) for unit, number in found.groupdict().items() if number))
