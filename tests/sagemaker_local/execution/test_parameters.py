from __future__ import annotations

from typing import Any

import pytest

from sagemaker_local.errors import AwsError
from sagemaker_local.execution.parameters import declared_parameters, parameter_values

DEFINITION = {
    "Parameters": [
        {"Name": "Uri", "Type": "String", "DefaultValue": "s3://b"},
        {"Name": "Depth", "Type": "Integer", "DefaultValue": 5},
        {"Name": "Threshold", "Type": "Float", "DefaultValue": 1},
        {"Name": "Fast", "Type": "Boolean", "DefaultValue": False},
        {
            "Name": "Status",
            "Type": "String",
            "DefaultValue": "Approved",
            "EnumValues": ["Approved", "Rejected"],
        },
        {"Name": "Key", "Type": "String"},
    ]
}


def values(**given: str) -> dict[str, Any]:
    entries = [{"Name": name, "Value": value} for name, value in {"Key": "k", **given}.items()]
    return parameter_values(declared_parameters(DEFINITION), entries)


def test_defaults_hold_where_nothing_is_given() -> None:
    assert values() == {
        "Uri": "s3://b", "Depth": 5, "Threshold": 1.0, "Fast": False, "Status": "Approved", "Key": "k"
    }  # fmt: skip
    assert isinstance(values()["Threshold"], float)


def test_given_texts_become_values_of_the_declared_type() -> None:
    given = values(Depth="-7", Threshold="1e-3", Fast="TRUE", Status="Rejected", Uri="")
    assert (given["Depth"], given["Threshold"], given["Fast"], given["Status"]) == (
        -7,
        0.001,
        True,
        "Rejected",
    )
    assert given["Uri"] == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Depth", "5.0"), ("Depth", "five"), ("Depth", ""), ("Depth", "1_000"),
        ("Threshold", "high"), ("Threshold", "nan"), ("Threshold", "inf"), ("Threshold", "1e400"),
        ("Threshold", "0_9"), ("Threshold", " 0.9"), ("Threshold", "\uff11"), ("Depth", "\uff11"),
        ("Fast", "1"), ("Fast", "yes"), ("Status", "Maybe"),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(AwsError, match=f"'{name}'") as error:
        values(**{name: value})
    assert error.value.code == "ValidationException"


def test_an_unknown_parameter_is_refused_with_the_known_ones_and_a_hint() -> None:
    with pytest.raises(AwsError, match=r"no parameter 'Treshold'\. Did you mean 'Threshold'\?.*Uri, Depth"):
        values(Treshold="0.8")


def test_a_parameter_without_default_must_be_given() -> None:
    with pytest.raises(AwsError, match="must be given: Key"):
        parameter_values(declared_parameters(DEFINITION), [])


def test_a_parameter_given_twice_is_refused() -> None:
    twice = [{"Name": "Key", "Value": "a"}, {"Name": "Key", "Value": "b"}]
    with pytest.raises(AwsError, match="'Key' is given more than once"):
        parameter_values(declared_parameters(DEFINITION), twice)


@pytest.mark.parametrize(
    "entry",
    [
        {"Type": "String"},
        {"Name": "A", "Type": "Date"},
        {"Name": "A", "Type": "Integer", "DefaultValue": "5"},
        {"Name": "A", "Type": "Integer", "DefaultValue": True},
        {"Name": "A", "Type": "Float", "DefaultValue": 10**400},
        {"Name": "A", "Type": "String", "DefaultValue": "x", "EnumValues": ["a"]},
        {"Name": "A", "Type": "String", "EnumValues": "a"},
    ],
)
def test_a_malformed_declaration_is_refused(entry: dict[str, Any]) -> None:
    with pytest.raises(AwsError):
        declared_parameters({"Parameters": [entry]})


def test_a_name_declared_twice_is_refused() -> None:
    with pytest.raises(AwsError, match="'A' is declared more than once"):
        declared_parameters({"Parameters": [{"Name": "A", "Type": "String"}] * 2})
