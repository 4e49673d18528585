"""From raw file to registered version through the command line, on the data that the project carries."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from installed_command import ROOT, TUMORS, Finished, Shell, ShellHere
from wire_clients import client_of

from sagemaker_local import endpoint


def test_the_run_ends_with_a_registered_version_that_waits_for_approval(
    shell: Shell, first_run: Finished
) -> None:
    outcome = first_run.document
    assert (first_run.code, outcome["status"]) == (0, "Succeeded"), first_run.err
    assert outcome["accuracy"] > outcome["threshold"] == 0.9
    names = ["PreprocessData", "TrainModel", "EvaluateModel", "CheckAccuracy"]
    names += ["FindSameVersion", "CheckIfNew", "RegisterModel"]
    assert [step["name"] for step in outcome["steps"]] == names
    assert {step["status"] for step in outcome["steps"]} == {"Succeeded"}
    assert not any(step["cached"] for step in outcome["steps"])
    version = shell.run("models", TUMORS, "--json").document[-1]
    assert version["arn"] == outcome["model_package_arn"]
    assert version["accuracy"] == outcome["accuracy"]
    assert (version["version"], version["approval"]) == (1, "PendingManualApproval")


def test_a_second_run_takes_every_job_from_the_step_cache_and_says_so(
    shell: Shell, first_run: Finished
) -> None:
    again = shell.run("run", TUMORS)
    assert again.code == 0, again.err
    assert "step cache" in again.out
    assert "PendingManualApproval" in again.out
    newest = shell.run("executions", TUMORS, "--json").document[0]["execution_arn"]
    outcome = shell.run("retry", newest, "--wait", "--json")
    assert outcome.code == 1, "a succeeded execution is not retried"
    assert "Only a failed or stopped execution can be retried" in outcome.err
    assert first_run.document["accuracy"] > 0.9


def test_a_plan_says_what_an_upsert_then_changes_and_what_the_next_start_runs(
    shell: Shell, first_run: Finished, tmp_path: Path
) -> None:
    shutil.copytree(shell.home, tmp_path / "home")
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    text = shell.settings.read_text()
    own = ShellHere(tmp_path / "projects.toml", tmp_path / "home")
    own.settings.write_text(text)
    assert own.run("upsert", TUMORS).code == 0  # outside of the checkout its commit is not known
    assert "no job runs, so it takes seconds and costs nothing" in own.run("plan", TUMORS).out
    unchanged = own.run("plan", TUMORS, "--json").document
    assert (unchanged["action"], unchanged["changes"]) == ("none", [])
    assert {one["cached_from"] for one in unchanged["next_start"]} == {first_run.document["execution_arn"]}

    own.settings.write_text(text.replace("max_depth = 4", "max_depth = 5"))
    planned = own.run("plan", TUMORS)
    assert planned.code == 0, planned.err
    assert "TrainModel, RegisterModel: MaxDepth default 4 -> 5" in planned.out
    assert "PreprocessData comes from the step cache" in planned.out
    assert "TrainModel runs: HyperParameters.max_depth 4 -> 5" in planned.out
    assert "EvaluateModel runs: after TrainModel" in planned.out
    here = planned.out.partition("Estimated on this machine:\n")[2].partition("Estimated in AWS:")[0]
    assert "PreprocessData" not in here, "it comes from the cache"
    assert re.search(r"TrainModel, 1 x \S+: about .* from .*earlier execution.* of other data", here)
    page = own.run("plan", TUMORS, "--markdown").out
    assert "- `TrainModel, RegisterModel: MaxDepth default 4 -> 5`" in page
    assert "| `EvaluateModel` | runs | after TrainModel |" in page
    assert own.run("plan", TUMORS, "--json", "--markdown").code == 2
    assert own.run("plan", TUMORS, "--json").document["action"] == "update", "planning changed something"

    upserted = own.run("upsert", TUMORS)
    assert upserted.out.startswith(planned.out.partition("Estimated ")[0])
    outcome = own.run("start", TUMORS, "--wait", "--json").document
    assert [step["name"] for step in outcome["steps"] if step["cached"]] == ["PreprocessData"]


@pytest.mark.parametrize(
    ("direction", "code"),
    [(0.0, 0), (1.0, 3), (None, 3)],
    ids=["just below the accuracy", "just above the accuracy", "exactly the accuracy"],
)
def test_the_gate_opens_only_strictly_above_the_threshold(
    shell: Shell, first_run: Finished, direction: float | None, code: int
) -> None:
    accuracy = first_run.document["accuracy"]
    threshold = accuracy if direction is None else math.nextafter(accuracy, direction)
    before = len(shell.run("models", TUMORS, "--json").document)
    run = shell.run("start", TUMORS, "-p", f"AccuracyThreshold={threshold!r}", "--wait", "--json")
    assert run.code == code, run.err
    assert run.document["gate_shut"] is (code == 3)
    registered = len(shell.run("models", TUMORS, "--json").document) - before
    assert registered == (1 if code == 0 else 0)
    if code == 3:
        reasons = {step["name"]: step["failure_reason"] for step in run.document["steps"]}
        assert "is not above the threshold" in reasons["ModelRefused"]
        assert f"{threshold:g}" in reasons["ModelRefused"]


def test_a_project_with_several_classes_takes_the_same_road(shell: Shell) -> None:
    run = shell.run("run", "vision-handwritten-digits", "-p", "NumRound=40", "-p", "Eta=0.3", "--json")
    assert run.code == 0, run.err
    assert run.document["accuracy"] > run.document["threshold"]


def test_what_is_registered_carries_its_metrics_origin_and_inference_code(
    shell: Shell, first_run: Finished, tmp_path: Path
) -> None:
    """Read with nothing but unmodified clients: the AWS CLI for the registry and for S3."""
    with Kept(shell) as aws:
        package = json.loads(
            aws("sagemaker", "describe-model-package", "--model-package-name", _arn(first_run))
        )
        assert package["ModelApprovalStatus"] == "PendingManualApproval"
        assert package["ModelCard"]["ModelCardStatus"] == "Draft"
        assert (package["Domain"], package["Task"]) == ("MACHINE_LEARNING", "CLASSIFICATION")
        metadata = package["CustomerMetadataProperties"]
        assert metadata["execution_arn"] == first_run.document["execution_arn"]
        assert metadata["accuracy_threshold"] == "0.9"
        assert "max_depth=4" in metadata["hyperparameters"]
        assert {"git_commit", "created_by", "dataset_uri", "dataset_version"} <= set(metadata)
        specification = package["InferenceSpecification"]
        assert set(specification["SupportedContentTypes"]) >= {"text/csv", "application/json"}
        container = specification["Containers"][0]
        assert container["Environment"]["SAGEMAKER_PROGRAM"] == "inference.py"
        statistics = tmp_path / "statistics.json"
        aws("s3", "cp", package["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"], str(statistics))
        metrics = json.loads(statistics.read_text())["binary_classification_metrics"]
        assert metrics["accuracy"]["value"] == first_run.document["accuracy"]
        quality = package["ModelMetrics"]["ModelDataQuality"]["Statistics"]["S3Uri"]
        aws("s3", "cp", quality, str(tmp_path / "quality.json"))
        assert len(json.loads((tmp_path / "quality.json").read_text())["features"]) == 31
        aws("s3", "cp", package["SamplePayloadUrl"], str(tmp_path / "payload.tar.gz"))
        aws("s3", "cp", container["ModelDataUrl"], str(tmp_path / "model.tar.gz"))
        listed = subprocess.run(
            ["tar", "tzf", str(tmp_path / "model.tar.gz")], capture_output=True, text=True, check=True
        )
        assert "code/inference.py" in listed.stdout


def test_a_regression_is_registered_below_its_threshold_then_deployed_and_asked(
    shell: Shell, tmp_path: Path
) -> None:
    project = "health-diabetes-progression"
    refused = shell.run("run", project, "-p", "RmseThreshold=20", "--json")
    assert refused.code == 3, refused.err
    assert "is not below the threshold 20" in refused.document["verdict"]["sentence"]
    run = shell.run("start", project, "--wait", "--json")
    assert run.code == 0, run.err
    assert run.document["metric"] == "rmse"
    assert run.document["verdict"]["checks"][0]["value"] < run.document["threshold"] == 65
    assert [step["name"] for step in run.document["steps"]][3::3] == ["CheckRmse", "RegisterModel"]
    (version,) = shell.run("models", project, "--json").document
    assert version["arn"] == run.document["model_package_arn"]
    assert "RMSE" in shell.run("models", project).out
    assert "better than always answering" in shell.run("model", project, "1").out
    assert shell.run("approve", project, "1", "--note", "looks right").code == 0

    lines = (ROOT / "examples/diabetes-progression/diabetes.csv").read_text().splitlines(keepends=True)
    rows, scored = tmp_path / "rows.csv", tmp_path / "scored.csv"
    rows.write_text("".join(lines[:4]))
    with endpoint.start(shell.home) as started:
        registry = client_of(started.url, "sagemaker")
        package = registry.describe_model_package(ModelPackageName=version["arn"])
    deployed = shell.run("deploy", project, "--env", "dev", "--version", "1")
    assert deployed.code == 0, deployed.err
    answers = shell.run("invoke", project, "--env", "dev", "--data", str(rows), "--json").document
    shown = shell.run("invoke", project, "--env", "dev", "--data", str(rows)).out
    assert package["Task"] == "REGRESSION"
    numbers = [answer["value"] for answer in answers]
    assert [25 < number < 346 for number in numbers] == [True, True, True]
    assert shown.split()[:2] == ["Row", "Value"]
    transformed = shell.run("transform", project, "--input", str(rows), "--output", str(scored))
    assert transformed.code == 0, transformed.err
    assert [float(line) for line in scored.read_text().splitlines()] == numbers


class Kept:
    """`gatehouse local up` for the length of a `with` block, and the AWS CLI pointed at it."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    def __enter__(self) -> Kept:
        up = self._shell.run("local", "up")
        assert up.code == 0, up.err
        lines = self._shell.run("local", "env").out.splitlines()
        exports = [
            line.removeprefix("export ").partition("=") for line in lines if line.startswith("export ")
        ]
        self._environment = {
            **os.environ,
            **{name: value.strip("'\"") for name, _, value in exports},
            "AWS_CONFIG_FILE": os.devnull,
        }
        return self

    def __exit__(self, *_: object) -> None:
        down = self._shell.run("local", "down")
        assert down.code == 0, down.err

    def __call__(self, *arguments: str) -> str:
        # Through the interpreter: pip gives this script a first line that no folder with a space survives.
        command = [sys.executable, str(Path(sys.executable).parent / "aws"), *arguments]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


def _arn(run: Finished) -> str:
    return str(run.document["model_package_arn"])
