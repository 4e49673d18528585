"""A row for the version that serves in an environment: the form for it, and what the version answers.

The form is made of the schema in the artifact that serves, so it asks for exactly what the model reads, and
the version's own sample fills it in. Values are sent as the texts that were typed, in JSON: the serving code
reads them as it reads a CSV, so dates and decimal commas are written as in the project's data. The request
asks for contributions; a version that was made before there were any answers without them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aws_formats.errors import GatehouseError
from pipelines.settings.environments import resolve_environment
from pipelines.settings.project import Project
from registry.environment_state import Endpoint, read_endpoint
from registry.environments import Environment
from registry.invocations import JSON, WITH_CONTRIBUTIONS, Payload, RowsRefused, send
from registry.model_packages import describe_arn
from registry.sample_payload import read_sample
from registry.version_schema import Feature, VersionSchema, read_schema, rows_of
from studio.source import Source

_MOST_OPTIONS = 30
_MOST_CHOICES = 2000
"""Categories that a form names, of all its fields together: a page stays small however many there are."""

_MOST_BARS = 15
BAR_WIDTH = 220
"""Pixels of the line on which a contribution is drawn, whose middle is zero."""


@dataclass(frozen=True)
class Field:
    """A field of the form.

    Attributes:
        name: in the form, since a column may have any name.
        value: as a text; empty where there is none.
        options: all that can be chosen; none where anything can be typed.
        suggestions: of what can be typed.
        hint: how it is written, in a few words.
        problem: why the version refuses the value.
        note: what the version makes of the value, if that is not to be expected.
    """

    feature: Feature
    name: str
    value: str
    options: tuple[str, ...]
    suggestions: tuple[str, ...]
    hint: str
    problem: str = ""
    note: str = ""


@dataclass(frozen=True)
class RowForm:
    """The form for one row.

    Attributes:
        version: the number of the version that serves.
        task, target: of the version's schema.
        samples: how many rows the version's sample has; ``sample`` is the one that fills the form in.
    """

    environment: Environment
    version: int
    task: str
    target: str
    fields: tuple[Field, ...]
    samples: int
    sample: int


@dataclass(frozen=True)
class Contribution:
    """How much one feature moved the answer; ``start`` and ``width`` place its bar, in pixels."""

    name: str
    value: str
    amount: float
    start: float
    width: float


@dataclass(frozen=True)
class Explained:
    """Contributions, the largest first.

    Attributes:
        of: the class that they speak for; None of a regression.
        rest: how many more there are, and their sum.
    """

    of: str | None
    base: float
    margin: float
    contributions: tuple[Contribution, ...]
    rest: tuple[int, float] | None


@dataclass(frozen=True)
class RowAnswer:
    """What the version answered.

    Attributes:
        sentence: the answer in words.
        probabilities: of each class, the likeliest first.
        explained: None of a version that gives no contributions.
    """

    sentence: str
    probabilities: tuple[tuple[str, float], ...]
    explained: Explained | None


def read_form(source: Source, project: Project, environment_name: str, sample: int) -> RowForm:
    """The form, filled in with a row of the version's sample (from 1), as far as it has one.

    Raises:
        GatehouseError: nothing that can be asked serves there.
    """
    target = source.target(project)
    environment = resolve_environment(project, target, environment_name)
    endpoint = read_endpoint(environment)
    version = _serving(environment, endpoint)
    assert endpoint is not None
    described = describe_arn(target, endpoint.packages[0])
    s3 = target.client("s3")
    schema = read_schema(s3, described)
    if schema is None:
        raise GatehouseError(
            f"version {version} has no schema in its artifact, so that no form can be made for it",
            remedy=f"Send it a file: `gatehouse invoke {project.name} --env {environment.name} --data FILE`",
        )
    rows = _sample_rows(s3, described.get("SamplePayloadUrl"), schema)
    number = min(max(1, sample), max(1, len(rows)))
    values = rows[number - 1] if rows else {}
    fields = _fields(schema.features, [values.get(feature.name, "") for feature in schema.features])
    return RowForm(environment, version, schema.task, schema.target, fields, len(rows), number)


def ask(form: RowForm, given: Mapping[str, str]) -> tuple[RowForm, RowAnswer | None]:
    """Send a row; the form with what was typed and what the version says to each value, and its answer.

    Raises:
        GatehouseError: the endpoint does not answer, or refuses the row and names no value.
    """
    texts = [given.get(field.name, "") for field in form.fields]
    typed = replace(form, fields=_fields([field.feature for field in form.fields], texts))
    row = {field.feature.name: field.value or None for field in typed.fields}
    payload = Payload(json.dumps(row).encode(), JSON, rows=1, first_row=1)
    try:
        [prediction] = send(form.environment, payload, WITH_CONTRIBUTIONS)
    except RowsRefused as refused:
        marked = tuple(_marked(field, refused.reason) for field in typed.fields)
        if not any(field.problem for field in marked):
            raise
        return replace(typed, fields=marked), None
    return typed, _answer(prediction, typed.fields)


def _serving(environment: Environment, endpoint: Endpoint | None) -> int:
    """The version that can be asked. Raises GatehouseError: there is none."""
    if endpoint is None:
        raise GatehouseError(f"nothing serves in {environment.name}", remedy="Deploy a version there first")
    if endpoint.status not in ("InService", "Updating", "SystemUpdating", "RollingBack"):
        raise GatehouseError(f"the endpoint {endpoint.name} is {endpoint.status}, and takes no requests")
    if endpoint.version is None:
        raise GatehouseError(f"nobody can say which version serves in {environment.name}")
    return endpoint.version


def _sample_rows(s3: Any, uri: str | None, schema: VersionSchema) -> tuple[dict[str, str], ...]:
    """The rows of the sample; none where it is gone or not the schema's: a form can be filled in by hand."""
    if uri is None:
        return ()
    try:
        return rows_of(read_sample(s3, uri), schema)
    except GatehouseError:
        return ()


