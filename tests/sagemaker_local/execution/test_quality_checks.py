"""QualityCheck steps: baselines calculated, checked against, registered, carried over."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hosting_place import IMAGE as XGBOOST

from tests.sagemaker_local.execution.conftest import BUCKET, ROLE

IMAGE = "468650794304.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-model-monitor-analyzer"
DATASET = "/opt/ml/processing/input/baseline_dataset_input"
OUTPUT = "/opt/ml/processing/output"
QUALITY = {
    "analysis_type": "MODEL_QUALITY",
    "problem_type": "BinaryClassification",
    "inference_attribute": "prediction",
    "ground_truth_attribute": "label",
}
SWITCHES = [
    {"Name": "Skip", "Type": "Boolean", "DefaultValue": False},
    {"Name": "Register", "Type": "Boolean", "DefaultValue": False},
]


@pytest.fixture
def name() -> str:
    return f"check-{uuid.uuid4().hex[:8]}"


def put(workshop: Any, name: str, moved: int = 0) -> None:
    rows = "".join(f"{n % 50 + moved},{'ab'[n % 2]}\n" for n in range(400))
    workshop.s3.put_object(Bucket=BUCKET, Key=f"{name}/data/rows.csv", Body=f"age,plan\n{rows}".encode())


def check(
    name: str, kind: str = "DATA_QUALITY", environment: dict[str, str] | None = None, **members: Any
) -> dict[str, Any]:
    """A step as the SDK's QualityCheckStep compiles it."""
    where = [f"s3://{BUCKET}/{name}", {"Get": "Execution.PipelineExecutionId"}, "check"]
    return {
        "Name": "Check",
        "Type": "QualityCheck",
        "Arguments": {
            "ProcessingInputs": [
                {
                    "InputName": "baseline_dataset_input",
                    "S3Input": {
                        "S3Uri": f"s3://{BUCKET}/{name}/data",
                        "LocalPath": DATASET,
                        "S3DataType": "S3Prefix",
                        "S3InputMode": "File",
                    },
                }
            ],
            "ProcessingOutputConfig": {
                "Outputs": [
                    {
                        "OutputName": "quality_check_output",
                        "S3Output": {
                            "S3Uri": {"Std:Join": {"On": "/", "Values": where}},
                            "LocalPath": OUTPUT,
                            "S3UploadMode": "EndOfJob",
                        },
                    }
                ]
            },
            "ProcessingResources": {
                "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 30}
            },
            "AppSpecification": {"ImageUri": IMAGE},
            "RoleArn": ROLE,
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
            "Environment": {
                "dataset_format": '{"csv": {"header": true, "output_columns_position": "START"}}',
                "dataset_source": DATASET,
                "output_path": OUTPUT,
                "publish_cloudwatch_metrics": "Disabled",
                **(environment or {}),
            },
        },
        "CheckType": kind,
        "ModelPackageGroupName": None,
        "SkipCheck": False,
        "FailOnViolation": True,
        "RegisterNewBaseline": False,
        "SuppliedBaselineStatistics": None,
        "SuppliedBaselineConstraints": None,
        **members,
    }


