"""What CloudFormation templates describe is created here: their rules, functions, topics and queues work."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
import urllib.parse
from pathlib import Path

import pytest
from event_places import put_event, take
from wire_clients import Client, advertised_by, client_of, wait_for

from sagemaker_local import endpoint
from sagemaker_local.errors import CannotStart
from sagemaker_local.stacks.templates import Template, parse
from sagemaker_local.store import Store

TEMPLATE = """
AWSTemplateFormatVersion: 2010-09-09
Parameters:
  Project:
    Type: String
  Loud:
    Type: String
    Default: "no"
    AllowedValues: ["yes", "no"]
Conditions:
  IsLoud: !Equals [!Ref Loud, "yes"]
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {Version: 2012-10-17, Statement: []}
  Topic:
    Type: AWS::SNS::Topic
    Properties:
      TopicName: !Sub "${Project}-news"
  DeadLetters:
    Type: AWS::SQS::Queue
    Properties:
      MessageRetentionPeriod: 1209600
  Function:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: !Join ["-", [!Ref Project, teller]]
      Runtime: python3.12
      Handler: handlers.teller.handle
      Role: !GetAtt Role.Arn
      Timeout: 30
      Code: {S3Bucket: anything, S3Key: handlers.zip}
      DeadLetterConfig: {TargetArn: !GetAtt DeadLetters.Arn}
      Environment:
        Variables:
          TOPIC: !Ref Topic
          MARK: !If [IsLoud, "!", !Ref "AWS::NoValue"]
  NoRetry:
    Type: AWS::Lambda::EventInvokeConfig
    Properties: {FunctionName: !Ref Function, Qualifier: $LATEST, MaximumRetryAttempts: 0}
  Rule:
    Type: AWS::Events::Rule
    Properties:
      Name: !Sub "${Project}-${AWS::Region}"
      EventPattern:
        source: [!Ref Project]
      Targets:
        - {Id: teller, Arn: !GetAtt Function.Arn, RetryPolicy: {MaximumRetryAttempts: "3"}}
  Alarm:
    Type: AWS::CloudWatch::Alarm
    Properties:
      AlarmName: !Sub "${Project}-dead-letters"
      AlarmDescription: Somebody has to look.
      Namespace: AWS/SQS
      MetricName: ApproximateNumberOfMessagesVisible
      Dimensions: [{Name: QueueName, Value: !GetAtt DeadLetters.QueueName}]
      ComparisonOperator: GreaterThanThreshold
      Threshold: 0
      AlarmActions: [!Ref Topic]
  Permission:
    Type: AWS::Lambda::Permission
    Properties: {FunctionName: !Ref Function, Action: "lambda:InvokeFunction"}
"""

TELLER = """
import boto3, os

def handle(event, context):
    text = event["detail"]["text"]
    if text == "fail":
        raise RuntimeError("asked to fail")
    mark = os.environ.get("MARK", ".")
    boto3.client("sns").publish(TopicArn=os.environ["TOPIC"], Subject="News", Message=text + mark)
