from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_formats.definition_language import (
    LanguageError,
    ParameterReference,
    PropertyFile,
    PropertyFileReference,
    Scope,
    StepReference,
    VariableReference,
    origin,
    parse_path,
    references,
    resolve,
)

PROCESSED = {
    "ProcessingJobStatus": "Completed",
    "ProcessingOutputConfig": {
        "Outputs": [
            {"OutputName": "train", "S3Output": {"S3Uri": "s3://b/train"}},
            {"OutputName": "report.v1", "S3Output": {"S3Uri": "s3://b/report/"}},
        ]
    },
}


def scope(files: dict[str, Any] | None = None) -> Scope:
    stored = {uri: json.dumps(content).encode() for uri, content in (files or {}).items()}
    return Scope(
        parameters={"Depth": 5, "Eta": 0.25, "Fast": True, "Name": "x"},
        variables={"PipelineName": "p", "PipelineExecutionId": "abc"},
        properties={"Prepare": PROCESSED},
        property_files={("Prepare", "Report"): PropertyFile("report.v1", "statistics.json")},
        read=stored.get,
    )


def json_get(path: str) -> dict[str, Any]:
    return {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.Prepare.PropertyFiles.Report"}, "Path": path}}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ({"Get": "Parameters.Depth"}, 5),
        ({"Get": "Parameters.Fast"}, True),
        ({"Get": "Execution.PipelineName"}, "p"),
        ({"Get": "Steps.Prepare.ProcessingJobStatus"}, "Completed"),
        ({"Get": "Steps.Prepare.ProcessingOutputConfig.Outputs['train'].S3Output.S3Uri"}, "s3://b/train"),
        ({"Get": "Steps.Prepare.ProcessingOutputConfig.Outputs[0].OutputName"}, "train"),
        ({"Get": 'Steps.Prepare.ProcessingOutputConfig.Outputs["report.v1"].OutputName'}, "report.v1"),
        ({"Std:Join": {"On": "/", "Values": ["s3:/", {"Get": "Execution.PipelineName"}, 3]}}, "s3://p/3"),
        ({"Std:Join": {"On": "", "Values": [{"Get": "Parameters.Eta"}]}}, "0.25"),
        ({"Std:Join": {"On": " ", "Values": [{"Get": "Parameters.Fast"}, False]}}, "true false"),
        ({"Std:Join": {"On": "-", "Values": [{"Std:Join": {"On": "", "Values": ["a", "b"]}}, "c"]}}, "ab-c"),
        ([1, {"a": {"Get": "Parameters.Name"}, "b": None}], [1, {"a": "x", "b": None}]),
        ({"Get": "Parameters.Name", "Other": 1}, {"Get": "Parameters.Name", "Other": 1}),
    ],
)
def test_an_expression_resolves_to_its_value_and_type(expression: Any, value: Any) -> None:
    assert resolve(expression, scope()) == value
    assert type(resolve(expression, scope())) is type(value)


@pytest.mark.parametrize("path", ["a.b[1].c", "$.a.b[1].c", "$['a'].b[1][\"c\"]", "['a']['b'][1]['c']"])
def test_json_get_follows_dots_brackets_and_indexes(path: str) -> None:
    files = {"s3://b/report/statistics.json": {"a": {"b": [0, {"c": 7}]}}}
    assert resolve(json_get(path), scope(files)) == 7


