"""The data-quality report: exact where it says so, near where it estimates, in Model Monitor's format."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from program_runs import PARTS, Prepared, as_csv, mixed_rows


def by_name(prepared: Prepared) -> dict[str, dict[str, Any]]:
    return {feature["name"]: feature for feature in prepared.statistics["features"]}


def test_counts_and_moments_are_those_of_the_training_part(
    prepare: Callable[..., Prepared], monkeypatch: pytest.MonkeyPatch
) -> None:
    import reading

    monkeypatch.setattr(reading, "_BLOCK_BYTES", 3000)  # many batches, so that moments are merged
    header, rows = mixed_rows(1000)
    prepared = prepare(as_csv(header, rows))
    train = prepared.part("train")
    assert prepared.statistics["version"] == 0
    assert prepared.statistics["dataset"] == {"item_count": train.num_rows}
    features = by_name(prepared)
    assert list(features) == header
    kinds = {name: feature["inferred_type"] for name, feature in features.items()}
    assert kinds == {
        "amount": "Fractional",
        "visits": "Integral",
        "shop": "String",
        "member": "Integral",
        "day": "Fractional",
        "y": "String",
    }
    for name in ("amount", "visits"):
        found = features[name]["numerical_statistics"]
        values = train[name].drop_null().to_numpy().astype(float)
        common = {"num_present": len(values), "num_missing": train.num_rows - len(values)}
        assert found["common"] == common
        assert found["mean"] == pytest.approx(values.mean(), rel=1e-10)
        assert found["sum"] == pytest.approx(values.sum(), rel=1e-10)
        assert found["std_dev"] == pytest.approx(values.std(), rel=1e-10)
        assert (found["min"], found["max"]) == (values.min(), values.max())
        buckets = found["distribution"]["kll"]["buckets"]
        expected = np.histogram(values, bins=10)[0]  # the sample holds all rows, so these are exact
        assert [bucket["count"] for bucket in buckets] == expected.tolist()
        sketch = found["distribution"]["kll"]["sketch"]
        assert sketch["parameters"] == {"c": 0.64, "k": 2048.0}
        assert sketch["data"] == [sorted(values.tolist())]
    texts = features["shop"]["string_statistics"]
    counts = train["shop"].drop_null().value_counts().to_pylist()
    assert texts["distinct_count"] == len(counts)
    assert {
        bucket["value"]: bucket["count"] for bucket in texts["distribution"]["categorical"]["buckets"]
    } == {entry["values"]: entry["counts"] for entry in counts}
    assert texts["common"]["num_missing"] == train["shop"].null_count


@pytest.mark.parametrize("place", [0.0, 1e9, -1e15])
def test_moments_are_exact_far_from_zero_and_the_same_in_any_order(place: float) -> None:
    from quality import NumberColumn

    values = place + np.floor(np.random.default_rng(0).random(5000) * 1000)
    exact = [Fraction(value) for value in values.tolist()]
    mean = sum(exact) / len(exact)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in exact) / len(exact))
    found = []
    for order, pieces in ((values, 37), (values[::-1], 5), (np.sort(values), 1)):
        columns = [NumberColumn(integral=False) for _ in range(3)]
        for number, piece in enumerate(np.array_split(order, pieces)):
            columns[number % 3].add(piece)
        for other in columns[1:]:
            columns[0].absorb(other.state())
        found.append(columns[0].statistics(values[:10]))
    assert found[0] == found[1] == found[2]
    assert found[0]["std_dev"] == pytest.approx(deviation, rel=1e-10)
    assert found[0]["mean"] == pytest.approx(float(mean), rel=1e-15, abs=1e-8)
    assert found[0]["sum"] == pytest.approx(float(sum(exact)), rel=1e-15, abs=1e-4)


def test_moments_of_decimals_are_the_same_in_any_order_where_they_lie_between_two_roundings() -> None:
    from quality import NumberColumn

    def reported(*pieces: np.ndarray) -> dict[str, Any]:
        column = NumberColumn(integral=False)
        for piece in pieces:
            column.add(piece)
        return column.statistics(np.zeros(1))

    for seed in range(300):
        random = np.random.default_rng(seed)
        for values in (random.integers(-(10**6), 10**6, 64) / 100, random.permutation([0.1, -0.1] * 8)):
            whole = reported(values)
            assert whole == reported(np.sort(values)) == reported(values[:10], values[10:]), (seed, values)


def test_zero_has_no_sign_in_the_report() -> None:
    from quality import NumberColumn

    reports = []
    for values in ([0.0, -0.0, 1.0], [-0.0, 0.0, 1.0]):
        column = NumberColumn(integral=False)
        for value in values:
            column.add(np.array([value]))
        reports.append(json.dumps(column.statistics(np.array(values))))
    assert reports[0] == reports[1]
    assert "-0.0" not in reports[0]


def test_numbers_at_the_ends_of_a_double_leave_out_what_overflows() -> None:
    from quality import NumberColumn

    column = NumberColumn(integral=False)
    for values in ([1.5e308, -1.5e308, 1.0], [1.7e308]):
        column.add(np.array(values))
    found = column.statistics(np.array([1.5e308, -1.5e308]))
    assert (found["min"], found["max"]) == (-1.5e308, 1.7e308)
    json.dumps(found, allow_nan=False)


def test_infinity_and_nan_count_as_missing_and_never_reach_the_report() -> None:
    from quality import NumberColumn

    column = NumberColumn(integral=False)
    column.add(np.array([1.0, math.inf, math.nan, 3.0]))
    found = column.statistics(np.array([1.0, 3.0]))
    assert found["common"] == {"num_present": 2, "num_missing": 2}
    assert found["mean"] == 2.0


def test_buckets_of_many_rows_are_near_and_add_up() -> None:
    from quality import Quality

    generator = np.random.default_rng(1)
    values = generator.normal(size=60_000)
    hashes = generator.integers(0, 2**63, 60_000).astype(np.uint64)
    quality = Quality(pa.schema([("x", pa.float64())]))
    for start in range(0, 60_000, 5000):
        batch = pa.RecordBatch.from_arrays([pa.array(values[start : start + 5000])], ["x"])
        quality.add(batch, hashes[start : start + 5000], {})
    found = quality.report(60_000)["features"][0]["numerical_statistics"]["distribution"]["kll"]
    counts = [bucket["count"] for bucket in found["buckets"]]
    assert sum(counts) == 60_000
    expected = np.histogram(values, bins=10)[0]
    assert np.abs(np.array(counts) - expected).max() < 0.05 * 60_000
    level = len(found["sketch"]["data"]) - 1
    assert len(found["sketch"]["data"][level]) * 2**level == pytest.approx(60_000, rel=0.1)


@pytest.mark.parametrize("rows", [20_000, 700], ids=["the first batch fills it", "it fills slowly"])
def test_a_sample_does_not_depend_on_the_order_of_the_rows(rows: int) -> None:
    from quality import RowSample

    generator = np.random.default_rng(1)
    values = np.arange(rows)
    hashes = generator.integers(0, 2**63, rows).astype(np.uint64)
    samples = []
    for order in (values, values[::-1], generator.permutation(values)):
        sample = RowSample(500)
        for piece in np.array_split(order, 13):
            sample.add(
                pa.RecordBatch.from_arrays([pa.array(values[piece])], ["x"]), hashes[piece], hashes[piece]
            )
        table = sample.table()
        assert table is not None
        samples.append(table["x"].to_pylist())
    assert samples[0] == samples[1] == samples[2] == values[np.argsort(hashes)[:500]].tolist()


def sample_of(values: np.ndarray, order: np.ndarray, pieces: int) -> pa.Table:
    """What a report's sample holds of rows whose content is one value, in that order and so many batches."""
    from quality import Quality
    from splitting import mixed

    quality = Quality(pa.schema([("x", pa.float64())]))
    for piece in np.array_split(order, pieces):
        batch = pa.RecordBatch.from_arrays([pa.array(values[piece])], ["x"])
        quality.add(batch, mixed(values[piece].view(np.uint64)), {})
    table = quality.sample.table()
    assert table is not None
    return table


