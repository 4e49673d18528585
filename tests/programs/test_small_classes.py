"""Classes with few rows: each part has some of them, and the split stays one by content."""

from __future__ import annotations

import random
import re
import tomllib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from program_runs import PARTS, Prepared, as_csv

HEADER = ["x", "z", "y"]


def rows_of(rare: int, others: int = 1000) -> list[list[Any]]:
    draw = random.Random(rare)
    rows = [[round(draw.random(), 5), draw.randrange(50), "ab"[n % 2]] for n in range(others)]
    return rows + [[round(draw.random(), 5), draw.randrange(50), "rare"] for _ in range(rare)]


def held(prepared: Prepared, name: str = "rare") -> list[int]:
    assert prepared.code == 0, prepared.message
    return [prepared.part(part)["y"].to_pylist().count(name) for part in PARTS]


def lacking(prepare: Callable[..., Prepared], rare: int) -> tuple[str, int]:
    """Data and a seed by which a part would be without the class ``rare``."""
    data = as_csv(HEADER, rows_of(rare))
    for seed in range(200):
        if prepare(data, task="multiclass", stratify=False, seed=seed).code:
            return data, seed
    raise AssertionError("no seed leaves a part without the class")


def test_of_ten_rows_none_fell_into_a_part_and_now_each_has_its_share(
    prepare: Callable[..., Prepared],
) -> None:
    data, seed = lacking(prepare, 10)
    before = prepare(data, task="multiclass", stratify=False, seed=seed)
    assert "class 'rare' of the target 'y' is too rare: of its 10 rows none fell into" in before.message
    assert 'Take stratify = false out, or merge it with another class, as class_names = { rare = "' in (
        before.message
    )
    after = prepare(data, task="multiclass", seed=seed)
    assert held(after) == [7, 2, 1]
    assert after.finding("split_by_rank")["text"] == (
        "class 'rare' has 10 rows only, which are split by rank, so that each part has some"
    )
    merged = prepare(data, task="multiclass", stratify=False, seed=seed, class_names={"rare": "a"})
    assert merged.code == 0


def test_44_rows_have_their_shares_whatever_the_seed(prepare: Callable[..., Prepared]) -> None:
    data = as_csv(HEADER, rows_of(44))
    for seed in range(5):
        assert held(prepare(data, task="multiclass", seed=seed, stratify=True)) == [31, 6, 7]


@pytest.mark.parametrize("rare", [3, 4, 7, 44, 100])
def test_a_class_of_three_rows_or_more_is_in_every_part(rare: int) -> None:
    from small_classes import by_rank

    for shares in ((0.7, 0.15, 0.15), (0.98, 0.01, 0.01), (0.2, 0.4, 0.4), (0.01, 0.01, 0.98)):
        hashes = np.random.default_rng(rare).integers(0, 2**64, rare, np.uint64)
        counts = np.bincount(by_rank(hashes, shares), minlength=3)
        assert counts.min() >= 1
        assert np.abs(counts - rare * np.array(shares)).max() <= 2


def test_rows_of_classes_that_every_part_has_are_where_they_were(prepare: Callable[..., Prepared]) -> None:
    data, seed = lacking(prepare, 10)
    without = as_csv(HEADER, rows_of(10)[:1000])
    before = prepare(without, seed=seed, stratify=False, folder="before")
    after = prepare(data, task="multiclass", seed=seed, folder="after")
    for part in PARTS:
        assert set(before.rows(part)) <= set(after.rows(part))
    usual = as_csv(HEADER, rows_of(60))
    plain = prepare(usual, task="multiclass", stratify=False, folder="plain")
    assert plain.code == 0
    same = prepare(usual, task="multiclass", folder="same")
    assert [plain.rows(part) for part in PARTS] == [same.rows(part) for part in PARTS]


