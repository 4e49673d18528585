"""One HTML file for people: what was evaluated, how good it is, and on what it rests.

No script, no link, no network, no date: the same model, data and gate give the same bytes, apart from the
name and the places of the job that evaluated them, where they are known. Its parts are in ``class_report``,
``number_report`` and ``feature_report``; ``svg`` draws pictures, and ``html_page`` frames the page.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import html_page
import svg
from class_report import several_classes, two_classes
from contributions import Contributions
from curves import Curve
from feature_report import features
from html_page import facts, name, note, prose, section, table, text
from metric_table import METRICS, SECTIONS, MetricKind, readable
from metrics import calibration
from number_report import numbers
from regression_verdict import NumberAnswers
from verdict import Answers

_HEADLINES = (
    *("accuracy", "auc", "f1", "recall", "precision", "weighted_f1", "weighted_precision"),
    *("rmse", "r2", "mae"),
)
_LIMITS = {"threshold": "threshold", "worth": "best constant answer", "champion": "champion"}
_OF_ANY_CONSTANT = {
    **{"auc": 0.5, "true_positive_rate": 1.0, "true_negative_rate": 1.0},
    **{"false_positive_rate": 0.0, "false_negative_rate": 0.0},
}
"""What the better of the two constant answers has, whatever the rows are."""
_LONGEST_SENTENCE = 2000


@dataclass(frozen=True)
class Evaluated:
    """What a report is written from.

    Attributes:
        document: ``statistics.json``.
        verdict: ``verdict.json``, with the metrics' intervals.
        schema: the artifact's ``schema.json``.
        answers: what the model answered on the test part.
        curves: of a task with several, but not too many classes, one for each.
        importance: the entries of the artifact's ``feature_importance.json``; none where it has none.
        contributions: of some rows of the test part.
        origin: what is known of project, data and job: names and values, plain text.
        findings: what preprocessing noticed of the data, as its ``findings.json`` holds it.
        predictions: ``predictions.json``.
    """

    document: Mapping[str, Any]
    verdict: Mapping[str, Any]
    schema: Mapping[str, Any]
    answers: Answers | NumberAnswers
    curves: Sequence[Curve] = ()
    importance: Sequence[Mapping[str, Any]] = ()
    contributions: Contributions | None = None
    origin: Sequence[tuple[str, str]] = ()
    findings: Mapping[str, Any] = field(default_factory=dict)
    predictions: Mapping[str, Any] = field(default_factory=dict)


def report(found: Evaluated) -> str:
    """The whole page."""
    schema = found.schema
    task = schema["task"]
    metrics = found.document[SECTIONS[task]]
    known = found.verdict.get("metrics", {})
    rows = found.document["dataset"]["item_count"]
    lead = f"{rows:,} rows of the test part, scored by the artifact's own serving code"
    if task == "binary":
        lead += f"; positive class {name(schema['classes'][1])}"
    elif task == "multiclass":
        lead += f"; {len(schema['classes']):,} classes"
    tiles = "".join(
        _tile(kind, metrics[metric], known.get(metric, {}))
        for metric, kind in METRICS.items()
        if metric in _HEADLINES and metric in metrics
    )
    parts = [
        f"<h1>Prediction of {name(schema['target'])}</h1>",
        f'<p class="lead">{lead}.</p>',
        _verdict(found.verdict),
        f'<div class="tiles">{tiles}</div>',
        _origin(found),
        findings_section(found.findings.get("findings", ()), sum(found.findings.get("more", {}).values())),
        section("Metrics", _metrics(metrics, known, schema)),
        *_answers(found, metrics),
        *features(found.importance, found.contributions, schema),
    ]
    return html_page.page(f"Evaluation: {schema['target']}", parts)


def findings_section(findings: Sequence[Mapping[str, Any]], more: int = 0) -> str:
    """What preprocessing noticed of the data, as markup; nothing where it noticed nothing.

    Args:
        findings: ``text`` of each, and perhaps ``level`` (``warning`` or ``note``), ``count`` and ``remedy``.
        more: how many are not among them.
    """
    if not findings:
        return ""
    rows = []
    for finding in findings:
        count, level = finding.get("count"), finding.get("level", "warning")
        rows.append(
            [
                f'<b class="mark {"no" if level == "warning" else "yes"}">{text(level)}</b>',
                prose(finding["text"], _LONGEST_SENTENCE),
                f"{count:,}" if isinstance(count, int) else "",
                prose(finding.get("remedy") or "", _LONGEST_SENTENCE),
            ]
        )
    rest = note(f"And {more:,} more: see the log of the preprocessing step.") if more else ""
    head = ["", "What", "Rows or values", "What would change it"]
    return section("What was noticed of the data", table(head, rows, words=(0, 1, 3)), rest)


def _answers(found: Evaluated, metrics: Mapping[str, Any]) -> Iterator[str]:
    answers = found.answers
    if isinstance(answers, NumberAnswers):
        yield from numbers(answers)
    elif answers.scores is not None:
        rates, curve = (
            metrics["receiver_operating_characteristic_curve"],
            metrics["precision_recall_curve"],
        )
        yield from two_classes(
            answers,
            ([rates["false_positive_rates"], rates["true_positive_rates"]], metrics["auc"]["value"]),
            (curve["precisions"], curve["recalls"]),
            calibration(answers.actual, answers.scores),
        )
    else:
        yield from several_classes(answers, found.curves)


def _tile(kind: MetricKind, metric: Mapping[str, Any], known: Mapping[str, float]) -> str:
    """A headline: the value, its interval, and what a constant answer reaches."""
    lines = [_interval(known, kind)] if "low" in known else []
    if "constant" in known:
        lines.append(f"best constant {_number(known['constant'], kind)}")
    small = "".join(f"<small>{line}</small>" for line in lines)
    return (
        f'<div class="tile"><span>{kind.heading}</span><b>{_number(metric["value"], kind)}</b>{small}</div>'
    )


def _metrics(
    metrics: Mapping[str, Any], known: Mapping[str, Mapping[str, float]], schema: Mapping[str, Any]
) -> str:
    rows = []
    for metric, kind in METRICS.items():
        if metric in metrics:
            twin = metrics.get(f"{metric}_best_constant_classifier", {}).get("value")
            twin = _OF_ANY_CONSTANT.get(metric, "") if twin is None else twin
            rows.append(
                [
                    kind.heading,
                    _number(metrics[metric]["value"], kind),
                    _interval(known.get(metric, {}), kind),
                    _number(known.get(metric, {}).get("constant", twin), kind),
                ]
            )
    constant = "the best that one and the same answer for every row reaches, another one for each metric"
    if schema["task"] == "regression":
        mean = readable(schema["train_target"]["mean"])
        constant = f"what {mean}, the mean of the training part, reaches as the answer for every row"
    return table(["Metric", "Value", "95 % interval", "Best constant"], rows) + note(
        "95 % interval: where these rows place the metric of very many rows of the same kind"
        f"{'; that of R2 is approximate' if 'r2' in metrics else ''}. Best constant: {constant}."
    )


def _interval(known: Mapping[str, float], kind: MetricKind) -> str:
    return kind.between(known["low"], known["high"]) if "low" in known else ""


def _number(value: float | str, kind: MetricKind) -> str:
    return kind.shown(value) if isinstance(value, float) else "not given" if value == "NaN" else str(value)


def _verdict(verdict: Mapping[str, Any]) -> str:
    """What the gate decided, and every check in its own words and drawn."""
    passed = verdict["verdict"] == "passed"
    head = "The gate lets this model pass" if passed else "The gate refuses this model"
    checks = "\n".join(_check(check) for check in verdict["checks"])
    return section(head, checks, kind="passed" if passed else "refused")


def _check(check: Mapping[str, Any]) -> str:
    passed = check["passed"]
    mark = f'<b class="mark {"yes" if passed else "no"}">{"passed" if passed else "refused"}</b>'
    sentence = prose(check["sentence"], _LONGEST_SENTENCE)
    return (
        f'<div class="check"><p>{mark} <b>{name(check["name"])}</b></p><p>{sentence}</p>{_drawn(check)}</div>'
    )


def _drawn(check: Mapping[str, Any]) -> str:
    """The check's number, interval and bound as a picture, with their values below; nothing without two."""
    kind = METRICS.get(str(check.get("metric") or "").partition(".")[0])
    value, limit, low, high = (check.get(key) for key in ("value", "limit", "low", "high"))
    if kind is None or value is None or (limit is None and low is None):
        return ""
    words = [f"{kind.label} {kind.shown(value)}"]
    if low is not None and high is not None:
        words.append(f"95 % interval {kind.shown(low)} to {kind.shown(high)}")
    if limit is not None:
        bound = _LIMITS.get(check["name"], "floor" if kind.higher_is_better else "limit")
        words.append(f"{bound} {kind.shown(limit)}")
    said = "; ".join(words)
    looks = [("value", words[0]), *(("span", word) for word in words[1:2] if low is not None)]
    looks += [("limit", words[-1])] if limit is not None else []
    return svg.interval(value, low, high, limit, said) + svg.legend_of(looks)


def _origin(found: Evaluated) -> str:
    """Which project, data and job this is of, and how many rows each part has."""
    schema, verdict = found.schema, found.verdict
    pairs = [(text(key), prose(value, _LONGEST_SENTENCE)) for key, value in found.origin]
    pairs += [(f"Rows for {text(part)}", f"{count:,}") for part, count in schema["rows"].items()]
    pairs.append(("Features", f"{len(schema['features']):,}"))
    if schema["classes"]:
        pairs.append(("Classes", f"{len(schema['classes']):,}"))
    if "artifact_sha256" in verdict:
        size = f"{verdict['artifact_bytes']:,} bytes"
        pairs.append(("Model artifact", f"SHA-256 {text(verdict['artifact_sha256'])}, {size}"))
    if "test_sha256" in verdict:
        pairs.append(("Rows of the test part", f"SHA-256 {text(verdict['test_sha256'])}"))
    return section("What was evaluated", facts(pairs))
