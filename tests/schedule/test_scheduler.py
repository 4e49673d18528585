"""Schedules over the wire, and the clock that starts what is due; the time is given, never waited for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from wire_clients import Client, client_of, definition, server_process, wait_for

from sagemaker_local import endpoint
from sagemaker_local.scheduling.clock import start_due

ROLE = "arn:aws:iam::000000000000:role/scheduler"
DAY = 86400


@pytest.fixture
def local(tmp_path: Path) -> Iterator[endpoint.Endpoint]:
    with endpoint.start(tmp_path) as started:
        yield started


@pytest.fixture
def sagemaker(local: endpoint.Endpoint) -> Client:
    return client_of(local.url, "sagemaker")


@pytest.fixture
def scheduler(local: endpoint.Endpoint, sagemaker: Client) -> Client:
    client = client_of(local.url, "scheduler")
    client.create_schedule(**schedule(pipeline(sagemaker)))
    return client


def pipeline(sagemaker: Client) -> str:
    made = sagemaker.create_pipeline(
        PipelineName="p", PipelineDefinition=definition(), RoleArn=ROLE, ClientRequestToken="t" * 32
    )
    return str(made["PipelineArn"])


def schedule(arn: str, expression: str = "rate(1 day)", **more: object) -> dict[str, object]:
    target = {"Arn": arn, "RoleArn": ROLE, "SageMakerPipelineParameters": {}}
    request = {"Name": "p", "ScheduleExpression": expression, "FlexibleTimeWindow": {"Mode": "OFF"}}
    return {**request, "Target": target, **more}


def executions(sagemaker: Client) -> int:
    return len(sagemaker.list_pipeline_executions(PipelineName="p")["PipelineExecutionSummaries"])


def test_a_schedule_is_described_listed_and_deleted(scheduler: Client) -> None:
    found = scheduler.get_schedule(Name="p")
    assert (found["ScheduleExpression"], found["State"]) == ("rate(1 day)", "ENABLED")
    assert [one["Name"] for one in scheduler.list_schedules()["Schedules"]] == ["p"]
    scheduler.delete_schedule(Name="p")
    with pytest.raises(scheduler.exceptions.ResourceNotFoundException):
        scheduler.get_schedule(Name="p")


def test_a_second_schedule_of_the_name_is_a_conflict(scheduler: Client) -> None:
    with pytest.raises(scheduler.exceptions.ConflictException):
        scheduler.create_schedule(**schedule("arn:aws:sagemaker:eu-west-1:000000000000:pipeline/p"))


def test_a_wrong_expression_is_refused_by_the_field(scheduler: Client) -> None:
    with pytest.raises(ClientError, match="field hours"):
        scheduler.update_schedule(
            **schedule("arn:aws:sagemaker:eu-west-1:000000000000:pipeline/p", "cron(0 24 * * ? *)")
        )


def test_a_due_time_starts_once_and_missed_ones_are_one(
    local: endpoint.Endpoint, scheduler: Client, sagemaker: Client
) -> None:
    services, now = local._services, time.time()
    assert len(start_due(services, now)) == 1  # a rate begins with its creation
    assert start_due(services, now) == []
    assert start_due(services, now + DAY - 60) == []
    assert len(start_due(services, now + 5 * DAY + 60)) == 1
    assert executions(sagemaker) == 2
    assert scheduler.get_schedule(Name="p")["State"] == "ENABLED"


def test_a_clock_that_is_put_back_starts_nothing_twice(
    local: endpoint.Endpoint, scheduler: Client, sagemaker: Client
) -> None:
    services, now = local._services, time.time()
    first = start_due(services, now + 30)
    assert start_due(services, now - 60) == []
    assert start_due(services, now + 30) == first
    assert executions(sagemaker) == 1
    assert scheduler.list_schedules()["Schedules"]


def test_a_disabled_schedule_starts_nothing(
    local: endpoint.Endpoint, scheduler: Client, sagemaker: Client
) -> None:
    arn = scheduler.get_schedule(Name="p")["Target"]["Arn"]
    scheduler.update_schedule(**schedule(arn, State="DISABLED"))
    assert start_due(local._services, time.time() + 9 * DAY) == []
    assert executions(sagemaker) == 0


def test_an_endpoint_killed_while_a_time_passes_starts_it_when_it_is_up_again(tmp_path: Path) -> None:
    with server_process(tmp_path) as (process, url):
        sagemaker, scheduler = client_of(url, "sagemaker"), client_of(url, "scheduler")
        arn = pipeline(sagemaker)
        scheduler.create_schedule(**schedule(arn))
        process.kill()
        process.wait()
    with server_process(tmp_path) as (_, url):
        sagemaker = client_of(url, "sagemaker")
        assert wait_for(lambda: executions(sagemaker) or None) == 1
