"""What the page of a tuning step draws: where each trial stands in the square of each hyperparameter."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipelines.executions.trials import Range, Search, Trial
from pipelines.executions.watching import Step
from studio import charts
from studio.views.executions_trials import trials_view

SEARCH = Search(
    "auc",
    greater_is_better=True,
    jobs=4,
    ranges=(
        Range("eta", 0.01, 1.0, is_log=True),
        Range("max_depth", 2, 6),
        Range("grow_policy", values=("a", "b")),
    ),
)


def trial(number: int, result: float | None, eta: str, status: str = "Completed") -> Trial:
    values = {"eta": eta, "max_depth": str(number + 1), "grow_policy": "ab"[number % 2]}
    return Trial(
        number, f"arn:aws:sagemaker:eu-west-1:1:training-job/t-{number}", status, values, result, 3.0
    )


STEP = Step(
    "TuneModel",
    "Tune model",
    "Tuning",
    "Executing",
    trials=(
        trial(1, 0.80, "0.01"),
        trial(2, 0.90, "0.1"),
        trial(3, 0.85, "1.0"),
        trial(4, 0.99, "0.5", "Stopped"),
        trial(5, None, "0.2", "Failed"),
    ),
    search=SEARCH,
)


def test_a_dot_stands_where_its_value_and_its_result_are() -> None:
    view = trials_view(STEP)
    assert view is not None
    eta, depth, policy = view.squares
    assert eta.best.x == pytest.approx(charts.SQUARE / 2), (
        "0.1 is in the middle between 0.01 and 1 on a log scale"
    )
    assert [dot.x for dot in eta.dots] == [0, charts.SQUARE]
    assert depth.best.x == pytest.approx(charts.SQUARE / 4)
    assert [text for text, _ in policy.across] == ["a", "b"]
    assert policy.best.x == charts.SQUARE / 4
    lower, upper = eta.dots[0].y, eta.dots[1].y
    assert eta.best.y < upper < lower, "the greater result stands higher"
    assert eta.best.title == "trial 2: auc 0.9 with eta 0.1, max_depth 3, grow_policy a"


def test_only_what_trained_to_its_end_is_drawn_and_everything_is_listed() -> None:
    view = trials_view(STEP)
    assert view is not None
    assert [len(one.dots) + 1 for one in view.squares] == [3, 3, 3]
    assert [(row.number, row.word, row.is_best) for row in view.rows] == [
        (1, "done", False),
        (2, "done", True),
        (3, "done", False),
        (4, "stopped", False),
        (5, "failed", False),
    ]


def test_a_trial_that_failed_shows_the_line_with_the_cause() -> None:
    reason = "AlgorithmError: ...logloss:0.476\n[9]\tbest-logloss:0.475, killed by SIGKILL, exit code: 137"
    failed = replace(trial(1, None, "0.1", "Failed"), failure_reason=reason)
    view = trials_view(replace(STEP, trials=(failed, trial(2, 0.9, "0.1"))))
    assert view is not None
    cause = "AlgorithmError: [9]\tbest-logloss:0.475, killed by SIGKILL, exit code: 137"
    assert [row.reason for row in view.rows] == [cause, None]


def test_without_a_result_there_is_a_table_and_no_square() -> None:
    view = trials_view(replace(STEP, trials=(trial(1, None, "0.1", "InProgress"),)))
    assert view is not None
    assert not view.squares
    assert view.rows[0].word == "running"
    assert trials_view(replace(STEP, trials=())) is None


def test_equal_results_and_a_range_of_many_values_are_drawn_too() -> None:
    many = Search("rmse", False, 2, (Range("max_bin", values=tuple(map(str, range(2, 32)))),))
    trials = tuple(replace(trial(number, 1.0, "1"), values={"max_bin": "9"}) for number in (1, 2))
    view = trials_view(replace(STEP, search=many, trials=trials))
    assert view is not None
    [square] = view.squares
    assert square.best.x == square.dots[0].x
    assert len(square.across) <= 5
