"""What a transform job does with each object: the pieces that the model is sent, and how they are sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from sagemaker_local.hosting.batch_capture import BatchCapture, read_batch_capture
from sagemaker_local.hosting.data_processing import DataProcessing, read_processing
from sagemaker_local.jobs.failure import client_error
from sagemaker_local.store import Document

DEFAULT_PAYLOAD_MB = 6
_TIMEOUT_SECONDS = 600


@dataclass(frozen=True)
class TransformPlan:
    """What a job does with each object.

    Attributes:
        largest: bytes of a payload; None for any number.
        parallel: requests under way at once.
        retries: how often a payload is sent again after an error of the model server's own.
        processing: what is kept of the records; None for all, without their inputs.
        capture: what is captured; None if nothing.
    """

    content_type: str | None
    accept: str | None
    gzipped: bool
    by_line: bool
    one_record_each: bool
    line_after_each: bool
    largest: int | None
    parallel: int
    timeout: float
    retries: int
    processing: DataProcessing | None
    capture: BatchCapture | None


def read_plan(document: Document) -> TransformPlan:
    """The plan that a request, or a job's document, means."""
    source, target = document["TransformInput"], document["TransformOutput"]
    client = document.get("ModelClientConfig", {})
    megabytes = document.get("MaxPayloadInMB", DEFAULT_PAYLOAD_MB)
    instances = document["TransformResources"]["InstanceCount"]
    return TransformPlan(
        content_type=source.get("ContentType"),
        accept=target.get("Accept"),
        gzipped=source.get("CompressionType", "None") == "Gzip",
        by_line=source.get("SplitType", "None") == "Line",
        one_record_each=document.get("BatchStrategy") == "SingleRecord",
        line_after_each=target.get("AssembleWith", "None") == "Line",
        largest=megabytes << 20 if megabytes else None,
        parallel=instances * max(1, document.get("MaxConcurrentTransforms", 1)),
        timeout=client.get("InvocationsTimeoutInSeconds", _TIMEOUT_SECONDS),
        retries=client.get("InvocationsMaxRetries", 0),
        processing=read_processing(document),
        capture=read_batch_capture(document),
    )


def payloads(source: BinaryIO, plan: TransformPlan) -> Iterator[bytes]:
    """One object's content in the pieces that the model is sent.

    Split by line, an empty line is no record; one of nothing but spaces or tabs is, since those may be
    delimiters.

    Raises:
        JobFailure: a record is larger than a payload may be.
    """
    if not plan.by_line:
        content = source.read() if plan.largest is None else source.read(plan.largest + 1)
        _check_size(len(content), plan, "the object")
        yield content
        return
    batch: list[bytes] = []
    size = 0
    for number, line in enumerate(source, 1):
        if not line.strip(b"\r\n"):
            continue
        _check_size(len(line), plan, f"line {number}")
        full = plan.largest is not None and size + len(line) > plan.largest
        if batch and (full or plan.one_record_each):
            yield b"".join(batch)
            batch, size = [], 0
        batch.append(line)
        size += len(line)
    if batch:
        yield b"".join(batch)


def _check_size(size: int, plan: TransformPlan, what: str) -> None:
    if plan.largest is not None and size > plan.largest:
        raise client_error(
            f"{what} has more than MaxPayloadInMB, {plan.largest >> 20} MB. Raise it, or split the object by"
            " SplitType Line."
        )
