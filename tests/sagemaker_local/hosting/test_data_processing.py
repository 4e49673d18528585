"""What a transform job keeps of its records: filters, and inputs beside answers."""

from __future__ import annotations

from typing import Any

import pytest
from hosting_place import BUCKET, Place

from sagemaker_local.errors import AwsError
from sagemaker_local.hosting.data_processing import DataProcessing, read_processing
from sagemaker_local.jobs.failure import JobFailure
from tests.sagemaker_local.hosting.test_transform_jobs import ended, output, start

CSV, JSON, LINES = "text/csv", "application/json", "application/jsonlines"
ADDS_UP = """
def model_fn(folder):
    return folder
def transform_fn(model, body, content_type, accept):
    rows = [line.split(",") for line in body.splitlines()]
    return "".join(f"{sum(map(float, row))}\\n" for row in rows), accept
"""


def asked(form: str, *, split: str = "Line", **members: str) -> DataProcessing:
    found = read_processing(
        {
            "TransformInput": {"ContentType": form, "SplitType": split},
            "TransformOutput": {"Accept": form},
            "DataProcessing": members,
        }
    )
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("$[1:]", b"2,3\n5,6\n"),
        ("$[:-1]", b"1,2\n4,5\n"),
        ("$[0,-1]", b"1,3\n4,6\n"),
        ("$[1]", b"2\n5\n"),
        ("$.*", b"1,2,3\n4,5,6\n"),
    ],
)
def test_columns_of_csv_are_selected_by_number(path: str, kept: bytes) -> None:
    assert asked(CSV, InputFilter=path).before(b"1,2,3\n4,5,6\n") == kept


def test_a_text_of_csv_keeps_its_comma() -> None:
    assert asked(CSV, InputFilter="$[1:]").before(b'1,"a, ""b""",2\n') == b'"a, ""b""",2\n'


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("$.features", b"[1, 2]\n"),
        ("$['features'][0]", b"1\n"),
        ("$['id','features']", b'{"id": 7, "features": [1, 2]}\n'),
    ],
)
def test_members_of_json_are_selected_by_name(path: str, kept: bytes) -> None:
    assert asked(LINES, InputFilter=path).before(b'{"id": 7, "features": [1, 2], "x": null}\n') == kept


def test_answers_of_csv_stand_after_their_inputs() -> None:
    both = asked(CSV, InputFilter="$[1:]", JoinSource="Input", OutputFilter="$[0,-1]")
    assert both.after(b"a,1,2\nb,3,4\n", b"0.5,no\n0.7,yes\n") == b"a,no\nb,yes"


@pytest.mark.parametrize(
    ("given", "joined"),
    [
        (b'{"id": 7}', b'{"id": 7, "SageMakerOutput": {"score": 1}}'),
        (b"[7, 8]", b'{"SageMakerInput": [7, 8], "SageMakerOutput": {"score": 1}}'),
    ],
)
def test_answers_of_json_are_a_member_of_their_inputs(given: bytes, joined: bytes) -> None:
    assert asked(LINES, JoinSource="Input").after(given, b'{"score": 1}') == joined
    assert asked(JSON, split="None", JoinSource="Input").after(given, b'{"score":\n1}') == joined


@pytest.mark.parametrize("path", ["features", "$.a[?(@.b)]", "$[1:2:3]", "$..a", "$[", "$[a]"])
def test_what_is_no_filter_is_refused_by_name(path: str) -> None:
    with pytest.raises(AwsError, match="JSONPath"):
        asked(CSV, OutputFilter=path)


def test_a_filter_needs_a_form_that_has_records() -> None:
    with pytest.raises(AwsError, match="ContentType"):
        asked("application/x-parquet", InputFilter="$[1:]")


@pytest.mark.parametrize(
    ("payload", "answer", "reason"),
    [
        (b"1,2\n3,4\n", b"1\n", "2 records were sent and 1 answered"),
        (b"1,2\n", b'"1\n', "the answer is no text/csv"),
        (b"1,2\n", b"1\n", r"nothing at \$\[9\]"),
    ],
)
def test_records_that_do_not_fit_are_named(payload: bytes, answer: bytes, reason: str) -> None:
    with pytest.raises(JobFailure, match=reason):
        asked(CSV, JoinSource="Input", OutputFilter="$[9]").after(payload, answer)


def test_a_job_sends_some_columns_and_writes_the_answer_beside_another(place: Place) -> None:
    place.model("adds-up", place.echo("adds-up", ADDS_UP))
    place.put("filtered/in/a.csv", b"x,1,2\ny,3,4\n")
    members: dict[str, Any] = {
        "TransformInput": {"SplitType": "Line"},
        "TransformOutput": {"Accept": CSV, "AssembleWith": "Line"},
        "DataProcessing": {"InputFilter": "$[1:]", "JoinSource": "Input", "OutputFilter": "$[0,-1]"},
    }
    start(place, "filtered", "adds-up", **members)
    found = ended(place, "filtered")
    assert found["TransformJobStatus"] == "Completed", found["FailureReason"]
    assert found["DataProcessing"] == members["DataProcessing"]
    assert output(place, "filtered", "a.csv") == b"x,3.0\ny,7.0\n"
    assert place.s3.list_objects_v2(Bucket=BUCKET, Prefix="filtered/out/")["KeyCount"] == 1
