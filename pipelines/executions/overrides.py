"""Parameters given on the command line, checked against what the definition declares.

SageMaker takes every value as a string and refuses a bad one only when it is used, in its own words;
here a mistake is found before anything starts.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping, Sequence

from pydantic import ValidationError

from aws_formats.errors import GatehouseError
from pipelines.definition.dataset import UNVERSIONED, Dataset
from pipelines.definition.limits import check_text
from pipelines.executions.outline import Outline, Parameter
from pipelines.settings.complaints import explained
from pipelines.settings.hyperparameters import problems_of_text
from pipelines.settings.project import AtStart, Project, Training
from pipelines.settings.tables import Table, which_one
from registry.model_quality import metric_kind
from training.hyperparameters import PARAMETERS

_SETTINGS: dict[str, tuple[type[Table], str]] = {
    name: (table, key) for table in (Project, Training) for name, key in AtStart.keys(table).items()
}
"""The settings that parameters have as defaults, and so their bounds."""

_INSTANCE_TYPES = {
    "processing_instance_type": "ProcessingInstanceType",
    "training_instance_type": "TrainingInstanceType",
}
"""Setting -> the shape whose values it may have."""

REGISTER_AGAIN = "RegisterAgain"
"""The parameter; a pipeline whose settings say that it always registers has none."""

_DATA = "InputDataUri"

_WORDS = {"Integer": "a whole number", "Float": "a number", "Boolean": "true or false"}


def check_overrides(outline: Outline, overrides: Mapping[str, str], pipeline: str) -> dict[str, str]:
    """The overrides as SageMaker takes them.

    Raises:
        GatehouseError: an unknown name, a value of the wrong type or outside the allowed ones, or a
            threshold of the gate outside 0..1.
    """
    return {
        name: _checked(_declared(outline, name, pipeline), value, outline, pipeline)
        for name, value in overrides.items()
    }


def with_dataset(overrides: Mapping[str, str], dataset: Dataset) -> dict[str, str]:
    """The overrides and the parameters that name the data: the project's own, unless another is given.

    A version belongs to its data, so data that comes from elsewhere without one is unversioned.
    """
    if _DATA in overrides:
        return {"DatasetVersion": UNVERSIONED, **overrides}
    return {_DATA: dataset.uri, "DatasetVersion": dataset.version, **overrides}


def check_steps(outline: Outline, names: Sequence[str], pipeline: str) -> None:
    """Whether the pipeline has all of these steps.

    Raises:
        GatehouseError: it has not; with the nearest name.
    """
    known = [step.name for step in outline.steps]
    for name in names:
        if name not in known:
            raise GatehouseError(
                f"there is no step {name!r}",
                where=f"pipeline {pipeline}",
                remedy=which_one(name, known, "steps"),
            )


def check_experiment(outline: Outline, experiment: str | None, pipeline: str) -> None:
    """Whether a start can name this MLflow experiment.

    Raises:
        GatehouseError: the pipeline names no MLflow server, or the name is empty or too long.
    """
    if experiment is None:
        return
    if outline.mlflow is None:
        raise GatehouseError(
            f"the definition names no MLflow server, so there is no place for the experiment {experiment!r}",
            where=f"pipeline {pipeline}",
            remedy="Set mlflow in the project's table and upsert, or leave --mlflow-experiment out",
        )
    if not 1 <= len(experiment) <= 256:
        raise GatehouseError(
            f"an experiment's name of {len(experiment)} characters",
            where="--mlflow-experiment",
            remedy="Give it 1 to 256 characters",
        )


def with_registration(overrides: Mapping[str, str], outline: Outline, again: bool) -> dict[str, str]:
    """The overrides, and that a model is registered even if the newest version is the same, if `again`."""
    is_asked = again and REGISTER_AGAIN in outline.parameters
    return {**overrides, **({REGISTER_AGAIN: "true"} if is_asked else {})}


def _declared(outline: Outline, name: str, pipeline: str) -> Parameter:
    if name in outline.parameters:
        return outline.parameters[name]
    _check_untuned(outline, name, pipeline)
    folded = {known.lower(): known for known in outline.parameters}
    near = difflib.get_close_matches(name.lower(), folded, n=1)
    raise GatehouseError(
        f"there is no parameter {name!r}",
        where=f"pipeline {pipeline}",
        remedy=f"Did you mean {folded[near[0]]}?" if near else f"It has: {', '.join(outline.parameters)}",
    )


def _check_untuned(outline: Outline, name: str, pipeline: str) -> None:
    """Raises GatehouseError for a hyperparameter that is tuned: it has a range in place of a parameter."""
    tuned = {one.name for search in outline.tuning.values() for one in search.ranges}
    for known, (_, key) in _SETTINGS.items():
        if key in tuned and name.lower() == known.lower():
            raise GatehouseError(
                f"{known} is tuned, so a start cannot set it",
                where=f"pipeline {pipeline}",
                remedy=f"Take the range of {key} out of tuning.ranges and upsert, or leave {known} out",
            )


def _checked(parameter: Parameter, value: str, outline: Outline, pipeline: str) -> str:
    where = f"pipeline {pipeline}, parameter {parameter.name}"
    try:
        value = _of_type(parameter.type, value)
    except ValueError as error:
        raise GatehouseError(
            f"{value!r} is not {_WORDS[parameter.type]}", where=where, remedy=_example(parameter)
        ) from error
    if parameter.allowed and value not in parameter.allowed:
        raise GatehouseError(
            f"{value!r} is not allowed", where=where, remedy=f"Use one of: {', '.join(parameter.allowed)}"
        )
    _check_bounds(parameter, value, where)
    queries = any(step.name == "QueryData" for step in outline.steps)
    if parameter.name == _DATA and not (queries and value == ""):  # which has the query run
        check_text(value, "S3Uri", where)
    gate = outline.gate
    if gate and gate.threshold_parameter == parameter.name:
        kind = metric_kind(gate.metric)
        largest = kind.largest
        if float(value) < 0 or (largest is not None and float(value) > largest):
            remedy = (
                f"Use a number from 0 to {largest:g}" if largest is not None else "Use a number from 0 on"
            )
            raise GatehouseError(
                f"{value} is not a threshold for the gate's metric, {kind.label}", where=where, remedy=remedy
            )
    return value


def _check_bounds(parameter: Parameter, value: str, where: str) -> None:
    """What the settings would refuse as the default is refused here, not when its step starts."""
    if parameter.name not in _SETTINGS:
        return
    model, key = _SETTINGS[parameter.name]
    typed = {"Integer": int, "Float": float}.get(parameter.type, str)(value)
    try:
        model.model_validate({key: typed})
    except ValidationError as error:
        for detail in error.errors():
            if detail["loc"] == (key,):
                what, remedy = explained(detail, model)
                raise GatehouseError(what, where=where, remedy=remedy) from error
    if key in _INSTANCE_TYPES:
        check_text(value, _INSTANCE_TYPES[key], where)
    if model is Training and key in PARAMETERS:
        for problem in problems_of_text((key,), value):
            raise GatehouseError(problem.what, where=where, remedy=problem.remedy)


def _of_type(kind: str, value: str) -> str:
    """The value in the form SageMaker expects; ValueError if it is not of that type."""
    if kind in ("Integer", "Float") and not re.fullmatch(r"\s*[-+0-9.eE]+\s*", value):
        raise ValueError(value)  # Python also takes 1_000 and other scripts' digits; AWS does not
    if kind == "Integer":
        return str(int(value))
    if kind == "Float":
        if not math.isfinite(float(value)):
            raise ValueError(value)
        return value.strip()
    if kind == "Boolean":
        if value.lower() not in ("true", "false"):
            raise ValueError(value)
        return value.lower()
    return value


def _example(parameter: Parameter) -> str | None:
    return None if parameter.default is None else f"Its default is {parameter.default}"
