"""Files spread over several hosts become the same parts, schema, statistics and findings as on one."""

from __future__ import annotations

import gzip
import io
import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pytest
from program_runs import PARTS, Prepared, as_csv, lay_out, mixed_rows
from shares import Data, prepare_shares, run_step, sharded

RESULTS = ("schema/schema.json", "quality/statistics.json", "quality/findings.json")
BINARY = {"task": "binary", "target": "y", "positive_class": "yes"}


def alone(folder: Path, data: Data, settings: Mapping[str, Any]) -> Prepared:
    """What one host makes of all files."""
    own = lay_out(folder, data, settings)
    return run_step("", own)


def same(one: Prepared, other: Prepared) -> None:
    """The same rows in the same parts, and the same results byte for byte."""
    assert (one.code, other.code) == (0, 0), one.err + other.err
    assert one.message == other.message
    for name in RESULTS:
        assert (one.output / name).read_bytes() == (other.output / name).read_bytes(), name
    for part in PARTS:
        assert one.rows(part) == other.rows(part)


def files_of(header: list[str], rows: list[list[Any]], count: int, form: str) -> dict[str, Any]:
    """The rows in so many files of a form, and a row that a later file repeats in each."""
    found: dict[str, Any] = {}
    for place in range(count):
        text = as_csv(header, [*rows[place::count], *rows[:40]])
        if form == "gzip":
            found[f"{place}.csv.gz"] = gzip.compress(text.encode())
        elif form == "parquet":
            found[f"deep/{place}.parquet"] = pa_csv.read_csv(io.BytesIO(text.encode()))
        elif form == "hive":
            found[f"country={('ch', 'de')[place % 2]}/{place}.csv"] = text
        else:
            found[f"{place}.csv"] = text
    return found


@pytest.mark.parametrize("form", ["csv", "gzip", "parquet", "hive"])
@pytest.mark.parametrize("hosts", [1, 2, 5])
def test_hosts_make_together_what_one_makes_alone(tmp_path: Path, form: str, hosts: int) -> None:
    header, rows = mixed_rows(1500)
    data = files_of(header, rows, 7, form)
    expected = alone(tmp_path / "alone", data, BINARY)
    together, steps = prepare_shares(tmp_path, data, BINARY, hosts)
    same(together, expected)
    assert (together.output / "sample/payload.tar.gz").stat().st_size > 100
    assert expected.finding("repeated_rows")["count"] > 100
    for step in ("profile", "split"):
        sizes = [sum(map(len, map(bytes_of, sharded(data, host, hosts).values()))) for host in range(hosts)]
        if form != "parquet":  # written anew for each folder
            assert [one.message.partition(" bytes")[0] for one in steps[step]] == [
                f"algo-{host + 1} read {len(sharded(data, host, hosts))} "
                f"{'file' if len(sharded(data, host, hosts)) == 1 else 'files'} of {size:,}"
                for host, size in enumerate(sizes)
            ]


def bytes_of(content: Any) -> bytes:
    return content.encode() if isinstance(content, str) else content if isinstance(content, bytes) else b""


def test_large_samples_texts_and_identifiers_are_merged(tmp_path: Path) -> None:
    generator = random.Random(1)
    rows = [
        [n, f"t{generator.randrange(9000)}", generator.gauss(0, 1), "ab"[generator.random() < 0.3]]
        for n in range(12_000)
    ]
    data = {f"{place}.csv": as_csv(["id", "text", "x", "y"], rows[place::6]) for place in range(6)}
    settings = {"task": "binary", "target": "y", "kinds": {"text": "category"}}
    expected = alone(tmp_path / "alone", data, settings)
    assert expected.finding("identifier")["column"] == "id"
    assert expected.finding("beyond_max_categories")["count"] > 4096
    for hosts in (2, 5):
        same(prepare_shares(tmp_path / str(hosts), data, settings, hosts)[0], expected)


