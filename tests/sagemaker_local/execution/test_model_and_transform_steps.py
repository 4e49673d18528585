"""Model and Transform steps: a model is made in the pipeline, and a batch goes through it."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hosting_place import IMAGE, SCIKIT_LEARN, SCRIPT, pack

from tests.sagemaker_local.execution.conftest import BUCKET, ROLE

UPPER = """
def model_fn(folder):
    return folder
def transform_fn(model, body, content_type, accept):
    import time
    if "break" in body:
        raise ValueError("it broke")
    if "wait" in body:
        time.sleep(600)
    return body.upper(), accept
"""


@pytest.fixture
def name() -> str:
    return f"batch-{uuid.uuid4().hex[:8]}"


def put(workshop: Any, name: str, rows: bytes) -> None:
    artifact = pack({"code/inference.py": UPPER.encode()})
    for key, content in {f"{name}/model.tar.gz": artifact, f"{name}/in/rows.csv": rows}.items():
        workshop.s3.put_object(Bucket=BUCKET, Key=key, Body=content)


def make(name: str) -> dict[str, Any]:
    container = {"Image": IMAGE, "ModelDataUrl": f"s3://{BUCKET}/{name}/model.tar.gz", "Environment": SCRIPT}
    arguments = {"ExecutionRoleArn": ROLE, "PrimaryContainer": container}
    return {"Name": "Make", "Type": "Model", "Arguments": arguments}


def batch(name: str, model: Any, **members: Any) -> dict[str, Any]:
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/{name}/in"}}
    return {
        "Name": "Batch",
        "Type": "Transform",
        "Arguments": {
            "ModelName": model,
            "TransformInput": {"DataSource": source, "ContentType": "text/csv"},
            "TransformOutput": {"S3OutputPath": f"s3://{BUCKET}/{name}/out"},
            "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        },
        **members,
    }


OF_THE_STEP = {"Get": "Steps.Make.ModelName"}


def test_a_batch_goes_through_the_model_that_a_step_has_made(workshop: Any, name: str) -> None:
    put(workshop, name, b"a\nb\n")
    after = workshop.processing(
        "After",
        "(OUT / 'seen').write_bytes(open('/opt/ml/processing/input/answers/rows.csv.out', 'rb').read())",
        inputs={"answers": {"Get": "Steps.Batch.TransformOutput.S3OutputPath"}},
    )
    workshop.create(name, make(name), batch(name, OF_THE_STEP), after)
    execution, status = workshop.run(name)
    steps = workshop.steps(execution)
    assert status == "Succeeded", steps
    identity = execution.rpartition("/")[2]
    model = steps["Make"]["Metadata"]["Model"]["Arn"]
    assert f":model/pipelines-{identity}-Make-" in model
    assert f":transform-job/pipelines-{identity}-Batch-" in steps["Batch"]["Metadata"]["TransformJob"]["Arn"]
    assert workshop.sagemaker.describe_model(ModelName=model.rpartition("/")[2])["ModelArn"] == model
    seen = workshop.s3.get_object(Bucket=BUCKET, Key=f"runs/{identity}/After/out/seen")["Body"].read()
    assert seen == b"A\nB\n"


def test_a_model_without_its_artifact_fails_the_batch_with_the_reason(workshop: Any, name: str) -> None:
    workshop.s3.put_object(Bucket=BUCKET, Key=f"{name}/in/rows.csv", Body=b"a\n")
    workshop.create(name, make(name), batch(name, OF_THE_STEP))
    execution, status = workshop.run(name)
    steps = workshop.steps(execution)
    assert (status, steps["Make"]["StepStatus"]) == ("Failed", "Succeeded")
    assert "could not find model data" in steps["Batch"]["FailureReason"]


def test_a_batch_that_succeeded_is_reused_and_one_that_failed_is_not(workshop: Any, name: str) -> None:
    put(workshop, name, b"break\n")
    model = f"{name}-model"
    workshop.sagemaker.create_model(ModelName=model, **make(name)["Arguments"])
    workshop.create(name, batch(name, model, CacheConfig={"Enabled": True, "ExpireAfter": "P1D"}))
    execution, status = workshop.run(name)
    assert status == "Failed"
    assert "rows.csv: the model answered 500" in workshop.steps(execution)["Batch"]["FailureReason"]
    workshop.s3.put_object(Bucket=BUCKET, Key=f"{name}/in/rows.csv", Body=b"a\n")
    first, status = workshop.run(name)
    assert status == "Succeeded"
    assert "CacheHitResult" not in workshop.steps(first)["Batch"]
    second, status = workshop.run(name)
    hit = workshop.steps(second)["Batch"]
    assert hit["CacheHitResult"] == {"SourcePipelineExecutionArn": first}
    assert hit["Metadata"] == workshop.steps(first)["Batch"]["Metadata"]


def test_a_stop_ends_the_batch(workshop: Any, name: str) -> None:
    put(workshop, name, b"wait\n")
    workshop.create(name, make(name), batch(name, OF_THE_STEP))
    execution = workshop.start(name)

    def job() -> dict[str, Any] | None:
        metadata = workshop.steps(execution).get("Batch", {}).get("Metadata")
        if not metadata:
            return None
        found: dict[str, Any] = workshop.sagemaker.describe_transform_job(
            TransformJobName=metadata["TransformJob"]["Arn"].rpartition("/")[2]
        )
        return found if "TransformStartTime" in found else None

    running = workshop.until(job, "the batch's start")
    workshop.sagemaker.stop_pipeline_execution(PipelineExecutionArn=execution, ClientRequestToken="x" * 32)
    assert workshop.end(execution)["PipelineExecutionStatus"] == "Stopped"
    assert workshop.statuses(execution)["Batch"] == "Stopped"
    ended = workshop.sagemaker.describe_transform_job(TransformJobName=running["TransformJobName"])
    assert ended["TransformJobStatus"] == "Stopped"


@pytest.mark.parametrize(
    ("step", "path", "value", "what"),
    [
        ("Batch", ("TransformInput", "SplitType"), "RecordIO", "SplitType RecordIO"),
        ("Make", ("PrimaryContainer", "Mode"), "MultiModel", "MultiModel"),
    ],
)
def test_what_is_not_done_here_is_refused_when_the_pipeline_is_created(
    workshop: Any, name: str, step: str, path: tuple[str, ...], value: Any, what: str
) -> None:
    steps = {"Make": make(name), "Batch": batch(name, OF_THE_STEP)}
    place = steps[step]["Arguments"]
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    with pytest.raises(ClientError, match=f"Step '{step}': .*{what}"):
        workshop.create(name, *steps.values())
    assert name not in [
        one["PipelineName"] for one in workshop.sagemaker.list_pipelines()["PipelineSummaries"]
    ]


REPACK = """#!/bin/sh
exec python repack.py --model_archive "$SM_HP_MODEL_ARCHIVE"
"""
REPACK_MODEL = """
import argparse, os, pathlib, shutil, tarfile
parser = argparse.ArgumentParser()
parser.add_argument("--model_archive")
archive = pathlib.Path(os.environ["SM_CHANNEL_TRAINING"], parser.parse_args().model_archive.split("/")[-1])
model = pathlib.Path(os.environ["SM_MODEL_DIR"])
with tarfile.open(archive) as opened:
    opened.extraction_filter = getattr(tarfile, "data_filter", None)  # since 3.11.4
    opened.extractall(model)
