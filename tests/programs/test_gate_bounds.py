"""Each check of the gate at its bound, just below it and just above it, and with values that are none."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

ULP = math.nextafter


def answers_of(matrix: list[list[int]], **more: Any) -> Any:
    """What a model answered whose confusion matrix (actual by predicted) is this."""
    from metrics import with_twins
    from verdict import Answers

    cells = np.array(matrix)
    count = len(cells)
    actual, predicted = np.divmod(np.repeat(np.arange(count * count), cells.ravel()), count)
    metrics = {**with_twins(cells, binary=count == 2), **({"auc": 0.9} if count == 2 else {})}
    scores = predicted + np.linspace(0, 0.1, len(actual)) if count == 2 else None
    names = [f"c{place}" for place in range(count)]
    return Answers(names, actual, predicted, **{"scores": scores, "metrics": metrics, "usual": 0, **more})


GOOD = [[80, 10], [5, 55]]


def gate_of(metric: str = "accuracy", threshold: float = 0.5, **more: Any) -> Any:
    from verdict import Gate

    return Gate(metric, threshold, **more)


def outcome(gate: Any, answers: Any) -> tuple[bool, dict[str, Any]]:
    """Whether the verdict is passed, and its last check; the document can be written as JSON."""
    from verdict import judge

    document = judge(gate, answers)
    json.dumps(document, allow_nan=False)
    return document["verdict"] == "passed", document["checks"][-1]


@pytest.mark.parametrize("metric", ["accuracy", "f1", "recall", "auc", "false_positive_rate"])
def test_the_threshold_has_to_be_passed_strictly(metric: str) -> None:
    from metric_table import METRICS

    answers = answers_of(GOOD)
    value = answers.metrics[metric]
    worse = ULP(value, -1 if METRICS[metric].higher_is_better else 2)
    better = ULP(value, 2 if METRICS[metric].higher_is_better else -1)
    assert outcome(gate_of(metric, worse), answers)[0], "just better than the threshold"
    assert not outcome(gate_of(metric, value), answers)[0], "exactly the threshold"
    assert not outcome(gate_of(metric, better), answers)[0], "just worse than the threshold"


@pytest.mark.parametrize("metric", ["accuracy", "f1", "recall", "auc", "false_positive_rate"])
def test_with_evidence_the_bound_of_the_interval_has_to_pass_it(metric: str) -> None:
    from metric_table import METRICS
    from verdict import interval_of

    answers = answers_of(GOOD)
    bound = interval_of(metric, answers).bound
    worse = ULP(bound, -1 if METRICS[metric].higher_is_better else 2)
    assert outcome(gate_of(metric, worse, evidence="bound"), answers)[0]
    assert not outcome(gate_of(metric, bound, evidence="bound"), answers)[0]
    assert outcome(gate_of(metric, bound), answers)[0], "the value itself is better than its bound"


@pytest.mark.parametrize(
    ("metric", "matrix"),
    [("f0_5", [[9, 0], [0, 9]]), ("f2", [[9, 0], [0, 9]]), ("f2", [[9, 1], [9, 0]])]
    + [(f"weighted_{name}", [[6, 0, 0], [0, 6, 0], [0, 0, 6]]) for name in ("f1", "precision")],
)
def test_few_rows_that_are_all_right_or_all_wrong_do_not_give_an_exact_value(
    metric: str, matrix: list[list[int]]
) -> None:
    """Rows that are drawn from them are right and wrong alike, so that their spread says nothing."""
    from verdict import interval_of

    answers = answers_of(matrix)
    found = interval_of(metric, answers)
    assert found.low <= answers.metrics[metric] <= found.high
    assert found.high - found.low > 0.1
    assert not outcome(gate_of(metric, 0.95, evidence="bound"), answers)[0]


@pytest.mark.parametrize("evidence", ["estimate", "bound"])
@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf, "NaN", "0.99", "high", None, True])
@pytest.mark.parametrize("metric", ["accuracy", "auc", "f1"])
def test_a_metric_that_is_no_number_shuts_the_gate(metric: str, broken: object, evidence: str) -> None:
    answers = answers_of(GOOD)
    assert outcome(gate_of(metric, evidence=evidence), answers)[0]
    spoilt = replace(answers, metrics={**answers.metrics, metric: broken})
    for worth in (True, False):
        assert not outcome(gate_of(metric, evidence=evidence, worth=worth), spoilt)[0]
    floors = gate_of("recall", floors={metric: 0.1})
    assert outcome(floors, answers)[0]
    assert not outcome(floors, spoilt)[0]


def test_an_absent_metric_shuts_the_gate() -> None:
    answers = answers_of(GOOD)
    absent = replace(answers, metrics={name: v for name, v in answers.metrics.items() if name != "accuracy"})
    assert not outcome(gate_of(worth=False), absent)[0]


@pytest.mark.parametrize("broken", [math.nan, "NaN", None])
def test_a_constant_that_is_no_number_is_not_beaten(broken: object) -> None:
    answers = answers_of(GOOD)
    twin = "accuracy_best_constant_classifier"
    assert not outcome(gate_of(), replace(answers, metrics={**answers.metrics, twin: broken}))[0]


def test_a_threshold_that_is_no_number_lets_nothing_pass() -> None:
    assert not outcome(gate_of(threshold=math.nan), answers_of(GOOD))[0]
    assert not outcome(gate_of("false_positive_rate", math.nan), answers_of(GOOD))[0]


def test_the_best_constant_has_to_be_beaten_strictly() -> None:
    answers = answers_of(GOOD)
    twin, value = "accuracy_best_constant_classifier", answers.metrics["accuracy"]
    for constant, passes in ((ULP(value, 0), True), (value, False), (ULP(value, 1), False)):
        changed = replace(answers, metrics={**answers.metrics, twin: constant})
        passed, check = outcome(gate_of(), changed)
        assert (passed, check["name"]) == (passes, "worth")


@pytest.mark.parametrize("evidence", ["estimate", "bound"])
def test_an_f_score_below_that_of_a_constant_answer_is_refused_by_a_bound_too(evidence: str) -> None:
    """It is more often right than "always c1" (680 rows against 600), but F1 is 0.67 against 0.75."""
    answers = answers_of([[350, 50], [270, 330]], usual=1)
    passed, check = outcome(gate_of("f1", 0.5, evidence=evidence), answers)
    assert not passed
    assert "F1 0.6735 is no better than the 0.7500 of always answering 'c1'" in check["sentence"]


def test_the_best_constant_answer_for_an_f_score_is_the_positive_class_though_it_is_rare() -> None:
    passed, check = outcome(gate_of("f2", 0.1), answers_of([[690, 10], [240, 60]]))
    assert not passed
    assert "of always answering 'c1'" in check["sentence"]


def test_the_best_constant_answer_of_two_classes_that_are_no_binary_task_is_the_frequent_one() -> None:
    """A weighted F score counts both classes, so "always c1", which 50 rows of 1 000 have, reaches little."""
    from metrics import with_twins

    matrix = [[800, 150], [25, 25]]
    metrics = with_twins(np.array(matrix), binary=False)
    passed, check = outcome(gate_of("weighted_f1", 0.1), answers_of(matrix, metrics=metrics, scores=None))
    assert not passed
    assert "of always answering 'c0'" in check["sentence"]


def test_a_model_has_learnt_something_at_5_percent_by_fishers_test() -> None:
    """From the number of hits on whose p-value is at most 5 %, the gate is open."""
    seen = set()
    for hits in range(5, 11):
        matrix = [[12, 8], [10 - hits, hits]]
        chance = stats.fisher_exact(matrix, alternative="greater").pvalue
        passed, check = outcome(gate_of("recall", 0.1), answers_of(matrix))
        assert passed is bool(chance <= 0.05), matrix
        assert ("by chance" in check["sentence"]) is not passed
        seen.add(passed)
    assert seen == {True, False}


def test_always_the_same_answer_is_refused_whatever_its_metric_says() -> None:
    for metric in ("accuracy", "f1", "recall", "f2"):
        for matrix in ([[0, 50], [0, 950]], [[950, 0], [50, 0]]):
            passed, check = outcome(gate_of(metric, -1.0), answers_of(matrix))
            assert not passed
            assert f"it answers {'c1' if matrix[0][1] else 'c0'!r} to all 1,000 rows" in check["sentence"]
    assert not outcome(gate_of("weighted_f1", -1.0), answers_of([[90, 0, 0], [5, 0, 0], [5, 0, 0]]))[0]


@pytest.mark.parametrize("name", ["recall", "f1", "recall.c0", "precision.c1", "f1.c0"])
def test_a_floor_is_held_where_it_is_reached(name: str) -> None:
    answers = answers_of(GOOD)
    value = outcome(gate_of(floors={name: 0.0}), answers)[1]["value"]
    for floor, passes in ((ULP(value, 0), True), (value, True), (ULP(value, 1), False)):
        passed, check = outcome(gate_of(floors={name: floor}), answers)
        assert (passed, check["name"]) == (passes, f"floor {name}")


def test_a_limit_of_a_rate_of_errors_is_held_where_it_is_reached() -> None:
    value = 10 / 90
    for limit, passes in ((ULP(value, 1), True), (value, True), (ULP(value, 0), False)):
        assert outcome(gate_of(floors={"false_positive_rate": limit}), answers_of(GOOD))[0] is passes


def sliced(wrong: int, rows: int, others: int = 300) -> Any:
    """One value of a column with so many wrong answers, beside another without any."""
    from slices import Slices

    answers = answers_of([[others, 0], [wrong, rows - wrong]])
    return replace(answers, groups={"column": Slices(["few", "many"], 1 - answers.actual)})


def test_a_slice_is_refused_from_the_first_row_on_that_shows_it_to_be_below_the_floor() -> None:
    gate = gate_of(slices=("column",), slice_floor=0.9, worth=False)
    seen = set()
    for wrong in range(4, 12):
        # Two values are judged, so the smaller p-value counts twice (Holm).
        chance = 2 * stats.binomtest(40 - wrong, 40, 0.9, alternative="less").pvalue
        passed, check = outcome(gate, sliced(wrong, 40))
        assert passed is bool(chance > 0.05), wrong
        assert check["name"] == "slices column"
        seen.add(passed)
    assert seen == {True, False}


def test_a_slice_is_judged_from_30_rows_on() -> None:
    gate = gate_of(slices=("column",), slice_floor=0.9, worth=False)
    passed, check = outcome(gate, sliced(29, 29))
    assert passed
    assert "1 with fewer than 30 rows were not judged" in check["sentence"]
    assert not outcome(gate, sliced(30, 30))[0]


def test_an_interval_is_that_of_scipy() -> None:
    import intervals

    for trials in (1, 7, 200, 515):
        for successes in {0, 1, trials // 2, trials}:
            test = stats.binomtest(successes, trials)
            wilson = test.proportion_ci(method="wilson")
            lower = stats.binomtest(successes, trials, alternative="greater").proportion_ci(method="exact")
            found = intervals.proportion(successes, trials)
            assert (found.low, found.high, found.bound) == pytest.approx(
                (wilson.low, wilson.high, lower.low), abs=1e-9
            )
    assert intervals.proportion(0, 0) is None


@pytest.mark.parametrize("positives", [2, 3, 17, 18])
def test_few_rows_of_a_class_with_ties_are_judged_by_permutation(positives: int) -> None:
    """Against scipy's own permutation test of the same statistic, with many more draws."""
    import significance

    generator = np.random.default_rng(positives)
    actual = np.repeat([1, 0], [positives, 20 - positives])
    scores = np.round(generator.normal(actual * 1.0))
    found = significance.ranks_positives_higher(actual, scores)
    ranks = stats.rankdata(scores)
    expected = stats.permutation_test(
        (ranks[actual == 1], ranks[actual == 0]),
        lambda ours, theirs, axis: ours.mean(axis=axis) - theirs.mean(axis=axis),
        vectorized=True,
        alternative="greater",
        n_resamples=20_000,
        rng=np.random.default_rng(0),
    ).pvalue
    assert found == pytest.approx(expected, abs=0.04)
