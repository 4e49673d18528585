"""Data that lies at a prefix in S3: a start reads what is there by then."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from installed_command import Shell, ShellHere
from payments import SETTINGS as FROM_A_FILE
from payments import payments
from wire_clients import REGION, client_of

SETTINGS = FROM_A_FILE.replace('"payments.csv"', '"s3://shop/payments/"')


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    (tmp_path / "projects.toml").write_text(SETTINGS)
    shell = ShellHere(tmp_path / "projects.toml", tmp_path / "home")
    assert shell.run("local", "up").code == 0
    yield shell
    shell.run("local", "down")


def put(s3: Any, name: str, rows: int, seed: int) -> None:
    lines = ["amount,country,fraud", *map(",".join, payments(rows, seed))]
    s3.put_object(Bucket="shop", Key=f"payments/{name}.csv", Body="\n".join(lines).encode())


def test_new_objects_below_the_prefix_are_read_and_data_with_a_version_is_not_read_twice(
    shell: Shell, tmp_path: Path
) -> None:
    s3 = client_of(json.loads(shell.run("local", "status", "--json").out)["url"], "s3")
    s3.create_bucket(Bucket="shop", CreateBucketConfiguration={"LocationConstraint": REGION})
    put(s3, "monday", 600, 1)
    first = shell.run("run")
    assert (first.code, "600 rows: " in first.err) == (0, True), first.err
    put(s3, "tuesday", 400, 2)
    second = shell.run("start", "--wait")
    assert (second.code, "1000 rows: " in second.err) == (0, True), second.err
    assert "version 2" in second.out

    settings = tmp_path / "projects.toml"
    for version, is_read in (("tuesday", True), ("tuesday", False), ("wednesday", True)):
        named = f'positive_class = "yes"\nversion = "{version}"'
        settings.write_text(SETTINGS.replace('positive_class = "yes"', named))
        done = shell.run("run", "--json")
        assert done.code == 0, done.err
        [preprocess] = [one for one in done.document["steps"] if one["name"] == "PreprocessData"]
        assert preprocess["cached"] is not is_read, version
