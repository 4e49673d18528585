"""How often monitoring errs and what it finds, by simulation with its own code: `python -m benchmarks.drift`.

Prints the tables of docs/monitoring.md. False alarms: windows drawn from what the version was made of, and
windows whose rows come in clusters, whose level follows the weekday, or differs from day to day, after 28
windows of history. Power: shifts of known size in one of the columns. Where a window's rows are independent,
how many of them fall into each bin is drawn at once (it is multinomial), not row by row.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from baseline import expected_range
from drift import LEAST_WINDOWS, MISSING, NEW, OUTSIDE, SPREAD, Counted, Reference, answers
from scipy import special

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
            made.append(Column(8, missing, special.ndtri(np.cumsum(shares)[:-1])))
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


Levels = Callable[[int, int, np.random.Generator, np.ndarray], np.ndarray]
"""Rows, the window's number, a generator and edges, to how many rows lie between the edges of one column."""


def normal(mean: float, deviation: float = 1.0) -> Levels:
    """Each row by itself, of a normal distribution; the baseline's is the standard one."""

    def levels(rows: int, day: int, generator: np.random.Generator, edges: np.ndarray) -> np.ndarray:  # noqa: ARG001
        below = special.ndtr((edges - mean) / deviation)
        return generator.multinomial(rows, np.diff(below, prepend=0.0, append=1.0))

    return levels


