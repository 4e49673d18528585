"""Scoring what is too big for an endpoint: a batch transform job on an approved version.

Input on this machine is uploaded as parts, each of which is one request to the model (6 MB at most) and has
the header, and the results come back in the order of the parts. Input in S3 is used as it is, each object
one request, or line by line.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aws_formats.arns import group_and_version
from aws_formats.errors import GatehouseError
from registry.artifacts import check_artifacts
from registry.clients import Clients, bucket_and_key
from registry.deployments import check_servable
from registry.endpoint_changes import ensure_model
from registry.endpoint_requests import model_request
from registry.invocations import CSV, Payload
from registry.model_packages import APPROVED, describe, newest_approved
from registry.network import Network

UNDER_WAY = frozenset({"InProgress", "Stopping"})
_DEFAULT_INSTANCE = "ml.m5.large"
_READ_BYTES = 1 << 20


@dataclass(frozen=True)
class TransformPlan:
    """A transform job, ready to be started.

    Attributes:
        arn: the version's.
        model: CreateModel's request.
        job: CreateTransformJob's request.
        input, output: S3 prefixes.
        notes: what is not known of the version's artifact, a sentence each.
    """

    arn: str
    model: Mapping[str, Any]
    job: Mapping[str, Any]
    input: str
    output: str
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return str(self.job["TransformJobName"])

    @property
    def version(self) -> int:
        return group_and_version(self.arn)[1]


def plan_transform(
    clients: Clients,
    group: str,
    version: int | None,
    *,
    role_arn: str,
    network: Network,
    input_uri: str,
    output_uri: str,
    content_type: str,
    split_lines: bool = False,
    instance_type: str | None = None,
    instance_count: int = 1,
    accept: str = CSV,
    capture: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> TransformPlan:
    """What a transform job would be; reads only.

    Args:
        version: the newest approved one if None.
        network: where the containers stand, and the key of their volumes and of the results.
        split_lines: each line of the input is a row of its own; for CSV without a header.
        instance_type: the first that the version supports if None.
        capture: the S3 prefix below which the job says what went in and came out; None for nowhere.

    Raises:
        ArtifactChanged: its artifact is not the one that was decided on or evaluated.
        GatehouseError: there is no such version, it is not approved, or does not run on that instance type.
    """
    number = newest_approved(clients, group) if version is None else version
    described = describe(clients, group, number)
    arn, approval = described["ModelPackageArn"], described["ModelApprovalStatus"]
    if approval != APPROVED:
        raise GatehouseError(
            f"version {number} of model {group} is {approval}; only an approved version is used",
            remedy=f"Review it: `gatehouse model {group} {number}`, `gatehouse approve {group} {number}`",
        )
    check_servable(described)
    checked = check_artifacts(clients.client("s3"), described)
    supported = described.get("InferenceSpecification", {}).get("SupportedTransformInstanceTypes", ())
    chosen = instance_type or (supported[0] if supported else _DEFAULT_INSTANCE)
    if supported and chosen not in supported:
        raise GatehouseError(
            f"version {number} of model {group} does not run on {chosen}",
            remedy=f"It was registered for: {', '.join(supported)}",
        )
    output = {"S3OutputPath": output_uri, "Accept": accept, "AssembleWith": "Line"}
    instances: dict[str, Any] = {"InstanceType": chosen, "InstanceCount": instance_count}
    if network.kms_key is not None:
        output["KmsKeyId"] = instances["VolumeKmsKeyId"] = network.kms_key
    model = model_request(described, role_arn, network, tags or {})
    job = {
        "TransformJobName": f"{group[:40]}-{number}-{time.strftime('%Y%m%d%H%M%S', time.gmtime())}",
        "ModelName": model["ModelName"],
        "BatchStrategy": "MultiRecord" if split_lines else "SingleRecord",
        "MaxPayloadInMB": 6,
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": input_uri}},
            "ContentType": content_type,
            "SplitType": "Line" if split_lines else "None",
        },
        "TransformOutput": output,
        "TransformResources": instances,
        **({} if capture is None else {"DataCaptureConfig": _capture_config(capture, network.kms_key)}),
        "Tags": model["Tags"],
    }
    return TransformPlan(arn, model, job, input_uri, output_uri, checked.notes)


def _capture_config(destination: str, kms_key: str | None) -> dict[str, Any]:
    return {"DestinationS3Uri": destination, **({} if kms_key is None else {"KmsKeyId": kms_key})}


def upload_parts(clients: Clients, uri: str, payloads: Iterable[Payload], suffix: str) -> int:
    """Put each payload as one object under a prefix, in order; returns how many rows there are."""
    s3, (bucket, prefix) = clients.client("s3"), bucket_and_key(uri)
    rows = 0
    for number, payload in enumerate(payloads):
        s3.put_object(
            Bucket=bucket,
            Key=f"{prefix.rstrip('/')}/part-{number:06d}{suffix}",
            Body=payload.body,
            ContentType=payload.content_type,
        )
        rows += payload.rows
    return rows


def refuse_blank_lines(clients: Clients, uri: str, delimiter: str) -> None:
    """Refuse blank lines in objects of one column that are to be split by line.

    There a blank line is a row whose value is missing, but a job that splits by line sends no blank lines, so
    that it would give fewer answers than there are rows. Objects of one column are read to their end, of
    others the first line.

    Raises:
        GatehouseError: there is such a line.
    """
    s3, (bucket, prefix) = clients.client("s3"), bucket_and_key(uri)
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", ()):
            lines = s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].iter_lines(_READ_BYTES)
            number = _first_blank_line(lines, delimiter)
            if number is not None:
                raise GatehouseError(
                    "this line is blank: a row whose value is missing, which a job by line skips",
                    where=f"s3://{bucket}/{item['Key']}, line {number}",
                    remedy='Write "" there, or leave out --split-lines',
                )


def _first_blank_line(lines: Iterable[bytes], delimiter: str) -> int | None:
    """Its number, from 1; None where there is none, or where rows have several columns."""
    blank, has_one_column = None, False
    for number, line in enumerate(lines, 1):
        if not line:
            blank = blank or number
        elif not has_one_column:
            if delimiter.encode() in re.sub(rb'"[^"]*"', b"", line):
                return None
            has_one_column = True
        if blank and has_one_column:
            break
    return blank


def start_transform(plan: TransformPlan, clients: Clients) -> None:
    """Create the model if there is none, and start the job."""
    ensure_model(clients, plan.model)
    clients.client("sagemaker").create_transform_job(**plan.job)


def wait(plan: TransformPlan, clients: Clients, tell: Callable[[str], None] = lambda _: None) -> None:
    """Wait for the job's end.

    Raises:
        GatehouseError: it failed or was stopped.
    """
    sagemaker, reported, pause = clients.client("sagemaker"), "", 0.05
    while True:
        described = sagemaker.describe_transform_job(TransformJobName=plan.name)
        status = described["TransformJobStatus"]
        if status != reported:
            tell(f"transform job {plan.name}: {status}")
            reported = status
        if status not in UNDER_WAY:
            break
        time.sleep(pause)
        pause = min(pause * 1.2, 10.0)
    if status != "Completed":
        raise GatehouseError(
            f"the transform job is {status}: {described.get('FailureReason', 'no reason is given')}",
            where=plan.name,
        )


def results(plan: TransformPlan, clients: Clients) -> Iterator[bytes]:
    """The answers that the job wrote, each with its line's end, in the order of the input."""
    s3, (bucket, prefix) = clients.client("s3"), bucket_and_key(plan.output)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    for page in pages:
        for item in page.get("Contents", ()):
            if item["Key"].endswith(".out"):
                yield from answers_of(s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read())


def answers_of(content: bytes) -> Iterator[bytes]:
    """The answers in an output object, each with its line's end, without the lines that are empty.

    ``AssembleWith: Line`` puts a line's end after each answer, and CSV answers have one already. A line's end
    inside of quotes belongs to a class's name.
    """
    answer, quoted = b"", False
    for line in content.splitlines(keepends=True):
        if not line.strip() and not quoted:
            continue
        answer += line
        quoted ^= line.count(b'"') % 2 == 1
        if not quoted:
            yield answer if answer.endswith((b"\n", b"\r")) else answer + b"\n"
            answer = b""
    if answer:
        yield answer
