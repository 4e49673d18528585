"""Executions followed over the wire: what is seen of them while they run and what came out."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from aws_formats.errors import GatehouseError
from pipelines.executions import job_records, watching
from pipelines.executions import lifecycle as executions
from pipelines.executions.watching import ExecutionOutcome, Snapshot

NAME = "bank-churn"
LONGEST = 600.0
"""Seconds that a test's execution may take: much less than a day, much more than it does."""


def run(local: Any, **parameters: str) -> tuple[ExecutionOutcome, list[Snapshot]]:
    arn = executions.start(local.target, NAME, parameters)
    snapshots = list(watching.follow(local.target, arn))
    return watching.outcome(local.target, arn), snapshots


def statuses(outcome: ExecutionOutcome) -> dict[str, str]:
    return {step.name: step.status for step in outcome.steps}


def test_a_good_model_is_registered_with_its_accuracy_and_the_threshold_it_beat(local: Any) -> None:
    local.upsert(local.gated(local.scores(0.75)))
    outcome, snapshots = run(local, AccuracyThreshold="0.7")
    assert outcome.status == "Succeeded"
    assert outcome.gate is not None
    assert (outcome.gate.value, outcome.gate.threshold, outcome.gate_shut) == (0.75, 0.7, False)
    assert outcome.model_package_arn is not None
    assert outcome.model_package_arn.endswith(f"model-package/{NAME}/1")
    assert statuses(outcome) == {
        "EvaluateModel": "Succeeded",
        "CheckAccuracy": "Succeeded",
        "RegisterModel": "Succeeded",
    }
    produced = {step.name: step.produced for step in snapshots[-1].steps}
    assert produced == {
        "EvaluateModel": "scored 60 rows",
        "CheckAccuracy": "accuracy 0.7500 is above the threshold 0.7",
        "RegisterModel": "version 1, PendingManualApproval",
    }
    assert snapshots[0].status == "Executing"
    assert [step.name for step in snapshots[0].steps] == ["EvaluateModel", "CheckAccuracy", "RegisterModel"]


def test_a_gate_that_stays_shut_is_an_outcome_with_both_numbers(local: Any) -> None:
    local.upsert(local.gated(local.scores(0.6)))  # exactly at the threshold is not above it
    outcome, snapshots = run(local)
    assert outcome.gate_shut
    assert outcome.gate is not None
    assert (outcome.status, outcome.gate.value, outcome.gate.threshold) == ("Failed", 0.6, 0.6)
    assert outcome.model_package_arn is None
    assert snapshots[-1].steps[-1].failure_reason == "accuracy is too low"


@pytest.mark.parametrize("accuracy", ['"high"', "null"])
def test_a_broken_metric_is_a_breakdown_and_not_a_shut_gate(local: Any, accuracy: str) -> None:
    local.upsert(local.gated(local.scores(json.loads(accuracy))))
    outcome, _ = run(local)
    assert outcome.status == "Failed"
    assert not outcome.gate_shut
    assert outcome.gate is not None
    assert outcome.gate.value is None
    assert outcome.failed_step is not None
    assert outcome.failed_step.name == "CheckAccuracy"


def test_a_crash_names_the_step_and_its_log_holds_the_reason(local: Any) -> None:
    local.upsert(local.gated("echo reading; echo no such column >&2; exit 3"))
    outcome, _ = run(local)
    assert outcome.status == "Failed"
    assert not outcome.gate_shut
    assert outcome.failed_step is not None
    assert outcome.failed_step.name == "EvaluateModel"
    assert outcome.failed_step.job is not None
    lines = [line.message for line in job_records.log_lines(local.target, outcome.failed_step.job)]
    assert lines[-2:] == ["reading", "no such column"]


def test_a_second_run_says_which_results_came_from_the_cache(local: Any) -> None:
    local.upsert(local.gated(local.scores(0.75), cached=True))
    first, _ = run(local)
    second, snapshots = run(local)
    assert [step.cached for step in first.steps] == [False, False, False]
    assert [step.cached for step in second.steps] == [True, False, False]
    assert second.steps[0].cached_from == first.execution_arn
    assert snapshots[-1].steps[0].produced == "scored 60 rows"
    assert second.gate is not None
    assert second.gate.value == 0.75


