"""What preprocessing noticed: in the log, and in findings.json."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from program_runs import Prepared, as_csv

from registry.data_findings import findings_in

KEYS = {"kind", "text", "column", "count", "remedy", "level"}


def test_rows_without_a_target_are_a_finding(prepare: Callable[..., Prepared]) -> None:
    rows = [[n * 7919 % 1009, "" if n < 12 else n % 2] for n in range(300)]
    prepared = prepare(as_csv(["n", "y"], rows))
    assert prepared.code == 0, prepared.err
    finding = prepared.finding("rows_without_target")
    text = "12 rows have no value in the target 'y' and were left out"
    assert finding == {
        "kind": "rows_without_target",
        "text": text,
        "column": "y",
        "count": 12,
        "level": "warning",
    }
    assert f"warning: {text}\n" in prepared.out


def test_a_wide_table_lists_some_findings_of_a_kind_and_counts_the_others(
    prepare: Callable[..., Prepared],
) -> None:
    names = [f"c{place}" for place in range(70)]
    rows = [
        [
            *(str((n * 31 + place) % 90) if (n + place) % 40 else "?" for place in range(70)),
            "" if n == 3 else n % 2,
        ]
        for n in range(400)
    ]
    prepared = prepare(as_csv([*names, "y"], rows))
    assert prepared.code == 0, prepared.err
    document = json.loads((prepared.output / "quality" / "findings.json").read_text())
    kinds = [found["kind"] for found in document["findings"]]
    assert kinds.count("mark_understood") == 8
    assert kinds.count("rows_without_target") == 1
    assert document["more"] == {"mark_understood": 62}
    assert all(found.keys() <= KEYS for found in document["findings"])
    assert prepared.out.count("it counts as missing") == 8
    assert "note: not listed: 62 more of mark_understood" in prepared.out
    read = findings_in(document)
    assert read.headline == "9 warnings, 1 note, and 62 more"
    assert read.rows()[-1] == ("note", "not listed: 62 of mark_understood")


def test_warnings_come_before_notes(prepare: Callable[..., Prepared]) -> None:
    rows = [[n * 7919 % 1009, "" if n < 12 else n % 2] for n in range(300)]
    prepared = prepare({"a.csv": as_csv(["n", "y"], rows), "b.csv": ""})
    assert [found["level"] for found in prepared.findings] == ["warning", "note"]
    assert prepared.finding("empty_file")["text"] == "b.csv is empty and is passed over"


def test_rows_that_repeat_are_counted(prepare: Callable[..., Prepared]) -> None:
    rows = [[n * 7919 % 1009, n % 2] for n in range(300)]
    prepared = prepare(as_csv(["n", "y"], [*rows, *rows[:100], *rows[:100]]))
    train = prepared.part("train").to_pylist()
    repeated = len(train) - len({tuple(row.items()) for row in train})
    finding = prepared.finding("repeated_rows")
    assert (finding["count"], finding["level"]) == (repeated, "note")
    assert 100 < repeated < 200
    assert f"{repeated} of {len(train)} rows of the training part repeat another one" in finding["text"]
    assert [one["kind"] for one in prepare(as_csv(["n", "y"], rows)).findings] == []


def test_only_the_first_instance_writes_the_findings(prepare: Callable[..., Prepared]) -> None:
    data = as_csv(["n", "y"], [[n * 7919 % 1009, "" if n < 12 else n % 2] for n in range(300)])
    hosts = ("algo-1", "algo-2")
    first = prepare(data, folder="first", hosts=hosts, current="algo-1")
    assert first.finding("rows_without_target")["count"] == 12
    second = prepare(data, folder="second", hosts=hosts, current="algo-2")
    assert second.code == 0
    assert not (second.output / "quality").exists()


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"findings": "x", "more": 3},
        {"findings": [3, {"text": 4}], "more": {"a": "b", "c": True}},
    ],
)
def test_a_broken_file_of_findings_says_nothing(document: object) -> None:
    found = findings_in(document)
    assert (found.rows(), found.headline, found.document()) == ([], "", [])


def test_a_line_that_is_recommended_keeps_what_is_set(prepare: Callable[..., Prepared]) -> None:
    rows = [[f"u{n % 400}", n % 31 if n % 20 else -999, n % 7, "ab"[n % 2]] for n in range(700)]
    data = as_csv(["id", "a", "b", "y"], rows)
    found = prepare(data, drop=["b"], also_missing=["-"])
    lines = [finding["remedy"] for finding in found.findings if finding.get("remedy")]
    assert any('drop = ["b", "id"]' in line for line in lines), lines
    assert any('also_missing = ["-", "-999"]' in line for line in lines), lines
    classes = [[n, ("c", "no.", "no", "yes")[n % 4]] for n in range(400)]
    asked = prepare(as_csv(["a", "y"], classes), class_names={"c": "yes"})
    assert 'set class_names = { c = "yes", "no." = "no" }' in asked.message
