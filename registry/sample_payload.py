"""The proof that a deployed version works: its own sample payload, sent and answered.

A version registers a few raw rows, as a client would send them, as ``payload.csv`` in a small tarball; one
from elsewhere may have another CSV or JSON file there. The answer must parse, hold one prediction for each
row, and each must be a prediction: a class, and where probabilities come with it they are between 0 and 1; of
a regression a finite number.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from aws_formats import json_text
from aws_formats.errors import GatehouseError
from aws_formats.tar_members import FILE, BadArchive, read_members
from registry import invocations
from registry.clients import read_object
from registry.environments import Environment
from registry.invocations import CSV, JSON, Payload

MEMBER = "payload.csv"
PROOF_ID = "gatehouse-proof"
"""The inference id of such a request: nobody asked anything, so monitoring leaves it out."""
_TYPES = {".csv": CSV, ".json": JSON}
SIZE_LIMIT = 6 * 1024 * 1024
"""Bytes of a sample: what one request to an endpoint can carry."""
_MOST_MEMBERS, _MOST_BYTES = 1000, 16 * 1024 * 1024
"""Of the tarball, unpacked."""


def acceptable(response_types: Iterable[str]) -> str:
    """What to ask the answer for, of what a version can answer: JSON, which says most, or CSV."""
    types = tuple(response_types)
    return CSV if CSV in types and JSON not in types else JSON


def read_sample(s3: Any, uri: str) -> Payload:
    """The rows in a version's sample payload.

    Raises:
        GatehouseError: the tarball is gone, is none, or holds no rows that are understood.
    """
    content = read_object(s3, uri)
    if content is None:
        raise GatehouseError("the version's sample payload is gone", where=uri)
    try:
        name, body = _chosen(content)
    except BadArchive as error:
        raise GatehouseError(f"the version's sample payload is no tarball: it {error}", where=uri) from error
    kind = _content_type(name) if name else CSV
    try:
        rows = _rows(body, kind)
    except (ValueError, csv.Error) as error:
        raise GatehouseError(f"the version's sample payload is no {kind}: {error}", where=uri) from error
    if not rows or len(body) > SIZE_LIMIT:
        raise GatehouseError(
            f"the version's sample payload holds no rows in {MEMBER} or another CSV or JSON file, or more"
            " than 6 MB",
            where=uri,
        )
    return Payload(body, kind, rows, first_row=1)


def _chosen(content: bytes) -> tuple[str, bytes]:
    """Name and bytes of ``payload.csv``, else of the first CSV or JSON file; empty where there is none."""
    name, body = "", b""
    for member in read_members(io.BytesIO(content), most_members=_MOST_MEMBERS, most_bytes=_MOST_BYTES):
        wanted = member.kind == FILE and bool(_content_type(member.name))
        if wanted and (not name or (_is_payload(member.name) and not _is_payload(name))):
            name, body = member.name, b"".join(member.chunks())
    return name, body


def _is_payload(name: str) -> bool:
    return PurePosixPath(name).name == MEMBER


def _content_type(name: str) -> str:
    """The content type of a file in the tarball, by its ending; empty for other endings."""
    return _TYPES.get(PurePosixPath(name).suffix.lower(), "")


def _rows(body: bytes, kind: str) -> int:
    """How many rows a sample of that content type holds; ValueError or csv.Error if it is malformed."""
    if kind == CSV:
        return sum(1 for row in csv.reader(io.StringIO(body.decode("utf-8", "replace"), newline="")) if row)
    document = json_text.parse(body[:SIZE_LIMIT])
    rows = document.get("instances", [document]) if isinstance(document, dict) else document
    return len(rows) if isinstance(rows, list) else 0


def check(environment: Environment, sample: Payload, accept: str, classes: Sequence[str] = ()) -> int:
    """Send the sample to an environment's endpoint; returns how many rows were answered.

    Args:
        classes: those that the model knows, where that is known.

    Raises:
        GatehouseError: it was refused, or the answer is wrong.
    """
    try:
        predictions = invocations.send(environment, sample, accept, PROOF_ID)
    except GatehouseError as error:
        raise GatehouseError(f"the sample payload was not answered: {error.what}") from error
    for number, prediction in enumerate(predictions, 1):
        if fault := _fault(prediction, classes):
            raise GatehouseError(f"the answer to row {number} of the sample payload {fault}")
    return len(predictions)


def _fault(prediction: Mapping[str, Any], classes: Sequence[str]) -> str | None:
    """What is wrong with a prediction; None if nothing is."""
    if "value" in prediction and not classes:
        value = prediction["value"]
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return f"holds {value!r} where a number should be"
        return None
    if prediction and "class" not in prediction and not classes:  # of a model from elsewhere
        return None
    if prediction.get("class") in (None, ""):
        return f"names no class: {json.dumps(prediction)[:200]}"
    probabilities = prediction.get("probabilities")
    values = list(probabilities.values()) if isinstance(probabilities, Mapping) else []
    if "probability" in prediction:
        values.append(prediction["probability"])
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float) or not -1e-6 <= value <= 1 + 1e-6:
            return f"holds {value!r} where a probability should be"
    known = classes or (tuple(probabilities) if isinstance(probabilities, Mapping) else ())
    if known and str(prediction["class"]) not in known:
        return f"names the class {prediction['class']!r}, which is none of {', '.join(known)}"
    return None
