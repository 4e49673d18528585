"""What the program for Model Monitor's image finds in small datasets and what it refuses, without a job each.

One process of the program analyses the datasets of all tests here. What belongs to a job, and that a refusal
is its reason, is in ``tests/sagemaker_local/jobs/test_model_monitor.py``.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from monitored_rows import BINARY, CSV, capture, csv

PROGRAM = Path(__file__).resolve().parents[2] / "sagemaker_local/programs/model_monitor"
ONE_AFTER_ANOTHER = """
import contextlib, json, sys
import analyze

for line in sys.stdin:
    folder, variables = json.loads(line)
    told = None
    with contextlib.redirect_stdout(sys.stderr):
        try:
            analyze.main([folder], variables)
        except SystemExit as left:
            told = left.code
    print(json.dumps(told), flush=True)
"""

Analyze = Callable[[Path, Mapping[str, str]], str | None]


@pytest.fixture(scope="module")
def analyze(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Analyze]:
    """Runs the program's ``main`` with an ``/opt/ml`` and variables; what it exits with, None for success."""
    log = tmp_path_factory.mktemp("program") / "log"
    with (
        log.open("w") as file,
        subprocess.Popen(
            [sys.executable, "-c", ONE_AFTER_ANOTHER],
            cwd=PROGRAM,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=file,
            text=True,
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        asked, answers = process.stdin, process.stdout

        def run(folder: Path, variables: Mapping[str, str]) -> str | None:
            print(json.dumps([str(folder), variables]), file=asked, flush=True)
            answer = answers.readline()
            assert answer, log.read_text()
            return json.loads(answer)  # type: ignore[no-any-return]

        yield run
        asked.close()


@dataclass(frozen=True)
class Place:
    """The folders that a job would have: the dataset, what comes of it, and perhaps a baseline."""

    folder: Path
    analyze: Analyze

    def put(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def run(self, form: Mapping[str, Any], **variables: str) -> str | None:
        if (self.folder / "baseline").exists():
            variables = {
                "baseline_constraints": str(self.folder / "baseline/constraints.json"),
                "baseline_statistics": str(self.folder / "baseline/statistics.json"),
                **variables,
            }
        given = {
            "dataset_format": json.dumps(form),
            "dataset_source": str(self.folder / "data"),
            "output_path": str(self.folder / "out"),
            "publish_cloudwatch_metrics": "Disabled",
        }
        return self.analyze(self.folder / "ml", given | variables)

    def documents(self, form: Mapping[str, Any], **variables: str) -> dict[str, Any]:
        """What it writes, by the name of the document."""
        told = self.run(form, **variables)
        assert told is None, told
        return {path.stem: json.loads(path.read_text()) for path in (self.folder / "out").iterdir()}

    def refused(self, form: Mapping[str, Any], **variables: str) -> str:
        """What it says of what it cannot analyse: one line, which is the job's message and ends the log."""
        told = self.run(form, **variables)
        message = (self.folder / "ml/output/message").read_text()
        assert message.startswith("Error: ")
        assert told == f"{message}."
        assert "Traceback" not in message
        return message

    def baseline(self, form: Mapping[str, Any], **variables: str) -> tuple[Any, Any]:
        """Analyse what is there, and take what comes of it for the baseline: statistics and constraints."""
        found = self.documents(form, **variables)
        for name in ("statistics", "constraints"):
            self.put(f"baseline/{name}.json", json.dumps(found[name]))
        return found["statistics"], found["constraints"]

    def violations(self, form: Mapping[str, Any]) -> dict[tuple[str, str], str]:
        """Descriptions by column and check."""
        found = self.documents(form)["constraint_violations"]["violations"]
        return {(one["feature_name"], one["constraint_check_type"]): one["description"] for one in found}


@pytest.fixture
def place(tmp_path: Path, analyze: Analyze) -> Place:
    return Place(tmp_path, analyze)


def test_the_baselines_settings_decide_for_all_columns_and_for_one(place: Place) -> None:
    rows = [[n % 50, n % 50, "abc"[n % 3]] for n in range(400)]
    place.put("data/rows", csv(["one", "two", "letter"], rows))
    _, constraints = place.baseline(CSV)
    moved = csv(["one", "two", "letter"], [[n % 50 + 10, n % 50 + 10, "abcd"[n % 4]] for n in range(400)])

    def checked(**settings: Any) -> set[tuple[str, str]]:
        config = {**constraints["monitoring_config"], **settings}
        place.put("baseline/constraints.json", json.dumps({**constraints, "monitoring_config": config}))
        place.put("data/rows", moved)
        return set(place.violations(CSV))

    drift = {(name, "baseline_drift_check") for name in ("one", "two")}
    letters = {("letter", "categorical_values_check"), ("letter", "baseline_drift_check")}
    shape = constraints["monitoring_config"]["distribution_constraints"]
    assert checked(distribution_constraints={**shape, "comparison_threshold": 0.15}) == letters
    assert checked(distribution_constraints={**shape, "comparison_method": "Simple"}) == {*drift, *letters}
    assert (
        checked(
            domain_content_threshold=0.7, distribution_constraints={**shape, "perform_comparison": "Disabled"}
        )
        == set()
    )
    assert checked(evaluate_constraints="Disabled") == set()
    own = {"distribution_constraints": {"comparison_threshold": 0.01}}
    constraints["features"][0]["monitoringConfigOverrides"] = own
    assert checked(distribution_constraints={**shape, "comparison_threshold": 0.15}) == {
        ("one", "baseline_drift_check"),
        *letters,
    }


@pytest.mark.parametrize("seed", range(3))
def test_the_distance_is_kolmogorovs_and_a_sketch_of_many_values_keeps_it(place: Place, seed: int) -> None:
    from scipy import stats

    generator = np.random.default_rng(seed)
    before, now = generator.normal(size=9000), generator.normal(0.4, 1.2, size=5000)
    place.put("data/rows", csv(["x"], [[f"{value:.6f}"] for value in before]))
    statistics, constraints = place.baseline(CSV)
    sketch = statistics["features"][0]["numerical_statistics"]["distribution"]["kll"]["sketch"]
    assert sketch["data"][:-1] == [[]] * (len(sketch["data"]) - 1)
    assert len(sketch["data"][-1]) <= 2048
    constraints["monitoring_config"]["distribution_constraints"]["comparison_method"] = "Simple"
    place.put("baseline/constraints.json", json.dumps(constraints))
    place.put("data/rows", csv(["x"], [[f"{value:.6f}"] for value in now]))
    sentence = place.violations(CSV)["x", "baseline_drift_check"]
    distance = float(sentence.split()[3])
    assert distance == pytest.approx(stats.ks_2samp(before, now).statistic, abs=1 / 1024)


def test_a_document_with_buckets_alone_is_compared_at_their_bounds(place: Place) -> None:
    place.put("data/rows", csv(["x"], [[n] for n in range(100)]))
    statistics, _ = place.baseline(CSV)
    del statistics["features"][0]["numerical_statistics"]["distribution"]["kll"]["sketch"]
    place.put("baseline/statistics.json", json.dumps(statistics))
    place.put("data/rows", csv(["x"], [[n] for n in range(100)]))
    assert place.violations(CSV) == {}
    place.put("data/rows", csv(["x"], [[n / 2] for n in range(0, 200, 2)] + [[0]] * 200))
    assert ("x", "baseline_drift_check") in place.violations(CSV)


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ({"csv": {"header": False}}, csv([], [[n, "ab"[n % 2]] for n in range(20)])),
        ({"json": {"lines": True}}, "".join(f'{{"_c0": {n}, "_c1": "{"ab"[n % 2]}"}}\n' for n in range(20))),
        (
            {"json": {"line": "false"}},
            json.dumps([{"_c0": n, "_c1": "ab"[n % 2]} for n in range(20)]),
        ),
        ({"Parquet": {}}, None),
    ],
)
def test_the_form_of_a_file_makes_no_difference(place: Place, form: Any, text: str | None) -> None:
    if text is None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        sink = pa.BufferOutputStream()
        pq.write_table(pa.table({"_c0": list(range(20)), "_c1": ["ab"[n % 2] for n in range(20)]}), sink)
        place.put("data/rows", sink.getvalue().to_pybytes())
    else:
        place.put("data/rows", text)
    statistics = place.documents(form)["statistics"]
    first, second = statistics["features"]
    assert (first["name"], first["inferred_type"]) == ("_c0", "Integral")
    assert first["numerical_statistics"]["sum"] == 190
    assert second["string_statistics"]["common"] == {"num_present": 20, "num_missing": 0}


@pytest.mark.parametrize(
    ("constraints", "statistics", "reason"),
    [
        (
            {"features": [{"inferred_type": "String"}]},
            {},
            "the baseline is not of Model Monitor's form",
        ),
        ({"features": 3}, {}, "the baseline is not of Model Monitor's form"),
        ([], {}, "the baseline's constraints.json is no JSON object"),
        ({"features": [{"name": "x", "completeness": "all"}]}, {}, "the baseline of 'x' is not of Model"),
        (
            {"features": [{"name": "x"}], "monitoring_config": {"datatype_check_threshold": None}},
            {},
            "the baseline of 'x' is not of Model Monitor's form",
        ),
        (
            {"features": [{"name": "x"}]},
            {"features": [{"name": "x", "numerical_statistics": {}}]},
            "KeyError",
        ),
        (
            {
                "features": [{"name": "x"}],
                "monitoring_config": {"distribution_constraints": {"comparison_method": "Best"}},
            },
            {"features": [{"name": "x"}]},
            "comparison_method is Best; there are Simple and Robust",
        ),
    ],
)
def test_a_baseline_that_is_wrong_is_said_in_one_line(
    place: Place, constraints: Any, statistics: Any, reason: str
) -> None:
    place.put("data/rows", csv(["x"], [[1], [2]]))
    place.put("baseline/constraints.json", json.dumps(constraints))
    place.put("baseline/statistics.json", json.dumps(statistics))
    assert reason in place.refused(CSV)


@pytest.mark.parametrize(
    ("variables", "rows", "section", "metric"),
    [
        (
            {"problem_type": "Regression", "inference_attribute": "1", "ground_truth_attribute": "0"},
            [[n, n + 1] for n in range(10)],
            "regression",
            ("mae", 1.0),
        ),
        (
            {
                "problem_type": "MulticlassClassification",
                "inference_attribute": "_c1",
                "ground_truth_attribute": "_c0",
            },
            [["abc"[n % 3], "abc"[n % 3] if n < 9 else "a"] for n in range(12)],
            "multiclass_classification",
            ("accuracy", 10 / 12),
        ),
        (
            {
                "problem_type": "BinaryClassification",
                "probability_attribute": "1",
                "probability_threshold_attribute": "0.3",
                "ground_truth_attribute": "0",
            },
            [[n % 2, 0.4 if n % 2 else 0.1] for n in range(10)],
            "binary_classification",
            ("recall", 1.0),
        ),
    ],
)
def test_model_quality_of_each_problem_type(
    place: Place, variables: dict[str, str], rows: Any, section: str, metric: tuple[str, float]
) -> None:
    place.put("data/rows", csv([], rows))
    documents = place.documents({"csv": {"header": False}}, analysis_type="MODEL_QUALITY", **variables)
    name, value = metric
    found = documents["statistics"][f"{section}_metrics"]
    assert found[name]["value"] == pytest.approx(value)
    assert name in documents["constraints"][f"{section}_constraints"]


@pytest.mark.parametrize(
    ("form", "text", "variables", "reason"),
    [
        (CSV, "", {}, "holds no data"),
        (CSV, "a,b\n1,2\n3\n", {}, "rows cannot be read as csv"),
        (CSV, "a,a\n1,2\n", {}, "two columns of one name"),
        ({"json": {"lines": True}}, '{"a": [1]}\n', {}, "takes flat JSON objects only"),
        ({"json": {"lines": True}}, '{"a": \n', {}, "line 1 is not JSON"),
        ({"xml": {}}, "<a/>", {}, "names none of csv, json, parquet"),
        ({"sagemakerCaptureJson": {}}, "{}", {}, "is no line of a data capture"),
        (
            {"sagemakerCaptureJson": {}},
            capture(1, "[1, 2]", "{}", "JSON"),
            {},
            "is no JSON object",
        ),
        (CSV, "a,b\n1,2\n", {**BINARY}, "ground_truth_attribute is 'label'; the dataset has: a, b"),
        (
            CSV,
            "label,prediction,probability\n2,1,1\n",
            {**BINARY},
            "has to be 0 or 1, not '2'",
        ),
        (CSV, "a\n1\n", {"analysis_type": "MODEL_QUALITY"}, "problem_type is ''"),
    ],
)
def test_what_cannot_be_analysed_is_said_in_one_line(
    place: Place, form: Any, text: str, variables: dict[str, str], reason: str
) -> None:
    place.put("data/rows", text)
    assert reason in place.refused(form, **variables)


def test_chi_squared_is_refused_by_name(place: Place) -> None:
    place.put("data/rows", csv(["x"], [["ab"[n % 2]] for n in range(30)]))
    _, constraints = place.baseline(CSV, categorical_drift_method="ChiSquared")
    shape = constraints["monitoring_config"]["distribution_constraints"]
    assert shape["categorical_drift_method"] == "ChiSquared"
    place.put("data/rows", csv(["x"], [["ab"[n % 2]] for n in range(30)]))
    assert "categorical_drift_method ChiSquared is not implemented" in place.refused(CSV)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("def preprocess_handler(record):\n    raise KeyError('x')", "failed at rows, line 1: KeyError('x')"),
        (
            "def preprocess_handler(record):\n    return 3",
            "preprocess_handler made of rows, line 1 is no",
        ),
        ("def other(record):\n    return {}", "has no function preprocess_handler"),
        ("import nobody_has_it", "cannot be run: ModuleNotFoundError"),
    ],
)
def test_a_script_that_fails_is_said_with_its_reason(place: Place, script: str, reason: str) -> None:
    place.put("data/rows", capture(1, "1,2", "0"))
    path = place.put("script.py", script)
    variables = {"record_preprocessor_script": str(path)}
    assert reason in place.refused({"sagemakerCaptureJson": {}}, **variables)
