"""How often the gate errs, by simulation with its own code: `python -m benchmarks.gate [--repeat N]`.

Prints the tables of docs/gate.md: how many useless models each metric lets through, how many better models
pass, how often slices refuse wrongly, and how often the 95 % intervals hold the true value. The tests
simulate the same models with fewer repetitions.
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

sys.path.append(str(Path(__file__).resolve().parents[1] / "evaluation"))

from intervals import Interval, auc, f1, proportion
from metric_table import METRICS, metrics_of
from metrics import with_twins
from verdict import PASSED, Answers, Gate, judge

BINARY, SEVERAL = tuple(metrics_of("binary")), tuple(metrics_of("multiclass"))
BALANCES = (0.5, 0.2, 0.05, 0.01)
SIZES = (50, 200, 1000, 10_000)
MIXES = ((0.34, 0.33, 0.33), (0.7, 0.2, 0.1), (0.5, 0.2, 0.15, 0.1, 0.05))
"""Shares of the classes, where there are several."""

USELESS = {
    "as many positives as there are": lambda share: share,
    "every second": lambda _: 0.5,
    "few positives": lambda share: share / 4,
    "mostly positives": lambda share: 1 - share / 2,
}
"""How often a useless model answers "positive", by the true share: its answers have nothing to do with it."""


@dataclass(frozen=True)
class Outcome:
    """Of simulated models: how many passed."""

    passed: int
    models: int

    @property
    def percent(self) -> float:
        return 100 * self.passed / self.models


def any_threshold(metric: str, evidence: str = "estimate") -> Gate:
    """A gate whose threshold every model reaches, so that the check of its worth decides alone."""
    return Gate(metric, -1.0 if METRICS[metric].higher_is_better else 2.0, evidence=evidence)


def passes(
    gate: Gate, matrix: np.ndarray, usual: int, scored: tuple[float, np.ndarray] | None = None
) -> bool:
    """The verdict on answers with this confusion matrix (actual by predicted).

    Args:
        usual: the class that is most frequent in the training part.
        scored: the area under the ROC curve, and the score of each row in the order of the matrix's cells.
    """
    count = len(matrix)
    actual, predicted = np.divmod(np.repeat(np.arange(count * count), matrix.ravel()), count)
    metrics = with_twins(matrix, binary=count == 2)
    if scored:
        metrics["auc"] = scored[0]
    names = [str(place) for place in range(count)]
    answers = Answers(names, actual, predicted, scored[1] if scored else None, metrics, usual)
    return bool(judge(gate, answers)["verdict"] == PASSED)


def binary_matrices(
    generator: np.random.Generator, rows: int, share: float, recall: float, false_alarms: float, count: int
) -> Iterator[np.ndarray]:
    """Confusion matrices of models that answer "positive" to these shares of both classes."""
    positives = generator.binomial(rows, share, count)
    hits, alarms = generator.binomial(positives, recall), generator.binomial(rows - positives, false_alarms)
    for real, hit, alarm in zip(positives.tolist(), hits.tolist(), alarms.tolist(), strict=True):
        yield np.array([[rows - real - alarm, alarm], [real - hit, hit]])


def several_matrices(
    generator: np.random.Generator, rows: int, mix: Sequence[float], answers: Sequence[float], count: int
) -> Iterator[np.ndarray]:
    """Confusion matrices of models that answer with these shares, whatever the actual class is."""
    for _ in range(count):
        yield generator.multinomial(rows, np.outer(mix, answers).ravel()).reshape(len(mix), len(mix))


def of_matrices(gate: Gate, matrices: Iterator[np.ndarray], usual: int = 0) -> Outcome:
    """How many of these models pass; equal matrices are judged once."""

    @functools.cache
    def decided(cells: tuple[int, ...], count: int) -> bool:
        return passes(gate, np.array(cells).reshape(count, count), usual)

    found = [decided(tuple(matrix.ravel().tolist()), len(matrix)) for matrix in matrices]
    return Outcome(sum(found), len(found))


def of_scores(
    gate: Gate, generator: np.random.Generator, rows: int, share: float, shift: float, count: int, tied: bool
) -> Outcome:
    """How many models pass whose scores are normal, those of positives ``shift`` deviations higher."""
    passed = 0
    for _ in range(count):
        actual = np.sort((generator.random(rows) < share).astype(np.int64))
        scores = generator.normal(actual * shift)
        if tied:
            scores = np.round(scores)
        positives = int(actual.sum())
        area = area_of(actual, scores) if 0 < positives < rows else float("nan")
        # Every answer is "negative": by AUC only the scores count.
        matrix = np.array([[rows - positives, 0], [positives, 0]])
        passed += passes(gate, matrix, 0, (area, scores))
    return Outcome(passed, count)


def area_of(actual: np.ndarray, scores: np.ndarray) -> float:
    """The area under the ROC curve, by ranks."""
    positives = int(actual.sum())
    ranks = stats.rankdata(scores)[actual == 1].sum()
    return float((ranks - positives * (positives + 1) / 2) / (positives * (len(actual) - positives)))


def useless_binary(
    metric: str, rows: int, share: float, count: int, seed: int, evidence: str = "estimate"
) -> dict[str, Outcome]:
    """By kind of useless model how many of ``count`` pass the gate's check of worth."""
    generator, gate = np.random.default_rng(seed), any_threshold(metric, evidence)
    if metric == "auc":
        return {
            "scores without ties": of_scores(gate, generator, rows, share, 0.0, count, tied=False),
            "scores with many ties": of_scores(gate, generator, rows, share, 0.0, count, tied=True),
        }
    return {
        kind: of_matrices(gate, binary_matrices(generator, rows, share, rate(share), rate(share), count))
        for kind, rate in USELESS.items()
    }


