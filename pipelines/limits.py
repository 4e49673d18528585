"""What AWS would refuse, found when the definition is compiled.

SageMaker takes a definition whose steps cannot run: a container argument that is too long or an
instance type that does not exist fails hours later, when its step starts. So every step's arguments
are checked here against the shapes of the operation that the step stands for, as botocore knows
them: types, required members, lengths, ranges, patterns, enums. Parameters count with their default
values; what is only known when the pipeline runs is left out.

The document's own limits are those of "Amazon SageMaker Pipelines quotas" in the AWS General
Reference, and of the shapes that botocore has for them.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.errors import GatehouseError
from pipelines.service_models import service_model

OPERATIONS = {
    "Processing": "CreateProcessingJob",
    "Training": "CreateTrainingJob",
    "RegisterModel": "CreateModelPackage",
}
"""Step type -> the operation whose request its arguments are."""

_NAMED_BY_PIPELINES = {"ProcessingJobName", "TrainingJobName"}
_STEPS, _PARAMETERS = 50, 200
_VARIABLES = {"Get", "Std:Join", "Std:JsonGet"}


class _Unknown:
    """A value that exists only when the pipeline runs."""


_UNKNOWN = _Unknown()


def check_definition(text: str) -> None:
    """Check a definition document, JSON of version 2020-12-01.

    Raises:
        GatehouseError: for the first thing that AWS would refuse; it names the step, the argument and
            the limit.
    """
    _check_text(text, "PipelineDefinition", "the definition")
    document = json.loads(text)
    parameters = document["Parameters"]
    if len(parameters) > _PARAMETERS:
        raise _too_many("the definition", len(parameters), "parameters", _PARAMETERS)
    for parameter in parameters:
        _check_text(parameter["Name"], "PipelineParameterName", f"parameter {parameter['Name']}: its name")
    steps = list(all_steps(document))
    if len(steps) > _STEPS:
        raise _too_many("the definition", len(steps), "steps", _STEPS)
    defaults = {item["Name"]: item["DefaultValue"] for item in parameters if "DefaultValue" in item}
    for step in steps:
        _check_step(step, defaults)


def check_pipeline(name: str, description: str, tags: Mapping[str, str]) -> None:
    """Check what stands beside the definition in CreatePipeline and names the model package group.

    Raises:
        GatehouseError: as ``check_definition``.
    """
    _check_text(name, "EntityName", f"the name {name}")
    _check_text(description, "PipelineDescription", "the description")
    _check(_shape("TagList"), [{"Key": key, "Value": value} for key, value in tags.items()], "tags")


def all_steps(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every step of a definition in order, those inside of conditions included."""
    for step in document["Steps"]:
        yield step
        if step["Type"] == "Condition":
            for branch in ("IfSteps", "ElseSteps"):
                yield from all_steps({"Steps": step["Arguments"][branch]})


def resolved(value: Any, defaults: Mapping[str, Any]) -> Any:
    """A copy of a step's arguments with each parameter replaced by its default value.

    What a default cannot decide (another step's output, an execution's id) stays as it is.
    """
    if isinstance(value, list):
        return [resolved(item, defaults) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"Get"}:
        kind, _, name = value["Get"].partition(".")
        return defaults[name] if kind == "Parameters" and name in defaults else value
    if value.keys() == {"Std:Join"}:
        parts = [resolved(part, defaults) for part in value["Std:Join"]["Values"]]
        on = value["Std:Join"]["On"]
        if any(isinstance(part, dict) for part in parts):
            return {"Std:Join": {"On": on, "Values": parts}}
        return on.join(str(part) for part in parts)
    return {key: resolved(item, defaults) for key, item in value.items()}


