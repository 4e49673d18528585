"""Model Monitor's image in processing jobs: the documents it writes, what violates them, what is refused."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score, recall_score, roc_auc_score

from sagemaker_local.errors import AwsError

IMAGE = "468650794304.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-model-monitor-analyzer"
ROLE = "arn:aws:iam::000000000000:role/local"
DATA, OUT = "/opt/ml/processing/input/data", "/opt/ml/processing/output"
BASELINE = "/opt/ml/processing/baseline"
CSV = {"csv": {"header": True, "output_columns_position": "START"}}


def analyze(
    bench: Any, form: Mapping[str, Any], instances: int = 1, scripts: str = "", **variables: str
) -> str:
    """A job on what lies under ``data``, with the baseline under ``baseline``, if there is one."""
    name: str = bench.name()
    inputs = {"data": ("s3://bucket/data", DATA)}
    if scripts:
        inputs["scripts"] = ("s3://bucket/scripts", scripts)
    if bench.keys("baseline"):
        inputs["baseline"] = ("s3://bucket/baseline", BASELINE)
        variables = {
            "baseline_constraints": f"{BASELINE}/constraints.json",
            "baseline_statistics": f"{BASELINE}/statistics.json",
            **variables,
        }
    bench.call(
        "CreateProcessingJob",
        ProcessingJobName=name,
        RoleArn=ROLE,
        AppSpecification={"ImageUri": IMAGE},
        Environment={
            "dataset_format": json.dumps(form),
            "dataset_source": DATA,
            "output_path": OUT,
            "publish_cloudwatch_metrics": "Disabled",
            **variables,
        },
        ProcessingResources={
            "ClusterConfig": {
                "InstanceType": "ml.m5.xlarge",
                "InstanceCount": instances,
                "VolumeSizeInGB": 20,
            }
        },
        ProcessingInputs=[
            {
                "InputName": key,
                "S3Input": {
                    "S3Uri": uri,
                    "LocalPath": path,
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                },
            }
            for key, (uri, path) in inputs.items()
        ],
        ProcessingOutputConfig={
            "Outputs": [
                {
                    "OutputName": "monitoring_output",
                    "S3Output": {
                        "S3Uri": f"s3://bucket/out/{name}",
                        "LocalPath": OUT,
                        "S3UploadMode": "EndOfJob",
                    },
                }
            ]
        },
    )
    return name


def document(bench: Any, job: str, name: str) -> Any:
    ended = bench.ended(job)
    assert ended["ProcessingJobStatus"] == "Completed", bench.log(job)
    return json.loads(bench.get(f"out/{job}/{name}.json"))


def baseline(bench: Any, form: Mapping[str, Any], **variables: str) -> tuple[Any, Any]:
    """Analyse what is there, and take what comes of it for the baseline: statistics and constraints."""
    job = analyze(bench, form, **variables)
    found = tuple(document(bench, job, name) for name in ("statistics", "constraints"))
    for name, content in zip(("statistics", "constraints"), found, strict=True):
        bench.put(f"baseline/{name}.json", json.dumps(content))
    bench.objects.delete("bucket", "data/rows")
    return found  # type: ignore[return-value]


def violations(bench: Any, job: str) -> dict[tuple[str, str], str]:
    """Descriptions by column and check."""
    found = document(bench, job, "constraint_violations")["violations"]
    return {(one["feature_name"], one["constraint_check_type"]): one["description"] for one in found}


def csv(names: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    return "".join(",".join(map(str, row)) + "\n" for row in ([names] if names else []) + list(rows))


def capture(event: int, asked: str, answer: str, kind: str = "CSV", **more: Any) -> str:
    content_type = {"CSV": "text/csv", "JSON": "application/json", "BASE64": "text/csv"}[kind]

    def part(text: str, mode: str) -> dict[str, str]:
        return {"observedContentType": content_type, "mode": mode, "data": text, "encoding": kind}

    return json.dumps(
        {
            "captureData": {
                "endpointInput": part(asked, "INPUT"),
                "endpointOutput": part(answer, "OUTPUT"),
            },
            "eventMetadata": {"eventId": f"event-{event}", "inferenceTime": "2026-11-20T15:30:00Z", **more},
            "eventVersion": "0",
        }
    )


def test_a_baseline_says_what_each_column_is_and_how_it_is_spread(bench: Any) -> None:
    rows = [[n, n / 4 - 5, "ab"[n % 2], f"id-{n}", "" if n % 4 == 0 else n] for n in range(100)]
    bench.put("data/rows", csv(["whole", "part", "letter", "name", "gaps"], rows))
    job = analyze(bench, CSV)
    statistics = document(bench, job, "statistics")
    features = {feature["name"]: feature for feature in statistics["features"]}
    assert statistics["dataset"] == {"item_count": 100}
    assert {name: feature["inferred_type"] for name, feature in features.items()} == {
        "whole": "Integral",
        "part": "Fractional",
        "letter": "String",
        "name": "String",
        "gaps": "Integral",
    }
    whole = features["whole"]["numerical_statistics"]
    assert (whole["mean"], whole["sum"], whole["min"], whole["max"]) == (49.5, 4950.0, 0.0, 99.0)
    assert whole["std_dev"] == pytest.approx(np.std(np.arange(100)))
    kll = whole["distribution"]["kll"]
    assert [bucket["count"] for bucket in kll["buckets"]] == [10.0] * 10
    assert kll["sketch"]["data"] == [list(range(100))]
    assert features["gaps"]["numerical_statistics"]["common"] == {"num_present": 75, "num_missing": 25}
    letters = features["letter"]["string_statistics"]
    assert letters["distinct_count"] == 2
    assert letters["distribution"]["categorical"]["buckets"][0] == {"value": "a", "count": 50}
    constraints = document(bench, job, "constraints")
    expected = {feature["name"]: feature for feature in constraints["features"]}
    assert expected["whole"]["num_constraints"] == {"is_non_negative": True}
    assert expected["part"]["num_constraints"] == {"is_non_negative": False}
    assert expected["letter"]["string_constraints"] == {"domains": ["a", "b"]}
    assert "string_constraints" not in expected["name"]
    assert expected["gaps"]["completeness"] == 0.75
    assert constraints["monitoring_config"]["distribution_constraints"]["comparison_method"] == "Robust"
    assert not [key for key in bench.keys(f"out/{job}") if "violations" in key]
    assert bench.ended(job)["ExitMessage"] == "Completed: Job completed successfully."


def test_the_same_rows_violate_nothing_and_each_check_finds_what_it_is_for(bench: Any) -> None:
    names = ["whole", "part", "letter", "gaps", "moved", "gone"]
    rows = [[n, n / 4, "abc"[n % 3], n, n % 50, 1] for n in range(400)]
    bench.put("data/rows", csv(names, rows))
    baseline(bench, CSV)
    bench.put("data/rows", csv(names, rows))
    same = analyze(bench, CSV)
    assert violations(bench, same) == {}
    assert bench.ended(same)["ExitMessage"] == "Completed: Job completed successfully with no violations."
    changed = [
        [n if n % 4 else n + 0.5, n / 4, "abcd"[n % 4], "" if n % 2 else n, n % 50 + 25, "new"]
        for n in range(400)
    ]
    bench.put("data/rows", csv([*names[:-1], "fresh"], changed))
    job = analyze(bench, CSV)
    found = violations(bench, job)
    assert found.keys() == {
        ("whole", "data_type_check"),
        ("letter", "categorical_values_check"),
        ("letter", "baseline_drift_check"),
        ("gaps", "completeness_check"),
        ("moved", "baseline_drift_check"),
        ("Missing columns", "missing_column_check"),
        ("Extra columns", "extra_column_check"),
    }
    assert found["whole", "data_type_check"] == (
        "Data type match requirement is not met. Expected data type: Integral, Expected match: 100.0%."
        " Observed: Only 75.0% of data is Integral."
    )
    distance = 0.5 - 1.8 * (800 / 160_000) ** 0.5
    assert found["moved", "baseline_drift_check"] == (
        f"Baseline drift distance: {distance} exceeds threshold: 0.1"
    )
    said = bench.ended(job)["ExitMessage"]
    assert said == "CompletedWithViolations: Job completed successfully with 7 violations."


def test_the_baselines_settings_decide_for_all_columns_and_for_one(bench: Any) -> None:
    rows = [[n % 50, n % 50, "abc"[n % 3]] for n in range(400)]
    bench.put("data/rows", csv(["one", "two", "letter"], rows))
    _, constraints = baseline(bench, CSV)
    moved = csv(["one", "two", "letter"], [[n % 50 + 10, n % 50 + 10, "abcd"[n % 4]] for n in range(400)])

    def checked(**settings: Any) -> set[tuple[str, str]]:
        config = {**constraints["monitoring_config"], **settings}
        bench.put("baseline/constraints.json", json.dumps({**constraints, "monitoring_config": config}))
        bench.put("data/rows", moved)
        return set(violations(bench, analyze(bench, CSV)))

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
def test_the_distance_is_kolmogorovs_and_a_sketch_of_many_values_keeps_it(bench: Any, seed: int) -> None:
    from scipy import stats

    generator = np.random.default_rng(seed)
    before, now = generator.normal(size=9000), generator.normal(0.4, 1.2, size=5000)
    bench.put("data/rows", csv(["x"], [[f"{value:.6f}"] for value in before]))
    statistics, constraints = baseline(bench, CSV)
    sketch = statistics["features"][0]["numerical_statistics"]["distribution"]["kll"]["sketch"]
    assert sketch["data"][:-1] == [[]] * (len(sketch["data"]) - 1)
    assert len(sketch["data"][-1]) <= 2048
    constraints["monitoring_config"]["distribution_constraints"]["comparison_method"] = "Simple"
    bench.put("baseline/constraints.json", json.dumps(constraints))
    bench.put("data/rows", csv(["x"], [[f"{value:.6f}"] for value in now]))
    sentence = violations(bench, analyze(bench, CSV))["x", "baseline_drift_check"]
    distance = float(sentence.split()[3])
    assert distance == pytest.approx(stats.ks_2samp(before, now).statistic, abs=1 / 1024)


def test_a_document_with_buckets_alone_is_compared_at_their_bounds(bench: Any) -> None:
    bench.put("data/rows", csv(["x"], [[n] for n in range(100)]))
    statistics, _ = baseline(bench, CSV)
    del statistics["features"][0]["numerical_statistics"]["distribution"]["kll"]["sketch"]
    bench.put("baseline/statistics.json", json.dumps(statistics))
    bench.put("data/rows", csv(["x"], [[n] for n in range(100)]))
    assert violations(bench, analyze(bench, CSV)) == {}
    bench.put("data/rows", csv(["x"], [[n / 2] for n in range(0, 200, 2)] + [[0]] * 200))
    assert ("x", "baseline_drift_check") in violations(bench, analyze(bench, CSV))


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
def test_the_form_of_a_file_makes_no_difference(bench: Any, form: Any, text: str | None) -> None:
    if text is None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        sink = pa.BufferOutputStream()
        pq.write_table(pa.table({"_c0": list(range(20)), "_c1": ["ab"[n % 2] for n in range(20)]}), sink)
        bench.put("data/rows", sink.getvalue().to_pybytes())
    else:
        bench.put("data/rows", text)
    statistics = document(bench, analyze(bench, form), "statistics")
    first, second = statistics["features"]
    assert (first["name"], first["inferred_type"]) == ("_c0", "Integral")
    assert first["numerical_statistics"]["sum"] == 190
    assert second["string_statistics"]["common"] == {"num_present": 20, "num_missing": 0}


def test_captured_requests_of_the_window_are_answers_and_what_was_asked_under_the_baselines_names(
    bench: Any,
) -> None:
    names = ["label", "age", "plan"]
    bench.put("data/rows", csv(names, [[n % 2, n % 60, "ab"[n % 2]] for n in range(300)]))
    baseline(bench, CSV)
    lines = [capture(n, f"{n % 60},{'ab'[n % 2]}\n", f"{n % 2}\n") for n in range(200)]
    lines.append(capture(999, "59,z\n", "1\n", inferenceTime="2026-11-20T16:00:00Z"))
    encoded = [base64.b64encode(text).decode() for text in (b"7,a", b"0")]
    lines.append(capture(1000, *encoded, kind="BASE64"))
    bench.put("data/endpoint/AllTraffic/2026/11/20/15/a.jsonl", "\n".join(lines))
    job = analyze(
        bench,
        {"sagemakerCaptureJson": {"captureIndexNames": ["endpointInput", "endpointOutput"]}},
        start_time="2026-11-20T15:00:00Z",
        end_time="2026-11-20T16:00:00Z",
    )
    assert violations(bench, job) == {}
    statistics = document(bench, job, "statistics")
    assert statistics["dataset"] == {"item_count": 201}
    assert [feature["name"] for feature in statistics["features"]] == names


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
    bench: Any, constraints: Any, statistics: Any, reason: str
) -> None:
    bench.put("data/rows", csv(["x"], [[1], [2]]))
    bench.put("baseline/constraints.json", json.dumps(constraints))
    bench.put("baseline/statistics.json", json.dumps(statistics))
    ended = bench.ended(analyze(bench, CSV))
    assert ended["ProcessingJobStatus"] == "Failed"
    assert reason in ended["FailureReason"]
    assert ended["ExitMessage"].startswith("Error: ")


def answers(count: int, right: float, seed: int = 0) -> list[list[object]]:
    generator = random.Random(seed)
    rows: list[list[object]] = []
    for _ in range(count):
        label = generator.random() < 0.4
        hit = generator.random() < right
        score = round(generator.uniform(0.5, 1) if label == hit else generator.uniform(0, 0.499), 3)
        rows.append([int(label), int(score >= 0.5), score])
    return rows


BINARY = {
    "analysis_type": "MODEL_QUALITY",
    "problem_type": "BinaryClassification",
    "inference_attribute": "prediction",
    "probability_attribute": "probability",
    "ground_truth_attribute": "label",
}


def test_model_quality_suggests_its_metrics_as_thresholds_and_finds_what_fell_below(bench: Any) -> None:
    names = ["label", "prediction", "probability"]
    rows = answers(500, 0.9)
    bench.put("data/rows", csv(names, rows))
    statistics, constraints = baseline(bench, CSV, **BINARY)
    metrics = statistics["binary_classification_metrics"]
    label, prediction, probability = (np.array(column, float) for column in zip(*rows, strict=True))
    assert metrics["recall"]["value"] == pytest.approx(recall_score(label, prediction))
    assert metrics["f1"]["value"] == pytest.approx(f1_score(label, prediction))
    assert metrics["auc"]["value"] == pytest.approx(roc_auc_score(label, probability))
    limits = constraints["binary_classification_constraints"]
    assert limits["recall"] == {
        "threshold": metrics["recall"]["value"],
        "comparison_operator": "LessThanThreshold",
    }
    assert limits["false_positive_rate"]["comparison_operator"] == "GreaterThanThreshold"
    bench.put("data/rows", csv(names, rows))
    assert document(bench, analyze(bench, CSV, **BINARY), "constraint_violations")["violations"] == []
    bench.put("data/rows", csv(names, answers(500, 0.6, seed=1)))
    found = document(bench, analyze(bench, CSV, **BINARY), "constraint_violations")["violations"]
    worse = {one["metric_name"]: one for one in found}
    assert {"recall", "accuracy", "auc", "false_positive_rate"} <= worse.keys()
    assert worse["recall"]["constraint_check_type"] == "LessThanThreshold"
    assert worse["false_positive_rate"]["constraint_check_type"] == "GreaterThanThreshold"


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
    bench: Any, variables: dict[str, str], rows: Any, section: str, metric: tuple[str, float]
) -> None:
    bench.put("data/rows", csv([], rows))
    job = analyze(bench, {"csv": {"header": False}}, analysis_type="MODEL_QUALITY", **variables)
    name, value = metric
    found = document(bench, job, "statistics")[f"{section}_metrics"]
    assert found[name]["value"] == pytest.approx(value)
    assert name in document(bench, job, "constraints")[f"{section}_constraints"]


def test_answers_are_joined_with_their_labels_whatever_was_asked(bench: Any) -> None:
    lines = []
    for number in range(20):
        line = json.loads(capture(number, "", f"{number % 2}\n", inferenceId=f"id-{number}"))
        asked = {"observedContentType": "application/x-parquet", "encoding": "BASE64", "data": "UEFSMQ=="}
        line["captureData"]["endpointInput"] |= asked
        lines.append(json.dumps(line))
    bench.put("data/endpoint/rows.jsonl", "\n".join(lines))
    labels = [
        {
            "groundTruthData": {"data": str(number % 2 if number else 1), "encoding": "CSV"},
            "eventMetadata": {"eventId": f"id-{number}"},
        }
        for number in range(19)
    ]
    bench.put("data/labels/labels.jsonl", "\n".join(map(json.dumps, labels)))
    job = analyze(
        bench,
        {"sagemakerCaptureJson": {}},
        analysis_type="MODEL_QUALITY",
        problem_type="BinaryClassification",
        inference_attribute="0",
        dataset_source=f"{DATA}/endpoint",
        ground_truth_source=f"{DATA}/labels",
    )
    found = document(bench, job, "statistics")
    assert found["dataset"]["item_count"] == 19
    assert found["binary_classification_metrics"]["accuracy"]["value"] == pytest.approx(18 / 19)
    assert "19 answers have a label, 1 have none" in bench.log(job)


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
    bench: Any, form: Any, text: str, variables: dict[str, str], reason: str
) -> None:
    bench.put("data/rows", text)
    ended = bench.ended(analyze(bench, form, **variables))
    assert ended["ProcessingJobStatus"] == "Failed"
    assert reason in ended["FailureReason"]
    assert "Traceback" not in ended["FailureReason"]
    assert ended["ExitMessage"].startswith("Error: ")


def test_answers_of_another_encoding_than_the_requests_end_it_as_on_aws(bench: Any) -> None:
    line = json.loads(capture(1, "1,2", "0"))
    line["captureData"]["endpointOutput"] |= {"encoding": "JSON", "data": '{"answer": 0}'}
    bench.put("data/rows", json.dumps(line))
    ended = bench.ended(analyze(bench, {"sagemakerCaptureJson": {}}))
    assert (
        "Encoding mismatch: Encoding is CSV for endpointInput, but Encoding is JSON for endpointOutput"
        in (ended["FailureReason"])
    )


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        (
            {"analysis_type": "MODEL_QUALITY", "record_preprocessor_script": "/opt/ml/x.py"},
            "record_preprocessor_script of MODEL_QUALITY",
        ),
        ({"analysis_type": "MODEL_BIAS"}, "analysis_type MODEL_BIAS"),
    ],
)
def test_what_only_awss_image_does_is_refused_by_name(
    bench: Any, variables: dict[str, str], named: str
) -> None:
    with pytest.raises(AwsError, match=named) as refused:
        analyze(bench, CSV, **variables)
    assert refused.value.status == 501
    with pytest.raises(AwsError, match="InstanceCount 2"):
        analyze(bench, CSV, instances=2)
    with pytest.raises(AwsError, match="needs the variable output_path"):
        analyze(bench, CSV, output_path="")


def test_chi_squared_is_refused_by_name(bench: Any) -> None:
    bench.put("data/rows", csv(["x"], [["ab"[n % 2]] for n in range(30)]))
    _, constraints = baseline(bench, CSV, categorical_drift_method="ChiSquared")
    shape = constraints["monitoring_config"]["distribution_constraints"]
    assert shape["categorical_drift_method"] == "ChiSquared"
    bench.put("data/rows", csv(["x"], [["ab"[n % 2]] for n in range(30)]))
    ended = bench.ended(analyze(bench, CSV))
    assert "categorical_drift_method ChiSquared is not implemented" in ended["FailureReason"]


SCRIPTS = "/opt/ml/processing/scripts"


def scripted(bench: Any, form: Any, script: str, variable: str = "record_preprocessor_script") -> str:
    """A job with a script; the baseline's place is the scripts' here."""
    bench.put("scripts/script.py", script)
    return analyze(bench, form, scripts=SCRIPTS, **{variable: f"{SCRIPTS}/script.py"})


def test_a_script_makes_rows_of_captures_of_different_encodings(bench: Any) -> None:
    lines = []
    for number in range(10):
        line = json.loads(capture(number, f"{number},a\n", ""))
        answer = {"predictions": [{"label": "yes", "score": number / 10}]}
        line["captureData"]["endpointOutput"] |= {"encoding": "JSON", "data": json.dumps(answer)}
        lines.append(json.dumps(line))
    bench.put("data/rows", "\n".join(lines))
    job = scripted(
        bench,
        {"sagemakerCaptureJson": {"captureIndexNames": ["endpointInput", "endpointOutput"]}},
        """
