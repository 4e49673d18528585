"""The ASGI application: who asks, which service is meant, and an answer in that service's protocol.

Every request of every service but S3 goes the same way: find the service and its protocol, read the
request, call the operation, write the response. Operations are plain functions, which run in the threads of a
pool. One that has to wait, for a message or for a function's end, says so and leaves its thread until then
(``services.call.Waiting``), and those of SageMaker's runtime wait in the event loop from the beginning. What
a thread still waits for is the disk and the store's write lock: so requests that only read have a pool of
their own.

S3 reads and writes its own messages: PutObject, UploadPart and GetObject pass their bodies on as they come;
every other request is read whole, up to a cap.
"""

from __future__ import annotations

import asyncio
import errno
import functools
import logging
import re
import sqlite3
import urllib.parse
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from botocore.model import ServiceModel

from sagemaker_local import access
from sagemaker_local.errors import AwsError, not_implemented
from sagemaker_local.page import Page
from sagemaker_local.protocols import xml
from sagemaker_local.protocols.http import FileBody, Request, Response
from sagemaker_local.protocols.resolve import called, find_service, protocol_of
from sagemaker_local.s3 import http as s3_http
from sagemaker_local.s3 import messages
from sagemaker_local.s3.http import S3
from sagemaker_local.s3.streaming import (
    ClientGone,
    Receive,
    RequestBody,
    Send,
    receive_body,
    send_file,
)
from sagemaker_local.services.call import Waiting
from sagemaker_local.services.operations import Operations
from sagemaker_local.shared_commits import SharedCommits

HEALTH_PATH = "/_health"
"""Answers 200 without credentials; no bucket's name begins with an underscore."""

_LARGEST_BODY = 8 << 20
"""Bytes of a request that is read whole: a definition of 1 MiB, each character escaped, still fits."""

QUIET_SECONDS = 15.0
"""After which a client that waits for bytes to be copied hears something: boto3 waits 60 s."""

_READING_THREADS, _WRITING_THREADS = 16, 32
_READING = ("Describe", "List", "Get", "Head", "BatchDescribe", "Filter")
"""What the names of operations begin with that change nothing."""

_HEADER_ENDS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""What no header can hold: uvicorn would drop the connection instead of sending it."""

_FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Exchange:
    """One request, its body yet to be read, and the way to send the response."""

    request: Request
    body: RequestBody
    send: Send

    @property
    def waits_for_leave(self) -> bool:
        """The client sends its body only after we have begun to read it."""
        return self.request.headers.get("expect", "").lower() == "100-continue"

    @property
    def target(self) -> str | None:
        """The prefix of the service, of a request that names it."""
        found = called(self.request)
        return None if found is None else found[0]

    @property
    def operation(self) -> str | None:
        """The operation, of a request that names it before its body."""
        found = called(self.request)
        return None if found is None else found[1]

    @property
    def only_reads(self) -> bool:
        """As far as method and headers tell; a form's operation is in its body."""
        found = called(self.request)
        return self.request.method in ("GET", "HEAD") or (found is not None and found[1].startswith(_READING))