def register(name: str) -> dict[str, Any]:
    """A version with the baselines of the step, as the guide registers them."""

    def files(which: str) -> dict[str, Any]:
        return {
            document: {
                "ContentType": "application/json",
                "S3Uri": {"Get": f"Steps.Check.{which}{document}"},
            }
            for document in ("Statistics", "Constraints")
        }

    return {
        "Name": "Register",
        "Type": "RegisterModel",
        "Arguments": {
            "ModelPackageGroupName": name,
            "ModelApprovalStatus": "Approved",
            "InferenceSpecification": {
                "Containers": [{"Image": XGBOOST, "ModelDataUrl": f"s3://{BUCKET}/{name}/model.tar.gz"}],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
            "ModelMetrics": {"ModelDataQuality": files("CalculatedBaseline")},
            "DriftCheckBaselines": {"ModelDataQuality": files("BaselineUsedForDriftCheck")},
        },
    }


def newest(workshop: Any, name: str) -> dict[str, Any]:
    [version] = workshop.sagemaker.list_model_packages(
        ModelPackageGroupName=name, SortBy="CreationTime", SortOrder="Descending", MaxResults=1
    )["ModelPackageSummaryList"]
    found: dict[str, Any] = workshop.sagemaker.describe_model_package(
        ModelPackageName=version["ModelPackageArn"]
    )
    return found


def test_a_baseline_is_registered_checked_against_carried_over_and_refreshed(
    workshop: Any, name: str
) -> None:
    workshop.s3.put_object(Bucket=BUCKET, Key=f"{name}/model.tar.gz", Body=b"x")
    put(workshop, name)
    step = check(
        name,
        ModelPackageGroupName=name,
        SkipCheck={"Get": "Parameters.Skip"},
        RegisterNewBaseline={"Get": "Parameters.Register"},
    )
    workshop.create(name, step, register(name), parameters=SWITCHES)

    # There is no version yet: nothing to check against, and nothing to carry over.
    for switches in ({}, {"Skip": "true"}, {"Register": "true"}):
        execution, status = workshop.run(name, switches)
        reason = workshop.steps(execution)["Check"]["FailureReason"]
        assert status == "Failed"
        assert name in reason or "no previous baseline" in reason

    first, status = workshop.run(name, {"Skip": "true", "Register": "true"})
    assert status == "Succeeded", workshop.steps(first)
    folder = f"s3://{BUCKET}/{name}/{first.rpartition('/')[2]}/check"
    metadata = workshop.steps(first)["Check"]["Metadata"]["QualityCheck"]
    arn = metadata.pop("CheckJobArn")
    assert f":processing-job/pipelines-{first.rpartition('/')[2]}-Check-" in arn
    files = {"Statistics": f"{folder}/statistics.json", "Constraints": f"{folder}/constraints.json"}
    assert metadata == {
        "CheckType": "DATA_QUALITY",
        "ModelPackageGroupName": name,
        "SkipCheck": True,
        "RegisterNewBaseline": True,
        **{f"CalculatedBaseline{document}": uri for document, uri in files.items()},
        **{f"BaselineUsedForDriftCheck{document}": uri for document, uri in files.items()},
    }
    registered = newest(workshop, name)
    for members in (registered["ModelMetrics"], registered["DriftCheckBaselines"]):
        assert {document: one["S3Uri"] for document, one in members["ModelDataQuality"].items()} == files

    # The same rows again: checked, and the baseline is the first one's still.
    second, status = workshop.run(name)
    assert status == "Succeeded", workshop.steps(second)
    shown = workshop.steps(second)["Check"]["Metadata"]["QualityCheck"]
    assert shown["BaselineUsedForDriftCheckStatistics"] == files["Statistics"]
    assert shown["CalculatedBaselineStatistics"] != files["Statistics"]
    assert shown["ViolationReport"].endswith("/check/constraint_violations.json")
    carried = newest(workshop, name)["DriftCheckBaselines"]["ModelDataQuality"]
    assert carried["Constraints"]["S3Uri"] == files["Constraints"]

    # Other rows: the step fails, and nothing is registered; unless the check is skipped.
    put(workshop, name, moved=25)
    before = newest(workshop, name)["ModelPackageArn"]
    third, status = workshop.run(name)
    steps = workshop.steps(third)
    assert status == "Failed"
    assert "violates its baseline (CompletedWithViolations" in steps["Check"]["FailureReason"]
    assert newest(workshop, name)["ModelPackageArn"] == before
    report = steps["Check"]["Metadata"]["QualityCheck"]["ViolationReport"]
    body = workshop.s3.get_object(Bucket=BUCKET, Key=report.removeprefix(f"s3://{BUCKET}/"))["Body"].read()
    assert [one["feature_name"] for one in json.loads(body)["violations"]] == ["age"]
    fourth, status = workshop.run(name, {"Skip": "true", "Register": "true"})
    assert status == "Succeeded"
    refreshed = newest(workshop, name)["DriftCheckBaselines"]["ModelDataQuality"]["Statistics"]["S3Uri"]
    assert fourth.rpartition("/")[2] in refreshed


def test_a_supplied_baseline_goes_before_the_registered_and_violations_may_pass(
    workshop: Any, name: str
) -> None:
    put(workshop, name)
    workshop.create(f"{name}-first", check(name, SkipCheck=True, RegisterNewBaseline=True))
    first, status = workshop.run(f"{name}-first")
    assert status == "Succeeded"
    known = workshop.steps(first)["Check"]["Metadata"]["QualityCheck"]
    supplied = {
        f"SuppliedBaseline{document}": known[f"CalculatedBaseline{document}"]
        for document in ("Statistics", "Constraints")
    }
    put(workshop, name, moved=25)
    group = "not-looked-at"
    step = check(name, ModelPackageGroupName=group, FailOnViolation=False, **supplied)
    workshop.create(name, step)
    execution, status = workshop.run(name)
    assert status == "Succeeded", workshop.steps(execution)
    shown = workshop.steps(execution)["Check"]["Metadata"]["QualityCheck"]
    job = workshop.sagemaker.describe_processing_job(
        ProcessingJobName=shown["CheckJobArn"].rpartition("/")[2]
    )
    assert job["ExitMessage"].startswith("CompletedWithViolations")
    assert shown["BaselineUsedForDriftCheckConstraints"] == known["CalculatedBaselineConstraints"]


def test_model_quality_is_checked_in_a_pipeline_and_its_result_is_reused(workshop: Any, name: str) -> None:
    rows = "".join(f"{n % 2},{n % 2}\n" for n in range(300))
    workshop.s3.put_object(
        Bucket=BUCKET, Key=f"{name}/data/rows.csv", Body=f"label,prediction\n{rows}".encode()
    )
    limits = {"accuracy": {"threshold": 0.9, "comparison_operator": "LessThanThreshold"}}
    workshop.s3.put_object(
        Bucket=BUCKET,
        Key=f"{name}/constraints.json",
        Body=json.dumps({"version": 0.0, "binary_classification_constraints": limits}).encode(),
    )
    step = check(
        name,
        "MODEL_QUALITY",
        QUALITY,
        SuppliedBaselineConstraints=f"s3://{BUCKET}/{name}/constraints.json",
        CacheConfig={"Enabled": True, "ExpireAfter": "P1D"},
    )
    [output] = step["Arguments"]["ProcessingOutputConfig"]["Outputs"]
    output["S3Output"]["S3Uri"] = f"s3://{BUCKET}/{name}/results"
    workshop.create(name, step)
    first, status = workshop.run(name)
    assert status == "Succeeded", workshop.steps(first)
    second, status = workshop.run(name)
    hit = workshop.steps(second)["Check"]
    assert hit["CacheHitResult"] == {"SourcePipelineExecutionArn": first}
    assert hit["Metadata"] == workshop.steps(first)["Check"]["Metadata"]
    step["FailOnViolation"], step["SkipCheck"], step["RegisterNewBaseline"] = False, True, True
    workshop.update(name, step)
    third, _ = workshop.run(name)
    assert "CacheHitResult" not in workshop.steps(third)["Check"], "another check is other work"


def test_what_the_data_say_wrongly_fails_the_step_with_the_jobs_reason(workshop: Any, name: str) -> None:
    workshop.s3.put_object(Bucket=BUCKET, Key=f"{name}/data/rows.csv", Body=b"a,b\n1\n")
    workshop.create(name, check(name, SkipCheck=True, RegisterNewBaseline=True))
    execution, status = workshop.run(name)
    step = workshop.steps(execution)["Check"]
    assert status == "Failed"
    assert "rows.csv cannot be read as csv" in step["FailureReason"]
    assert ":processing-job/" in step["Metadata"]["QualityCheck"]["CheckJobArn"]


@pytest.mark.parametrize(
    ("members", "what"),
    [
        ({"CheckType": "DATA_BIAS"}, "CheckType must be DATA_QUALITY or MODEL_QUALITY"),
        ({"SkipCheck": "yes"}, "SkipCheck must be true or false"),
        ({"ModelPackageGroupName": 3}, "ModelPackageGroupName must be a text"),
        ({"ModelPackageGroupName": {"Get": "Parameters.Nobody"}}, "'Parameters.Nobody' is not declared"),
    ],
)
def test_a_wrong_step_is_refused_when_the_pipeline_is_created(
    workshop: Any, name: str, members: dict[str, Any], what: str
) -> None:
    with pytest.raises(ClientError, match=f"Step 'Check': .*{what}"):
        workshop.create(name, check(name, **members))


def test_scripts_and_properties_that_there_are_not_are_refused_by_name(workshop: Any, name: str) -> None:
    script = {**QUALITY, "record_preprocessor_script": "/opt/ml/processing/input/x.py"}
    with pytest.raises(ClientError, match=r"Step 'Check': .*record_preprocessor_script"):
        workshop.create(name, check(name, environment=script))
    step = register(name)
    step["Arguments"]["CustomerMetadataProperties"] = {"a": {"Get": "Steps.Check.ViolationReport"}}
    with pytest.raises(ClientError, match="properties are CalculatedBaselineStatistics"):
        workshop.create(name, check(name), step)
