"""Useless models at the gate: their answers have nothing to do with the actual values; few of them may pass.

The models are those of ``python -m benchmarks.gate``, which prints the tables of docs/gate.md, and each is
judged by the real check of worth. At least 2 000 models are simulated for every metric.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable, Mapping
from functools import cache

import pytest
from scipy import stats

from benchmarks.simulated_models import (
    BALANCES,
    BINARY,
    GUESSES,
    MIXES,
    NUMBERS,
    SCORES,
    SEVERAL,
    TARGETS,
    Outcome,
    better_binary,
    better_numbers,
    gate_of,
    np,
    of_matrix,
    scored,
    shift_of,
    useless_binary,
    useless_numbers,
    useless_several,
)

MODELS = 2000
STATED = 0.05
"""Of useless models that pass; what docs/gate.md states for every metric."""

SIZES = (50, 200, 1000)
Kinds = Mapping[str, Mapping[str, Outcome]]
"""By kind of model and by metric."""


@cache
def of_two_classes() -> list[Kinds]:
    each = -(-MODELS // (len(SIZES) * len(BALANCES) * 4))
    return [useless_binary(rows, share, each) for rows in SIZES for share in BALANCES]


@cache
def of_several_classes() -> list[Kinds]:
    each = -(-MODELS // (2 * len(MIXES) * 2))
    return [useless_several(rows, mix, each) for rows in (50, 200) for mix in MIXES]


@cache
def of_numbers() -> list[Kinds]:
    each = -(-MODELS // (len(SIZES) * len(TARGETS) * len(GUESSES)))
    return [useless_numbers(rows, target, each) for rows in SIZES for target in TARGETS]


def few_pass(outcomes: Iterable[Outcome], deviations: float = 0) -> bool:
    """Whether some pass, and no more than stated; of each kind no more than chance makes of that rate.

    Args:
        deviations: that are allowed above what is stated. A test by permutation has exactly that rate, so
            that somewhat more pass in every second simulation.
    """
    found = [*outcomes]
    passed, models = sum(one.passed for one in found), sum(one.models for one in found)
    assert models >= MODELS
    assert passed <= STATED * models + deviations * (STATED * (1 - STATED) * models) ** 0.5
    for one in found:
        assert one.passed <= stats.binom.ppf(0.9999, one.models, STATED)
    return passed > 0


@pytest.mark.parametrize("metric", BINARY)
def test_few_useless_models_of_two_classes_pass(metric: str) -> None:
    assert few_pass(kind[metric] for found in of_two_classes() for kind in found.values())


def test_few_useless_scores_pass_by_auc_however_many_are_tied() -> None:
    each = -(-MODELS // (len(SIZES) * len(BALANCES)))
    for kind in SCORES.values():
        outcomes = [scored(rows, share, each, kind) for rows in SIZES for share in BALANCES]
        assert few_pass(outcomes, deviations=1)


@pytest.mark.parametrize("metric", SEVERAL)
def test_few_useless_models_of_several_classes_pass(metric: str) -> None:
    outcomes = [kind[metric] for found in of_several_classes() for kind in found.values()]
    assert few_pass(outcomes, deviations=1)


@pytest.mark.parametrize("metric", NUMBERS)
def test_few_useless_regressions_pass(metric: str) -> None:
    assert few_pass(kind[metric] for found in of_numbers() for kind in found.values())


def test_proof_of_superiority_lets_fewer_useless_models_pass() -> None:
    by_proof = [useless_binary(200, share, 150, "bound", ["accuracy"]) for share in BALANCES]
    assert few_pass(kind["accuracy"] for found in by_proof for kind in found.values())


@pytest.mark.parametrize("evidence", ["estimate", "bound"])
def test_the_gate_lets_good_models_pass(evidence: str) -> None:
    assert better_binary(gate_of("accuracy", evidence), 1000, 0.2, 0.7, 0.05, 200).percent > 95
    assert scored(1000, 0.2, 50, SCORES["without ties"], shift_of(0.65)).percent > 95
    assert scored(1000, 0.05, 50, SCORES["one score for nearly all rows"], 1.0).percent > 95
    assert better_numbers(1000, 0.2, 50).percent > 95


def test_many_classes_are_judged_in_little_memory() -> None:
    """2 000 matrices of 700 classes have 8 GB."""
    from verdict import judge

    generator, classes = np.random.default_rng(1), 700
    actual = generator.integers(0, classes, 3000)
    predicted = np.where(generator.random(3000) < 0.3, actual, generator.integers(0, classes, 3000))
    cells = np.bincount(actual * classes + predicted, minlength=classes**2).reshape(classes, classes)
    tracemalloc.start()
    try:
        answers = of_matrix(cells)
        verdict = judge(gate_of("weighted_f1"), answers)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    threshold, worth = verdict["checks"]
    assert threshold["low"] < threshold["value"] < threshold["high"]
    assert worth["passed"]
    assert peak < 200 << 20
