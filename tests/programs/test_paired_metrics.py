"""Two versions on the same rows: each metric's paired test, and how often it is wrong."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from program_runs import Finished
from scipy import stats
from sklearn import metrics as scikit

from benchmarks.champion import METRIC_NAMES, kinds_of

PAIRS = 2500


def answers(classes: list[str], actual: np.ndarray, predicted: np.ndarray, scores: np.ndarray | None = None):
    from answers import GivenAnswers

    names = np.array(classes, dtype=np.str_)
    return GivenAnswers(names, actual, predicted, np.empty(0) if scores is None else scores)


def of_right(first: np.ndarray, second: np.ndarray):
    """Two versions of two classes that have these rows right."""
    actual = np.arange(len(first)) % 2
    return [
        answers(["no", "yes"], actual, np.where(right, actual, 1 - actual), right + 0.5 * actual)
        for right in (first, second)
    ]


@pytest.mark.parametrize("shared", [0.0, 0.5, 0.8], ids=lambda shared: f"{shared:.0%} shared")
@pytest.mark.parametrize("rows", [200, 1000])
@pytest.mark.parametrize("accuracy", [0.7, 0.95])
def test_models_of_equal_accuracy_are_called_different_in_at_most_5_5_percent(
    shared: float, rows: int, accuracy: float
) -> None:
    """Of each row, both models give the same answer with some probability, and else answer independently."""
    from paired_metrics import mcnemar

    generator = np.random.default_rng(20261125)
    called = 0
    for _ in range(PAIRS):
        first, other = generator.random((2, rows)) < accuracy
        second = np.where(generator.random(rows) < shared, first, other)
        called += mcnemar(int((first & ~second).sum()), int((second & ~first).sum())) <= 0.05
    assert 0 < called <= 0.055 * PAIRS


@pytest.mark.parametrize("rows", [50, 200])
@pytest.mark.parametrize("metric", [name for name in METRIC_NAMES if name != "accuracy"])
def test_models_that_are_equally_good_by_a_metric_are_called_different_in_few_cases(
    metric: str, rows: int
) -> None:
    """The pairs of `python -m benchmarks.champion`, which share none, most or nearly all of their answers."""
    from paired_metrics import chance_of_difference

    generator = np.random.default_rng(rows)
    kinds = list(kinds_of(metric, rows, 0.0))
    called = sum(chance_of_difference(kinds[place % len(kinds)](generator)) <= 0.05 for place in range(PAIRS))
    assert 0 < called <= 0.055 * PAIRS


@pytest.mark.parametrize("metric", [name for name in METRIC_NAMES if name != "accuracy"])
def test_the_tests_find_a_model_that_is_better_by_ten_points(metric: str) -> None:
    from paired_metrics import chance_of_difference

    generator = np.random.default_rng(7)
    for draw in kinds_of(metric, 5000, 0.1):
        found = draw(generator)
        assert found.estimate < 0
        assert chance_of_difference(found) <= 0.05


@pytest.mark.parametrize(
    ("first", "second"), [(0, 0), (0, 1), (5, 5), (3, 12), (40, 77), (500, 433), (0, 30)]
)
def test_accuracy_is_compared_by_the_exact_binomial_test_of_rows_that_only_one_has_right(
    first: int, second: int
) -> None:
    from paired_metrics import compare

    ours = np.repeat([True, False, True], [first, second, 40])
    theirs = np.repeat([False, True, True], [first, second, 40])
    found = compare(*of_right(ours, theirs))
    rows = first + second + 40
    assert found["right"] == {
        "first": first + 40,
        "second": second + 40,
        "only_first": first,
        "only_second": second,
    }
    expected = stats.binomtest(first, first + second).pvalue if first + second else 1.0
    assert found["metrics"]["accuracy"] == {
        "first": pytest.approx((first + 40) / rows),
        "second": pytest.approx((second + 40) / rows),
        "p_value": pytest.approx(expected),
    }


def test_every_metric_of_two_classes_is_that_of_scikit_learn_and_has_a_p_value() -> None:
    from metric_table import metrics_of
    from paired_metrics import compare

    generator = np.random.default_rng(3)
    actual = (generator.random(900) < 0.3).astype(np.int64)
    scores = [np.clip(0.25 * actual + generator.random(900) * 0.7, 0, 1) for _ in range(2)]
    pair = [answers(["no", "yes"], actual, (one > 0.5).astype(np.int64), one) for one in scores]
    found = compare(*pair)["metrics"]
    assert set(found) == set(metrics_of("binary"))
    for key, one in zip(("first", "second"), pair, strict=True):
        assert found["auc"][key] == pytest.approx(scikit.roc_auc_score(actual, one.scores))
        assert found["f1"][key] == pytest.approx(scikit.f1_score(actual, one.predicted))
        assert found["recall"][key] == pytest.approx(scikit.recall_score(actual, one.predicted))
    assert all(0 <= entry["p_value"] <= 1 for entry in found.values())
    turned = compare(*reversed(pair))["metrics"]
    for name, entry in found.items():
        assert turned[name]["p_value"] == pytest.approx(entry["p_value"]), name
        assert (turned[name]["second"], turned[name]["first"]) == (entry["first"], entry["second"])
    assert {entry["p_value"] for entry in compare(pair[0], pair[0])["metrics"].values()} == {1.0}


def test_numbers_are_compared_by_a_paired_t_test_of_their_errors() -> None:
    from paired_metrics import compare

    generator = np.random.default_rng(3)
    actual = generator.normal(size=400)
    first, second = (actual + generator.normal(scale=scale, size=400) for scale in (1.0, 0.9))
    found = compare(answers([], actual, first), answers([], actual, second))
    squared = stats.ttest_rel((actual - first) ** 2, (actual - second) ** 2).pvalue
    absolute = stats.ttest_rel(np.abs(actual - first), np.abs(actual - second)).pvalue
    assert found["right"] is None
    chances = {name: entry["p_value"] for name, entry in found["metrics"].items()}
    assert chances == {
        "mse": pytest.approx(squared),
        "rmse": pytest.approx(squared),
        "r2": pytest.approx(squared),
        "mae": pytest.approx(absolute),
    }
    assert found["metrics"]["r2"]["first"] == pytest.approx(scikit.r2_score(actual, first))


def test_of_versions_with_other_classes_only_accuracy_is_compared() -> None:
    from paired_metrics import compare

    actual = np.arange(60) % 2
    ours = answers(["no", "yes"], actual, actual, actual.astype(float))
    theirs = answers(["yes", "no"], 1 - actual, np.zeros(60, np.int64), np.zeros(60))
    found = compare(ours, theirs)
    assert set(found["metrics"]) == {"accuracy"}
    assert found["right"] == {"first": 60, "second": 30, "only_first": 30, "only_second": 0}


def test_of_very_many_classes_only_the_share_of_right_answers_is_compared() -> None:
    from paired_metrics import compare

    actual = np.arange(300) % 60
    one = answers([f"c{place}" for place in range(60)], actual, actual)
    assert set(compare(one, one)["metrics"]) == {"accuracy"}


def test_versions_that_cannot_be_compared_are_refused() -> None:
    from input_error import InputError
    from paired_metrics import compare

    actual = np.arange(60) % 2
    two = answers(["no", "yes"], actual, actual, actual.astype(float))
    others = answers(["no", "yes"], 1 - actual, actual, actual.astype(float))
    fewer = answers(["no", "yes"], actual[:50], actual[:50], actual[:50].astype(float))
    numbers = answers([], actual.astype(float), actual.astype(float))
    for wrong in (others, fewer):
        with pytest.raises(InputError, match="did not answer the same rows"):
            compare(two, wrong)
    with pytest.raises(InputError, match="one of the two versions predicts a number, the other one a class"):
        compare(two, numbers)


def trusted(run: Finished) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (run.folder / "model/code").iterdir()
    }


@pytest.mark.parametrize("task", ["tumors", "wines", "progression"])
def test_the_metrics_of_an_artifacts_answers_are_those_of_its_evaluation(
    task: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    from answers import GivenAnswers, answers_of
    from metric_table import SECTIONS
    from paired_metrics import compare

    run: Finished = request.getfixturevalue(task)
    inputs = run.folder / "processing" / "input"
    answers_of(inputs / "model" / "model.tar.gz", inputs / "test", trusted(run)).write(tmp_path / "answers")
    read = GivenAnswers.read(tmp_path / "answers")
    [evaluated] = [run.statistics[section] for section in SECTIONS.values() if section in run.statistics]
    found = compare(read, read)["metrics"]
    assert len(found) >= 4
    for name, entry in found.items():
        assert entry["first"] == pytest.approx(evaluated[name]["value"], rel=1e-12), name
