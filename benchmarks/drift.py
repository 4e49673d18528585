"""How often monitoring errs and what it finds, by simulation with its own code: `python -m benchmarks.drift`.

Prints the tables of docs/monitoring.md. False alarms: windows drawn from what the version was made of, row by
row, and windows whose rows come in clusters, whose level follows the weekday, or differs from day to day,
after 28 windows of history. Power: shifts of known size in one of the columns.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from baseline import expected_range
from drift import LEAST_WINDOWS, MISSING, NEW, OUTSIDE, SPREAD, Counted, Reference, answers
from scipy import stats

BASELINE_ROWS = 20_000
SAMPLE_ROWS = 2048
SIZES, WIDTHS = (200, 1000, 10_000), (10, 100)
_CLUSTER = 20


@dataclass(frozen=True)
class Column:
    """How a column's values come about: from a normal level, as a number or one of some categories."""

    categories: int  # 0: a number
    missing: float
    edges: np.ndarray


def columns(count: int, generator: np.random.Generator) -> list[Column]:
    """Numbers and categories in turn; every third has missing values."""
    made = []
    for place in range(count):
        missing = 0.01 if place % 3 == 0 else 0.0
        if place % 2:
            shares = generator.dirichlet(np.ones(8))
            made.append(Column(8, missing, stats.norm.ppf(np.cumsum(shares)[:-1])))
        else:
            made.append(Column(0, missing, np.empty(0)))
    return made


def reference_of(column: Column, generator: np.random.Generator) -> tuple[Reference, Column]:
    """The baseline of a column of independent rows, as ``baseline`` has it, and its bins."""
    values = generator.standard_normal(BASELINE_ROWS)
    missing = generator.random(BASELINE_ROWS) < column.missing
    present = values[~missing]
    if column.categories:
        counts = np.bincount(np.digitize(present, column.edges), minlength=column.categories)
        once = int(np.count_nonzero(counts == 1))
        return Reference(counts, len(present), int(missing.sum()), once), column
    sample = present[:SAMPLE_ROWS]
    edges = np.quantile(sample, np.arange(1, 10) / 10)
    counts = np.bincount(np.digitize(sample, edges), minlength=10)
    low, high = expected_range(present.min(), present.max())
    ranged = Column(0, column.missing, np.concatenate([[low], edges, [high]]))
    return Reference(counts, len(present), int(missing.sum()), has_range=True), ranged


def counted(column: Column, levels: np.ndarray, missing: np.ndarray, new: int = 0) -> Counted:
    """A window's column from its normal levels."""
    present = levels[~missing]
    if column.categories:
        counts = np.bincount(np.digitize(present, column.edges), minlength=column.categories)
        return Counted(counts, int(missing.sum()), new)
    low, high, edges = column.edges[0], column.edges[-1], column.edges[1:-1]
    counts = np.bincount(np.digitize(present, edges), minlength=10)
    outside = int(np.count_nonzero((present < low) | (present > high)))
    return Counted(counts, int(missing.sum()), 0, outside)


Window = dict[str, Counted]
Levels = Callable[[int, int, np.random.Generator], np.ndarray]
"""Rows, the window's number, and a generator to the standard normal levels of a column."""


def independent(rows: int, day: int, generator: np.random.Generator) -> np.ndarray:  # noqa: ARG001
    """Each row by itself."""
    return generator.standard_normal(rows)