def test_the_order_of_the_rows_and_the_number_of_instances_do_not_matter(
    prepare: Callable[..., Prepared], monkeypatch: pytest.MonkeyPatch
) -> None:
    import reading

    monkeypatch.setattr(reading, "_BLOCK_BYTES", 3000)  # many batches, over which the class is scattered
    rows = rows_of(40)
    found = []
    for order in (1, 2):
        random.Random(order).shuffle(rows)
        data = as_csv(HEADER, rows)
        one = prepare(data, task="multiclass", stratify=True, folder=f"one {order}")
        assert held(one) == [28, 6, 6]
        found.append([one.rows(part) for part in PARTS])
        hosts = ("algo-1", "algo-2", "algo-3")
        several = [
            prepare(
                data, task="multiclass", stratify=True, folder=f"{host} {order}", hosts=hosts, current=host
            )
            for host in hosts
        ]
        assert all(prepared.code == 0 for prepared in several)
        found.append(
            [sorted((row for host in several for row in host.rows(part)), key=repr) for part in PARTS]
        )
        assert several[0].schema["rows"] == {part: one.part(part).num_rows for part in PARTS}
    assert found[0] == found[1] == found[2] == found[3]


def test_an_added_row_moves_at_most_one_across_each_cut() -> None:
    from small_classes import by_rank

    generator = np.random.default_rng(5)
    for count in range(4, 90):
        hashes = generator.integers(0, 2**64, count, np.uint64)
        before, after = (by_rank(hashes[:last], (0.7, 0.15, 0.15)) for last in (count - 1, count))
        assert np.count_nonzero(before != after[:-1]) <= 2


def test_identical_rows_of_a_small_class_stay_together(prepare: Callable[..., Prepared]) -> None:
    rare = [[n, n, "rare"] for n in range(8) for _ in range(9)]
    prepared = prepare(as_csv(HEADER, rows_of(0) + rare), task="multiclass", stratify=True)
    parts = [{row[0] for row in prepared.rows(part) if row[2] == "rare"} for part in PARTS]
    assert [len(values) for values in parts] == [6, 1, 1]
    assert held(prepared) == [54, 9, 9]


def test_two_different_rows_are_too_few_and_the_remedy_works(prepare: Callable[..., Prepared]) -> None:
    rows = rows_of(2)
    refused = prepare(as_csv(HEADER, rows), task="multiclass")
    assert refused.code == 1
    assert "class 'rare' of the target 'y' is too rare: of its 2 rows none fell into test" in refused.message
    assert refused.message.endswith(
        "Give three different rows of it at least, or merge it with another class, "
        'as class_names = { rare = "b" } does'
    )
    assert prepare(as_csv(HEADER, [*rows, [0.5, 3, "rare"]]), task="multiclass").code == 0
    assert prepare(as_csv(HEADER, rows), task="multiclass", class_names={"rare": "b"}).code == 0


def test_a_key_decides_on_its_rows_alone(prepare: Callable[..., Prepared]) -> None:
    rows = [[n, n % 40, label] for n, (_, _, label) in enumerate(rows_of(40))]
    plain = prepare(as_csv(HEADER, rows), task="multiclass", key="z", stratify=False, folder="plain")
    stratified = prepare(as_csv(HEADER, rows), task="multiclass", key="z", stratify=True, folder="other")
    assert (plain.code, stratified.code) == (0, 0), plain.message
    assert [plain.rows(part) for part in PARTS] == [stratified.rows(part) for part in PARTS]
    keys = [{row[0] % 40 for row in stratified.rows(part)} for part in PARTS]
    assert sum(map(len, keys)) == 40
    assert "because rows of one key share a part" in stratified.finding("split_shares")["text"]


