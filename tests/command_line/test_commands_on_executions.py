"""The commands about executions and versions, against a pipeline of shell scripts."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.commands import main

Printed = pytest.CaptureFixture[str]


def test_start_and_wait_gives_one_document_with_stable_keys(local: Any, capsys: Printed) -> None:
    local.upsert(local.gated(local.scores(0.75)))
    assert main(["start", "--wait", "--json"]) == 0
    printed = capsys.readouterr()
    outcome = json.loads(printed.out)
    assert outcome["status"] == "Succeeded"
    assert (outcome["accuracy"], outcome["threshold"]) == (0.75, 0.6)
    assert outcome["model_package_arn"].endswith("model-package/bank-churn/1")
    assert set(outcome["steps"][0]) == {"name", "status", "cached", "seconds", "failure_reason"}
    assert "EvaluateModel it: succeeded" in printed.err
    assert "gatehouse logs bank-churn --step EvaluateModel" in printed.err


def test_a_registered_version_is_reported_with_its_status_and_what_to_type_next(
    local: Any, capsys: Printed
) -> None:
    local.upsert(local.gated(local.scores(0.75)))
    assert main(["start", "--wait"]) == 0
    printed = capsys.readouterr().out
    assert "bank-churn version 1" in printed
    assert "0.75, above the threshold 0.6" in printed
    assert "PendingManualApproval" in printed
    assert "gatehouse models bank-churn" in printed


def test_a_shut_gate_ends_with_exit_code_3_and_both_numbers(local: Any, capsys: Printed) -> None:
    local.upsert(local.gated(local.scores(0.5)))
    assert main(["start", "--wait"]) == 3
    printed = capsys.readouterr().out
    assert "accuracy 0.5 is not above the threshold 0.6" in printed
    assert main(["start", "--wait", "--json", "-p", "AccuracyThreshold=0.55"]) == 3
    outcome = json.loads(capsys.readouterr().out)
    assert outcome["gate_shut"] is True
    assert outcome["model_package_arn"] is None
    assert outcome["threshold"] == 0.55


def test_a_gate_on_another_metric_is_reported_under_that_metrics_name(local: Any, capsys: Printed) -> None:
    local.upsert(local.gated(local.scores(0.75, "recall"), metric="recall"))
    assert main(["start", "--wait"]) == 0
    printed = capsys.readouterr()
    assert "recall 0.7500 is above the threshold 0.6" in printed.err
    assert "Recall      0.75, above the threshold 0.6" in printed.out
    local.upsert(local.gated(local.scores(0.5, "f0_5"), metric="f0_5"))
    assert main(["start", "--wait"]) == 3
    assert "F0.5 0.5 is not above the threshold 0.6" in capsys.readouterr().out


def test_a_crash_ends_with_exit_code_1_the_step_and_the_end_of_its_log(local: Any, capsys: Printed) -> None:
    local.upsert(local.gated("echo reading; echo no such column; exit 3"))
    assert main(["start", "--wait"]) == 1
    printed = capsys.readouterr().out
    assert "Step EvaluateModel" in printed
    assert "  | no such column" in printed
    assert "gatehouse retry arn:aws:sagemaker:" in printed


def test_of_a_job_that_failed_before_its_program_began_no_log_is_shown(local: Any, capsys: Printed) -> None:
    step = local.processing_step("EvaluateModel", "echo reading")
    data = {
        "S3Uri": "s3://tests/none/",
        "LocalPath": "/opt/ml/processing/input/raw",
        "S3DataType": "S3Prefix",
    }
    step["Arguments"]["ProcessingInputs"] = [{"InputName": "raw", "S3Input": {**data, "S3InputMode": "File"}}]
    image = "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:3.2-0"
    step["Arguments"]["AppSpecification"]["ImageUri"] = image  # of another the log says that it is not here
    local.upsert([step])
    assert main(["start", "--wait"]) == 1
    printed = capsys.readouterr().out
    assert "No S3 objects found" in printed
    assert "of its log" not in printed


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("AccuracyTreshold=0.5", "Did you mean AccuracyThreshold?"),
        ("AccuracyThreshold=high", "is not a number"),
        ("AccuracyThreshold=1.5", "Use a number from 0 to 1"),
    ],
)
def test_a_wrong_parameter_is_one_line_and_nothing_starts(
    local: Any, capsys: Printed, word: str, said: str
) -> None:
    local.upsert(local.gated(local.scores(0.75)))
    assert main(["start", "-p", word]) == 1
    printed = capsys.readouterr()
    assert said in printed.err
    assert printed.err.count("\n") == 1
    assert main(["executions", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_logs_are_printed_by_step_and_as_json(local: Any, capsys: Printed) -> None:
    local.upsert(local.gated(local.scores(0.75)))
    assert main(["start", "--wait", "--json"]) == 0
    arn = json.loads(capsys.readouterr().out)["execution_arn"]
    assert main(["logs", "--step", "EvaluateModel"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "evaluating"
    assert main(["logs", arn, "--json", "--follow"]) == 0
    lines = json.loads(capsys.readouterr().out)
    assert lines[-1]["step"] == "EvaluateModel"
    assert lines[-1]["message"] == "evaluating"
    assert main(["logs", "--step", "Evaluate"]) == 1
    assert "The steps are: EvaluateModel, CheckAccuracy" in capsys.readouterr().err


def test_executions_are_listed_for_people_and_machines(local: Any, capsys: Printed) -> None:
    local.upsert(local.gated("exit 1"))
    assert main(["start", "--wait", "--json"]) == 1
    arn = json.loads(capsys.readouterr().out)["execution_arn"]
    assert main(["executions", "--json"]) == 0
    (listed,) = json.loads(capsys.readouterr().out)
    assert (listed["execution_arn"], listed["status"]) == (arn, "Failed")
    assert listed["parameters"]["AccuracyThreshold"] == "0.6"
    assert main(["executions"]) == 0
    printed = capsys.readouterr().out
    assert arn.rpartition("/")[2] in printed
    assert "Failed" in printed


def test_stop_ends_a_running_execution_and_retry_runs_it_on(
    local: Any, workplace: Path, capsys: Printed
) -> None:
    local.upsert(local.gated(f"test -e {workplace}/go || exec sleep 600\n{local.scores(0.75)}"))
    assert main(["start", "--json"]) == 0
    arn = json.loads(capsys.readouterr().out)["execution_arn"]
    assert main(["stop", arn, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"execution_arn": arn, "status": "Stopped"}
    assert main(["stop"]) == 0
    assert "had ended already" in capsys.readouterr().err
    (workplace / "go").touch()
    assert main(["retry", arn, "--wait", "--json"]) == 0
    outcome = json.loads(capsys.readouterr().out)
    assert (outcome["execution_arn"], outcome["status"]) == (arn, "Succeeded")


def test_versions_are_listed_newest_first_with_their_accuracy(local: Any, capsys: Printed) -> None:
    assert main(["models", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
    for accuracy in (0.75, 0.8125):
        local.upsert(local.gated(local.scores(accuracy)))
        assert main(["start", "--wait", "--json"]) == 0
        capsys.readouterr()
    assert main(["models", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [(found["version"], found["accuracy"]) for found in listed] == [(2, 0.8125), (1, 0.75)]
    assert listed[0]["approval"] == "PendingManualApproval"
    assert listed[0]["environments"] == []
    assert set(listed[0]) >= {"version", "arn", "created", "accuracy", "approval", "environments"}
    local.client("sagemaker").update_model_package(
        ModelPackageArn=listed[1]["arn"], ModelApprovalStatus="Approved"
    )
    assert main(["models", "--json", "--approval", "approved"]) == 0
    assert [found["version"] for found in json.loads(capsys.readouterr().out)] == [1]
    assert main(["models"]) == 0
    assert "0.8125" in capsys.readouterr().out


def test_a_version_whose_statistics_are_gone_or_broken_is_listed_without_accuracy(
    local: Any, capsys: Printed
) -> None:
    local.upsert(local.gated(local.scores(0.75)))
    for _ in range(2):
        assert main(["start", "--wait", "--json"]) == 0
        capsys.readouterr()
    s3 = local.client("s3")
    first, second = sorted(
        found["Key"]
        for found in s3.list_objects_v2(Bucket="tests")["Contents"]
        if found["Key"].endswith("statistics.json")
    )
    s3.delete_object(Bucket="tests", Key=first)
    s3.put_object(Bucket="tests", Key=second, Body=b"{")
    assert main(["models", "--json"]) == 0
    assert [found["accuracy"] for found in json.loads(capsys.readouterr().out)] == [None, None]


def test_starting_without_an_endpoint_that_stays_is_refused(workplace: Path, capsys: Printed) -> None:
    assert workplace.exists()
    assert main(["start"]) == 1
    printed = capsys.readouterr().err
    assert "--wait" in printed
    assert "gatehouse local up" in printed


@pytest.mark.usefixtures("local")
@pytest.mark.parametrize(
    "line", ["start --wait", "executions", "logs", "stop", "retry --wait", "schedule --rate=1-day"]
)
def test_every_command_says_the_same_of_a_pipeline_that_does_not_exist(line: str, capsys: Printed) -> None:
    assert main([word.replace("1-day", "1 day") for word in line.split()]) == 1
    assert capsys.readouterr().err == (
        "Error: the local SageMaker: there is no pipeline bank-churn yet. Create it with"
        " `gatehouse upsert bank-churn`; `gatehouse run bank-churn` creates and starts it.\n"
    )


def test_every_command_says_the_same_of_an_execution_that_does_not_exist(local: Any, capsys: Printed) -> None:
    local.upsert(local.gated(local.scores(0.75)))
    told = "ipeline bank-churn has no execution yet. Start one with `gatehouse run"
    for line, code in (("executions", 0), ("logs", 1), ("stop", 1), ("retry --wait", 1)):
        assert main(line.split()) == code
        assert told in capsys.readouterr().err, line


def started(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "pipelines", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    )


def wait_for(what: Callable[[], bool], command: subprocess.Popen[str] | None = None) -> None:
    deadline = time.monotonic() + 120
    while not what():
        assert time.monotonic() < deadline
        assert command is None or command.poll() is None, command.communicate()[1]
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_command_stops_the_execution_and_its_job_first(
    local: Any, workplace: Path, number: signal.Signals, capsys: Printed
) -> None:
    local.upsert(local.gated(f"touch {workplace}/runs\nexec sleep 600"))
    command = started("start", "--wait")
    wait_for((workplace / "runs").exists, command)
    command.send_signal(number)
    _, told = command.communicate(timeout=120)
    assert command.returncode == 130
    assert "The execution is Stopped" in told
    assert "gatehouse retry arn:aws:sagemaker:" in told
    assert "Traceback" not in told
    assert main(["executions", "--json"]) == 0
    assert [found["status"] for found in json.loads(capsys.readouterr().out)] == ["Stopped"]


def test_a_second_interrupt_leaves_at_once_and_the_job_ends_with_the_command(
    local: Any, capsys: Printed
) -> None:
    seconds = f"600.{os.getpid()}"  # tells this job's process from any other
    local.upsert(local.gated(f"trap '' TERM\nexec sleep {seconds}"))
    local.close()  # so that the command runs the execution inside its own process
    command = started("start", "--wait")
    wait_for(lambda: is_running(seconds), command)
    command.send_signal(signal.SIGINT)
    assert command.stderr is not None
    while "Ctrl-C again" not in command.stderr.readline():
        assert command.poll() is None
    command.send_signal(signal.SIGINT)
    _, told = command.communicate(timeout=20)  # less than the job would be given
    assert command.returncode == 130
    assert "Left at once" in told
    wait_for(lambda: not is_running(seconds))
    assert main(["executions", "--json"]) == 0
    printed = capsys.readouterr()
    assert [found["status"] for found in json.loads(printed.out)] == ["Failed"]
    assert "An earlier execution did not end by itself" in printed.err


def test_executions_are_watched_line_by_line_in_a_pipe(local: Any, workplace: Path) -> None:
    local.upsert(local.gated(f"until test -e {workplace}/go; do sleep 0.1; done\n{local.scores(0.75)}"))
    assert main(["start"]) == 0
    command = started("executions", "--watch")
    assert command.stdout is not None
    assert "  Executing  EvaluateModel it" in command.stdout.readline()
    (workplace / "go").touch()
    while "  Succeeded" not in command.stdout.readline():  # a look in between may see another step
        assert command.poll() is None
    command.send_signal(signal.SIGINT)
    rest, told = command.communicate(timeout=120)
    assert (command.returncode, rest, told) == (130, "", "\nInterrupted.\n")


def test_executions_are_watched_in_place_on_a_narrow_terminal(local: Any) -> None:
    local.upsert(local.gated("exit 1"))
    assert main(["start", "--wait"]) == 1
    shown, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 8, 40, 0, 0))
    command = subprocess.Popen(
        [sys.executable, "-m", "pipelines", "executions", "--watch"],
        stdin=end,
        stdout=end,
        stderr=end,
        env={**os.environ, "TERM": "xterm", "NO_COLOR": "1"},
    )
    os.close(end)
    seen = ""
    while seen.count("Failed") < 2:  # drawn and drawn again
        seen += os.read(shown, 4096).decode()
    command.send_signal(signal.SIGINT)
    assert command.wait(timeout=120) == 130
    os.close(shown)
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen).replace("\r", "\n").split("\n")
    assert max(map(len, lines)) <= 40
    assert "\x1b[1A" in seen  # it goes up and draws over what was there
    assert not re.search(r"\x1b\[[0-9;]*m", seen)


def is_running(argument: str) -> bool:
    """Whether a `sleep` with that argument runs: a job's process ids are its own, inside its namespace."""
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if process.read_bytes() == f"sleep\0{argument}\0".encode():
                return True
    return False