def useless_several(
    metric: str, rows: int, mix: Sequence[float], count: int, seed: int
) -> dict[str, Outcome]:
    """The same for several classes: answers by the classes' shares, and by equal shares."""
    generator, gate = np.random.default_rng(seed), any_threshold(metric)
    equal = [1 / len(mix)] * len(mix)
    return {
        "as often as there are": of_matrices(gate, several_matrices(generator, rows, mix, mix, count)),
        "equally often": of_matrices(gate, several_matrices(generator, rows, mix, equal, count)),
    }


def coverage(
    draw: Callable[[np.random.Generator], Interval | None], truth: float, count: int, seed: int
) -> Outcome:
    """In how many of ``count`` test parts the 95 % interval holds the true value."""
    generator = np.random.default_rng(seed)
    found = [interval for _ in range(count) if (interval := draw(generator))]
    return Outcome(sum(interval.low <= truth <= interval.high for interval in found), len(found))


# --- The tables ------------------------------------------------------------------------------------


def _table(title: str, head: Sequence[str], rows: Iterator[Sequence[str]]) -> None:
    print(f"\n{title}\n")
    print(f"| {' | '.join(head)} |\n|{' --- |' * len(head)}", flush=True)
    for row in rows:
        print(f"| {' | '.join(row)} |", flush=True)


def _pooled(found: Sequence[dict[str, Outcome]]) -> str:
    """Over all kinds of models, and in parentheses the worst kind."""
    outcomes = [outcome for kinds in found for outcome in kinds.values()]
    passed, models = sum(one.passed for one in outcomes), sum(one.models for one in outcomes)
    return f"{100 * passed / models:.1f} ({max(one.percent for one in outcomes):.1f})"


