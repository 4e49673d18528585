"""Rules and targets over the wire: what matches is delivered, what fails goes to a dead-letter queue."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from event_places import ROLE, make_queue, make_rule, put_event, take, zipped
from wire_clients import Client, aws_cli, client_of, definition, wait_for

from sagemaker_local import endpoint
from sagemaker_local.store import Store


def test_exactly_the_rules_that_match_and_are_enabled_fire(events: Client, sqs: Client, name: str) -> None:
    urls = {}
    for kind, pattern in {
        "matching": {"source": [name], "detail": {"state": ["approved"]}},
        "other-state": {"source": [name], "detail": {"state": ["rejected"]}},
        "other-source": {"source": [f"not-{name}"]},
        "disabled": {"source": [name]},
        "catching-all": {"source": [name]},
    }.items():
        urls[kind], arn = make_queue(sqs, f"{name}-{kind}")
        make_rule(events, f"{name}-{kind}", pattern, {"Arn": arn})
    events.disable_rule(Name=f"{name}-disabled")

    identity = put_event(events, name, {"state": "approved"})

    for kind in ("matching", "catching-all"):
        assert json.loads(take(sqs, urls[kind])["Body"])["id"] == identity
    # Routing is one transaction for all rules, so what would have come is there by now.
    for url in urls.values():
        assert "Messages" not in sqs.receive_message(QueueUrl=url)


def test_an_event_arrives_in_eventbridges_envelope(
    events: Client, sqs: Client, name: str, queue: tuple[str, str]
) -> None:
    make_rule(events, name, {"source": [name]}, {"Arn": queue[1]})
    identity = put_event(events, name, {"a": 1}, "Something Happened")
    event = json.loads(take(sqs, queue[0])["Body"])
    assert event.pop("time").endswith("Z")
    assert event == {
        "version": "0",
        "id": identity,
        "detail-type": "Something Happened",
        "source": name,
        "account": "000000000000",
        "region": "eu-west-1",
        "resources": [],
        "detail": {"a": 1},
    }


def test_a_function_is_called_with_the_event_and_its_own_environment(
    events: Client, sqs: Client, name: str, queue: tuple[str, str], function: Callable[..., str]
) -> None:
    arn = function(
        """
        import boto3, os

        def handler(event, context):
            body = " ".join([event["detail"]["word"], os.environ["GREETING"], context.function_name,
                             os.environ["AWS_REGION"], str("GATEHOUSE_HOME" in os.environ)])
            boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody=body)
        """,
        Environment={"Variables": {"GREETING": "hello", "QUEUE": queue[0]}},
        Timeout=30,
    )
    make_rule(events, name, {"source": [name]}, {"Arn": arn})
    put_event(events, name, {"word": "world"})
    assert take(sqs, queue[0])["Body"] == f"world hello {name} eu-west-1 False"


def test_a_failing_function_is_retried_and_its_event_goes_to_its_dead_letter_queue_with_the_error(
    events: Client,
    sqs: Client,
    lambdas: Client,
    name: str,
    queue: tuple[str, str],
    function: Callable[..., str],
    tmp_path: Path,
) -> None:
    calls = tmp_path / "calls"
    arn = function(
        f"""
        def handler(event, context):
            with open({str(calls)!r}, "a") as log:
                log.write(context.aws_request_id + "\\n")
            raise ValueError("no such environment: " + event["detail"]["environment"])
        """,
        DeadLetterConfig={"TargetArn": queue[1]},
        Timeout=30,
    )
    lambdas.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=1)
    make_rule(events, name, {"source": [name]}, {"Arn": arn})
    identity = put_event(events, name, {"environment": "moon"})

    dead = take(sqs, queue[0])

    assert json.loads(dead["Body"])["id"] == identity
    attributes = {key: value["StringValue"] for key, value in dead["MessageAttributes"].items()}
    assert attributes["ErrorMessage"] == "ValueError: no such environment: moon"
    attempts = calls.read_text().split()
    assert len(attempts) == 2
    assert set(attempts) == {attributes["RequestID"]}


def test_a_failed_invocation_reaches_the_on_failure_destination_with_its_answer(
    sqs: Client, lambdas: Client, name: str, queue: tuple[str, str], function: Callable[..., str]
) -> None:
    arn = function("def handler(event, context):\n    return 1 / event\n", Timeout=30)
    lambdas.put_function_event_invoke_config(
        FunctionName=name,
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": queue[1]}},
    )
    lambdas.invoke(FunctionName=name, InvocationType="Event", Payload=b"0")
    record = json.loads(take(sqs, queue[0])["Body"])
    assert record["requestPayload"] == 0
    assert record["requestContext"]["functionArn"] == f"{arn}:$LATEST"
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["responsePayload"]["errorType"] == "ZeroDivisionError"


def test_what_cannot_be_delivered_goes_to_the_targets_dead_letter_queue(
    events: Client, sqs: Client, name: str, queue: tuple[str, str]
) -> None:
    gone = f"arn:aws:lambda:eu-west-1:000000000000:function:{name}"
    rule = make_rule(events, name, {"source": [name]}, {"Arn": gone, "DeadLetterConfig": {"Arn": queue[1]}})
    put_event(events, name, {})
    attributes = take(sqs, queue[0])["MessageAttributes"]
    assert attributes["ERROR_CODE"]["StringValue"] == "NO_RESOURCE"
    assert attributes["RULE_ARN"]["StringValue"] == rule
    assert attributes["TARGET_ARN"]["StringValue"] == gone


def test_an_event_starts_a_pipeline_with_the_targets_parameters(
    events: Client, sagemaker: Client, name: str
) -> None:
    document = json.loads(definition())
    document["Parameters"] = [{"Name": "Word", "Type": "String", "DefaultValue": "none"}]
    created = sagemaker.create_pipeline(
        PipelineName=name,
        PipelineDefinition=json.dumps(document),
        RoleArn=ROLE,
        ClientRequestToken=name * 3,
    )
    parameters = {"PipelineParameterList": [{"Name": "Word", "Value": "given"}]}
    make_rule(
        events,
        name,
        {"source": [name]},
        {
            "Arn": created["PipelineArn"],
            "RoleArn": ROLE,
            "SageMakerPipelineParameters": parameters,
        },
    )
    put_event(events, name, {})

    def started() -> str | None:
        found = sagemaker.list_pipeline_executions(PipelineName=name)["PipelineExecutionSummaries"]
        return found[0]["PipelineExecutionArn"] if found else None

    arn = wait_for(started)
    given = sagemaker.list_pipeline_parameters_for_execution(PipelineExecutionArn=arn)
    assert given["PipelineParameters"] == [{"Name": "Word", "Value": "given"}]


def test_a_published_message_is_read_in_the_inbox_and_in_a_queue_that_subscribes(
    sns: Client, sqs: Client, name: str, queue: tuple[str, str]
) -> None:
    topic = sns.create_topic(Name=name)["TopicArn"]
    attributes = {"stage": {"DataType": "String", "StringValue": "dev"}}
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue[1])
    waiting = sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="people@example.com")
    assert waiting["SubscriptionArn"] == "PendingConfirmation"
    published = sns.publish(
        TopicArn=topic, Subject="Review", Message="version 3\nplease", MessageAttributes=attributes
    )
    inbox = sqs.get_queue_url(QueueName="local-inbox")["QueueUrl"]
    for url in (queue[0], inbox):
        while (notification := json.loads(take(sqs, url)["Body"]))["TopicArn"] != topic:
            continue  # another test's, in the inbox that all share
        assert notification["MessageId"] == published["MessageId"]
        assert notification["Subject"] == "Review"
        assert notification["MessageAttributes"] == {"stage": {"Type": "String", "Value": "dev"}}
        assert notification["Message"] == "version 3\nplease"


def test_a_transformed_input_is_what_a_topic_and_a_queue_get(
    events: Client, sqs: Client, name: str, queue: tuple[str, str]
) -> None:
    transformer = {
        "InputPathsMap": {"version": "$.detail.version", "labels": "$.detail.labels", "none": "$.detail.x"},
        "InputTemplate": '{"text": "v<version> <labels><none>", "labels": <labels>,'
        ' "rule": <aws.events.rule-name>}',
    }
    make_rule(events, name, {"source": [name]}, {"Arn": queue[1], "InputTransformer": transformer})
    put_event(events, name, {"version": 3, "labels": ["a"]})
    assert json.loads(take(sqs, queue[0])["Body"]) == {
        "text": 'v3 ["a"]',
        "labels": ["a"],
        "rule": name,
    }


def test_a_rule_that_is_not_acceptable_is_refused_with_the_reason(
    events: Client, name: str, queue: tuple[str, str]
) -> None:
    with pytest.raises(ClientError, match=r"InvalidEventPatternException.*must not be an empty list"):
        events.put_rule(Name=name, EventPattern='{"source": []}')
    rates = ("rate(1 days)", "rate(2 day)", "rate(0 minutes)", "rate(1 second)", "daily")
    for schedule in (*rates, "cron(0 3 * * * *)", "cron(0 25 * * ? *)", "at(2030-01-31T03:00:00)"):
        with pytest.raises(ClientError, match="ScheduleExpression is not valid: "):
            events.put_rule(Name=name, ScheduleExpression=schedule)
    make_rule(events, name, {"source": [name]}, {"Arn": queue[1]})
    transformer = {"InputTemplate": '"<who>"'}
    with pytest.raises(ClientError, match=r"<who> is not in InputPathsMap"):
        events.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": queue[1], "InputTransformer": transformer}])
    for other in ("kinesis:eu-west-1:000000000000:stream/x", "lambda:eu-west-1:000000000000:function:f:live"):
        with pytest.raises(ClientError, match="a Lambda function without version or alias, an SNS topic"):
            events.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": f"arn:aws:{other}"}])
    with pytest.raises(ClientError, match="since it has targets"):
        events.delete_rule(Name=name)
    assert events.remove_targets(Rule=name, Ids=["0", "9"])["FailedEntries"][0]["TargetId"] == "9"
    events.delete_rule(Name=name)
    with pytest.raises(ClientError, match="does not exist on EventBus default"):
        events.describe_rule(Name=name)


def test_a_rule_with_a_rate_fires_once_for_the_times_it_missed(tmp_path: Path) -> None:
    with endpoint.start(tmp_path, advertise=True) as local:
        events, sqs = client_of(local.url, "events"), client_of(local.url, "sqs")
        url, arn = make_queue(sqs, "ticks")
        rule = events.put_rule(Name="timer", ScheduleExpression="rate(15 minutes)")["RuleArn"]
        events.put_targets(Rule="timer", Targets=[{"Id": "0", "Arn": arn}])

        def an_hour_later(document: dict[str, Any]) -> None:
            assert 0 < document["_Next"] - time.time() <= 900
            document["_Next"] -= 3600

        Store(tmp_path / "state.db").update("event-rule", "eu-west-1", "timer", an_hour_later)
        event = json.loads(take(sqs, url)["Body"])
        assert (event["source"], event["detail-type"]) == ("aws.events", "Scheduled Event")
        assert event["resources"] == [rule]
        events.put_rule(Name="timer", ScheduleExpression="rate(15 minutes)")
        kept = Store(tmp_path / "state.db").get("event-rule", "eu-west-1", "timer")
        assert kept is not None
        assert kept["_Next"] > time.time() + 600
        assert "Messages" not in sqs.receive_message(QueueUrl=url)


def test_a_rule_with_a_cron_expression_fires_on_time_in_utc(tmp_path: Path) -> None:
    with endpoint.start(tmp_path, advertise=True) as local:
        events, sqs = client_of(local.url, "events"), client_of(local.url, "sqs")
        url, arn = make_queue(sqs, "ticks")
        events.put_rule(Name="nightly", ScheduleExpression="cron(30 3 * * ? *)")
        events.put_rule(Name="over", ScheduleExpression="cron(30 3 * * ? 2001)")
        for rule in ("nightly", "over"):
            events.put_targets(Rule=rule, Targets=[{"Id": "0", "Arn": arn}])
        store = Store(tmp_path / "state.db")
        planned = store.get("event-rule", "eu-west-1", "nightly")
        assert planned is not None
        due = datetime.fromtimestamp(planned["_Next"], UTC)
        assert (due.hour, due.minute, due.second) == (3, 30, 0)
        assert 0 < planned["_Next"] - time.time() <= 86_400

        store.update("event-rule", "eu-west-1", "nightly", lambda one: one.update(_Next=time.time() - 5))
        assert json.loads(take(sqs, url)["Body"])["resources"][0].endswith("rule/nightly")
        following = store.get("event-rule", "eu-west-1", "nightly")
        assert following is not None
        assert following["_Next"] == planned["_Next"]
        assert "Messages" not in sqs.receive_message(QueueUrl=url)


def test_entries_that_are_not_acceptable_are_answered_one_by_one(events: Client, name: str) -> None:
    entry = {"Source": name, "DetailType": "x", "Detail": "{}"}
    answer = events.put_events(
        Entries=[{**entry, "Detail": "[]"}, {**entry, "Source": "aws.sagemaker"}, entry, {"Source": name}]
    )
    assert answer["FailedEntryCount"] == 3
    assert [one.get("ErrorCode") for one in answer["Entries"]] == [
        "MalformedDetail",
        "NotAuthorizedForSourceException",
        None,
        "InvalidArgument",
    ]


def test_the_aws_cli_puts_lists_and_tests_rules(local: endpoint.Endpoint, name: str) -> None:
    pattern = json.dumps({"source": [name]})
    put = aws_cli(local.url, "events", "put-rule", "--name", name, "--event-pattern", pattern)
    assert put.returncode == 0, put.stderr
    listed = aws_cli(local.url, "events", "list-rules", "--name-prefix", name)
    assert json.loads(listed.stdout)["Rules"][0]["EventPattern"] == pattern


def test_invoking_a_function_gives_its_result_its_error_or_its_time_out(
    local: endpoint.Endpoint, lambdas: Client, name: str, function: Callable[..., str]
) -> None:
    function(
        """
        import sys, time

        def handler(event, context):
            print("told", event)
            if event == "fail":
                raise KeyError("x")
            if event == "leave":
                sys.exit(3)
            if event == "sleep":
                time.sleep(600)
            return {"left": context.get_remaining_time_in_millis() <= 1000}
        """,
        Timeout=1,
    )

    def invoke(event: str) -> tuple[str | None, dict[str, object]]:
        answer = lambdas.invoke(FunctionName=name, Payload=json.dumps(event).encode(), LogType="Tail")
        return answer.get("FunctionError"), json.loads(answer["Payload"].read())

    assert invoke("work") == (None, {"left": True})
    error, told = invoke("fail")
    assert (error, told["errorType"], told["errorMessage"]) == ("Unhandled", "KeyError", "'x'")
    assert invoke("leave")[1]["errorType"] == "Runtime.ExitError"
    assert "timed out after 1.00 seconds" in str(invoke("sleep")[1]["errorMessage"])
    listed = [one["FunctionName"] for one in lambdas.list_functions()["Functions"]]
    assert name in listed
    logs = client_of(local.url, "logs")
    printed = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
    assert [one["message"] for one in printed if one["message"].startswith("told")] == [
        "told work",
        "told fail",
        "told leave",
        "told sleep",
    ]
    assert [one["message"].partition(" Error: ")[2] for one in printed if " Error: " in one["message"]] == [
        "Runtime exited with error: exit status 3",
        "Task timed out after 1.00 seconds",
    ]


def test_calls_that_are_under_way_at_once_have_a_log_stream_each(
    local: endpoint.Endpoint, lambdas: Client, name: str, function: Callable[..., str], tmp_path: Path
) -> None:
    function(
        f"""
        import pathlib, time

        def handler(event, context):
            folder = pathlib.Path({str(tmp_path)!r})
            (folder / event).touch()
            while len(list(folder.iterdir())) < 2:
                time.sleep(0.02)
            print("called", event)
        """
    )

    def invoke(event: str) -> None:
        answer = lambdas.invoke(FunctionName=name, Payload=json.dumps(event).encode())
        assert "FunctionError" not in answer

    with ThreadPoolExecutor(2) as callers:
        list(callers.map(invoke, ("first", "second")))
    invoke("third")
    logs, group = client_of(local.url, "logs"), f"/aws/lambda/{name}"
    streams = [one["logStreamName"] for one in logs.describe_log_streams(logGroupName=group)["logStreams"]]
    printed = [
        [
            event["message"].split()[0]
            for event in logs.get_log_events(logGroupName=group, logStreamName=one)["events"]
        ]
        for one in streams
    ]
    assert sorted(printed) == [["START", "called"], ["START", "called", "START", "called"]]


def test_a_zip_file_cannot_write_outside_its_folder(lambdas: Client, name: str) -> None:
    with pytest.raises(ClientError, match="Could not unzip"):
        lambdas.create_function(
            FunctionName=name,
            Runtime="python3.12",
            Role=ROLE,
            Handler="code.handler",
            Code={"ZipFile": zipped({"../outside.py": ""})},
        )


def test_an_endpoint_that_is_not_kept_up_keeps_events_for_one_that_is(tmp_path: Path) -> None:
    with endpoint.start(tmp_path) as short:
        sqs, events = client_of(short.url, "sqs"), client_of(short.url, "events")
        url, arn = make_queue(sqs, "kept")
        make_rule(events, "rule", {"source": ["early"]}, {"Arn": arn})
        identity = put_event(events, "early", {})
    with endpoint.start(tmp_path, advertise=True) as kept_up:
        assert json.loads(take(client_of(kept_up.url, "sqs"), url)["Body"])["id"] == identity
