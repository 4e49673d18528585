"""What the first instance writes beside the parts: the schema, the quality report and a sample payload.

``schema/schema.json`` is what training and serving need to know of the columns, ``quality/statistics.json``
what the training part holds (``quality``), ``quality/constraints.json`` what a monitor may expect of later
data (``constraints``), ``quality/findings.json`` what a person should know of the data (``findings``),
``sample/payload.tar.gz`` some rows as a client would send them.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import tarfile
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from column_types import KIND_OF
from constraints import constraints
from dataset_settings import BLANKS, DatasetSettings
from evidence import UNKNOWN
from findings import Finding, write_findings
from notation import PLAIN, Notation
from origins import scales
from rows import Counts, Plan

_PAYLOAD_ROWS = 5


def write_results(plan: Plan, counts: Counts, classes: list[str], findings: Sequence[Finding]) -> None:
    """Write the five files; ``findings`` are all that was noticed."""
    schema = _schema(plan, counts, classes)
    _write_json(plan.output / "schema" / "schema.json", schema)
    _write_json(plan.output / "quality" / "statistics.json", counts.quality.report(counts.rows["train"]))
    known = {entry["name"]: entry["categories"] for entry in schema["features"] if "categories" in entry}
    _write_json(plan.output / "quality" / "constraints.json", constraints(counts.quality, known))
    write_findings(plan.output / "quality" / "findings.json", findings)
    sample = counts.quality.sample.table()
    assert sample is not None  # the training part has rows
    _write_payload(
        plan.output / "sample" / "payload.tar.gz", sample.select(list(plan.features)), plan.settings
    )


def _schema(plan: Plan, counts: Counts, classes: list[str]) -> dict[str, Any]:
    settings, origins = plan.settings, scales(plan, counts)
    return {
        "version": 1,
        "task": settings.task,
        "target": settings.target,
        "classes": classes,
        "positive_class": classes[1] if settings.task == "binary" else None,
        "source_columns": list(plan.types),
        "header": settings.header,
        "delimiter": settings.delimiter,
        **({"quote": settings.quote} if settings.quote != '"' else {}),
        **({"strip": True} if settings.strip else {}),
        "missing_values": list(settings.missing_values),
        "features": [{**_feature(name, plan, counts), **origins.get(name, {})} for name in plan.features],
        "rows": counts.rows,
        **_train_target(settings, counts, classes),
    }


def _train_target(settings: DatasetSettings, counts: Counts, classes: list[str]) -> dict[str, Any]:
    """Of the training part, what a constant answer would be: the test of a model's worth compares with it."""
    if settings.is_regression:
        target = counts.quality.numbers[settings.target]
        return {"train_target": {"mean": target.mean, "count": target.present}}
    return {"train_rows": [counts.classes["train"].get(name, 0) for name in classes]}


def _feature(name: str, plan: Plan, counts: Counts) -> dict[str, Any]:
    kind = KIND_OF[plan.types[name]]
    if kind != "category":
        return {"name": name, "kind": kind, **_notation(name, plan, counts)}
    categories = counts.quality.texts[name].most_frequent(plan.settings.max_categories)[0]
    return {"name": name, "kind": kind, "categories": sorted(categories)}


def _notation(name: str, plan: Plan, counts: Counts) -> dict[str, Any]:
    """How a request writes the feature, as far as that is not Arrow's notation: as the source does."""
    notation, plain = asdict(plan.settings.notation(name)), asdict(PLAIN)
    notation = {key: value for key, value in notation.items() if value != plain[key] and key != "strip"}
    understood = UNKNOWN in counts.noticed.marks.get(name, ())
    return {
        **({"notation": notation} if notation else {}),
        **({"also_missing": [UNKNOWN]} if understood and UNKNOWN not in plan.settings.missing_values else {}),
    }


def _write_json(path: Path, document: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, allow_nan=False) + "\n", encoding="utf-8")


def _write_payload(path: Path, rows: pa.Table, settings: DatasetSettings) -> None:
    text = io.StringIO()
    quoting: dict[str, Any] = {"quotechar": settings.quote} if settings.quote else {"quoting": csv.QUOTE_NONE}
    if settings.quote and settings.delimiter == BLANKS:
        quoting["quoting"] = csv.QUOTE_ALL  # what is missing is a field, too
    writer = csv.writer(text, delimiter=settings.delimiter, lineterminator="\n", **quoting)
    for row in rows.slice(0, _PAYLOAD_ROWS).to_pylist():
        writer.writerow([_csv_value(value, settings.notation(name)) for name, value in row.items()])
    data = text.getvalue().encode()
    entry = tarfile.TarInfo("payload.csv")
    entry.size = len(data)
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        path.open("wb") as file,
        gzip.GzipFile("", "wb", fileobj=file, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as archive,
    ):
        archive.addfile(entry, io.BytesIO(data))


def _csv_value(value: Any, notation: Notation) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        format_ = notation.date_format
        return value.isoformat(sep=" ") if format_ is None else value.strftime(format_)
    return str(value).replace(".", notation.decimal) if isinstance(value, float) else str(value)