import json
def preprocess_handler(inference_record, logger):
    logger.info(f"looks at {inference_record.event_metadata.event_id}")
    size, colour = inference_record.endpoint_input.data.strip().split(",")
    if size == "9":
        return []
    [answer] = json.loads(inference_record.endpoint_output.data)["predictions"]
    return {"score": answer["score"], "size": None if size == "0" else size, "colour": colour}
""",
    )
    features = {one["name"]: one for one in document(bench, job, "statistics")["features"]}
    assert {name: one["inferred_type"] for name, one in features.items()} == {
        "score": "Fractional",
        "size": "Integral",
        "colour": "String",
    }
    assert features["size"]["numerical_statistics"]["common"] == {"num_present": 8, "num_missing": 1}
    assert "looks at event-3" in bench.log(job)


def test_a_script_may_change_a_request_or_read_the_lines_of_a_dataset(bench: Any) -> None:
    bench.put("data/rows", capture(1, "1,2", "0"))
    job = scripted(
        bench,
        {"sagemakerCaptureJson": {}},
        """
def preprocess_handler(inference_record):
    inference_record.endpoint_input.data = "7,8"
    return inference_record
""",
    )
    sums = [one["numerical_statistics"]["sum"] for one in document(bench, job, "statistics")["features"]]
    assert sums == [0.0, 7.0, 8.0]
    bench.put("data/rows", csv(["a", "b"], [[1e-7, 2], [3, 4]]))
    job = scripted(
        bench,
        CSV,
        """
