"""Evaluates a condition step's comparisons.

In come the step's Conditions and the scope, out comes the outcome. A comparison that has no answer
(NaN, a text beside a number, a value that is not there) raises, so that the step fails and says what it
found: were it silently False, a broken metric file would look like a bad model. Two texts are ordered as
texts: "10" is less than "9".
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from aws_formats.definition_language import LanguageError, Scope, is_expression, origin, resolve

_ORDERINGS = {
    "GreaterThan": lambda left, right: left > right,
    "GreaterThanOrEqualTo": lambda left, right: left >= right,
    "LessThan": lambda left, right: left < right,
    "LessThanOrEqualTo": lambda left, right: left <= right,
}
TYPES = ("Equals", *_ORDERINGS, "In", "Not", "Or")


def check_condition(condition: Any) -> None:
    """Whether a condition is well-formed; raises LanguageError that says what is missing."""
    kind = condition.get("Type") if isinstance(condition, dict) else None
    if kind not in TYPES:
        raise LanguageError(
            f"{json.dumps(condition)} is no condition: Type must be one of {', '.join(TYPES)}."
        )
    for name in _members(kind):
        if name not in condition:
            raise LanguageError(f"A condition of type {kind} needs {name}: {json.dumps(condition)}.")
    for nested in _nested(condition):
        check_condition(nested)
    if kind == "In" and not isinstance(condition["Values"], list):
        raise LanguageError(f"A condition of type In needs a list of Values: {json.dumps(condition)}.")


def evaluate_all(conditions: list[Any], scope: Scope) -> bool:
    """A condition step's outcome: whether every one of its conditions holds.

    Every condition is evaluated even if one before it does not hold, so that a broken value is always
    reported.
    """
    outcomes = [evaluate(condition, scope) for condition in conditions]
    return all(outcomes)


def evaluate(condition: dict[str, Any], scope: Scope) -> bool:
    """Whether one condition holds; raises LanguageError where that has no answer."""
    kind = condition["Type"]
    if kind == "Not":
        return not evaluate(condition["Condition"], scope)
    if kind == "Or":
        outcomes = [evaluate(one, scope) for one in condition["Conditions"]]
        return any(outcomes)
    if kind == "In":
        return _among(condition, scope)
    left, right = (resolve(condition[name], scope) for name in ("LeftValue", "RightValue"))
    if kind == "Equals":
        return _equal(left, right, condition, scope)
    both_texts = isinstance(left, str) and isinstance(right, str)
    for side, name in ((left, "LeftValue"), (right, "RightValue")):
        if not _is_number(side) and not both_texts:
            raise LanguageError(
                f"{kind} needs a number as {name}, but {_found(side, condition[name], scope)}."
            )
    return bool(_ORDERINGS[kind](left, right))


def _among(condition: dict[str, Any], scope: Scope) -> bool:
    query = resolve(condition["QueryValue"], scope)
    expressions = condition["Values"]
    candidates = [resolve(one, scope) for one in expressions]
    if any(_same_type(query, one) and query == one for one in candidates):
        return True
    for expression, candidate in zip(expressions, candidates, strict=True):
        _check_comparable("In", query, candidate, (condition["QueryValue"], expression), scope)
    return False


def _equal(left: Any, right: Any, condition: dict[str, Any], scope: Scope) -> bool:
    _check_comparable("Equals", left, right, (condition["LeftValue"], condition["RightValue"]), scope)
    return bool(left == right)


def _check_comparable(kind: str, left: Any, right: Any, expressions: tuple[Any, Any], scope: Scope) -> None:
    for value, expression in zip((left, right), expressions, strict=True):
        if not isinstance(value, str | bool) and not _is_number(value):
            raise LanguageError(
                f"{kind} compares texts, numbers and booleans, but {_found(value, expression, scope)}."
            )
    if not _same_type(left, right):
        both = f"{_found(left, expressions[0], scope)}, and {_found(right, expressions[1], scope)}"
        raise LanguageError(f"{kind} compares values of one type, but {both}.")


def _same_type(left: Any, right: Any) -> bool:
    if _is_number(left):
        return _is_number(right)
    return type(left) is type(right) and isinstance(left, str | bool)


def _is_number(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)


def _found(value: Any, expression: Any, scope: Scope) -> str:
    if isinstance(value, str):
        what = f"the text {json.dumps(value)}"
    elif value is None:
        what = "null"
    elif isinstance(value, bool):
        what = f"the boolean {json.dumps(value)}"
    elif _is_number(value):
        what = f"the number {value}"
    elif isinstance(value, float):
        what = f"{value}, which is no finite number"
    else:
        what = "an object" if isinstance(value, dict) else "a list"
    return f"{origin(expression, scope)} holds {what}" if is_expression(expression) else f"{what} is given"


def _members(kind: str) -> tuple[str, ...]:
    if kind == "In":
        return ("QueryValue", "Values")
    return {"Not": ("Condition",), "Or": ("Conditions",)}.get(kind, ("LeftValue", "RightValue"))


def _nested(condition: dict[str, Any]) -> Iterator[Any]:
    if condition["Type"] == "Not":
        yield condition["Condition"]
    elif condition["Type"] == "Or":
        if not isinstance(condition["Conditions"], list) or not condition["Conditions"]:
            raise LanguageError(
                f"A condition of type Or needs a list of Conditions: {json.dumps(condition)}."
            )
        yield from condition["Conditions"]
