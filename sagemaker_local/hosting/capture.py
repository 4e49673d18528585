"""Data capture of an endpoint: what its configuration asks for, and the line that a request becomes.

By "Capture data from real-time endpoint" in the SageMaker developer guide
(model-monitor-data-capture-endpoint) and ``DataCaptureConfig`` in the API reference: a share of the requests
is written, as JSON lines, to ``DESTINATION/ENDPOINT/VARIANT/yyyy/mm/dd/hh/mm-ss-mmm-UUID.jsonl``, in the hour
(UTC) of the answer.

A body whose content type the configuration counts as CSV or JSON is in a line as text, any other as base64,
and so is one that is no UTF-8. A content type's parameters do not count: in the guide's example
``text/csv; charset=utf-8`` is encoded as CSV where ``text/csv`` is listed.

AWS's pages do not say what becomes of a request that a container refuses or fails at. Here it is not
captured: there is no answer. Such requests are in the endpoint's metrics (``Invocation4XXErrors`` and its
like).

Nothing is written here; ``capture_writer`` does that.
"""

from __future__ import annotations

import base64
import json
import random
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sagemaker_local.errors import validation_error
from sagemaker_local.jobs.failure import JobFailure
from sagemaker_local.jobs.transfer import parse_uri

EVENT_VERSION = "0"
_OVERHEAD = 1024
"""Bytes that a captured request counts for beside its two bodies: the rest of its line, and its objects."""


@dataclass(frozen=True)
class CaptureConfig:
    """What an endpoint captures; part of what it runs.

    Attributes:
        bucket, prefix: the destination; the prefix has no slash at its end.
        percent: of the requests, 0 to 100; each is drawn by itself.
        modes: ``Input`` and ``Output``, or one of them.
        csv_types, json_types: content types whose bodies are kept as text, in lower case.
    """

    bucket: str
    prefix: str
    percent: int
    modes: tuple[str, ...]
    csv_types: tuple[str, ...] = ()
    json_types: tuple[str, ...] = ()

    def draw(self, chance: random.Random | None = None) -> bool:
        """Whether the next request is captured."""
        number = random.random() if chance is None else chance.random()
        return number * 100 < self.percent

    def folder(self, endpoint: str, variant: str, moment: float) -> str:
        """The beginning of the keys of what was answered in an hour; it ends with a slash.

        Args:
            moment: POSIX seconds.
        """
        hour = time.strftime("%Y/%m/%d/%H", time.gmtime(moment))
        return f"{self.prefix}/{endpoint}/{variant}/{hour}/".lstrip("/")

    def encoded(self, body: bytes, content_type: str | None) -> tuple[str, str]:
        """A body as it is in a line: its encoding (CSV, JSON or BASE64), and the text."""
        kind = (content_type or "").partition(";")[0].strip().lower()
        encoding = "CSV" if kind in self.csv_types else "JSON" if kind in self.json_types else "BASE64"
        if encoding != "BASE64":
            try:
                return encoding, body.decode()
            except UnicodeDecodeError:
                pass
        return "BASE64", base64.b64encode(body).decode()


def read_config(given: Mapping[str, Any] | None) -> CaptureConfig | None:
    """What a request's ``DataCaptureConfig`` asks for; None if nothing is captured.

    Raises:
        AwsError: its destination is no S3 URI.
    """
    if given is None:
        return None
    bucket, prefix = destination(given["DestinationS3Uri"])
    if not given.get("EnableCapture", True):
        return None
    asked = {option["CaptureMode"] for option in given["CaptureOptions"]}
    both = "InputAndOutput" in asked
    types = given.get("CaptureContentTypeHeader") or {}
    return CaptureConfig(
        bucket=bucket,
        prefix=prefix,
        percent=given["InitialSamplingPercentage"],
        modes=tuple(mode for mode in ("Input", "Output") if both or mode in asked),
        csv_types=tuple(one.lower() for one in types.get("CsvContentTypes", ())),
        json_types=tuple(one.lower() for one in types.get("JsonContentTypes", ())),
    )


def config_from_json(kept: Mapping[str, Any]) -> CaptureConfig:
    """The inverse of ``dataclasses.asdict``, also after JSON has made lists of the tuples."""
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in kept.items()
    }
    return CaptureConfig(**values)


def destination(uri: str) -> tuple[str, str]:
    """Bucket and prefix of a DestinationS3Uri; the prefix has no slash at its end.

    Raises:
        AwsError: it is no S3 URI.
    """
    try:
        parsed = parse_uri(uri)
    except JobFailure as problem:
        raise validation_error(f"DataCaptureConfig.DestinationS3Uri: {problem}") from problem
    return parsed.bucket, parsed.key.strip("/")


def summary(given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """``DataCaptureConfig`` as DescribeEndpoint shows it; None without one in the configuration."""
    if given is None:
        return None
    enabled = given.get("EnableCapture", True)
    return {
        "EnableCapture": enabled,
        "CaptureStatus": "Started" if enabled else "Stopped",
        "CurrentSamplingPercentage": given["InitialSamplingPercentage"],
        "DestinationS3Uri": given["DestinationS3Uri"],
        "KmsKeyId": given.get("KmsKeyId", ""),
    }


@dataclass(frozen=True)
class Captured:
    """A request with its answer, to be written.

    Attributes:
        moment: when it was answered, POSIX seconds.
        content_type: of the request; None where it had none.
    """

    config: CaptureConfig
    region: str
    endpoint: str
    variant: str
    moment: float
    body: bytes
    content_type: str | None
    answer: bytes
    answer_type: str
    inference_id: str | None
    custom_attributes: str | None

    @property
    def size(self) -> int:
        """Bytes that it holds in memory, about."""
        return len(self.body) + len(self.answer) + _OVERHEAD

    @property
    def folder(self) -> str:
        return self.config.folder(self.endpoint, self.variant, self.moment)

    def line(self) -> bytes:
        """One line of JSON with its end; ASCII, so that no character of it is taken for a line's end."""
        captured: dict[str, Any] = {}
        if "Input" in self.config.modes:
            captured["endpointInput"] = self._side("INPUT", self.body, self.content_type)
        if "Output" in self.config.modes:
            captured["endpointOutput"] = self._side("OUTPUT", self.answer, self.answer_type)
        metadata: dict[str, Any] = {"eventId": str(uuid.uuid4())}
        if self.custom_attributes is not None:
            metadata["customAttributes"] = [self.custom_attributes]
        if self.inference_id is not None:
            metadata["inferenceId"] = self.inference_id
        metadata["inferenceTime"] = utc(self.moment)
        record = {"captureData": captured, "eventMetadata": metadata, "eventVersion": EVENT_VERSION}
        return json.dumps(record, separators=(",", ":")).encode() + b"\n"

    def _side(self, mode: str, body: bytes, content_type: str | None) -> dict[str, Any]:
        encoding, data = self.config.encoded(body, content_type)
        return {"observedContentType": content_type, "mode": mode, "data": data, "encoding": encoding}


def file_name(moment: float) -> str:
    """The last part of a key, ``mm-ss-mmm-UUID.jsonl``, by the time of the first request in it."""
    milliseconds = int(moment * 1000) % 1000
    return f"{time.strftime('%M-%S', time.gmtime(moment))}-{milliseconds:03d}-{uuid.uuid4()}.jsonl"


def utc(moment: float) -> str:
    """A time as captures write it, e.g. ``2019-11-20T23:33:12Z``."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))