class App:
    """The application of one endpoint."""

    def __init__(self, operations: Operations, s3: S3, port: int, page: Page | None = None) -> None:
        self._operations, self._s3, self._port, self._page = operations, s3, port, page
        self._readers = ThreadPoolExecutor(_READING_THREADS, thread_name_prefix="reading request")
        self._writers = ThreadPoolExecutor(_WRITING_THREADS, thread_name_prefix="request")
        self._commits = SharedCommits(operations.components.store)

    def close(self) -> None:
        """Returns when no thread is left, and so none that has the database open."""
        for pool in (self._readers, self._writers):
            pool.shutdown(cancel_futures=True)
        self._commits.close()

    def _pool(self, exchange: _Exchange) -> ThreadPoolExecutor:
        return self._readers if exchange.only_reads else self._writers

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(
            id=str(uuid.uuid4()),
            method=scope["method"],
            raw_path=scope["raw_path"],
            query_string=scope["query_string"],
            headers=_headers(scope["headers"]),
        )
        if self._page is not None and "authorization" not in request.headers:
            path = urllib.parse.unquote(request.raw_path.decode("latin-1"))
            if self._page.has(path) and b"X-Amz-Credential" not in request.query_string:
                components = self._operations.components
                make = functools.partial(self._page.app, components.url, components.home.root)
                app = await asyncio.get_running_loop().run_in_executor(self._readers, make)
                await app(scope, receive, send)
                return
        try:
            await self._serve(_Exchange(request, RequestBody(receive), send))
        except ClientGone:
            return

    async def _serve(self, exchange: _Exchange) -> None:
        request = exchange.request
        try:
            access.refuse_foreign_pages(request.headers, self._port)
            if request.raw_path == HEALTH_PATH.encode():
                await _send(exchange, Response(headers={"content-type": "text/plain"}, body=b"ok\n"))
                return
            query = dict(urllib.parse.parse_qsl(request.query_string.decode("latin-1")))
            credentials = access.scope(request.headers, query)
        except AwsError as error:
            await _send_unread(exchange, _error(exchange, error))
            return
        if credentials.service == "s3" and exchange.target is None:
            await self._serve_s3(exchange, credentials.region)
            return
        service = find_service(self._operations.services, credentials.service, exchange.target)
        if service is None:
            await _send_unread(exchange, _error(exchange, _unknown(exchange.target, credentials.service)))
        else:
            await self._serve_operation(exchange, service, credentials.region)

    async def _serve_operation(self, exchange: _Exchange, service: ServiceModel, region: str) -> None:
        """Any operation but those of S3."""
        protocol, name = protocol_of(service, exchange.request), service.service_name

        def failed(error: AwsError) -> Response:
            return protocol.error(service, error, exchange.request)

        body = await _read(exchange, failed)
        if body is None:
            return
        request = replace(exchange.request, body=body)

        def work() -> Response | Waiting:
            operation, members = protocol.read(service, request)

            def written(response: dict[str, Any] | Waiting) -> Any:
                if isinstance(response, Waiting):
                    return response.followed_by(written)
                return protocol.write(service.operation_model(operation), response, request)

            answer: Response | Waiting = written(self._operations.begin(region, name, operation, members))
            return answer

        async def awaited_work() -> Response:
            operation, members = protocol.read(service, request)
            response = await self._operations.awaited(region, name, operation, members)
            return protocol.write(service.operation_model(operation), response, request)

        try:
            if name in self._operations.awaited_services:
                response = await awaited_work()
            elif self._operations.is_transaction(name, exchange.operation):
                response = await self._commits.write(work)
            else:
                response = await self._answer(exchange, work)
        except ClientGone:
            raise
        except Exception as error:
            response = failed(_as_aws_error(error))
        await _send(exchange, response)

    async def _answer(self, exchange: _Exchange, work: Callable[[], Response | Waiting]) -> Response:
        """Do `work` in a thread, and give the thread back as long as it has to wait.

        Raises:
            ClientGone: while it waited.
        """
        loop, pool = asyncio.get_running_loop(), self._pool(exchange)
        answer = await loop.run_in_executor(pool, work)
        while isinstance(answer, Waiting):
            await _wait(exchange, answer)
            answer = await loop.run_in_executor(pool, answer.then)
        return answer

    async def _serve_s3(self, exchange: _Exchange, region: str) -> None:
        request = exchange.request
        try:
            path = s3_http.with_bucket(request.raw_path, request.headers.get("host", ""))
            bucket, key, query = s3_http.parse_target(path, request.query_string)
        except AwsError as error:
            await _send_unread(exchange, _error(exchange, error))
            return
        asked = messages.Request(request.method, bucket, key, query, request.headers, region)

        def failed(error: AwsError) -> Response:
            return messages.error_response(error, asked, request.id)

        if s3_http.is_streamed(asked):
            await self._receive_object(exchange, asked, failed)
            return
        body = await _read(exchange, failed)
        if body is None:
            return
        asked = messages.with_body(asked, body)
        loop, pool = asyncio.get_running_loop(), self._pool(exchange)
        answer = loop.run_in_executor(pool, self._s3.answer, asked)
        if s3_http.copies_bytes(asked) and await _has_begun(exchange, answer):
            await _send_rest(exchange, answer, failed)
            return
        try:
            response = await answer
        except Exception as error:
            response = failed(_as_aws_error(error))
        if isinstance(response.body, FileBody):
            await self._send_object(exchange, response, response.body)
        else:
            await _send(exchange, response)

    async def _receive_object(
        self, exchange: _Exchange, asked: messages.Request, failed: Callable[[AwsError], Response]
    ) -> None:
        """PutObject and UploadPart: the body goes to the disk while it comes."""
        loop = asyncio.get_running_loop()
        try:
            receiver = await loop.run_in_executor(self._writers, self._s3.receiver, asked)
        except Exception as error:
            await _send_unread(exchange, failed(_as_aws_error(error)))
            return
        try:
            await receive_body(exchange.body, receiver.feed, self._writers)
            response = await loop.run_in_executor(self._writers, receiver.finish)
        except ClientGone:
            raise
        except Exception as error:
            response = failed(_as_aws_error(error))
            await exchange.body.discard()
        finally:
            await loop.run_in_executor(self._writers, receiver.close)
        await _send(exchange, response)

    async def _send_object(self, exchange: _Exchange, response: Response, body: FileBody) -> None:
        """GetObject: the body comes from the disk while it is sent.

        A browser that is given a presigned URL would run an object's scripts as those of the page that is
        served here, which can do what its reader can.
        """
        response = replace(response, headers={**response.headers, "content-security-policy": "sandbox"})
        with body.opened:
            await _send_head(exchange, response)
            if body.length:
                await send_file(exchange.send, exchange.body, body, self._readers)
            else:
                await exchange.send({"type": "http.response.body"})