(model / "code").mkdir()
shutil.copy("inference.py", model / "code")
"""


def training(name: str, step: str, program: str, **members: Any) -> dict[str, Any]:
    """A training step in script mode, whose code has been put beside the test's other objects."""
    return {
        "Name": step,
        "Type": "Training",
        "Arguments": {
            "AlgorithmSpecification": {"TrainingImage": SCIKIT_LEARN, "TrainingInputMode": "File"},
            "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/{name}/{step}"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
            "RoleArn": ROLE,
            **members,
            "HyperParameters": {
                **members.get("HyperParameters", {}),
                "sagemaker_program": program,
                "sagemaker_submit_directory": f"s3://{BUCKET}/{name}/{step}.tar.gz",
            },
        },
    }


def test_a_model_is_packed_again_with_a_script_as_the_sdk_does_for_an_entry_point(
    workshop: Any, name: str
) -> None:
    """Training, a training job whose program is a shell script, a model of what that leaves, a batch."""
    train = {"train.py": "open('/opt/ml/model/weights', 'w').write('w')"}
    pack_again = {"launch.sh": REPACK, "repack.py": REPACK_MODEL, "inference.py": UPPER}
    for step, files in {"Train": train, "Repack": pack_again}.items():
        content = pack({file: text.encode() for file, text in files.items()})
        workshop.s3.put_object(Bucket=BUCKET, Key=f"{name}/{step}.tar.gz", Body=content)
    workshop.s3.put_object(Bucket=BUCKET, Key=f"{name}/in/rows.csv", Body=b"a\n")
    artifact = {"Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"}
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": artifact}}
    repack = training(
        name,
        "Repack",
        "launch.sh",
        InputDataConfig=[{"ChannelName": "training", "DataSource": source}],
        HyperParameters={"model_archive": artifact},
    )
    model = make(name)
    model["Arguments"]["PrimaryContainer"]["ModelDataUrl"] = {
        "Get": "Steps.Repack.ModelArtifacts.S3ModelArtifacts"
    }
    workshop.create(name, training(name, "Train", "train.py"), repack, model, batch(name, OF_THE_STEP))
    execution, status = workshop.run(name)
    assert status == "Succeeded", workshop.steps(execution)
    answers = workshop.s3.get_object(Bucket=BUCKET, Key=f"{name}/out/rows.csv.out")["Body"].read()
    assert answers == b"A\n"
