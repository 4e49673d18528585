"""`gatehouse compare`: two registered versions, metric by metric."""

from __future__ import annotations

import click

from pipelines.commands.local_endpoint import connected
from pipelines.commands.options import target_option, which_versions
from pipelines.commands.output import Document, Output, Remark, Table, with_json
from pipelines.commands.project_context import find_context
from registry.comparison import Comparison, MetricComparison, compare
from registry.model_quality import Metric, figure, metric_kind
from registry.version_details import read_version


@click.command("compare")
@click.argument("words", nargs=-1, required=True, metavar="[PROJECT] A B")
@target_option
@with_json
def command(words: tuple[str, ...], target: str) -> Output:
    """Compare two registered versions, metric by metric, with their standard deviations.

    A difference is more than noise if it is beyond twice the standard deviation of the difference,
    which is the root of the sum of both squared deviations. Below 200 test rows no deviation is
    estimated and there is no verdict.
    """
    project, (first, second) = which_versions(words, 2)
    with connected(find_context(project, target)) as at:
        compared = compare(
            read_version(at.target, at.project.name, first), read_version(at.target, at.project.name, second)
        )
    yield Document(_document(compared))
    if not compared.metrics:
        yield Remark("Neither version carries readable metrics.")
    else:
        yield Table(
            ("Metric", f"Version {first}", f"Version {second}", "Difference", "More than noise"),
            [_row(metric) for metric in compared.metrics],
        )
    parameters = _different_hyperparameters(compared)
    if parameters:
        yield ""
        yield Table(
            ("Hyperparameter", f"Version {first}", f"Version {second}"),
            [(name, ours or "-", theirs or "-") for name, ours, theirs in parameters],
        )
    for line in compared.remarks:
        yield Remark(f"Note: {line}")


def _row(metric: MetricComparison) -> tuple[str, ...]:
    verdict = {None: "unknown", True: "yes", False: "no"}[metric.more_than_noise]
    if metric.better is not None:
        verdict += f", {metric.better} is better"
    return (
        metric_kind(metric.name).label,
        _figure(metric.first),
        _figure(metric.second),
        "-" if metric.difference is None else f"{metric.difference:+.4f}",
        verdict,
    )


def _figure(metric: Metric | None) -> str:
    if metric is None:
        return "-"
    deviation = metric.standard_deviation
    return figure(metric.value) + ("" if deviation is None else f" ± {figure(deviation)}")


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
            }
            for metric in compared.metrics
        ],
        "hyperparameters": [
            {"name": name, "first": first, "second": second}
            for name, first, second in _different_hyperparameters(compared)
        ],
        "remarks": list(compared.remarks),
    }