def _fields(features: Sequence[Feature], values: Sequence[str]) -> tuple[Field, ...]:
    most = _MOST_CHOICES // max(1, sum(feature.kind == "category" for feature in features))
    pairs = zip(features, values, strict=True)
    return tuple(_field(place, feature, value, most) for place, (feature, value) in enumerate(pairs))


def _field(place: int, feature: Feature, value: str, most: int) -> Field:
    """A field with a value; `most` categories may be named."""
    options: tuple[str, ...] = ()
    suggestions: tuple[str, ...] = ()
    hint, note = feature.kind, ""
    if feature.kind == "boolean":
        options = ("true", "false")
        value = {"1": "true", "0": "false"}.get(value, value.lower())
    elif feature.kind == "category":
        if len(feature.categories) <= min(_MOST_OPTIONS, most):
            options = feature.categories
        suggestions = feature.categories[:most]
        if value and value not in feature.categories:
            note = "not seen in training: the model takes it for a missing value"
    elif feature.kind == "timestamp":
        hint = f"timestamp, {feature.date_format or '2026-01-31 12:00:00'}"
    if options and value and value not in options:
        options = (*options, value)
    return Field(feature, f"f{place}", value, options, suggestions, hint, note=note)


def _marked(field: Field, reason: str) -> Field:
    """The field with the reason of the refusal, where the reason names its column."""
    begin = f"row 1, column {field.feature.name!r}: "
    return replace(field, problem=reason.removeprefix(begin)) if reason.startswith(begin) else field


def _answer(prediction: Mapping[str, Any], fields: Sequence[Field]) -> RowAnswer:
    explained = _explained(prediction.get("explanation"), fields)
    if "value" in prediction:
        return RowAnswer(f"{float(prediction['value']):.6g}", (), explained)
    found = prediction.get("probabilities")
    probabilities = (
        {str(name): float(value) for name, value in found.items()} if isinstance(found, dict) else {}
    )
    sentence = str(prediction.get("class", ""))
    if "probability" in prediction:
        sentence = f"{sentence}, with a probability of {percent(float(prediction['probability']))}"
    ordered = sorted(probabilities.items(), key=lambda pair: -pair[1])
    return RowAnswer(sentence, tuple(ordered), explained)


def percent(share: float) -> str:
    """A probability as people read it: never 0 % or 100 % unless it is."""
    if 0 < share < 0.0005:
        return "less than 0.1 %"
    if 0.9995 < share < 1:
        return "more than 99.9 %"
    return f"{share * 100:.1f} %"


def _explained(found: Any, fields: Sequence[Field]) -> Explained | None:
    if not isinstance(found, dict):
        return None
    amounts = {str(name): float(amount) for name, amount in found["contributions"].items()}
    largest = max(map(abs, amounts.values()), default=0.0) or 1.0
    values = {field.feature.name: field.value for field in fields}
    ordered = sorted(amounts, key=lambda name: -abs(amounts[name]))
    shown = [
        _placed(name, values.get(name, ""), amounts[name], largest)
        for name in ordered[:_MOST_BARS]
        if amounts[name]
    ]
    others = [amounts[name] for name in ordered[len(shown) :]]
    return Explained(
        of=found["of"],
        base=float(found["base"]),
        margin=float(found["margin"]),
        contributions=tuple(shown),
        rest=(len(others), math.fsum(others)) if others else None,
    )


def _placed(name: str, value: str, amount: float, largest: float) -> Contribution:
    middle = BAR_WIDTH / 2
    width = max(1.0, abs(amount) / largest * (middle - 2))
    start = middle if amount > 0 else middle - width
    return Contribution(name, value, amount, round(start, 1), round(width, 1))
