"""Curves and their areas: scikit-learn's, and as few points as keep the area."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as scikit

TIME = "2026-01-01T00:00:00Z"


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 8)), min_size=2, max_size=60).filter(
        lambda rows: len({label for label, _ in rows}) == 2
    )
)
@settings(max_examples=100)
def test_auc_and_curves_agree_with_scikit_learn_with_ties(rows: list[tuple[bool, int]]) -> None:
    import curves
    import metrics

    actual = np.array([int(label) for label, _ in rows])
    scores = np.array([score / 8 for _, score in rows])
    assert curves.area_under_roc(actual, scores) == pytest.approx(scikit.roc_auc_score(actual, scores))
    found = metrics.statistics(actual, actual, scores, ["0", "1"], TIME)["binary_classification_metrics"]
    false_rates, true_rates, _ = scikit.roc_curve(actual, scores, drop_intermediate=False)
    curve = found["receiver_operating_characteristic_curve"]
    assert curve["false_positive_rates"] == pytest.approx(false_rates.tolist())
    assert curve["true_positive_rates"] == pytest.approx(true_rates.tolist())
    precisions, recalls, _ = scikit.precision_recall_curve(actual, scores)
    curve = found["precision_recall_curve"]
    assert curve["precisions"] == pytest.approx(precisions[::-1].tolist())
    assert curve["recalls"] == pytest.approx(recalls[::-1].tolist())


def test_the_curves_of_several_classes_are_those_of_each_against_the_rest() -> None:
    import curves

    generator = np.random.default_rng(2)
    actual = generator.integers(0, 3, 500)
    probabilities = np.round(generator.dirichlet([1, 1, 1], 500) * 0.6 + np.eye(3)[actual] * 0.4, 2)
    found = curves.one_against_rest(actual, np.column_stack([probabilities, np.zeros(500)]))
    for place, ((false_rates, true_rates), area) in enumerate(found[:3]):
        assert area == pytest.approx(scikit.roc_auc_score(actual == place, probabilities[:, place]))
        assert np.trapezoid(true_rates, false_rates) == pytest.approx(area, abs=0.01)
    assert math.isnan(found[3][1]), "a class without rows has no area"


def test_a_curve_needs_forty_bytes_for_each_row_and_leaves_nothing() -> None:
    import curves

    rows = 400_000
    draw = np.random.default_rng(4)
    actual = draw.integers(0, 2, rows).astype(np.uint8)
    probabilities = draw.random((2, rows), np.float32).T
    tracemalloc.start()
    try:
        curves.one_against_rest(actual, probabilities)
        left, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most / rows < 42
    assert left / rows < 1


SHAPES = ("noise", "good", "inverse", "perfect", "ten scores", "thousand scores", "a lump", "one score")


def labels_and_scores(shape: str, rows: int, positives: float) -> tuple[np.ndarray, np.ndarray]:
    """Labels (uint8) with at least one row of each class, and scores (float32)."""
    draw = np.random.default_rng([SHAPES.index(shape), rows])
    actual = (draw.random(rows) < positives).astype(np.uint8)
    actual[:2] = 0, 1
    shift = {"noise": 0, "good": 2, "inverse": -2, "perfect": 30, "a lump": 2}.get(shape, 1)
    scores = 1 / (1 + np.exp(-(draw.normal(size=rows) + shift * (actual - 0.5))))
    if shape == "a lump":  # as a shallow model gives one and the same score to most rows
        scores[draw.random(rows) < 0.9] = 0.3
    if "score" in shape:
        scores = np.round(scores, {"ten scores": 1, "thousand scores": 3, "one score": 0}[shape])
    return actual, (scores * 0 if shape == "one score" else scores).astype(np.float32)


@pytest.mark.parametrize("rows", [10, 201, 10_000, 100_000])
@pytest.mark.parametrize("positives", [0.5, 0.05, 0.001, 0.00001, 0.999])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_thinned_curve_has_few_points_and_the_area_of_the_whole_one(
    shape: str, positives: float, rows: int
) -> None:
    import curves

    actual, scores = labels_and_scores(shape, rows, positives)
    ranked = curves.Ranked.of(actual, scores)
    assert ranked.area == scikit.roc_auc_score(actual, scores), "to the last digit"
    false_rates, true_rates, _ = scikit.roc_curve(actual, scores)
    precisions, recalls, _ = scikit.precision_recall_curve(actual, scores)
    for whole, exact in (
        (ranked.roc(), (false_rates, true_rates)),
        (ranked.recall_precision(), (recalls, precisions)),
    ):
        across, up = curves.thinned(*whole)
        assert len(across) == len(up) <= min(len(whole[0]), 800)
        assert (across[0], up[0], across[-1], up[-1]) == (
            *(axis[0] for axis in whole),
            *(axis[-1] for axis in whole),
        )
        assert abs(np.trapezoid(up, across)) == pytest.approx(abs(np.trapezoid(exact[1], exact[0])), abs=1e-4)


def test_a_curve_of_up_to_200_points_is_whole() -> None:
    import curves

    for points in (200, 201):
        across = np.linspace(0, 1, points)
        thinned = curves.thinned(across, np.sqrt(across))
        assert (thinned == [across.tolist(), np.sqrt(across).tolist()]) is (points == 200)


@pytest.mark.parametrize("rows", [500, 40_000])
def test_few_bytes_a_row_give_the_same_statistics(rows: int) -> None:
    import metrics

    actual, scores = labels_and_scores("good", rows, 0.2)
    predicted = (scores > 0.5).astype(np.uint8)
    short = metrics.statistics(actual, predicted, scores, ["0", "1"], TIME)
    wide = [values.astype(np.int64) for values in (actual, predicted)]
    assert short == metrics.statistics(*wide, scores.astype(np.float64), ["0", "1"], TIME)
    assert metrics.calibration(actual, scores) == metrics.calibration(wide[0], scores.astype(np.float64))


def test_combinations_of_classes_are_counted_beyond_the_range_of_their_type() -> None:
    import metrics

    draw = np.random.default_rng(3)
    indices = [draw.integers(0, 40, 5000).astype(np.uint8) for _ in range(3)]
    found = metrics.combinations(indices, 40).reshape(40, 40, 40)
    expected = np.zeros_like(found)
    np.add.at(expected, tuple(indices), 1)
    assert (found == expected).all()


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape != "one score"])
def test_the_test_that_positives_rank_higher_is_that_of_mann_and_whitney(shape: str) -> None:
    import significance

    for rows, positives in ((2_000, 0.3), (20_000, 0.02)):
        actual, scores = labels_and_scores(shape, rows, positives)
        scores = np.where(np.random.default_rng(1).random(rows) < 0.8, 0.5, scores).astype(np.float32)
        expected = stats.mannwhitneyu(scores[actual == 1], scores[actual == 0], alternative="greater")
        found = significance.ranks_positives_higher(actual, scores)
        assert found == pytest.approx(expected.pvalue, rel=1e-9)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_row_is_placed_by_its_rank_among_the_other_class(shape: str) -> None:
    import non_inferiority

    actual, scores = labels_and_scores(shape, 3_000, 0.2)
    positive = actual == 1
    found = non_inferiority._placements(positive, scores)
    ranks = stats.rankdata(scores)
    lower = ranks[positive] - stats.rankdata(scores[positive])
    assert (found[positive] == lower / (~positive).sum()).all()
    lower = ranks[~positive] - stats.rankdata(scores[~positive])
    assert (found[~positive] == 1 - lower / positive.sum()).all()
