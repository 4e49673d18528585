"""`gatehouse data`, and the look at the data with which `plan`, `run`, `start` and `doctor` begin."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from promised_documents import promised


def settings(workplace: Path, *replacements: tuple[str, str]) -> None:
    path = workplace / "projects.toml"
    text = path.read_text()
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)


def stored(local: Any, key: str, content: bytes) -> None:
    """An object in the local S3."""
    s3 = local.client("s3")
    if "data" not in {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}:
        s3.create_bucket(Bucket="data", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket="data", Key=key, Body=content)


IN_S3 = ('source = "churn.csv"', 'source = "s3://data/churn/"')


def test_a_table_of_the_columns_fits_80_characters(gatehouse: Callable[..., Any], workplace: Path) -> None:
    names = ["a name that is longer than anybody would like to type", "\x1b[31mred", "姓名"]
    rows = [f"{'long value ' * 5}{i % 7},{i},名{i % 3},{'yes' if i % 3 else 'no'}" for i in range(200)]
    (workplace / "churn.csv").write_text("\n".join([",".join([*names, "left"]), *rows]) + "\n")
    done = gatehouse("data")
    assert done.code == 0, done.out + done.err
    assert max(len(line.rstrip()) for line in done.out.splitlines()) <= 80
    assert "\x1b" not in done.out
    assert "\\x1b[31mred" in done.out
    assert "Target  left: no (67 rows), yes (133 rows, positive)" in done.out
    assert "Next: gatehouse run bank-churn" in done.out


def test_the_document_has_the_promised_keys(gatehouse: Callable[..., Any]) -> None:
    document = json.loads(gatehouse("data", "--json").out)
    assert set(document) == promised("The pipeline")["data"][1]
    assert document["columns"][0]["examples"] == ["0", "1", "2"]
    assert (document["rows"], document["whole"], document["errors"]) == (400, True, [])


def test_a_wrong_target_is_refused_by_every_command_before_anything_is_started(
    gatehouse: Callable[..., Any], workplace: Path
) -> None:
    settings(workplace, ('target = "left"', 'target = "lef"'))
    for command in ("data", "plan", "upsert", "run", "doctor"):
        done = gatehouse(command)
        assert done.code == 1
        assert "Did you mean 'left'?" in " ".join((done.out + done.err).split()), command
    described = json.loads(gatehouse("data", "--json").out)
    assert described["errors"][0]["remedy"] == "Did you mean 'left'?"
    assert not list((workplace / ".gatehouse").glob("s3/*/*"))


def test_a_start_looks_at_the_data_that_it_would_publish(
    gatehouse: Callable[..., Any], workplace: Path, local: Any
) -> None:
    local.upsert(local.gated(local.scores(0.9)))
    settings(workplace, ('target = "left"', 'target = "lef"'))
    refused = gatehouse("start")
    assert refused.code == 1
    assert "Did you mean 'left'?" in refused.err
    other = gatehouse("start", "-p", "InputDataUri=s3://tests/other/")
    assert other.code == 0, other.err


def test_data_in_s3_is_looked_at_where_it_lies(
    gatehouse: Callable[..., Any], workplace: Path, local: Any
) -> None:
    settings(workplace, IN_S3)
    content = (workplace / "churn.csv").read_bytes()
    stored(local, "churn/a.csv", content)
    stored(local, "churn/_SUCCESS", b"x")
    found = json.loads(gatehouse("data", "--json").out)
    assert (found["rows"], found["whole"], found["errors"]) == (400, True, [])
    # Enough for the first part only: the row that breaks the rest is not read.
    stored(local, "churn/a.csv", content * 3000 + b"1,2\n")
    found = json.loads(gatehouse("data", "--json").out)
    assert (found["whole"], found["errors"]) == (False, [])
    assert found["looked_at"].startswith("the first 1 MB of 1 file, ")
    settings(workplace, ('target = "left"', 'target = "lef"'))
    assert "Did you mean 'left'?" in gatehouse("plan").err


def test_of_a_parquet_file_in_s3_footer_and_some_pages_are_read(
    gatehouse: Callable[..., Any], workplace: Path, local: Any
) -> None:
    settings(workplace, IN_S3)
    rows = 1_200_000
    table = pa.table({"age": range(rows), "left": pa.array(["yes", "no", "no", "no"] * (rows // 4))})
    written = io.BytesIO()
    pq.write_table(table, written, compression="none", use_dictionary=["left"], row_group_size=rows)
    assert written.tell() > 8 << 20
    stored(local, "churn/a.parquet", written.getvalue())
    found = json.loads(gatehouse("data", "--json").out)
    assert (found["whole"], found["errors"], found["rows"]) == (False, [], 5_000)
    assert [one["rows"] for one in found["classes"]] == [3_750, 1_250]


@pytest.mark.parametrize("command", ["data", "plan", "run"])
def test_an_empty_place_in_s3_is_an_error(
    gatehouse: Callable[..., Any], workplace: Path, local: Any, command: str
) -> None:
    settings(workplace, IN_S3)
    assert "s3://data/churn/: the bucket does not exist" in gatehouse(command).err
    stored(local, "other/a.csv", b"age,left\n")
    assert "s3://data/churn/: there is no data" in gatehouse(command).err


def test_data_that_cannot_be_reached_is_said_in_one_line_and_is_no_error(
    gatehouse: Callable[..., Any], workplace: Path
) -> None:
    role = 'region = "eu-west-1"\nrole = "arn:aws:iam::111122223333:role/pipelines"'
    settings(workplace, IN_S3, ('region = "eu-west-1"', role))
    done = gatehouse(
        "data",
        "--target",
        "aws",
        AWS_ENDPOINT_URL="http://127.0.0.1:9",
        AWS_ACCESS_KEY_ID="nobody",
        AWS_SECRET_ACCESS_KEY="nothing",
    )
    assert done.code == 0, done.err
    assert done.out.splitlines()[1].startswith("s3://data/churn/ is not looked at: ")
    assert len(done.out.splitlines()) == 2


def test_of_a_project_with_a_query_it_is_said_what_is_read_where(
    gatehouse: Callable[..., Any], workplace: Path
) -> None:
    query = 'query = { database = "bank", sql = "SELECT age, calls FROM churn" }'
    role = 'region = "eu-west-1"\nrole = "arn:aws:iam::111122223333:role/pipelines"\nbucket = "artifacts"'
    source = 'source = "churn.csv"'
    settings(workplace, (source, f"{source}\n{query}"), ('region = "eu-west-1"', role))
    in_words = "an Athena query (database bank, workgroup primary)"
    here = gatehouse("data")
    assert here.out.splitlines()[:3] == [
        "bank-churn: churn.csv",
        f"A{in_words[1:]} is not run on this machine, which reads churn.csv instead",
        "all of 1 file, 3.2 kB: 400 rows, 3 columns",
    ]
    (workplace / "churn.csv").unlink()
    # Nothing answers at this address: nothing is asked.
    there = gatehouse("data", "--target", "aws", AWS_ENDPOINT_URL="http://127.0.0.1:9")
    assert there.code == 0, there.err
    assert there.out.splitlines() == [
        f"bank-churn: {in_words}",
        f"{in_words} is the source; its rows are seen when an execution runs it",
    ]
    document = json.loads(gatehouse("data", "--target", "aws", "--json").out)
    assert (document["source"], document["whole"], document["errors"]) == (in_words, None, [])


def test_long_names_with_one_beginning_stay_apart(gatehouse: Callable[..., Any], workplace: Path) -> None:
    long = "amount of all card payments in the months before"
    names = [f"{long} 2024", f"{long} 2023", f"{long} 1, in euros", f"{long} 2, in euros", "left"]
    rows = [f"{i},{i * 7},{i % 9},{i % 11},{'yes' if i % 3 else 'no'}" for i in range(200)]
    header = ",".join(f'"{name}"' for name in names)
    (workplace / "churn.csv").write_text("\n".join([header, *rows]) + "\n")
    done = gatehouse("data")
    lines = done.out.splitlines()
    shown = [line.split("  ")[0] for line in lines if line.startswith("amount")]
    assert shown == [
        "amount of all...efore 2024",
        "amount of all...efore 2023",
        "amount of all card pa... 3",
        "amount of all card pa... 4",
    ]
    assert max(len(line.rstrip()) for line in lines) <= 80
