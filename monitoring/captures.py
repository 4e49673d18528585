"""The requests of a window, from the captures of an endpoint: what was asked, as the model sees it, and when.

SageMaker writes them as JSON lines (``captureData``, ``eventMetadata``,
https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture.html). Each request's rows are
turned into the matrix by the serving code of the version's own artifact, as the endpoint did, but categories
that training has not seen keep a code of their own. Whatever cannot be used is counted by its reason, so that
nothing is left out in silence.

At most :data:`MOST_ROWS` rows are used: of more requests a part, chosen by a hash of their ids.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

MOST_ROWS = 200_000
_MOST_REQUESTS_LOOKED_AT = 400_000

PROOF_ID = "gatehouse-proof"
"""Of the request by which a deployment proves that the version answers; ``registry/sample_payload.py``."""

NO_JSON = "lines that are no JSON"
NOT_OF_THE_FORM = "lines that are no captures, or of another version of their format"
TWICE = "captures that are there twice"
OUTSIDE = "requests of another time than this window's"
NO_INPUT = "captures without a request"
DOES_NOT_FIT = "requests that do not fit the version's schema"


@dataclass(frozen=True)
class Requests:
    """The requests of a window.

    Attributes:
        matrix: float32, rows x features; NaN where a value is missing, below 0 for a category never seen.
        unseen: of a feature, the texts of those categories: -1 is the first.
        request: int, the request of each row.
        ids: of each request its inference id, or its event's where it has none; ``events`` are the latter.
        times: of each request, seconds since 1970.
        captured: how many captures there were, used or not.
        noticed: how many were not used, by the reason.
        share: of the requests, how many are used because there are too many.
    """

    matrix: np.ndarray
    unseen: Mapping[str, list[str]]
    request: np.ndarray
    ids: list[str]
    events: list[str]
    times: np.ndarray
    captured: int
    noticed: Counter[str] = field(default_factory=Counter)
    share: float = 1.0


@dataclass(frozen=True)
class _Captured:
    event: str
    inference: str
    time: float
    content_type: str
    body: str | bytes


class NewCategories:
    """Gives each category that training has not seen a code below 0, by feature."""

    def __init__(self) -> None:
        self.texts: dict[str, list[str]] = {}

    def of(self, feature: str) -> Callable[[str], float]:
        """What gives the codes of a feature."""
        known: dict[str, float] = {}
        texts = self.texts.setdefault(feature, [])

        def code(text: str) -> float:
            if text not in known:
                texts.append(text)
                known[text] = float(-len(texts))
            return known[text]

        return code


def read_requests(folder: Path, artifact: Path, serving: ModuleType, start: float, end: float) -> Requests:
    """The requests of a window.

    Args:
        folder: where the captures lie, in any folders below it.
        artifact: the version's unpacked artifact; ``serving`` is its ``inference`` module.
        start, end: of the window, seconds since 1970; the end does not belong to it.
    """
    new, noticed = NewCategories(), Counter[str]()
    schema = serving.read_schema(artifact / "schema.json", new.of)
    lines = sum(1 for _ in _lines(folder))
    share = min(1.0, _MOST_REQUESTS_LOOKED_AT / max(lines, 1))
    seen: set[str] = set()
    found: list[tuple[_Captured, np.ndarray]] = []
    rows = 0
    for line in _lines(folder):
        captured = _captured(line, noticed)
        if captured is None or not _is_used(captured.event, share):
            continue
        if captured.event in seen:
            noticed[TWICE] += 1
            continue
        seen.add(captured.event)
        if captured.inference == PROOF_ID:
            continue
        if not start <= captured.time < end:
            noticed[OUTSIDE] += 1
            continue
        try:
            matrix = serving.to_matrix(serving.parse(captured.body, captured.content_type), schema)
        except serving.BadRequest:
            noticed[DOES_NOT_FIT] += 1
            continue
        found.append((captured, matrix))
        rows += len(matrix)
        while rows > MOST_ROWS:
            share /= 2
            found = [pair for pair in found if _is_used(pair[0].event, share)]
            rows = sum(len(matrix) for _, matrix in found)
    empty = np.empty((0, len(schema.features)), np.float32)
    return Requests(
        matrix=np.concatenate([empty, *(matrix for _, matrix in found)]),
        unseen=new.texts,
        request=np.repeat(np.arange(len(found)), [len(matrix) for _, matrix in found]),
        ids=[captured.inference or captured.event for captured, _ in found],
        events=[captured.event for captured, _ in found],
        times=np.array([captured.time for captured, _ in found]),
        captured=lines,
        noticed=noticed,
        share=share,
    )


def _lines(folder: Path) -> Iterator[bytes]:
    for path in sorted(folder.rglob("*.jsonl")):
        with path.open("rb") as file:
            yield from (line for line in file if line.strip())


def _is_used(event: str, share: float) -> bool:
    return zlib.crc32(event.encode()) < share * 2**32


def _captured(line: bytes, noticed: Counter[str]) -> _Captured | None:
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        noticed[NO_JSON] += 1
        return None
    try:
        data, event = document["captureData"], document["eventMetadata"]
        time = datetime.fromisoformat(event["inferenceTime"]).timestamp()
        identity, inference = str(event["eventId"]), str(event.get("inferenceId") or "")
        asked = data.get("endpointInput")
        if asked is None:
            noticed[NO_INPUT] += 1
            return None
        return _Captured(identity, inference, time, str(asked["observedContentType"]), _body(asked))
    except (KeyError, TypeError, ValueError, AttributeError):
        noticed[NOT_OF_THE_FORM] += 1
        return None


def _body(asked: Mapping[str, Any]) -> str | bytes:
    """Raises ValueError where it is not as its encoding says."""
    data = asked["data"]
    if not isinstance(data, str):
        raise ValueError("no text")
    if asked.get("encoding") != "BASE64":
        return data
    try:
        return base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error
