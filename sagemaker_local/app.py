"""The ASGI application: who asks, which service is meant, and an answer in that service's protocol.

Operations are plain functions that block; each runs in a thread of a pool. Only PutObject, UploadPart
and GetObject pass their bodies on as they come; every other request is read whole, up to a cap.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import sqlite3
import urllib.parse
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from sagemaker_local import access
from sagemaker_local.context import Call, Services
from sagemaker_local.errors import AwsError, not_implemented
from sagemaker_local.protocols import aws_json, aws_query, rest_json
from sagemaker_local.s3 import http as s3_http
from sagemaker_local.s3 import messages
from sagemaker_local.s3.http import S3
from sagemaker_local.s3.messages import FileBody, Response
from sagemaker_local.s3.streaming import (
    ClientGone,
    Receive,
    RequestBody,
    Send,
    receive_body,
    send_file,
)
from sagemaker_local.services import runtime

HEALTH_PATH = "/_health"
"""Answers 200 to anybody on this machine; no bucket's name begins with an underscore."""

_LARGEST_BODY = 8 << 20
"""Bytes of a request that is read whole: a definition of 1 MiB, each character escaped, still fits."""

_THREADS = 32
_QUERY_SERVICES = ("sts", "iam", "sns")
_REST_SERVICES = ("lambda", "scheduler")
_FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Asked:
    """One HTTP request before its body is read."""

    id: str
    method: str
    raw_path: bytes
    query_string: bytes
    headers: Mapping[str, str]
    body: RequestBody
    send: Send

    @property
    def waits_for_us(self) -> bool:
        """The client sends its body only after we have begun to read it."""
        return self.headers.get("expect", "").lower() == "100-continue"

    @property
    def is_json(self) -> bool:
        return "x-amz-target" in self.headers


class App:
    """The application of one endpoint."""

    def __init__(self, services: Services, s3: S3, port: int) -> None:
        self._services, self._s3, self._port = services, s3, port
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="request")

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        asked = _Asked(
            id=str(uuid.uuid4()),
            method=scope["method"],
            raw_path=scope["raw_path"],
            query_string=scope["query_string"],
            headers=_headers(scope["headers"]),
            body=RequestBody(receive),
            send=send,
        )
        try:
            await self._answer(asked)
        except ClientGone:
            return

    async def _answer(self, asked: _Asked) -> None:
        try:
            access.refuse_strangers(asked.headers, self._port)
            if asked.raw_path == HEALTH_PATH.encode():
                await _send(asked, Response(headers={"content-type": "text/plain"}, body=b"ok\n"))
                return
            query = dict(urllib.parse.parse_qsl(asked.query_string.decode("latin-1")))
            credentials = access.scope(asked.headers, query)
        except AwsError as error:
            await _send_unread(asked, _error(asked, error))
            return
        call = Call(self._services, credentials.region)
        if asked.is_json:
            await self._answer_json(asked, call)
        elif credentials.service == "sagemaker":
            await self._answer_runtime(asked, call)
        elif credentials.service in _QUERY_SERVICES:
            await self._answer_query(asked, call, credentials.service)
        elif credentials.service in _REST_SERVICES:
            await self._answer_rest(asked, call, credentials.service)
        elif credentials.service == "s3":
            await self._answer_s3(asked, credentials.region)
        else:
            await _send_unread(asked, _error(asked, not_implemented(credentials.service)))

    async def _answer_json(self, asked: _Asked, call: Call) -> None:
        def work(body: bytes) -> Response:
            content = aws_json.call(self._services.api, call, asked.headers, body)
            return Response(headers={"content-type": aws_json.CONTENT_TYPE}, body=content)

        await self._whole(asked, work, lambda error: _json_error(error))

    async def _answer_query(self, asked: _Asked, call: Call, service: str) -> None:
        headers = {"content-type": aws_query.CONTENT_TYPE}

        def work(body: bytes) -> Response:
            content = aws_query.call(self._services.api, call, service, body, asked.query_string, asked.id)
            return Response(headers=headers, body=content)

        def failed(error: AwsError) -> Response:
            return Response(error.status, headers, aws_query.error(error, asked.id))

        await self._whole(asked, work, failed)

    async def _answer_rest(self, asked: _Asked, call: Call, service: str) -> None:
        def work(body: bytes) -> Response:
            request = rest_json.Request(asked.method, asked.raw_path, asked.headers, body, asked.query_string)
            return _from_rest(rest_json.call(self._services.api, call, service, request))

        await self._whole(asked, work, lambda error: _from_rest(rest_json.error(error)))

    async def _answer_runtime(self, asked: _Asked, call: Call) -> None:
        """An invocation waits for its model in the event loop and holds no thread."""

        def failed(error: AwsError) -> Response:
            return _from_rest(rest_json.error(error))

        body = await _read(asked, failed)
        if body is None:
            return
        try:
            answered = await runtime.answer(call, asked.method, asked.raw_path, asked.headers, body)
        except Exception as error:
            await _send(asked, failed(_as_aws_error(error)))
        else:
            await _send(asked, _from_rest(answered))

    async def _answer_s3(self, asked: _Asked, region: str) -> None:
        try:
            bucket, key, query = s3_http.parse_target(asked.raw_path, asked.query_string)
        except AwsError as error:
            await _send_unread(asked, _error(asked, error))
            return
        request = messages.Request(asked.method, bucket, key, query, asked.headers, region)

        def failed(error: AwsError) -> Response:
            return messages.error_response(error, request, asked.id)

        if s3_http.is_streamed(request):
            await self._stream(asked, request, failed)
        else:
            await self._whole(asked, lambda body: self._s3.answer(messages.with_body(request, body)), failed)

    async def _whole(
        self, asked: _Asked, work: Callable[[bytes], Response], failed: Callable[[AwsError], Response]
    ) -> None:
        """Read the body, do the work in a thread, send what comes of it."""
        body = await _read(asked, failed)
        if body is not None:
            await self._send_result(asked, work, body, failed)

    async def _stream(
        self, asked: _Asked, request: messages.Request, failed: Callable[[AwsError], Response]
    ) -> None:
        """PutObject and UploadPart: the body goes to the disk while it comes."""
        loop = asyncio.get_running_loop()
        try:
            receiver = await loop.run_in_executor(self._pool, self._s3.receiver, request)
        except Exception as error:
            await _send_unread(asked, failed(_as_aws_error(error)))
            return
        try:
            await receive_body(asked.body, receiver.feed, self._pool)
            response = await loop.run_in_executor(self._pool, receiver.finish)
        except ClientGone:
            raise
        except Exception as error:
            response = failed(_as_aws_error(error))
            await asked.body.discard()
        finally:
            await loop.run_in_executor(self._pool, receiver.close)
        await _send(asked, response)

    async def _send_result(
        self,
        asked: _Asked,
        work: Callable[[bytes], Response],
        body: bytes,
        failed: Callable[[AwsError], Response],
    ) -> None:
        loop = asyncio.get_running_loop()
        try:
            response = await loop.run_in_executor(self._pool, work, body)
        except Exception as error:
            response = failed(_as_aws_error(error))
        if not isinstance(response.body, FileBody):
            await _send(asked, response)
            return
        with response.body.opened:
            await _send_head(asked, response)
            if response.body.length:
                await send_file(asked.send, asked.body, response.body, self._pool)
            else:
                await asked.send({"type": "http.response.body"})


