"""Schedules over the wire, and the clock that starts what is due; the time is given, never waited for."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from wire_clients import REGION, Client, client_of, definition, server_process, wait_for

from sagemaker_local import endpoint
from sagemaker_local.home import Home
from sagemaker_local.scheduling import clock
from sagemaker_local.scheduling.schedules import SCHEDULE
from sagemaker_local.store import Document, Store

ROLE = "arn:aws:iam::000000000000:role/scheduler"
DAY = 86400
LOOKS_LATE = """
import runpy
from sagemaker_local.scheduling import clock
clock._LOOK_SECONDS = 86400
runpy.run_module("sagemaker_local", run_name="__main__")
"""
STOPS_BEFORE_THE_NOTE = """
import runpy, threading
from sagemaker_local.events.emission import WATCHERS

def stop(store, key, before, after):
    if "_Last" in after:
        threading.Event().wait()

WATCHERS["schedule"] = stop
runpy.run_module("sagemaker_local", run_name="__main__")
"""


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


def counted(sagemaker: Client, number: int) -> bool | None:
    return executions(sagemaker) == number or None


def start_due(local: endpoint.Endpoint, now: float) -> list[str]:
    return clock.start_due(local._operations.components.store, local._operations, now)


def stored(store: Store) -> Document:
    found = store.get(SCHEDULE, REGION, "default/p")
    assert found is not None
    return found


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


@pytest.mark.usefixtures("scheduler")
def test_an_execution_says_which_schedule_started_it(local: endpoint.Endpoint, sagemaker: Client) -> None:
    [started] = start_due(local, time.time())
    found = sagemaker.describe_pipeline_execution(PipelineExecutionArn=started)
    session = f"arn:aws:sts::000000000000:assumed-role/{ROLE.rpartition('/')[2]}/scheduler-p"
    assert found["CreatedBy"]["IamIdentity"]["Arn"] == session


def test_a_wrong_expression_is_refused_by_the_field(scheduler: Client) -> None:
    with pytest.raises(ClientError, match="field hours"):
        scheduler.update_schedule(
            **schedule("arn:aws:sagemaker:eu-west-1:000000000000:pipeline/p", "cron(0 24 * * ? *)")
        )


def test_a_due_time_starts_once_and_missed_ones_are_one(
    local: endpoint.Endpoint, scheduler: Client, sagemaker: Client
) -> None:
    now = time.time()
    assert len(start_due(local, now)) == 1  # a rate begins with its creation
    assert start_due(local, now) == []
    assert start_due(local, now + DAY - 60) == []
    assert len(start_due(local, now + 5 * DAY + 60)) == 1
    assert executions(sagemaker) == 2
    assert scheduler.get_schedule(Name="p")["State"] == "ENABLED"


def test_a_clock_that_is_put_back_starts_nothing_twice(
    local: endpoint.Endpoint, scheduler: Client, sagemaker: Client
) -> None:
    now = time.time()
    first = start_due(local, now + 30)
    assert start_due(local, now - 60) == []
    assert start_due(local, now + 30) == first
    assert executions(sagemaker) == 1
    assert scheduler.list_schedules()["Schedules"]


def test_a_rate_waits_no_longer_than_itself_when_the_clock_is_put_back(
    local: endpoint.Endpoint, sagemaker: Client
) -> None:
    client_of(local.url, "scheduler").create_schedule(**schedule(pipeline(sagemaker), "rate(1 hour)"))
    earlier = int(time.time()) - DAY  # in whole seconds, sums and differences are exact
    assert start_due(local, earlier) == []
    assert start_due(local, earlier + 3599) == []
    assert len(start_due(local, earlier + 3600)) == 1
    assert start_due(local, earlier + 3601) == []


def test_a_clock_that_jumps_a_day_ahead_and_back_leaves_a_schedule_as_it_was(
    local: endpoint.Endpoint, sagemaker: Client
) -> None:
    scheduler = client_of(local.url, "scheduler")
    scheduler.create_schedule(**schedule(pipeline(sagemaker), "cron(0 3 * * ? *)"))
    three = datetime(2090, 2, 1, 3, tzinfo=UTC).timestamp()
    start_due(local, three)
    ahead = start_due(local, three + DAY + 60)
    assert len(ahead) == 1
    assert start_due(local, three + 120) == []
    assert start_due(local, three + DAY - 1) == []
    assert start_due(local, three + DAY) == ahead, "the same execution: that due time has been started"
    assert len(start_due(local, three + 2 * DAY)) == 1
    assert executions(sagemaker) == 3


@pytest.mark.usefixtures("scheduler")
def test_a_start_that_was_refused_is_tried_again_when_the_clock_was_put_back(
    local: endpoint.Endpoint, sagemaker: Client
) -> None:
    now = time.time() + 1
    sagemaker.delete_pipeline(PipelineName="p", ClientRequestToken="d" * 32)
    assert start_due(local, now) == []
    pipeline(sagemaker)
    assert len(start_due(local, now - DAY)) == 1


def test_a_disabled_schedule_starts_nothing(
    local: endpoint.Endpoint, scheduler: Client, sagemaker: Client
) -> None:
    arn = scheduler.get_schedule(Name="p")["Target"]["Arn"]
    scheduler.update_schedule(**schedule(arn, State="DISABLED"))
    assert start_due(local, time.time() + 9 * DAY) == []
    assert executions(sagemaker) == 0


def test_a_future_start_date_is_a_rates_first_time_and_the_end_date_its_last(
    local: endpoint.Endpoint, sagemaker: Client
) -> None:
    start = int(time.time()) + 9 * DAY
    client_of(local.url, "scheduler").create_schedule(
        **schedule(pipeline(sagemaker), StartDate=start, EndDate=start + DAY)
    )
    assert start_due(local, start - 1) == []
    assert len(start_due(local, start)) == 1
    assert start_due(local, start + DAY - 1) == []
    assert len(start_due(local, start + DAY)) == 1
    assert start_due(local, start + 9 * DAY) == []


def test_a_cron_time_before_the_start_date_is_left_out(local: endpoint.Endpoint, sagemaker: Client) -> None:
    start = datetime(2090, 1, 31, 3, 30, tzinfo=UTC)
    client_of(local.url, "scheduler").create_schedule(
        **schedule(pipeline(sagemaker), "cron(0 3 * * ? *)", StartDate=start)
    )
    first = datetime(2090, 2, 1, 3, tzinfo=UTC).timestamp()
    assert start_due(local, first - 1) == []
    assert len(start_due(local, first)) == 1


def test_an_end_date_leaves_what_became_due_before_it_and_nothing_after_it(
    local: endpoint.Endpoint, sagemaker: Client
) -> None:
    client_of(local.url, "scheduler").create_schedule(
        **schedule(pipeline(sagemaker), "rate(1 hour)", EndDate=time.time() + 7200)
    )
    assert len(start_due(local, time.time() + 3 * 3600)) == 1
    assert start_due(local, time.time() + 9 * 3600) == []
    assert executions(sagemaker) == 1


def test_a_schedule_that_deletes_itself_is_gone_after_its_last_time(
    local: endpoint.Endpoint, sagemaker: Client
) -> None:
    scheduler = client_of(local.url, "scheduler")
    scheduler.create_schedule(
        **schedule(pipeline(sagemaker), "at(2090-01-31T03:00:00)", ActionAfterCompletion="DELETE")
    )
    due = datetime(2090, 1, 31, 3, tzinfo=UTC).timestamp()
    assert start_due(local, due - 1) == []
    assert len(start_due(local, due)) == 1
    assert scheduler.list_schedules()["Schedules"] == []


@pytest.mark.usefixtures("scheduler")
def test_a_start_that_is_refused_is_tried_again_until_the_pipeline_is_there(
    local: endpoint.Endpoint, sagemaker: Client
) -> None:
    now = time.time() + 1
    sagemaker.delete_pipeline(PipelineName="p", ClientRequestToken="d" * 32)
    assert start_due(local, now) == []
    pipeline(sagemaker)
    assert start_due(local, now + 0.5) == [], "it waits a second before the first retry"
    assert len(start_due(local, now + 1)) == 1
    assert start_due(local, now + 3600) == []
    assert executions(sagemaker) == 1


def test_a_refused_start_is_given_up_as_the_retry_policy_says(
    local: endpoint.Endpoint, sagemaker: Client
) -> None:
    scheduler, arn = client_of(local.url, "scheduler"), pipeline(sagemaker)
    due = datetime(2090, 1, 31, 3, tzinfo=UTC).timestamp()
    for name, policy in (
        ("none", {"MaximumRetryAttempts": 0}),
        ("two", {"MaximumRetryAttempts": 2}),
        ("old", {"MaximumEventAgeInSeconds": 60}),
    ):
        request = schedule(arn, "at(2090-01-31T03:00:00)", ActionAfterCompletion="DELETE")
        target = {**request["Target"], "RetryPolicy": policy}  # type: ignore[dict-item]
        scheduler.create_schedule(**{**request, "Name": name, "Target": target})
    sagemaker.delete_pipeline(PipelineName="p", ClientRequestToken="d" * 32)

    def left(seconds: float) -> list[str]:
        assert start_due(local, due + seconds) == []
        return [one["Name"] for one in scheduler.list_schedules()["Schedules"]]

    assert left(0) == ["old", "two"], "a schedule that deletes itself waits for its retries"
    assert left(1) == ["old", "two"]
    assert left(3) == ["old"]
    assert left(58) == []


@pytest.mark.usefixtures("scheduler")
def test_the_next_due_time_takes_the_place_of_a_refused_start(
    local: endpoint.Endpoint, sagemaker: Client
) -> None:
    now = time.time() + 1
    sagemaker.delete_pipeline(PipelineName="p", ClientRequestToken="d" * 32)
    assert start_due(local, now) == []
    pipeline(sagemaker)
    assert len(start_due(local, now + DAY)) == 1
    assert start_due(local, now + DAY + 120) == []


def test_the_clock_starts_what_is_due_by_the_time_that_it_is_given(
    local: endpoint.Endpoint, sagemaker: Client
) -> None:
    start = int(time.time()) + 9 * DAY
    client_of(local.url, "scheduler").create_schedule(**schedule(pipeline(sagemaker), StartDate=start))
    times = [start - 1]
    asked = threading.Semaphore(0)

    def now() -> float:
        asked.release()
        return times[-1]

    operations = local._operations
    started = clock.Clock(operations.components.store, operations.components.objects, operations, now)
    started.start()
    try:
        # Once it asks for the second time, it has dealt with the first.
        assert asked.acquire(timeout=120)
        assert asked.acquire(timeout=120)
        assert executions(sagemaker) == 0
        for expected in (1, 2, 3):
            times.append(start + (expected - 1) * DAY)
            assert wait_for(partial(counted, sagemaker, expected))
    finally:
        started.close()
    assert executions(sagemaker) == 3


def test_a_time_that_passes_while_no_process_lives_is_started_by_the_next_one(tmp_path: Path) -> None:
    with server_process(tmp_path, program=LOOKS_LATE) as (process, url):
        sagemaker = client_of(url, "sagemaker")
        client_of(url, "scheduler").create_schedule(**schedule(pipeline(sagemaker)))
        assert executions(sagemaker) == 0
        process.kill()
        process.wait()
    with server_process(tmp_path) as (_, url):
        assert wait_for(partial(counted, client_of(url, "sagemaker"), 1))


def test_a_process_killed_between_the_start_and_its_note_leaves_one_execution(tmp_path: Path) -> None:
    with server_process(tmp_path, program=STOPS_BEFORE_THE_NOTE) as (process, url):
        sagemaker = client_of(url, "sagemaker")
        client_of(url, "scheduler").create_schedule(**schedule(pipeline(sagemaker)))
        assert wait_for(partial(counted, sagemaker, 1))
        process.kill()
        process.wait()
    store = Store(Home(tmp_path).database)
    assert "_Last" not in stored(store)
    with server_process(tmp_path) as (_, url):
        assert wait_for(lambda: "_Last" in stored(store) or None)
        assert executions(client_of(url, "sagemaker")) == 1
