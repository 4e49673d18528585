"""Batch transform jobs: files cut into parts, results in the input's order."""

from __future__ import annotations

import gzip
import json

import pytest
from registered_models import BUCKET, Registry

from registry.batch_transforms import answers_of


def test_a_file_is_scored_in_parts_and_the_results_keep_its_order(registry: Registry, monkeypatch) -> None:
    monkeypatch.setattr("pipelines.commands.payloads.MOST_ROWS", 300)
    registry.register(approved=True)
    registry.register()
    (registry.folder / "all.csv").write_text("\n".join(registry.model.rows) + "\n")
    done = registry.done("transform", "--input", "all.csv", "--output", "scored.csv", "--json").document
    assert (done["version"], done["done"]) == (1, True)
    lines = (registry.folder / "scored.csv").read_text().splitlines()
    assert len(lines) == len(registry.model.rows) - 1
    right = sum(
        line.split(",")[0] == row.split(",")[3]
        for line, row in zip(lines, registry.model.rows[1:], strict=True)
    )
    assert right / len(lines) > 0.8, "out of order, half of them at most would be right"


def test_input_in_s3_is_scored_where_it_lies(registry: Registry) -> None:
    registry.register(approved=True)
    rows = "\n".join(row.rpartition(",")[0] for row in registry.model.rows[1:101]) + "\n"
    source = registry.put("rows/rows.csv", rows.encode())
    output = f"s3://{BUCKET}/{registry.project}/scored"
    registry.done("transform", "--input", source, "--output", output, "--split-lines")
    found = registry.client("s3").get_object(Bucket=BUCKET, Key=f"{registry.project}/scored/rows.csv.out")
    content = found["Body"].read()
    assert content.endswith(b"\n\n"), "as on AWS: a line's end after an answer that has one"
    assert len(list(answers_of(content))) == 100


def test_empty_lines_of_the_results_are_dropped_unless_they_are_in_a_class() -> None:
    content = b'a,0.5\n"b\n\n""c",0.6\n\n\r\nd,0.7\r\n\ne,0.8'
    expected = [b"a,0.5\n", b'"b\n\n""c",0.6\n', b"d,0.7\r\n", b"e,0.8\n"]
    assert list(answers_of(content)) == expected


@pytest.mark.parametrize(
    ("content", "line"),
    [(b"5\n\n7\n", 2), (b"\n5\n", 1), (b'"a,b"\r\n\r\n', 2), (b"5\n7\n\n", 3)],
)
def test_a_blank_line_that_a_job_by_line_would_not_answer_is_refused_before_the_job(
    registry: Registry, content: bytes, line: int
) -> None:
    registry.register(approved=True)
    registry.put("rows/a.csv", b"5\n7\n")
    source = registry.put("rows/b.csv", content).removesuffix("b.csv")
    words = ("transform", "--input", source, "--output", "o.csv", "--split-lines", "--plan")
    ended = registry.gatehouse(*words)
    assert ended.code == 1
    assert f"{source}b.csv, line {line}: this line is blank: a row whose value is missing" in ended.err
    assert 'Write "" there, or leave out --split-lines' in ended.err
    registry.put("rows/b.csv", b'5\n""\n7\n')
    registry.put("rows/c.csv", b"30,gold,7\n\n")  # no row: rows have several columns
    registry.done(*words)


def test_fewer_answers_than_rows_are_an_error_of_a_transform_too(registry: Registry) -> None:
    registry.register(approved=True)
    (registry.folder / "rows.csv").write_text("\n".join(registry.model.rows[:4]))
    ended = registry.gatehouse("transform", "--input", "rows.csv", "--output", "o.csv", "--no-header")
    assert ended.code == 1
    assert "rows.csv: 4 rows were sent and 3 answered. If the first line is no header" in ended.err


def test_lines_of_json_and_a_packed_file_are_scored_from_here_and_refused_in_s3(registry: Registry) -> None:
    registry.register(approved=True)
    (registry.folder / "rows.csv").write_text("\n".join(registry.model.rows[:9]))
    registry.done("transform", "--input", "rows.csv", "--output", "expected.csv")
    packed = gzip.compress((registry.folder / "rows.csv").read_bytes())
    (registry.folder / "rows.csv.gz").write_bytes(packed)
    registry.done("transform", "--input", "rows.csv.gz", "--output", "found.csv")
    found = (registry.folder / "found.csv").read_text()
    assert found == (registry.folder / "expected.csv").read_text()
    assert len(found.splitlines()) == 8
    for name in ("rows.csv.gz", "rows.jsonl"):
        ended = registry.gatehouse("transform", "--input", f"s3://{BUCKET}/{name}", "--output", "o.csv")
        assert ended.code == 1
        assert f"{name}: a job sends what lies in S3 as it is" in ended.err


