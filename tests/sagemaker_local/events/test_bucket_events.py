"""What a bucket reports of its objects: to EventBridge, and to functions and queues by prefix and suffix."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError
from event_places import ROLE, make_queue
from wire_clients import Client, client_of, wait_for

from sagemaker_local import endpoint


@pytest.fixture
def s3(local: endpoint.Endpoint) -> Client:
    return client_of(local.url, "s3")


@pytest.fixture
def bucket(s3: Client, name: str) -> str:
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return name


def told(sqs: Client, url: str) -> dict[str, object] | None:
    messages = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", [])
    for message in messages:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        found: dict[str, object] = json.loads(message["Body"])
        return found
    return None


def test_a_queue_is_told_of_objects_that_its_filter_lets_through(
    s3: Client, sqs: Client, bucket: str, name: str
) -> None:
    url, arn = make_queue(sqs, name)
    rules = [{"Name": "prefix", "Value": "in/"}, {"Name": "suffix", "Value": ".csv"}]
    configuration = {
        "Id": "drop",
        "QueueArn": arn,
        "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"],
        "Filter": {"Key": {"FilterRules": rules}},
    }
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [configuration]}
    )
    found = s3.get_bucket_notification_configuration(Bucket=bucket)["QueueConfigurations"]
    assert [(one["Id"], one["QueueArn"], one["Events"]) for one in found] == [
        ("drop", arn, configuration["Events"])
    ]
    assert {rule["Name"]: rule["Value"] for rule in found[0]["Filter"]["Key"]["FilterRules"]} == {
        "Prefix": "in/",
        "Suffix": ".csv",
    }
    s3.put_object(Bucket=bucket, Key="other/a b.csv", Body=b"x")
    s3.put_object(Bucket=bucket, Key="in/a b.txt", Body=b"x")
    s3.copy_object(Bucket=bucket, Key="in/a b.csv", CopySource={"Bucket": bucket, "Key": "other/a b.csv"})
    [record] = wait_for(lambda: told(sqs, url))["Records"]
    assert (record["eventSource"], record["eventName"]) == ("aws:s3", "ObjectCreated:Copy")
    assert record["s3"]["bucket"]["name"] == bucket
    assert (record["s3"]["object"]["key"], record["s3"]["object"]["size"]) == ("in/a+b.csv", 1)
    s3.delete_object(Bucket=bucket, Key="in/a b.csv")
    [record] = wait_for(lambda: told(sqs, url))["Records"]
    assert record["eventName"] == "ObjectRemoved:Delete"
    assert told(sqs, url) is None
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    assert "QueueConfigurations" not in s3.get_bucket_notification_configuration(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="in/b.csv", Body=b"x")
    assert told(sqs, url) is None


def test_a_function_is_called_with_the_record(
    s3: Client, sqs: Client, bucket: str, function: Callable[..., str]
) -> None:
    url, _ = make_queue(sqs, f"{bucket}-seen")
    arn = function(
        f"""
        import boto3, json
        def handler(event, context):
            boto3.client("sqs").send_message(QueueUrl="{url}", MessageBody=json.dumps(event))
        """
    )
    one = {"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:Put"]}
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"LambdaFunctionConfigurations": [one]}
    )
    s3.put_object(Bucket=bucket, Key="data.csv", Body=b"1,2")
    [record] = wait_for(lambda: told(sqs, url))["Records"]
    assert record["s3"]["object"]["key"] == "data.csv"


def test_data_that_is_dropped_starts_a_pipeline_by_a_rule(
    s3: Client, events: Client, sagemaker: Client, bucket: str, name: str
) -> None:
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    assert s3.get_bucket_notification_configuration(Bucket=bucket)["EventBridgeConfiguration"] == {}
    definition = {
        "Version": "2020-12-01",
        "Parameters": [{"Name": "Why", "Type": "String", "DefaultValue": ""}],
        "Steps": [{"Name": "End", "Type": "Fail", "Arguments": {"ErrorMessage": {"Get": "Parameters.Why"}}}],
    }
    pipeline = sagemaker.create_pipeline(
        PipelineName=name,
        PipelineDefinition=json.dumps(definition),
        RoleArn=ROLE,
        ClientRequestToken="x" * 32,
    )["PipelineArn"]
    detail = {"bucket": {"name": [bucket]}, "object": {"key": [{"prefix": "in/"}]}}
    pattern = {"source": ["aws.s3"], "detail-type": ["Object Created"], "detail": detail}
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    target = {
        "Id": "start",
        "Arn": pipeline,
        "RoleArn": ROLE,
        "SageMakerPipelineParameters": {"PipelineParameterList": [{"Name": "Why", "Value": "data came"}]},
    }
    events.put_targets(Rule=name, Targets=[target])
    s3.put_object(Bucket=bucket, Key="out/x.csv", Body=b"x")
    s3.put_object(Bucket=bucket, Key="in/x.csv", Body=b"x")

    def reason() -> str | None:
        found = sagemaker.list_pipeline_executions(PipelineName=name)["PipelineExecutionSummaries"]
        said = [one.get("PipelineExecutionFailureReason") for one in found]
        return str(said) if said and all(said) else None

    assert wait_for(reason).count("End: data came") == 1


@pytest.mark.parametrize(
    ("configuration", "words"),
    [
        ({"QueueArn": "arn:aws:sns:eu-west-1:000000000000:x", "Events": ["s3:ObjectCreated:*"]}, "no Queue"),
        (
            {"QueueArn": "arn:aws:sqs:eu-west-1:000000000000:x", "Events": ["s3:ObjectRestore:*"]},
            "ObjectRestore",
        ),
        (
            {
                "QueueArn": "arn:aws:sqs:eu-west-1:000000000000:x",
                "Events": ["s3:ObjectCreated:*"],
                "Filter": {"Key": {"FilterRules": [{"Name": "middle", "Value": "x"}]}},
            },
            "prefix or suffix",
        ),
    ],
)
def test_what_cannot_be_told_is_refused(
    s3: Client, bucket: str, configuration: dict[str, object], words: str
) -> None:
    with pytest.raises(ClientError, match=words):
        s3.put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [configuration]}
        )
