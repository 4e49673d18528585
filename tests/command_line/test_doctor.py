"""`gatehouse doctor` finds what is missing and says what to do; it changes nothing."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.commands import main

Printed = pytest.CaptureFixture[str]
Command = Callable[..., subprocess.CompletedProcess[str]]


def checks(capsys: Printed, *arguments: str) -> tuple[int, dict[str, dict[str, Any]]]:
    code = main(["doctor", "--json", *arguments])
    return code, {check["check"]: check for check in json.loads(capsys.readouterr().out)}


def test_a_machine_that_is_ready_passes_every_check(workplace: Path, capsys: Printed) -> None:
    code, found = checks(capsys)
    assert code == 0
    assert set(found) == {"python", "packages", "settings", "data", "/opt/ml", "disk"}
    assert all(check["ok"] for check in found.values())
    assert str(workplace / "churn.csv") in found["data"]["found"]
    assert not (workplace / ".gatehouse").exists()
    assert main(["doctor"]) == 0
    assert "ok    settings" in capsys.readouterr().out


def test_missing_data_is_named_with_the_key_to_correct(workplace: Path, capsys: Printed) -> None:
    (workplace / "churn.csv").unlink()
    code, found = checks(capsys)
    assert code == 1
    assert not found["data"]["ok"]
    assert "churn.csv" in found["data"]["found"]
    assert "projects.toml" in found["data"]["remedy"]


def test_wrong_settings_end_the_checks_with_their_own_remedy(workplace: Path, capsys: Printed) -> None:
    (workplace / "projects.toml").write_text("[projects]\n")
    code, found = checks(capsys)
    assert code == 1
    assert not found["settings"]["ok"]
    assert found["settings"]["remedy"]
    assert "data" not in found


@pytest.mark.usefixtures("workplace")
def test_aws_without_a_role_is_named(capsys: Printed) -> None:
    code, found = checks(capsys, "--target", "aws")
    assert code == 1
    assert "SAGEMAKER_PIPELINE_ROLE_ARN" in found["role"]["remedy"]


ROLE = "arn:aws:iam::000000000000:role/pipelines"


def checks_of_account(gatehouse: Command, **environment: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """In a process of its own: boto3 keeps the credentials that it found first."""
    done = gatehouse("doctor", "--json", "--target", "aws", SAGEMAKER_PIPELINE_ROLE_ARN=ROLE, **environment)
    return done.returncode, {check["check"]: check for check in json.loads(done.stdout)}


def test_aws_without_credentials_says_how_to_log_in(gatehouse: Command) -> None:
    code, found = checks_of_account(
        gatehouse,
        AWS_EC2_METADATA_DISABLED="true",
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        AWS_CONFIG_FILE=os.devnull,
    )
    assert code == 1
    assert "aws sso login" in found["credentials"]["remedy"]
    assert "bucket" not in found


def test_an_account_that_answers_is_checked_up_to_its_bucket(local: Any, gatehouse: Command) -> None:
    account = {
        "AWS_ENDPOINT_URL": local.url,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "ARTIFACT_BUCKET": "artifacts-of-the-team",
    }
    code, found = checks_of_account(gatehouse, **account)
    assert code == 1
    assert found["credentials"]["ok"]
    assert found["role"]["ok"]
    assert "does not exist" in found["bucket"]["found"]
    local.client("s3").create_bucket(
        Bucket="artifacts-of-the-team", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    code, found = checks_of_account(gatehouse, **account)
    assert code == 0
    assert found["bucket"]["ok"]
