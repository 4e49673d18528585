"""Versions that this project's pipeline did not make: trained and registered by other people's code."""

from __future__ import annotations

import io
import random
import time
import zipfile

import pytest
from registered_models import BUCKET, Registry

IMAGE = "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:1.7-1"
ROLE = "arn:aws:iam::000000000000:role/any"
PREPARE = """
import boto3, os

def handler(event, context):
    s3 = boto3.client("s3")
    text = s3.get_object(Bucket=event["bucket"], Key=event["raw"])["Body"].read().decode()
    header, *rows = text.splitlines()
    lines = [",".join(reversed(row.split(","))) for row in rows]
    s3.put_object(Bucket=event["bucket"], Key=event["processed"] + "/part-0.csv", Body="\\n".join(lines))
"""


def prepared(registry: Registry) -> str:
    """Data whose label comes first, left in S3 by a function; the prefix's URI."""
    draw = random.Random(3)
    rows = [(draw.random(), draw.random()) for _ in range(200)]
    lines = ["size,weight,label", *(f"{a:.3f},{b:.3f},{int(a > 0.5)}" for a, b in rows)]
    registry.put("raw.csv", "\n".join(lines).encode())
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("prepare.py", PREPARE)
    functions, prefix = registry.client("lambda"), f"{registry.project}/processed"
    functions.create_function(
        FunctionName=registry.project,
        Runtime="python3.12",
        Role=ROLE,
        Handler="prepare.handler",
        Code={"ZipFile": archive.getvalue()},
    )
    event = f'{{"bucket": "{BUCKET}", "raw": "{registry.project}/raw.csv", "processed": "{prefix}"}}'
    answer = functions.invoke(FunctionName=registry.project, Payload=event)
    assert "FunctionError" not in answer, answer["Payload"].read()
    return f"s3://{BUCKET}/{prefix}"


def trained(registry: Registry) -> str:
    """The artifact of XGBoost as a built-in algorithm."""
    sagemaker, name = registry.client("sagemaker"), f"{registry.project}-{time.time_ns()}"
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": prepared(registry)}}
    sagemaker.create_training_job(
        TrainingJobName=name,
        AlgorithmSpecification={"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        RoleArn=ROLE,
        HyperParameters={"num_round": "10", "objective": "binary:logistic"},
        InputDataConfig=[{"ChannelName": "train", "ContentType": "text/csv", "DataSource": source}],
        OutputDataConfig={"S3OutputPath": f"s3://{BUCKET}/{registry.project}/trained"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
        StoppingCondition={"MaxRuntimeInSeconds": 600},
    )
    sagemaker.get_waiter("training_job_completed_or_stopped").wait(
        TrainingJobName=name, WaiterConfig={"Delay": 1}
    )
    found = sagemaker.describe_training_job(TrainingJobName=name)
    assert found["TrainingJobStatus"] == "Completed", found["FailureReason"]
    return str(found["ModelArtifacts"]["S3ModelArtifacts"])


def registered(registry: Registry, artifact: str) -> None:
    registry.client("sagemaker").create_model_package(
        ModelPackageGroupName=registry.project,
        ModelPackageDescription="of Anna's notebook",
        CustomerMetadataProperties={"Accuracy": "0.91"},
        InferenceSpecification={
            "Containers": [{"Image": IMAGE, "ModelDataUrl": artifact}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
            "SupportedRealtimeInferenceInstanceTypes": ["ml.m5.large"],
            "SupportedTransformInstanceTypes": ["ml.m5.large"],
        },
    )


def test_a_model_of_a_built_in_algorithm_is_approved_deployed_asked_transformed_and_rolled_back(
    registry: Registry,
) -> None:
    registry.client("sagemaker").create_model_package_group(ModelPackageGroupName=registry.project)
    artifact = trained(registry)
    for version in (1, 2):
        registered(registry, artifact)
        registry.client("sagemaker").update_model_package(
            ModelPackageArn=registry.arn(version), ModelApprovalStatus="Approved"
        )
        registry.done("deploy", "--env", "dev", "--version", version)
    rows = registry.folder / "new.csv"
    rows.write_text("0.4,0.2\n0.4,0.9\n")
    low, high = registry.done("invoke", "--env", "dev", "--data", rows, "--json").document
    assert low["score"] < 0.5 < high["score"]
    table = registry.done("invoke", "--env", "dev", "--data", rows).out
    assert f"{low['score']:.4f}" in table
    registry.done("rollback", "--env", "dev")
    registry.done("transform", "--version", 1, "--input", rows, "--output", "answers.csv")
    answers = [float(line) for line in (registry.folder / "answers.csv").read_text().splitlines()]
    assert answers == pytest.approx([low["score"], high["score"]], abs=1e-6)
    refused = registry.gatehouse("invoke", "--env", "dev", "--data", registry.folder / "rows.csv")
    assert refused.code == 1
    assert "without a header" in refused.err


def test_a_list_shows_descriptions_and_says_which_accuracy_was_only_stated(registry: Registry) -> None:
    registry.register(accuracy=0.81, CustomerMetadataProperties={"accuracy": "0.99"})
    registered(registry, "s3://elsewhere/model.tar.gz")
    by_others, measured = registry.done("models", "--json").document
    assert (by_others["accuracy"], by_others["stated_accuracy"]) == (None, "0.91")
    assert by_others["description"] == "of Anna's notebook"
    assert (measured["accuracy"], measured["stated_accuracy"]) == (0.81, None)
    [first, second] = registry.done("models").out.splitlines()[2:]
    assert "0.91, stated" in first
    assert first.endswith("of Anna's notebook")
    assert "0.8100" in second
    assert "stated" not in second


def test_a_note_takes_every_character_that_sagemaker_takes(registry: Registry) -> None:
    version = registry.register()
    half, eight = "\N{VULGAR FRACTION ONE HALF}", "\N{ROMAN NUMERAL EIGHT}"
    registry.done("model", version, "--set", f"größe={half}\u00a0m", "--set", f"{eight}=a")
    notes = registry.describe(version)["CustomerMetadataProperties"]
    assert notes["größe"] == f"{half}\u00a0m"
    assert notes[eight] == "a"
