"""The page of what happens by itself shows what anybody could store there, as text."""

from __future__ import annotations

from pathlib import Path

from asgi_browser import Browser
from bank_churn import SETTINGS
from wire_clients import client_of

from sagemaker_local import endpoint
from studio.access import COOKIE, Access
from studio.app import create
from studio.source import Source

MARKUP = "<script>alert(1)</script>\"'&"


def test_messages_and_dead_letters_are_shown_as_text_and_stay(tmp_path: Path) -> None:
    (tmp_path / "projects.toml").write_text(SETTINGS)
    with endpoint.start(tmp_path / ".gatehouse") as local:
        browser = Browser(
            create(Source(tmp_path / "projects.toml", "local", local.url), Access("secret")),
            {"cookie": f"{COOKIE}=secret"},
        )
        empty = browser.get("/studio/p/bank-churn/automation")
        assert "There is no schedule" in empty.text
        assert "Every event was handled" in empty.text
        topic = client_of(local.url, "sns").create_topic(Name="gatehouse-bank-churn")["TopicArn"]
        client_of(local.url, "sns").publish(TopicArn=topic, Subject="Review", Message=f"told {MARKUP}")
        sqs = client_of(local.url, "sqs")
        url = sqs.create_queue(QueueName="gatehouse-bank-churn-dead-letters")["QueueUrl"]
        reason = {"ERROR_MESSAGE": {"DataType": "String", "StringValue": f"reason {MARKUP}"}}
        sqs.send_message(QueueUrl=url, MessageBody=f"event {MARKUP}", MessageAttributes=reason)
        for _ in range(2):
            shown = browser.get("/studio/p/bank-churn/automation")
            assert shown.status == 200
            for word in ("told", "reason", "event"):
                assert f"{word} &lt;script&gt;" in shown.text
            assert "<script>alert" not in shown.text
