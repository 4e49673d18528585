"""`gatehouse doctor` finds what is missing and says what to do; it changes nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from installed_command import Finished

from pipelines.commands import main
from sagemaker_local.jobs import opt_ml

Printed = pytest.CaptureFixture[str]
Command = Callable[..., Finished]


def checks(capsys: Printed, *arguments: str) -> tuple[int, dict[str, dict[str, Any]]]:
    code = main(["doctor", "--json", *arguments])
    return code, {check["check"]: check for check in json.loads(capsys.readouterr().out)}


def test_a_machine_that_is_ready_passes_every_check(workplace: Path, capsys: Printed) -> None:
    code, found = checks(capsys)
    assert code == 0
    assert set(found) == {
        "python",
        "packages",
        "settings",
        "image",
        "environments",
        "data",
        "/opt/ml",
        "disk",
    }
    assert all(check["ok"] for check in found.values())
    assert str(workplace / "churn.csv") in found["data"]["found"]
    assert not (workplace / ".gatehouse").exists()
    assert main(["doctor"]) == 0
    assert "ok    settings" in capsys.readouterr().out


@pytest.mark.usefixtures("workplace")
def test_doctor_names_the_way_in_which_jobs_will_get_their_opt_ml(capsys: Printed) -> None:
    check = checks(capsys)[1]["/opt/ml"]
    assert check["found"].startswith(f"{opt_ml.detect().mode}: ")


@pytest.mark.usefixtures("workplace")
def test_a_way_that_the_environment_forces_is_the_one_that_doctor_names(
    capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAGEMAKER_LOCAL_OPT_ML", "rewrite")
    check = checks(capsys)[1]["/opt/ml"]
    assert check["found"].startswith("rewrite: the environment asks for it. /opt/ml does not exist")


@pytest.mark.usefixtures("workplace")
def test_a_path_without_unshare_changes_nothing_for_jobs_and_nothing_for_doctor(
    capsys: Printed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    check = checks(capsys)[1]["/opt/ml"]
    assert check["found"].startswith(f"{opt_ml.detect().mode}: ")


@pytest.mark.usefixtures("workplace")
def test_an_unknown_way_is_refused_with_the_known_ones(
    capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAGEMAKER_LOCAL_OPT_ML", "magic")
    code, found = checks(capsys)
    assert code == 1
    assert "expected one of namespace, symlink, rewrite" in found["/opt/ml"]["found"]
    assert "Unset SAGEMAKER_LOCAL_OPT_ML" in found["/opt/ml"]["remedy"]


def test_a_forced_way_that_does_not_work_here_fails_the_check_as_it_will_fail_each_job(
    workplace: Path,
) -> None:
    way, reason = "namespace", opt_ml.why_not()["namespace"]
    doctor = [sys.executable, "-m", "pipelines", "doctor", "--json"]
    if not reason:  # then a folder at /opt/ml that only this doctor sees stands in the way of a link
        way, reason = "symlink", "/opt/ml exists and is not a job's"
        script = 'mount -t tmpfs none /opt && mkdir /opt/ml && exec "$0" "$@"'
        as_root = [] if os.geteuid() == 0 else ["--map-root-user"]
        doctor = ["unshare", "--mount", *as_root, "sh", "-c", script, *doctor]
    environment = {**os.environ, "SAGEMAKER_LOCAL_OPT_ML": way}
    done = subprocess.run(doctor, cwd=workplace, env=environment, capture_output=True, text=True, timeout=120)
    found = {check["check"]: check for check in json.loads(done.stdout)}
    assert done.returncode == 1
    assert found["/opt/ml"]["found"] == f"SAGEMAKER_LOCAL_OPT_ML={way}, which does not work here: {reason}"


def test_an_image_that_the_programs_cannot_run_on_is_named_with_the_key_to_correct(
    workplace: Path, capsys: Printed
) -> None:
    settings = workplace / "projects.toml"
    text = settings.read_text()
    settings.write_text(text.replace("[defaults]\n", '[defaults]\nimage_version = "3.0-5"\n'))
    assert settings.read_text() != text
    code, found = checks(capsys)
    assert code == 1
    assert "[defaults] image_version: image 3.0-5 has Python 3.10" in found["image"]["found"]
    assert found["image"]["remedy"] == "Write image_version = '3.2-0'"


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
    return done.code, {check["check"]: check for check in json.loads(done.out)}


def test_aws_without_credentials_says_how_to_log_in(gatehouse_alone: Command) -> None:
    code, found = checks_of_account(
        gatehouse_alone,
        AWS_EC2_METADATA_DISABLED="true",
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        AWS_CONFIG_FILE=os.devnull,
    )
    assert code == 1
    assert "aws sso login" in found["credentials"]["remedy"]
    assert "bucket" not in found


def test_an_account_that_answers_is_checked_up_to_its_bucket(local: Any, gatehouse_alone: Command) -> None:
    account = {
        "AWS_ENDPOINT_URL": local.url,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "ARTIFACT_BUCKET": "artifacts-of-the-team",
    }
    code, found = checks_of_account(gatehouse_alone, **account)
    assert code == 1
    assert found["credentials"]["ok"]
    assert found["role"]["ok"]
    assert "does not exist" in found["bucket"]["found"]
    local.client("s3").create_bucket(
        Bucket="artifacts-of-the-team", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    code, found = checks_of_account(gatehouse_alone, **account)
    assert code == 0
    assert found["bucket"]["ok"]
