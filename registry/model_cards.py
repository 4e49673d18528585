"""The model card of a version, completed with what the pipeline knows.

The pipeline registers each version with a draft that holds what people wrote in the settings: purpose,
intended uses, limits, risk. Here the rest is added from the version itself: the artifact, the data and
the hyperparameters of the training, the metrics with the place of their report. The content follows
AWS's "model package model card schema"; sections that somebody wrote by hand are kept.
"""

from __future__ import annotations

from typing import Any

from registry.model_quality import Metric
from registry.version_details import Job, VersionDetails


def content(version: VersionDetails) -> dict[str, Any]:
    """The card's content, complete: the draft's sections, and over them what the version says of itself."""
    card: dict[str, Any] = {**version.card}
    overview = {**card.get("model_overview", {})}
    overview["model_artifact"] = [item.artifact for item in version.containers if item.artifact]
    if "owner" in version.metadata:
        overview.setdefault("model_creator", version.metadata["owner"])
    card["model_overview"] = {key: value for key, value in overview.items() if value}
    if training := _training(version):
        card["training_details"] = {**card.get("training_details", {}), **training}
    if version.metrics:
        card["evaluation_details"] = [
            *(item for item in card.get("evaluation_details", []) if item.get("name") != _EVALUATION),
            _evaluation(version),
        ]
    facts = {
        "dataset_version": version.metadata.get("dataset_version"),
        "git_commit": version.metadata.get("git_commit"),
        "pipeline_execution": version.execution,
        **_gate(version),
        "data_quality_statistics": version.data_statistics,
        "data_findings": version.findings.headline,
    }
    known = {key: value for key, value in facts.items() if value}
    if known:
        additional = {**card.get("additional_information", {})}
        additional["custom_details"] = {**additional.get("custom_details", {}), **known}
        card["additional_information"] = additional
    return card


def report_uri(version: VersionDetails) -> str | None:
    """The evaluation's HTML report, which is beside the statistics."""
    if version.statistics is None or not version.statistics.endswith("/statistics.json"):
        return None
    return version.statistics.removesuffix("statistics.json") + "report.html"


_EVALUATION = "Test part"


def _training(version: VersionDetails) -> dict[str, Any]:
    details: dict[str, Any] = {}
    job = _job(version, "training-job")
    # Of a tuned version it is the best one of the tuning job's, which no step of the execution names.
    if arn := job.arn if job else version.metadata.get("training_job"):
        details["training_arn"] = arn
    if uri := version.metadata.get("dataset_uri"):
        details["training_datasets"] = [uri]
    images = [item.image for item in version.containers]
    if images:
        details["training_environment"] = {"container_image": images}
    if version.hyperparameters:
        details["hyper_parameters"] = [
            {"name": name, "value": value} for name, value in version.hyperparameters.items()
        ]
    return {"training_job_details": details} if details else {}


def _evaluation(version: VersionDetails) -> dict[str, Any]:
    metrics = [
        {
            "name": metric.name,
            "type": "number",
            "value": metric.value,
            **({"notes": notes} if (notes := _notes(version, metric)) else {}),
        }
        for metric in version.metrics.values()
    ]
    rows = f"{version.test_rows} rows" if version.test_rows is not None else "The rows"
    found: dict[str, Any] = {
        "name": _EVALUATION,
        "evaluation_observation": f"{rows} that the training never saw, scored through the artifact's own"
        " inference code",
        "metric_groups": [{"name": "Model quality", "metric_data": metrics}],
    }
    places = {"statistics": version.statistics, "report_with_plots": report_uri(version)}
    found["metadata"] = {key: value for key, value in places.items() if value}
    if job := _job(version, "processing-job", "EvaluateModel"):
        found["evaluation_job_arn"] = job.arn
    return found


def _gate(version: VersionDetails) -> dict[str, str | None]:
    """The threshold under the name of the gate's metric, and the verdict in a sentence."""
    metric = version.metadata.get("gate_metric", "accuracy")
    verdict = version.verdict
    return {
        f"{metric}_threshold": version.metadata.get(f"{metric}_threshold"),
        "gate": f"{verdict.verdict}: {verdict.sentence}" if verdict else None,
    }


def _notes(version: VersionDetails, metric: Metric) -> str:
    """How exactly a metric is known; by the verdict, or without one by its standard deviation."""
    known = version.verdict.metrics.get(metric.name) if version.verdict else None
    if known is not None:
        interval = known.interval(metric.kind)
        words = [f"95 % interval {interval}"] if interval else []
        words += [f"best constant {metric.kind.shown(known.constant)}"] if known.constant is not None else []
        return ", ".join(words)
    deviation = metric.standard_deviation
    return f"standard deviation {deviation:.6g}" if deviation is not None else ""


def _job(version: VersionDetails, kind: str, step: str | None = None) -> Job | None:
    """The newest job of that kind; of one step, if its name is given."""
    for job in reversed(version.jobs):
        if f":{kind}/" in job.arn and step in (None, job.step):
            return job
    return None
