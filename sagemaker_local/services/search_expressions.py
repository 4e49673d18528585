"""Whether a resource is what a Search looks for: the language of ``SearchExpression``.

Properties are those of botocore's ``SearchRecord``, by a path with points: ``TrainingJobName``,
``HyperParameters.eta``, ``InputDataConfig.DataSource.S3DataSource.S3Uri``. Besides there are ``Tags.KEY``
and, of training jobs, ``Metrics.NAME``. A path through a list means any of its items; a nested filter means
one item that meets all of its filters.
"""

from __future__ import annotations

import datetime
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.model import Shape

from sagemaker_local.errors import validation_error

Document = Mapping[str, Any]
_ORDERINGS: dict[str, Callable[[Any, Any], bool]] = {
    "GreaterThan": operator.gt,
    "GreaterThanOrEqualTo": operator.ge,
    "LessThan": operator.lt,
    "LessThanOrEqualTo": operator.le,
}
_NUMBERS = ("integer", "long", "float", "double")
_MOST_CONTAINS = 1


@dataclass(frozen=True)
class Property:
    """What a name means for one kind of resource.

    Attributes:
        values: of a resource; several where the path goes through a list, none where there is none.
        kind: text, number, timestamp or boolean.
    """

    name: str
    values: Callable[[Document], list[Any]]
    kind: str


def find_property(name: str, shape: Shape) -> Property:
    """A property of resources of a shape.

    Raises:
        AwsError: they have none of that name.
    """
    head, _, key = name.partition(".")
    if key and head == "Tags":
        return Property(
            name, lambda it: [tag["Value"] for tag in it.get("Tags", []) if tag["Key"] == key], "text"
        )
    if key and head == "Metrics" and "FinalMetricDataList" in shape.members:
        member = "FinalMetricDataList"
        return Property(
            name,
            lambda it: [one["Value"] for one in it.get(member, []) if one["MetricName"] == key],
            "number",
        )
    parts, found = [], shape
    rest = name
    while rest:
        part, _, after = rest.partition(".")
        while found.type_name == "list":
            found = found.member
        if found.type_name == "structure" and part in found.members:
            found = found.members[part]
        elif found.type_name == "map":
            part, after, found = rest, "", found.value
        else:
            raise validation_error(f"Unknown property name: {name}")
        parts.append(part)
        rest = after
    while found.type_name == "list":
        found = found.member
    kind = "number" if found.type_name in _NUMBERS else found.type_name
    return Property(name, lambda it: list(_along(it, parts)), "text" if kind == "string" else kind)


def _along(value: Any, parts: list[str]) -> Iterator[Any]:
    if isinstance(value, list):
        for item in value:
            yield from _along(item, parts)
    elif not parts:
        yield value
    elif isinstance(value, dict) and value.get(parts[0]) is not None:
        yield from _along(value[parts[0]], parts[1:])


def compile_expression(expression: Document, shape: Shape) -> Callable[[Document], bool]:
    """A function that says whether a resource meets an expression.

    Raises:
        AwsError: a property is unknown, or a value is not of its kind.
    """
    if _contains(expression) > _MOST_CONTAINS:
        raise validation_error("'CONTAINS' operator usage limit of 1 exceeded.")
    return _compiled(expression, shape)


def _contains(expression: Document) -> int:
    filters = [*expression.get("Filters", [])]
    filters += [one for nested in expression.get("NestedFilters", []) for one in nested["Filters"]]
    own: int = sum(one.get("Operator") == "Contains" for one in filters)
    return own + sum(map(_contains, expression.get("SubExpressions", [])))


def _compiled(expression: Document, shape: Shape) -> Callable[[Document], bool]:
    checks = [
        *(_filter(one, shape) for one in expression.get("Filters", [])),
        *(_nested(one, shape) for one in expression.get("NestedFilters", [])),
        *(_compiled(one, shape) for one in expression.get("SubExpressions", [])),
    ]
    combine = any if expression.get("Operator") == "Or" and checks else all
    return lambda it: combine(check(it) for check in checks)


def _nested(given: Document, shape: Shape) -> Callable[[Document], bool]:
    parts, found = given["NestedPropertyName"].split("."), shape
    for part in parts:
        if found.type_name != "structure" or part not in found.members:
            raise validation_error(f"Unknown property name: {given['NestedPropertyName']}")
        found = found.members[part]
    if found.type_name != "list":
        raise validation_error(
            f"{given['NestedPropertyName']} is no list: nested filters are about its items."
        )
    prefix = f"{given['NestedPropertyName']}."
    checks = [
        _filter({**one, "Name": one["Name"].removeprefix(prefix)}, found.member) for one in given["Filters"]
    ]
    return lambda it: any(all(check(item) for check in checks) for item in _along(it, parts))


def _filter(given: Document, shape: Shape) -> Callable[[Document], bool]:
    wanted = find_property(given["Name"], shape)
    name, value = given.get("Operator", "Equals"), given.get("Value")
    if name == "Exists":
        return lambda it: bool(wanted.values(it))
    if name == "NotExists":
        return lambda it: not wanted.values(it)
    if value is None:
        raise validation_error(f"The filter on {wanted.name} needs a Value for {name}.")
    if name in _ORDERINGS:
        order, bound = _ORDERINGS[name], _bound(wanted, value)
        return lambda it: any(order(number, bound) for number in _numbers(wanted, it))
    if name in ("Contains", "In"):
        if wanted.kind != "text":
            raise validation_error(f"{name} is for texts; {wanted.name} is a {wanted.kind}.")
        if name == "Contains":
            return lambda it: any(value in found for found in wanted.values(it))
        choices = value.split(",")
        return lambda it: any(found in choices for found in wanted.values(it))
    equal = _equality(wanted, value)
    return equal if name == "Equals" else lambda it: not equal(it)


def _equality(wanted: Property, value: str) -> Callable[[Document], bool]:
    if wanted.kind == "text":
        return lambda it: value in wanted.values(it)
    if wanted.kind == "boolean":
        return lambda it: (value.lower() == "true") in wanted.values(it)
    bound = _bound(wanted, value)
    return lambda it: bound in wanted.values(it)


def _bound(wanted: Property, value: str) -> float:
    """A filter's value as a number; hyperparameters and the like are texts that may be numbers."""
    try:
        if wanted.kind != "timestamp":
            return float(value)
        found = datetime.datetime.fromisoformat(value)
    except ValueError as error:
        what = "time such as 2026-01-31T12:00:00" if wanted.kind == "timestamp" else "number"
        raise validation_error(f"The value {value!r} for {wanted.name} is no {what}.") from error
    return (found if found.tzinfo else found.replace(tzinfo=datetime.UTC)).timestamp()


def _numbers(wanted: Property, it: Document) -> Iterator[float]:
    for found in wanted.values(it):
        try:
            yield float(found)
        except (TypeError, ValueError):
            continue