def _check_step(step: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
    where = f"step {step['Name']}"
    _check_text(step["Name"], "StepName", f"{where}: its name")
    _check_text(step.get("DisplayName", ""), "StepDisplayName", f"{where}: DisplayName")
    _check_text(step.get("Description", ""), "StepDescription", f"{where}: Description")
    operation = OPERATIONS.get(step["Type"])
    if operation is not None:
        shape = service_model("sagemaker").operation_model(operation).input_shape
        _check(shape, resolved(step["Arguments"], defaults), f"{where}: ")


def _check(shape: Any, value: Any, where: str) -> None:
    """One value against its shape, and everything inside of it."""
    if isinstance(value, dict) and value.keys() <= _VARIABLES and len(value) == 1:
        return
    kind = shape.type_name
    expected = _TYPES[kind]
    if not isinstance(value, expected) or (isinstance(value, bool) and kind != "boolean"):
        raise _refused(where, f"{_shown(value)} is not {_WORDS[kind]}", f"Give {_WORDS[kind]}")
    if kind == "structure":
        _check_structure(shape, value, where)
    elif kind == "list":
        _check_size(shape, len(value), where, "entries")
        for position, item in enumerate(value):
            _check(shape.member, item, f"{where}[{position}]")
    elif kind == "map":
        _check_size(shape, len(value), where, "entries")
        for key, item in value.items():
            _check(shape.key, key, f"{where}: key {key!r}")
            _check(shape.value, item, f"{where}.{key}")
    elif kind == "string":
        _check_string(shape, value, where)
    elif kind in ("integer", "long"):
        _check_size(shape, value, where, "")


def _check_structure(shape: Any, value: Mapping[str, Any], where: str) -> None:
    separator = "" if where.endswith(": ") else "."
    for name in value:
        if name not in shape.members:
            raise _refused(where, f"{shape.name} has no member {name}", f"It has: {', '.join(shape.members)}")
    for name in shape.required_members:
        if name not in value and name not in _NAMED_BY_PIPELINES:
            raise _refused(where, f"{shape.name} needs the member {name}", "Add it")
    for name, item in value.items():
        _check(shape.members[name], item, f"{where}{separator}{name}")


def _check_string(shape: Any, value: str, where: str) -> None:
    _check_size(shape, len(value), where, "characters")
    if shape.enum and value not in shape.enum:
        listed = ", ".join(shape.enum[:12]) + (", ..." if len(shape.enum) > 12 else "")
        raise _refused(where, f"{_shown(value)} is not a value that AWS knows", f"It knows: {listed}")
    pattern = _pattern(shape.metadata.get("pattern", ".*"))
    if pattern is not None and not pattern.fullmatch(value):
        raise _refused(
            where,
            f"{_shown(value)} has characters or a form that AWS refuses",
            f"It must match {shape.metadata['pattern']}",
        )


def _check_size(shape: Any, size: int, where: str, unit: str) -> None:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    has = f"it has {size} {unit}" if unit else f"it is {size}"
    if most is not None and size > most:
        raise _refused(where, f"{has}, at most {most} {'are' if unit else 'is'} allowed", "Make it smaller")
    if least is not None and size < least:
        raise _refused(where, f"{has}, at least {least} {'are' if unit else 'is'} needed", "Make it larger")


def _check_text(text: str, shape_name: str, where: str) -> None:
    _check_string(_shape(shape_name), text, where)


_TYPES: dict[str, Any] = {
    "structure": dict,
    "map": dict,
    "list": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "long": int,
    "float": (int, float),
    "double": (int, float),
}
_WORDS = {
    "structure": "an object",
    "map": "an object",
    "list": "a list",
    "string": "a string",
    "boolean": "true or false",
    "integer": "a whole number",
    "long": "a whole number",
    "float": "a number",
    "double": "a number",
}


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _refused(where: str, what: str, remedy: str) -> GatehouseError:
    return GatehouseError(what, where=where.removesuffix(": "), remedy=remedy)


def _too_many(where: str, count: int, things: str, most: int) -> GatehouseError:
    return _refused(where, f"it has {count} {things}, at most {most} are allowed", "Make it smaller")


# AWS writes Unicode properties, which Python's `re` does not know. What stands for them here is wider.
_PROPERTIES = {
    r"\p{L}": r"\w",
    r"\p{M}": r"\w",
    r"\p{N}": r"\w",
    r"\p{Alnum}": r"\w",
    r"\p{Z}": r"\s",
    r"\p{P}": r"!-/:-@\[-`{-~\u0080-\uffff",
    r"\p{S}": r"!-/:-@\[-`{-~\u0080-\uffff",
}


@functools.lru_cache(maxsize=512)
def _pattern(text: str) -> re.Pattern[str] | None:
    """AWS's pattern for Python, None for the few that it cannot express."""
    for theirs, ours in _PROPERTIES.items():
        text = text.replace(theirs, ours)
    # CustomerMetadata's pattern ends in "${1,256}", where "{1,256}$" was meant; its length says the same.
    text = re.sub(r"\$\{\d+,\d+\}$", "", text)
    try:
        return re.compile(text, re.DOTALL)
    except re.error:
        return None


def _shape(name: str) -> Any:
    return service_model("sagemaker").shape_for(name)
