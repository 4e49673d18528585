"""One HTML file for people: what was evaluated, how good it is, on what it rests. No script, no link, no
network."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from metric_table import METRICS, SECTIONS, MetricKind
from metrics import Calibration
from plots import Curve, draw
from regression_verdict import NumberAnswers

_TITLES = {
    "roc.png": "ROC curve",
    "precision_recall.png": "Precision and recall",
    "calibration.png": "Calibration",
    "confusion_matrix.png": "Confusion matrix",
    "predictions.png": "Actual and predicted values",
    "residuals.png": "Residuals",
    "residual_histogram.png": "Distribution of the residuals",
    "feature_importance.png": "Feature importance",
}
_HEADLINES = (
    *("accuracy", "auc", "f1", "recall", "precision", "weighted_f1", "weighted_precision"),
    *("rmse", "r2", "mae"),
)
_MOST_CLASSES_IN_TABLE = 30
_FEATURES_IN_TABLE = 30
_STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0; background: #f4f6f8; color: #1f2933; font: 15px/1.5 system-ui, "Segoe UI", sans-serif; }
main { max-width: 1040px; margin: 0 auto; padding: 32px 20px 64px; }
h1 { font-size: 26px; margin: 0 0 4px; }
h2 { font-size: 18px; margin: 0 0 12px; }
p.lead { color: #52606d; margin: 0 0 24px; }
section, .card { background: #fff; border: 1px solid #e1e6eb; border-radius: 10px; }
section { padding: 20px 24px; margin: 0 0 20px; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(170px, 1fr)); gap: 12px; }
.cards { margin: 0 0 20px; }
.card { padding: 14px 18px; }
.card b { display: block; font-size: 26px; font-variant-numeric: tabular-nums; }
.card span, .card small { color: #52606d; font-size: 13px; }
.card small { display: block; font-variant-numeric: tabular-nums; }
section.passed { border-left: 6px solid #2f855a; }
section.refused { border-left: 6px solid #c53030; }
.mark { border-radius: 9px; padding: 1px 10px; font-size: 13px; }
.mark.yes { background: #e3f5ea; color: #22543d; }
.mark.no { background: #fde8e8; color: #9b1c1c; }
table.checks th { white-space: nowrap; }
.pictures { display: grid; grid-template-columns: repeat(auto-fit, minmax(380px, 1fr)); gap: 20px; }
.pictures img { width: 100%; height: auto; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 5px 14px 5px 0; text-align: left; border-bottom: 1px solid #eef1f4; }
th { color: #52606d; font-weight: 600; }
td.number, th.number { text-align: right; }
td.wrong { background: #fde8e8; font-weight: 600; }
td.right { background: #e3f0fc; font-weight: 600; }
.note { color: #52606d; font-size: 13px; margin: 12px 0 0; }
"""


def write_report(
    folder: Path,
    document: Mapping[str, Any],
    schema: Mapping[str, Any],
    importance: Sequence[Mapping[str, Any]],
    curves: Sequence[Curve] = (),
    verdict: Mapping[str, Any] | None = None,
    numbers: NumberAnswers | None = None,
    calibration: Calibration | None = None,
    findings: Mapping[str, Any] | None = None,
) -> str | None:
    """Write the plots and ``report.html``; ``curves`` are those of a task with several classes, ``numbers``
    the answers of a regression, ``calibration`` is of a binary task, ``findings`` are what preprocessing
    noticed of the data, as it wrote them.

    Returns:
        why there are no plots, or None where there are.
    """
    skipped = None
    try:
        pictures = draw(folder, document, schema["classes"], importance, curves, numbers, calibration)
    except ImportError as error:
        pictures, skipped = [], f"No plots were drawn: matplotlib cannot be imported ({error})."
    (folder / "report.html").write_text(
        _page(folder, document, schema, importance, pictures, skipped, verdict, findings or {}),
        encoding="utf-8",
    )
    return skipped


