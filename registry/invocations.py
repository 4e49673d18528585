"""Asking an environment's endpoint: payloads in, one prediction for each row out.

A request may carry 6 MB and its answer as much, so many rows come as several payloads; whoever reads them
cuts them on row boundaries. Answers are understood in the two forms that this project's models give: JSON
``{"predictions": [...]}`` and CSV lines ``class,probability``; in a regression ``value`` is in place of the
class. A model from elsewhere may answer with a bare JSON list, or with other members, such as XGBoost's
``score`` as a built-in algorithm.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from aws_formats import json_text
from aws_formats.errors import GatehouseError
from registry.deployment_history import nothing_deployed
from registry.environment_state import read_endpoint
from registry.environments import Environment

CSV, JSON, PARQUET = "text/csv", "application/json", "application/x-parquet"
WITH_CONTRIBUTIONS = "application/json; contributions=true"
"""What to accept so that the answer says how much each feature moved it; older versions take it for JSON."""

BODY_LIMIT = 6 * 1024 * 1024
"""Bytes that one request to an endpoint can carry (InvokeEndpoint's Body: 6291456)."""

HEADER_REMEDY = "If the first line is no header, say --no-header; if it is one, --header"
"""What helps where more or fewer rows are answered than were sent."""


@dataclass(frozen=True)
class Payload:
    """The body of one request.

    Attributes:
        rows: how many rows it holds.
        first_row: where they begin in the whole input, from 1.
    """

    body: bytes
    content_type: str
    rows: int
    first_row: int


class RowsRefused(GatehouseError):
    """The model refuses the rows; ``reason`` is what it said."""

    def __init__(self, reason: str, where: str) -> None:
        super().__init__(f"the model refuses the rows: {reason}", where)
        self.reason = reason


def invoke(
    environment: Environment,
    payloads: Iterable[Payload],
    *,
    accept: str = JSON,
    inference_id: str | None = None,
) -> Iterator[Mapping[str, Any]]:
    """Send payloads one after the other and give the predictions row by row.

    Args:
        inference_id: the request's name in what the endpoint captures; for one payload only.

    Raises:
        GatehouseError: nothing is deployed, a payload is refused, an answer cannot be understood, or there
            are several payloads for one inference id, of which none is sent then.
    """
    if inference_id is not None:
        payloads = list(itertools.islice(payloads, 2))
        if len(payloads) > 1:
            raise GatehouseError(
                f"the rows take more than one request, and the inference id {inference_id!r} is the name of"
                " one",
                remedy=f"Send {payloads[0].rows} rows at most with it",
            )
    for payload in payloads:
        yield from send(environment, payload, accept, inference_id)


def send(
    environment: Environment, payload: Payload, accept: str, inference_id: str | None = None
) -> list[Mapping[str, Any]]:
    """The predictions for one payload.

    Raises:
        GatehouseError: see :func:`invoke`.
    """
    runtime = environment.clients.client("sagemaker-runtime")
    try:
        answer = runtime.invoke_endpoint(
            EndpointName=environment.endpoint,
            ContentType=payload.content_type,
            Accept=accept,
            Body=payload.body,
            **({} if inference_id is None else {"InferenceId": inference_id}),
        )
    except ClientError as error:
        raise _refused(environment, payload, error) from error
    predictions = parse(answer["Body"].read(), answer.get("ContentType", accept))
    if len(predictions) != payload.rows:
        raise GatehouseError(
            f"{payload.rows} rows were sent and {len(predictions)} answered",
            where=_place(environment, payload),
            remedy=HEADER_REMEDY,
        )
    return predictions


def parse(body: bytes, content_type: str) -> list[Mapping[str, Any]]:
    """An answer as one mapping for each row.

    Raises:
        GatehouseError: it is neither of the forms that the module's text names.
    """
    kind = content_type.partition(";")[0].strip().lower()
    try:
        text = body.decode("utf-8")
        if kind == CSV:
            rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
            return [_from_csv(row) for row in rows]
        document = json_text.parse(text)
    except (ValueError, csv.Error) as error:  # not UTF-8, not JSON, not a number
        raise GatehouseError(f"the answer is no {kind}: {error}: {body[:200]!r}") from error
    found = document.get("predictions") if isinstance(document, dict) else document
    if not isinstance(found, list):
        raise GatehouseError(f"the answer holds no list of predictions: {text[:200]}")
    return [item if isinstance(item, dict) else {"class": item} for item in found]


def _from_csv(row: list[str]) -> Mapping[str, Any]:
    if len(row) == 1:
        return {"class": row[0]}
    return {"class": row[0], "probability": float(row[1])}


def _refused(environment: Environment, payload: Payload, error: ClientError) -> ClientError | GatehouseError:
    """The clear form of what an endpoint says to a payload; any other answer as it is."""
    answer = error.response["Error"]
    if answer["Code"] == "ModelError":
        status = error.response.get("OriginalStatusCode", 500)
        said = error.response.get("OriginalMessage") or answer["Message"]
        reason, place = " ".join(_model_words(said).split()), _place(environment, payload)
        if 400 <= status < 500:
            return RowsRefused(reason, place)
        return GatehouseError(
            f"the model failed: {reason}",
            where=place,
            remedy=f"Its reason is in the log group /aws/sagemaker/Endpoints/{environment.endpoint}",
        )
    if answer["Code"] == "ValidationError" and len(payload.body) <= BODY_LIMIT:
        endpoint = read_endpoint(environment)
        if endpoint is None:
            return nothing_deployed(environment)
        return GatehouseError(
            f"endpoint {endpoint.name} is {endpoint.status} and takes no requests",
            remedy=f"See `gatehouse environments {environment.project}`",
        )
    return error


def _model_words(said: str) -> str:
    """What the model's container said, without the JSON or the page around it that some servers put there."""
    title = re.search(r"<title>(.*?)</title>", said, re.DOTALL | re.IGNORECASE)
    if title is not None and said.lstrip().startswith("<"):
        return title[1]
    try:
        document = json_text.parse(said)
    except ValueError:
        return said
    return (
        str(document.get("error") or document.get("message") or said) if isinstance(document, dict) else said
    )


def _place(environment: Environment, payload: Payload) -> str:
    last = payload.first_row + payload.rows - 1
    return f"endpoint {environment.endpoint}, rows {payload.first_row} to {last} of the input"
