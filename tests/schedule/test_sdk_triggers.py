"""Schedules as a notebook makes them: the SageMaker SDK's own triggers, against the local endpoint."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from wire_clients import Client, client_of

from pipelines.settings.projects_file import load_settings
from pipelines.settings.target import resolve_target
from sagemaker_local import endpoint
from sagemaker_local.scheduling.clock import start_due

ROOT = Path(__file__).resolve().parents[2]
NAME = "health-tumor-diagnosis"


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[endpoint.Endpoint]:
    with endpoint.start(tmp_path_factory.mktemp("state")) as started:
        yield started


@pytest.fixture(scope="module")
def pipeline(local: endpoint.Endpoint) -> Any:
    """The SDK's object of the example project, upserted."""
    from pipelines.definition.pipeline import build

    project = load_settings(ROOT / "projects.toml").project(NAME)
    built = build(project, resolve_target(project, "local", {}).at(local.url))
    built.upsert()
    return built


@pytest.fixture
def scheduler(local: endpoint.Endpoint) -> Client:
    return client_of(local.url, "scheduler")


def test_a_trigger_of_the_sdk_is_put_changed_described_and_starts_the_pipeline(
    local: endpoint.Endpoint, pipeline: Any, scheduler: Client
) -> None:
    from sagemaker.mlops.workflow.triggers import PipelineSchedule

    tomorrow = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    arns = pipeline.put_triggers([PipelineSchedule(cron="0 3 * * ? *")])
    assert arns == [scheduler.get_schedule(Name=NAME)["Arn"]]
    assert pipeline.put_triggers([PipelineSchedule(rate=(1, "days"), start_date=tomorrow)]) == arns
    found = scheduler.get_schedule(Name=NAME)
    assert (found["ScheduleExpression"], found["StartDate"]) == ("rate(1 days)", tomorrow)
    assert pipeline.describe_trigger(NAME)["Schedule_State"] == "ENABLED"

    operations = local._operations
    store = operations.components.store
    assert start_due(store, operations, tomorrow.timestamp() - 1) == []
    assert len(start_due(store, operations, tomorrow.timestamp())) == 1
    [execution] = pipeline.list_executions()["PipelineExecutionSummaries"]
    client_of(local.url, "sagemaker").stop_pipeline_execution(
        PipelineExecutionArn=execution["PipelineExecutionArn"], ClientRequestToken="t" * 32
    )


def test_two_triggers_of_a_pipeline_are_two_schedules_until_they_are_deleted(
    pipeline: Any, scheduler: Client
) -> None:
    from sagemaker.mlops.workflow.triggers import PipelineSchedule

    once = PipelineSchedule(name="once", at=datetime(2090, 1, 31, 3, tzinfo=UTC))
    off = PipelineSchedule(name="off", rate=(2, "hours"), enabled=False)
    pipeline.put_triggers([once, off])
    assert scheduler.get_schedule(Name="once")["ScheduleExpression"] == "at(2090-01-31T03:00:00)"
    assert scheduler.get_schedule(Name="off")["State"] == "DISABLED"
    pipeline.delete_triggers(["once", "off"])
    with pytest.raises(scheduler.exceptions.ResourceNotFoundException):
        scheduler.get_schedule(Name="once")
