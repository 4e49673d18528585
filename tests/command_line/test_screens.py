"""What is shown of a step while it runs and when it has ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from rich.console import Console

from evaluation.metric_table import METRICS
from pipelines.commands.options import which_execution
from pipelines.commands.output import duration
from pipelines.commands.progress import LineScreen, LiveScreen
from pipelines.executions.job_records import StepJob
from pipelines.executions.lifecycle import ExecutionSummary
from pipelines.executions.trials import Range, Search, Trial
from pipelines.executions.watched_list import WatchedExecution
from pipelines.executions.watching import NOT_STARTED, GateReading, Snapshot, Step, outcome_of
from registry.model_quality import ACCURACY

ARN = "arn:aws:sagemaker:eu-west-1:000000000000:pipeline/bank-churn/execution/abcdefabcdef"
TRAINING = StepJob("training", "arn:aws:sagemaker:eu-west-1:000000000000:training-job/train-1")

PREPARED = Step(
    "PreprocessData",
    "Preprocess data",
    "Processing",
    "Succeeded",
    started=0,
    ended=2.5,
    produced="train 70 rows",
)
TRAINS = Step(
    "TrainModel", "Train model", "Training", "Executing", started=1.0, job=TRAINING, latest="[12] logloss:0.1"
)
CHECK = Step("CheckAccuracy", "Check accuracy", "Condition", NOT_STARTED)
REGISTER = Step("RegisterModel", "Register model", "RegisterModel", NOT_STARTED)
TOO_LOW = Step("AccuracyTooLow", "Accuracy too low", "Fail", "Failed", failure_reason="accuracy is too low")


def snapshot(*steps: Step, status: str = "Executing") -> Snapshot:
    gate = GateReading(ACCURACY, "EvaluateModel", value=0.5, threshold=0.6)
    return Snapshot(ARN, status, None, steps, gate)


def test_lines_are_written_once_for_each_change(capsys: pytest.CaptureFixture[str]) -> None:
    with LineScreen("bank-churn", "bank-churn on this machine") as screen:
        screen.show(snapshot(PREPARED, TRAINS, CHECK))
        screen.show(snapshot(PREPARED, TRAINS, CHECK))
        done = replace(TRAINS, status="Succeeded", ended=4.0, produced="best iteration 9")
        screen.show(snapshot(PREPARED, done, CHECK))
    assert capsys.readouterr().err.splitlines() == [
        "bank-churn on this machine",
        "  Preprocess data: succeeded in 2.5 s: train 70 rows",
        "  Train model: executing: [12] logloss:0.1",
        "    log: gatehouse logs bank-churn --step TrainModel"
        "  (CloudWatch /aws/sagemaker/TrainingJobs, train-1/)",
        "  Train model: succeeded in 3.0 s: best iteration 9",
    ]


def test_a_cache_hit_is_called_one(capsys: pytest.CaptureFixture[str]) -> None:
    with LineScreen("bank-churn", "title") as screen:
        screen.show(snapshot(replace(PREPARED, cached_from=ARN)))
    assert "  Preprocess data: from the cache: train 70 rows" in capsys.readouterr().err


def test_the_live_table_shows_every_step_with_its_time_and_the_newest_line_of_its_log() -> None:
    screen = LiveScreen("bank-churn", "bank-churn on this machine")
    console = Console(width=120, force_terminal=False, record=True, quiet=False, file=None)
    screen.show(snapshot(PREPARED, TRAINS, CHECK))
    with console.capture() as captured:
        console.print(screen)
    text = captured.get()
    assert "✓  Preprocess data  succeeded" in text
    assert "2.5 s" in text
    assert "[12] logloss:0.1" in text
    assert "Check accuracy" in text
    assert "waiting" in text
    assert "gatehouse logs bank-churn --step TrainModel" in text


@pytest.mark.parametrize("width", [20, 30, 40, 71])
def test_on_a_narrow_terminal_each_step_keeps_its_name_and_its_status(width: int) -> None:
    broken = replace(TRAINS, status="Failed", ended=5.0, failure_reason="no rows of the class malignant")
    screen = LiveScreen("bank-churn", "bank-churn on this machine")
    console = Console(width=width, force_terminal=False)
    screen.show(snapshot(PREPARED, broken, CHECK))
    with console.capture() as captured:
        console.print(screen)
    lines = [line.rstrip() for line in captured.get().splitlines()]
    assert max(map(len, lines)) <= width
    steps = lines[lines.index("✓ Preprocess data") :]
    assert steps[1] == "  succeeded 2.5 s"
    assert steps[2:4] == ["✗ Train model", "  failed 4.0 s"]
    assert steps[4].startswith("  no rows of th")
    assert steps[5] == "· Check accuracy"


SEARCH = Search("logloss", greater_is_better=False, jobs=9, ranges=(Range("eta", 0.01, 0.3),))
TRIALS = tuple(
    Trial(
        number,
        f"{TRAINING.arn}-{number}",
        "Completed" if number < 9 else "InProgress",
        {"eta": f"0.{number}234567", "max_depth": str(number)},
        0.5 - abs(number - 3) / 100 if number == 3 else 0.5 + number / 100 if number < 9 else None,
        4.0,
    )
    for number in range(1, 10)
)
TUNES = replace(
    TRAINS,
    name="TuneModel",
    display_name="Tune model",
    type="Tuning",
    job=StepJob("tuning", "arn:aws:sagemaker:eu-west-1:000000000000:hyper-parameter-tuning-job/0a1b-x"),
    latest="8 of 9 tried",
    search=SEARCH,
)


def test_each_trial_is_a_line_once_it_has_ended_and_the_best_so_far_is_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with LineScreen("bank-churn", "bank-churn on this machine") as screen:
        screen.show(snapshot(replace(TUNES, trials=TRIALS[:2])))
        failed = replace(TRIALS[1], status="Failed", result=None, failure_reason="no rows\nof it")
        screen.show(snapshot(replace(TUNES, trials=(TRIALS[0], failed, TRIALS[2], TRIALS[8]))))
        ended = replace(TUNES, status="Succeeded", ended=9.0, produced="the best of 4 has logloss 0.5")
        screen.show(snapshot(replace(ended, trials=(*TRIALS[:4],))))
    assert capsys.readouterr().err.splitlines()[1:] == [
        "  Tune model: executing: 8 of 9 tried",
        "    trial 1 of 9, the best so far: logloss 0.51 with eta 0.1235, max_depth 1",
        "    trial 2 of 9: logloss 0.52 with eta 0.2235, max_depth 2",
        "    log: gatehouse logs bank-churn --step TuneModel"
        "  (CloudWatch /aws/sagemaker/TrainingJobs, 0a1b-x-)",
        "    trial 3 of 9, the best so far: logloss 0.5 with eta 0.3235, max_depth 3",
        "    trial 4 of 9: logloss 0.54 with eta 0.4235, max_depth 4",
        "  Tune model: succeeded in 8.0 s: the best of 4 has logloss 0.5",
    ]


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("no rows\nof it", "no rows"),
        (
            "AlgorithmError: ...logloss:0.476\n[9]\tbest-logloss:0.475, killed by SIGKILL, exit code: 137",
            "AlgorithmError: [9]\tbest-logloss:0.475, killed by SIGKILL, exit code: 137",
        ),
        (
            "AlgorithmError: Traceback (most recent call last):\n  File\nValueError: no rows, exit code: 1",
            "AlgorithmError: ValueError: no rows, exit code: 1",
        ),
    ],
)
def test_a_trial_and_an_execution_that_failed_say_why(
    capsys: pytest.CaptureFixture[str], reason: str, said: str
) -> None:
    failed = replace(TRIALS[1], status="Failed", result=None, failure_reason=reason)
    with LineScreen("bank-churn", "title") as screen:
        screen.show(snapshot(replace(TUNES, trials=(failed,))))
    assert f"    trial 2 of 9: failed with eta 0.2235, max_depth 2: {said}\n" in capsys.readouterr().err
    summary = ExecutionSummary("arn", "Failed", datetime.now(UTC), None, reason)
    assert WatchedExecution(summary, ()).note == said


@pytest.mark.parametrize("width", [20, 40, 71, 120])
def test_the_live_screen_shows_the_newest_trials_and_the_best_within_any_width(width: int) -> None:
    screen = LiveScreen("bank-churn", "bank-churn on this machine")
    console = Console(width=width, force_terminal=False)
    screen.show(snapshot(PREPARED, replace(TUNES, trials=TRIALS), CHECK))
    with console.capture() as captured:
        console.print(screen)
    lines = [line.rstrip() for line in captured.get().splitlines()]
    assert max(map(len, lines)) <= width
    shown = [line for line in lines if line.startswith("  ★ trial") or "trial " in line[:10]]
    assert [line.split("trial ")[1][0] for line in shown] == ["3", "4", "5", "6", "7", "8", "9"]
    assert shown[0].startswith("  ★ trial 3 of 9")
    assert all(line.endswith("…") for line in shown) == (width < 60)


def test_a_gate_that_stays_shut_is_told_from_a_breakdown() -> None:
    shut = replace(CHECK, status="Succeeded", condition_held=False)
    assert outcome_of(snapshot(PREPARED, shut, REGISTER, TOO_LOW, status="Failed")).gate_shut
    broken = replace(CHECK, status="Failed", failure_reason="no such path")
    assert not outcome_of(snapshot(PREPARED, broken, REGISTER, status="Failed")).gate_shut
    crashed = replace(TRAINS, status="Failed")
    assert not outcome_of(snapshot(PREPARED, crashed, shut, TOO_LOW, status="Failed")).gate_shut


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, ""),
        (0.04, "0.0 s"),
        (59.94, "59.9 s"),
        (65, "1 min 05 s"),
        (3599.4, "59 min 59 s"),
        (7260, "2 h 01 min"),
    ],
)
def test_durations_read_well(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ((None, None), (None, None)),
        (("bank-churn", None), ("bank-churn", None)),
        ((ARN, None), ("bank-churn", ARN)),
        (("abcdefabcdef", None), (None, "abcdefabcdef")),
        (("bank-churn", "abcdefabcdef"), ("bank-churn", "abcdefabcdef")),
    ],
)
def test_one_word_may_be_a_project_or_an_execution(
    words: tuple[str | None, str | None], meant: tuple[str | None, str | None]
) -> None:
    assert which_execution(*words) == meant


def test_what_a_job_wrote_reaches_the_terminal_visibly(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = replace(TRAINS, display_name="Train\x1b[2J", latest="\x1b]0;title\x07 \u202e")
    failed = replace(hostile, status="Failed", failure_reason="\x9b2J is why")
    with LineScreen("bank-churn", "title") as screen:
        screen.show(snapshot(hostile))
        screen.show(snapshot(failed))
    live = LiveScreen("bank-churn", "title")
    console = Console(width=200, force_terminal=False)
    with console.capture() as captured:
        for step in (hostile, failed):
            live.show(snapshot(step))
            console.print(live)
    for shown in (capsys.readouterr().err, captured.get()):
        assert r"\x1b]0;title\x07 \u202e" in shown
        assert r"\x9b2J is why" in shown
        assert r"Train\x1b[2J" in shown
        assert not [char for char in shown if not char.isprintable() and char != "\n"]


def test_a_gate_shows_a_small_error_with_its_digits() -> None:
    gate = GateReading(METRICS["mse"], "EvaluateModel", value=1.25e-7, threshold=1e-6)
    assert gate.in_words(passed=True) == "MSE 1.25e-07 is below the threshold 1e-06"