def clustered(share: float) -> Levels:
    """Rows in clusters of 20 of which ``share`` of the variance is common (the intraclass correlation)."""

    def levels(rows: int, day: int, generator: np.random.Generator, edges: np.ndarray) -> np.ndarray:  # noqa: ARG001
        common = np.repeat(generator.standard_normal(-(-rows // _CLUSTER)), _CLUSTER)[:rows]
        values = np.sqrt(share) * common + np.sqrt(1 - share) * generator.standard_normal(rows)
        return np.bincount(np.digitize(values, edges), minlength=len(edges) + 1)

    return levels


def weekly(amplitude: float) -> Levels:
    """A level that follows the weekday, whose mean over the week is the baseline's."""

    def levels(rows: int, day: int, generator: np.random.Generator, edges: np.ndarray) -> np.ndarray:
        step = amplitude * np.sin(2 * np.pi * day / 7)
        return normal(step, np.sqrt(max(0.0, 1 - amplitude**2 / 2)))(rows, day, generator, edges)

    return levels


def daily(deviation: float) -> Levels:
    """A level of each day's own."""

    def levels(rows: int, day: int, generator: np.random.Generator, edges: np.ndarray) -> np.ndarray:
        step = deviation * generator.standard_normal()
        return normal(step, np.sqrt(1 - deviation**2))(rows, day, generator, edges)

    return levels


def wrong_unit(share: float) -> Levels:
    """Of a share of the rows the value is a thousand times what it was."""

    def levels(rows: int, day: int, generator: np.random.Generator, edges: np.ndarray) -> np.ndarray:
        wrong = generator.binomial(rows, share)
        return normal(0.0, 1000.0)(wrong, day, generator, edges) + INDEPENDENT(
            rows - wrong, day, generator, edges
        )

    return levels


INDEPENDENT = normal(0.0)


def drawn(
    column: Column,
    rows: int,
    day: int,
    levels: Levels,
    generator: np.random.Generator,
    missing: float | None = None,
) -> Counted:
    """A column of a window; ``missing`` is the share of rows without a value, if not the baseline's."""
    absent = int(generator.binomial(rows, column.missing if missing is None else missing))
    counts = levels(rows - absent, day, generator, column.edges)
    if column.categories:
        return Counted(counts, absent)
    # The outermost edges are the range's: what lies beyond is outside, and belongs to the outermost bins.
    inner = counts[1:-1].copy()
    inner[0] += counts[0]
    inner[-1] += counts[-1]
    return Counted(inner, absent, 0, int(counts[0] + counts[-1]))


Window = dict[str, Counted]
KINDS: dict[str, Levels] = {
    "independent rows": INDEPENDENT,
    "clusters of 20, correlation 0.1": clustered(0.1),
    "clusters of 20, correlation 0.5": clustered(0.5),
    "weekly rhythm, 0.3 standard deviations": weekly(0.3),
    "weekly rhythm, 1 standard deviation": weekly(1.0),
    "a level of each day's own, 0.5": daily(0.5),
}


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

    def window(self, rows: int, day: int, levels: Levels, generator: np.random.Generator) -> Window:
        """One window."""
        return {name: drawn(bins, rows, day, levels, generator) for name, bins in self.bins.items()}


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


Change = Callable[[World, Window, int, np.random.Generator], Window]


def _spread(levels: Levels) -> Change:
    def change(world: World, window: Window, rows: int, generator: np.random.Generator) -> Window:
        return {**window, "c2": drawn(world.bins["c2"], rows, 0, levels, generator)}

    return change


def _new_category(share: float) -> Change:
    def change(world: World, window: Window, rows: int, generator: np.random.Generator) -> Window:  # noqa: ARG001
        return {**window, "c1": replace(window["c1"], new=int(generator.binomial(rows, share)))}

    return change


def _missing(share: float) -> Change:
    def change(world: World, window: Window, rows: int, generator: np.random.Generator) -> Window:
        return {**window, "c0": drawn(world.bins["c0"], rows, 0, INDEPENDENT, generator, missing=share)}

    return change


SHIFTS: dict[str, tuple[str, Change]] = {
    "PSI 0.1": (SPREAD, _spread(normal(0.316))),
    "PSI 0.15": (SPREAD, _spread(normal(0.39))),
    "PSI 0.25": (SPREAD, _spread(normal(0.5))),
    "PSI 0.5": (SPREAD, _spread(normal(0.71))),
    "a new category, 1 %": (NEW, _new_category(0.01)),
    "a unit changed by 1000 in 2 %": (OUTSIDE, _spread(wrong_unit(0.02))),
    "missing up from 1 to 5 %": (MISSING, _missing(0.05)),
}


def power(shift: str, rows: int, width: int, history: int, repeat: int) -> float:
    """The share of windows in which a shift is found by its own question."""
    question, change = SHIFTS[shift]
    generator = np.random.default_rng(1)
    found = done = 0
    while done < repeat:
        world = World.of(width, generator)
        past = [world.window(rows, day, INDEPENDENT, generator) for day in range(history)]
        for day in range(history, history + 25):
            window = change(world, world.window(rows, day, INDEPENDENT, generator), rows, generator)
            found += any(
                one.differs and one.question == question for one in answers(world.references, window, past)
            )
            done += 1
    return found / done


@dataclass(frozen=True)
class Cell:
    """A figure of a table: windows of one size and width, of one kind or with one shift."""

    kind: str
    rows: int
    width: int
    history: int
    repeat: int

    def figure(self) -> str:
        """In percent of the windows."""
        if self.kind in SHIFTS:
            return f"{100 * power(self.kind, self.rows, self.width, self.history, self.repeat):.0f} %"
        levels = KINDS[self.kind]
        return f"{100 * false_alarms(levels, self.rows, self.width, self.history, self.repeat):.1f} %"


TABLES: dict[str, list[tuple[str, str, int]]] = {
    "windows without drift": [
        ("independent rows, no history", "independent rows", 0),
        *((kind, kind, LEAST_WINDOWS) for kind in KINDS),
        ("clusters, correlation 0.5, no history", "clusters of 20, correlation 0.5", 0),
        ("weekly rhythm, 1, no history", "weekly rhythm, 1 standard deviation", 0),
    ],
    "found, no history": [(shift, shift, 0) for shift in SHIFTS],
    "found, after 28 windows": [(shift, shift, LEAST_WINDOWS) for shift in SHIFTS],
}
"""A table's title, and of each row its name, what its windows are, and how many came before."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeat", type=int, default=1000, help="windows of each figure")
    repeat = parser.parse_args(arguments).repeat
    heads = [f"{rows:,} rows, {width} columns" for rows in SIZES for width in WIDTHS]
    with ProcessPoolExecutor() as pool:
        figures = pool.map(
            Cell.figure,
            (
                Cell(kind, rows, width, history, repeat)
                for table in TABLES.values()
                for _, kind, history in table
                for rows in SIZES
                for width in WIDTHS
            ),
        )
        for title, table in TABLES.items():
            print(f"| {title} | " + " | ".join(heads) + " |")
            print("| --- |" + " --- |" * len(heads))
            for name, _, _ in table:
                print(f"| {name} | " + " | ".join(islice(figures, len(heads))) + " |", flush=True)
            print()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
