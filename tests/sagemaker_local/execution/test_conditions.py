from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_formats.definition_language import LanguageError, Scope
from sagemaker_local.execution.conditions import check_condition, evaluate, evaluate_all

NUMBERS = st.integers(-(10**6), 10**6) | st.floats(-1e6, 1e6)


def comparison(kind: str, left: Any, right: Any) -> dict[str, Any]:
    return {"Type": kind, "LeftValue": left, "RightValue": right}


def metric(path: str = "accuracy.value") -> dict[str, Any]:
    return {"Std:JsonGet": {"S3Uri": "s3://b/statistics.json", "Path": path}}


def reading(text: str) -> Scope:
    return Scope(parameters={"Threshold": 0.9}, read={"s3://b/statistics.json": text.encode()}.get)


@given(NUMBERS, NUMBERS)
def test_orderings_are_those_of_numbers(left: float, right: float) -> None:
    holds = {
        kind: evaluate(comparison(kind, left, right), Scope())
        for kind in ("Equals", "GreaterThan", "GreaterThanOrEqualTo", "LessThan", "LessThanOrEqualTo")
    }
    assert holds["Equals"] == (left == right)
    assert holds["GreaterThan"] == (left > right) == (not holds["LessThanOrEqualTo"])
    assert holds["LessThan"] == (left < right) == (not holds["GreaterThanOrEqualTo"])


def test_two_texts_are_ordered_as_texts() -> None:
    assert not evaluate(comparison("GreaterThan", "1", "3"), Scope())
    assert evaluate(comparison("GreaterThan", "9", "10"), Scope())
    assert evaluate(comparison("LessThanOrEqualTo", "a", "a"), Scope())


@pytest.mark.parametrize(
    ("value", "outcome"), [("0.8999999999999999", False), ("0.9", False), ("0.91", True)]
)
def test_a_strict_gate_is_shut_below_and_at_its_threshold(value: str, outcome: bool) -> None:
    gate = comparison("GreaterThan", metric(), {"Get": "Parameters.Threshold"})
    assert evaluate_all([gate], reading(f'{{"accuracy": {{"value": {value}}}}}')) is outcome


@pytest.mark.parametrize(
    "kind", ["Equals", "GreaterThan", "GreaterThanOrEqualTo", "LessThan", "LessThanOrEqualTo"]
)
@pytest.mark.parametrize(
    ("content", "found"),
    [
        ('{"accuracy": {"value": NaN}}', "nan"),
        ('{"accuracy": {"value": Infinity}}', "inf"),
        ('{"accuracy": {"value": "NaN"}}', 'the text "NaN"'),
        ('{"accuracy": {"value": "0.95"}}', 'the text "0.95"'),
        ('{"accuracy": {"value": null}}', "null"),
        ('{"accuracy": {"value": true}}', "the boolean true"),
        ('{"accuracy": {"value": [0.95]}}', "a list"),
        ('{"accuracy": {"value": {}}}', "an object"),
        ('{"accuracy": {}}', "no accuracy.value"),
        ('{"precision": 1}', "'precision'"),
        ("", "not JSON"),
    ],
)
def test_a_broken_metric_is_an_error_that_says_what_was_found(kind: str, content: str, found: str) -> None:
    for gate in (comparison(kind, metric(), 0.9), comparison(kind, 0.9, metric())):
        with pytest.raises(LanguageError) as error:
            evaluate(gate, reading(content))
        assert "s3://b/statistics.json" in str(error.value)
        assert found in str(error.value)


def test_a_broken_metric_is_not_hidden_behind_a_condition_that_fails_or_holds() -> None:
    broken = comparison("GreaterThan", metric(), 0.9)
    with pytest.raises(LanguageError):
        evaluate_all([comparison("Equals", 1, 2), broken], reading('{"accuracy": {"value": NaN}}'))
    either = {"Type": "Or", "Conditions": [comparison("Equals", 1, 1), broken]}
    with pytest.raises(LanguageError):
        evaluate(either, reading('{"accuracy": {"value": NaN}}'))


@pytest.mark.parametrize(
    ("condition", "outcome"),
    [
        (comparison("Equals", "a", "a"), True),
        (comparison("Equals", "a", "b"), False),
        (comparison("Equals", 1, 1.0), True),
        (comparison("Equals", True, True), True),
        ({"Type": "Not", "Condition": comparison("Equals", 1, 2)}, True),
        ({"Type": "Or", "Conditions": [comparison("Equals", 1, 2), comparison("Equals", 1, 1)]}, True),
        ({"Type": "Or", "Conditions": [comparison("Equals", 1, 2)]}, False),
        ({"Type": "In", "QueryValue": "b", "Values": ["a", "b"]}, True),
        ({"Type": "In", "QueryValue": "c", "Values": ["a", "b"]}, False),
        ({"Type": "In", "QueryValue": 2, "Values": [1, 2.0]}, True),
        ({"Type": "In", "QueryValue": {"Get": "Parameters.Threshold"}, "Values": [0.9]}, True),
    ],
)
def test_equality_membership_and_logic(condition: dict[str, Any], outcome: bool) -> None:
    check_condition(condition)
    assert evaluate(condition, reading("{}")) is outcome


@pytest.mark.parametrize(
    "condition",
    [
        comparison("Equals", "1", 1),
        comparison("Equals", True, 1),
        comparison("Equals", math.nan, math.nan),
        {"Type": "In", "QueryValue": "1", "Values": [1, 2]},
        {"Type": "In", "QueryValue": math.nan, "Values": [1]},
    ],
)
def test_values_that_cannot_be_compared_are_an_error_rather_than_unequal(condition: dict[str, Any]) -> None:
    with pytest.raises(LanguageError, match="compares"):
        evaluate(condition, Scope())


def test_a_list_of_conditions_holds_if_all_of_them_do() -> None:
    true, false = comparison("Equals", 1, 1), comparison("Equals", 1, 2)
    assert evaluate_all([true, true], Scope())
    assert not evaluate_all([true, false], Scope())


@pytest.mark.parametrize(
    "condition",
    [
        {"Type": "Greater", "LeftValue": 1, "RightValue": 2},
        {"Type": "Equals", "LeftValue": 1},
        {"Type": "In", "QueryValue": 1, "Values": 3},
        {"Type": "Or", "Conditions": []},
        {"Type": "Not", "Condition": {"Type": "Equals"}},
        "accuracy > 0.9",
    ],
)
def test_a_malformed_condition_is_refused_before_anything_runs(condition: Any) -> None:
    with pytest.raises(LanguageError) as error:
        check_condition(condition)
    assert json.dumps(condition)[:20] in str(error.value) or "Equals" in str(error.value)
