"""How often the gate errs, by simulation with its own code: `python -m benchmarks.gate [--repeat N]`.

Prints the tables of docs/gate.md: how many useless models each metric lets through, how many better models
pass, how often slices refuse wrongly, and how often the 95 % intervals hold the true value. The tests
simulate the same models with fewer repetitions.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence

import intervals
import numpy as np
from curves import area_under_roc
from metric_table import METRICS

from benchmarks.simulated_models import (
    BALANCES,
    MIXES,
    SCORES,
    TARGETS,
    Outcome,
    better_binary,
    better_numbers,
    gate_of,
    matrices,
    scored,
    shift_of,
    slices_refused,
    useless_binary,
    useless_numbers,
    useless_several,
)

SIZES = (50, 200, 1000, 10_000)


def table_of_useless_models(repeat: int) -> None:
    """Of two classes, by AUC, of several classes and regressions, for test parts of several sizes."""
    rows: dict[str, list[str]] = {}
    for size in SIZES:
        hard = [useless_binary(size, share, repeat) for share in BALANCES]
        proof = [useless_binary(size, share, repeat, "bound", ["accuracy"]) for share in BALANCES]
        areas = [scored(size, share, repeat, kind) for share in BALANCES for kind in SCORES.values()]
        several = [useless_several(size, mix, repeat) for mix in MIXES]
        numbers = [useless_numbers(size, target, repeat) for target in TARGETS]
        for name, metric, found in (
            ("accuracy", "accuracy", hard),
            ('accuracy, `evidence = "bound"`', "accuracy", proof),
            *((METRICS[metric].label, metric, hard) for metric in ("f1", "f0_5", "f2")),
            ("recall, precision, the four rates", "recall", hard),
        ):
            rows.setdefault(name, []).append(_pooled(found, metric))
        rows.setdefault("AUC", []).append(_summary(areas))
        for metric in several[0]["equally often"]:
            name = f"{METRICS[metric].label}, several classes"
            rows.setdefault(name, []).append(_pooled(several, metric))
        for metric in numbers[0]["about the mean"]:
            name = f"{METRICS[metric].label}, a regression"
            rows.setdefault(name, []).append(_pooled(numbers, metric))
    _table(
        "Useless models let through, %",
        ["metric", *(f"{size:,} rows" for size in SIZES)],
        ([name, *cells] for name, cells in rows.items()),
    )


def _pooled(found: Sequence[dict[str, dict[str, Outcome]]], metric: str) -> str:
    return _summary([of_metric[metric] for kinds in found for of_metric in kinds.values()])


def _summary(outcomes: Sequence[Outcome]) -> str:
    """Over all kinds of models, and in parentheses the worst kind."""
    passed, models = sum(one.passed for one in outcomes), sum(one.models for one in outcomes)
    return f"{100 * passed / models:.1f} ({max(one.percent for one in outcomes):.1f})"


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


def table_of_better_models(repeat: int) -> None:
    """By accuracy, AUC and RMSE."""
    sizes = SIZES[1:]

    def rows() -> Iterator[Sequence[str]]:
        for share, gain, recall in _BETTER:
            alarms = 1 - (1 - share + gain - share * recall) / (1 - share)
            for evidence in ("estimate", "bound"):
                gate = gate_of("accuracy", evidence)
                found = [better_binary(gate, size, share, recall, alarms, repeat) for size in sizes]
                yield _power(f"accuracy, {share:.0%} positives, +{100 * gain:g} points", evidence, found)
        for share in (0.5, 0.05):
            for area in (0.52, 0.55, 0.60):
                shift = shift_of(area)
                found = [scored(size, share, repeat, SCORES["without ties"], shift) for size in sizes]
                yield _power(
                    f"AUC, {share:.0%} positives, +{100 * (area - 0.5):.0f} points", "estimate", found
                )
        for explained in (0.02, 0.05, 0.2):
            found = [better_numbers(size, explained, repeat) for size in sizes]
            yield _power(f"a regression that explains {explained:.0%} of the variance", "estimate", found)

    _table(
        "Better models that pass, %", ["the model", "evidence", *(f"{size:,} rows" for size in sizes)], rows()
    )


def _power(name: str, evidence: str, found: Sequence[Outcome]) -> Sequence[str]:
    return [name, f'`"{evidence}"`', *(f"{one.percent:.0f}" for one in found)]


def table_of_slices(repeat: int) -> None:
    """Fifty values of a column, sound ones and one bad one."""

    def rows() -> Iterator[Sequence[str]]:
        for size in (30, 100, 1000):
            sound = slices_refused(50, size, 0.95, 0.9, repeat)
            edge = slices_refused(50, size, 0.9, 0.9, repeat)
            found = slices_refused(50, size, 0.95, 0.9, repeat, bad=0.7)
            yield [str(size), f"{sound.percent:.1f}", f"{edge.percent:.1f}", f"{found.percent:.0f}"]

    _table(
        "Slices: models refused, %, with 50 values of a column and the floor 0.9",
        ["rows in each value", "0.95 everywhere", "0.9 everywhere", "0.95, and 0.7 in one value"],
        rows(),
    )


def table_of_intervals(repeat: int) -> None:
    """How often the interval holds the true value of the metric."""

    def accuracy(rows: int) -> Callable[[np.random.Generator], intervals.Interval | None]:
        return lambda generator: intervals.proportion(int(generator.binomial(rows, 0.95)), rows)

    def f1_of(share: float) -> Callable[[int], Callable[[np.random.Generator], intervals.Interval | None]]:
        def draw(rows: int, generator: np.random.Generator) -> intervals.Interval | None:
            [matrix] = matrices(generator, rows, share, 0.7, 0.3 * share / (1 - share), 1)
            return intervals.f1(int(matrix[1, 1]), int(matrix[0, 1]), int(matrix[1, 0]))

        return lambda rows: lambda generator: draw(rows, generator)

    def auc_of(share: float) -> Callable[[int], Callable[[np.random.Generator], intervals.Interval | None]]:
        def draw(rows: int, generator: np.random.Generator) -> intervals.Interval | None:
            actual = (generator.random(rows) < share).astype(np.int64)
            positives = int(actual.sum())
            if positives in (0, rows):
                return None
            scores = generator.normal(actual * shift_of(0.85))
            return intervals.auc(area_under_roc(actual, scores), positives, rows - positives)

        return lambda rows: lambda generator: draw(rows, generator)

    def rows() -> Iterator[Sequence[str]]:
        for name, truth, of_rows in (
            ("accuracy 0.95", 0.95, accuracy),
            ("F1 0.7, 50 % positives", 0.7, f1_of(0.5)),
            ("F1 0.7, 5 % positives", 0.7, f1_of(0.05)),
            ("AUC 0.85, 50 % positives", 0.85, auc_of(0.5)),
            ("AUC 0.85, 5 % positives", 0.85, auc_of(0.05)),
        ):
            yield [name, *(f"{_coverage(of_rows(size), truth, repeat, size):.1f}" for size in SIZES)]

    _table("Intervals that hold the true value, %", ["metric", *(f"{size:,} rows" for size in SIZES)], rows())


def _coverage(
    draw: Callable[[np.random.Generator], intervals.Interval | None], truth: float, repeat: int, seed: int
) -> float:
    """In what percentage of the test parts the 95 % interval holds the true value."""
    generator = np.random.default_rng(seed)
    found = [interval for _ in range(repeat) if (interval := draw(generator))]
    return 100 * sum(interval.low <= truth <= interval.high for interval in found) / len(found)


def _table(title: str, head: Sequence[str], rows: Iterator[Sequence[str]]) -> None:
    print(f"\n{title}\n")
    print(f"| {' | '.join(head)} |\n|{' --- |' * len(head)}", flush=True)
    for row in rows:
        print(f"| {' | '.join(row)} |", flush=True)


TABLES: Sequence[Callable[[int], None]] = (
    table_of_useless_models,
    table_of_better_models,
    table_of_slices,
    table_of_intervals,
)
"""In the order of docs/gate.md; each is given how many models of each kind to simulate."""


def main() -> None:
    """Print the tables as docs/gate.md has them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeat", type=int, default=500, help="models of each kind")
    repeat = parser.parse_args().repeat
    for table in TABLES:
        table(repeat)


if __name__ == "__main__":
    main()