"""


@pytest.fixture
def template(tmp_path: Path) -> Path:
    handlers = tmp_path / "code" / "handlers"
    handlers.mkdir(parents=True)
    (handlers / "teller.py").write_text(TELLER)
    path = tmp_path / "templates" / "news.yaml"
    path.parent.mkdir()
    path.write_text(textwrap.dedent(TEMPLATE))
    return path


def test_a_stack_takes_events_to_handlers_and_their_messages_to_the_inbox(
    template: Path, tmp_path: Path
) -> None:
    code = template.parent.parent / "code"
    query = urllib.parse.urlencode({"Project": "zoo", "Loud": "yes", "@region": "eu-west-1", "@code": code})
    home = tmp_path / "home"
    process = subprocess.Popen(
        [sys.executable, "-m", "sagemaker_local", "--home", home, "--template", f"{template}?{query}"],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        url = wait_for(lambda: advertised_by(home, process))  # type: ignore[arg-type]
        events, sqs = client_of(url, "events"), client_of(url, "sqs")
        put_event(events, "zoo", {"text": "an elephant"})
        inbox = sqs.get_queue_url(QueueName="local-inbox")["QueueUrl"]
        assert json.loads(take(sqs, inbox)["Body"])["Message"] == "an elephant!"
        put_event(events, "zoo", {"text": "fail"})
        notification = json.loads(take(sqs, inbox)["Body"])
        assert notification["Subject"] == 'ALARM: "zoo-dead-letters" in eu-west-1'
        assert notification["Message"].startswith("Somebody has to look.")
        # Said once, however many follow; and again after the queue was empty.
        put_event(events, "zoo", {"text": "fail"})
        dead = sqs.get_queue_url(QueueName="news-DeadLetters")["QueueUrl"]
        wait_for(lambda: length(sqs, dead) == 2 or None)
        put_event(events, "zoo", {"text": "a heron"})
        assert json.loads(take(sqs, inbox)["Body"])["Message"] == "a heron!"
        error = take(sqs, dead)["MessageAttributes"]["ErrorMessage"]
        assert error["StringValue"] == "RuntimeError: asked to fail"
        sqs.purge_queue(QueueUrl=dead)
        alarms = Store(home / "state.db")
        wait_for(lambda: alarms.get("alarm", "eu-west-1", "zoo-dead-letters")["StateValue"] == "OK" or None)  # type: ignore[index]
        put_event(events, "zoo", {"text": "fail"})
        assert json.loads(take(sqs, inbox)["Body"])["Subject"].startswith("ALARM")
    finally:
        process.terminate()
        told = process.communicate(timeout=120)[1]
    assert "Role (AWS::IAM::Role), Permission (AWS::Lambda::Permission)" in told


def test_a_stack_that_is_created_again_becomes_what_the_template_says_now(
    template: Path, tmp_path: Path
) -> None:
    home, code = tmp_path / "home", template.parent.parent / "code"
    described = Template(template, {"Project": "zoo"}, "eu-west-1", code)
    for _ in range(2):
        with endpoint.start(home, templates=[described]) as local:
            assert [rule["Name"] for rule in rules(local)] == ["zoo-eu-west-1"]
    template.write_text(template.read_text().replace("Name: !Sub", "Description: !Sub"))
    with endpoint.start(home, templates=[described]) as local:
        assert [rule["Name"] for rule in rules(local)] == ["news-Rule"]


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("TOPIC: !Ref Topic", "TOPIC: !Ref Topics", "no parameter or resource Topics"),
        ("Role: !GetAtt Role.Arn", "Role: !GetAtt Role.Name", "Role has no attribute Name"),
        ('!Join ["-", [!Ref Project, teller]]', "!ImportValue x", "Fn::ImportValue is not implemented"),
        ("source: [!Ref Project]", "source: []", "source must not be an empty list"),
        ("handlers.teller.handle\n", "handlers.teller.handle\n      bad: [\n", "cannot be read"),
        ("{S3Bucket: anything, S3Key: handlers.zip}", "nowhere", "there is no folder"),
        ("  Loud:\n", "  Other: {Type: String}\n  Loud:\n", "Other has no default"),
    ],
)
def test_a_template_whose_resources_cannot_be_created_is_a_clear_error(
    template: Path, tmp_path: Path, before: str, after: str, reason: str
) -> None:
    text = template.read_text()
    assert before in text
    template.write_text(text.replace(before, after))
    with pytest.raises(CannotStart, match=reason):
        endpoint.start(tmp_path / "home", templates=[Template(template, {"Project": "zoo"})])


def test_a_template_is_named_with_its_parameters_like_a_url() -> None:
    found = parse("a/b.yaml?Project=x%26y&Empty=&@region=eu-west-1&@code=c&@name=n")
    expected = Template(Path("a/b.yaml"), {"Project": "x&y", "Empty": ""}, "eu-west-1", Path("c"), "n")
    assert found == expected


def length(sqs: Client, url: str) -> int:
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    return int(found["Attributes"]["ApproximateNumberOfMessages"])


def rules(local: endpoint.Endpoint) -> list[dict[str, str]]:
    found: list[dict[str, str]] = client_of(local.url, "events").list_rules()["Rules"]
    return found
