"""report.html: its numbers against independent ones, its text as text, its size and its bytes."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import xgboost as xgb
from program_runs import Finished, run_program
from sklearn.calibration import calibration_curve

HOSTILE = "</style><script>alert(1)</script>\x1b\u202e"
NO_END = {"meta", "path", "rect", "circle", "br"}


@dataclass
class Section:
    """A part of the page: its title, its words, and its tables as rows of cells."""

    title: str = ""
    text: str = ""
    tables: list[list[list[str]]] = field(default_factory=list)


class Page(HTMLParser):
    """A report as it is read: tags, attributes, sections; every element is closed in its order."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.sections: list[Section] = [Section()]
        self._open: list[str] = []
        self.feed(markup)
        assert self._open == []

    def __getitem__(self, title: str) -> Section:
        return next(section for section in self.sections if section.title == title)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in NO_END:
            self._open.append(tag)
        if tag == "section":
            self.sections.append(Section())
        tables = self.sections[-1].tables
        if tag == "table":
            tables.append([])
        if tag == "tr":
            tables[-1].append([])
        if tag in ("td", "th"):
            tables[-1][-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        section = self.sections[-1]
        if "style" in self._open:
            return
        section.text += data
        if "h2" in self._open:
            section.title += data
        if "td" in self._open or "th" in self._open:
            section.tables[-1][-1][-1] += data


def page_of(finished: Finished) -> Page:
    return Page((finished.evaluation / "report.html").read_text(encoding="utf-8"))


def scores_of(finished: Finished, positive: str) -> tuple[np.ndarray, np.ndarray]:
    """Actual classes (0 or 1) and probabilities of the test part, by the serving code of this checkout."""
    import inference

    model = inference.model_fn(str(finished.folder / "model"))
    path = next((finished.folder / "processing" / "output" / "test").glob("*.parquet"))
    actual = np.array(pq.read_table(path)[_schema(finished)["target"]].to_pylist()) == positive
    payload = inference.input_fn(path.read_bytes(), "application/x-parquet")
    return actual, inference.predict_fn(payload, model).probabilities[:, 1]


def _schema(finished: Finished) -> dict[str, Any]:
    return json.loads((finished.folder / "model" / "schema.json").read_text(encoding="utf-8"))


def test_the_report_is_one_file_that_needs_nothing(
    tumors: Finished, wines: Finished, progression: Finished
) -> None:
    for finished in (tumors, wines, progression):
        page = page_of(finished)
        assert not page.tags & {"script", "link", "img", "iframe", "a", "object"}
        assert not [name for name, _ in page.attributes if name in ("src", "href") or name.startswith("on")]
        markup = (finished.evaluation / "report.html").read_text(encoding="utf-8")
        assert "url(" not in markup
        assert "http" not in markup
        assert len(markup) < 100_000
        assert not [path for path in re.findall(r' d="([^"]*)"', markup) if "nan" in path or "inf" in path]
        names = sorted(path.name for path in finished.evaluation.iterdir())
        assert names == ["predictions.json", "report.html", "report.json", "statistics.json", "verdict.json"]


def test_the_verdict_is_said_and_drawn_check_by_check(tumors: Finished) -> None:
    page = page_of(tumors)
    verdict = json.loads((tumors.evaluation / "verdict.json").read_text())
    found = page["The gate lets this model pass"]
    for check in verdict["checks"]:
        assert check["sentence"] in found.text
    threshold = verdict["checks"][0]
    assert f"95 % interval {threshold['low']:.4f} to {threshold['high']:.4f}" in found.text
    assert "threshold 0.5000" in found.text
    assert f"best constant answer {verdict['constant']:.4f}" in found.text


def test_each_metric_stands_beside_that_of_the_best_constant_answer(tumors: Finished) -> None:
    known = json.loads((tumors.evaluation / "verdict.json").read_text())["metrics"]
    heading, *rows = page_of(tumors)["Metrics"].tables[0]
    shown = dict(zip(heading, zip(*rows, strict=True), strict=True))
    of_constant = dict(zip(shown["Metric"], map(float, shown["Best constant"]), strict=True))
    assert of_constant["Accuracy"] == pytest.approx(known["accuracy"]["constant"], abs=5e-5)
    assert (of_constant["AUC"], of_constant["Recall"], of_constant["False negative rate"]) == (0.5, 1, 0)
    for value, interval in zip(shown["Value"], shown["95 % interval"], strict=True):
        low, high = map(float, interval.split(" to "))
        assert 0 <= low <= float(value) <= high <= 1


def test_an_interval_is_drawn_where_its_numbers_are() -> None:
    import svg

    drawn = svg.interval(0.8, 0.7, 0.85, 0.75, "")
    value = float(re.search(r'cx="([\d.]+)"', drawn)[1])
    low, high = map(float, re.search(r'class="span" d="M([\d.]+) 22H([\d.]+)"', drawn).groups())
    limit = float(re.search(r'class="limit" d="M([\d.]+) ', drawn)[1])
    unit = (high - low) / 0.15
    assert (value - low) / unit == pytest.approx(0.1, abs=0.001)
    assert (limit - low) / unit == pytest.approx(0.05, abs=0.001)
    assert 0 < low < high < 400


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-3.2, 1e6), (0.12, 0.1200001), (1e-9, 3e-9), (-7, -6)])
def test_ticks_are_a_few_numbers_inside_the_axis(low: float, high: float) -> None:
    from svg import Axis

    ticks = Axis("", low, high).ticks()
    assert 2 <= len(ticks) <= 7
    slack = 1e-9 * (high - low)
    assert all(low - slack <= tick <= high + slack for tick in ticks)


