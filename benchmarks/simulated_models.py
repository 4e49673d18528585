"""Models of known worth at the real gate: useless ones, better ones, and ones that fail in a group of rows.

A useless model's answers have nothing to do with the actual values. The check of worth is the one that keeps
it out, so each is judged by that check, as the evaluation makes it, and not by a threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from curves import area_under_roc
from metric_table import METRICS, metrics_of
from metrics import regression_values, with_twins
from regression_verdict import NumberAnswers
from regression_verdict import worth as worth_of_numbers
from scipy import stats
from verdict import PASSED, Answers, Gate, judge, worth

BINARY = tuple(name for name in metrics_of("binary") if name != "auc")
SEVERAL, NUMBERS = tuple(metrics_of("multiclass")), tuple(metrics_of("regression"))
"""Metrics of hard answers to two and to several classes, and of a regression."""

BALANCES = (0.5, 0.2, 0.05, 0.01)
MIXES = ((0.34, 0.33, 0.33), (0.7, 0.2, 0.1), (0.5, 0.2, 0.15, 0.1, 0.05))
"""Shares of the positives, and of the classes where there are several."""

_Generator = np.random.Generator

ANSWERS: Mapping[str, Callable[[float], float]] = {
    "as many positives as there are": lambda share: share,
    "every second": lambda _: 0.5,
    "few positives": lambda share: share / 4,
    "mostly positives": lambda share: 1 - share / 2,
}
"""How often a useless model answers "positive", by the true share."""

SCORES: Mapping[str, Callable[[_Generator, int], np.ndarray]] = {
    "without ties": lambda generator, rows: generator.normal(size=rows),
    "with many ties": lambda generator, rows: np.round(generator.normal(size=rows)),
    "one score for nearly all rows": lambda generator, rows: np.where(
        generator.random(rows) < 0.95, 0.0, generator.random(rows)
    ),
}

TARGETS: Mapping[str, Callable[[_Generator, int], np.ndarray]] = {
    "normal": lambda generator, rows: generator.normal(size=rows),
    "heavy tails": lambda generator, rows: generator.standard_t(3, rows),
    "log-normal": lambda generator, rows: generator.lognormal(size=rows),
}

GUESSES: Mapping[str, Callable[[_Generator, np.ndarray, int], np.ndarray]] = {
    "about the mean": lambda generator, known, rows: generator.normal(
        np.mean(known), np.std(known) / 10, rows
    ),
    "about the median": lambda generator, known, rows: generator.normal(
        np.median(known), np.std(known) / 1000, rows
    ),
    "about the mean of half of the rows": lambda generator, known, rows: generator.normal(
        np.mean(known[::2]), np.std(known) / 1000, rows
    ),
    "values of other rows": lambda generator, known, rows: generator.choice(known, rows),
}
"""What a useless regression answers, by the targets of the training part."""


@dataclass(frozen=True)
class Outcome:
    """Of simulated models: how many passed."""

    passed: int
    models: int

    @property
    def percent(self) -> float:
        return 100 * self.passed / self.models


def gate_of(metric: str, evidence: str = "estimate") -> Gate:
    """A gate whose threshold every model reaches."""
    return Gate(metric, -np.inf if METRICS[metric].higher_is_better else np.inf, evidence=evidence)


def outcomes(gates: Sequence[Gate], models: Iterable[Answers | NumberAnswers]) -> dict[str, Outcome]:
    """By metric of the gate how many of some models are worth something by it."""
    passed, count = dict.fromkeys((gate.metric for gate in gates), 0), 0
    for answers in models:
        count += 1
        for gate in gates:
            check = worth(gate, answers) if isinstance(answers, Answers) else worth_of_numbers(gate, answers)
            passed[gate.metric] += check.passed
    return {metric: Outcome(number, count) for metric, number in passed.items()}


def of_matrix(matrix: np.ndarray, usual: int = 0) -> Answers:
    """Answers with this confusion matrix (actual by predicted); ``usual``: of the training part."""
    count = len(matrix)
    actual, predicted = np.divmod(np.repeat(np.arange(count * count), matrix.ravel()), count)
    names = [str(place) for place in range(count)]
    return Answers(names, actual, predicted, None, with_twins(matrix, binary=count == 2), usual)


def of_scores(actual: np.ndarray, scores: np.ndarray) -> Answers:
    """Answers by AUC, for which only the scores count: all hard answers are negative."""
    metrics = {"auc": area_under_roc(actual, scores)}
    return Answers(["0", "1"], actual, np.zeros_like(actual), scores, metrics, 0)


def of_numbers(actual: np.ndarray, predicted: np.ndarray, constant: float) -> NumberAnswers:
    """Answers of a regression; ``constant`` is the mean of the training part."""
    return NumberAnswers(actual, predicted, constant, regression_values(actual, predicted))


def matrices(
    generator: _Generator, rows: int, share: float, recall: float, false_alarms: float, count: int
) -> Iterator[np.ndarray]:
    """Confusion matrices of models that answer "positive" to these shares of both classes."""
    positives = generator.binomial(rows, share, count)
    hits, alarms = generator.binomial(positives, recall), generator.binomial(rows - positives, false_alarms)
    for real, hit, alarm in zip(positives.tolist(), hits.tolist(), alarms.tolist(), strict=True):
        yield np.array([[rows - real - alarm, alarm], [real - hit, hit]])


def useless_binary(
    rows: int, share: float, count: int, evidence: str = "estimate", metrics: Sequence[str] = BINARY
) -> dict[str, dict[str, Outcome]]:
    """By kind of useless model and by metric, how many of ``count`` pass."""
    generator = np.random.default_rng([rows, round(1000 * share)])
    gates = [gate_of(metric, evidence) for metric in metrics]
    found = {}
    for kind, rate in ANSWERS.items():
        drawn = matrices(generator, rows, share, rate(share), rate(share), count)
        found[kind] = _once(gates, drawn)
    return found


def _once(gates: Sequence[Gate], drawn: Iterator[np.ndarray]) -> dict[str, Outcome]:
    """Equal matrices are judged once."""
    cells, numbers = np.unique([matrix.ravel() for matrix in drawn], axis=0, return_counts=True)
    total = dict.fromkeys((gate.metric for gate in gates), 0)
    for one, number in zip(cells, numbers.tolist(), strict=True):
        for metric, outcome in outcomes(gates, [of_matrix(one.reshape(2, 2))]).items():
            total[metric] += outcome.passed * number
    return {metric: Outcome(passed, int(numbers.sum())) for metric, passed in total.items()}


def better_binary(gate: Gate, rows: int, share: float, recall: float, alarms: float, count: int) -> Outcome:
    """How many models pass that answer "positive" to these shares of both classes."""
    drawn = matrices(np.random.default_rng(rows), rows, share, recall, alarms, count)
    return _once([gate], drawn)[gate.metric]


def scored(
    rows: int, share: float, count: int, scores: Callable[[_Generator, int], np.ndarray], shift: float = 0.0
) -> Outcome:
    """By AUC how many of ``count`` models pass, whose scores are higher by ``shift`` for positives."""
    generator = np.random.default_rng([rows, round(1000 * share)])

    def models() -> Iterator[Answers]:
        for _ in range(count):
            actual = (generator.random(rows) < share).astype(np.int64)
            yield of_scores(actual, scores(generator, rows) + shift * actual)

    return outcomes([gate_of("auc")], models())["auc"]


def useless_several(rows: int, mix: Sequence[float], count: int) -> dict[str, dict[str, Outcome]]:
    """By kind and metric, of several classes: answers by the classes' shares, and by equal shares."""
    generator = np.random.default_rng([rows, len(mix), round(1000 * mix[0])])
    kinds = {"as often as there are": mix, "equally often": [1 / len(mix)] * len(mix)}
    gates = [gate_of(metric) for metric in SEVERAL]
    return {
        kind: outcomes(
            gates,
            (
                of_matrix(generator.multinomial(rows, np.outer(mix, answers).ravel()).reshape(len(mix), -1))
                for _ in range(count)
            ),
        )
        for kind, answers in kinds.items()
    }