@pytest.mark.parametrize(
    ("numbers", "others"),
    [
        pytest.param([*range(300)], [f"A{n}B" for n in range(100)], id="numbers here, texts there"),
        pytest.param([*range(300)], [0.5, 2**60], id="whole numbers here, others there"),
        pytest.param([0, 1], ["true", "false"], id="zeros and ones here, words there"),
        pytest.param(["", "?"], ["2024-01-01", "2024-02-01 10:00:00"], id="nothing here, times there"),
        pytest.param(["2024-01-01T00:00:00Z"], ["2024-01-01 00:00:00"], id="times with and without a zone"),
        pytest.param(["3", "?"], ["?", "n.a.", "x"], id="a mark here, a value there"),
    ],
)
def test_a_column_may_be_of_another_type_in_each_share(
    tmp_path: Path, numbers: list[Any], others: list[Any]
) -> None:
    shares = (numbers, numbers, others, numbers)
    data = {
        f"{place}.csv": as_csv(
            ["x", "n", "y"],
            [[values[n % len(values)], n * 7919 % 1009, "yes" if n % 3 else "no"] for n in range(400)],
        )
        for place, values in enumerate(shares)
    }
    expected = alone(tmp_path / "alone", data, BINARY)
    for hosts in (2, 4):
        same(prepare_shares(tmp_path / str(hosts), data, BINARY, hosts)[0], expected)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_the_folder_of_a_file_without_rows_says_nothing_of_its_column(tmp_path: Path, form: str) -> None:
    header, rows = mixed_rows(400)
    texts = {"d=1": as_csv(header, rows[::2]), "d=2": as_csv(header, rows[1::2]), "d=old": as_csv(header, [])}
    data: dict[str, Any] = {
        f"{folder}/{place}.csv": text for place, (folder, text) in enumerate(texts.items())
    }
    if form == "parquet":
        tables = {name: pa_csv.read_csv(io.BytesIO(text.encode())) for name, text in data.items()}
        kinds = tables["d=1/0.csv"].schema
        data = {name: table.cast(kinds) if not len(table) else table for name, table in tables.items()}
    expected = alone(tmp_path / "alone", data, BINARY)
    assert {"name": "d", "kind": "number"} in expected.schema["features"]
    same(prepare_shares(tmp_path / "together", data, BINARY, 3)[0], expected)


def test_a_host_without_files_does_no_harm(tmp_path: Path) -> None:
    header, rows = mixed_rows(300)
    data = {f"{place}.csv": as_csv(header, rows[place::2]) for place in range(2)}
    data["README.md"] = "# no data"
    expected = alone(tmp_path / "alone", data, BINARY)
    together, steps = prepare_shares(tmp_path, data, BINARY, 5)
    same(together, expected)
    assert [one.message for one in steps["split"]][2:] == [
        f"algo-{host} read 0 files of 0 bytes and wrote 0 rows" for host in (3, 4, 5)
    ]
    assert together.finding("stray_file")