def test_what_a_killed_command_left_under_way_is_told_once_and_can_be_retried(
    local: Any, workplace: Path
) -> None:
    local.upsert(
        local.gated(
            f"test -e {workplace}/runs || (touch {workplace}/runs; exec sleep 600)\n{local.scores(0.75)}"
        )
    )
    local.close()
    command = started("start", "--wait")
    wait_for((workplace / "runs").exists, command)
    command.kill()
    command.communicate(timeout=120)
    told = started("executions").communicate(timeout=60)
    assert "An earlier execution did not end by itself" in told[1]
    assert "EvaluateModel" in told[1]
    assert "gatehouse retry arn:aws:sagemaker:" in told[1]
    assert "Failed" in told[0]
    again = started("retry", "--wait")
    printed, told_again = again.communicate(timeout=60)
    assert again.returncode == 0, told_again
    assert "did not end by itself" not in told_again
    assert "bank-churn version 1" in printed


def test_single_steps_run_on_the_results_of_an_earlier_execution(
    local: Any, capsys: Printed, workplace: Path
) -> None:
    count = workplace / "count"
    local.upsert(local.gated(f"{local.scores(0.75)}\necho x >> {count}"))
    assert main(["start", "--only", "CheckAccuracy", "--wait"]) == 1
    assert "no execution has succeeded yet whose results could be used" in capsys.readouterr().err
    assert main(["start", "--wait", "--json"]) == 0
    first = json.loads(capsys.readouterr().out)["execution_arn"]
    assert main(["start", "--only", "CheckAccuracy", "--only", "RegisterModel", "--wait"]) == 0
    printed = capsys.readouterr()
    assert "EvaluateModel it: from an earlier execution" in printed.err
    assert "bank-churn version 2" in printed.out
    assert count.read_text() == "x\n", "the evaluation ran once"

    threshold = ["-p", "AccuracyThreshold=0.8"]
    alone = ["start", "--only", "CheckAccuracy", "--from", first.rpartition("/")[2], "--wait"]
    assert main([*alone, *threshold]) == 3, "the gate stays shut, though nothing is there to fail"
    assert "The gate stayed shut" in capsys.readouterr().out
    assert main(["start", "--only", "CheckAcuracy", "--wait"]) == 1
    assert "Did you mean 'CheckAccuracy'?" in capsys.readouterr().err
    assert main(["start", "--from", "x", "--wait"]) == 2


