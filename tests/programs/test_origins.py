"""Numbers and timestamps that differ stay different for the model: each is counted from its own origin."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from program_runs import PARTS, Prepared, as_csv, hand_over_to_training


def minute(n: int) -> str:
    return f"2024-03-{1 + n // 1440:02d} {n // 60 % 24:02d}:{n % 60:02d}:00"


def encoded(prepared: Prepared, name: str) -> np.ndarray:
    from feature_encoding import encode, read_schema

    schema = read_schema(prepared.output / "schema" / "schema.json")
    (feature,) = (feature for feature in schema.features if feature.name == name)
    column = pa.concat_tables([prepared.part(part).select([name]) for part in PARTS])[name]
    return encode({name: column}, [feature])[:, 0]


def requested(prepared: Prepared, body: str | bytes, kind: str = "text/csv") -> np.ndarray:
    from feature_encoding import read_schema
    from request_rows import parse, to_matrix

    return to_matrix(parse(body, kind), read_schema(prepared.output / "schema" / "schema.json"))[:, 0]


SECOND = 1_709_290_800
COLUMNS: dict[str, Sequence[Any]] = {
    "minutes": [minute(n) for n in range(600)],
    "microseconds": [f"2024-03-01 10:00:00.{n:06d}" for n in range(600)],
    "epoch seconds": [SECOND + n for n in range(600)],
    "epoch seconds and a zero": [0, 0, *(SECOND + n for n in range(600))],
    "epoch milliseconds of whole minutes": [(SECOND + 60 * n) * 1000 for n in range(600)],
    "epoch nanoseconds": [SECOND * 10**9 + n for n in range(600)],
    "account numbers": [4_000_000_000_000_000_000 + n for n in range(600)],
    "millionths of a price": [1_000_000_000 + 10 * n for n in range(600)],
    "fractions": [1e9 + n / 8 for n in range(600)],
    "from another planet": ["9999-12-31 00:00:00", *(minute(n) for n in range(600))],
}


@pytest.mark.parametrize("name", COLUMNS)
def test_what_differs_in_training_differs_for_the_model(prepare: Callable[..., Prepared], name: str) -> None:
    values = COLUMNS[name]
    rows = [[value, n % 7, "ab"[n % 2]] for n, value in enumerate(values)]
    prepared = prepare(as_csv(["x", "other", "y"], rows), drop=["other"])
    assert prepared.code == 0, prepared.err
    found = encoded(prepared, "x")
    assert len(np.unique(found)) == len(set(values))
    assert "values_fall_together" not in prepared.out
    by_request = requested(prepared, as_csv(["x"], [[value] for value in values]))
    assert sorted(by_request.tolist()) == sorted(found.tolist())
    one_by_one = [requested(prepared, f"x\n{value}\n")[0] for value in values[:40]]
    assert one_by_one == by_request[:40].tolist()
    records = json.dumps([{"x": value} for value in values])
    assert requested(prepared, records, "application/json").tolist() == by_request.tolist()


def test_the_minute_s_parity_is_learnt(prepare: Callable[..., Prepared]) -> None:
    import inference
    import train

    generator = random.Random(0)
    minutes = [generator.randrange(120) for _ in range(3000)]
    rows = [[minute(n), generator.random(), "even" if n % 2 == 0 else "odd"] for n in minutes]
    prepared = prepare(as_csv(["when", "noise", "y"], rows))
    hand_over_to_training(prepared.folder, {"num_round": "60", "early_stopping_rounds": "0"})
    assert train.main(["--opt-ml", str(prepared.folder)]) == 0
    model = inference.model_fn(str(prepared.folder / "model"))
    body = as_csv(["when", "noise"], [[minute(n), 0.5] for n in range(120)])
    answer = inference.predict_fn(inference.input_fn(body, "text/csv"), model)
    right = [answer.classes[chosen] == ("odd" if n % 2 else "even") for n, chosen in enumerate(answer.chosen)]
    assert np.mean(right) > 0.9


def test_a_number_that_float32_holds_needs_no_origin(prepare: Callable[..., Prepared]) -> None:
    generator = np.random.default_rng(0)
    rows = [
        [n, 2**24 - n, round(generator.normal(), 6), 300 + round(generator.normal(), 3), "ab"[n % 2]]
        for n in range(500)
    ]
    prepared = prepare(as_csv(["a", "b", "c", "d", "y"], rows))
    assert prepared.schema["features"] == [{"name": name, "kind": "number"} for name in "abcd"]


def test_the_schema_names_the_middle_and_the_unit(prepare: Callable[..., Prepared]) -> None:
    rows = [[minute(n), SECOND + n, 1e9 + n / 8, "ab"[n % 2]] for n in range(500)]
    prepared = prepare(as_csv(["when", "second", "price", "y"], rows))
    when, second, price = prepared.schema["features"]
    assert when["unit"] == 60_000_000
    assert when["origin"] % 60_000_000 == 0
    assert (set(second), second["unit"]) == ({"name", "kind", "origin", "unit"}, 1)
    assert SECOND <= second["origin"] < SECOND + 500
    assert 1e9 <= price["origin"] < 1e9 + 63
    assert "unit" not in price


def test_one_and_the_same_time_has_an_origin_too(prepare: Callable[..., Prepared]) -> None:
    rows = [["2024-03-01" if n % 3 else "", n, "ab"[n % 2]] for n in range(500)]
    prepared = prepare(as_csv(["when", "n", "y"], rows))
    assert prepared.schema["features"][0]["unit"] == 1_000_000
    assert requested(prepared, "when,n\n2024-03-01 00:00:05,1\n").tolist() == [5.0]


def test_values_that_fall_together_all_the_same_are_said(prepare: Callable[..., Prepared]) -> None:
    rows = [[(n % 2) * 10**15 + n, "ab"[n % 2]] for n in range(600)]
    prepared = prepare(as_csv(["x", "y"], rows))
    assert prepared.code == 0, prepared.err
    assert "column 'x' has" in prepared.out
    assert "they differ only after the seventh digit" in prepared.out


def test_an_artifact_without_origins_is_served_as_before(tmp_path: Path) -> None:
    from feature_encoding import read_schema
    from request_rows import parse, to_matrix

    document = {
        "version": 1,
        "task": "binary",
        "target": "y",
        "classes": ["no", "yes"],
        "source_columns": ["n", "day", "y"],
        "delimiter": ",",
        "missing_values": [""],
        "features": [{"name": "n", "kind": "number"}, {"name": "day", "kind": "timestamp"}],
    }
    (tmp_path / "schema.json").write_text(json.dumps(document))
    found = to_matrix(
        parse("1709290801,2024-03-01 11:00:01\n,\n", "text/csv"), read_schema(tmp_path / "schema.json")
    )
    seconds = float(np.float32(1_709_290_801))
    assert np.array_equal(found, np.array([[seconds, seconds], [np.nan, np.nan]], np.float32), equal_nan=True)


@given(
    origin=st.one_of(st.integers(-(2**62), 2**62), st.integers(-(2**53), 2**53), st.floats(-1e12, 1e12)),
    unit=st.integers(1, 10**7),
    values=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=5),
    kind=st.sampled_from(["number", "timestamp"]),
)
@settings(max_examples=300)
def test_one_value_has_the_place_that_a_column_of_them_has(
    origin: int | float, unit: int, values: list[int], kind: str
) -> None:
    from scale import scale_of

    if kind == "timestamp":
        origin = int(origin)
    scale = scale_of({"kind": kind, "origin": origin, "unit": unit})
    many = scale.of_column(pa.array(values, pa.int64())).astype(np.float32)
    assert many.tolist() == np.array([scale.of(value) for value in values]).astype(np.float32).tolist()


def test_a_whole_number_beyond_64_bits_is_far_from_the_origin_and_no_error(
    prepare: Callable[..., Prepared],
) -> None:
    rows = [[2 * 10**18 + n, n % 9, "ab"[n % 2]] for n in range(500)]
    prepared = prepare(as_csv(["x", "n", "y"], rows))
    assert prepared.code == 0, prepared.err
    origin = prepared.schema["features"][0]["origin"]
    body = f"x,n\n{10**19},1\n{'9' * 500},1\n-9000000000000000000,1\n,1\n2e18,1\n{origin}.0,1\n"
    expected = [1e19 - origin, np.nan, -9e18 - origin, np.nan, 2e18 - origin, 0.0]
    for text in (body, body + f"{origin},1\n" * 100):
        found = requested(prepared, text)[:6]
        assert np.allclose(found, np.array(expected), rtol=1e-6, atol=300, equal_nan=True)
    table = io.BytesIO()
    pq.write_table(pa.table({"x": pa.array([2**64 - 1, None], pa.uint64()), "n": [1, 1]}), table)
    found = requested(prepared, table.getvalue(), "application/x-parquet")
    assert np.allclose(found, [2.0**64 - origin, np.nan], rtol=1e-6, equal_nan=True)
