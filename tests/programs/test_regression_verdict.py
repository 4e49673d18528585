"""The evaluation of a regression: statistics against scikit-learn, intervals, and the gate's verdict."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from program_runs import Finished
from scipy import stats
from sklearn import metrics as scikit

TIME = "2026-01-31T12:00:00Z"


def targets_and_answers(rows: int, noise: float = 1.0, seed: int = 4) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    actual = generator.normal(50, 10, rows)
    return actual, actual + generator.normal(0, noise, rows)


def verdict_of(
    actual: np.ndarray, predicted: np.ndarray, constant: float = 50.0, **gate: Any
) -> dict[str, Any]:
    from metrics import regression_values
    from regression_verdict import NumberAnswers, judge_numbers
    from verdict import Gate

    answers = NumberAnswers(actual, predicted, constant, regression_values(actual, predicted))
    return judge_numbers(Gate(**{"metric": "rmse", "threshold": 5.0, **gate}), answers)


def check_named(verdict: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = (check for check in verdict["checks"] if check["name"] == name)
    return found


def test_the_metrics_are_those_of_scikit_learn() -> None:
    import metrics

    actual, predicted = targets_and_answers(1000, noise=7)
    document = metrics.regression_statistics(actual, predicted, TIME)
    assert document["version"] == 0
    assert document["dataset"] == {"item_count": 1000, "evaluation_time": TIME}
    found = document["regression_metrics"]
    expected = {
        "mae": scikit.mean_absolute_error(actual, predicted),
        "mse": scikit.mean_squared_error(actual, predicted),
        "rmse": scikit.root_mean_squared_error(actual, predicted),
        "r2": scikit.r2_score(actual, predicted),
    }
    assert sorted(found) == sorted(expected)
    for name, value in expected.items():
        assert found[name]["value"] == pytest.approx(value, rel=1e-12), name
        assert 0 < found[name]["standard_deviation"] < abs(value), name


def test_no_deviation_below_200_rows() -> None:
    import metrics

    for rows, expected in ((199, str), (200, float)):
        found = metrics.regression_statistics(*targets_and_answers(rows), TIME)["regression_metrics"]
        for name, entry in found.items():
            assert isinstance(entry["standard_deviation"], expected), name


@pytest.mark.parametrize(
    ("metric", "evidence"),
    [(metric, evidence) for metric in ("rmse", "mae", "mse", "r2") for evidence in ("estimate", "bound")],
)
def test_the_gate_opens_only_strictly_on_the_good_side_of_the_threshold(metric: str, evidence: str) -> None:
    from metric_table import METRICS

    actual, predicted = targets_and_answers(300, noise=4)
    first = verdict_of(actual, predicted, metric=metric, threshold=0.0, evidence=evidence)
    threshold = check_named(first, "threshold")
    decides, higher = threshold["value"], METRICS[metric].higher_is_better
    if evidence == "bound":
        decides = float(threshold["sentence"].split(" of ")[1].split(", ")[1].split(" (")[0])
        assert threshold["low"] < decides < threshold["high"]
        assert (decides < threshold["value"]) is higher
        easier, harder = (decides * 0.999, decides * 1.001) if higher else (decides * 1.001, decides * 0.999)
    else:
        easier = math.nextafter(decides, -math.inf if higher else math.inf)
        harder = math.nextafter(decides, math.inf if higher else -math.inf)
        at = verdict_of(actual, predicted, metric=metric, threshold=decides)
        assert at["verdict"] == "refused"
        assert f"is not {'above' if higher else 'below'} the threshold" in at["sentence"]
    assert (
        verdict_of(actual, predicted, metric=metric, threshold=easier, evidence=evidence)["verdict"]
        == "passed"
    )
    refused = verdict_of(actual, predicted, metric=metric, threshold=harder, evidence=evidence)
    assert refused["verdict"] == "refused"
    assert [check["passed"] for check in refused["checks"]] == [False, True]


def test_an_answer_as_good_as_the_mean_has_learnt_nothing() -> None:
    actual, _ = targets_and_answers(400)
    useless = 50 + np.random.default_rng(1).normal(0, 0.5, 400)
    verdict = verdict_of(actual, useless, threshold=1000.0)
    worth = check_named(verdict, "worth")
    assert verdict["verdict"] == "refused"
    assert not worth["passed"]
    assert "has not learnt anything that 400 rows can show" in verdict["sentence"]
    assert "always answering 50, the mean of the training part, has" in verdict["sentence"]
    chance = stats.ttest_rel((actual - 50) ** 2, (actual - useless) ** 2, alternative="greater").pvalue
    assert f"in {100 * chance:.0f} % of cases" in worth["sentence"]
    assert verdict["constant"] == worth["limit"] == pytest.approx(np.sqrt(np.mean((actual - 50) ** 2)))
    unchecked = verdict_of(actual, useless, threshold=1000.0, worth=False)
    assert unchecked["verdict"] == "passed"
    assert "was not checked (worth = false)" in unchecked["sentence"]


def test_an_answer_that_is_the_same_for_all_rows_is_refused_even_if_it_is_nearer_than_the_mean() -> None:
    actual, _ = targets_and_answers(400)
    verdict = verdict_of(actual, np.full(400, actual.mean()), constant=45.0, threshold=1000.0)
    assert verdict["verdict"] == "refused"
    assert (
        f"has not learnt anything: it answers {actual.mean():.6g} to all 400 rows (RMSE"
        in verdict["sentence"]
    )


def test_answers_that_do_not_rise_with_the_actual_values_are_refused_even_if_they_are_nearer() -> None:
    actual, _ = targets_and_answers(400)
    nearer = actual.mean() + np.random.default_rng(1).normal(0, 0.1, 400)
    verdict = verdict_of(actual, nearer, constant=45.0, threshold=1000.0)
    assert verdict["verdict"] == "refused"
    chance = stats.pearsonr(nearer, actual, alternative="greater").pvalue
    assert (
        "that 400 rows can show: its answers rise with the actual values as much as this by chance in"
        f" {100 * chance:.0f} % of cases"
    ) in verdict["sentence"]


def test_smaller_squared_errors_alone_do_not_beat_the_constant() -> None:
    """The median is near the mean but for some outliers, which the model knows; all else it has worse."""
    actual = np.concatenate([np.full(900, 50.0), np.full(100, 150.0)]) + np.linspace(0, 1, 1000)
    predicted = np.where(actual > 100, 140.0, 70.0)
    verdict = verdict_of(actual, predicted, metric="mae", threshold=100.0)
    worth = check_named(verdict, "worth")
    assert verdict["verdict"] == "refused"
    assert "is no better than the" in worth["sentence"]
    assert "though the squared errors are smaller" in worth["sentence"]


@pytest.mark.parametrize(
    ("floors", "passed", "text"),
    [
        ({"r2": 0.5}, True, "is not below the floor 0.5"),
        ({"r2": 0.999}, False, "is below the floor 0.999"),
        ({"mae": 4.0}, True, "is not above the limit 4"),
        ({"mae": 0.5}, False, "is above the limit 0.5"),
    ],
)
def test_floors_hold_other_metrics_too(floors: dict[str, float], passed: bool, text: str) -> None:
    verdict = verdict_of(*targets_and_answers(300, noise=4), floors=floors)
    floor = check_named(verdict, f"floor {next(iter(floors))}")
    assert floor["passed"] is passed
    assert text in floor["sentence"]
    assert floor["low"] < floor["value"] < floor["high"]
    assert verdict["verdict"] == ("passed" if passed else "refused")


def test_a_threshold_that_is_no_number_lets_nothing_pass() -> None:
    for metric in ("rmse", "r2"):
        found = verdict_of(*targets_and_answers(300), metric=metric, threshold=math.nan)
        assert found["verdict"] == "refused"


def test_a_metric_that_a_regression_lacks_lets_nothing_pass() -> None:
    for gate in ({"metric": "accuracy", "threshold": 0.1}, {"floors": {"accuracy": 0.1}}):
        found = verdict_of(*targets_and_answers(300), **gate)
        assert found["verdict"] == "refused"
        assert "accuracy nan is" in found["sentence"]
        json.dumps(found, allow_nan=False)


def test_the_intervals_hold_the_true_value_about_as_often_as_they_say() -> None:
    """Normal errors, 200 rows: true RMSE 3, true R2 0.91; 95 % of 100 draws less four deviations is 87."""
    import intervals

    held = {"rmse": 0, "r2": 0}
    for seed in range(100):
        actual, predicted = targets_and_answers(200, noise=3, seed=seed)
        of_rmse = intervals.root(intervals.mean_error((actual - predicted) ** 2))
        of_r2 = intervals.r2(actual, predicted)
        assert of_rmse is not None
        assert of_r2 is not None
        assert of_r2.approximate
        held["rmse"] += of_rmse.low <= 3 <= of_rmse.high
        held["r2"] += of_r2.low <= 0.91 <= of_r2.high
    assert min(held.values()) >= 87


def test_of_very_many_rows_the_intervals_are_those_that_drawing_would_give(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import intervals

    actual, predicted = targets_and_answers(5000, noise=3)
    drawn = [intervals.mean_error((actual - predicted) ** 2), intervals.r2(actual, predicted)]
    monkeypatch.setattr(intervals, "_MOST_ROWS_DRAWN", 4999)
    without = [intervals.mean_error((actual - predicted) ** 2), intervals.r2(actual, predicted)]
    for one, other in zip(drawn, without, strict=True):
        assert one is not None
        assert other is not None
        width = one.high - one.low
        for end in ("low", "high", "bound"):
            assert getattr(other, end) == pytest.approx(getattr(one, end), abs=0.08 * width), end


@pytest.mark.parametrize("errors", [[1.0, 3.0], [1.0, 2.0, 3.0], [0.0, 1.0], [0.0, 0.0, 1.0]])
def test_a_mean_error_of_two_or_three_rows_has_no_interval(errors: list[float]) -> None:
    """So many draws are of one row, which has no deviation, that they say nothing of the upper end."""
    import intervals

    assert intervals.mean_error(np.array(errors)) is None


def test_a_regression_of_three_test_rows_is_judged() -> None:
    actual = np.array([50.0, 40.0, 61.0])
    verdict = verdict_of(actual, actual + np.array([1.0, -2.0, 0.5]))
    assert check_named(verdict, "threshold")["passed"]
    (threshold, *_) = verdict_of(actual, actual + np.array([1.0, -2.0, 0.5]), evidence="bound")["checks"]
    assert not threshold["passed"]
    assert threshold["sentence"] == "3 rows give no upper 95 % bound of RMSE (measured 1.32288)"


def test_r2_has_no_interval_where_it_has_no_value() -> None:
    import intervals

    assert intervals.r2(np.full(9, 2.0), np.arange(9.0)) is None
    assert intervals.r2(np.array([1.0, 2.0]), np.array([1.0, 2.0])) is None
    assert intervals.r2(np.array([]), np.array([])) is None


def test_the_written_metrics_are_those_of_scikit_learn(progression: Finished) -> None:
    import inference

    model = inference.model_fn(str(progression.folder / "model"))
    path = next((progression.folder / "processing/output/test").glob("*.parquet"))
    actual = pq.read_table(path)["progression"].to_numpy()
    payload = inference.input_fn(path.read_bytes(), "application/x-parquet")
    predicted = inference.predict_fn(payload, model).values
    found = progression.statistics["regression_metrics"]
    assert found["rmse"]["value"] == pytest.approx(scikit.root_mean_squared_error(actual, predicted))
    assert found["r2"]["value"] == pytest.approx(scikit.r2_score(actual, predicted))
    last = progression.outputs[2].splitlines()[-1]
    assert last == f"RMSE {found['rmse']['value']:.6g} on {len(actual)} rows; R2 {found['r2']['value']:.4f}"


def test_the_report_draws_predictions_and_residuals(progression: Finished) -> None:
    page = (progression.evaluation / "report.html").read_text()
    assert page.count("<figure>") == 3
    assert "always answering" in page
    assert "that of R2 is approximate" in page
    assert "classes" not in page
    verdict = json.loads((progression.evaluation / "verdict.json").read_text())
    assert list(verdict["metrics"]) == ["rmse", "r2", "mae", "mse"]
    for name, found in verdict["metrics"].items():
        assert found["low"] < found["value"] < found["high"], name
        assert (found["constant"] < found["value"]) is (name == "r2"), name
    rmse = verdict["metrics"]["rmse"]
    assert page.count(f"{rmse['low']:.6g} to {rmse['high']:.6g}") == 4, "card, table, picture and its words"


def _with_target(change: Callable[[pa.ChunkedArray], Any]) -> Callable[[Path], None]:
    def spoil(inputs: Path) -> None:
        path = next((inputs / "test").glob("*.parquet"))
        table = pq.read_table(path)
        place = table.column_names.index("progression")
        pq.write_table(table.set_column(place, "progression", change(table["progression"])), path)

    return spoil


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (_with_target(lambda target: target.cast(pa.string())), "target 'progression' holds no numbers"),
        (_with_target(lambda target: pa.array([None, *target.to_pylist()[1:]], pa.float64())), "missing or"),
        (_with_target(lambda target: pa.array([math.inf, *target.to_pylist()[1:]])), "missing or infinite"),
        (_with_target(lambda target: pa.array([7.5] * len(target))), "'progression' is 7.5 in all rows"),
    ],
    ids=["texts", "missing", "infinite", "constant"],
)
def test_a_spoilt_target_is_one_clear_line(
    tmp_path: Path,
    progression: Finished,
    capsys: pytest.CaptureFixture[str],
    spoil: Callable[[Path], None],
    text: str,
) -> None:
    import evaluate

    inputs = tmp_path / "processing" / "input"
    for name in ("model", "test", "gate"):
        shutil.copytree(progression.folder / "processing" / "input" / name, inputs / name)
    spoil(inputs)
    assert evaluate.main(["--opt-ml", str(tmp_path)]) == 1
    message = (tmp_path / "output" / "message").read_text()
    assert capsys.readouterr().err == f"error: {message}\n"
    assert text in message


@pytest.mark.parametrize("body", ["1.5\nlow\n", "1.5\nnan\n", "1.5\n", "1.5\ninf\n"])
def test_an_answer_that_is_no_number_for_each_row_is_refused(body: str) -> None:
    import scoring

    with pytest.raises(scoring.InputError, match="the model answers"):
        scoring._read_numbers(body, 2)


def test_the_verdict_is_json_without_a_bare_nan() -> None:
    actual, _ = targets_and_answers(300)
    verdict = verdict_of(actual, actual, evidence="bound")
    json.dumps(verdict, allow_nan=False)
