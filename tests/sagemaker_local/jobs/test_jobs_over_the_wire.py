"""Jobs and their logs as an unmodified boto3 sees them, and AWS as a job's own boto3 sees it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3

from sagemaker_local import endpoint

SCRIPT = """
import boto3, sys
s3 = boto3.client("s3")
print("account", boto3.client("sts").get_caller_identity()["Account"])
body = s3.get_object(Bucket="bucket", Key="data")["Body"].read()
s3.put_object(Bucket="bucket", Key="from-the-job", Body=body)
"""


def client(service: str, url: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=url,
        region_name="eu-west-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )


def test_a_jobs_own_boto3_reaches_the_local_services_and_its_log_is_followed(tmp_path: Path) -> None:
    with endpoint.start(tmp_path / "home") as local:
        s3, sagemaker, logs = (client(name, local.url) for name in ("s3", "sagemaker", "logs"))
        s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        s3.put_object(Bucket="bucket", Key="data", Body=b"content")
        s3.put_object(Bucket="bucket", Key="code/main.py", Body=SCRIPT.encode())
        sagemaker.create_processing_job(
            ProcessingJobName="over-the-wire",
            RoleArn="arn:aws:iam::000000000000:role/local",
            ProcessingResources={
                "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
            },
            AppSpecification={
                "ImageUri": "x/sagemaker-scikit-learn:1.8-0",
                "ContainerEntrypoint": ["python3", "/opt/ml/processing/input/code/main.py"],
            },
            ProcessingInputs=[
                {
                    "InputName": "code",
                    "S3Input": {
                        "S3Uri": "s3://bucket/code/main.py",
                        "LocalPath": "/opt/ml/processing/input/code",
                        "S3DataType": "S3Prefix",
                        "S3InputMode": "File",
                    },
                }
            ],
            Tags=[{"Key": "team", "Value": "health"}],
        )
        sagemaker.get_waiter("processing_job_completed_or_stopped").wait(
            ProcessingJobName="over-the-wire", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
        described = sagemaker.describe_processing_job(ProcessingJobName="over-the-wire")
        assert described["ProcessingJobStatus"] == "Completed", described
        assert s3.get_object(Bucket="bucket", Key="from-the-job")["Body"].read() == b"content"
        tags = sagemaker.list_tags(ResourceArn=described["ProcessingJobArn"])["Tags"]
        assert tags == [{"Key": "team", "Value": "health"}]
        group = "/aws/sagemaker/ProcessingJobs"
        pages = logs.get_paginator("describe_log_streams").paginate(
            logGroupName=group, logStreamNamePrefix="over-the-wire/"
        )
        (stream,) = (stream for page in pages for stream in page["logStreams"])
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=group, logStreamNames=[stream["logStreamName"]]
        )
        messages = [event["message"] for page in pages for event in page["events"]]
        assert messages == ["account 000000000000"]
