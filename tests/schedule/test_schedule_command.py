"""`gatehouse schedule`, as a person types it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from wire_clients import client_of, definition

from aws_formats.arns import LOCAL_ACCOUNT
from pipelines.commands import main
from pipelines.executions.schedule import apply_schedule, plan_switch, plan_timing
from pipelines.settings.target import LOCAL_BUCKET, LOCAL_ROLE, Target
from sagemaker_local import endpoint
from sagemaker_local.store import Store

ROLE = "arn:aws:iam::000000000000:role/gatehouse-local"
NAME = "bank-churn"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[endpoint.Endpoint]:
    (tmp_path / "projects.toml").write_text(
        'default_project = "bank-churn"\n[projects.bank.churn]\ndescription = "Who leaves"\nowner = "o"\n'
        'task = "binary"\naccuracy_threshold = 0.6\nregion = "eu-west-1"\n'
        '[projects.bank.churn.data]\nsource = "c.csv"\ntarget = "left"\npositive_class = "yes"\n'
    )
    (tmp_path / "c.csv").write_text("age,left\n1,yes\n2,no\n")
    monkeypatch.chdir(tmp_path)
    for name in [one for one in os.environ if one.startswith(("AWS_", "GATEHOUSE_", "SAGEMAKER_"))]:
        monkeypatch.delenv(name)
    with endpoint.start(tmp_path / ".gatehouse", advertise=True) as started:
        client_of(started.url, "sagemaker").create_pipeline(
            PipelineName=NAME, PipelineDefinition=definition(), RoleArn=ROLE, ClientRequestToken="t" * 32
        )
        yield started


def test_a_schedule_is_created_left_alone_changed_and_deleted(
    place: endpoint.Endpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    def schedule(*arguments: str) -> dict[str, object]:
        assert main(["schedule", NAME, *arguments, "--json"]) == 0
        document: dict[str, object] = json.loads(capsys.readouterr().out)
        return document

    made = schedule("--cron", "0 3 * * ? *", "--timezone", "Europe/Paris")
    assert made["action"] == "create"
    assert isinstance(made["next_times"], list)
    assert len(made["next_times"]) == 5
    assert schedule("--cron", "0 3 * * ? *", "--timezone", "Europe/Paris")["action"] == "none"
    changed = schedule("--rate", "12 hours", "--start-date", "2090-01-31T00:00")
    assert changed["action"] == "update"
    assert "expression: cron(0 3 * * ? *) -> rate(12 hours)" in str(changed["changes"])
    assert schedule("--show")["expression"] == "rate(12 hours)"
    assert schedule("--off")["action"] == "delete"
    assert client_of(place.url, "scheduler").list_schedules()["Schedules"] == []


@pytest.mark.usefixtures("place")
def test_a_wrong_expression_names_the_field(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schedule", NAME, "--cron", "0 25 * * ? *"]) == 1
    assert "hours cannot be '25'" in capsys.readouterr().err


def test_a_schedule_that_becomes_a_rate_starts_when_it_says_and_not_at_once(
    place: endpoint.Endpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["schedule", NAME, "--cron", "0 3 * * ? *"]) == 0
    capsys.readouterr()
    assert main(["schedule", NAME, "--rate", "2 hours", "--json"]) == 0
    told = datetime.fromisoformat(json.loads(capsys.readouterr().out)["next_times"][0])
    stored = Store(Path(".gatehouse/state.db")).get("schedule", "eu-west-1", f"default/{NAME}")
    assert stored is not None
    assert stored["_Next"] == pytest.approx(told.timestamp(), abs=0.001)
    assert told > datetime.now(UTC) + timedelta(hours=1)
    summaries = client_of(place.url, "sagemaker").list_pipeline_executions(PipelineName=NAME)
    assert summaries["PipelineExecutionSummaries"] == []


def test_a_schedule_whose_start_date_is_over_is_switched_off_and_given_other_times(
    place: endpoint.Endpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    """Though EventBridge Scheduler takes that date no more."""
    assert main(["schedule", NAME, "--rate", "1 day", "--start-date", "2090-01-31T03:00"]) == 0
    capsys.readouterr()
    store = Store(Path(".gatehouse/state.db"))
    key = ("schedule", "eu-west-1", f"default/{NAME}")
    stored = store.get(*key)
    assert stored is not None
    store.put(*key, {**stored, "StartDate": datetime(2020, 1, 31, tzinfo=UTC).timestamp()})
    target = Target("local", "eu-west-1", LOCAL_ACCOUNT, LOCAL_ROLE, LOCAL_BUCKET, endpoint_url=place.url)
    off = plan_switch(NAME, target, on=False)
    apply_schedule(off, target)
    assert off.changes == ("start: 2020-01-31 00:00 UTC -> at once", "state: on -> off")
    apply_schedule(plan_timing(NAME, target, "rate(2 days)", "UTC"), target)
    live = client_of(place.url, "scheduler").get_schedule(Name=NAME)
    assert (live["State"], live["ScheduleExpression"]) == ("DISABLED", "rate(2 days)")


def test_a_start_date_that_is_over_is_refused_before_anything_is_sent_and_by_the_service(
    place: endpoint.Endpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["schedule", NAME, "--rate", "1 day", "--start-date", "2020-01-31T03:00"]) == 1
    assert "2020-01-31 03:00 UTC has passed" in capsys.readouterr().err
    scheduler = client_of(place.url, "scheduler")
    assert scheduler.list_schedules()["Schedules"] == []
    pipeline = client_of(place.url, "sagemaker").describe_pipeline(PipelineName=NAME)["PipelineArn"]
    request = {
        "Name": NAME,
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "StartDate": datetime(2020, 1, 31, tzinfo=UTC),
        "Target": {"Arn": pipeline, "RoleArn": ROLE, "SageMakerPipelineParameters": {}},
    }
    with pytest.raises(ClientError, match="StartDate you specify cannot be earlier than 5 minutes ago"):
        scheduler.create_schedule(ScheduleExpression="rate(1 day)", **request)
    # One that happens once ignores it.
    scheduler.create_schedule(ScheduleExpression="at(2090-01-31T03:00:00)", **request)
