"""Monitoring schedules over the wire, of an endpoint that captures; the time is given, never waited for."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hosting_place import BUCKET, ROLE, Place
from wire_clients import REGION, client_of, server_process, wait_for

from sagemaker_local import endpoint
from sagemaker_local.errors import AwsError
from sagemaker_local.home import Home
from sagemaker_local.hosting import capture_writer
from sagemaker_local.scheduling import monitoring, monitoring_windows
from sagemaker_local.store import Store

IMAGE = "468650794304.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-model-monitor-analyzer"
LOCAL = "/opt/ml/processing/input/endpoint"
HOURLY, HOUR = "cron(0 * ? * * *)", 3600.0
SCRIPT = """
def model_fn(model_dir):
    return None
def input_fn(body, content_type):
    return [line.split(",") for line in body.split()]
def predict_fn(rows, model):
    return [1 if float(row[0]) > 30 else 0 for row in rows]
def output_fn(prediction, accept):
    return "".join(f"{value}\\n" for value in prediction), "text/csv"
"""
STOPS_BEFORE_IT_MOVES_ON = """
import runpy, threading
from sagemaker_local.events.emission import WATCHERS

def stop(store, key, before, after):
    if "_Last" in after:
        threading.Event().wait()

WATCHERS["monitoring-schedule"] = stop
runpy.run_module("sagemaker_local", run_name="__main__")
"""
ROWS = [(n % 60, "ab"[n % 2]) for n in range(40)]


class Watched:
    """An endpoint named ``watched`` that has answered 40 requests, its captures and a baseline."""

    def __init__(self, running: endpoint.Endpoint) -> None:
        self.running = running
        self.place = place = Place(running.url)
        self.sagemaker, self.s3 = place.sagemaker, place.s3
        place.model("watched", place.echo("watched", SCRIPT))
        self.sagemaker.create_endpoint_config(
            EndpointConfigName="watched",
            ProductionVariants=[
                {
                    "VariantName": "AllTraffic",
                    "ModelName": "watched",
                    "InitialInstanceCount": 1,
                    "InstanceType": "ml.m5.large",
                }
            ],
            DataCaptureConfig={
                "InitialSamplingPercentage": 100,
                "DestinationS3Uri": f"s3://{BUCKET}/captures",
                "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
                "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"]},
            },
        )
        self.sagemaker.create_endpoint(EndpointName="watched", EndpointConfigName="watched")
        assert place.after_change("watched")["EndpointStatus"] == "InService"
        if time.time() % HOUR > HOUR - 60:  # all requests are of one hour
            time.sleep(HOUR - time.time() % HOUR)
        for number, (age, plan) in enumerate(ROWS):
            place.runtime.invoke_endpoint(
                EndpointName="watched",
                ContentType="text/csv",
                Accept="text/csv",
                InferenceId=f"request-{number}",
                Body=f"{age},{plan}\n".encode(),
            )
        wait_for(lambda: len(self.captured()) >= len(ROWS) or None)
        self.due = (time.time() // HOUR + 1) * HOUR
        """The next full hour."""
        self.baseline = self._baseline([(int(age > 30), age, plan) for age, plan in ROWS * 10])

    def captured(self) -> list[str]:
        found = self.s3.list_objects_v2(Bucket=BUCKET, Prefix="captures/watched/AllTraffic/")
        return [
            line
            for one in found.get("Contents", [])
            for line in self.s3.get_object(Bucket=BUCKET, Key=one["Key"])["Body"].read().splitlines()
        ]

    def _baseline(self, rows: list[tuple[Any, ...]]) -> dict[str, str]:
        text = "".join(",".join(map(str, row)) + "\n" for row in [("label", "age", "plan"), *rows])
        self.place.put("baseline/data/rows.csv", text.encode())
        self.sagemaker.create_processing_job(
            ProcessingJobName="baseline",
            RoleArn=ROLE,
            AppSpecification={"ImageUri": IMAGE},
            Environment={
                "dataset_format": json.dumps({"csv": {"header": True}}),
                "dataset_source": "/opt/ml/processing/input/data",
                "output_path": "/opt/ml/processing/output",
            },
            ProcessingResources={"ClusterConfig": resources()},
            ProcessingInputs=[
                {
                    "InputName": "data",
                    "S3Input": {
                        "S3Uri": f"s3://{BUCKET}/baseline/data",
                        "LocalPath": "/opt/ml/processing/input/data",
                        "S3DataType": "S3Prefix",
                        "S3InputMode": "File",
                    },
                }
            ],
            ProcessingOutputConfig={
                "Outputs": [
                    {
                        "OutputName": "monitoring_output",
                        "S3Output": {
                            "S3Uri": f"s3://{BUCKET}/baseline/results",
                            "LocalPath": "/opt/ml/processing/output",
                            "S3UploadMode": "EndOfJob",
                        },
                    }
                ]
            },
        )
        assert self.job_ended("baseline")["ProcessingJobStatus"] == "Completed"
        return {name: f"s3://{BUCKET}/baseline/results/{name}.json" for name in ("constraints", "statistics")}

    def job_ended(self, name: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            found: dict[str, Any] = self.sagemaker.describe_processing_job(ProcessingJobName=name)
            return None if found["ProcessingJobStatus"] == "InProgress" else found

        ended: dict[str, Any] = wait_for(look)
        return ended

    def start_due(self, now: float) -> list[str]:
        components = self.running._operations.components
        return monitoring.start_due(components.store, components.objects, self.running._operations, now)

    def ended(self, schedule: str) -> dict[str, Any]:
        """The schedule's newest execution, once it has ended."""

        def look() -> dict[str, Any] | None:
            newest = self.executions(schedule)[0]
            return newest if newest["MonitoringExecutionStatus"] not in ("Pending", "InProgress") else None

        found: dict[str, Any] = wait_for(look)
        return found

    def executions(self, schedule: str, **more: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.sagemaker.list_monitoring_executions(
            MonitoringScheduleName=schedule, **more
        )["MonitoringExecutionSummaries"]
        return found

    def result(self, execution: dict[str, Any], name: str) -> Any:
        job = self.sagemaker.describe_processing_job(
            ProcessingJobName=execution["ProcessingJobArn"].rpartition("/")[2]
        )
        uri = job["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"]
        key = f"{uri.removeprefix(f's3://{BUCKET}/')}/{name}.json"
        return json.loads(self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())

    def definition(self, name: str, kind: str = "data", **members: Any) -> str:
        getattr(self.sagemaker, f"create_{kind}_quality_job_definition")(
            **{**definition(name, kind, self.baseline), **members}
        )
        return name

    def schedule(
        self, name: str, expression: str = HOURLY, kind: str = "Data", offsets: tuple[str, ...] = ()
    ) -> str:
        """One of the definition of the same name."""
        timing = {"ScheduleExpression": expression}
        if offsets:
            timing |= {"DataAnalysisStartTime": offsets[0], "DataAnalysisEndTime": offsets[1]}
        self.sagemaker.create_monitoring_schedule(
            MonitoringScheduleName=name,
            MonitoringScheduleConfig={
                "ScheduleConfig": timing,
                "MonitoringJobDefinitionName": name,
                "MonitoringType": f"{kind}Quality",
            },
        )
        return name


def stored(store: Any, schedule: str) -> dict[str, Any]:
    found: dict[str, Any] | None = store.get(monitoring.SCHEDULE, REGION, schedule)
    assert found is not None
    return found


def resources(instances: int = 1) -> dict[str, Any]:
    return {"InstanceType": "ml.m5.xlarge", "InstanceCount": instances, "VolumeSizeInGB": 20}


def definition(
    name: str, kind: str, baseline: dict[str, str] | None, **endpoint_input: Any
) -> dict[str, Any]:
    """The members of a job definition, of ``data`` or ``model`` quality."""
    prefix = f"{kind.capitalize()}Quality"
    config: dict[str, Any] = {}
    if baseline:
        config = {"ConstraintsResource": {"S3Uri": baseline["constraints"]}}
        if kind == "data":
            config["StatisticsResource"] = {"S3Uri": baseline["statistics"]}
    source = {"EndpointName": "watched", "LocalPath": LOCAL, **endpoint_input}
    truth = {"GroundTruthS3Input": {"S3Uri": f"s3://{BUCKET}/truth"}} if kind == "model" else {}
    problem = {"ProblemType": "BinaryClassification"} if kind == "model" else {}
    return {
        "JobDefinitionName": name,
        f"{prefix}BaselineConfig": config,
        f"{prefix}AppSpecification": {"ImageUri": IMAGE, **problem},
        f"{prefix}JobInput": {"EndpointInput": source, **truth},
        f"{prefix}JobOutputConfig": {
            "MonitoringOutputs": [
                {
                    "S3Output": {
                        "S3Uri": f"s3://{BUCKET}/reports",
                        "LocalPath": "/opt/ml/processing/output",
                    }
                }
            ]
        },
        "JobResources": {"ClusterConfig": resources()},
        "RoleArn": ROLE,
    }


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    interval, capture_writer.INTERVAL = capture_writer.INTERVAL, 0.1
    with endpoint.start(tmp_path_factory.mktemp("monitoring") / "home") as running:
        yield Watched(running)
    capture_writer.INTERVAL = interval


def test_an_execution_looks_at_the_hour_before_and_is_described_with_its_job(watched: Watched) -> None:
    watched.schedule(watched.definition("hourly"))
    assert watched.start_due(watched.due + 14) == [], "what was captured last may not be there yet"
    assert watched.executions("hourly") == []
    watched.start_due(watched.due + 16)
    execution = watched.ended("hourly")
    assert execution["MonitoringExecutionStatus"] == "Completed", execution
    assert execution["ScheduledTime"].timestamp() == watched.due
    assert (execution["EndpointName"], execution["MonitoringType"]) == ("watched", "DataQuality")
    job = watched.job_ended(execution["ProcessingJobArn"].rpartition("/")[2])
    assert job["MonitoringScheduleArn"].endswith(":monitoring-schedule/hourly")
    moment = datetime.fromtimestamp(watched.due, UTC)
    hour = moment - timedelta(hours=1)
    assert job["ProcessingJobName"].startswith(f"model-monitoring-{moment:%Y%m%d%H}00-")
    assert (
        job["Environment"]
        | {
            "start_time": f"{hour:%Y-%m-%dT%H}:00:00Z",
            "end_time": f"{moment:%Y-%m-%dT%H}:00:00Z",
            "dataset_source": LOCAL,
            "output_path": "/opt/ml/processing/output",
            "sagemaker_endpoint_name": "watched",
            "sagemaker_monitoring_schedule_name": "hourly",
            "sagemaker_endpoint_datacapture_prefix": f"s3://{BUCKET}/captures",
        }
        == job["Environment"]
    )
    inputs = {one["InputName"]: one["S3Input"] for one in job["ProcessingInputs"]}
    assert inputs["input_1"]["S3Uri"] == f"s3://{BUCKET}/captures/watched/AllTraffic/{hour:%Y/%m/%d/%H}"
    assert inputs["input_1"]["LocalPath"] == f"{LOCAL}/watched/AllTraffic/{hour:%Y/%m/%d/%H}"
    [output] = job["ProcessingOutputConfig"]["Outputs"]
    assert output["S3Output"]["S3Uri"] == f"s3://{BUCKET}/reports/watched/hourly/{moment:%Y/%m/%d/%H}"
    assert watched.result(execution, "statistics")["dataset"]["item_count"] == len(ROWS)
    assert watched.result(execution, "constraint_violations")["violations"] == []
    described = watched.sagemaker.describe_monitoring_schedule(MonitoringScheduleName="hourly")
    assert described["MonitoringScheduleStatus"] == "Scheduled"
    assert described["LastMonitoringExecutionSummary"] == execution


def test_a_due_time_has_one_execution_and_those_that_were_missed_count_as_one(watched: Watched) -> None:
    watched.schedule(watched.definition("once"))
    store = watched.running._operations.components.store
    schedule = stored(store, "once")
    later = watched.due + 5 * HOUR + 60
    watched.start_due(later)
    watched.start_due(later + 1)
    assert [one["ScheduledTime"].timestamp() for one in watched.executions("once")] == [later - 60]
    # As after a process that was killed before it had noted what it started, and one before that.
    execution = stored(store, "once")["_LastExecution"]
    noted = store.get(monitoring.EXECUTION, REGION, execution)
    assert noted is not None
    for known in (noted, {**noted, monitoring.STATUS: "Pending"}):
        with store.transaction():
            store.put(monitoring.SCHEDULE, REGION, "once", {**schedule, "_Next": later - 60})
            store.put(monitoring.EXECUTION, REGION, execution, known)
        watched.start_due(later + 2)
        assert len(watched.executions("once")) == 1
    # The clock is set back: the next hour is due again, and has its execution already where it had one.
    watched.start_due(watched.due - 30)
    watched.start_due(watched.due + 60)
    found = watched.executions("once", SortBy="ScheduledTime")
    assert [one["ScheduledTime"].timestamp() for one in found] == [later - 60, watched.due]
    assert stored(store, "once")["_Next"] == watched.due + HOUR
    # A job that was created before its process was killed is the execution's, and no second one is.
    again = stored(store, "once")
    with store.transaction():
        pending = store.get(monitoring.EXECUTION, REGION, again["_LastExecution"])
        assert pending is not None
        arn = pending.pop("ProcessingJobArn")
        pending[monitoring.STATUS] = "Pending"
        store.put(monitoring.EXECUTION, REGION, again["_LastExecution"], pending)
        store.put(monitoring.SCHEDULE, REGION, "once", {**again, "_Next": watched.due})
    watched.start_due(watched.due + 61)
    newest = watched.executions("once", SortBy="ScheduledTime")[-1]
    assert newest["ProcessingJobArn"] == arn


def test_an_hour_without_captures_is_a_failed_execution_without_a_job(watched: Watched) -> None:
    watched.schedule(watched.definition("quiet"))
    watched.start_due(watched.due + 3 * HOUR + 60)
    [execution] = watched.executions("quiet")
    assert execution["MonitoringExecutionStatus"] == "Failed"
    assert execution["FailureReason"] == "Job inputs had no data"
    assert "ProcessingJobArn" not in execution


def test_requests_of_another_kind_are_violations_and_metrics(watched: Watched) -> None:
    constraints = json.loads(
        watched.s3.get_object(Bucket=BUCKET, Key="baseline/results/constraints.json")["Body"].read()
    )
    for feature in constraints["features"]:
        if feature["name"] == "plan":
            feature["string_constraints"]["domains"] = ["a"]
    uri = watched.place.put("baseline/strict/constraints.json", json.dumps(constraints).encode())
    watched.definition(
        "strict",
        DataQualityBaselineConfig={
            "ConstraintsResource": {"S3Uri": uri},
            "StatisticsResource": {"S3Uri": watched.baseline["statistics"]},
        },
    )
    watched.schedule("strict")
    watched.start_due(watched.due + 60)
    execution = watched.ended("strict")
    assert execution["MonitoringExecutionStatus"] == "CompletedWithViolations"
    [violation] = watched.result(execution, "constraint_violations")["violations"]
    assert (violation["feature_name"], violation["constraint_check_type"]) == (
        "plan",
        "categorical_values_check",
    )
    assert watched.executions("strict", StatusEquals="CompletedWithViolations") == [execution]
    assert watched.executions("strict", StatusEquals="Completed") == []
    cloudwatch = client_of(watched.running.url, "cloudwatch")
    namespace = "aws/sagemaker/Endpoints/data-metrics"
    dimensions = [
        {"Name": "Endpoint", "Value": "watched"},
        {"Name": "MonitoringSchedule", "Value": "strict"},
    ]
    found = cloudwatch.list_metrics(Namespace=namespace, Dimensions=dimensions)["Metrics"]
    assert {"feature_data_age", "feature_non_null_plan", "feature_baseline_drift_age"} <= {
        one["MetricName"] for one in found
    }


def test_the_baseline_of_a_job_is_found_by_its_name(watched: Watched) -> None:
    watched.definition("named", DataQualityBaselineConfig={"BaseliningJobName": "baseline"})
    watched.schedule("named")
    watched.start_due(watched.due + 60)
    assert watched.ended("named")["MonitoringExecutionStatus"] == "Completed"
    watched.definition("unknown", DataQualityBaselineConfig={"BaseliningJobName": "nobody"})
    watched.schedule("unknown")
    watched.start_due(watched.due + 60)
    assert "no processing job nobody" in watched.ended("unknown")["FailureReason"]


def test_model_quality_joins_the_labels_that_came_since(watched: Watched) -> None:
    wrong = {3, 4}
    lines = [
        json.dumps(
            {
                "groundTruthData": {
                    "data": str(int(age > 30) ^ (number in wrong)),
                    "encoding": "CSV",
                },
                "eventMetadata": {"eventId": f"request-{number}"},
                "eventVersion": "0",
            }
        )
        for number, (age, _) in enumerate(ROWS[:30])
    ]
    late = datetime.fromtimestamp(watched.due, UTC)
    watched.place.put(f"truth/{late:%Y/%m/%d/%H}/labels.jsonl", "\n".join(lines).encode())
    limits = {"accuracy": {"threshold": 0.99, "comparison_operator": "LessThanThreshold"}}
    uri = watched.place.put(
        "baseline/model/constraints.json",
        json.dumps({"version": 0.0, "binary_classification_constraints": limits}).encode(),
    )
    members = definition("labels", "model", None, InferenceAttribute="0")
    members["ModelQualityBaselineConfig"] = {"ConstraintsResource": {"S3Uri": uri}}
    watched.sagemaker.create_model_quality_job_definition(**members)
    watched.schedule("labels", kind="Model")
    watched.start_due(watched.due + 60)
    execution = watched.ended("labels")
    assert execution["MonitoringExecutionStatus"] == "CompletedWithViolations", execution
    statistics = watched.result(execution, "statistics")
    assert statistics["dataset"]["item_count"] == 30
    assert statistics["binary_classification_metrics"]["accuracy"]["value"] == pytest.approx(28 / 30)
    [violation] = watched.result(execution, "constraint_violations")["violations"]
    assert violation["metric_name"] == "accuracy"


def test_a_schedule_may_hold_its_definition_itself(watched: Watched) -> None:
    given = definition("inside", "data", watched.baseline)
    watched.sagemaker.create_monitoring_schedule(
        MonitoringScheduleName="inside",
        MonitoringScheduleConfig={
            "ScheduleConfig": {"ScheduleExpression": HOURLY},
            "MonitoringJobDefinition": {
                "BaselineConfig": given["DataQualityBaselineConfig"],
                "MonitoringInputs": [given["DataQualityJobInput"]],
                "MonitoringOutputConfig": given["DataQualityJobOutputConfig"],
                "MonitoringResources": given["JobResources"],
                "MonitoringAppSpecification": given["DataQualityAppSpecification"],
                "RoleArn": ROLE,
            },
        },
    )
    watched.start_due(watched.due + 60)
    assert watched.ended("inside")["MonitoringExecutionStatus"] == "Completed"


def test_the_scripts_of_a_definition_are_called(watched: Watched) -> None:
    rows = """
def preprocess_handler(inference_record):
    age, plan = inference_record.endpoint_input.data.strip().split(",")
    return {"label": inference_record.endpoint_output.data.strip(), "age": int(age) + 25, "plan": plan}
"""
    after = "def postprocess_handler():\n    print('after all of it')\n"
    specification = {
        "ImageUri": IMAGE,
        "RecordPreprocessorSourceUri": watched.place.put("scripts/rows.py", rows.encode()),
        "PostAnalyticsProcessorSourceUri": watched.place.put("scripts/after.py", after.encode()),
    }
    watched.schedule(watched.definition("scripted", DataQualityAppSpecification=specification))
    watched.start_due(watched.due + 60)
    execution = watched.ended("scripted")
    assert execution["MonitoringExecutionStatus"] == "CompletedWithViolations", execution
    [age] = [one for one in watched.result(execution, "statistics")["features"] if one["name"] == "age"]
    assert age["numerical_statistics"]["min"] == 25
    events = watched.place.logs.filter_log_events(
        logGroupName="/aws/sagemaker/ProcessingJobs",
        logStreamNamePrefix=execution["ProcessingJobArn"].rpartition("/")[2],
    )["events"]
    assert "after all of it" in [event["message"] for event in events]


def test_now_runs_once_at_once_and_again_when_it_is_started_again(watched: Watched) -> None:
    watched.schedule(watched.definition("now"), "NOW", offsets=("-PT1H", "-PT0H"))
    watched.start_due(time.time())
    assert watched.ended("now")["MonitoringExecutionStatus"] == "Completed"
    watched.start_due(time.time() + 60)
    assert len(watched.executions("now")) == 1
    for change in ("stop", "start"):
        getattr(watched.sagemaker, f"{change}_monitoring_schedule")(MonitoringScheduleName="now")
    watched.start_due(time.time())
    assert len(watched.executions("now")) == 2


def test_a_stopped_schedule_starts_nothing_and_an_update_leaves_it_stopped(watched: Watched) -> None:
    watched.schedule(watched.definition("stopped"))
    watched.sagemaker.stop_monitoring_schedule(MonitoringScheduleName="stopped")
    watched.start_due(watched.due + 60)
    assert watched.executions("stopped") == []
    config = {
        "ScheduleConfig": {"ScheduleExpression": "cron(0 0/6 ? * * *)"},
        "MonitoringJobDefinitionName": "stopped",
        "MonitoringType": "DataQuality",
    }
    watched.sagemaker.update_monitoring_schedule(
        MonitoringScheduleName="stopped", MonitoringScheduleConfig=config
    )
    described = watched.sagemaker.describe_monitoring_schedule(MonitoringScheduleName="stopped")
    assert described["MonitoringScheduleStatus"] == "Stopped"
    assert described["MonitoringScheduleConfig"] == config
    watched.sagemaker.start_monitoring_schedule(MonitoringScheduleName="stopped")
    watched.start_due(watched.due + 7 * HOUR)
    [execution] = watched.executions("stopped")
    assert execution["ScheduledTime"].astimezone(UTC).hour % 6 == 0


def test_they_are_listed_by_their_filters_page_by_page(watched: Watched) -> None:
    names = [f"page-{number}" for number in range(3)]
    for name in names:
        watched.schedule(watched.definition(name, DataQualityJobInput=input_of(name)))
    listed = watched.sagemaker.list_monitoring_schedules

    def found(**members: Any) -> list[str]:
        return [one["MonitoringScheduleName"] for one in listed(**members)["MonitoringScheduleSummaries"]]

    assert found(NameContains="page-", SortBy="Name", SortOrder="Ascending") == names
    assert found(EndpointName="page-1") == ["page-1"]
    assert found(MonitoringJobDefinitionName="page-2", MonitoringTypeEquals="DataQuality") == ["page-2"]
    assert found(NameContains="page-", MonitoringTypeEquals="ModelQuality") == []
    assert found(NameContains="page-", StatusEquals="Stopped") == []
    first = listed(NameContains="page-", MaxResults=2)
    rest = listed(NameContains="page-", MaxResults=2, NextToken=first["NextToken"])
    assert [len(one["MonitoringScheduleSummaries"]) for one in (first, rest)] == [2, 1]
    definitions = watched.sagemaker.list_data_quality_job_definitions(EndpointName="page-1")
    [summary] = definitions["JobDefinitionSummaries"]
    assert summary["MonitoringJobDefinitionName"] == "page-1"
    assert summary["MonitoringJobDefinitionArn"].endswith(":data-quality-job-definition/page-1")


def input_of(endpoint_name: str, **more: Any) -> dict[str, Any]:
    return {"EndpointInput": {"EndpointName": endpoint_name, "LocalPath": LOCAL, **more}}


def test_names_are_taken_tags_go_with_the_thing_and_what_is_in_use_stays(watched: Watched) -> None:
    tags = [{"Key": "team", "Value": "risk"}]
    watched.definition("taken", Tags=tags)
    config = {"MonitoringJobDefinitionName": "taken", "MonitoringType": "DataQuality"}
    made = watched.sagemaker.create_monitoring_schedule(
        MonitoringScheduleName="taken", MonitoringScheduleConfig=config, Tags=tags
    )
    described = watched.sagemaker.describe_data_quality_job_definition(JobDefinitionName="taken")
    for arn in (made["MonitoringScheduleArn"], described["JobDefinitionArn"]):
        assert watched.sagemaker.list_tags(ResourceArn=arn)["Tags"] == tags
    with pytest.raises(watched.sagemaker.exceptions.ResourceInUse):
        watched.definition("taken")
    with pytest.raises(watched.sagemaker.exceptions.ResourceInUse):
        watched.sagemaker.create_monitoring_schedule(
            MonitoringScheduleName="taken", MonitoringScheduleConfig=config
        )
    with pytest.raises(ClientError, match="in use by the monitoring schedule taken"):
        watched.sagemaker.delete_data_quality_job_definition(JobDefinitionName="taken")
    watched.sagemaker.delete_monitoring_schedule(MonitoringScheduleName="taken")
    watched.sagemaker.delete_data_quality_job_definition(JobDefinitionName="taken")
    for ask, member in (
        (watched.sagemaker.describe_monitoring_schedule, "MonitoringScheduleName"),
        (watched.sagemaker.describe_data_quality_job_definition, "JobDefinitionName"),
        (watched.sagemaker.delete_monitoring_schedule, "MonitoringScheduleName"),
    ):
        with pytest.raises(watched.sagemaker.exceptions.ResourceNotFound):
            ask(**{member: "taken"})
    watched.definition("taken")
    again = watched.sagemaker.describe_data_quality_job_definition(JobDefinitionName="taken")
    assert watched.sagemaker.list_tags(ResourceArn=again["JobDefinitionArn"])["Tags"] == []


def test_the_executions_of_a_deleted_schedule_stay_listed(watched: Watched) -> None:
    watched.schedule(watched.definition("gone"))
    watched.start_due(watched.due + 2 * HOUR + 60)
    watched.sagemaker.delete_monitoring_schedule(MonitoringScheduleName="gone")
    assert [one["MonitoringExecutionStatus"] for one in watched.executions("gone")] == ["Failed"]


@pytest.mark.parametrize(
    ("members", "named"),
    [
        (
            {
                "DataQualityJobInput": {
                    "BatchTransformInput": {
                        "DataCapturedDestinationS3Uri": f"s3://{BUCKET}/x",
                        "DatasetFormat": {"Csv": {"Header": True}},
                        "LocalPath": LOCAL,
                    }
                }
            },
            "BatchTransformInput",
        ),
        ({"DataQualityAppSpecification": {"ImageUri": "elsewhere/monitor:1"}}, "entry point"),
        ({"JobResources": {"ClusterConfig": resources(2)}}, "InstanceCount 2"),
        ({"DataQualityJobInput": input_of("watched", S3InputMode="Pipe")}, "S3InputMode Pipe"),
        ({"DataQualityJobInput": input_of("watched", StartTimeOffset="-PT2D")}, "'-PT2D' is no offset"),
        ({"DataQualityJobInput": input_of("watched", StartTimeOffset="-P999999Y")}, "at most 365 days"),
    ],
)
def test_what_a_definition_asks_for_and_is_not_done_here_is_refused_by_name(
    watched: Watched, members: dict[str, Any], named: str
) -> None:
    with pytest.raises(ClientError, match=named):
        watched.definition("refused", **members)
    listed = watched.sagemaker.list_data_quality_job_definitions(NameContains="refused")
    assert listed["JobDefinitionSummaries"] == []


@pytest.mark.parametrize(
    ("config", "named"),
    [
        (
            {"MonitoringJobDefinitionName": "nobody", "MonitoringType": "DataQuality"},
            "no DataQuality job def",
        ),
        (
            {"MonitoringJobDefinitionName": "hourly", "MonitoringType": "ModelBias"},
            "MonitoringType ModelBias",
        ),
        ({"MonitoringJobDefinitionName": "hourly"}, "needs MonitoringType"),
        ({}, "either MonitoringJobDefinition or"),
        *(
            (
                {
                    "ScheduleConfig": {"ScheduleExpression": expression},
                    "MonitoringJobDefinitionName": "good",
                    "MonitoringType": "DataQuality",
                },
                named,
            )
            for expression, named in (
                ("NOW", "needs DataAnalysisStartTime"),
                ("rate(1 hour)", "no ScheduleExpression"),
                ("cron(30 * ? * * *)", "no ScheduleExpression"),
                ("cron(0 24 ? * * *)", "no ScheduleExpression"),
                ("cron(0 0/25 ? * * *)", "no ScheduleExpression"),
            )
        ),
    ],
)
def test_a_wrong_schedule_is_refused_and_says_what_is_right(
    watched: Watched, config: dict[str, Any], named: str
) -> None:
    if config.get("MonitoringJobDefinitionName") == "good":
        with contextlib.suppress(watched.sagemaker.exceptions.ResourceInUse):
            watched.definition("good")
    with pytest.raises(ClientError, match=named):
        watched.sagemaker.create_monitoring_schedule(
            MonitoringScheduleName="wrong", MonitoringScheduleConfig=config
        )


def moment(text: str) -> float:
    return datetime.fromisoformat(f"{text}:00+00:00").timestamp()


@pytest.mark.parametrize(
    ("config", "source", "start", "end"),
    [
        ({"ScheduleExpression": HOURLY}, {}, "2020-01-09T12:00", "2020-01-09T13:00"),
        ({"ScheduleExpression": "cron(0 13 ? * * *)"}, {}, "2020-01-08T13:00", "2020-01-09T13:00"),
        ({"ScheduleExpression": "cron(0 1/12 ? * * *)"}, {}, "2020-01-09T01:00", "2020-01-09T13:00"),
        ({"ScheduleExpression": "cron(0 13/24 ? * * *)"}, {}, "2020-01-08T13:00", "2020-01-09T13:00"),
        (
            {"ScheduleExpression": HOURLY},
            {"StartTimeOffset": "-P8D", "EndTimeOffset": "-P1D"},
            "2020-01-01T13:00",
            "2020-01-08T13:00",
        ),
        (
            {
                "ScheduleExpression": "NOW",
                "DataAnalysisStartTime": "-PT2H",
                "DataAnalysisEndTime": "-PT0H",
            },
            {"StartTimeOffset": "-P8D"},
            "2020-01-09T11:00",
            "2020-01-09T13:00",
        ),
    ],
)
def test_windows_are_those_of_awss_examples(
    config: dict[str, str], source: dict[str, str], start: str, end: str
) -> None:
    monitoring_windows.check(config)
    found = monitoring_windows.window(config, source, moment("2020-01-09T13:00"))
    assert found == (moment(start), moment(end))


def test_a_schedule_without_an_expression_runs_daily() -> None:
    monitoring_windows.check({})
    due = monitoring_windows.next_due({}, moment("2020-01-09T13:00"))
    assert due == moment("2020-01-10T00:00")
    with pytest.raises(AwsError, match="no offset"):
        monitoring_windows.seconds_of("1 hour")


def run_now(place: Place) -> None:
    """A schedule of an endpoint that does not exist, which is due at once."""
    place.sagemaker.create_data_quality_job_definition(**definition("alone", "data", None))
    place.sagemaker.create_monitoring_schedule(
        MonitoringScheduleName="alone",
        MonitoringScheduleConfig={
            "ScheduleConfig": {
                "ScheduleExpression": "NOW",
                "DataAnalysisStartTime": "-PT1H",
                "DataAnalysisEndTime": "-PT0H",
            },
            "MonitoringJobDefinitionName": "alone",
            "MonitoringType": "DataQuality",
        },
    )


def failed(place: Place) -> list[dict[str, Any]] | None:
    found: list[dict[str, Any]] = place.sagemaker.list_monitoring_executions()["MonitoringExecutionSummaries"]
    return found if found and found[0]["MonitoringExecutionStatus"] == "Failed" else None


def test_an_endpoint_that_is_kept_up_starts_what_is_due_by_itself(tmp_path: Path) -> None:
    with server_process(tmp_path) as (_, url):
        place = Place(url)
        run_now(place)
        [execution] = wait_for(lambda: failed(place))
        assert execution["FailureReason"] == "Could not find endpoint watched."


def test_a_process_that_is_killed_after_an_execution_began_starts_no_second_one(tmp_path: Path) -> None:
    store = Store(Home(tmp_path).database)

    def executions() -> list[dict[str, Any]]:
        """From the store: what stops in the endpoint is what writes, and answers may have to wait for it."""
        found = store.list(monitoring.EXECUTION)
        return [one for one in found if one["MonitoringExecutionStatus"] == "Failed"]

    with server_process(tmp_path, program=STOPS_BEFORE_IT_MOVES_ON) as (process, url):
        run_now(Place(url))
        before = wait_for(lambda: executions() or None)
        process.kill()
        process.wait()
    assert "_Last" not in stored(store, "alone")
    with server_process(tmp_path):
        wait_for(lambda: "_Last" in stored(store, "alone") or None)
        assert executions() == before
