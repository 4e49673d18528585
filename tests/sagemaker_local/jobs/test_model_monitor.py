"""Model Monitor's image in processing jobs: the documents it writes, what violates them, what is refused."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from monitored_rows import BINARY, CSV, capture, csv
from sklearn.metrics import f1_score, recall_score, roc_auc_score

from sagemaker_local.errors import AwsError

IMAGE = "468650794304.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-model-monitor-analyzer"
ROLE = "arn:aws:iam::000000000000:role/local"
DATA, OUT = "/opt/ml/processing/input/data", "/opt/ml/processing/output"
BASELINE = "/opt/ml/processing/baseline"


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


def answers(count: int, right: float, seed: int = 0) -> list[list[object]]:
    generator = random.Random(seed)
    rows: list[list[object]] = []
    for _ in range(count):
        label = generator.random() < 0.4
        hit = generator.random() < right
        score = round(generator.uniform(0.5, 1) if label == hit else generator.uniform(0, 0.499), 3)
        rows.append([int(label), int(score >= 0.5), score])
    return rows


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


def test_answers_of_another_encoding_than_the_requests_end_it_as_on_aws(bench: Any) -> None:
    line = json.loads(capture(1, "1,2", "0"))
    line["captureData"]["endpointOutput"] |= {"encoding": "JSON", "data": '{"answer": 0}'}
    bench.put("data/rows", json.dumps(line))
    ended = bench.ended(analyze(bench, {"sagemakerCaptureJson": {}}))
    assert ended["ProcessingJobStatus"] == "Failed"
    assert "Traceback" not in ended["FailureReason"]
    assert ended["ExitMessage"].startswith("Error: ")
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