def _page(
    folder: Path,
    document: Mapping[str, Any],
    schema: Mapping[str, Any],
    importance: Sequence[Mapping[str, Any]],
    pictures: Sequence[str],
    skipped: str | None,
    verdict: Mapping[str, Any] | None,
    findings: Mapping[str, Any],
) -> str:
    task = next(task for task, section in SECTIONS.items() if section in document)
    metrics = document[SECTIONS[task]]
    rows = document["dataset"]["item_count"]
    classes = list(schema["classes"])
    lead = f"{rows:,} rows of the test part, scored by the artifact's own serving code"
    if task != "regression":
        lead += f"; positive class {escape(classes[1])}" if task == "binary" else f"; {len(classes)} classes"
    images = "".join(
        f'<img alt="{_TITLES[name]}" src="data:image/png;base64,'
        f'{base64.b64encode((folder / name).read_bytes()).decode()}">'
        for name in pictures
    )
    known = verdict.get("metrics", {}) if verdict else {}
    cards = "".join(
        _card(kind, metrics[name], known.get(name, {}))
        for name, kind in METRICS.items()
        if name in _HEADLINES and name in metrics
    )
    parts = [
        f"<h1>Prediction of {escape(schema['target'])}</h1>",
        f'<p class="lead">{lead}. {escape(document["dataset"]["evaluation_time"])}</p>',
        *([_verdict(verdict)] if verdict else []),
        f'<div class="cards">{cards}</div>',
        _section("Metrics", _metrics_table(metrics, known, schema)),
    ]
    if task != "regression":
        table = _confusion_table(metrics["confusion_matrix"], classes, task == "binary")
        parts.append(_section("Actual and predicted classes", table))
    parts.append(
        _section(
            "Pictures",
            f'<div class="pictures">{images}</div>' if images else f"<p>{escape(skipped or '')}</p>",
        )
    )
    if importance:
        parts.append(_section("Features", _importance_table(importance, schema)))
    parts.append(_section("Data", _data_table(schema)))
    if findings.get("findings"):
        parts.append(_section("What was noticed of the data", _findings_table(findings)))
    title = f"Evaluation: {escape(schema['target'])}"
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style></head>\n<body><main>\n"
        + "\n".join(parts)
        + "\n</main></body></html>\n"
    )