def test_json_get_reads_an_s3_uri_that_is_itself_joined() -> None:
    uri = {"Std:Join": {"On": "/", "Values": ["s3://b", {"Get": "Execution.PipelineExecutionId"}, "m.json"]}}
    expression = {"Std:JsonGet": {"S3Uri": uri, "Path": "Output[1]"}}
    files = {"s3://b/abc/m.json": {"Output": [5, 10]}}
    assert resolve(expression, scope(files)) == 10
    assert origin(expression, scope(files)) == "s3://b/abc/m.json, path 'Output[1]'"


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ({"Get": "Parameters.Dept"}, ["Parameters.Dept"]),
        ({"Get": "Execution.Nothing"}, ["Execution.Nothing", "PipelineExecutionId"]),
        ({"Get": "Depth"}, ["Depth", "not a reference"]),
        ({"Get": 5}, ["not a reference"]),
        ({"Get": "Steps.Train.ModelArtifacts"}, ["Train", "not succeeded"]),
        ({"Get": "Steps.Prepare.ProcessingOutputConfig.Outputs['tra']"}, ["Outputs.tra", "a list of 2"]),
        ({"Get": "Steps.Prepare.ProcessingJobStatus.x"}, ["ProcessingJobStatus.x", '"Completed"']),
        ({"Get": "Steps.Prepare.PropertyFiles.Report"}, ["PropertyFiles.Report", "Std:JsonGet"]),
        ({"Std:Join": {"On": "/", "Values": "abc"}}, ["Std:Join"]),
        ({"Std:Join": {"On": "/", "Values": [["a"]]}}, ["joined", "a list of 1"]),
        ({"Std:Split": {"On": "/"}}, ["Std:Split"]),
        (json_get("accuracy"), ["s3://b/report/statistics.json", "does not exist"]),
        ({"Std:JsonGet": {"Path": "a"}}, ["Std:JsonGet", "PropertyFile or S3Uri"]),
    ],
)
def test_what_cannot_be_resolved_is_named(expression: Any, words: list[str]) -> None:
    with pytest.raises(LanguageError) as error:
        resolve(expression, scope())
    assert all(word in str(error.value) for word in words), str(error.value)


def test_a_missing_json_path_says_how_far_it_leads_and_what_is_there() -> None:
    files = {"s3://b/report/statistics.json": {"metrics": {"acuracy": 0.9}}}
    with pytest.raises(LanguageError) as error:
        resolve(json_get("metrics.accuracy.value"), scope(files))
    assert "statistics.json, path 'metrics.accuracy.value'" in str(error.value)
    assert "no metrics.accuracy; metrics is an object with 'acuracy'" in str(error.value)


def test_a_file_that_is_no_json_is_named() -> None:
    broken = Scope(
        properties={"Prepare": PROCESSED},
        property_files={("Prepare", "Report"): PropertyFile("report.v1", "statistics.json")},
        read=lambda _uri: b"accuracy = 0.9",
    )
    with pytest.raises(LanguageError, match=r"s3://b/report/statistics\.json is not JSON"):
        resolve(json_get("accuracy"), broken)


@pytest.mark.parametrize(
    "path", ["", "a..b", "a.*", "a[?(@.x>1)]", "a[1:2]", "a[-1]", "a.", ".a", "a['b", "$"]
)
def test_a_path_with_searches_or_holes_is_refused(path: str) -> None:
    with pytest.raises(LanguageError, match="not a path"):
        parse_path(path)


def test_references_lists_everything_however_deep() -> None:
    expression = {
        "A": [
            {
                "Std:Join": {
                    "On": "",
                    "Values": [{"Get": "Parameters.Depth"}, {"Get": "Execution.PipelineName"}],
                }
            }
        ],
        "B": json_get("a.b"),
        "C": {"Get": "Steps.Prepare.ProcessingJobName"},
    }
    assert list(references(expression)) == [
        ParameterReference("Depth"),
        VariableReference("PipelineName"),
        PropertyFileReference("Prepare", "Report"),
        StepReference("Prepare", ("ProcessingJobName",), "Steps.Prepare.ProcessingJobName"),
    ]


KEYS = st.text(min_size=1, max_size=8).filter(lambda text: "'" not in text)
PATHS = st.lists(KEYS | st.integers(0, 3), min_size=1, max_size=6)


@given(PATHS)
def test_every_quoted_path_leads_where_it_says(parts: list[str | int]) -> None:
    text = "".join(f"[{part}]" if isinstance(part, int) else f"['{part}']" for part in parts)
    assert parse_path(text) == tuple(parts)
    value: Any = "found"
    for part in reversed(parts):
        value = [None] * part + [value] if isinstance(part, int) else {part: value}
    uri = "s3://b/f.json"
    found = resolve({"Std:JsonGet": {"S3Uri": uri, "Path": text}}, scope({uri: value}))
    assert found == "found"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text().filter(lambda k: k != "Get" and ":" not in k), inner)
    ),
    max_leaves=12,
)


@given(JSON)
def test_a_value_without_references_resolves_to_itself(value: Any) -> None:
    assert resolve(value, Scope()) == value
    assert list(references(value)) == []