async def _read(asked: _Asked, failed: Callable[[AwsError], Response]) -> bytes | None:
    """The whole body; None if it is too large, which is answered here."""
    body = bytearray()
    async for piece in asked.body.pieces():
        body += piece
        if len(body) > _LARGEST_BODY:
            too_large = AwsError(
                "RequestEntityTooLarge", f"A request has at most {_LARGEST_BODY} bytes.", 413
            )
            await _send_unread(asked, failed(too_large))
            return None
    return bytes(body)


def _from_rest(message: rest_json.Message) -> Response:
    return Response(message.status, dict(message.headers), message.body)


def _headers(pairs: list[tuple[bytes, bytes]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in pairs:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers


def _as_aws_error(error: Exception) -> AwsError:
    """What the client is told. Whatever nobody foresaw goes to the log with its traceback."""
    if isinstance(error, AwsError):
        return error
    is_full = (isinstance(error, OSError) and error.errno in _FULL_DISK) or (
        isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode == sqlite3.SQLITE_FULL
    )
    if is_full:
        return AwsError(
            "InsufficientStorage",
            f"The disk that holds the local SageMaker's state is full ({error}). Nothing was changed:"
            " free some space and try again.",
            507,
        )
    _log.error("an operation failed unexpectedly", exc_info=error)
    return AwsError(
        "InternalFailure",
        f"The local SageMaker failed unexpectedly; its log has the details: {type(error).__name__}: {error}",
        500,
    )


def _json_error(error: AwsError) -> Response:
    headers = {"content-type": aws_json.CONTENT_TYPE, "x-amzn-errortype": error.code}
    return Response(error.status, headers, aws_json.error(error))


def _error(asked: _Asked, error: AwsError) -> Response:
    """An error before it is known what the request is."""
    if asked.is_json:
        return _json_error(error)
    request = messages.Request(asked.method, "", "", {}, asked.headers, "")
    return messages.error_response(error, request, asked.id)


async def _send(asked: _Asked, response: Response) -> None:
    assert isinstance(response.body, bytes)
    await _send_head(asked, response)
    await asked.send({"type": "http.response.body", "body": response.body})


async def _send_unread(asked: _Asked, response: Response) -> None:
    """Answer a request whose body was not read, or not to its end.

    A client that waits for leave to send gets the answer instead, and the connection ends there. One
    that sends already is read to the end, or else it would not get to read the answer.
    """
    if not asked.waits_for_us:
        await asked.body.discard()
    headers = {**response.headers, "connection": "close"}
    await _send(asked, Response(response.status, headers, response.body))


async def _send_head(asked: _Asked, response: Response) -> None:
    headers = {"x-amzn-requestid": asked.id, "x-amz-request-id": asked.id, **response.headers}
    if "content-length" not in headers and response.status not in (204, 304):
        length = response.body.length if isinstance(response.body, FileBody) else len(response.body)
        headers["content-length"] = str(length)
    await asked.send(
        {
            "type": "http.response.start",
            "status": response.status,
            "headers": [
                (name.encode("latin-1"), value.encode("latin-1", "replace"))
                for name, value in headers.items()
            ],
        }
    )
