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

import json
from collections.abc import Mapping
from typing import Any

from aws_formats.definition_language import all_steps, fill_in, is_expression
from aws_formats.errors import GatehouseError
from aws_formats.service_models import service_model
from aws_formats.shapes import Entry, Item, Member, Path, Problem, check
from pipelines.settings.tables import nearest

OPERATIONS = {
    "Processing": "CreateProcessingJob",
    "Training": "CreateTrainingJob",
    "Tuning": "CreateHyperParameterTuningJob",
    "RegisterModel": "CreateModelPackage",
}
"""Step type -> the operation whose request its arguments are."""

_NAMED_BY_PIPELINES = {(Member("ProcessingJobName"),), (Member("TrainingJobName"),)}
_STEPS, _PARAMETERS = 50, 200


def check_definition(text: str) -> None:
    """Check a definition document, JSON of version 2020-12-01.

    Raises:
        GatehouseError: for the first thing that AWS would refuse; it names the step, the argument and
            the limit.
    """
    check_text(text, "PipelineDefinition", "the definition")
    document = json.loads(text)
    parameters = document["Parameters"]
    if len(parameters) > _PARAMETERS:
        raise _too_many("the definition", len(parameters), "parameters", _PARAMETERS)
    for parameter in parameters:
        check_text(parameter["Name"], "PipelineParameterName", f"parameter {parameter['Name']}: its name")
    if document["MlflowConfig"] is not None:
        _check(_shape("MLflowConfiguration"), document["MlflowConfig"], "MlflowConfig")
    steps = list(all_steps(document["Steps"]))
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
    check_text(name, "EntityName", f"the name {name}")
    check_text(description, "PipelineDescription", "the description")
    _check(_shape("TagList"), [{"Key": key, "Value": value} for key, value in tags.items()], "tags")


def _check_step(step: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
    where = f"step {step['Name']}"
    check_text(step["Name"], "StepName", f"{where}: its name")
    check_text(step.get("DisplayName", ""), "StepDisplayName", f"{where}: DisplayName")
    check_text(step.get("Description", ""), "StepDescription", f"{where}: Description")
    operation = OPERATIONS.get(step["Type"])
    if operation is not None:
        shape = service_model("sagemaker").operation_model(operation).input_shape
        _check(shape, fill_in(step["Arguments"], defaults), where)


def check_text(text: str, shape_name: str, where: str) -> None:
    """Check a text against one of SageMaker's shapes, e.g. ``TrainingInstanceType``.

    Raises:
        GatehouseError: at `where`, as ``check_definition``.
    """
    _check(_shape(shape_name), text, where)


def _check(shape: Any, value: Any, where: str) -> None:
    """Raises for the first problem of a value that does not come from the pipeline's own run."""
    _, problems = check(shape, value, is_expression)
    for problem in problems:
        if problem.constraint != "missing" or problem.path not in _NAMED_BY_PIPELINES:
            # A member that is wrong by itself is named in the sentence, after the structure's own place.
            is_member = problem.constraint in ("unknown", "missing")
            path = problem.path[:-1] if is_member else problem.path
            raise _refused(f"{where}{_in_words(path)}", *_sentences(problem))


def _in_words(path: Path) -> str:
    """E.g. ``: ResourceConfig.InstanceType`` or ``: ContainerArguments[2]``; nothing for the value itself."""
    words = ""
    for part in path:
        if isinstance(part, Item):
            words += f"[{part.position}]"
        elif isinstance(part, Entry) and part.is_key:
            words += f": key {part.key!r}"
        else:
            words += f".{part.key if isinstance(part, Entry) else part.name}"
    return f": {words.removeprefix('.')}" if words and not words.startswith((":", "[")) else words


def _sentences(problem: Problem) -> tuple[str, str]:
    """What is wrong, and what to do."""
    shape, shown = problem.shape, _shown(problem.value)
    name = problem.path[-1].name if problem.path and isinstance(problem.path[-1], Member) else ""
    match problem.constraint:
        case "type":
            return f"{shown} is not {problem.wanted}", f"Give {problem.wanted}"
        case "unknown":
            return f"{shape.name} has no member {name}", f"It has: {', '.join(shape.members)}"
        case "missing":
            return f"{shape.name} needs the member {name}", "Add it"
        case "enum":
            listed = ", ".join(shape.enum[:12]) + (", ..." if len(shape.enum) > 12 else "")
            close = nearest(problem.value, shape.enum)
            remedy = f"Did you mean {close[0]}?" if close else f"It knows: {listed}"
            return f"{shown} is not a value that AWS knows", remedy
        case "pattern":
            wanted = f"It must match {shape.metadata['pattern']}"
            return f"{shown} has characters or a form that AWS refuses", wanted
    unit = {"string": "characters"}.get(shape.type_name, "entries")
    has, verb = (
        (f"it has {problem.size} {unit}", "are")
        if problem.constraint == "length"
        else (f"it is {problem.value}", "is")
    )
    if problem.is_least:
        return f"{has}, at least {problem.limit} {verb} needed", "Make it larger"
    return f"{has}, at most {problem.limit} {verb} allowed", "Make it smaller"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _refused(where: str, what: str, remedy: str) -> GatehouseError:
    return GatehouseError(what, where=where, remedy=remedy)


def _too_many(where: str, count: int, things: str, most: int) -> GatehouseError:
    return _refused(where, f"it has {count} {things}, at most {most} are allowed", "Make it smaller")


def _shape(name: str) -> Any:
    return service_model("sagemaker").shape_for(name)
