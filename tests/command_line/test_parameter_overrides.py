"""Parameters of the command line against what a definition declares, and the definition's outline."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aws_formats.errors import GatehouseError
from pipelines.executions.outline import Outline, read_outline
from pipelines.executions.overrides import check_overrides


def definition(**changes: Any) -> str:
    """A definition with a gate, as the SDK compiles one; `changes` replace members of its condition."""
    condition = {
        "Type": "GreaterThan",
        "LeftValue": {
            "Std:JsonGet": {
                "PropertyFile": {"Get": "Steps.Evaluate.PropertyFiles.Quality"},
                "Path": "binary_classification_metrics.accuracy.value",
            }
        },
        "RightValue": {"Get": "Parameters.AccuracyThreshold"},
        **changes,
    }
    return json.dumps(
        {
            "Version": "2020-12-01",
            "Parameters": [
                {"Name": "InputDataUri", "Type": "String", "DefaultValue": "s3://b/data"},
                {"Name": "MaxDepth", "Type": "Integer", "DefaultValue": 4},
                {"Name": "Eta", "Type": "Float", "DefaultValue": 0.1},
                {"Name": "TrainingInstanceType", "Type": "String", "DefaultValue": "ml.m5.large"},
                {"Name": "TrainingInstanceCount", "Type": "Integer", "DefaultValue": 1},
                {"Name": "AccuracyThreshold", "Type": "Float", "DefaultValue": 0.8},
                {"Name": "Shuffle", "Type": "Boolean", "DefaultValue": True},
                {
                    "Name": "ModelApprovalStatus",
                    "Type": "String",
                    "DefaultValue": "PendingManualApproval",
                    "EnumValues": ["PendingManualApproval", "Approved"],
                },
            ],
            "Steps": [
                {
                    "Name": "Evaluate",
                    "Type": "Processing",
                    "DisplayName": "Evaluate the model",
                    "Arguments": {},
                    "PropertyFiles": [
                        {
                            "PropertyFileName": "Quality",
                            "OutputName": "evaluation",
                            "FilePath": "statistics.json",
                        }
                    ],
                },
                {
                    "Name": "Check",
                    "Type": "Condition",
                    "Arguments": {
                        "Conditions": [condition],
                        "IfSteps": [
                            {"Name": "Register-RegisterModel", "Type": "RegisterModel", "Arguments": {}}
                        ],
                        "ElseSteps": [
                            {"Name": "TooLow", "Type": "Fail", "Arguments": {"ErrorMessage": "no"}}
                        ],
                    },
                },
            ],
        }
    )


OUTLINE: Outline = read_outline(definition())


@pytest.mark.parametrize(
    ("name", "given", "taken"),
    [
        ("MaxDepth", "6", "6"),
        ("MaxDepth", " +6 ", "6"),
        ("AccuracyThreshold", "0", "0"),
        ("AccuracyThreshold", "1", "1"),
        ("AccuracyThreshold", "9e-1", "9e-1"),
        ("Shuffle", "False", "false"),
        ("InputDataUri", "s3://elsewhere/x=y", "s3://elsewhere/x=y"),
        ("ModelApprovalStatus", "Approved", "Approved"),
    ],
)
def test_a_value_of_the_declared_type_is_taken(name: str, given: str, taken: str) -> None:
    assert check_overrides(OUTLINE, {name: given}, "p") == {name: taken}


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("MaxDepth", "6.5", "not a whole number"),
        ("MaxDepth", "0", "0 is wrong. It must be greater than or equal to 1"),
        ("Eta", "5", "It must be less than or equal to 1"),
        ("Eta", "0", "It must be greater than 0"),
        ("Eta", "1e-46", "parameter Eta: 1e-46 is no eta: it is too near to 0 for XGBoost"),
        ("TrainingInstanceCount", "0", "It must be greater than or equal to 1"),
        ("TrainingInstanceType", "large", "Write a SageMaker instance type"),
        ("TrainingInstanceType", "ml.m5.larg", "is not a value that AWS knows. Did you mean ml.m5.large?"),
        ("MaxDepth", "deep", "Its default is 4"),
        ("MaxDepth", "1_0", "not a whole number"),
        ("AccuracyThreshold", "0.9_5", "not a number"),
        ("AccuracyThreshold", "\u0661", "not a number"),
        ("AccuracyThreshold", "high", "not a number"),
        ("AccuracyThreshold", "nan", "not a number"),
        ("AccuracyThreshold", "inf", "not a number"),
        ("AccuracyThreshold", "1.01", "Use a number from 0 to 1"),
        ("AccuracyThreshold", "-0.1", "Use a number from 0 to 1"),
        ("Shuffle", "maybe", "not true or false"),
        ("ModelApprovalStatus", "approved", "Use one of: PendingManualApproval, Approved"),
        ("maxdepht", "4", "Did you mean MaxDepth?"),
        ("InputDataUri", "payments.csv", "parameter InputDataUri: 'payments.csv' has characters or a form"),
        ("InputDataUri", "", "parameter InputDataUri: '' has characters or a form that AWS refuses"),
        ("Colour", "red", "It has: InputDataUri, MaxDepth, Eta"),
    ],
)
def test_any_other_value_is_refused_in_one_line(name: str, given: str, said: str) -> None:
    with pytest.raises(GatehouseError) as refused:
        check_overrides(OUTLINE, {name: given}, "bank-churn")
    assert said in str(refused.value)
    assert "bank-churn" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_outline_lists_the_steps_of_both_branches_in_order() -> None:
    assert [(step.name, step.display_name) for step in OUTLINE.steps] == [
        ("Evaluate", "Evaluate the model"),
        ("Check", "Check"),
        ("Register-RegisterModel", "Register-RegisterModel"),
        ("TooLow", "TooLow"),
    ]


def test_the_outline_finds_the_gate_and_what_it_looks_at() -> None:
    gate = OUTLINE.gate
    assert gate is not None
    assert (gate.step, gate.metric, gate.metric_step) == ("Check", "accuracy", "Evaluate")
    assert (gate.output, gate.file) == ("evaluation", "statistics.json")
    assert gate.path == ("binary_classification_metrics", "accuracy", "value")
    assert (gate.threshold, gate.threshold_parameter) == (0.8, "AccuracyThreshold")


def test_a_threshold_may_be_written_in_the_definition() -> None:
    gate = read_outline(definition(RightValue=0.75)).gate
    assert gate is not None
    assert (gate.threshold, gate.threshold_parameter) == (0.75, None)


@pytest.mark.parametrize(
    "changes",
    [
        {"Type": "Equals"},
        {"LeftValue": {"Get": "Parameters.MaxDepth"}},
        {"LeftValue": 4},
        {"LeftValue": {"Std:JsonGet": {"S3Uri": "s3://b/k", "Path": "accuracy"}}},
    ],
)
def test_any_other_condition_is_no_gate(changes: dict[str, Any]) -> None:
    assert read_outline(definition(**changes)).gate is None