def useless_numbers(rows: int, target: str, count: int) -> dict[str, dict[str, Outcome]]:
    """By kind and metric, of regressions whose training part has five times the rows."""
    generator, draw = np.random.default_rng([rows, len(target)]), TARGETS[target]

    def models(guess: Callable[[_Generator, np.ndarray, int], np.ndarray]) -> Iterator[NumberAnswers]:
        for _ in range(count):
            known, actual = draw(generator, 5 * rows), draw(generator, rows)
            yield of_numbers(actual, guess(generator, known, rows), float(np.mean(known)))

    gates = [gate_of(metric) for metric in NUMBERS]
    return {kind: outcomes(gates, models(guess)) for kind, guess in GUESSES.items()}


def better_numbers(rows: int, explained: float, count: int, target: str = "normal") -> Outcome:
    """By RMSE how many regressions pass that explain this share (R2) of the target's variance."""
    generator, draw = np.random.default_rng(rows), TARGETS[target]

    def models() -> Iterator[NumberAnswers]:
        for _ in range(count):
            predicted = generator.normal(0, np.sqrt(explained), rows)
            yield of_numbers(predicted + np.sqrt(1 - explained) * draw(generator, rows), predicted, 0.0)

    return outcomes([gate_of("rmse")], models())["rmse"]


def slices_refused(
    values: int, rows: int, truth: float, floor: float, count: int, bad: float | None = None
) -> Outcome:
    """How many models are refused whose share of right answers is ``truth`` in each value of a column.

    Args:
        bad: the share in one of the values, if it is another one there.
    """
    generator = np.random.default_rng(rows)
    gate = Gate("accuracy", -1.0, worth=False, slices=("column",), slice_floor=floor)
    groups = {"column": np.repeat(np.array([f"v{place:03}" for place in range(values)]), rows)}
    shares = np.full(values, truth)
    if bad is not None:
        shares[0] = bad

    refused = 0
    for _ in range(count):
        right = generator.random(values * rows) < np.repeat(shares, rows)
        metrics = {"accuracy": float(right.mean())}
        actual, predicted = np.zeros(len(right), np.int64), np.where(right, 0, 1)
        answers = Answers(["a", "b"], actual, predicted, None, metrics, 0, groups)
        refused += judge(gate, answers)["verdict"] != PASSED
    return Outcome(refused, count)


def shift_of(area: float) -> float:
    """How much higher the normal scores of positives are for a true area under the ROC curve."""
    return float(stats.norm.ppf(area) * np.sqrt(2))