def _useless(repeat: int) -> Iterator[Sequence[str]]:
    several = max(50, repeat // 5)
    for metric, name, evidence in (
        ("accuracy", "accuracy", "estimate"),
        ("accuracy", 'accuracy, `evidence = "bound"`', "bound"),
        ("f1", "F1", "estimate"),
        ("recall", "recall, precision, the four rates", "estimate"),
        ("auc", "AUC", "estimate"),
    ):
        cells = (
            [useless_binary(metric, rows, share, repeat, rows, evidence) for share in BALANCES]
            for rows in SIZES
        )
        yield [name, *map(_pooled, cells)]
    for metric in ("accuracy", "weighted_f1", "weighted_precision"):
        cells = ([useless_several(metric, rows, mix, several, rows) for mix in MIXES] for rows in SIZES)
        yield [f"{METRICS[metric].label}, several classes", *map(_pooled, cells)]


_BETTER = (
    (0.5, 0.02, 0.52),
    (0.5, 0.05, 0.55),
    (0.5, 0.10, 0.60),
    (0.2, 0.02, 0.50),
    (0.2, 0.05, 0.60),
    (0.2, 0.10, 0.70),
    (0.05, 0.02, 0.70),
    (0.01, 0.005, 0.75),
)
"""Share of positives, how much higher the true accuracy is than the best constant's, and the recall."""


def _power(repeat: int) -> Iterator[Sequence[str]]:
    for share, gain, recall in _BETTER:
        alarms = 1 - (1 - share + gain - share * recall) / (1 - share)
        for evidence in ("estimate", "bound"):
            gate = any_threshold("accuracy", evidence)
            cells = [
                of_matrices(
                    gate,
                    binary_matrices(np.random.default_rng(rows), rows, share, recall, alarms, repeat),
                )
                for rows in SIZES[1:]
            ]
            yield [
                f"accuracy, {share:.0%} positives, +{100 * gain:g} points",
                f'`"{evidence}"`',
                *(f"{cell.percent:.0f}" for cell in cells),
            ]
    for share in (0.5, 0.05):
        for area in (0.52, 0.55, 0.60):
            shift = float(stats.norm.ppf(area) * np.sqrt(2))
            cells = [
                of_scores(
                    any_threshold("auc"),
                    np.random.default_rng(rows),
                    rows,
                    share,
                    shift,
                    max(100, repeat // 2),
                    tied=False,
                )
                for rows in SIZES[1:]
            ]
            yield [
                f"AUC, {share:.0%} positives, +{100 * (area - 0.5):.0f} points",
                '`"estimate"`',
                *(f"{cell.percent:.0f}" for cell in cells),
            ]


def slices_refused(
    values: int, rows: int, truth: float, floor: float, count: int, seed: int, bad: float | None = None
) -> Outcome:
    """How many models are refused whose share of right answers is ``truth`` in each value of a column.

    Args:
        bad: the share in one of the values, if it is another one there.
    """
    generator = np.random.default_rng(seed)
    gate = Gate("accuracy", -1.0, worth=False, slices=("column",), slice_floor=floor)
    groups = {"column": np.repeat(np.array([f"v{place:03}" for place in range(values)]), rows)}
    shares = np.full(values, truth)
    if bad is not None:
        shares[0] = bad
    refused = 0
    for _ in range(count):
        right = generator.random(values * rows) < np.repeat(shares, rows)
        actual = np.zeros(len(right), np.int64)
        predicted = np.where(right, 0, 1)
        metrics = {"accuracy": float(right.mean())}
        answers = Answers(["a", "b"], actual, predicted, None, metrics, 0, groups)
        refused += judge(gate, answers)["verdict"] != PASSED
    return Outcome(refused, count)


def _slices(repeat: int) -> Iterator[Sequence[str]]:
    few = max(50, repeat // 10)
    for rows in (30, 100, 1000):
        sound = slices_refused(50, rows, 0.95, 0.9, few, rows)
        edge = slices_refused(50, rows, 0.9, 0.9, few, rows)
        found = slices_refused(50, rows, 0.95, 0.9, few, rows, bad=0.7)
        yield [str(rows), f"{sound.percent:.1f}", f"{edge.percent:.1f}", f"{found.percent:.0f}"]


def _coverage(repeat: int) -> Iterator[Sequence[str]]:
    def accuracy(rows: int) -> Callable[[np.random.Generator], Interval | None]:
        return lambda generator: proportion(int(generator.binomial(rows, 0.95)), rows)

    def f1_of(rows: int, share: float) -> Callable[[np.random.Generator], Interval | None]:
        def draw(generator: np.random.Generator) -> Interval | None:
            [matrix] = binary_matrices(generator, rows, share, 0.7, 0.3 * share / (1 - share), 1)
            return f1(int(matrix[1, 1]), int(matrix[0, 1]), int(matrix[1, 0]))

        return draw

    def auc_of(rows: int, share: float) -> Callable[[np.random.Generator], Interval | None]:
        def draw(generator: np.random.Generator) -> Interval | None:
            actual = (generator.random(rows) < share).astype(np.int64)
            positives = int(actual.sum())
            if positives in (0, rows):
                return None
            scores = generator.normal(actual * float(stats.norm.ppf(0.85) * np.sqrt(2)))
            return auc(area_of(actual, scores), positives, rows - positives)

        return draw

    rows_of = {
        "accuracy 0.95": (accuracy, 0.95, SIZES),
        "F1 0.7, 50 % positives": (lambda rows: f1_of(rows, 0.5), 0.7, SIZES),
        "F1 0.7, 5 % positives": (lambda rows: f1_of(rows, 0.05), 0.7, SIZES),
        "AUC 0.85, 50 % positives": (lambda rows: auc_of(rows, 0.5), 0.85, SIZES),
        "AUC 0.85, 5 % positives": (lambda rows: auc_of(rows, 0.05), 0.85, SIZES),
    }
    for name, (draw, truth, sizes) in rows_of.items():
        yield [name, *(f"{coverage(draw(rows), truth, repeat, rows).percent:.1f}" for rows in sizes)]


def main() -> None:
    """Print the tables as docs/gate.md has them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeat", type=int, default=500, help="models of each kind; fewer where slow")
    repeat = parser.parse_args().repeat
    sizes = [f"{rows:,} rows" for rows in SIZES]
    _table("Useless models let through, %", ["metric", *sizes], _useless(repeat))
    _table("Better models that pass, %", ["the model", "evidence", *sizes[1:]], _power(repeat))
    _table(
        "Slices: models refused, %, with 50 values of a column and the floor 0.9",
        ["rows in each value", "0.95 everywhere", "0.9 everywhere", "0.95, and 0.7 in one value"],
        _slices(repeat),
    )
    _table("Intervals that hold the true value, %", ["metric", *sizes], _coverage(repeat))


if __name__ == "__main__":
    main()