@pytest.mark.parametrize("output", ["nowhere/scored.csv", "."])
def test_a_place_that_cannot_take_the_results_is_found_out_before_the_job(
    registry: Registry, output: str
) -> None:
    registry.register(approved=True)
    ended = registry.gatehouse("transform", "--input", "rows.csv", "--output", output)
    assert ended.code == 1
    assert f"{output}: the results cannot be written there" in ended.err
    assert ended.err.count("\n") == 1


def test_a_job_stands_in_the_projects_network_and_writes_with_its_key(registry: Registry) -> None:
    key = "arn:aws:kms:eu-west-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    registry.settings(
        f"""
[defaults.network]
subnets = ["subnet-0a1b2c3d"]
security_groups = ["sg-0a1b2c3d"]
isolation = true
kms_key = "{key}"
"""
    )
    registry.register(approved=True)
    (registry.folder / "some.csv").write_text("\n".join(registry.model.rows[:20]) + "\n")
    done = registry.done("transform", "--input", "some.csv", "--output", "o.csv", "--json").document
    sagemaker = registry.client("sagemaker")
    job = sagemaker.describe_transform_job(TransformJobName=done["job"])
    assert job["TransformOutput"]["KmsKeyId"] == key
    assert job["TransformResources"]["VolumeKmsKeyId"] == key
    model = sagemaker.describe_model(ModelName=job["ModelName"])
    assert model["EnableNetworkIsolation"] is True
    assert model["VpcConfig"] == {"SecurityGroupIds": ["sg-0a1b2c3d"], "Subnets": ["subnet-0a1b2c3d"]}


def test_a_plan_uploads_and_starts_nothing(registry: Registry) -> None:
    registry.register(approved=True)
    planned = registry.done("transform", "--input", "rows.csv", "--output", "o.csv", "--plan")
    assert "Would run" in planned.out
    assert (
        registry.client("sagemaker").list_transform_jobs(NameContains=registry.project)[
            "TransformJobSummaries"
        ]
        == []
    )
    assert registry.client("sagemaker").list_models(NameContains=registry.project)["Models"] == []


def test_a_version_that_is_not_approved_or_an_instance_it_does_not_know_is_refused(
    registry: Registry,
) -> None:
    registry.register()
    words = ("transform", "--input", "rows.csv", "--output", "o.csv")
    assert "has no approved version" in registry.gatehouse(*words).err
    assert "only an approved version is used" in registry.gatehouse(*words, "--version", 1).err
    registry.done("approve", 1)
    ended = registry.gatehouse(*words, "--instance-type", "ml.p3.2xlarge")
    assert ended.code == 1
    assert "does not run on ml.p3.2xlarge" in ended.err


def test_rows_that_the_model_refuses_fail_the_job_with_the_reason(registry: Registry) -> None:
    registry.register(approved=True)
    (registry.folder / "bad.csv").write_text("age,plan,calls\nold,gold,1\n")
    ended = registry.gatehouse("transform", "--input", "bad.csv", "--output", "o.csv")
    assert ended.code == 1
    assert "the transform job is Failed" in ended.err
    assert not (registry.folder / "o.csv").exists()


def test_a_job_captures_where_an_environment_captures_its_requests(registry: Registry) -> None:
    registry.register(approved=True)
    name = registry.project.removeprefix("rc-")
    registry.settings(
        f"\n[projects.rc.{name}.environments.dev]\n"
        f'capture = {{ percent = 20, destination = "s3://{BUCKET}/{name}-kept" }}\n'
        f"[projects.rc.{name}.environments.test]\n"
    )
    words = ("transform", "--input", "rows.csv", "--output", "scored.csv", "--json")
    refused = registry.gatehouse(*words, "--capture", "test")
    assert refused.code == 1
    assert "environment 'test' captures nothing. Give it a table capture" in refused.err
    done = registry.done(*words, "--capture", "dev").document
    assert len((registry.folder / "scored.csv").read_text().splitlines()) == 5
    s3, found = registry.client("s3"), {}
    place = f"{name}-kept/{registry.project}-dev/transforms/"
    for item in s3.list_objects_v2(Bucket=BUCKET, Prefix=place)["Contents"]:
        side, *_, file = item["Key"].removeprefix(place).split("/")
        assert file == f"{done['job']}.json"
        found[side] = json.loads(s3.get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read())
    assert found["input"] == [{"prefix": f"{done['input']}/"}, "part-000000.csv"]
    assert found["output"][1:] == ["part-000000.csv.out"]
