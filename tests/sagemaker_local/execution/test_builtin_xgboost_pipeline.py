"""The form of AWS's example "Abalone": built-in XGBoost between scripts that prepare and that evaluate."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from tests.sagemaker_local.execution.conftest import BUCKET, ROLE, client

IMAGE = "246618743249.dkr.ecr.us-west-2.amazonaws.com/sagemaker-xgboost:1.0-1-cpu-py3"
PREPROCESS = """
import numpy as np, pandas as pd
rows = np.random.default_rng(3).normal(size=(300, 3))
table = pd.DataFrame(np.column_stack((rows[:, 0] * 2 + rows[:, 1], rows)))
for name, part in zip(("train", "validation", "test"), np.split(table, [210, 255])):
    folder = pathlib.Path("/opt/ml/processing/output", name)
    folder.mkdir(parents=True, exist_ok=True)
    part.to_csv(folder / f"{name}.csv", header=False, index=False)
"""
EVALUATE = """
import json, pickle, tarfile
import pandas as pd, xgboost
with tarfile.open("/opt/ml/processing/input/model/model.tar.gz") as tar:
    tar.extraction_filter = getattr(tarfile, "data_filter", None)  # since 3.11.4
    tar.extractall("model")
model = pickle.load(open("model/xgboost-model", "rb"))
test = pd.read_csv("/opt/ml/processing/input/test/test.csv", header=None)
answers = model.predict(xgboost.DMatrix(test.iloc[:, 1:].to_numpy()))
mse = float(((answers - test[0]) ** 2).mean())
report = {"regression_metrics": {"mse": {"value": mse}}, "answers": answers[:2].tolist()}
(OUT / "evaluation.json").write_text(json.dumps(report))
"""


def output_of(name: str) -> dict[str, str]:
    return {"Get": f"Steps.Preprocess.ProcessingOutputConfig.Outputs['{name}'].S3Output.S3Uri"}


def training() -> dict[str, Any]:
    channels = [
        {
            "ChannelName": name,
            "ContentType": "text/csv",
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": output_of(name)}},
        }
        for name in ("train", "validation")
    ]
    arguments = {
        "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        "HyperParameters": {
            "objective": "reg:linear",
            "num_round": "50",
            "max_depth": "5",
            "eta": "0.2",
            "gamma": "0",
            "min_child_weight": "1",
            "subsample": "0.7",
            "silent": "0",
        },
        "InputDataConfig": channels,
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/abalone"},
        "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        "RoleArn": ROLE,
    }
    return {"Name": "Train", "Type": "Training", "Arguments": arguments}


def gate(name: str) -> dict[str, Any]:
    report = {"Get": "Steps.Evaluate.PropertyFiles.EvaluationReport"}
    package = {
        "ModelPackageGroupName": name,
        "ModelApprovalStatus": "Approved",
        "InferenceSpecification": {
            "Containers": [
                {"Image": IMAGE, "ModelDataUrl": {"Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"}}
            ],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    }
    condition = {
        "Type": "LessThanOrEqualTo",
        "LeftValue": {"Std:JsonGet": {"PropertyFile": report, "Path": "regression_metrics.mse.value"}},
        "RightValue": 1.0,
    }
    register = {"Name": "Register", "Type": "RegisterModel", "Arguments": package}
    arguments = {"Conditions": [condition], "IfSteps": [register], "ElseSteps": []}
    return {"Name": "Check", "Type": "Condition", "Arguments": arguments}


def test_a_model_of_the_builtin_xgboost_is_evaluated_registered_and_served(workshop: Any) -> None:
    name = f"abalone-{uuid.uuid4().hex[:8]}"
    preprocess = workshop.processing("Preprocess", PREPROCESS, outputs=("train", "validation", "test"))
    evaluate = workshop.processing(
        "Evaluate",
        EVALUATE,
        inputs={"model": {"Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"}, "test": output_of("test")},
        PropertyFiles=[
            {"PropertyFileName": "EvaluationReport", "OutputName": "out", "FilePath": "evaluation.json"}
        ],
    )
    workshop.create(name, preprocess, training(), evaluate, gate(name))
    execution, status = workshop.run(name)
    steps = workshop.steps(execution)
    assert status == "Succeeded", steps
    identity = execution.rpartition("/")[2]

    def read(key: str) -> str:
        content: bytes = workshop.s3.get_object(Bucket=BUCKET, Key=f"runs/{identity}/{key}")["Body"].read()
        return content.decode()

    job = steps["Train"]["Metadata"]["TrainingJob"]["Arn"].rpartition("/")[2]
    described = workshop.sagemaker.describe_training_job(TrainingJobName=job)
    metrics = {one["MetricName"]: one["Value"] for one in described["FinalMetricDataList"]}
    report = json.loads(read("Evaluate/out/evaluation.json"))
    assert 0 < metrics["train:rmse"] < metrics["validation:rmse"] < 1
    assert report["regression_metrics"]["mse"]["value"] < 1
    package = steps["Register"]["Metadata"]["RegisterModel"]["Arn"]
    rows = "".join(line.partition(",")[2] for line in read("Preprocess/test/test.csv").splitlines(True)[:2])
    assert answers(workshop, name, package, rows) == pytest.approx(report["answers"])


def answers(workshop: Any, name: str, package: str, rows: str) -> list[float]:
    """What an endpoint of the registered version answers."""
    container = {"ModelPackageName": package}
    workshop.sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, Containers=[container])
    variant = {
        "VariantName": "all",
        "ModelName": name,
        "InitialInstanceCount": 1,
        "InstanceType": "ml.m5.large",
    }
    workshop.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    workshop.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)

    def in_service() -> Any:
        found = workshop.sagemaker.describe_endpoint(EndpointName=name)
        assert found["EndpointStatus"] != "Failed", found
        return found["EndpointStatus"] == "InService"

    workshop.until(in_service, "the endpoint")
    runtime = client("sagemaker-runtime", workshop.url)
    answer = (
        runtime.invoke_endpoint(EndpointName=name, Body=rows, ContentType="text/csv")["Body"].read().decode()
    )
    workshop.sagemaker.delete_endpoint(EndpointName=name)
    return [float(value) for value in answer.replace(",", "\n").split()]
