"""`gatehouse compare`: two registered versions, metric by metric."""

from __future__ import annotations

from dataclasses import replace

import click

from pipelines.commands.model_context import connected_to_model
from pipelines.commands.options import project_names, target_option, which_versions
from pipelines.commands.output import Document, Output, Remark, Table, with_json
from pipelines.executions.paired_scoring import CannotPair, score_on_same_rows
from registry.comparison import BY_SAME_ROWS, Comparison, MetricComparison, PairedAnswers, compare
from registry.model_quality import ACCURACY, Metric, figure, metric_kind
from registry.version_details import read_version


@click.command("compare")
@click.argument("words", nargs=-1, required=True, metavar="[PROJECT] A B", shell_complete=project_names)
@click.option(
    "--rescore/--no-rescore",
    default=None,
    help="Score both versions on the same rows, on this machine; the default with --target local.",
)
@target_option
@with_json
def command(words: tuple[str, ...], rescore: bool | None, target: str) -> Output:
    """Compare two registered versions, metric by metric: is a difference more than chance?

    With --rescore both artifacts answer the test part of the newer version, and each metric is compared
    by a paired test on those rows. An artifact is only run if its inference code is in a commit of this
    checkout. Without it, metrics are compared by the 95 % intervals of both values, which takes the test
    parts as independent and so overlooks small differences between versions that were tested on the
    same rows.
    """
    project, (first, second) = which_versions(words, 2)
    paired, reason = None, None
    with connected_to_model(project, target) as at:
        ours, theirs = (read_version(at.target, at.project.name, number) for number in (first, second))
        if rescore or (rescore is None and at.target.name == "local"):
            try:
                paired = score_on_same_rows(at.target, ours, theirs)
            except CannotPair as cannot:
                reason = f"not scored on the same rows: {cannot}"
    compared = compare(ours, theirs, paired)
    if reason:
        compared = replace(compared, remarks=(*compared.remarks, reason))
    yield Document(_document(compared))
    if not compared.metrics:
        yield Remark("Neither version carries readable metrics.")
    else:
        yield Table(
            ("Metric", f"Version {first}", f"Version {second}", "Difference", "Better"),
            [_row(metric) for metric in compared.metrics],
        )
        yield from _answers(compared)
    yield from _verdicts(compared)
    parameters = _different_hyperparameters(compared)
    if parameters:
        yield ""
        yield Table(
            ("Hyperparameter", f"Version {first}", f"Version {second}"),
            [(name, ours or "-", theirs or "-") for name, ours, theirs in parameters],
        )
    if compared.pairs_in_words:
        yield ""
        yield compared.pairs_in_words
    for line in compared.remarks:
        yield Remark(f"Note: {line}")


def _row(metric: MetricComparison) -> tuple[str, ...]:
    answer = metric.better or {None: "unknown", True: "yes", False: "neither"}[metric.more_than_noise]
    kind = metric_kind(metric.name)
    difference = "-" if metric.difference is None else kind.shown(metric.difference, signed=True)
    if metric.low is not None and metric.high is not None:
        difference += f" ({kind.between(metric.low, metric.high, signed=True)})"
    return (
        kind.label,
        figure(metric.first.value if metric.first else None, kind),
        figure(metric.second.value if metric.second else None, kind),
        difference,
        answer,
    )


def _answers(compared: Comparison) -> Output:
    """By which metrics one of them is better by more than chance, and which have a paired test."""
    yield ""
    for which in ("first", "second"):
        if by := compared.better_in(which):
            yield f"By more than chance, {which} is better in: {', '.join(by)}."
    if not any(one.better for one in compared.metrics):
        yield "No metric shows one of them to be better by more than chance."
    if paired := [metric_kind(one.name).label for one in compared.metrics if one.method == BY_SAME_ROWS]:
        every = len(paired) == len(compared.metrics)
        yield f"Compared on the same rows: {'every metric' if every else ', '.join(paired)}."


def _verdicts(compared: Comparison) -> Output:
    """What the gate said of each, in its own words."""
    for version in (compared.first, compared.second):
        if version.verdict:
            yield ""
            yield Table(
                (f"Gate, version {version.version}", version.verdict.verdict, "Why"),
                list(version.verdict.lines()),
                wrapped=True,
            )


def _different_hyperparameters(compared: Comparison) -> list[tuple[str, str | None, str | None]]:
    ours, theirs = compared.first.hyperparameters, compared.second.hyperparameters
    return [
        (name, ours.get(name), theirs.get(name))
        for name in sorted({*ours, *theirs})
        if ours.get(name) != theirs.get(name)
    ]


def _document(compared: Comparison) -> dict[str, object]:
    def both(metric: Metric | None) -> dict[str, float | None] | None:
        if metric is None:
            return None
        return {"value": metric.value, "standard_deviation": metric.standard_deviation}

    return {
        "project": compared.first.group,
        "first": compared.first.version,
        "second": compared.second.version,
        "metrics": [
            {
                "name": metric.name,
                "first": both(metric.first),
                "second": both(metric.second),
                "difference": metric.difference,
                "more_than_noise": metric.more_than_noise,
                "better": metric.better,
                "method": metric.method,
                "p_value": metric.p_value,
                "low": metric.low,
                "high": metric.high,
            }
            for metric in compared.metrics
        ],
        "paired": _paired_document(compared.paired) if compared.paired else None,
        "hyperparameters": [
            {"name": name, "first": first, "second": second}
            for name, first, second in _different_hyperparameters(compared)
        ],
        "remarks": list(compared.remarks),
    }


def _paired_document(paired: PairedAnswers) -> dict[str, object]:
    """Counts of right answers and McNemar's test of them are null for a regression."""
    right, accuracy = paired.right, paired.metrics.get(ACCURACY.name)
    return {
        "tested_on": paired.tested_on,
        "rows": paired.rows,
        "first_right": right and right.first,
        "second_right": right and right.second,
        "only_first": right and right.only_first,
        "only_second": right and right.only_second,
        "same_split": paired.same_split,
        "p_value": accuracy and accuracy.p_value,
    }
