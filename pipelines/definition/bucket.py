"""The project's bucket: is it there, and what is in it."""

from __future__ import annotations

from typing import Any

from aws_formats.errors import GatehouseError
from aws_formats.service_errors import is_absent
from pipelines.settings.target import Target


def ensure_bucket(target: Target, s3: Any) -> None:
    """Make sure that the target's bucket exists; locally it is made where it does not.

    In AWS a bucket is the account's affair: its encryption, its policy, its life cycle.

    Raises:
        GatehouseError: in AWS, there is no such bucket.
    """
    if bucket_exists(target.bucket, s3):
        return
    if target.name == "aws":
        raise GatehouseError(
            f"the bucket {target.bucket!r} does not exist",
            where=f"account {target.account}, {target.region}",
            remedy="Create it, or name another with the key bucket or the variable ARTIFACT_BUCKET",
        )
    place = {} if target.region == "us-east-1" else {"LocationConstraint": target.region}
    s3.create_bucket(Bucket=target.bucket, **({"CreateBucketConfiguration": place} if place else {}))


def bucket_exists(bucket: str, s3: Any) -> bool:
    """Whether there is such a bucket. Only reads."""
    from botocore.exceptions import ClientError

    try:
        s3.head_bucket(Bucket=bucket)
    except ClientError as error:
        if is_absent(error):
            return False
        raise
    return True


def stored_sizes(bucket: str, prefix: str, s3: Any) -> dict[str, int]:
    """The keys below a prefix, with the objects' sizes in bytes; none where there is no bucket."""
    from botocore.exceptions import ClientError

    try:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return {item["Key"]: item["Size"] for page in pages for item in page.get("Contents", ())}
    except ClientError as error:
        if is_absent(error):
            return {}
        raise
