"""What AWS would refuse late is refused when the definition is compiled, with step, argument and limit."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from aws_formats.definition_language import all_steps
from aws_formats.errors import GatehouseError
from pipelines.definition.compile import Compiled
from pipelines.definition.limits import check_definition, check_pipeline

Change = Callable[[dict[str, Any]], object]


def arguments(document: dict[str, Any], name: str) -> dict[str, Any]:
    return next(step for step in all_steps(document["Steps"]) if step["Name"] == name)["Arguments"]


def default(document: dict[str, Any], name: str, value: Any) -> None:
    next(item for item in document["Parameters"] if item["Name"] == name)["DefaultValue"] = value


def many_inputs(document: dict[str, Any]) -> None:
    inputs = arguments(document, "PreprocessData")["ProcessingInputs"]
    inputs += [{**inputs[0], "InputName": f"more-{number}"} for number in range(8)]


def many_steps(document: dict[str, Any]) -> None:
    first = document["Steps"][0]
    document["Steps"] = [{**first, "Name": f"Step{number}"} for number in range(51)]


def many_parameters(document: dict[str, Any]) -> None:
    first = document["Parameters"][0]
    document["Parameters"] = [{**first, "Name": f"P{number}"} for number in range(201)]


def long_metadata(document: dict[str, Any]) -> None:
    default(document, "DatasetVersion", "v" * 200)
    value = {"Std:Join": {"On": "", "Values": ["v" * 57, {"Get": "Parameters.DatasetVersion"}]}}
    arguments(document, "RegisterModel")["CustomerMetadataProperties"].update(dataset_version=value)


REFUSED: list[tuple[str, Change, str]] = [
    (
        "a container argument that is too long",
        lambda d: arguments(d, "TrainModel")["AlgorithmSpecification"]["ContainerArguments"].append(
            "x" * 257
        ),
        "step TrainModel: AlgorithmSpecification.ContainerArguments[2]: it has 257 characters, at most 256",
    ),
    (
        "more than ten inputs",
        many_inputs,
        "step PreprocessData: ProcessingInputs: it has 11 entries, at most 10 are allowed",
    ),
    (
        "an instance type that does not exist, as a parameter's default",
        lambda d: default(d, "TrainingInstanceType", "ml.m5.huge"),
        "step TrainModel: ResourceConfig.InstanceType: 'ml.m5.huge' is not a value that AWS knows."
        " Did you mean ml.m5.large?",
    ),
    (
        "a number where text belongs",
        lambda d: arguments(d, "TrainModel")["HyperParameters"].update(seed=7),
        "step TrainModel: HyperParameters.seed: 7 is not a string",
    ),
    (
        "text where a number belongs",
        lambda d: arguments(d, "TrainModel")["ResourceConfig"].update(VolumeSizeInGB="30"),
        "step TrainModel: ResourceConfig.VolumeSizeInGB: '30' is not a whole number",
    ),
    (
        "a number out of range",
        lambda d: default(d, "ProcessingInstanceCount", 101),
        "step PreprocessData: ProcessingResources.ClusterConfig.InstanceCount: it is 101, at most 100",
    ),
    (
        "a member that does not exist",
        lambda d: arguments(d, "EvaluateModel").update(Enviroment={}),
        "step EvaluateModel: CreateProcessingJobRequest has no member Enviroment",
    ),
    (
        "a member that is missing",
        lambda d: arguments(d, "EvaluateModel").pop("RoleArn"),
        "step EvaluateModel: CreateProcessingJobRequest needs the member RoleArn",
    ),
    (
        "a role that is no ARN",
        lambda d: arguments(d, "TrainModel").update(RoleArn="admin"),
        "step TrainModel: RoleArn: it has 5 characters, at least 20 are needed",
    ),
    (
        "a URI that is none",
        lambda d: default(d, "InputDataUri", "/home/me/data"),
        "step PreprocessData: ProcessingInputs[0].S3Input.S3Uri: '/home/me/data' has characters or a form",
    ),
    (
        "a container argument that is too long, once the parameters are filled in",
        lambda d: default(d, "DatasetVersion", "v" * 257),
        "step EvaluateModel: AppSpecification.ContainerArguments[8]: it has 272 characters, at most 256",
    ),
    (
        "metadata that is too long, once the parameters are filled in",
        long_metadata,
        "step RegisterModel: CustomerMetadataProperties.dataset_version: it has 257 characters, at most 256",
    ),
    (
        "too many metadata entries",
        lambda d: arguments(d, "RegisterModel")["CustomerMetadataProperties"].update(
            {f"key{number}": "x" for number in range(50)}
        ),
        "step RegisterModel: CustomerMetadataProperties: it has",
    ),
    (
        "a metadata key that is too long",
        lambda d: arguments(d, "RegisterModel")["CustomerMetadataProperties"].update({"k" * 129: "x"}),
        "it has 129 characters, at most 128",
    ),
    (
        "metadata with characters that AWS refuses",
        lambda d: arguments(d, "RegisterModel")["CustomerMetadataProperties"].update(owner="a, b"),
        "step RegisterModel: CustomerMetadataProperties.owner: 'a, b' has characters",
    ),
    (
        "a step's name that is too long",
        lambda d: d["Steps"][0].update(Name="S" * 65),
        "its name: it has 65 characters, at most 64",
    ),
    (
        "a step's description that is too long",
        lambda d: d["Steps"][0].update(Description="d" * 3073),
        "step PreprocessData: Description: it has 3073 characters, at most 3072",
    ),
    ("too many steps", many_steps, "the definition: it has 51 steps, at most 50 are allowed"),
    ("too many parameters", many_parameters, "the definition: it has 201 parameters, at most 200 are"),
    (
        "a definition over 1 MiB",
        lambda d: d["Metadata"].update(padding="x" * 1024 * 1024),
        "the definition: it has 10",
    ),
]


@pytest.mark.parametrize(("change", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_aws_would_refuse_is_refused_with_its_place_and_limit(
    compiled: Compiled, change: Change, message: str
) -> None:
    document = copy.deepcopy(json.loads(compiled.definition))
    change(document)
    with pytest.raises(GatehouseError) as caught:
        check_definition(json.dumps(document))
    assert message in str(caught.value)


def test_what_only_an_execution_knows_is_left_alone(compiled: Compiled) -> None:
    document = json.loads(compiled.definition)
    arguments(document, "TrainModel")["HyperParameters"]["seed"] = {"Get": "Execution.PipelineExecutionId"}
    check_definition(json.dumps(document))


def test_a_pipelines_tags_and_name_are_checked_too() -> None:
    check_pipeline("rc-fraud", "Finds fraud", {"owner": "rc"})
    with pytest.raises(GatehouseError, match=r"the name .*it has 64 characters, at most 63"):
        check_pipeline("r" * 64, "d", {})
    with pytest.raises(GatehouseError, match=r"tags\[0\]\.Value: 'a, b' has characters"):
        check_pipeline("rc-fraud", "d", {"owner": "a, b"})
