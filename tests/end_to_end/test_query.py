"""A project whose data is an Athena query, from the query to a version, on a stand-in for Athena."""

from __future__ import annotations

import random
from pathlib import Path

import boto3
from athena_place import Plan, athena_place
from installed_command import Finished, ShellHere

SETTINGS = """
[projects.bank.churn]
description = "Who leaves"
owner = "tests"
task = "binary"
accuracy_threshold = 0.6
region = "eu-west-1"

[projects.bank.churn.data]
source = "sample.csv"
target = "left"

[projects.bank.churn.data.query]
database = "bank"
sql = "SELECT age, calls, churned AS \\"left\\" FROM customers"
"""
FUNCTION = "bank-churn-query-data"


def test_a_version_is_made_of_what_the_query_gives_and_the_same_rows_make_no_other(tmp_path: Path) -> None:
    (tmp_path / "projects.toml").write_text(SETTINGS)
    sample = [f"{i},{i % 3},{'yes' if i > 25 else 'no'}" for i in range(50)]
    (tmp_path / "sample.csv").write_text("\n".join(["age,calls,left", *sample]) + "\n")

    shell = ShellHere(tmp_path / "projects.toml", tmp_path / "home")

    def done(*command: str) -> Finished:
        ended = shell.run(*command)
        assert ended.code == 0, ended.err
        return ended

    rows = [{"age": i % 17, "calls": i % 5, "left": "yes" if i % 17 > 8 else "no"} for i in range(400)]
    done("local", "up")
    try:
        variables = done("local", "env", "--json").document
        at = {name.lower(): variables[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
        aws = boto3.Session(region_name=variables["AWS_REGION"], **at)
        lambda_, s3 = (
            aws.client(name, endpoint_url=variables["AWS_ENDPOINT_URL"]) for name in ("lambda", "s3")
        )
        assert "is not run on this machine, which reads sample.csv instead" in done("upsert").err
        with athena_place(s3) as athena:
            given = lambda_.get_function_configuration(FunctionName=FUNCTION)["Environment"]["Variables"]
            lambda_.update_function_configuration(
                FunctionName=FUNCTION,
                Environment={"Variables": {**given, "AWS_ENDPOINT_URL_ATHENA": athena.url}},
            )
            athena.plans = [Plan(rows=random.Random(seed).sample(rows, len(rows))) for seed in (1, 2)]
            first, second = (done("start", "-p", "InputDataUri=", "--wait") for _ in athena.plans[:])
        version = done("model", "1", "--json").document
    finally:
        done("local", "down")
    query, again = athena.queries
    assert f"query {query} scanned 12.3 MB" in first.err
    assert "400 rows: " in first.err, "the query's, not the sample's"
    assert "Registered  bank-churn version 1" in first.out
    assert f"query {again} scanned" in second.err
    assert "this is version 1 again" in second.out, "the same rows in another order"
    execution = version["metadata"]["execution_arn"].rpartition("/")[2]
    assert version["metadata"]["dataset_uri"].endswith(f"/bank-churn/queries/{execution}/1/rows/")
