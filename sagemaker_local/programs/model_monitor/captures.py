"""What an endpoint captured in a window of time: a record for each row of each request.

A row is what the model answered, followed by what it was asked, as Model Monitor reads captures; both of them
CSV, or both flat JSON. A request with several rows has a record for each, if it has as many answers.

https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture-endpoint.html
"""

from __future__ import annotations

import base64
import binascii
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from datasets import csv_rows, files_below, flat
from input_error import InputError

INPUT, OUTPUT = "endpointInput", "endpointOutput"
_ENCODINGS = {"text/csv": "CSV", "application/json": "JSON", "application/jsonlines": "JSON"}


@dataclass(frozen=True)
class Captured:
    """One request.

    Attributes:
        identity: its inference id, or its event's id where it has none.
        parts: ``endpointInput`` and ``endpointOutput``, those that were captured, as the line has them.
        where: the file and the line.
    """

    identity: str
    parts: Mapping[str, Mapping[str, Any]]
    where: str


def window(variables: Mapping[str, str]) -> tuple[float, float]:
    """``start_time`` and ``end_time``, POSIX seconds; everything where there are none."""
    start, end = (variables.get(name) for name in ("start_time", "end_time"))
    try:
        return (
            datetime.fromisoformat(start).timestamp() if start else float("-inf"),
            datetime.fromisoformat(end).timestamp() if end else float("inf"),
        )
    except ValueError as problem:
        raise InputError(f"start_time and end_time must be times of ISO 8601: {problem}") from problem


def read(source: Path, between: tuple[float, float]) -> Iterator[Captured]:
    """The requests of a window; its end does not belong to it.

    Raises:
        InputError: a line is no capture.
    """
    return (parsed(document, where) for document, where in documents(source, between))


def documents(source: Path, between: tuple[float, float]) -> Iterator[tuple[dict[str, Any], str]]:
    """The lines of a window's requests, and where each comes from.

    Raises:
        InputError: a line is no capture.
    """
    for file in files_below(source):
        with file.open(encoding="utf-8", errors="replace") as lines:
            for number, line in enumerate(lines, 1):
                where = f"{file.name}, line {number}"
                if line.strip() and between[0] <= (found := _timed(line, where))[1] < between[1]:
                    yield found[0], where


def parsed(document: Mapping[str, Any], where: str) -> Captured:
    """A line's request."""
    event, data = document["eventMetadata"], document["captureData"]
    identity = str(event.get("inferenceId") or event["eventId"])
    parts = {name: data[name] for name in (INPUT, OUTPUT) if data.get(name)}
    return Captured(identity, parts, where)


def rows(captured: Captured, wanted: Sequence[str]) -> list[dict[str, str | None] | list[str | None]]:
    """The rows of a request: its answers, followed by what was asked. A row of JSON is an object.

    Args:
        wanted: ``captureIndexNames``: which of the two.

    Raises:
        InputError: the data are not what their encoding says, or the two are of different encodings or of
            different numbers of rows.
    """
    parts = [
        _rows(captured.parts[name], f"{captured.where}, {name}")
        for name in (OUTPUT, INPUT)
        if name in wanted and name in captured.parts
    ]
    if not parts:
        return []
    encodings = [encoding for encoding, _ in parts]
    if len(set(encodings)) > 1:
        raise InputError(
            f"Encoding mismatch: Encoding is {encodings[1]} for endpointInput, but Encoding is"
            f" {encodings[0]} for endpointOutput. Model Monitor takes one and the same encoding for both"
        )
    if len({len(found) for _, found in parts}) > 1:
        raise InputError(
            f"the request {captured.identity} has {len(parts[1][1])} rows and {len(parts[0][1])} answers"
        )
    both = zip(*(found for _, found in parts), strict=True)
    if encodings[0] == "CSV":
        return [list(itertools.chain(*together)) for together in both]
    return [{name: value for part in together for name, value in part.items()} for together in both]


def _timed(line: str, where: str) -> tuple[dict[str, Any], float]:
    try:
        document = json.loads(line)
        event = document["eventMetadata"]
        time = datetime.fromisoformat(event["inferenceTime"]).timestamp()
        if not (event.get("inferenceId") or event["eventId"]) or not document["captureData"].keys():
            raise KeyError("eventId")
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as problem:
        raise InputError(f"{where} is no line of a data capture: {problem!r}") from problem
    return document, time


def _rows(part: Mapping[str, Any], where: str) -> tuple[str, list[Any]]:
    encoding, text = part.get("encoding"), part.get("data")
    if not isinstance(text, str):
        raise InputError(f"{where} has no data")
    if encoding == "BASE64":
        kind = str(part.get("observedContentType", "")).partition(";")[0].strip().lower()
        encoding = _ENCODINGS.get(kind)
        try:
            text = base64.b64decode(text, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            encoding = None
    if encoding == "CSV":
        return encoding, csv_rows(text)
    if encoding == "JSON":
        return encoding, _json_rows(text, where)
    raise InputError(
        f"{where} is neither CSV nor JSON ({part.get('observedContentType')}): name its content type in the"
        " CaptureContentTypeHeader of the endpoint's configuration"
    )


def _json_rows(text: str, where: str) -> list[dict[str, str | None]]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        try:
            found = [json.loads(line) for line in text.splitlines() if line.strip()]
        except (ValueError, RecursionError) as problem:
            raise InputError(f"{where} is not JSON: {problem}") from problem
    return [flat(document, where) for document in (found if isinstance(found, list) else [found])]
