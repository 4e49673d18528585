"""A stand-in for Athena on loopback, over AWS JSON 1.1: what it takes and gives has botocore's shapes.

Queries go through the states that a test has planned, one at each look. One that succeeds writes Parquet
files as UNLOAD does: several, in no order, without an ending in their names. What Athena does with a
token, and with a place that is not empty, is done as its documents say ("StartQueryExecution", "UNLOAD").
"""

from __future__ import annotations

import io
import json
import re
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from aws_formats.service_models import service_model
from aws_formats.shapes import check, render

MODEL = service_model("athena")
UNLOAD = re.compile(
    r"UNLOAD \(\n(?P<sql>.*)\n\) TO '(?P<place>s3://[^']+/)'"
    r" WITH \(format = 'PARQUET', compression = 'SNAPPY'\)",
    re.DOTALL,
)
FILES = 2
"""That a query writes its rows into."""


@dataclass(frozen=True)
class Plan:
    """What becomes of one query.

    Attributes:
        states: one for each look; the last stays.
        reason: of the last state.
        error: its AthenaError.
        rows: what it writes if it succeeds.
    """

    states: Sequence[str] = ("QUEUED", "RUNNING", "SUCCEEDED")
    reason: str | None = None
    error: dict[str, Any] | None = None
    rows: Sequence[dict[str, Any]] = ({"age": 1, "left": "no"}, {"age": 2, "left": "yes"})


@dataclass
class _Query:
    plan: Plan
    request: dict[str, Any]
    submitted: datetime
    looks: int = 0

    @property
    def state(self) -> str:
        return self.plan.states[min(self.looks, len(self.plan.states) - 1)]


class Refused(Exception):
    """An error of the service's model, with its message."""


