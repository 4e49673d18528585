"""monitor.py: a window of captured requests beside what its version was made of, and labels that come late.

Each test runs it in this process; one runs it as its container does.
"""

from __future__ import annotations

import base64
import io
import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from answer_quality import places_of
from baseline import expected_range
from program_runs import ROOT, Finished, as_csv, run_all_once

END = datetime(2026, 11, 27, 3, tzinfo=UTC)
COLUMNS = ["amount", "country", "member", "day", "y"]


def row(draw: random.Random, scale: float = 1.0, new: float = 0.0, missing: float = 0.01) -> list[Any]:
    """A payment, and whether it is fraud; the last is what the model is to say."""
    amount = draw.gauss(50 * scale, 10)
    country = draw.choice(["ch", "de", "fr", "it", "at", "at"])
    label = "yes" if amount + 10 * (country == "ch") + draw.gauss(0, 5) > 55 else "no"
    country = draw.choice(["xk", "qz"]) if draw.random() < new else country
    shown = "" if draw.random() < missing else f"{amount:.3f}1"
    member, day = draw.choice(["true", "false"]), f"2024-01-{draw.randint(1, 28):02d}"
    return [shown, country, member, day, label]


@pytest.fixture(scope="session")
def payments(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    draw = random.Random(1)
    text = as_csv(COLUMNS, [row(draw) for _ in range(6000)])
    settings = {"task": "binary", "target": "y", "positive_class": "yes"}
    return run_all_once(tmp_path_factory, "payments", text, settings, {"num_round": "30"})


def capture(body: str | bytes, number: int, *, time: datetime | None = None, **more: Any) -> dict[str, Any]:
    """A line as SageMaker writes it; its inference id is ``r`` and the number."""
    kind, encoding = ("text/csv", "CSV") if isinstance(body, str) else ("application/x-parquet", "BASE64")
    data = body if isinstance(body, str) else base64.b64encode(body).decode()
    moment = time or END - timedelta(seconds=1 + number % 80_000)
    asked = {"observedContentType": kind, "mode": "INPUT", "data": data, "encoding": encoding}
    return {
        "captureData": {"endpointInput": {**asked, **more}},
        "eventMetadata": {
            "eventId": f"e{number}",
            "inferenceId": f"r{number}",
            "inferenceTime": moment.isoformat().replace("+00:00", "Z"),
        },
        "eventVersion": "0",
    }


def label(number: int, text: str) -> str:
    return json.dumps(
        {
            "groundTruthData": {"data": text, "encoding": "CSV"},
            "eventMetadata": {"eventId": f"r{number}"},
            "eventVersion": "0",
        }
    )


@dataclass
class Compared:
    """What one run left."""

    code: int
    message: str
    err: str
    folder: Path

    def read(self, name: str) -> Any:
        return json.loads((self.folder / "processing/output/report" / name).read_text())

    @property
    def verdict(self) -> dict[str, Any]:
        return self.read("verdict.json")

    @property
    def questions(self) -> set[tuple[str, str]]:
        return {(one["column"], one["question"]) for one in self.verdict["differences"]}


Compare = Callable[..., Compared]


@pytest.fixture
def compare(tmp_path: Path, payments: Finished, capsys: pytest.CaptureFixture[str]) -> Compare:
    """Lays a window out as the job is given it and runs the program's `main`."""
    import monitor

    def run(
        lines: Sequence[Any],
        *,
        labels: Sequence[str] = (),
        before: Sequence[Compared] = (),
        end: datetime = END,
        of: Finished = payments,
        metric: str = "accuracy",
        **window: Any,
    ) -> Compared:
        folder = tmp_path / f"window-{len(list(tmp_path.glob('window-*')))}"
        inputs = folder / "processing/input"
        captures = inputs / "captures/rc-fraud-prod/AllTraffic/2026/11/26/03"
        captures.mkdir(parents=True)
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        (captures / "00-00-000-a.jsonl").write_text("".join(f"{text}\n" for text in texts))
        shutil.copytree(of.folder / "processing/input/model", inputs / "model")
        for name in ("quality", "evaluation"):
            shutil.copytree(of.folder / f"processing/output/{name}", inputs / name)
        own = inputs / "window/windows/20261127T030000Z"
        own.mkdir(parents=True)
        document = {
            "project": "rc-fraud",
            "environment": "prod",
            "version": 3,
            "start": (end - timedelta(days=1)).isoformat(),
            "end": end.isoformat(),
            "metric": metric,
            **window,
        }
        (own / "window.json").write_text(json.dumps(document))
        for name in ("past", "answers"):
            (inputs / "window" / name).mkdir()
            for earlier in before:
                for path in (earlier.folder / f"processing/output/{name}").iterdir():
                    shutil.copy(path, inputs / "window" / name)
        (inputs / "window/labels").mkdir()
        (inputs / "window/labels/a.jsonl").write_text("".join(f"{line}\n" for line in labels))
        capsys.readouterr()
        code = monitor.main(["--opt-ml", str(folder)])
        return Compared(code, (folder / "output/message").read_text(), capsys.readouterr().err, folder)

    return run


def requests(
    count: int, first: int = 0, end: datetime = END, **drift: float
) -> tuple[list[dict[str, Any]], list[str]]:
    """Captures of one row each, and their labels."""
    draw = random.Random(first + 7)
    rows = [row(draw, **drift) for _ in range(count)]
    captures = [
        capture(as_csv(None, [one[:4]]), first + place, time=end - timedelta(seconds=1 + place))
        for place, one in enumerate(rows)
    ]
    return captures, [label(first + place, one[4]) for place, one in enumerate(rows)]


def test_requests_like_those_of_training_are_as_before(compare: Compare) -> None:
    captures, _ = requests(600)
    done = compare(captures, invocations=610, refused=10)
    assert (done.code, done.err) == (0, "")
    verdict = done.verdict
    assert (verdict["status"], verdict["rows"], verdict["differences"]) == ("as before", 600, [])
    assert verdict["quality"]["status"] == "no labels"
    assert done.message == "version 3 in prod, 600 rows: the traffic is as it was in training"
    assert done.read("constraint_violations.json")["violations"] == []
    page = (done.folder / "processing/output/report/report.html").read_text()
    assert "The traffic is as it was in training" in page
    assert "Whether the answers were right is not known" in page
    assert "1.6 % of 610" in page, "refused requests"


def test_it_runs_as_a_job_from_the_files_of_its_bundle(compare: Compare, tmp_path: Path) -> None:
    captures, _ = requests(250)
    inside = compare(captures)
    program = tmp_path / "code"
    for folder in ("evaluation", "monitoring"):
        shutil.copytree(ROOT / folder, program, dirs_exist_ok=True)
    shutil.move(inside.folder / "processing/output", tmp_path / "before")
    done = subprocess.run(
        [sys.executable, str(program / "monitor.py"), "--opt-ml", str(inside.folder)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{inside.message}\n", "")
    for path in (tmp_path / "before").rglob("*.*"):
        again = inside.folder / "processing/output" / path.relative_to(tmp_path / "before")
        assert again.read_bytes() == path.read_bytes(), "the same window, the same bytes"


def test_each_kind_of_change_is_found_and_said_in_words(compare: Compare) -> None:
    captures, _ = requests(600, scale=1.3, new=0.05, missing=0.08)
    done = compare(captures)
    assert done.verdict["status"] == "changed"
    wanted = {
        ("amount", "spread"),
        ("amount", "missing"),
        ("country", "new"),
        ("(the model's answer)", "spread"),
    }
    assert wanted <= done.questions
    sentences = " ".join(one["sentence"] for one in done.verdict["differences"])
    assert "country has values that training never saw ('" in sentences
    assert "'ch'" not in sentences
    assert "amount has no value in " in sentences
    assert "there is no history yet" in done.message
    assert "the model got worse" not in done.message, "without labels nobody knows"
    checks = {one["constraint_check_type"] for one in done.read("constraint_violations.json")["violations"]}
    assert checks == {"baseline_drift_check", "completeness_check", "categorical_values_check"}
    page = (done.folder / "processing/output/report/report.html").read_text()
    assert "Values that training never saw" in page
    assert "xk" in page


@pytest.mark.parametrize(
    ("other", "outside"),
    [
        (lambda amount: amount * 1000, True),
        (lambda _: -1.0, True),  # a word for "unknown", where nothing was negative
        (lambda _: 100.0, False),  # more than ever, but not far: how the values are spread would say more
    ],
)
def test_few_rows_far_outside_the_range_are_found(
    compare: Compare, other: Callable[[float], float], outside: bool
) -> None:
    captures, _ = requests(600)
    for one in captures[:15]:
        asked = one["captureData"]["endpointInput"]
        amount, _, rest = asked["data"].partition(",")
        asked["data"] = f"{other(float(amount or 50))},{rest}"
    done = compare(captures)
    assert done.questions == ({("amount", "outside")} if outside else set())
    if outside:
        assert done.verdict["differences"][0]["size"] == 15 / 600


@pytest.mark.parametrize(
    ("ends", "expected"), [((2.0, 10.0), (0.0, 14.0)), ((-2.0, 4.0), (-5.0, 7.0)), ((3.0, 3.0), (3.0, 3.0))]
)
def test_half_of_the_range_more_is_expected_on_each_side_but_nothing_negative_where_nothing_was(
    ends: tuple[float, float], expected: tuple[float, float]
) -> None:
    assert expected_range(*ends) == expected


def test_few_rows_say_nothing(compare: Compare) -> None:
    captures, _ = requests(199, scale=2.0)
    done = compare(captures)
    assert done.verdict["status"] == "not enough rows"
    assert done.verdict["differences"] == []
    assert "not enough rows to compare (200 are needed)" in done.message
    done = compare([])
    assert (done.code, done.verdict["rows"]) == (0, 0)


def test_what_cannot_be_used_is_counted_and_said(compare: Compare) -> None:
    captures, _ = requests(300)
    jumped = [capture("50,ch,true,2024-01-01", 900 + n, time=END + timedelta(days=4000)) for n in range(3)]
    broken = capture("50,ch,true,2024-01-01", 910, encoding="BASE64")
    broken["captureData"]["endpointInput"]["data"] = "%%%"
    lines = [
        *captures,
        captures[0],
        captures[1],
        "{",
        "[1, 2]",
        '"text"',
        {"captureData": {}, "eventMetadata": {"eventId": "x", "inferenceTime": "yesterday"}},
        {**captures[2], "eventMetadata": {"eventId": "e-a", "inferenceTime": "2026-11-26T10:00:00Z"},
         "captureData": {}},
        *jumped,
        capture("1,2,3,4,5,6,7", 920),
        capture("ninety,ch,true,2024-01-01", 921),
        broken,
    ]  # fmt: skip
    verdict = compare(lines).verdict
    assert (verdict["rows"], verdict["requests"], verdict["captured"]) == (300, 300, len(lines))
    assert sorted(verdict["noticed"]) == sorted(
        [
            "captures that are there twice: 2",
            "lines that are no JSON: 1",
            "lines that are no captures, or of another version of their format: 4",
            "captures without a request: 1",
            "requests of another time than this window's: 3",
            "requests that do not fit the version's schema: 2",
        ]
    )


def test_every_form_of_a_request_is_read_and_a_deployments_proof_is_none(compare: Compare) -> None:
    draw = random.Random(3)
    rows = [row(draw)[:4] for _ in range(400)]
    table = pa.table({name: [one[place] for one in rows[200:]] for place, name in enumerate(COLUMNS[:4])})
    sink = io.BytesIO()
    pq.write_table(table, sink)
    objects = [dict(zip(COLUMNS, one, strict=False)) for one in rows[100:200]]
    as_json = capture(
        json.dumps({"instances": objects}), 2, observedContentType="application/json", encoding="JSON"
    )
    proof = capture(as_csv(None, rows[:5]), 4)
    proof["eventMetadata"]["inferenceId"] = "gatehouse-proof"
    lines = [capture(as_csv(COLUMNS[:4], rows[:100]), 1), as_json, capture(sink.getvalue(), 3), proof]
    verdict = compare(lines).verdict
    assert (verdict["rows"], verdict["requests"], verdict["noticed"]) == (400, 3, [])
    assert verdict["status"] == "as before"


def test_labels_are_counted_to_the_window_of_their_request(compare: Compare) -> None:
    captures, labels = requests(400)
    first = compare(captures)
    tomorrow = END + timedelta(days=1)
    later, _ = requests(300, first=1000, end=tomorrow)
    more = [
        label(5000, "yes"),  # of no request
        label(0, "perhaps"),  # no class, and it contradicts
        label(1000, "yes\nno"),  # two of one row
        "{",
    ]
    done = compare(later, labels=[*labels, labels[1], *more], before=[first], end=tomorrow)
    quality = done.verdict["quality"]
    assert [(one["rows"], one["labelled"]) for one in quality["windows"]] == [(400, 399), (300, 0)]
    assert quality["status"] == "as before"
    assert quality["window"] == quality["windows"][0]["end"]
    accuracy = quality["windows"][0]["metrics"]["accuracy"]
    assert accuracy["low"] < accuracy["value"] < accuracy["high"]
    assert (
        sorted(done.verdict["noticed"])
        == sorted(
            [
                "labels of no request that was captured: 1",
                "requests with two different labels: 1",
                "requests with more or fewer labels than rows: 1",
                "lines that are no labels: 1",
                "requests of another time than this window's: 300",
            ]
        )
        or done.verdict["rows"] == 300
    )


@pytest.mark.parametrize(
    ("classes", "labels"),
    [
        (["false", "true"], {"true": 1, "True": 1, "FALSE": 0, "1": -1, "yes": -1}),
        (["0", "1", "10"], {"1": 1, "1.0": 1, "10": 2, "0.0": 0, "1.5": -1, "True": -1, "nan": -1}),
        (["no", "yes", "nan", "True"], {"yes": 1, "Yes": -1, "nan": 2, "1": -1, "True": 3, "true": -1}),
    ],
)
def test_a_label_is_the_class_that_preprocessing_would_make_of_it(
    classes: list[str], labels: dict[str, int]
) -> None:
    assert places_of(labels, classes) == labels


def test_labels_of_an_earlier_version_say_nothing_of_the_one_that_serves(compare: Compare) -> None:
    captures, labels = requests(300, end=END - timedelta(days=1))
    turned = [line.replace('"yes', '"?').replace('"no', '"yes').replace('"?', '"no') for line in labels]
    before = compare(captures, end=END - timedelta(days=1), version=2)
    captures, _ = requests(300, first=1000)
    late = compare(captures, before=[before], labels=turned)
    assert late.verdict["quality"]["status"] == "not enough labels"
    assert [one["labelled"] for one in late.verdict["quality"]["windows"]] == [300, 0]
    same = compare(captures, before=[before], labels=turned, version=2)
    assert same.verdict["quality"]["status"] == "worse"


def test_a_model_that_got_worse_is_said_so_only_by_labels(compare: Compare) -> None:
    captures, labels = requests(400)
    turned = [line.replace('"yes', '"NO').replace('"no', '"yes').replace('"NO', '"no') for line in labels]
    done = compare(captures, labels=turned)
    assert done.verdict["status"] == "as before"
    assert done.verdict["quality"]["status"] == "worse"
    assert "the model got worse: accuracy 0." in done.message
    few = compare(captures, labels=turned[:99])
    assert few.verdict["quality"]["status"] == "not enough labels"


def test_ids_that_several_requests_have_join_no_label(compare: Compare) -> None:
    captures, labels = requests(300)
    first = compare(captures)
    again, _ = requests(300)
    for place, one in enumerate(again):
        one["eventMetadata"]["eventId"] = f"other{place}"
    done = compare(again, labels=labels, before=[first], end=END + timedelta(hours=1))
    assert done.verdict["quality"]["status"] == "not enough labels"
    assert "inference ids that several requests have: 300" in done.verdict["noticed"]
    # The same requests in two windows that overlap are no others.
    done = compare(captures, labels=labels, before=[first], end=END + timedelta(hours=1))
    assert done.verdict["quality"]["status"] == "as before"


def test_with_a_history_a_difference_must_be_more_than_past_windows_showed(compare: Compare) -> None:
    captures, _ = requests(250)
    plain = compare(captures)
    left = json.loads(next((plain.folder / "processing/output/past").iterdir()).read_text())
    shifted, _ = requests(250, scale=1.25)
    drifted = compare(shifted)
    usual = json.loads(next((drifted.folder / "processing/output/past").iterdir()).read_text())

    def windows(document: dict[str, Any]) -> Compared:
        folder = plain.folder.parent / f"past-{document['rows']}-{document['differed']}-{id(document)}"
        for name in ("past", "answers"):
            (folder / "processing/output" / name).mkdir(parents=True)
        for day in range(1, 31):
            end = END - timedelta(days=day)
            moved = {**document, "end": end.isoformat(), "start": (end - timedelta(days=1)).isoformat()}
            (folder / f"processing/output/past/{day:02d}.json").write_text(json.dumps(moved))
        (folder / "processing/output/past/broken.json").write_text("{")
        return Compared(0, "", "", folder)

    found = compare(shifted, before=[windows(left)])
    assert found.verdict["history"] == {"windows": 30, "needed": 28}
    assert ("amount", "spread") in found.questions
    assert "no history" not in found.message
    # Requests that always looked like this are no news.
    same = compare(shifted, before=[windows({**usual, "differed": False})])
    assert same.verdict["status"] == "as before"
    # What differed is no history, and neither are windows of another version's bins.
    assert compare(shifted, before=[windows(usual)]).verdict["history"]["windows"] == 0
    other = windows({**left, "bins": "other"})
    assert compare(shifted, before=[other]).verdict["history"]["windows"] == 0


def test_refused_requests_are_compared_with_those_of_past_windows(compare: Compare) -> None:
    captures, _ = requests(250)
    first = compare(captures, invocations=250, refused=1)
    done = compare(captures, before=[first], end=END + timedelta(hours=1), invocations=400, refused=150)
    [found] = done.verdict["differences"]
    assert found["column"] == "(refused requests)"
    assert found["sentence"] == "38 % of the requests were refused; 0.4 % were before"


@pytest.mark.parametrize("task", ["wines", "progression"])
def test_several_classes_and_regressions(compare: Compare, request: pytest.FixtureRequest, task: str) -> None:
    of: Finished = request.getfixturevalue(task)
    test = pq.read_table(next((of.folder / "processing/output/train").glob("*.parquet"))).slice(0, 250)
    schema = json.loads((of.folder / "processing/output/schema/schema.json").read_text())
    features = test.drop_columns([schema["target"]])
    rows = [features.slice(place % len(test), 1) for place in range(250)]
    lines, labels = [], []
    for place, one in enumerate(rows):
        body = as_csv(one.column_names, [list(one.to_pylist()[0].values())])
        lines.append(capture(body, place))
        labels.append(label(place, str(test[schema["target"]][place % len(test)].as_py())))
    metric = "rmse" if task == "progression" else "accuracy"
    done = compare(lines, labels=labels, of=of, metric=metric)
    assert done.code == 0, done.err
    assert done.verdict["rows"] == 250
    assert metric in done.verdict["quality"]["windows"][0]["metrics"]
    [left] = (done.folder / "processing/output/past").iterdir()
    names = set(json.loads(left.read_text())["columns"])
    assert "(the model's answer)" in names
    assert ("(the model's probability)" in names) == (task == "wines")


def test_statistics_have_the_form_of_the_baseline(compare: Compare, payments: Finished) -> None:
    captures, _ = requests(300, new=0.1)
    found = compare(captures).read("statistics.json")
    baseline = json.loads((payments.folder / "processing/output/quality/statistics.json").read_text())
    assert found["dataset"]["item_count"] == 300
    of_baseline = {one["name"]: one for one in baseline["features"]}
    for one in found["features"]:
        kind = "string_statistics" if one["name"] == "country" else "numerical_statistics"
        assert one[kind].keys() >= of_baseline[one["name"]][kind].keys() - {"distribution"}
        assert one[kind]["common"]["num_present"] + one[kind]["common"]["num_missing"] == 300
    [country] = [one for one in found["features"] if one["name"] == "country"]
    values = {
        bucket["value"] for bucket in country["string_statistics"]["distribution"]["categorical"]["buckets"]
    }
    assert {"ch", "xk", "qz"} <= values
    [day] = [one for one in found["features"] if one["name"] == "day"]
    assert day["numerical_statistics"]["min"] == datetime(2024, 1, 1, tzinfo=UTC).timestamp()


def test_a_value_that_is_written_with_other_digits_stays_in_its_bin() -> None:
    """Of a model with few trees many answers are the same number, which lies at the edge of a bin."""
    import numpy as np
    from baseline import read_baseline

    answers = np.repeat(np.linspace(0.05, 0.95, 12), 20) + 1e-9
    rounded = [float(f"{value:.7g}") for value in answers]
    document = {"rows": len(answers), "classes": {"no": 120, "yes": 120}, "values": rounded}
    baseline = read_baseline([], {"features": []}, {"features": []}, document)
    column = baseline.columns["(the model's probability)"]
    assert column.count(answers.astype(np.float32)).counts.tolist() == column.reference.counts.tolist()


def test_a_column_of_which_nine_tenths_are_one_value_has_a_bin_of_it() -> None:
    import numpy as np
    from baseline import read_baseline

    values = np.repeat([0.0, *np.arange(1, 31) / 10], [970, *[1] * 30])
    document = {"rows": len(values), "classes": {"no": 500, "yes": 500}, "values": values.tolist()}
    column = read_baseline([], {"features": []}, {"features": []}, document).columns[
        "(the model's probability)"
    ]
    assert column.labels == ("below 0.1", "0.1 and more")
    assert column.reference.counts.tolist() == [970, 30]


def test_a_model_that_is_as_good_as_ever_is_called_worse_in_one_percent_also_of_small_test_parts() -> None:
    import numpy as np
    from answer_quality import is_worse
    from intervals import proportion

    draw = np.random.default_rng(1)

    def measured(right: int, rows: int) -> dict[str, float]:
        found = proportion(right, rows)
        assert found is not None
        return {"value": right / rows, "low": found.low, "high": found.high}

    for accuracy, tested, labelled in ((0.9, 40, 5000), (0.95, 90, 5000), (0.95, 300, 500)):
        worse = sum(
            is_worse("accuracy", measured(now, labelled), measured(test, tested)) or 0
            for now, test in zip(
                draw.binomial(labelled, accuracy, 4000).tolist(),
                draw.binomial(tested, accuracy, 4000).tolist(),
                strict=True,
            )
        )
        assert worse < 4000 * 0.015, (accuracy, tested, labelled)
    assert is_worse("rmse", {"value": 75, "low": 70, "high": 81}, {"value": 56, "low": 45, "high": 62})
    assert not is_worse("rmse", {"value": 50, "low": 48, "high": 53}, {"value": 56, "low": 45, "high": 71})


def test_constraints_say_what_the_training_part_holds(payments: Finished) -> None:
    document = json.loads((payments.folder / "processing/output/quality/constraints.json").read_text())
    by_name: Mapping[str, Any] = {one["name"]: one for one in document["features"]}
    assert by_name["amount"]["inferred_type"] == "Fractional"
    assert 0.98 < by_name["amount"]["completeness"] < 1
    assert by_name["amount"]["num_constraints"] == {"is_non_negative": True}
    country = by_name["country"]["string_constraints"]
    assert country["domains"] == ["at", "ch", "de", "fr", "it"]
    assert country["unseen"] == 0


def test_a_version_that_lacks_something_is_refused_in_one_line(
    compare: Compare, payments: Finished, tmp_path: Path
) -> None:
    old = tmp_path / "old"
    shutil.copytree(payments.folder, old)
    (old / "processing/output/evaluation/predictions.json").unlink()
    done = compare([], of=Finished(old, payments.outputs))
    assert done.code == 1
    assert done.message.startswith("there is no predictions.json: give what the version was registered with")
    assert done.err == f"error: {done.message}\n"
