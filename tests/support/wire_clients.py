"""Clients of a local endpoint, and endpoints in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import boto3
from botocore.config import Config

from sagemaker_local import advertisement

Client = Any
Found = TypeVar("Found")
REGION = "eu-west-1"
SIGNED = "AWS4-HMAC-SHA256 Credential=test/20260101/eu-west-1/s3/aws4_request"
S3_OPERATIONS = (
    *("CreateBucket", "HeadBucket", "ListBuckets", "GetBucketLocation", "DeleteBucket"),
    *("PutObject", "GetObject", "HeadObject", "CopyObject", "DeleteObject", "DeleteObjects"),
    *("ListObjects", "ListObjectsV2", "CreateMultipartUpload", "UploadPart", "UploadPartCopy"),
    *("CompleteMultipartUpload", "AbortMultipartUpload", "ListParts", "ListMultipartUploads"),
)
"""Those that the local S3 has."""


def client_of(url: str, service: str, region: str = REGION) -> Client:
    return boto3.client(
        service,
        endpoint_url=url,
        region_name=region,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
    )


def lives(pid: int) -> bool:
    """Whether a process lives; one of which only the entry is left, for its parent to read, does not."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return False
    state, threads = fields[0], int(fields[17])  # the first thread may have ended before the others
    return state != "Z" or threads > 1


@contextmanager
def server_process(
    home: Path, *, program: str | None = None
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """An endpoint in a process of its own, and its URL; killed in the end if it still lives."""
    command = [sys.executable, "-c", program] if program else [sys.executable, "-m", "sagemaker_local"]
    process = subprocess.Popen([*command, "--home", str(home)], stderr=subprocess.PIPE)
    try:
        yield process, wait_for(lambda: advertised_by(home, process))
    finally:
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


def advertised_by(home: Path, process: subprocess.Popen[bytes]) -> str | None:
    assert process.poll() is None, "the endpoint ended at once"
    found = advertisement.running(home)
    return found.url if found and found.pid == process.pid else None


def wait_for(probe: Callable[[], Found | None], seconds: float = 120.0) -> Found:
    deadline = time.monotonic() + seconds
    while (found := probe()) is None:
        assert time.monotonic() < deadline, "what was waited for did not happen"
        time.sleep(0.02)
    return found


def definition(message: str = "no") -> str:
    step = {"Name": "Refuse", "Type": "Fail", "Arguments": {"ErrorMessage": message}}
    return json.dumps({"Version": "2020-12-01", "Parameters": [], "Steps": [step]})


def aws_cli(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The AWS CLI of this environment, unmodified."""
    environment = {
        **os.environ,
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_PAGER": "",
    }
    program = Path(sys.executable).with_name("aws")
    return subprocess.run(
        [str(program), *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
