"""A plan's words: which step, which argument, from what to what."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from aws_formats.definition_language import all_steps
from pipelines.definition.compile import Compiled
from pipelines.upsert.changes import describe_changes

Document = dict[str, Any]


@pytest.fixture
def live(compiled: Compiled) -> Document:
    return json.loads(compiled.definition)


@pytest.fixture
def wanted(live: Document) -> Document:
    return copy.deepcopy(live)


def arguments(document: Document, name: str) -> Document:
    return next(step for step in all_steps(document["Steps"]) if step["Name"] == name)["Arguments"]


def default(document: Document, name: str, value: Any) -> None:
    next(item for item in document["Parameters"] if item["Name"] == name)["DefaultValue"] = value


def test_equal_definitions_have_no_differences(live: Document, wanted: Document) -> None:
    assert describe_changes(live, wanted) == ()


def test_a_parameters_default_is_told_with_the_steps_that_use_it(live: Document, wanted: Document) -> None:
    default(wanted, "MaxDepth", 6)
    assert describe_changes(live, wanted) == ("TrainModel, RegisterModel: MaxDepth default 4 -> 6",)


def test_the_threshold_changes_the_gate(live: Document, wanted: Document) -> None:
    default(wanted, "AccuracyThreshold", 0.95)
    (change,) = describe_changes(live, wanted)
    assert change.startswith("EvaluateModel, CheckAccuracy, RegisterModel: AccuracyThreshold default 0.9 ->")


def test_code_is_told_by_its_digests(live: Document, wanted: Document) -> None:
    channel = arguments(wanted, "TrainModel")["InputDataConfig"][3]
    uri = channel["DataSource"]["S3DataSource"]["S3Uri"]
    old = uri.split("/")[-2]
    channel["DataSource"]["S3DataSource"]["S3Uri"] = uri.replace(old, "0123456789abcdef")
    assert describe_changes(live, wanted) == (f"TrainModel: training code {old[:8]} -> 01234567",)


def test_the_same_code_in_another_bucket_is_told_by_its_place(live: Document, wanted: Document) -> None:
    source = arguments(wanted, "EvaluateModel")["ProcessingInputs"][2]["S3Input"]
    old = source["S3Uri"]
    source["S3Uri"] = f"s3://elsewhere/{old.split('/', 3)[3]}"
    assert describe_changes(live, wanted) == (
        f"EvaluateModel: ProcessingInputs[code].S3Input.S3Uri {old} -> {source['S3Uri']}",
    )


def test_the_data_settings_are_told_by_their_digests(live: Document, wanted: Document) -> None:
    source = arguments(wanted, "PreprocessData")["ProcessingInputs"][1]["S3Input"]
    old = source["S3Uri"].split("/")[-2]
    source["S3Uri"] = source["S3Uri"].replace(old, "0123456789abcdef")
    assert describe_changes(live, wanted) == (f"PreprocessData: data settings {old[:8]} -> 01234567",)


def test_any_other_argument_is_told_by_its_path(live: Document, wanted: Document) -> None:
    arguments(wanted, "TrainModel")["ResourceConfig"]["VolumeSizeInGB"] = 50
    arguments(wanted, "TrainModel")["HyperParameters"]["gamma"] = "1"
    del arguments(wanted, "TrainModel")["HyperParameters"]["seed"]
    arguments(wanted, "PreprocessData")["ProcessingInputs"][0]["S3Input"]["S3InputMode"] = "Pipe"
    assert describe_changes(live, wanted) == (
        "PreprocessData: ProcessingInputs[raw].S3Input.S3InputMode File -> Pipe",
        "TrainModel: HyperParameters.gamma added: 1",
        "TrainModel: HyperParameters.seed removed, was 0",
        "TrainModel: ResourceConfig.VolumeSizeInGB 30 -> 50",
    )


def test_of_long_lists_and_texts_what_differs_is_told(live: Document, wanted: Document) -> None:
    evaluate = arguments(wanted, "EvaluateModel")
    evaluate["AppSpecification"]["ContainerArguments"] += ["--champion", "prod"]
    evaluate["AppSpecification"]["ContainerArguments"][1] = "/opt"
    evaluate["ProcessingInputs"].insert(1, {"InputName": "champion"})
    evaluate["ProcessingInputs"][2]["S3Input"]["S3InputMode"] = "Pipe"
    changed = evaluate["ProcessingInputs"][2]["InputName"]
    for document, word in ((live, "old"), (wanted, "new")):
        arguments(document, "TrainModel")["Environment"] = {"LONG": "x" * 300 + word}
    assert describe_changes(live, wanted) == (
        f"TrainModel: Environment.LONG ...{'x' * 20}old -> ...{'x' * 20}new",
        'EvaluateModel: AppSpecification.ContainerArguments ["/opt/ml"] -> ["/opt"]',
        'EvaluateModel: AppSpecification.ContainerArguments added: ["--champion", "prod"]',
        'EvaluateModel: ProcessingInputs[champion] added: {"InputName": "champion"}',
        f"EvaluateModel: ProcessingInputs[{changed}].S3Input.S3InputMode File -> Pipe",
    )


def test_added_and_removed_steps_and_parameters_are_told(live: Document, wanted: Document) -> None:
    wanted["Steps"].append({**wanted["Steps"][0], "Name": "Explain"})
    gate = arguments(wanted, "CheckAccuracy")
    gate["ElseSteps"] = []
    wanted["Parameters"] = [item for item in wanted["Parameters"] if item["Name"] != "Eta"]
    wanted["Parameters"].append({"Name": "Gamma", "Type": "Float", "DefaultValue": 0.5})
    changes = describe_changes(live, wanted)
    assert "the pipeline: parameter Gamma added, default 0.5" in changes
    assert "TrainModel, RegisterModel: parameter Eta removed" in changes
    assert "Explain: step added" in changes
    assert "ModelRefused: step removed" in changes
    assert 'CheckAccuracy: ElseSteps ["ModelRefused"] -> []' in changes