@dataclass
class Athena:
    """The service.

    Attributes:
        s3: a client of the S3 that queries write to.
        plans: of the queries that are started next.
        workgroups: those that there are.
        throttled: so many calls are refused next, because there were too many.
        denied: an operation that the caller may not perform.
        now: on its clock.
        queries: by their ids, in the order of their start.
        stopped: the ids of those that somebody has stopped.
    """

    s3: Any
    url: str = ""
    plans: list[Plan] = field(default_factory=list)
    workgroups: tuple[str, ...] = ("primary",)
    throttled: int = 0
    denied: str = ""
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    queries: dict[str, _Query] = field(default_factory=dict)
    stopped: list[str] = field(default_factory=list)

    def requests(self) -> list[dict[str, Any]]:
        """Of the queries that were started."""
        return [query.request for query in self.queries.values()]

    def answer(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Carry out one operation. Raises Refused."""
        model = MODEL.operation_model(operation)
        _, problems = check(model.input_shape, request)
        if problems:
            raise Refused("InvalidRequestException", f"{problems[0].constraint} of {problems[0].path}")
        if self.throttled:
            self.throttled -= 1
            code = "TooManyRequestsException" if operation == "StartQueryExecution" else "ThrottlingException"
            raise Refused(code, "Rate exceeded")
        if operation == self.denied:
            message = f"You are not authorized to perform: athena:{operation} on the resource."
            raise Refused("AccessDeniedException", message)
        answer = {
            "StartQueryExecution": self._start,
            "GetQueryExecution": self._get,
            "StopQueryExecution": self._stop,
        }[operation](request)
        rendered: dict[str, Any] = render(model.output_shape, answer)
        _, problems = check(model.output_shape, rendered)
        assert not problems, problems
        assert rendered.keys() == answer.keys(), "a member that the shape does not have"
        return rendered

    def _start(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["WorkGroup"] not in self.workgroups:
            raise Refused("InvalidRequestException", f"WorkGroup {request['WorkGroup']} is not found.")
        if "OutputLocation" not in request.get("ResultConfiguration", {}):
            raise Refused("InvalidRequestException", "No output location provided.")
        for name, query in self.queries.items():
            if query.request["ClientRequestToken"] == request["ClientRequestToken"]:
                if query.request != request:
                    raise Refused("InvalidRequestException", "Idempotent parameters do not match")
                return {"QueryExecutionId": name}
        name = str(uuid.uuid4())
        plan = self.plans.pop(0)
        statement = UNLOAD.fullmatch(request["QueryString"])
        if statement is None:
            plan = Plan(["FAILED"], reason="SYNTAX_ERROR: mismatched input")
        elif self._objects(statement["place"]):
            plan = Plan(["FAILED"], reason="HIVE_PATH_ALREADY_EXISTS: Target directory already exists")
        self.queries[name] = _Query(plan, request, self.now)
        return {"QueryExecutionId": name}

    def _get(self, request: dict[str, Any]) -> dict[str, Any]:
        query = self._query(request)
        state = "CANCELLED" if request["QueryExecutionId"] in self.stopped else query.state
        if state == "SUCCEEDED" and query.looks == len(query.plan.states) - 1:
            self._write(query)
        query.looks += 1
        status = {"State": state, "SubmissionDateTime": query.submitted.timestamp()}
        if state in ("FAILED", "CANCELLED"):
            status |= {"StateChangeReason": query.plan.reason} if query.plan.reason else {}
            status |= {"AthenaError": query.plan.error} if query.plan.error else {}
        return {
            "QueryExecution": {
                "QueryExecutionId": request["QueryExecutionId"],
                "Query": query.request["QueryString"],
                "StatementType": "DML",
                "WorkGroup": query.request["WorkGroup"],
                "Status": status,
                "Statistics": {"DataScannedInBytes": 12_345_678} if state == "SUCCEEDED" else {},
            }
        }

    def _stop(self, request: dict[str, Any]) -> dict[str, Any]:
        self._query(request)
        self.stopped.append(request["QueryExecutionId"])
        return {}

    def _query(self, request: dict[str, Any]) -> _Query:
        found = self.queries.get(request["QueryExecutionId"])
        if found is None:
            raise Refused("InvalidRequestException", "QueryExecution was not found")
        return found

    def _write(self, query: _Query) -> None:
        statement = UNLOAD.fullmatch(query.request["QueryString"])
        assert statement is not None
        bucket, _, prefix = statement["place"].removeprefix("s3://").partition("/")
        for part in range(FILES):
            rows = list(query.plan.rows[part::FILES])
            if rows:
                body = io.BytesIO()
                pq.write_table(pa.Table.from_pylist(rows), body, compression="snappy")
                key = f"{prefix}{query.submitted:%Y%m%d_%H%M%S}_00012_a1b2c_{uuid.uuid4()}"
                self.s3.put_object(Bucket=bucket, Key=key, Body=body.getvalue())

    def _objects(self, place: str) -> list[Any]:
        bucket, _, prefix = place.removeprefix("s3://").partition("/")
        found: list[Any] = self.s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
        return found

    def later(self, **time: float) -> None:
        """Let time pass on its clock."""
        self.now += timedelta(**time)


@contextmanager
def athena_place(s3: Any) -> Iterator[Athena]:
    """Athena at a URL of its own."""
    service = Athena(s3)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert "/athena/aws4_request" in self.headers["authorization"]
            assert self.headers["content-type"] == f"application/x-amz-json-{MODEL.metadata['jsonVersion']}"
            prefix, _, operation = self.headers["x-amz-target"].partition(".")
            assert prefix == MODEL.metadata["targetPrefix"]
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            try:
                self._send(200, service.answer(operation, body))
            except Refused as error:
                code, message = error.args
                known = {shape.name for shape in MODEL.operation_model(operation).error_shapes}
                assert code in known | {"ThrottlingException", "AccessDeniedException"}, (
                    "which any may answer"
                )
                self._send(400, {"__type": code, "Message": message})

        def _send(self, status: int, content: dict[str, Any]) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("content-type", "application/x-amz-json-1.1")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def date_time_string(self, _timestamp: float | None = None) -> str:
            return format_datetime(service.now, usegmt=True)

        def log_message(self, *_: object) -> None:
            """Nothing is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    service.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