@pytest.mark.parametrize(
    ("kind", "rows"),
    [
        *((kind, 40) for kind in (pa.string(), pa.binary(), pa.bool_(), pa.timestamp("us"))),
        *((kind, 0) for kind in (pa.string(), pa.list_(pa.int8()))),
    ],
    ids=str,
)
def test_the_type_of_a_column_without_values_says_nothing(
    tmp_path: Path, kind: pa.DataType, rows: int
) -> None:
    """As programs write a share in which a column is empty: as texts, say."""
    amounts = pa.table(
        {"x": range(300), "n": [n * 7919 % 1009 for n in range(300)], "y": ["no", "yes", "no"] * 100}
    )
    empty = amounts.slice(0, rows).set_column(0, "x", pa.nulls(rows, kind))
    data = {"0.parquet": empty, "1.parquet": amounts, "2.parquet": empty.slice(0, rows // 2)}
    expected = alone(tmp_path / "alone", data, BINARY)
    assert expected.schema["features"][0]["kind"] == "number"
    assert expected.part("train")["x"].type == pa.int64()
    for hosts in (2, 3):
        same(prepare_shares(tmp_path / str(hosts), data, BINARY, hosts)[0], expected)


def test_a_batch_without_values_has_the_type_of_the_others(tmp_path: Path) -> None:
    header = ["x", "n", "y"]
    rows = [
        [f"2024-01-{n % 28 + 1:02d}T10:00:00Z", n * 7919 % 1009, "no" if n % 3 else "yes"] for n in range(300)
    ]
    data = {
        "0.csv": as_csv(header, [["", *row[1:]] for row in rows[:50]]),
        "1.csv": as_csv(header, rows[50:]),
    }
    expected = alone(tmp_path / "alone", data, BINARY)
    assert expected.part("train")["x"].null_count > 10
    same(prepare_shares(tmp_path, data, BINARY, 2)[0], expected)


def test_a_faults_remedy_is_the_same_where_its_host_has_no_other_file(tmp_path: Path) -> None:
    header, rows = mixed_rows(300)
    data = {"0.csv": as_csv(header, rows), "1.csv": as_csv(header, rows[:9]) + "1,2\n"}
    expected = alone(tmp_path / "alone", data, BINARY)
    assert prepare_shares(tmp_path, data, BINARY, 2)[0].message == expected.message


@pytest.mark.parametrize(("rare", "stratify"), [(5, None), (70, True), (300, None)])
def test_a_class_that_one_host_alone_has_is_in_every_part(
    tmp_path: Path, rare: int, stratify: bool | None
) -> None:
    header, rows = mixed_rows(900)
    only = [[*row[:-1], "rare"] for row in rows[:rare]]
    few = [[*row[:-1], "scattered"] for row in rows[400:409]]  # three on each host
    data = {
        f"{place}.csv": as_csv(
            header, [*rows[place::3], *(only if place == 1 else []), *few[3 * place : 3 * place + 3]]
        )
        for place in range(3)
    }
    settings = {"task": "multiclass", "target": "y", "stratify": stratify}
    expected = alone(tmp_path / "alone", data, settings)
    assert set(expected.schema["classes"]) == {"yes", "no", "rare", "scattered"}
    together, _ = prepare_shares(tmp_path, data, settings, 3)
    same(together, expected)
    for part in PARTS:
        assert {"rare", "scattered"} <= set(together.part(part)["y"].to_pylist())


def test_rows_of_one_key_share_a_part_across_hosts(tmp_path: Path) -> None:
    header, rows = mixed_rows(1200)
    keyed = [[f"k{n % 150}" if n % 5 else str(n % 40), *row] for n, row in enumerate(rows)]
    data = {f"{place}.csv": as_csv(["who", *header], keyed[place::4]) for place in range(4)}
    settings = {**BINARY, "key": "who", "slices": ["who", "shop"]}
    expected = alone(tmp_path / "alone", data, settings)
    together, _ = prepare_shares(tmp_path, data, settings, 4)
    same(together, expected)


def test_a_regression_is_the_same(tmp_path: Path) -> None:
    header, rows = mixed_rows(1000)
    rows = [[*row[:-1], row[1] * 0.1 + n % 3] for n, row in enumerate(rows)]
    data = {f"{place}.csv": as_csv(header, rows[place::4]) for place in range(4)}
    settings = {"task": "regression", "target": "y"}
    expected = alone(tmp_path / "alone", data, settings)
    same(prepare_shares(tmp_path, data, settings, 3)[0], expected)


def test_a_column_that_numbers_the_rows_is_found_by_all_files(tmp_path: Path) -> None:
    header, rows = mixed_rows(600)
    data = {
        f"{place}.csv": as_csv(["", *header], [[n, *row] for n, row in enumerate(rows[place::3])])
        for place in range(3)
    }
    expected = alone(tmp_path / "alone", data, BINARY)
    assert expected.finding("row_number")
    same(prepare_shares(tmp_path / "3", data, BINARY, 3)[0], expected)
    broken = as_csv(["", *header], [[n // 2, *row] for n, row in enumerate(rows[2::3])])
    data["2.csv"] = broken  # twice each number: it does not number the rows
    expected = alone(tmp_path / "other", data, BINARY)
    assert not [one for one in expected.findings if one["kind"] == "row_number"]
    same(prepare_shares(tmp_path / "broken", data, BINARY, 3)[0], expected)


def test_a_broken_row_is_named_with_its_file(tmp_path: Path) -> None:
    header, rows = mixed_rows(300)
    data = {f"{place}.csv": as_csv(header, rows[place::3]) for place in range(3)}
    data["1.csv"] += "1,2\n"
    failed, steps = prepare_shares(tmp_path, data, BINARY, 3)
    assert failed.code == 1
    assert failed.folder.name == "algo-2"
    assert failed.message.startswith("1.csv, line 102: ")
    assert "split" not in steps


def test_a_value_of_another_kind_than_demanded_is_named_with_its_file(tmp_path: Path) -> None:
    header, rows = mixed_rows(300)
    data = {f"{place}.csv": as_csv(header, rows[place::3]) for place in range(3)}
    data["2.csv"] = data["2.csv"].replace("false", "many", 1)
    failed, _ = prepare_shares(tmp_path, data, {**BINARY, "kinds": {"member": "boolean"}}, 3)
    assert failed.message.startswith("2.csv, line ")
    assert "kinds says that column 'member' is a boolean, but this is 'many'" in failed.message


def test_a_remedy_names_the_odd_texts_of_all_parts_and_all_hosts(tmp_path: Path) -> None:
    odd = ["#N/A", "-", "fehlt", "k.A.", "n/v", "unbekannt", "x"]
    rows = [[f"{n},5", "yes" if n % 3 else "no"] for n in range(400)]
    for place, text in enumerate(odd):  # in other files, in any part, and one beside no target
        rows[place * 50 + place] = [text, "" if text == "x" else "yes"]
    data = {f"{place}.csv": as_csv(["n", "y"], rows[place::5]) for place in range(5)}
    expected = alone(tmp_path / "alone", data, BINARY)
    assert "'#N/A', '-', 'fehlt' and 4 more" in expected.message
    assert f"and also_missing = {json.dumps(odd)}" in expected.message
    for hosts in (1, 2, 5):
        assert prepare_shares(tmp_path / str(hosts), data, BINARY, hosts)[0].message == expected.message
    several = {name: text + "".join(f"o{name}{n},yes\n" for n in range(300)) for name, text in data.items()}
    several["5.csv"] = as_csv(["n", "y"], [[f"{n},25", "no"] for n in range(60_000)])
    expected = alone(tmp_path / "many alone", several, BINARY)
    assert "'#N/A', '-', 'fehlt' and many more" in expected.message
    assert prepare_shares(tmp_path / "many", several, BINARY, 2)[0].message == expected.message
    right = {**BINARY, "decimal": {"n": ","}, "also_missing": odd}
    same(prepare_shares(tmp_path, data, right, 2)[0], alone(tmp_path / "right", data, right))


def test_files_with_other_columns_are_named(tmp_path: Path) -> None:
    header, rows = mixed_rows(300)
    data = {f"{place}.csv": as_csv(header, rows[place::2]) for place in range(2)}
    data["1.csv"] = as_csv([*header[:-2], "date", "y"], rows[1::2])
    failed, _ = prepare_shares(tmp_path, data, BINARY, 2)
    assert failed.message.startswith("1.csv: its columns are not those of 0.csv: it lacks 'day' and has also")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param({"target": "z"}, "there is no target column 'z'", id="no target"),
        pytest.param({"task": "multiclass", "target": "visits"}, "too rare", id="classes too rare"),
        pytest.param({"kinds": {"shop": "category"}, "drop": ["nothing"]}, "drop names", id="no such column"),
    ],
)
def test_what_is_wrong_with_the_whole_is_said_once_all_is_known(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    header, rows = mixed_rows(400)
    data = {f"{place}.csv": as_csv(header, rows[place::2]) for place in range(2)}
    settings = {**BINARY, **change}
    if settings["task"] == "multiclass":
        del settings["positive_class"]
    expected = alone(tmp_path / "alone", data, settings)
    assert said in expected.message or "holds" in expected.message
    assert prepare_shares(tmp_path, data, settings, 2)[0].message == expected.message


def test_the_remedy_for_a_class_without_rows_in_a_part_is_the_same(tmp_path: Path) -> None:
    header, rows = mixed_rows(400)
    keyed = [[f"k{n % 50}", *row] for n, row in enumerate(rows)]
    for n in range(4):
        keyed[n * 100 + 7][-1] = "rare"
        keyed[n * 100 + 7][0] = f"k{n}"
    data = {f"{place}.csv": as_csv(["who", *header], keyed[place::2]) for place in range(2)}
    settings = {"task": "multiclass", "target": "y", "key": "who"}
    for seed in range(20):
        expected = alone(tmp_path / f"alone {seed}", data, {**settings, "seed": seed})
        if expected.code:
            break
    assert "Set seed = " in expected.message
    together, _ = prepare_shares(tmp_path, data, {**settings, "seed": seed}, 2)
    assert together.message == expected.message


def test_no_data_and_no_rows_are_said(tmp_path: Path) -> None:
    assert "no file was given" in prepare_shares(tmp_path / "1", {}, BINARY, 2)[0].message
    assert "every file is empty" in prepare_shares(tmp_path / "2", {"a.csv": ""}, BINARY, 2)[0].message
    strays = prepare_shares(tmp_path / "3", {"README.md": "x"}, BINARY, 2)[0].message
    assert "README.md is no data by its name" in strays
    header = as_csv(["a", "y"], [])
    assert "there are no rows" in prepare_shares(tmp_path / "4", {"a.csv": header}, BINARY, 2)[0].message


def test_a_sample_of_rows_that_lie_on_several_hosts_is_nearly_uniform() -> None:
    """Half of the contents are there on every host, the others on one: the first have twice the weight."""
    import numpy as np
    from quality import Quality

    schema = pa.schema([("x", pa.int64())])
    generator = np.random.default_rng(0)
    shared, hosts = generator.integers(0, 2**63, 20_000), []
    for _ in range(2):
        contents = np.append(shared, generator.integers(0, 2**63, 20_000)).astype(np.uint64)
        kinds = np.append(np.ones(20_000, np.int64), np.zeros(20_000, np.int64))
        quality = Quality(schema)
        quality.add(pa.RecordBatch.from_arrays([pa.array(kinds)], schema=schema), contents, {})
        hosts.append(quality.state())
    merged = Quality(schema)
    for state in hosts:
        merged.absorb(state)
    for state in hosts:
        merged.absorb_samples(state)
    assert merged.occurrences.repeated == 20_000
    table = merged.sample.table()
    assert table is not None
    share = np.mean(table["x"].to_numpy())
    assert len(table) == 2048
    assert 0.33 < share < 0.55


def test_the_state_of_counts_is_data_and_not_code(tmp_path: Path) -> None:
    import numpy as np
    from state_file import read_state, write_state

    state = {
        "array": {"array": np.arange(3, dtype=np.uint64)},
        "texts": pa.table({"text": pa.array(["a", None])}),
        "plain": {"": [1, float("inf"), None], "table": 3},
    }
    for name in ("one.zip", "two.zip"):
        write_state(tmp_path / name, state)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    found = read_state(tmp_path / "one.zip")
    assert found["array"]["array"].tolist() == [0, 1, 2]
    assert found["texts"].equals(state["texts"])
    assert json.dumps(found["plain"]) == json.dumps(state["plain"])
