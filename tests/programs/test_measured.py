"""``metrics`` of ``verdict.json``: each metric with its 95 % interval and the best constant's value."""

from __future__ import annotations

import json

import numpy as np
import pytest
from program_runs import Finished


def answers_of(actual: np.ndarray, predicted: np.ndarray, classes: list[str], scores: np.ndarray | None):
    import metrics
    import verdict

    document = metrics.statistics(actual, predicted, scores, classes, "2026-01-31T12:00:00Z")
    section = document[f"{'multiclass' if scores is None else 'binary'}_classification_metrics"]
    values = {name: entry["value"] for name, entry in section.items() if "value" in entry}
    return verdict.Answers(classes, actual, predicted, scores, values, usual=0)


def test_every_metric_of_two_classes_lies_inside_its_interval() -> None:
    import measured
    from metric_table import METRICS

    generator = np.random.default_rng(1)
    actual = (generator.random(400) < 0.3).astype(np.int64)
    scores = (actual * 0.5 + generator.random(400)) / 1.5
    answers = answers_of(actual, (scores > 0.5).astype(np.int64), ["no", "yes"], scores)
    found = measured.measured(answers)
    assert set(found) == {name for name, kind in METRICS.items() if "binary" in kind.tasks}
    for name, entry in found.items():
        assert 0 <= entry["low"] < entry["value"] < entry["high"] <= 1, name
    assert {name for name, entry in found.items() if "constant" in entry} == {"accuracy", "f1", "f0_5", "f2"}
    assert found["accuracy"]["constant"] == max(np.mean(actual), 1 - np.mean(actual))


def test_averages_over_classes_are_resampled_unless_there_are_too_many_classes() -> None:
    import intervals
    import measured
    from metrics import multiclass_values

    for count, resampled in ((3, True), (51, False)):
        generator = np.random.default_rng(2)
        actual = generator.integers(0, count, 600)
        predicted = np.where(generator.random(600) < 0.7, actual, generator.integers(0, count, 600))
        answers = answers_of(actual, predicted, [str(place) for place in range(count)], None)
        found = measured.measured(answers)
        assert found["accuracy"]["low"] < found["accuracy"]["value"] < found["accuracy"]["high"]
        assert ("low" in found["weighted_f1"]) is resampled
        if resampled:
            alone = intervals.of_confusion(answers.matrix, multiclass_values)["weighted_f1"]
            assert (found["weighted_f1"]["low"], found["weighted_f1"]["high"]) == (alone.low, alone.high)


def test_the_report_shows_the_verdict_the_intervals_and_the_constants(tumors: Finished) -> None:
    page = (tumors.evaluation / "report.html").read_text()
    verdict = json.loads((tumors.evaluation / "verdict.json").read_text())
    assert "The gate lets this model pass" in page
    for check in verdict["checks"]:
        assert check["sentence"] in page
    accuracy = verdict["metrics"]["accuracy"]
    assert accuracy["value"] == pytest.approx(
        tumors.statistics["binary_classification_metrics"]["accuracy"]["value"]
    )
    assert page.count(f"{accuracy['low']:.4f} to {accuracy['high']:.4f}") >= 2, "the card and the table"
    assert f"best constant {accuracy['constant']:.4f}" in page
