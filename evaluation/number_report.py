"""The report's parts on a regression: actual and predicted values, and what lies between them."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import svg
from html_page import note, section, table
from metric_table import readable
from regression_verdict import NumberAnswers
from svg import Axis, Plot

_MOST_POINTS = 2000
_GROUPS = 10
_FEWEST_ROWS_IN_A_GROUP = 20
_QUANTILES = (0.5, 0.8, 0.9, 0.95, 0.99)


def numbers(answers: NumberAnswers) -> Iterator[str]:
    """The sections of a regression."""
    residuals = answers.actual - answers.predicted
    actual, predicted = some_rows(answers.actual), some_rows(answers.predicted)
    both = [
        float(edge(values)) for values in (answers.actual, answers.predicted) for edge in (np.min, np.max)
    ]
    ends = (min(both), max(both))
    plot = Plot(svg.axis("Actual value", ends), svg.axis("Predicted value", ends))
    against = svg.picture(
        plot,
        [
            svg.curve(plot, ends, ends, "guide"),
            svg.curve(plot, ends, (answers.constant,) * 2, 11)
            if ends[0] <= answers.constant <= ends[1]
            else "",
            svg.dots(plot, actual.tolist(), predicted.tolist()),
        ],
        "Actual and predicted values",
        [("guide", "exactly right"), (11, f"mean of the training part, {readable(answers.constant)}")],
    )
    across = svg.axis("Predicted value", (float(answers.predicted.min()), float(answers.predicted.max())))
    plot = Plot(
        across, svg.axis("Actual less predicted", (float(residuals.min()), float(residuals.max()), 0.0))
    )
    spread = svg.picture(
        plot,
        [
            svg.curve(plot, (across.low, across.high), (0.0, 0.0), "guide"),
            svg.dots(plot, predicted.tolist(), some_rows(residuals).tolist()),
        ],
        "Residuals",
    )
    yield section(
        "Residuals",
        f'<div class="figures">{against}{spread}{_histogram(residuals)}</div>',
        note(
            f"A residual is the actual value less the predicted one. {_drawn(len(residuals))}"
            "Dots of many rows lie over each other."
        ),
        f"<h3>How far off</h3>{_distances(residuals)}",
        f"<h3>Where it is off</h3>{_groups(answers, residuals)}",
        note("Rows in the order of their predicted values, in groups of about equally many."),
    )


def _drawn(rows: int) -> str:
    return f"{_MOST_POINTS:,} of {rows:,} rows are drawn. " if rows > _MOST_POINTS else ""


def histogram(residuals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many rows lie between each two edges, and the edges: one more than there are counts."""
    return np.histogram(residuals, min(40, max(8, round(math.sqrt(len(residuals))))))


def _histogram(residuals: np.ndarray) -> str:
    counts, edges = histogram(residuals)
    plot = Plot(
        svg.axis("Actual less predicted", (float(edges[0]), float(edges[-1]))),
        Axis("Rows", 0.0, float(counts.max()) * 1.05),
    )
    zero = [svg.curve(plot, (0.0, 0.0), (0.0, plot.y.high), "guide")] if edges[0] < 0 < edges[-1] else []
    marks = [svg.columns(plot, edges.tolist(), counts.tolist()), *zero]
    return svg.picture(plot, marks, "Distribution of the residuals")


def distances(residuals: np.ndarray) -> list[tuple[float, float]]:
    """Shares of the rows, and how far off these are at most."""
    return list(zip(_QUANTILES, np.quantile(np.abs(residuals), _QUANTILES).tolist(), strict=True))


def _distances(residuals: np.ndarray) -> str:
    rows = [
        [f"{100 * share:g} % of the rows are within", f"± {readable(distance)}"]
        for share, distance in distances(residuals)
    ]
    rows.append(["Furthest off", readable(float(np.abs(residuals).max()))])
    rows.append(["Mean residual", readable(float(residuals.mean()), signed=True)])
    return table(["", "Distance"], rows)


def _groups(answers: NumberAnswers, residuals: np.ndarray) -> str:
    count = max(1, min(_GROUPS, len(residuals) // _FEWEST_ROWS_IN_A_GROUP))
    rows = []
    for places in np.array_split(np.argsort(answers.predicted, kind="stable"), count):
        own = residuals[places]
        rows.append(
            [
                " to ".join(readable(float(answers.predicted[places[end]])) for end in (0, -1)),
                f"{len(places):,}",
                readable(float(answers.predicted[places].mean())),
                readable(float(answers.actual[places].mean())),
                readable(float(own.mean()), 5, signed=True),
                readable(float(np.abs(own).mean()), 5),
                readable(math.sqrt(float(np.mean(own**2))), 5),
            ]
        )
    head = ["Predicted", "Rows", "Mean predicted", "Mean actual", "Mean residual", "MAE", "RMSE"]
    return table(head, rows, words=())


def some_rows(values: np.ndarray, most: int = _MOST_POINTS) -> np.ndarray:
    """At most so many of the rows, the same ones of every array of as many rows."""
    if len(values) <= most:
        return values
    return values[np.random.default_rng(0).choice(len(values), most, replace=False)]