def test_cuts_are_counted_as_one_would_by_hand(tumors: Finished) -> None:
    actual, scores = scores_of(tumors, "malignant")
    rows = {float(row[0]): row for row in page_of(tumors)["At every threshold"].tables[0][1:]}
    for cut, row in rows.items():
        flagged = scores > cut
        found, false_alarms = int((flagged & actual).sum()), int((flagged & ~actual).sum())
        counts = [int(cell.replace(",", "")) for cell in row[4:]]
        assert counts == [flagged.sum(), found, actual.sum() - found, false_alarms]
        assert row[1] == f"{100 * flagged.mean():.1f} %"
        assert row[2].startswith(f"{found / actual.sum():.3f} (")
    matrix = tumors.statistics["binary_classification_metrics"]["confusion_matrix"]
    assert int(rows[0.5][5]) == matrix["1"]["1"]
    assert int(rows[0.5][7]) == matrix["0"]["1"]
    assert 0.3 in rows


def test_a_score_at_the_cut_is_not_above_it() -> None:
    from operating_points import operating_points

    points = operating_points(np.array([1, 1, 0, 0]), np.array([0.5, 0.7, 0.5, 0.9]))
    at = next(point for point in points if point.cut == 0.5)
    assert (at.found, at.missed, at.false_alarms, at.flagged) == (1, 1, 1, 2)


def test_pages_get_thresholds_that_are_counted_exactly(tumors: Finished) -> None:
    actual, scores = scores_of(tumors, "malignant")
    found = json.loads((tumors.evaluation / "report.json").read_text())["thresholds"]
    cuts = found["cuts"]
    assert cuts == sorted(set(cuts))
    assert {0.0, 0.01, 0.5, 1.0} <= set(cuts)
    assert len(cuts) <= 202
    assert found["found"] == [int((actual & (scores > cut)).sum()) for cut in cuts]
    assert found["false_alarms"] == [int((~actual & (scores > cut)).sum()) for cut in cuts]
    assert (found["positives"], found["negatives"]) == (actual.sum(), (~actual).sum())


def test_thresholds_tell_the_low_scores_of_a_rare_class_apart() -> None:
    from operating_points import every_cut

    cuts = every_cut(np.random.default_rng(0).random(10_000) / 200)
    assert sum(0 < cut < 0.005 for cut in cuts) > 90


def test_pages_get_a_bounded_sample_of_a_regression(progression: Finished) -> None:
    found = json.loads((progression.evaluation / "report.json").read_text())
    rows = progression.statistics["dataset"]["item_count"]
    errors = [actual - predicted for actual, predicted in zip(*found["sample"].values(), strict=True)]
    assert len(errors) == min(rows, 500)
    assert sum(found["residuals"]["counts"]) == rows
    mae = progression.statistics["regression_metrics"]["mae"]["value"]
    assert np.mean(np.abs(errors)) == pytest.approx(mae)


