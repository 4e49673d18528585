"""Search: what is found, in which order, and which expressions are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from wire_clients import Client, client_of

from aws_formats.service_models import service_model
from sagemaker_local import endpoint
from sagemaker_local.services.search_expressions import compile_expression

CHANNELS = [
    {"ChannelName": "train", "ContentType": "text/csv"},
    {"ChannelName": "validation", "ContentType": "text/libsvm"},
]
JOB = {
    "TrainingJobName": "churn-1",
    "TrainingJobStatus": "Completed",
    "HyperParameters": {"eta": "0.3", "model.kind": "tree"},
    "FinalMetricDataList": [{"MetricName": "validation:auc", "Value": 0.91}],
    "InputDataConfig": CHANNELS,
    "EnableNetworkIsolation": False,
    "CreationTime": 1_700_000_000.0,
    "Tags": [{"Key": "team", "Value": "risk"}],
}


def is_found(expression: dict[str, Any], job: dict[str, Any] = JOB) -> bool:
    shape = service_model("sagemaker").shape_for("SearchRecord").members["TrainingJob"]
    return compile_expression(expression, shape)(job)


def one(name: str, operator: str | None = None, value: str | None = None) -> dict[str, Any]:
    given = {"Name": name, "Operator": operator, "Value": value}
    return {"Filters": [{key: found for key, found in given.items() if found is not None}]}


@pytest.mark.parametrize(
    ("name", "operator", "value", "found"),
    [
        ("TrainingJobName", None, "churn-1", True),
        ("TrainingJobName", "NotEquals", "churn-1", False),
        ("TrainingJobName", "Contains", "hurn", True),
        ("TrainingJobStatus", "In", "Failed,Completed", True),
        ("HyperParameters.eta", "GreaterThan", "0.25", True),
        ("HyperParameters.eta", "LessThan", "0.3", False),
        ("HyperParameters.model.kind", "Equals", "tree", True),
        ("HyperParameters.depth", "NotExists", None, True),
        ("Metrics.validation:auc", "GreaterThanOrEqualTo", "0.91", True),
        ("Metrics.train:auc", "GreaterThan", "0", False),
        ("Tags.team", "Equals", "risk", True),
        ("Tags.owner", "Exists", None, False),
        ("EnableNetworkIsolation", "Equals", "false", True),
        ("CreationTime", "LessThanOrEqualTo", "2023-11-14T22:13:20", True),
        ("CreationTime", "GreaterThan", "2023-11-14T22:13:20Z", False),
        ("InputDataConfig.ContentType", "Equals", "text/libsvm", True),
        ("ModelArtifacts.S3ModelArtifacts", "Exists", None, False),
    ],
)
def test_a_filter_finds_what_it_names(
    name: str, operator: str | None, value: str | None, found: bool
) -> None:
    assert is_found(one(name, operator, value)) is found


def test_expressions_are_combined() -> None:
    yes, no = one("TrainingJobName", "Equals", "churn-1"), one("TrainingJobStatus", "Equals", "Failed")
    assert is_found({"SubExpressions": [yes, no], "Operator": "Or"})
    assert not is_found({"SubExpressions": [yes, no]})
    assert is_found({"SubExpressions": [{"SubExpressions": [no, yes], "Operator": "Or"}, yes]})
    assert is_found({})


def test_a_nested_filter_is_about_one_item_of_a_list() -> None:
    def channel(name: str, content_type: str) -> dict[str, Any]:
        filters = [
            {"Name": "InputDataConfig.ChannelName", "Operator": "Equals", "Value": name},
            {"Name": "InputDataConfig.ContentType", "Operator": "Equals", "Value": content_type},
        ]
        return {"NestedFilters": [{"NestedPropertyName": "InputDataConfig", "Filters": filters}]}

    assert is_found(channel("train", "text/csv"))
    assert not is_found(channel("train", "text/libsvm"))


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        (one("TrainingJobNam", "Equals", "x"), "Unknown property name: TrainingJobNam"),
        (one("CreationTime", "GreaterThan", "yesterday"), "is no time such as"),
        (one("Metrics.auc", "GreaterThan", "high"), "is no number"),
        (one("CreationTime", "Contains", "2023"), "Contains is for texts"),
        (one("TrainingJobName", "Equals"), "needs a Value"),
        (
            {"SubExpressions": [one("TrainingJobName", "Contains", "a"), one("RoleArn", "Contains", "b")]},
            "CONTAINS",
        ),
        ({"NestedFilters": [{"NestedPropertyName": "RoleArn", "Filters": []}]}, "no list"),
    ],
)
def test_what_cannot_be_meant_is_refused(expression: dict[str, Any], words: str) -> None:
    with pytest.raises(Exception, match=words):
        is_found(expression)


def test_versions_are_found_by_group_approval_and_notes_and_come_in_pages(tmp_path: Path) -> None:
    with endpoint.start(tmp_path) as started:
        sagemaker: Client = client_of(started.url, "sagemaker")
        for group in ("churn", "fraud"):
            tags = [{"Key": "team", "Value": group}]
            sagemaker.create_model_package_group(ModelPackageGroupName=group, Tags=tags)
        for number in range(5):
            sagemaker.create_model_package(
                ModelPackageGroupName="churn" if number else "fraud",
                ModelApprovalStatus="Approved" if number % 2 else "PendingManualApproval",
                CustomerMetadataProperties={"number": str(number)},
            )
        filters = [
            {"Name": "ModelPackageGroupName", "Operator": "Equals", "Value": "churn"},
            {"Name": "CustomerMetadataProperties.number", "Operator": "GreaterThan", "Value": "1"},
        ]
        asked = {
            "Resource": "ModelPackage",
            "SearchExpression": {"Filters": filters},
            "SortBy": "ModelPackageVersion",
            "SortOrder": "Ascending",
        }
        first = sagemaker.search(**asked, MaxResults=2)
        assert first["TotalHits"] == {"Value": 3, "Relation": "EqualTo"}
        rest = sagemaker.search(**asked, MaxResults=2, NextToken=first["NextToken"])
        found = [one["ModelPackage"] for one in first["Results"] + rest["Results"]]
        assert [one["CustomerMetadataProperties"]["number"] for one in found] == ["2", "3", "4"]
        assert [one["ModelPackageVersion"] for one in found] == [2, 3, 4]
        assert "NextToken" not in rest
        by_tag = {"Filters": [{"Name": "Tags.team", "Operator": "Equals", "Value": "fraud"}]}
        [group] = sagemaker.search(Resource="ModelPackageGroup", SearchExpression=by_tag)["Results"]
        assert group["ModelPackageGroup"]["ModelPackageGroupName"] == "fraud"
        for resource in (
            "TrainingJob",
            "Pipeline",
            "PipelineExecution",
            "HyperParameterTuningJob",
            "Endpoint",
        ):
            assert sagemaker.search(Resource=resource)["Results"] == []
        with pytest.raises(ClientError, match="Search for Experiment is not implemented"):
            sagemaker.search(Resource="Experiment")
