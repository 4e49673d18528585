"""What names an object in S3: URIs, and S3's addresses by https, which AWS takes too."""

from __future__ import annotations

import pytest

from sagemaker_local.jobs.failure import JobFailure
from sagemaker_local.jobs.transfer import S3Uri, parse_uri


@pytest.mark.parametrize(
    "text",
    [
        "s3://my.bucket/a/b c.csv",
        "https://my.bucket.s3.amazonaws.com/a/b%20c.csv",
        "https://my.bucket.s3.eu-west-1.amazonaws.com/a/b%20c.csv",
        "https://my.bucket.s3-eu-west-1.amazonaws.com/a/b%20c.csv",
        "https://s3.eu-west-1.amazonaws.com/my.bucket/a/b%20c.csv",
        "https://s3-eu-west-1.amazonaws.com/my.bucket/a/b%20c.csv",
        "https://my.bucket.s3.cn-north-1.amazonaws.com.cn/a/b%20c.csv",
    ],
)
def test_bucket_and_key(text: str) -> None:
    assert parse_uri(text) == S3Uri("my.bucket", "a/b c.csv")


@pytest.mark.parametrize(
    "text",
    [
        "s3://",
        "https://example.org/bucket/key",
        "https://s3.eu-west-1.amazonaws.com/",
        "http://b.s3.amazonaws.com/k",
        "/tmp/x",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(JobFailure, match="is no S3 URI"):
        parse_uri(text)