@pytest.mark.parametrize("kind", ["smooth", "ties", "few values"])
def test_calibration_is_that_of_scikit_learn_with_the_size_of_each_group(kind: str) -> None:
    import metrics

    generator = np.random.default_rng(5)
    scores = generator.random(900)
    if kind != "smooth":
        scores = np.round(scores, 1 if kind == "ties" else 0)
    actual = (generator.random(900) < scores).astype(np.int64)
    found = metrics.calibration(actual, scores)
    observed, predicted = calibration_curve(actual, scores, n_bins=10, strategy="quantile")
    assert found.observed == pytest.approx(observed.tolist())
    assert found.predicted == pytest.approx(predicted.tolist())
    assert sum(found.rows) == 900


def test_calibration_is_a_table_too(tumors: Finished) -> None:
    found = page_of(tumors)["Are the probabilities right?"]
    rows = found.tables[0][1:]
    actual, _ = scores_of(tumors, "malignant")
    assert sum(int(row[2]) for row in rows) == len(actual)
    assert "Brier score" in found.text


def test_several_classes_have_a_matrix_and_a_line_each(wines: Finished) -> None:
    page = page_of(wines)
    matrix = wines.statistics["multiclass_classification_metrics"]["confusion_matrix"]
    names = list(matrix)
    body = page["Confusion matrix"].tables[0][1:]
    assert [row[0] for row in body] == names
    assert [[int(cell) for cell in row[1:]] for row in body] == [
        list(row.values()) for row in matrix.values()
    ]
    assert sum("Confusion" in section.title for section in page.sections) == 1
    lines = {row[0]: row for row in page["Each class"].tables[0][1:]}
    assert sorted(lines) == sorted(names)
    for name in names:
        rows = sum(matrix[name].values())
        assert lines[name][1] == str(rows)
        assert lines[name][3].startswith(f"{matrix[name][name] / rows:.3f} (")
    assert "ROC curves, each class against the rest" in page["At every threshold"].text


def test_residuals_are_told_in_numbers(progression: Finished) -> None:
    import inference

    model = inference.model_fn(str(progression.folder / "model"))
    path = next((progression.folder / "processing" / "output" / "test").glob("*.parquet"))
    actual = np.array(pq.read_table(path)["progression"].to_pylist())
    payload = inference.input_fn(path.read_bytes(), "application/x-parquet")
    residuals = actual - inference.predict_fn(payload, model).values
    distances, groups = page_of(progression)["Residuals"].tables
    assert distances[3] == ["90 % of the rows are within", f"± {np.quantile(np.abs(residuals), 0.9):.6g}"]
    assert distances[-1] == ["Mean residual", f"{residuals.mean():+.6g}"]
    assert sum(int(row[1]) for row in groups[1:]) == len(actual)


def test_contributions_sum_to_the_answers(tumors: Finished, progression: Finished) -> None:
    import contributions
    import inference

    for finished in (tumors, progression):
        schema, test = _schema(finished), finished.folder / "processing" / "output" / "test"
        found = contributions.contributions(finished.folder / "model", test, schema)
        booster = inference.model_fn(str(finished.folder / "model")).booster
        table = pq.read_table(next(test.glob("*.parquet")))
        assert found.rows == table.num_rows, "a small test part is taken whole"
        columns = [table[feature["name"]].to_numpy() for feature in schema["features"]]
        data = xgb.DMatrix(np.column_stack(columns).astype(np.float32), feature_names=booster.feature_names)
        margins = booster.predict(data, output_margin=True)
        gaps = margins - found.values.sum(axis=1)
        assert np.ptp(gaps) < 1e-4 * np.ptp(margins), "the same mean answer for every row"
        assert found.means == pytest.approx(np.abs(found.values).mean(axis=0))


def test_contributions_of_several_classes_are_summed_and_categories_count(
    wines: Finished, shops: Finished
) -> None:
    import contributions

    test = wines.folder / "processing" / "output" / "test"
    found = contributions.contributions(wines.folder / "model", test, _schema(wines))
    assert found.values is None
    assert (found.means.shape, found.means.max() > 0) == ((13,), True)
    schema = _schema(shops)
    found = contributions.contributions(
        shops.folder / "model", shops.folder / "processing/output/test", schema
    )
    by_name = {feature["name"]: place for place, feature in enumerate(schema["features"])}
    assert found.means[by_name["shop"]] > 0
    assert set(found.levels[:, by_name["shop"]]) == {contributions.LEVELS}
    assert set(found.levels[:, by_name["visits"]]) == set(range(contributions.LEVELS))


