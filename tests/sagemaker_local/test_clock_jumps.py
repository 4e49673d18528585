"""The system's clock is set while something is under way: nothing takes a day, is lost, or waits for one."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import struct
import time
from pathlib import Path
from typing import Any

import pytest
from event_places import ROLE, make_function, make_queue, make_rule, put_event, received
from hosting_place import BUCKET, Place
from jumping_clock import DAY, endpoint_with_clock
from wire_clients import Client, client_of, wait_for

from sagemaker_local import clocks, endpoint
from sagemaker_local.jobs.launcher.log import TIMES_RECORD, Log

SKLEARN = "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-scikit-learn:1.8-0-cpu-py3"
XGBOOST = "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:3.2-0"
JUMPS = pytest.mark.parametrize(
    ("before", "after"), [(0.0, DAY), (DAY, 0.0)], ids=["forward by a day", "back by a day"]
)
LONGEST = 120.0
"""Seconds that anything here may take: much less than a day, much more than it does."""
CLUSTER = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}


def waiting_for(folder: Path) -> list[str]:
    """A job's program that says when it is there and waits until it may end."""
    return ["sh", "-c", f"touch {folder}/started; while [ ! -e {folder}/go ]; do sleep 0.05; done"]


def appears(path: Path) -> None:
    wait_for(lambda: path.exists() or None)


def seconds(found: dict[str, Any], start: str, end: str) -> float:
    return float((found[end] - found[start]).total_seconds())


@JUMPS
def test_durations_of_an_execution_and_its_job_are_what_passed(
    tmp_path: Path, before: float, after: float
) -> None:
    step = {
        "Name": "Wait",
        "Type": "Processing",
        "Arguments": {
            "RoleArn": ROLE,
            "ProcessingResources": {"ClusterConfig": CLUSTER},
            "AppSpecification": {"ImageUri": SKLEARN, "ContainerEntrypoint": waiting_for(tmp_path)},
        },
    }
    document = json.dumps({"Version": "2020-12-01", "Steps": [step]})
    with endpoint_with_clock(tmp_path, before) as (_, url, clock):
        sagemaker = client_of(url, "sagemaker")
        sagemaker.create_pipeline(
            PipelineName="p", PipelineDefinition=document, RoleArn=ROLE, ClientRequestToken="t" * 32
        )
        arn = sagemaker.start_pipeline_execution(PipelineName="p")["PipelineExecutionArn"]
        appears(tmp_path / "started")
        clock.set_ahead(after)
        (tmp_path / "go").touch()

        def ended() -> dict[str, Any] | None:
            found: dict[str, Any] = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
            return None if found["PipelineExecutionStatus"] == "Executing" else found

        execution = wait_for(ended)
        (step_found,) = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)[
            "PipelineExecutionSteps"
        ]
        (job,) = sagemaker.list_processing_jobs()["ProcessingJobSummaries"]
        described = sagemaker.describe_processing_job(ProcessingJobName=job["ProcessingJobName"])
    assert execution["PipelineExecutionStatus"] == "Succeeded"
    assert 0 <= seconds(execution, "CreationTime", "LastModifiedTime") < LONGEST
    assert 0 < seconds(step_found, "StartTime", "EndTime") < LONGEST
    assert 0 < seconds(described, "ProcessingStartTime", "ProcessingEndTime") < LONGEST
    assert 0 < seconds(described, "CreationTime", "LastModifiedTime") < LONGEST


