"""Alarms on metrics: when they change their state, and who is told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from event_places import make_queue
from wire_clients import Client, client_of, wait_for

from sagemaker_local import endpoint
from sagemaker_local.events.metric_alarms import judge


@pytest.fixture
def cloudwatch(local: endpoint.Endpoint) -> Client:
    return client_of(local.url, "cloudwatch")


@pytest.mark.parametrize(
    ("members", "numbers", "state"),
    [
        ({}, [6.0], "ALARM"),
        ({}, [5.0], "OK"),
        ({"ComparisonOperator": "GreaterThanOrEqualToThreshold"}, [5.0], "ALARM"),
        ({"ComparisonOperator": "LessThanThreshold"}, [4.0], "ALARM"),
        ({"EvaluationPeriods": 3}, [6.0, 6.0, 1.0], "OK"),
        ({"EvaluationPeriods": 3, "DatapointsToAlarm": 2}, [6.0, 6.0, 1.0], "ALARM"),
        ({"EvaluationPeriods": 3, "DatapointsToAlarm": 2}, [None, 6.0, None], "OK"),
        ({"EvaluationPeriods": 2, "TreatMissingData": "breaching"}, [None, 6.0], "ALARM"),
        ({"EvaluationPeriods": 2}, [None, None], "INSUFFICIENT_DATA"),
        ({"EvaluationPeriods": 2, "TreatMissingData": "notBreaching"}, [None, None], "OK"),
        ({"EvaluationPeriods": 2, "TreatMissingData": "breaching"}, [None, None], "ALARM"),
        ({"TreatMissingData": "ignore", "StateValue": "ALARM"}, [None], "ALARM"),
    ],
)
def test_a_state_follows_from_the_last_periods(
    members: dict[str, Any], numbers: list[float | None], state: str
) -> None:
    usual = {
        "ComparisonOperator": "GreaterThanThreshold",
        "EvaluationPeriods": 1,
        "Threshold": 5.0,
        "StateValue": "OK",
    }
    found, reason = judge({**usual, **members}, numbers)
    assert found == state
    assert reason


def test_a_number_above_the_threshold_reaches_the_topic_and_the_event_bus(
    cloudwatch: Client, sns: Client, sqs: Client, events: Client, name: str
) -> None:
    topic = sns.create_topic(Name=name)["TopicArn"]
    mail, mail_arn = make_queue(sqs, f"{name}-mail")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=mail_arn)
    bus, bus_arn = make_queue(sqs, f"{name}-bus")
    pattern = {"source": ["aws.cloudwatch"], "detail": {"alarmName": [name]}}
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": bus_arn}])
    alarm = {
        "AlarmName": name,
        "Namespace": "Tests",
        "MetricName": name,
        "Statistic": "Maximum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 10.0,
        "ComparisonOperator": "GreaterThanThreshold",
        "AlarmActions": [topic],
    }
    cloudwatch.put_metric_alarm(**alarm)
    [found] = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    assert (found["StateValue"], found["Threshold"]) == ("INSUFFICIENT_DATA", 10.0)
    cloudwatch.put_metric_data(Namespace="Tests", MetricData=[{"MetricName": name, "Value": 11.0}])

    def message(url: str) -> dict[str, Any] | None:
        for one in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", []):
            found: dict[str, Any] = json.loads(one["Body"])
            return found
        return None

    told = json.loads(wait_for(lambda: message(mail))["Message"])
    assert (told["AlarmName"], told["NewStateValue"]) == (name, "ALARM")
    assert told["Trigger"]["Threshold"] == 10.0
    event = wait_for(lambda: message(bus))
    assert event["detail-type"] == "CloudWatch Alarm State Change"
    assert (event["detail"]["state"]["value"], event["detail"]["previousState"]["value"]) == (
        "ALARM",
        "INSUFFICIENT_DATA",
    )
    [found] = cloudwatch.describe_alarms(AlarmNamePrefix=name, StateValue="ALARM")["MetricAlarms"]
    assert "1 of the last 1 datapoints [11] breach the threshold (10" in found["StateReason"]
    cloudwatch.delete_alarms(AlarmNames=[name])
    assert cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"] == []


def test_a_state_can_be_set_by_hand(cloudwatch: Client, name: str) -> None:
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace="Tests",
        MetricName=name,
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="ignore",
    )
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a drill")
    [found] = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    assert (found["StateValue"], found["StateReason"]) == ("ALARM", "a drill")
    cloudwatch.delete_alarms(AlarmNames=[name])


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"Period": 30}, "multiple of 60"),
        ({"Statistic": None}, "Statistic"),
        ({"DatapointsToAlarm": 2}, "DatapointsToAlarm"),
        ({"AlarmActions": ["arn:aws:automate:eu-west-1:ec2:stop"]}, "not implemented"),
        ({"MetricName": None}, "MetricName is required"),
    ],
)
def test_an_alarm_that_cannot_be_is_refused(
    cloudwatch: Client, name: str, members: dict[str, Any], words: str
) -> None:
    alarm = {
        "AlarmName": name,
        "Namespace": "Tests",
        "MetricName": "m",
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 1,
        "ComparisonOperator": "GreaterThanThreshold",
        **members,
    }
    with pytest.raises(ClientError, match=words):
        cloudwatch.put_metric_alarm(**{key: value for key, value in alarm.items() if value is not None})
    assert cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"] == []
