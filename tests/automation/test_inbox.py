"""`gatehouse inbox`: what the automation told people, read over SQS's protocol."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from bank_churn import SETTINGS
from event_places import make_queue
from moto.core.utils import get_service_model
from wire_clients import Client, client_of, wait_for

from pipelines.commands import local_endpoint, main
from pipelines.settings.projects_file import load_settings
from sagemaker_local import endpoint


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "projects.toml").write_text(SETTINGS)
    for name in list(os.environ):
        if name.startswith(("AWS_", "GATEHOUSE_", "SAGEMAKER_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def sns_and_sqs(workplace: Path) -> Iterator[tuple[Client, Client]]:
    with endpoint.start(workplace / ".gatehouse", advertise=True) as local:
        yield client_of(local.url, "sns"), client_of(local.url, "sqs")


def told(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["inbox", *words]) == 0
    return capsys.readouterr().out


def test_messages_are_shown_oldest_first_and_again_until_they_are_deleted(
    sns_and_sqs: tuple[Client, Client], capsys: pytest.CaptureFixture[str]
) -> None:
    sns, _ = sns_and_sqs
    topic = sns.create_topic(Name="gatehouse-bank-churn")["TopicArn"]
    for number in range(12):
        sns.publish(TopicArn=topic, Subject=f"Review {number}", Message="Approve:\n  gatehouse approve")
    for _ in range(2):
        shown = json.loads(told(capsys, "--json"))
        assert [note["subject"] for note in shown] == [f"Review {number}" for number in range(12)]
    assert "Review 3\n  Approve:\n    gatehouse approve\n" in told(capsys)
    assert len(json.loads(told(capsys, "--delete", "--json"))) == 12
    assert json.loads(told(capsys, "--json")) == []


def test_one_projects_messages_are_shown_alone(
    sns_and_sqs: tuple[Client, Client], capsys: pytest.CaptureFixture[str]
) -> None:
    sns, _ = sns_and_sqs
    for name in ("gatehouse-bank-churn", "gatehouse-bank-churn-2"):
        sns.publish(TopicArn=sns.create_topic(Name=name)["TopicArn"], Message=name)
    assert [note["text"] for note in json.loads(told(capsys, "bank-churn", "--json"))] == [
        "gatehouse-bank-churn"
    ]


def test_without_a_project_the_messages_of_all_regions_are_shown_also_where_none_is_the_default(
    workplace: Path, sns_and_sqs: tuple[Client, Client], capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = SETTINGS.replace("bank.churn", "bank.loans").replace("eu-west-1", "us-east-1")
    (workplace / "projects.toml").write_text(SETTINGS + elsewhere)
    sns, _ = sns_and_sqs
    sns.publish(TopicArn=sns.create_topic(Name="gatehouse-bank-churn")["TopicArn"], Message="first")
    there = client_of(sns.meta.endpoint_url, "sns", "us-east-1")
    there.publish(TopicArn=there.create_topic(Name="gatehouse-bank-loans")["TopicArn"], Message="second")
    assert [note["text"] for note in json.loads(told(capsys, "--json"))] == ["first", "second"]
    assert [note["text"] for note in json.loads(told(capsys, "bank-loans", "--json"))] == ["second"]
    assert len(json.loads(told(capsys, "--delete", "--json"))) == 2
    assert json.loads(told(capsys, "--json")) == []


def test_dead_letters_are_shown_with_what_went_wrong(
    sns_and_sqs: tuple[Client, Client], capsys: pytest.CaptureFixture[str]
) -> None:
    _, sqs = sns_and_sqs
    url, _ = make_queue(sqs, "dead")
    attributes = {"ERROR_CODE": {"DataType": "String", "StringValue": "NO_RESOURCE"}}
    sqs.send_message(QueueUrl=url, MessageBody="{}", MessageAttributes=attributes)
    assert "  {}\n  ERROR_CODE: NO_RESOURCE\n" in told(capsys, "--queue", "dead")
    assert main(["inbox", "--queue", "nowhere"]) == 1
    assert "there is no queue nowhere" in capsys.readouterr().err


def test_an_inbox_that_nobody_wrote_to_is_empty_and_says_who_would(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inbox"]) == 0
    told = capsys.readouterr().err
    assert "There are no messages." in told
    assert "`gatehouse local up`" in told
    assert (workplace / ".gatehouse").is_dir()


def test_clients_know_a_missing_queue_though_moto_gives_its_error_another_code(
    sns_and_sqs: tuple[Client, Client],
) -> None:
    get_service_model("sqs")
    sqs = client_of(sns_and_sqs[1].meta.endpoint_url, "sqs")
    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        sqs.get_queue_url(QueueName="nowhere")


@pytest.mark.usefixtures("workplace")
def test_local_up_plays_the_projects_automation_up_to_the_review_request(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["local", "up", "--json"]) == 0
    url = json.loads(capsys.readouterr().out)["url"]
    try:
        sagemaker = client_of(url, "sagemaker")
        sagemaker.create_model_package_group(ModelPackageGroupName="bank-churn")
        image = "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:3.2-0"
        sagemaker.create_model_package(
            ModelPackageGroupName="bank-churn",
            ModelApprovalStatus="PendingManualApproval",
            InferenceSpecification={
                "Containers": [{"Image": image}],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
        )
        note = wait_for(lambda: (json.loads(told(capsys, "--json")) or [None])[0])
        assert "review version 1" in note["subject"]
        assert "gatehouse approve bank-churn 1" in note["text"]
    finally:
        local_endpoint.take_down(load_settings())
