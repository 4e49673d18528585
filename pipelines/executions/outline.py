"""What a reader of a definition document wants to know: its steps in order, its parameters, its gate.

A definition (version 2020-12-01) nests the steps of a condition's branches inside it; here they are
one list. The gate is the condition that compares a number of a property file with a threshold.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from aws_formats.definition_language import all_steps
from pipelines.executions.trials import Search, read_search

_ABOVE = ("GreaterThan", "GreaterThanOrEqualTo")
_BELOW = ("LessThan", "LessThanOrEqualTo")


@dataclass(frozen=True)
class OutlinedStep:
    """A step; ``function`` is the ARN of what a Lambda step calls."""

    name: str
    display_name: str
    type: str
    function: str | None = None


@dataclass(frozen=True)
class Parameter:
    """A pipeline parameter as declared; `type` is String, Integer, Float or Boolean."""

    name: str
    type: str
    default: str | None
    allowed: tuple[str, ...]


@dataclass(frozen=True)
class Gate:
    """A condition on a metric.

    Attributes:
        step: the condition step.
        metric: the metric's name, e.g. ``accuracy``.
        metric_step, output, file, path: the step, its output, the file in it, and the keys in the file.
        threshold: the number written in the definition, or the default of `threshold_parameter`.
        higher_is_better: whether the metric has to be above the threshold, or below it.
        verdict_file: another file of that output, whose verdict has to be ``passed``; None if there is none.
    """

    step: str
    metric: str
    metric_step: str
    output: str
    file: str
    path: tuple[str, ...]
    threshold: float | None
    threshold_parameter: str | None
    higher_is_better: bool = True
    verdict_file: str | None = None


@dataclass(frozen=True)
class Outline:
    """What a definition says.

    Attributes:
        mlflow: the ARN of the MLflow App or tracking server that it names.
        tuning: what each tuning step looks for, by the step's name.
    """

    steps: tuple[OutlinedStep, ...]
    parameters: Mapping[str, Parameter]
    gate: Gate | None
    mlflow: str | None = None
    tuning: Mapping[str, Search] = field(default_factory=dict)


def read_outline(definition: str) -> Outline:
    """Read a definition document (JSON text)."""
    document = json.loads(definition)
    steps = list(all_steps(document["Steps"]))
    parameters = {found["Name"]: _parameter(found) for found in document.get("Parameters", [])}
    return Outline(
        steps=tuple(
            OutlinedStep(
                step["Name"],
                step.get("DisplayName") or step["Name"],
                step["Type"],
                step["FunctionArn"] if step["Type"] == "Lambda" else None,
            )
            for step in steps
        ),
        parameters=parameters,
        gate=next((gate for step in steps if (gate := _gate(step, steps, parameters))), None),
        mlflow=(document.get("MlflowConfig") or {}).get("MlflowResourceArn"),
        tuning={step["Name"]: read_search(step["Arguments"]) for step in steps if step["Type"] == "Tuning"},
    )


def _parameter(found: Mapping[str, Any]) -> Parameter:
    default = found.get("DefaultValue")
    return Parameter(
        name=found["Name"],
        type=found["Type"],
        default=None if default is None else str(default),
        allowed=tuple(found.get("EnumValues", ())),
    )


def _gate(
    step: Mapping[str, Any], steps: Sequence[Mapping[str, Any]], parameters: Mapping[str, Parameter]
) -> Gate | None:
    """The step as a gate, if one of its conditions is `number in a property file > threshold` (or `<`)."""
    if step["Type"] != "Condition":
        return None
    gate, verdict_file = None, None
    for condition in step["Arguments"].get("Conditions", []):
        found = _property_file(condition.get("LeftValue"), steps)
        if found is None:
            continue
        measured_by, file, path = found
        if condition["Type"] in (*_ABOVE, *_BELOW) and gate is None:
            parameter = _parameter_name(condition.get("RightValue"))
            declared = parameters.get(parameter) if parameter else None
            gate = Gate(
                step=step["Name"],
                metric=next((key for key in reversed(path) if key != "value"), "metric"),
                metric_step=measured_by,
                output=file["OutputName"],
                file=file["FilePath"],
                path=path,
                threshold=_number(declared.default if declared else condition.get("RightValue")),
                threshold_parameter=parameter,
                higher_is_better=condition["Type"] in _ABOVE,
            )
        elif condition["Type"] == "Equals" and path == ("verdict",):
            verdict_file = file["FilePath"]
    return None if gate is None else replace(gate, verdict_file=verdict_file)


def _property_file(
    value: object, steps: Sequence[Mapping[str, Any]]
) -> tuple[str, Mapping[str, Any], tuple[str, ...]] | None:
    """(step that writes it, its declaration, keys that lead to the value), if a JsonGet reads one."""
    if not isinstance(value, dict) or "Std:JsonGet" not in value:
        return None
    reference = value["Std:JsonGet"].get("PropertyFile", {}).get("Get", "")
    named = re.fullmatch(r"Steps\.([^.]+)\.PropertyFiles\.(.+)", reference)
    for step in steps if named else ():
        for file in step.get("PropertyFiles", []) if named and step["Name"] == named.group(1) else []:
            if named and file["PropertyFileName"] == named.group(2):
                path = tuple(re.findall(r"[^.\[\]'\"]+", value["Std:JsonGet"]["Path"]))
                return step["Name"], file, path
    return None


def _parameter_name(value: object) -> str | None:
    reference = value.get("Get", "") if isinstance(value, dict) else ""
    scope, _, name = reference.partition(".")
    return name if scope == "Parameters" else None


def _number(value: object) -> float | None:
    try:
        return float(value) if isinstance(value, str | int | float) else None
    except ValueError:
        return None