def test_shares_that_are_far_from_those_asked_for_are_said(prepare: Callable[..., Prepared]) -> None:
    rows = rows_of(0, 2000) + [[1, 2, "a"]] * 2000
    finding = prepare(as_csv(HEADER, rows)).finding("split_shares")
    assert finding["text"].startswith("the split is ")
    assert finding["text"].endswith(
        "far from the shares 70.0%, 15.0%, 15.0%, because identical rows share a part"
    )
    assert finding["remedy"] == "Set seed = 1 in the data table for another split"
    assert "split_shares" not in [one["kind"] for one in prepare(as_csv(HEADER, rows[:2000])).findings]
    rare = [[n, n, "rare"] for n in range(20) for _ in range(40)]
    of_class = prepare(as_csv(HEADER, rows_of(0, 20_000) + rare), task="multiclass", seed=1)
    texts = [one["text"] for one in of_class.findings if one["kind"] == "split_shares"]
    total = held(of_class)
    assert sum(total) == 800
    expected = [
        part
        for part, count, share in zip(PARTS, total, (0.7, 0.15, 0.15), strict=True)
        if abs(count - 800 * share) > 5 * (800 * share * (1 - share)) ** 0.5
    ]
    assert expected
    assert [text.split(" rows in ")[1].split(",")[0] for text in texts] == expected


def test_a_wrong_positive_class_is_named_by_the_user_s_own_key(prepare: Callable[..., Prepared]) -> None:
    refused = prepare(as_csv(HEADER, rows_of(0)), positive_class="c")
    assert refused.message == (
        "positive_class is 'c', but the target 'y' has 'a', 'b'. Set positive_class to one of them"
    )


def test_a_class_that_is_only_a_number_of_many_with_decimals_is_a_regression(
    prepare: Callable[..., Prepared],
) -> None:
    """6 000 rows with 300 values of one decimal: each has 20 rows, so most of them are in every part."""
    draw = random.Random(2)
    rows = [[draw.random(), round(draw.gauss(-2.83, 5), 1)] for _ in range(6000)]
    for task in ("multiclass", "binary"):
        refused = prepare(as_csv(["x", "y"], rows), task=task)
        assert refused.code == 1
        assert "this is a regression" in refused.message
        assert 'Set task = "regression"' in refused.message
    assert prepare(as_csv(["x", "y"], rows), task="regression").code == 0


def mended(prepare: Callable[..., Prepared], data: str, **settings: Any) -> Prepared:
    """After a refusal, with the line that its remedy sets."""
    refused = prepare(data, **settings)
    assert refused.code == 1
    line = re.search(r"((seed|class_names) = ({.*}|[0-9]+))", refused.message)
    assert line, refused.message
    return prepare(data, **{**settings, **tomllib.loads(line[1])})


def test_a_seed_that_brings_a_class_into_every_part_is_named(prepare: Callable[..., Prepared]) -> None:
    rows = [[n * 7919 % 1009, n // 5, "ab"[n % 2]] for n in range(1500)]
    rows += [[n, key, "rare"] for n, key in enumerate((7, 8, 11, 7))]
    keyed = mended(prepare, as_csv(["n", "k", "y"], rows), task="multiclass", key="k")
    assert keyed.code == 0, keyed.message
    rows = [[n % 4, "no" if n % 3 else "yes"] for n in range(1200)]
    repeated = mended(prepare, as_csv(["n", "y"], rows))
    assert repeated.code == 0, repeated.message


def test_all_classes_that_are_too_rare_are_merged_by_one_line(prepare: Callable[..., Prepared]) -> None:
    rows = [[n * 7919 % 1009, "ab"[n % 2]] for n in range(400)]
    rows += [[n, f"rare {n % 3}"] for n in range(6)]
    merged = mended(prepare, as_csv(["n", "y"], rows), task="multiclass", class_names={"a": "rare 1"})
    assert merged.code == 0, merged.message


def test_a_target_that_names_rows_is_told_so(prepare: Callable[..., Prepared]) -> None:
    refused = prepare(as_csv(["n", "y"], [[n, f"u{n}"] for n in range(300)]), task="multiclass")
    assert "holds 300 different texts in 300 rows" in refused.message