def test_an_earlier_version_of_the_pipeline_can_be_started(local: Any, capsys: Printed) -> None:
    arn = local.upsert(local.gated(local.scores(0.75)))
    local.upsert(local.gated(local.scores(0.95)))
    sagemaker = local.target.client("sagemaker")
    aliases = {"Add": ["old"]}
    found = sagemaker.describe_pipeline(PipelineName="bank-churn")
    sagemaker.update_pipeline_version(
        PipelineArn=found["PipelineArn"], PipelineVersionId=1, PipelineVersionAliasOperations=aliases
    )
    for version in ("1", "old"):
        assert main(["start", "--pipeline-version", version, "--wait", "--json"]) == 0, arn
        assert json.loads(capsys.readouterr().out)["accuracy"] == 0.75
    assert main(["start", "--wait", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["accuracy"] == 0.95
    for version in ("7", "new"):
        assert main(["start", "--pipeline-version", version, "--wait"]) == 1
        assert f"there is no version {version} of the pipeline" in capsys.readouterr().err


def test_an_mlflow_experiment_is_for_a_definition_with_a_server_and_nothing_is_tracked_here(
    local: Any, capsys: Printed
) -> None:
    local.upsert(local.gated(local.scores(0.75)))
    assert main(["start", "--wait", "--mlflow-experiment", "tuning"]) == 1
    assert "no MLflow server, so there is no place for the experiment 'tuning'" in capsys.readouterr().err
    server = "arn:aws:sagemaker:eu-west-1:111122223333:mlflow-app/app-ABC123"
    local.upsert(local.gated(local.scores(0.75)), MlflowConfig={"MlflowResourceArn": server})
    assert main(["start", "--wait", "--json", "--mlflow-experiment", "tuning"]) == 0
    printed = capsys.readouterr()
    assert f"MLflow: nothing is tracked on this machine; in AWS the server is {server}" in printed.err
    execution = local.client("sagemaker").describe_pipeline_execution(
        PipelineExecutionArn=json.loads(printed.out)["execution_arn"]
    )
    assert execution["MLflowConfig"] == {"MlflowResourceArn": server, "MlflowExperimentName": "tuning"}
    assert main(["start", "--mlflow-experiment", "x" * 257]) == 1
    assert "1 to 256 characters" in capsys.readouterr().err
