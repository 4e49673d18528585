"""The page of what happens by itself shows what anybody could store there, as text."""

from __future__ import annotations

import html
import io
import json
import re
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from asgi_browser import Browser
from bank_churn import SETTINGS
from wire_clients import client_of, wait_for

from pipelines.settings.target import LOCAL_ROLE
from sagemaker_local import endpoint
from studio.access import COOKIE, Access
from studio.app import create
from studio.source import Source

MARKUP = "<script>alert(1)</script>\"'&"


def test_messages_and_dead_letters_are_shown_as_text_and_stay(tmp_path: Path) -> None:
    (tmp_path / "projects.toml").write_text(SETTINGS)
    with endpoint.start(tmp_path / ".gatehouse") as local:
        browser = Browser(
            create(Source(tmp_path / "projects.toml", "local", local.url, patience=20.0), Access("secret")),
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
        needs = 'bank-churn: <a href="/studio/p/bank-churn/automation">1 event was not handled</a>'
        assert needs in browser.get("/studio/").text
        for _ in range(2):
            shown = browser.get("/studio/p/bank-churn/automation")
            assert shown.status == 200
            for word in ("told", "reason", "event"):
                assert f"{word} &lt;script&gt;" in shown.text
            assert "<script>alert" not in shown.text


def test_a_dead_letter_is_given_to_its_function_once_more_and_the_schedule_is_switched(
    tmp_path: Path,
) -> None:
    (tmp_path / "projects.toml").write_text(SETTINGS)
    access = Access("secret")
    with endpoint.start(tmp_path / ".gatehouse", advertise=True) as local:
        source = Source(tmp_path / "projects.toml", "local", local.url)
        browser = Browser(
            create(source, access), {"cookie": f"{COOKIE}=secret", "origin": "http://127.0.0.1"}
        )
        base = "/studio/p/bank-churn/automation"
        form = {"form_token": access.form_token}
        sqs = client_of(local.url, "sqs")
        url = sqs.create_queue(QueueName="gatehouse-bank-churn-dead-letters")["QueueUrl"]
        create_function(local.url)
        body = json.dumps(EVENT)
        found = sqs.send_message(QueueUrl=url, MessageBody=body)["MessageId"]  # as Lambda puts it there
        other = sqs.send_message(QueueUrl=url, MessageBody="{}")["MessageId"]
        with ThreadPoolExecutor(2) as clicks:  # a double click
            answers = list(
                clicks.map(lambda _: browser.post(f"{base}/again", {**form, "message": found}), range(2))
            )
        assert sorted(answer.status for answer in answers) == [303, 404]
        wait_for(lambda: calls(local.url))
        assert calls(local.url) == ["called with 7"]
        too_much = json.dumps({**EVENT, "detail": {"number": 8}}).encode()
        client_of(local.url, "lambda").invoke(FunctionName="bank-churn-own", Payload=too_much)
        rules, said = fired(browser.get(base).text)
        assert rules == ["bank-churn-own events bank-churn-own failed just now"]  # and no other project's
        event = "Any model-package/bank-churn/7"
        assert said == [
            f"just now {event} failed bank-churn-own ValueError: 8 is too much <script>alert(8)</script>",
            f"just now {event} done bank-churn-own called with 7",
        ]
        answer = browser.post(f"{base}/again", {**form, "message": other})
        assert answer.status == 404
        assert "no rule of the project takes this event" in answer.text
        shown = browser.get(base).text
        assert (found in shown, other in shown) == (False, True)  # what nobody takes stays

        client_of(local.url, "scheduler").create_schedule(
            Name="bank-churn",
            Description="by hand",
            ScheduleExpression="rate(1 day)",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={
                "Arn": "arn:aws:sagemaker:eu-west-1:000000000000:pipeline/bank-churn",
                "RoleArn": LOCAL_ROLE,
                "SageMakerPipelineParameters": {},
            },
        )
        assert "Switch it off" in browser.get(base).text
        for state, word in (("off", "DISABLED"), ("on", "ENABLED")):
            assert browser.post(f"{base}/schedule", {**form, "state": state}).status == 303
            live = client_of(local.url, "scheduler").get_schedule(Name="bank-churn")
            assert (live["State"], live["Description"]) == (word, "by hand")

        times = {**form, "expression": "cron(30 3 * * ? *)", "time_zone": "Asia/Tokyo"}
        shown = browser.post(f"{base}/timing", times).text
        assert "expression: rate(1 day) -&gt; cron(30 3 * * ? *)" in shown
        assert shown.count("03:30:00 JST</li>") == 5
        assert client_of(local.url, "scheduler").get_schedule(Name="bank-churn")["State"] == "ENABLED"
        assert "rate(1 day)" in browser.get(base).text
        assert browser.post(f"{base}/timing", {**times, "shown": "yes"}).status == 303
        live = client_of(local.url, "scheduler").get_schedule(Name="bank-churn")
        assert (live["ScheduleExpression"], live["Description"]) == ("cron(30 3 * * ? *)", "by hand")
        wrong = browser.post(f"{base}/timing", {**times, "expression": "rate(1 moon)", "shown": "yes"})
        assert (wrong.status, "moon" in wrong.text) == (404, True)


EVENT = {
    "version": "0",
    "id": "00000000-0000-0000-0000-000000000007",
    "account": "000000000000",
    "time": "2026-01-01T00:00:00Z",
    "region": "eu-west-1",
    "source": "aws.sagemaker",
    "detail-type": "Any",
    "resources": ["arn:aws:sagemaker:eu-west-1:000000000000:model-package/bank-churn/7"],
    "detail": {"number": 7},
}


CODE = """
from automation.handlers import logged

@logged
def handle(event, context):
    if event["detail"]["number"] == 8:
        raise ValueError("8 is too much <script>alert(8)</script>")
    return f"called with {event['detail']['number']}"
"""


def create_function(url: str) -> None:
    """One that prints a number of its event, and the rule whose events it takes."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("own.py", CODE)
    functions, events = client_of(url, "lambda"), client_of(url, "events")
    arn = functions.create_function(
        FunctionName="bank-churn-own",
        Handler="own.handle",
        Runtime="python3.12",
        Role=LOCAL_ROLE,
        Code={"ZipFile": code.getvalue()},
    )["FunctionArn"]
    events.put_rule(Name="bank-churn-own", EventPattern=json.dumps({"source": ["aws.sagemaker"]}))
    events.put_targets(Rule="bank-churn-own", Targets=[{"Id": "function", "Arn": arn}])


def fired(page: str) -> tuple[list[str], list[str]]:
    """The rows of the rules and of the calls, without the logs of these."""
    part = re.sub(r"<details.*?</details>", "", page.partition('<div id="fired"')[2], flags=re.DOTALL)
    rules, called = (
        re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)[1:] for table in part.split("<table")[1:]
    )
    texts = [
        [" ".join(html.unescape(re.sub("<[^>]*>", " ", row)).split()) for row in rows]
        for rows in (rules, called)
    ]
    return texts[0], texts[1]


def calls(url: str) -> list[Any]:
    found = client_of(url, "logs").filter_log_events(
        logGroupName="/aws/lambda/bank-churn-own", filterPattern="called"
    )
    return [event["message"].strip() for event in found["events"]]