def clustered(share: float) -> Levels:
    """Rows in clusters of 20 of which ``share`` of the variance is common (the intraclass correlation)."""

    def levels(rows: int, day: int, generator: np.random.Generator) -> np.ndarray:  # noqa: ARG001
        common = np.repeat(generator.standard_normal(-(-rows // _CLUSTER)), _CLUSTER)[:rows]
        return np.sqrt(share) * common + np.sqrt(1 - share) * generator.standard_normal(rows)

    return levels


def weekly(amplitude: float) -> Levels:
    """A level that follows the weekday, whose mean over the week is the baseline's."""

    def levels(rows: int, day: int, generator: np.random.Generator) -> np.ndarray:
        step = amplitude * np.sin(2 * np.pi * day / 7)
        return step + np.sqrt(max(0.0, 1 - amplitude**2 / 2)) * generator.standard_normal(rows)

    return levels


def daily(deviation: float) -> Levels:
    """A level of each day's own."""

    def levels(rows: int, day: int, generator: np.random.Generator) -> np.ndarray:  # noqa: ARG001
        step = deviation * generator.standard_normal()
        return step + np.sqrt(1 - deviation**2) * generator.standard_normal(rows)

    return levels


@dataclass(frozen=True)
class World:
    """A version's baseline and the traffic that comes to it."""

    made: Sequence[Column]
    references: dict[str, Reference]
    bins: dict[str, Column]

    @classmethod
    def of(cls, width: int, generator: np.random.Generator) -> World:
        made = columns(width, generator)
        drawn = [reference_of(column, generator) for column in made]
        names = [f"c{place}" for place in range(width)]
        return cls(
            made,
            {name: reference for name, (reference, _) in zip(names, drawn, strict=True)},
            {name: bins for name, (_, bins) in zip(names, drawn, strict=True)},
        )

    def window(
        self, rows: int, day: int, levels: Levels, generator: np.random.Generator
    ) -> dict[str, Counted]:
        """One window."""
        return {
            name: counted(bins, levels(rows, day, generator), generator.random(rows) < bins.missing)
            for name, bins in self.bins.items()
        }


def false_alarms(levels: Levels, rows: int, width: int, history: int, repeat: int, seed: int = 0) -> float:
    """The share of windows without any drift in which something is said to differ."""
    generator = np.random.default_rng(seed)
    alarms = done = 0
    while done < repeat:
        world = World.of(width, generator)
        past = [world.window(rows, day, levels, generator) for day in range(history)]
        for day in range(history, history + 25):  # several windows a baseline and history
            window = world.window(rows, day, levels, generator)
            alarms += any(one.differs for one in answers(world.references, window, past))
            done += 1
    return alarms / done


SHIFTS: dict[
    str, tuple[str, Callable[[World, dict[str, Counted], int, np.random.Generator], dict[str, Counted]]]
]


Change = Callable[[World, Window, int, np.random.Generator], Window]


def _shifted(distance: float) -> Change:
    def change(world: World, window: Window, rows: int, generator: np.random.Generator) -> Window:
        levels = generator.standard_normal(rows) + distance
        return {**window, "c2": counted(world.bins["c2"], levels, np.zeros(rows, bool))}

    return change


def _new_category(share: float) -> Change:
    def change(world: World, window: Window, rows: int, generator: np.random.Generator) -> Window:
        new = int(generator.binomial(rows, share))
        return {
            **window,
            "c1": counted(world.bins["c1"], generator.standard_normal(rows), np.zeros(rows, bool), new),
        }

    return change


def _unit(share: float) -> Change:
    def change(world: World, window: Window, rows: int, generator: np.random.Generator) -> Window:
        levels = generator.standard_normal(rows)
        levels[generator.random(rows) < share] *= 1000
        return {**window, "c2": counted(world.bins["c2"], levels, np.zeros(rows, bool))}

    return change


def _missing(share: float) -> Change:
    def change(world: World, window: Window, rows: int, generator: np.random.Generator) -> Window:
        missing = generator.random(rows) < share
        return {**window, "c0": counted(world.bins["c0"], generator.standard_normal(rows), missing)}

    return change


SHIFTS = {
    "PSI 0.1": (SPREAD, _shifted(0.316)),
    "PSI 0.15": (SPREAD, _shifted(0.39)),
    "PSI 0.25": (SPREAD, _shifted(0.5)),
    "PSI 0.5": (SPREAD, _shifted(0.71)),
    "a new category, 1 %": (NEW, _new_category(0.01)),
    "a unit changed by 1000 in 2 %": (OUTSIDE, _unit(0.02)),
    "missing up from 1 to 5 %": (MISSING, _missing(0.05)),
}


def power(shift: str, rows: int, width: int, history: int, repeat: int) -> float:
    """The share of windows in which a shift is found by its own question."""
    question, change = SHIFTS[shift]
    generator = np.random.default_rng(1)
    found = done = 0
    while done < repeat:
        world = World.of(width, generator)
        past = [world.window(rows, day, independent, generator) for day in range(history)]
        for day in range(history, history + 25):
            window = change(world, world.window(rows, day, independent, generator), rows, generator)
            found += any(
                one.differs and one.question == question for one in answers(world.references, window, past)
            )
            done += 1
    return found / done


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeat", type=int, default=1000, help="windows of each figure")
    repeat = parser.parse_args(arguments).repeat
    heads = [f"{rows:,} rows, {width} columns" for rows in SIZES for width in WIDTHS]
    print("| windows without drift | " + " | ".join(heads) + " |")
    print("| --- |" + " --- |" * len(heads))
    kinds: dict[str, tuple[Levels, int]] = {
        "independent rows, no history": (independent, 0),
        "independent rows": (independent, LEAST_WINDOWS),
        "clusters of 20, correlation 0.1": (clustered(0.1), LEAST_WINDOWS),
        "clusters of 20, correlation 0.5": (clustered(0.5), LEAST_WINDOWS),
        "weekly rhythm, 0.3 standard deviations": (weekly(0.3), LEAST_WINDOWS),
        "weekly rhythm, 1 standard deviation": (weekly(1.0), LEAST_WINDOWS),
        "a level of each day's own, 0.5": (daily(0.5), LEAST_WINDOWS),
        "clusters, correlation 0.5, no history": (clustered(0.5), 0),
        "weekly rhythm, 1, no history": (weekly(1.0), 0),
    }
    for name, (levels, history) in kinds.items():
        cells = [
            f"{100 * false_alarms(levels, rows, width, history, repeat):.1f} %"
            for rows in SIZES
            for width in WIDTHS
        ]
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
    for title, history in (("found, no history", 0), ("found, after 28 windows", LEAST_WINDOWS)):
        print(f"\n| {title} | " + " | ".join(heads) + " |")
        print("| --- |" + " --- |" * len(heads))
        for shift in SHIFTS:
            cells = [
                f"{100 * power(shift, rows, width, history, repeat):.0f} %"
                for rows in SIZES
                for width in WIDTHS
            ]
            print(f"| {shift} | " + " | ".join(cells) + " |", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