def _section(title: str, content: str) -> str:
    return f"<section><h2>{title}</h2>{content}</section>"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of escaped cells; every column but the first holds numbers."""

    def line(cells: Sequence[str], tag: str) -> str:
        return "".join(
            f"<{tag}{' class=number' if place else ''}>{cell}</{tag}>" for place, cell in enumerate(cells)
        )

    body = "".join(f"<tr>{line(row, 'td')}</tr>" for row in rows)
    top = f"<thead><tr>{line(head, 'th')}</tr></thead>"
    return f'<div class="wide"><table>{top}<tbody>{body}</tbody></table></div>'


def _card(kind: MetricKind, metric: Mapping[str, Any], known: Mapping[str, float]) -> str:
    """A headline: the value, its interval, and what a constant answer reaches."""
    lines = [_interval(known, kind)] if "low" in known else []
    if "constant" in known:
        lines.append(f"best constant {_number(known['constant'], kind)}")
    small = "".join(f"<small>{line}</small>" for line in lines)
    return (
        f'<div class="card"><span>{kind.heading}</span><b>{_number(metric["value"], kind)}</b>{small}</div>'
    )


def _metrics_table(
    metrics: Mapping[str, Any], known: Mapping[str, Mapping[str, float]], schema: Mapping[str, Any]
) -> str:
    rows = []
    for name, kind in METRICS.items():
        if name in metrics:
            twin = metrics.get(f"{name}_best_constant_classifier", {}).get("value", "")
            rows.append(
                [
                    kind.heading,
                    _number(metrics[name]["value"], kind),
                    _interval(known.get(name, {}), kind),
                    _number(known.get(name, {}).get("constant", twin), kind),
                ]
            )
    constant = "the most that one and the same answer for every row reaches"
    if "train_target" in schema:
        mean = f"{schema['train_target']['mean']:.6g}"
        constant = f"what {mean}, the mean of the training part, reaches as the answer for every row"
    note = (
        '<p class="note">95 % interval: where these rows place the metric of very many rows of the same kind'
        f"{'; that of R2 is approximate' if 'r2' in metrics else ''}. Best constant: {constant}.</p>"
    )
    return _table(["Metric", "Value", "95 % interval", "Best constant"], rows) + note


def _interval(known: Mapping[str, float], kind: MetricKind) -> str:
    return kind.between(known["low"], known["high"]) if "low" in known else ""


def _verdict(verdict: Mapping[str, Any]) -> str:
    """What the gate decided, and every check in its own words."""
    passed = verdict["verdict"] == "passed"
    rows = "".join(
        f'<tr><td><b class="mark {"yes" if check["passed"] else "no"}">'
        f"{'passed' if check['passed'] else 'refused'}</b></td>"
        f"<th>{escape(check['name'])}</th><td>{escape(check['sentence'])}</td></tr>"
        for check in verdict["checks"]
    )
    head = "The gate lets this model pass" if passed else "The gate refuses this model"
    return (
        f'<section class="{"passed" if passed else "refused"}"><h2>{head}</h2>'
        f'<div class="wide"><table class="checks">{rows}</table></div></section>'
    )


def _confusion_table(matrix: Mapping[str, Mapping[str, int]], classes: Sequence[str], binary: bool) -> str:
    keys = list(matrix)
    if len(keys) > _MOST_CLASSES_IN_TABLE:
        return f"<p>{len(keys)} classes: see confusion_matrix in statistics.json.</p>"
    names = [escape(name) for name in (classes if binary else keys)]
    head = "".join(f'<th class="number">{name}</th>' for name in names)
    body = ""
    for actual, name in zip(keys, names, strict=True):
        cells = "".join(
            f'<td class="number{" right" if actual == predicted else ""}">{matrix[actual][predicted]:,}</td>'
            for predicted in keys
        )
        body += f"<tr><th>{name}</th>{cells}</tr>"
    return f'<div class="wide"><table><tr><th>actual \\ predicted</th>{head}</tr>{body}</table></div>'


def _importance_table(importance: Sequence[Mapping[str, Any]], schema: Mapping[str, Any]) -> str:
    kinds = {feature["name"]: feature["kind"] for feature in schema["features"]}
    rows = [
        [
            escape(entry["name"]),
            kinds.get(entry["name"], ""),
            f"{entry['gain']:,.2f}",
            f"{entry['weight']:,.0f}",
        ]
        for entry in importance[:_FEATURES_IN_TABLE]
    ]
    more = len(importance) - len(rows)
    note = (
        f'<p class="note">And {more} more: see feature_importance.json in the artifact.</p>'
        if more > 0
        else ""
    )
    return _table(["Feature", "Kind", "Mean gain of its splits", "Splits"], rows) + note


def _data_table(schema: Mapping[str, Any]) -> str:
    rows = [[f"Rows for {name}", f"{count:,}"] for name, count in schema["rows"].items()]
    rows.append(["Features", f"{len(schema['features']):,}"])
    if schema["classes"]:
        rows.append(["Classes", f"{len(schema['classes']):,}"])
    return _table(["", ""], rows)


def _findings_table(findings: Mapping[str, Any]) -> str:
    """A row for each finding of ``findings.json``, and a line that counts those that are not in it."""
    rows = []
    for found in findings["findings"]:
        remedy = f". {found['remedy']}" if "remedy" in found else ""
        mark = "no" if found["level"] == "warning" else "yes"
        rows.append(
            f'<tr><td><b class="mark {mark}">{escape(found["level"])}</b></td>'
            f"<td>{escape(found['text'] + remedy)}</td></tr>"
        )
    more = sum(findings.get("more", {}).values())
    note = f'<p class="note">And {more:,} more: see the log of the preprocessing step.</p>' if more else ""
    return f'<div class="wide"><table class="findings">{"".join(rows)}</table></div>{note}'


def _number(value: float | str, kind: MetricKind) -> str:
    return kind.shown(value) if isinstance(value, float) else "not given" if value == "NaN" else str(value)