def test_the_rows_of_contributions_are_bounded(tumors: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    import contributions

    schema, test = _schema(tumors), tumors.folder / "processing" / "output" / "test"
    monkeypatch.setattr(contributions, "_MOST_CELLS", 7 * 31 * 2)
    first, again = (contributions.contributions(tumors.folder / "model", test, schema) for _ in range(2))
    assert first.rows == again.rows == 7
    assert np.array_equal(first.values, again.values)


def test_features_are_sorted_by_total_gain_beside_the_mean_gain(tumors: Finished) -> None:
    booster = xgb.Booster(model_file=tumors.folder / "model" / "model.ubj")
    totals, means = (booster.get_score(importance_type=kind) for kind in ("total_gain", "gain"))
    rows = page_of(tumors)["What the trees gained by each feature"].tables[0][1:]
    order = sorted(totals, key=lambda name: -totals[name])
    assert [row[0] for row in rows][: len(order)] == order
    for row in rows[: len(order)]:
        assert float(row[3].replace(",", "")) == pytest.approx(totals[row[0]], abs=0.02)
        assert float(row[4].replace(",", "")) == pytest.approx(means[row[0]], abs=0.01)


def test_the_same_evaluation_gives_the_same_bytes(wines: Finished, tmp_path: Path) -> None:
    shutil.copytree(wines.folder / "processing" / "input", tmp_path / "processing" / "input")
    assert run_program("evaluation/evaluate.py", tmp_path).returncode == 0
    again = tmp_path / "processing" / "output" / "evaluation" / "report.html"
    assert again.read_bytes() == (wines.evaluation / "report.html").read_bytes()


def test_the_report_says_which_project_data_and_job(wines: Finished, tmp_path: Path) -> None:
    import evaluate

    shutil.copytree(wines.folder / "processing" / "input", tmp_path / "processing" / "input")
    (tmp_path / "config").mkdir()
    job = "arn:aws:sagemaker:eu-west-1:000000000000:processing-job/rc-wines-evaluatemodel-1"
    inputs = [{"InputName": "model", "S3Input": {"S3Uri": "s3://b/model.tar.gz"}}, {"InputName": "code"}]
    written = "s3://b/executions/abcdefghijkl/EvaluateModel/evaluation"
    outputs = {"Outputs": [{"OutputName": "evaluation", "S3Output": {"S3Uri": written}}]}
    config = {"ProcessingJobArn": job, "ProcessingInputs": inputs, "ProcessingOutputConfig": outputs}
    (tmp_path / "config" / "processingjobconfig.json").write_text(json.dumps(config))
    words = ["--project", "rc-wines", "--data-source", "s3://b/wines.csv", "--data-version=-2026"]
    assert evaluate.main(["--opt-ml", str(tmp_path), *words]) == 0
    page = Page((tmp_path / "processing/output/evaluation/report.html").read_text(encoding="utf-8"))
    said = page["What was evaluated"].text
    verdict = json.loads((wines.evaluation / "verdict.json").read_text())
    for text in ("rc-wines", "s3://b/wines.csv", "-2026", job, "s3://b/model.tar.gz", written):
        assert text in said
    assert verdict["artifact_sha256"] in said
    assert f"Rows for train{_schema(wines)['rows']['train']}" in said


def test_numbers_of_any_size_are_written_without_an_exponent_where_people_read_them() -> None:
    import svg
    from metric_table import METRICS, readable

    shown = [readable(value) for value in (29593.5, 875_775_432.1, 123_456.4, 0.6931471, -12, 3e15, 2e-7)]
    assert shown == ["29,593.5", "875,775,000", "123,456", "0.693147", "-12", "3e+15", "2e-07"]
    assert readable(2656.41, 4, signed=True) == "+2,656"
    assert METRICS["mse"].between(7.42072e8, 1.05907e9) == "742,072,000 to 1,059,070,000"
    picture = svg.picture(svg.Plot(svg.axis("x", (0, 1.9e6)), svg.axis("y", (-8e4, 9e4))), [], "prices")
    assert {">500k<", ">1.5M<", ">-50k<", ">0<"} <= set(re.findall(r">[^<]*<", picture))


def test_precision_is_drawn_in_steps() -> None:
    """As scikit-learn draws it: up to the next recall it is that of the next point."""
    from class_report import _as_steps

    precisions, recalls = _as_steps([1.0, 0.5, 0.2], [0.0, 0.7, 1.0])
    assert list(zip(recalls, precisions, strict=True)) == [
        *((0.0, 1.0), (0.0, 0.5), (0.7, 0.5)),
        *((0.7, 0.2), (1.0, 0.2)),
    ]


def test_words_from_right_to_left_leave_the_numbers_of_a_sentence_in_their_order() -> None:
    import html_page

    isolated = html_page.prose("recall of 'نعم ثم (3)' 0.8636 is below <0.99>")
    assert isolated == "recall of &#x27;<bdi>نعم ثم</bdi> (3)&#x27; 0.8636 is below &lt;0.99&gt;"


def evaluated(classes: list[str], rows: int, **more: Any) -> Any:
    """An evaluation of answers at random, three of four right."""
    import measured
    import metrics
    from report import Evaluated
    from verdict import Answers, Gate, judge

    generator = np.random.default_rng(4)
    actual = generator.integers(0, len(classes), rows)
    predicted = np.where(generator.random(rows) < 0.75, actual, generator.integers(0, len(classes), rows))
    scores = None
    if len(classes) == 2:
        scores = (predicted + generator.random(rows)) / 2
    document = metrics.statistics(actual, predicted, scores, classes, "2026-01-31T12:00:00Z")
    section = document[f"{'multiclass' if scores is None else 'binary'}_classification_metrics"]
    values = {name: entry["value"] for name, entry in section.items() if "value" in entry}
    answers = Answers(classes, actual, predicted, scores, values, usual=0)
    verdict = {**judge(Gate("accuracy", 0.99), answers), "metrics": measured.measured(answers)}
    schema = {
        "task": "binary" if scores is not None else "multiclass",
        "target": HOSTILE,
        "classes": classes,
        "features": [{"name": HOSTILE, "kind": "number"}],
        "rows": {"train": 1, "validation": 1, "test": rows},
    }
    return Evaluated(document, verdict, schema, answers, **more)


@pytest.mark.parametrize("classes", [["no", HOSTILE], ["a", HOSTILE, "猫咪", "كلب"]])
def test_text_in_the_report_is_text(classes: list[str]) -> None:
    import report
    from contributions import Contributions

    moved = Contributions(3, np.ones(1), np.ones((3, 1)), np.zeros((3, 1), np.int64))
    found = evaluated(
        classes,
        300,
        importance=[{"name": HOSTILE, "gain": 2.0, "weight": 1.0, "cover": 1.0}],
        contributions=moved,
        origin=[(HOSTILE, HOSTILE)],
        findings={"findings": [{"text": HOSTILE, "count": 3, "remedy": HOSTILE, "level": HOSTILE}]},
    )
    markup = report.report(found)
    page = Page(markup)
    assert "script" not in page.tags
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", markup)
    for title in ("What was noticed of the data", "What moved the answers", "Confusion matrix"):
        assert "<script>alert(1)</script>" in page[title].text, title
    assert page["The gate refuses this model"].text.count("refused") >= 1
    if len(classes) > 2:
        assert "猫咪" in page["Each class"].text


def test_the_report_of_a_thousand_classes_is_bounded() -> None:
    import report

    markup = report.report(evaluated([f"class {n} {'x' * 500}" for n in range(1000)], 20_000))
    page = Page(markup)
    assert len(markup) < 200_000
    lines = page["Each class"].tables[0][1:]
    assert len(lines) == 30
    assert "970 classes" in page["Each class"].text
    rows = page["Which classes are taken for others"].tables[0][1:]
    assert len(rows) == 30
    counts = [int(row[2]) for row in rows]
    assert counts == sorted(counts, reverse=True)


def test_findings_are_a_section_where_there_are_some() -> None:
    from report import findings_section

    assert findings_section([]) == ""
    finding = {"kind": "rows_without_target", "text": "243 rows have no target", "count": 1243}
    noted = {"text": "amount is taken for a number", "remedy": "Set kinds", "level": "note"}
    found = Page(findings_section([finding, noted], more=10))["What was noticed of the data"]
    assert found.tables[0][1:] == [
        ["warning", "243 rows have no target", "1,243", ""],
        ["note", "amount is taken for a number", "", "Set kinds"],
    ]
    assert "And 10 more" in found.text