@JUMPS
def test_the_time_of_a_training_job_is_what_passed(tmp_path: Path, before: float, after: float) -> None:
    with endpoint_with_clock(tmp_path, before) as (_, url, clock):
        sagemaker = client_of(url, "sagemaker")
        client_of(url, "s3").create_bucket(
            Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        sagemaker.create_training_job(
            TrainingJobName="job",
            RoleArn=ROLE,
            AlgorithmSpecification={
                "TrainingImage": XGBOOST,
                "TrainingInputMode": "File",
                "ContainerEntrypoint": waiting_for(tmp_path),
            },
            OutputDataConfig={"S3OutputPath": "s3://bucket/models"},
            ResourceConfig=CLUSTER,
            StoppingCondition={"MaxRuntimeInSeconds": 3600},
        )
        appears(tmp_path / "started")
        clock.set_ahead(after)
        (tmp_path / "go").touch()

        def ended() -> dict[str, Any] | None:
            found: dict[str, Any] = sagemaker.describe_training_job(TrainingJobName="job")
            return None if found["TrainingJobStatus"] == "InProgress" else found

        job = wait_for(ended)
    assert job["TrainingJobStatus"] == "Completed", "a jump is not MaxRuntimeInSeconds"
    assert job["TrainingTimeInSeconds"] < LONGEST
    assert job["BillableTimeInSeconds"] < LONGEST
    assert 0 < seconds(job, "TrainingStartTime", "TrainingEndTime") < LONGEST
    assert all(
        0 <= seconds(one, "StartTime", "EndTime") < LONGEST for one in job["SecondaryStatusTransitions"]
    )


@JUMPS
def test_what_a_killed_endpoint_ran_ends_after_it_started(
    tmp_path: Path, before: float, after: float
) -> None:
    with endpoint_with_clock(tmp_path, before) as (process, url, _):
        client_of(url, "sagemaker").create_processing_job(
            ProcessingJobName="job",
            RoleArn=ROLE,
            ProcessingResources={"ClusterConfig": CLUSTER},
            AppSpecification={"ImageUri": SKLEARN, "ContainerEntrypoint": waiting_for(tmp_path)},
        )
        appears(tmp_path / "started")
        process.kill()
        process.wait()
    with endpoint_with_clock(tmp_path, after) as (_, url, _):
        job = client_of(url, "sagemaker").describe_processing_job(ProcessingJobName="job")
    assert job["ProcessingJobStatus"] == "Failed"
    assert 0 < seconds(job, "CreationTime", "ProcessingEndTime") < LONGEST


def test_a_message_stays_hidden_delayed_and_kept_when_the_clock_is_set_forward(tmp_path: Path) -> None:
    with endpoint_with_clock(tmp_path) as (_, url, clock):
        sqs = client_of(url, "sqs")
        queue = sqs.create_queue(QueueName="q", Attributes={"MessageRetentionPeriod": "3600"})["QueueUrl"]
        sqs.send_message(QueueUrl=queue, MessageBody="taken")
        assert received(sqs, queue) is not None
        sqs.send_message(QueueUrl=queue, MessageBody="late", DelaySeconds=900)
        sqs.send_message(QueueUrl=queue, MessageBody="kept")
        clock.set_ahead(DAY)
        message = received(sqs, queue)
        assert message is not None
        assert message["Body"] == "kept"
        assert received(sqs, queue) is None
        assert counts(sqs, queue) == (0, 2, 1)


def test_a_message_comes_in_its_time_when_the_clock_is_set_back(tmp_path: Path) -> None:
    with endpoint_with_clock(tmp_path, DAY) as (_, url, clock):
        sqs = client_of(url, "sqs")
        queue = sqs.create_queue(QueueName="q", Attributes={"VisibilityTimeout": "1"})["QueueUrl"]
        sqs.send_message(QueueUrl=queue, MessageBody="taken")
        assert received(sqs, queue) is not None
        sqs.send_message(QueueUrl=queue, MessageBody="late", DelaySeconds=1)
        sqs.send_message(QueueUrl=queue, MessageBody="sent")
        clock.set_ahead(0)
        bodies: set[str] = set()

        def all_found() -> bool | None:
            message = received(sqs, queue)
            bodies.update([message["Body"]] if message else [])
            return bodies == {"taken", "late", "sent"} or None

        wait_for(all_found)


@JUMPS
def test_a_call_that_failed_is_repeated_as_often_as_ever(tmp_path: Path, before: float, after: float) -> None:
    source = f"""
def handler(event, context):
    with open({str(tmp_path / "calls")!r}, "a") as calls:
        calls.write("called\\n")
    raise ValueError("no")
"""
    calls = tmp_path / "calls"
    with endpoint_with_clock(tmp_path, before) as (_, url, clock):
        functions = client_of(url, "lambda")
        make_function(functions, "f", source)
        functions.invoke(FunctionName="f", InvocationType="Event", Payload=b"{}")
        wait_for(lambda: has_failed_once(tmp_path / "home"))
        clock.set_ahead(after)
        wait_for(lambda: calls.read_text().count("called") == 3 or None)


def test_an_event_that_waits_for_an_endpoint_outlives_a_jump(tmp_path: Path) -> None:
    with endpoint.start(tmp_path / "home") as waiting:  # not one that delivers
        queue, arn = make_queue(client_of(waiting.url, "sqs"), "q")
        events = client_of(waiting.url, "events")
        make_rule(events, "rule", {"source": ["test"]}, {"Arn": arn})
        put_event(events, "test", {})
    with endpoint_with_clock(tmp_path, 2 * DAY) as (_, url, _):
        sqs = client_of(url, "sqs")
        assert wait_for(lambda: received(sqs, queue))["MessageId"]


def test_a_rule_of_a_rate_fires_after_its_rate_when_the_clock_was_set_back(tmp_path: Path) -> None:
    with endpoint_with_clock(tmp_path, DAY) as (_, url, clock):
        events, sqs = client_of(url, "events"), client_of(url, "sqs")
        queue, arn = make_queue(sqs, "q")
        events.put_rule(Name="rate", ScheduleExpression="rate(1 minute)")
        events.put_targets(Rule="rate", Targets=[{"Id": "0", "Arn": arn}])
        ahead = 0.0

        def fired() -> dict[str, Any] | None:
            nonlocal ahead
            ahead += 61
            clock.set_ahead(ahead)
            time.sleep(0.5)
            return received(sqs, queue)

        assert "Scheduled Event" in wait_for(fired)["Body"]
        assert ahead < DAY


def test_the_times_of_a_log_never_go_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log(str(tmp_path / "log"))
    log.write(b"first\n")
    set_back = time.time() - DAY
    monkeypatch.setattr(time, "time", lambda: set_back)
    time.sleep(0.05)
    log.write(b"second\n")
    records = list(struct.iter_unpack(TIMES_RECORD.format, (tmp_path / "log.times").read_bytes()))
    assert [offset for offset, _ in records] == [0, len("first\n")]
    assert 0 < records[1][1] - records[0][1] < LONGEST * 1000


def has_failed_once(home: Path) -> bool | None:
    """Whether a delivery waits for another attempt."""
    with contextlib.closing(sqlite3.connect(home / "state.db")) as store:
        return store.execute("SELECT 1 FROM delivery WHERE attempts >= 1").fetchone() and True


@pytest.mark.parametrize(
    "began", [{}, {clocks.CLOCK: {"Time": 5.0, "Uptime": 5.0, "Boot": "an earlier one"}}]
)
def test_nothing_happens_before_the_creation_of_what_another_boot_or_version_made(
    began: dict[str, Any],
) -> None:
    before = time.time()
    assert before <= clocks.now_in({"CreationTime": before - DAY, **began}) <= time.time()
    assert clocks.now_in({"CreationTime": before + DAY, **began}) == before + DAY


def counts(sqs: Client, queue: str) -> tuple[int, int, int]:
    """Messages that can be received, are hidden, and are delayed."""
    names = [f"ApproximateNumberOfMessages{which}" for which in ("", "NotVisible", "Delayed")]
    found = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    ready, hidden, delayed = (int(found[name]) for name in names)
    return ready, hidden, delayed


@JUMPS
def test_captures_go_on_when_the_clock_is_set(tmp_path: Path, before: float, after: float) -> None:
    with endpoint_with_clock(tmp_path, before) as (_, url, clock):
        place = Place(url)
        place.model("m", place.echo("m"))
        variant = {
            "VariantName": "m",
            "ModelName": "m",
            "InitialInstanceCount": 1,
            "InstanceType": "ml.m5.large",
        }
        place.sagemaker.create_endpoint_config(
            EndpointConfigName="e",
            ProductionVariants=[variant],
            DataCaptureConfig={
                "EnableCapture": True,
                "InitialSamplingPercentage": 100,
                "DestinationS3Uri": f"s3://{BUCKET}/captured/",
                "CaptureOptions": [{"CaptureMode": "Input"}],
            },
        )
        place.sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="e")
        assert place.after_change("e")["EndpointStatus"] == "InService"

        def objects(count: int) -> list[str] | None:
            found = place.s3.list_objects_v2(Bucket=BUCKET, Prefix="captured/")
            keys = [item["Key"] for item in found.get("Contents", ())]
            return keys if len(keys) >= count else None

        place.invoke("e", b"1")
        wait_for(lambda: objects(1))
        place.invoke("e", b"2")
        clock.set_ahead(after)
        place.invoke("e", b"3")
        days = {key.split("/")[-3] for key in wait_for(lambda: objects(3))}
    assert len(days) == 2