def test_a_running_step_shows_the_newest_line_of_its_log(local: Any) -> None:
    local.upsert(local.gated("echo round 1; echo round 2; exec sleep 600"))
    arn = executions.start(local.target, NAME, {})
    seen = None
    for snapshot in watching.follow(local.target, arn):
        seen = snapshot.steps[0].latest
        if snapshot.ended or seen == "round 2":
            break
    assert seen == "round 2"
    executions.stop(local.target, arn)
    *_, last = watching.follow(local.target, arn)
    assert last.status == "Stopped"
    assert last.steps[0].status == "Stopped"


@pytest.mark.parametrize("jump", [86400.0, -86400.0], ids=["forward by a day", "back by a day"])
def test_how_long_a_step_takes_is_what_passed_when_the_clock_jumps(
    local: Any, jump: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    local.upsert(local.gated("echo runs; exec sleep 600"))
    arn = executions.start(local.target, NAME, {})
    snapshots = watching.follow(local.target, arn)
    running = next(snapshot for snapshot in snapshots if snapshot.steps[0].latest == "runs")
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + jump)
    first, second = running.steps[0].seconds, next(snapshots).steps[0].seconds
    assert first is not None
    assert second is not None
    assert 0 < first < second < LONGEST
    executions.stop(local.target, arn)
    *_, last = snapshots
    assert last.steps[0].seconds is not None
    assert second < last.steps[0].seconds < LONGEST


def test_a_failed_execution_is_retried_under_its_own_arn(local: Any, tmp_path: Any) -> None:
    local.upsert(local.gated(f"test -e {tmp_path}/repaired || exit 1\n{local.scores(0.9)}"))
    failed, _ = run(local)
    assert failed.status == "Failed"
    (tmp_path / "repaired").touch()
    executions.retry(local.target, failed.execution_arn)
    *_, last = watching.follow(local.target, failed.execution_arn)
    assert last.status == "Succeeded"
    assert watching.outcome_of(last).model_package_arn is not None


def test_an_execution_with_more_steps_than_a_page_is_seen_whole(local: Any) -> None:
    always = {"Type": "Equals", "LeftValue": 1, "RightValue": 1}
    local.upsert(
        [
            {
                "Name": f"Check{i}",
                "Type": "Condition",
                "Arguments": {"Conditions": [always], "IfSteps": [], "ElseSteps": []},
            }
            for i in range(105)
        ]
    )
    outcome, _ = run(local)
    assert outcome.status == "Succeeded"
    assert [step.name for step in outcome.steps] == [f"Check{i}" for i in range(105)]
    assert outcome.gate is None


def test_executions_are_listed_newest_first_and_found_by_id(local: Any) -> None:
    local.upsert([{"Name": "No", "Type": "Fail", "Arguments": {"ErrorMessage": "never mind"}}])
    arns = [run(local)[0].execution_arn for _ in range(3)]
    listed = executions.list_executions(local.target, NAME)
    assert [found.execution_arn for found in listed] == arns[::-1]
    assert {found.status for found in listed} == {"Failed"}
    assert len(executions.list_executions(local.target, NAME, limit=2)) == 2
    assert executions.find(local.target, NAME) == arns[-1]
    assert executions.find(local.target, NAME, listed[-1].id) == arns[0]
    assert executions.find(local.target, NAME, arns[1]) == arns[1]


def test_what_is_not_there_is_said_in_one_line(local: Any) -> None:
    with pytest.raises(GatehouseError, match="there is no pipeline bank-churn yet"):
        executions.start(local.target, NAME, {})
    with pytest.raises(GatehouseError, match="there is no pipeline"):
        executions.list_executions(local.target, NAME)
    local.upsert([{"Name": "No", "Type": "Fail", "Arguments": {"ErrorMessage": "never mind"}}])
    with pytest.raises(GatehouseError, match="has no execution yet"):
        executions.find(local.target, NAME)
    with pytest.raises(GatehouseError, match="has no execution zzzzzzzzzzzz"):
        executions.find(local.target, NAME, "zzzzzzzzzzzz")
