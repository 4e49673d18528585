"""Dates that stand for a missing value are noted with the setting that makes them one, at serving too."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from program_runs import PARTS, Prepared, as_csv

ROWS = 600
DAYS = [datetime(2019, 1, 1) + timedelta(days=n * 7919 % 1500) for n in range(ROWS)]


def table(days: list[datetime], form: str) -> str | bytes | pa.Table:
    labels = [n * n % 7 % 2 for n in range(len(days))]
    if form in ("parquet", "int96"):
        found = pa.table({"x": pa.array(days, pa.timestamp("us")), "y": labels})
        sink = pa.BufferOutputStream()
        pq.write_table(found, sink, use_deprecated_int96_timestamps=True)  # as Spark, Hive and Impala write
        return sink.getvalue().to_pybytes() if form == "int96" else found
    texts = [day.strftime(form).zfill(10) for day in days]
    return as_csv(["x", "y"], list(zip(texts, labels, strict=True)))


@pytest.mark.parametrize(
    ("mark", "form", "settings"),
    [
        ("9999-12-31", "%Y-%m-%d", {}),
        ("0001-01-01", "parquet", {}),
        ("9999-12-31", "int96", {}),
        ("1900-01-01", "%d.%m.%Y", {"date_format": {"x": "%d.%m.%Y"}}),
        ("1970-01-01", "%Y-%m-%d %H:%M:%S", {}),
        ("2019-06-01", "%Y-%m-%d", None),
        ("1912-03-07", "%Y-%m-%d", {}),
    ],
)
def test_a_date_that_stands_for_a_missing_value_is_noted(
    prepare: Callable[..., Prepared], mark: str, form: str, settings: dict[str, object] | None
) -> None:
    days = [datetime.fromisoformat(mark) if n % 20 == 0 else day for n, day in enumerate(DAYS)]
    found = prepare(table(days, form), **(settings or {}))
    assert found.code == 0, found.err
    if settings is None:  # a frequent day among the others
        assert "column 'x'" not in found.out
        return
    assert f"column 'x' holds {mark} in " in found.out
    line = f'also_missing = ["{mark}"]'
    assert found.finding("date_like_a_mark")["remedy"].endswith(line)
    fixed = prepare(table(days, form), also_missing=[mark], **settings)
    assert sum(fixed.part(part)["x"].null_count for part in PARTS) == ROWS / 20
    assert "column 'x'" not in fixed.out

    from feature_encoding import encode, read_schema

    (feature,) = read_schema(fixed.output / "schema" / "schema.json").features
    for written in (mark, f"{mark} 00:00:00", f"{mark}T00:00:00Z"):
        assert math.isnan(feature.from_text(written))
        assert not math.isnan(feature.from_text(f"2020-{written[5:]}"))
    sent = pa.array([datetime.fromisoformat(mark), DAYS[1]], pa.timestamp("us"))
    assert [math.isnan(value) for value in encode({"x": sent}, [feature])[:, 0]] == [True, False]


def test_birthdays_with_a_default_among_them_are_noted_and_others_are_not(
    prepare: Callable[..., Prepared],
) -> None:
    born = [datetime(1935, 1, 1) + timedelta(days=n * 7919 % 25_000) for n in range(ROWS)]
    assert "column 'x'" not in prepare(table(born, "%Y-%m-%d")).out
    some = [datetime(1970, 1, 1) if n % 15 == 0 else day for n, day in enumerate(born)]
    assert "column 'x' holds 1970-01-01 in " in prepare(table(some, "%Y-%m-%d")).out
    first_days = [datetime(1900 + n % 100, 1, 1) for n in range(ROWS)]
    assert "column 'x'" not in prepare(table(first_days, "%Y-%m-%d")).out
