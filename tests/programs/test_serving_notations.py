"""A request is written as the source is, and means what the same row meant in training."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from program_runs import PARTS, ROOT, Prepared

KEYS = {
    "decimal": ",",
    "thousands": ".",
    "date_format": {"day": "%d/%m/%Y %H:%M"},
    "strip": True,
    "quote": "'",
    "delimiter": ";",
    "also_missing": ["-999"],
    "kinds": {"price": "number"},
    "class_names": {"ja": "yes"},
}
HEADER = "width; price; day; job; unknown; y"


def line(n: int) -> str:
    width = "-999,0" if n % 10 == 0 else f"{n * 1237 / 8:,.3f}".translate(str.maketrans(",.", ".,"))
    price = f"({n},50 \u20ac)" if n % 3 else f"{n},25 \u20ac"
    day = f"{1 + n % 28:02d}/{1 + n % 12:02d}/2024 {n % 24:02d}:15"
    job = f"' state; {n % 4}'" if n % 7 else " NA "
    return f" {width} ; {price}; {day};{job}; {'?' if n % 5 == 0 else n}; {('yes', 'ja', 'no')[n % 3]}"


@pytest.fixture
def prepared(prepare: Callable[..., Prepared]) -> Prepared:
    data = "\n".join([HEADER, *map(line, range(400))]) + "\n"
    found = prepare(data, **KEYS, missing_values=["", "NA"])
    assert found.code == 0, found.err
    return found


def served(prepared: Prepared, body: str, kind: str = "text/csv") -> np.ndarray:
    from feature_encoding import read_schema
    from request_rows import parse, to_matrix

    return to_matrix(parse(body, kind), read_schema(prepared.output / "schema" / "schema.json"))


def trained(prepared: Prepared) -> np.ndarray:
    from feature_encoding import encode, read_schema

    schema = read_schema(prepared.output / "schema" / "schema.json")
    tables = [prepared.part(part).drop_columns(["y"]) for part in PARTS]
    table = pa.concat_tables(tables)
    return encode(dict(zip(table.column_names, table.columns, strict=True)), schema.features)


def rows(matrix: np.ndarray) -> list[str]:
    return sorted(map(repr, matrix.tolist()))


def test_the_source_sent_as_requests_is_what_training_saw(prepared: Prepared) -> None:
    expected = trained(prepared)
    assert np.isnan(expected).any(axis=0).tolist() == [True, False, False, True, True]
    lines = list(map(line, range(400)))
    together = served(prepared, "\n".join([HEADER, *lines]) + "\n")
    assert rows(together) == rows(expected)
    alone = np.concatenate([served(prepared, "\n".join(lines[n : n + 20])) for n in range(0, 400, 20)])
    assert rows(alone) == rows(expected)


def test_a_request_in_json_may_send_numbers_or_texts(prepared: Prepared) -> None:
    texts = {
        "width": "1.234,5",
        "price": "(2,50 \u20ac)",
        "day": "31/01/2024 10:00",
        "job": "state; 1",
        "unknown": "?",
    }
    plain = {**texts, "width": 1234.5, "price": -2.5, "unknown": None}
    first, second = served(prepared, json.dumps([texts, plain]), "application/json")
    assert np.array_equal(first, second, equal_nan=True)
    assert first[0] == 1234.5
    absent = served(
        prepared,
        json.dumps([{**plain, "width": mark} for mark in (-999, -999.0, "-999,00")]),
        "application/json",
    )
    assert np.isnan(absent[:, 0]).all()


def test_what_is_not_in_the_notation_is_refused(prepared: Prepared) -> None:
    from request_rows import BadRequest

    for width in ("1.23", "1,5,5", "wide"):
        with pytest.raises(BadRequest, match="is not a number as the data writes them"):
            served(prepared, f"{width};1,5;31/01/2024 10:00;state; 1;7\n".replace("state; 1", "'state; 1'"))
    with pytest.raises(BadRequest, match="%d/%m/%Y"):
        served(prepared, "1,5;1,5;31/02/2024 10:00;x;7\n")


def test_the_sample_payload_is_written_as_the_source_is(prepared: Prepared) -> None:
    with tarfile.open(prepared.output / "sample" / "payload.tar.gz") as archive:
        file = archive.extractfile("payload.csv")
        assert file is not None
        body = io.TextIOWrapper(file, encoding="utf-8", newline="").read()
    assert set(rows(served(prepared, body))) <= set(rows(trained(prepared)))


def test_requests_between_whose_fields_are_several_spaces_mean_what_the_source_does(
    prepare: Callable[..., Prepared],
) -> None:
    lines = [
        f"{n / 7:9.3f}  \t'job  {n % 4}' {'NA' if n % 9 else n} {('yes', 'no')[n % 2]}" for n in range(400)
    ]
    found = prepare("width  job late y\n" + "\n".join(lines) + "\n", delimiter=" ", quote="'")
    expected = rows(trained(found))
    assert rows(served(found, "\n".join(lines) + "\n")) == expected
    few = np.concatenate([served(found, "\n".join(lines[n : n + 20])) for n in range(0, 400, 20)])
    assert rows(few) == expected
    with tarfile.open(found.output / "sample" / "payload.tar.gz") as archive:
        file = archive.extractfile("payload.csv")
        assert file is not None
        assert set(rows(served(found, file.read().decode()))) <= set(expected)


@pytest.mark.parametrize("name", ["notation.py", "dates.py"])
def test_both_programs_read_by_the_same_code(name: str) -> None:
    assert (ROOT / "processing" / name).read_bytes() == (ROOT / "training" / name).read_bytes()


@given(
    st.one_of(
        st.text(alphabet="0123456789.,' -+()$%ek\u20ac\u2212\u00a0", max_size=12),
        st.sampled_from(["1.234,5", "12 %", "($3)", "-$1", "1e5", "nan", "5 kg", "1 234\n"]),
    ),
    st.sampled_from([(".", ""), (",", ""), (".", ","), (",", "."), (".", "'"), (",", " ")]),
    st.booleans(),
)
@settings(max_examples=400)
def test_one_text_is_read_as_many_are(text: str, marks: tuple[str, str], amounts: bool) -> None:
    from notation import Notation, number, numbers

    notation = Notation(*marks, amounts=amounts)
    assert numbers(pa.array([text]), notation).plain.to_pylist() == [number(text, notation)]


FORMATS = [
    "%d/%m/%Y",
    "%m/%d/%y %H:%M",
    "%b %d, %Y %I:%M %p",
    "%Y-%m-%dT%H:%M:%S.%f%z",
    "%H:%M",
    "%d%b%Y",
    "%Y%m%d",
]


@given(
    st.datetimes(), st.sampled_from(FORMATS), st.sampled_from(FORMATS), st.sampled_from(["", "Z", "-0330"])
)
@settings(max_examples=300)
def test_one_date_is_read_as_many_are(moment: Any, written: str, read: str, zone: str) -> None:
    from dates import microseconds, timestamps

    text = moment.strftime(written.replace("%z", "")) + (zone if "%z" in written else "")
    (many,) = timestamps(pa.array([text]), read).cast(pa.int64()).to_pylist()
    one = microseconds(text, read)
    assert one == many
    if written == read and "%y" not in read and moment.year >= 1000 and ("%z" not in read or zone):
        assert one is not None