@pytest.mark.parametrize("most", [500_000, 2000], ids=["all contents counted", "more than can be counted"])
def test_copies_of_a_row_enter_the_sample_one_by_one(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """5 rows above 0 come 1 200 times each, and 11 000 others lie below it: the median is -0.860."""
    import row_sample

    monkeypatch.setattr(row_sample, "_MOST_DIFFERENT", most)
    generator = np.random.default_rng(3)
    single = -2.019 + 1.5 * generator.random(11_000)
    values = np.concatenate([single, np.repeat([0.5, 0.54, 0.58, 0.62, 0.66], 1200)])
    assert np.median(values) == pytest.approx(-0.860, abs=0.02)
    true = {share: np.quantile(values, share) for share in (0.25, 0.5, 0.75)}
    found = sample_of(values, generator.permutation(len(values)), 17)["x"].to_numpy()
    assert len(found) == 2048
    for share, value in true.items():
        below, up_to = np.mean(found < value), np.mean(found <= value)
        assert below - 0.045 <= share <= up_to + 0.045  # 4 standard errors of a share in 2 048 rows
    # One by one: of 6 000 copies about as many are in it as there are of any other 6 000 rows.
    assert np.sum(found > 0) == pytest.approx(2048 * 6000 / 17_000, abs=4 * math.sqrt(2048 * 0.35 * 0.65))


def test_the_sample_of_rows_that_repeat_does_not_depend_on_their_order_or_batches() -> None:
    generator = np.random.default_rng(4)
    values = generator.integers(0, 3000, 20_000) / 7
    rows = np.arange(len(values))
    samples = [
        sample_of(values, order, pieces)["x"].to_pylist()
        for order, pieces in ((rows, 1), (rows[::-1], 13), (generator.permutation(rows), 200))
    ]
    assert samples[0] == samples[1] == samples[2]


def test_beyond_the_contents_that_are_counted_the_order_decides_no_more_than_the_sketch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What docs/gate.md says of more than 500,000 different rows."""
    import row_sample
    from quality import Quality
    from splitting import mixed

    monkeypatch.setattr(row_sample, "_MOST_DIFFERENT", 2000)
    generator = np.random.default_rng(5)
    values = np.concatenate([generator.normal(size=20_000), np.repeat([0.5, 0.7], 3000)])
    reports = []
    for order in (np.argsort(values), np.argsort(-values), generator.permutation(len(values))):
        quality = Quality(pa.schema([("x", pa.float64())]))
        for piece in np.array_split(values[order], 9):
            batch = pa.RecordBatch.from_arrays([pa.array(piece)], ["x"])
            quality.add(batch, mixed(piece.view(np.uint64)), {})
        [feature] = quality.report(len(values))["features"]
        reports.append(feature["numerical_statistics"])
    sketches = [np.array(one.pop("distribution")["kll"]["sketch"]["data"][-1]) for one in reports]
    assert reports[0] == reports[1] == reports[2]
    assert not np.array_equal(sketches[0], sketches[1])
    below = [np.searchsorted(one, values, side="right") / len(one) for one in sketches]
    true = np.searchsorted(np.sort(values), values, side="right") / len(values)
    for first, second in ((0, 1), (0, 2), (1, 2)):
        assert np.abs(below[first] - below[second]).max() <= 0.07
    assert max(np.abs(one - true).max() for one in below) <= 0.05


def test_distinct_texts_beyond_memory_are_estimated(monkeypatch: pytest.MonkeyPatch) -> None:
    import quality
    from splitting import text_hashes

    monkeypatch.setattr(quality, "_MOST_TEXTS", 20_000)
    monkeypatch.setattr(quality, "_TEXTS_KEPT", 10_000)
    column = quality.TextColumn()
    for start in range(0, 100_000, 5000):
        texts = [f"text {n}" for n in range(start, start + 5000)] + ["frequent"] * 100
        array = pa.array(texts).dictionary_encode()
        column.add(array, text_hashes(array.dictionary))
    assert not column.exact
    assert column.distinct() == pytest.approx(100_001, rel=0.06)
    assert column.most_frequent(1) == (["frequent"], [2000])


def test_few_bytes_are_kept_of_a_batch_that_says_little_new() -> None:
    """Much data is many batches, of which each has the texts of the others, and a row for the sample."""
    from quality import TextColumn
    from row_sample import RowSample
    from splitting import text_hashes

    column, sample = TextColumn(), RowSample(2_000)
    array = pa.array(["no", "yes"]).dictionary_encode()
    texts = text_hashes(array.dictionary)
    before = pa.total_allocated_bytes()
    for hashes in np.arange(4_000, dtype=np.uint64)[::-1].reshape(2_000, 2):
        column.add(array, texts)
        sample.add(pa.RecordBatch.from_arrays([array], ["y"]), hashes, hashes)
    kept = pa.total_allocated_bytes() - before
    assert kept < 100_000, f"{kept:,} bytes of 2,000 batches"
    assert column.most_frequent(2) == (["no", "yes"], [2_000, 2_000])
    table = sample.table()
    assert table is not None
    assert table["y"].to_pylist() == ["yes", "no"] * 1_000


def test_the_report_counts_the_training_part_only(prepare: Callable[..., Prepared]) -> None:
    header, rows = mixed_rows(300)
    prepared = prepare(as_csv(header, rows))
    classes = by_name(prepared)["y"]["string_statistics"]["distribution"]["categorical"]["buckets"]
    assert sum(bucket["count"] for bucket in classes) == prepared.part("train").num_rows
    assert sum(prepared.part(part).num_rows for part in PARTS) == 300


def test_a_whole_number_may_be_in_many_rows(prepare: Callable[..., Prepared]) -> None:
    count = 30_000
    rows = pa.table(
        {"a": [n % 2 for n in range(count)], "b": range(count), "y": ["no", "yes", "yes"] * 10_000}
    )
    assert sum(prepare(rows, drop=["b"]).schema["rows"].values()) == count
