"""A machine that gives the process no more threads: what needs one has failed, and is not left under way."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hosting_place import BUCKET, IMAGE, SCRIPT

from sagemaker_local.home import Home, Owner
from sagemaker_local.hosting.endpoints import HostedEndpoints
from sagemaker_local.hosting.fleet_spec import SPEC_MEMBER, Container, Variant, new_spec
from sagemaker_local.hosting.transform import TransformJobs
from sagemaker_local.jobs.job import JobContext
from sagemaker_local.s3.objects import ObjectStore
from sagemaker_local.store import Store

REGION = "eu-west-1"


@pytest.fixture
def without_threads() -> Iterator[None]:
    before = threading.stack_size(1 << 46)  # more than any machine gives a thread
    yield
    threading.stack_size(before)


@pytest.mark.usefixtures("without_threads")
def test_an_endpoint_and_a_transform_job_that_get_no_threads_have_failed(tmp_path: Path) -> None:
    home = Home(tmp_path).create()
    owner, store = Owner(home), Store(home.database)
    objects = ObjectStore(home, store)
    objects.create_bucket(BUCKET)
    objects.put_bytes(BUCKET, "in/a.csv", b"x")
    parts = (home, owner, store, JobContext(objects, {}, "http://127.0.0.1:1"))
    spec = new_spec([Variant("one", "model", (Container("primary", IMAGE, None, SCRIPT),), 1, 1.0)])
    document: dict[str, Any] = {
        "_Owner": owner.name,
        SPEC_MEMBER: spec.document(),
        "CreationTime": time.time(),
    }

    arn = f"arn:aws:sagemaker:{REGION}:000000000000"
    hosted = document | {
        "EndpointName": "e",
        "EndpointArn": f"{arn}:endpoint/e",
        "EndpointStatus": "Creating",
    }
    store.put("endpoint", REGION, "e", hosted)
    endpoints = HostedEndpoints(*parts)
    endpoints.create(REGION, "e")
    assert store.get("endpoint", REGION, "e")["EndpointStatus"] == "Failed"  # type: ignore[index]
    endpoints.close()

    job = document | {
        "TransformJobName": "t",
        "TransformJobArn": f"{arn}:transform-job/t",
        "TransformJobStatus": "InProgress",
        "TransformInput": {"DataSource": {"S3DataSource": {"S3Uri": f"s3://{BUCKET}/in"}}},
        "TransformOutput": {"S3OutputPath": f"s3://{BUCKET}/out"},
        "TransformResources": {"InstanceCount": 1},
    }
    store.put("transform-job", REGION, "t", job)
    transforms = TransformJobs(*parts)
    transforms.start(REGION, job)
    ended = store.get("transform-job", REGION, "t")
    assert ended is not None
    assert ended["TransformJobStatus"] == "Failed"
    assert "could not be started" in ended["FailureReason"]
    transforms.close()