def preprocess_handler(csv_line):
    if csv_line.startswith("a,"):
        return []
    values = [format(float(value), "f") for value in csv_line.split(",")]
    return {str(place).zfill(20): value for place, value in enumerate(values)}
""",
    )
    first, second = document(bench, job, "statistics")["features"]
    assert first["name"] == "0" * 20
    assert second["numerical_statistics"]["sum"] == 6.0


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
def test_a_script_that_fails_ends_the_job_with_its_reason(bench: Any, script: str, reason: str) -> None:
    bench.put("data/rows", capture(1, "1,2", "0"))
    ended = bench.ended(scripted(bench, {"sagemakerCaptureJson": {}}, script))
    assert ended["ProcessingJobStatus"] == "Failed"
    assert reason in ended["FailureReason"]


def test_a_script_after_the_analysis_sees_its_documents(bench: Any) -> None:
    bench.put("data/rows", csv(["a"], [[1], [2]]))
    script = f"""
import json, pathlib
def postprocess_handler():
    found = json.loads(pathlib.Path("{OUT}/statistics.json").read_text())
    pathlib.Path("{OUT}/mine.json").write_text(json.dumps(found["dataset"]))
"""
    job = scripted(bench, CSV, script, "post_analytics_processor_script")
    assert document(bench, job, "mine") == {"item_count": 2}