async def _wait(exchange: _Exchange, waiting: Waiting) -> None:
    """Raises ClientGone as soon as the client closes the connection: nothing is done for nobody."""
    gone = asyncio.ensure_future(exchange.body.disconnection())
    until = asyncio.wrap_future(waiting.until)
    try:
        await asyncio.wait((gone, until), return_when=asyncio.FIRST_COMPLETED)
        if not until.done():
            raise ClientGone
    finally:
        gone.cancel()
        until.cancel()


async def _has_begun(exchange: _Exchange, answer: asyncio.Future[Response]) -> bool:
    """Wait for an answer that may take long, and begin to send it where it does; whether that was so.

    S3 itself does this where it copies bytes: the answer begins with status 200, spaces keep the client
    waiting, and what fails then is an error in that answer ("CompleteMultipartUpload" and "CopyObject" in the
    S3 API reference).
    """
    begun = False
    while not (await asyncio.wait((answer,), timeout=QUIET_SECONDS))[0]:
        if not begun:
            await _send_head(exchange, Response(headers={"content-type": "application/xml"}), has_end=False)
        piece = b" " if begun else xml.DECLARATION.encode()
        await exchange.send({"type": "http.response.body", "body": piece, "more_body": True})
        begun = True
    return begun


async def _send_rest(
    exchange: _Exchange, answer: asyncio.Future[Response], failed: Callable[[AwsError], Response]
) -> None:
    """Send the document that `_has_begun` has begun."""
    try:
        response = await answer
    except Exception as error:
        response = failed(_as_aws_error(error))
    assert isinstance(response.body, bytes)
    rest = response.body.removeprefix(xml.DECLARATION.encode())
    await exchange.send({"type": "http.response.body", "body": rest})


async def _read(exchange: _Exchange, failed: Callable[[AwsError], Response]) -> bytes | None:
    """The whole body; None if it is too large, which is answered here."""
    body = bytearray()
    async for piece in exchange.body.pieces():
        body += piece
        if len(body) > _LARGEST_BODY:
            too_large = AwsError(
                "RequestEntityTooLarge", f"A request has at most {_LARGEST_BODY} bytes.", 413
            )
            await _send_unread(exchange, failed(too_large))
            return None
    return bytes(body)


def _headers(pairs: list[tuple[bytes, bytes]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in pairs:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers


def _unknown(target: str | None, signing_name: str) -> AwsError:
    if target is None:
        return not_implemented(signing_name)
    return AwsError("UnknownOperationException", f"There is no local service behind '{target}'.", 404)


def _as_aws_error(error: Exception) -> AwsError:
    """What the client is told. An error that no operation raises on purpose is logged with its traceback."""
    if isinstance(error, AwsError):
        return error
    if isinstance(error, RecursionError):  # only a request's own lists and objects are ever that deep
        return AwsError("SerializationException", "The request holds JSON that is nested too deeply.")
    is_full = (isinstance(error, OSError) and error.errno in _FULL_DISK) or (
        isinstance(error, sqlite3.OperationalError)
        and getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL  # not all errors have one
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


def _error(exchange: _Exchange, error: AwsError) -> Response:
    """An error before it is known which service is meant."""
    request = exchange.request
    if exchange.target is not None:
        return protocol_of(None, request).error(None, error, request)
    asked = messages.Request(request.method, "", "", {}, request.headers, "")
    return messages.error_response(error, asked, request.id)


async def _send(exchange: _Exchange, response: Response) -> None:
    assert isinstance(response.body, bytes)
    await _send_head(exchange, response)
    await exchange.send({"type": "http.response.body", "body": response.body})


async def _send_unread(exchange: _Exchange, response: Response) -> None:
    """Answer a request whose body was not read, or not to its end.

    A client that waits for leave to send gets the answer instead, and the connection ends there. One
    that sends already is read to the end, or else it would not get to read the answer.
    """
    if not exchange.waits_for_leave:
        await exchange.body.discard()
    headers = {**response.headers, "connection": "close"}
    await _send(exchange, Response(response.status, headers, response.body))


async def _send_head(exchange: _Exchange, response: Response, *, has_end: bool = True) -> None:
    """`has_end`: whether the body's length is known; else it is sent in chunks."""
    request_id = exchange.request.id
    headers = {"x-amzn-requestid": request_id, "x-amz-request-id": request_id, **response.headers}
    if has_end and "content-length" not in headers and response.status not in (204, 304):
        length = response.body.length if isinstance(response.body, FileBody) else len(response.body)
        headers["content-length"] = str(length)
    await exchange.send(
        {
            "type": "http.response.start",
            "status": response.status,
            "headers": [
                (name.encode("latin-1"), _HEADER_ENDS.sub(" ", value).encode("latin-1", "replace"))
                for name, value in headers.items()
            ],
        }
    )
