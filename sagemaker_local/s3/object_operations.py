"""S3's operations on single objects, and on multipart uploads."""

from __future__ import annotations

import base64
import email.utils
import re
import urllib.parse
from dataclasses import dataclass
from typing import Any

from sagemaker_local.errors import AwsError
from sagemaker_local.protocols import xml
from sagemaker_local.protocols.http import FileBody, Response
from sagemaker_local.s3 import messages
from sagemaker_local.s3.aws_chunked import Decoder
from sagemaker_local.s3.checksums import Verifier, announced
from sagemaker_local.s3.files import Incoming
from sagemaker_local.s3.messages import Request, integer, iso_time, xml_response
from sagemaker_local.s3.objects import ObjectInfo, ObjectStore, no_such_key
from sagemaker_local.s3.uploads import MOST_PARTS, Upload, Uploads

_LARGEST_PUT = 5 << 30
"""Bytes; S3's own cap for one PutObject or part."""

_COPY_SOURCE = "x-amz-copy-source"
_OVERRIDES = {f"response-{name}": name for name in ("content-type", *messages.KEPT_HEADERS)}


def get_object(objects: ObjectStore, request: Request) -> Response:
    """GetObject"""
    found = objects.open(request.bucket, request.key)
    if found is None:
        raise _absent(objects, request)
    info, opened = found
    try:
        messages.check_read_conditions(info, request.headers)
        part = messages.byte_range(request.headers.get("range"), info.size)
    except AwsError:
        opened.close()
        raise
    offset, length = part or (0, info.size)
    return Response(
        206 if part else 200,
        _headers(info, request, part),
        FileBody(opened, offset, length),
    )


def head_object(objects: ObjectStore, request: Request) -> Response:
    """HeadObject"""
    info = objects.stat(request.bucket, request.key)
    if info is None:
        raise _absent(objects, request)
    messages.check_read_conditions(info, request.headers)
    part = messages.byte_range(request.headers.get("range"), info.size)
    return Response(206 if part else 200, _headers(info, request, part))


def delete_object(objects: ObjectStore, request: Request) -> Response:
    """DeleteObject; a key that does not exist is no error, unless If-Match wants one."""
    objects.bucket(request.bucket)
    objects.delete(request.bucket, request.key, messages.write_condition(request))
    return Response(204)


class Receiver:
    """Takes the streamed body of PutObject or UploadPart and ends in a response.

    ``feed`` and ``finish`` do blocking work and are called one after another, from any thread.
    """

    def __init__(self, objects: ObjectStore, request: Request, uploads: Uploads) -> None:
        objects.bucket(request.bucket)
        self._objects, self._request, self._uploads = objects, request, uploads
        self._upload = _upload(uploads, request) if "uploadId" in request.query else None
        self._number = integer(request, "partNumber", 0, 1, MOST_PARTS)
        if self._upload is not None and not self._number:
            raise AwsError("InvalidArgument", "partNumber is required.")
        self._length = _declared_length(request)
        algorithms, self._given = announced(request.headers)
        self._verifier = Verifier(algorithms)
        self._decoder = Decoder() if _is_chunked(request) else None
        self._condition = messages.write_condition(request)
        self._metadata = messages.user_metadata(request)
        if self._upload is None:
            self._incoming = objects.incoming()
        else:
            self._incoming = uploads.incoming(self._upload, self._number, self._length)

    def feed(self, data: bytes) -> None:
        for piece in self._decoder.feed(data) if self._decoder else (data,):
            self._verifier.update(piece)
            self._incoming.write(piece)
            if self._incoming.size > _LARGEST_PUT:
                raise AwsError("EntityTooLarge", f"One PUT takes at most {_LARGEST_PUT} bytes; use parts.")

    def finish(self) -> Response:
        """Keep what was received. Raises AwsError where it is not what the client said."""
        incoming, request = self._incoming, self._request
        if self._decoder:
            if not self._decoder.complete:
                raise _incomplete("the aws-chunked body has no end")
            self._given |= announced(self._decoder.trailer)[1]
        if self._length is not None and incoming.size != self._length:
            raise _incomplete(f"{self._length} bytes were announced and {incoming.size} received")
        checksums = self._verifier.verify(self._given)
        _check_md5(request, incoming)
        if self._upload is not None:
            etag = self._uploads.put_part(self._upload, self._number, incoming, incoming.md5.hex()).etag
        else:
            etag = self._objects.commit(
                incoming,
                request.bucket,
                request.key,
                content_type=messages.content_type(request),
                metadata=self._metadata,
                headers=messages.kept_headers(request),
                condition=self._condition,
            ).etag
        return Response(headers={"etag": f'"{etag}"', **checksums})

    def close(self) -> None:
        """Drop whatever was not kept."""
        self._incoming.close()


def copy_object(objects: ObjectStore, request: Request) -> Response:
    """CopyObject, with the source's metadata or, with the directive REPLACE, the request's."""
    objects.bucket(request.bucket)
    replaces = request.headers.get("x-amz-metadata-directive", "COPY") == "REPLACE"
    with _Source.of(objects, request) as source:
        info = source.info
        if (info.bucket, info.key) == (request.bucket, request.key) and not replaces:
            raise AwsError("InvalidRequest", "A copy of an object onto itself must change its metadata.")
        with objects.incoming() as incoming:
            incoming.append(source.descriptor, 0, info.size)
            copied = objects.commit(
                incoming,
                request.bucket,
                request.key,
                etag=info.etag,
                content_type=messages.content_type(request) if replaces else info.content_type,
                metadata=messages.user_metadata(request) if replaces else info.metadata,
                headers=messages.kept_headers(request) if replaces else info.headers,
                condition=messages.write_condition(request),
                reason="CopyObject",
            )
    content = {"LastModified": iso_time(copied.modified), "ETag": f'"{copied.etag}"'}
    return xml_response("CopyObjectResult", content)


def create_multipart_upload(objects: ObjectStore, uploads: Uploads, request: Request) -> Response:
    """CreateMultipartUpload"""
    objects.bucket(request.bucket)
    upload_id = uploads.create(
        request.bucket,
        request.key,
        messages.content_type(request),
        messages.user_metadata(request),
        messages.kept_headers(request),
    )
    content = {"Bucket": request.bucket, "Key": request.key, "UploadId": upload_id}
    return xml_response("InitiateMultipartUploadResult", content)


def upload_part_copy(objects: ObjectStore, uploads: Uploads, request: Request) -> Response:
    """UploadPartCopy, of all of an object or of a range of its bytes."""
    upload = _upload(uploads, request)
    number = integer(request, "partNumber", 1, 1, MOST_PARTS)
    with _Source.of(objects, request) as source, objects.incoming() as incoming:
        size = source.info.size
        part = messages.byte_range(request.headers.get(f"{_COPY_SOURCE}-range"), size) or (0, size)
        incoming.append(source.descriptor, *part)
        kept = uploads.put_part(upload, number, incoming, incoming.read_md5().hex())
    content = {"LastModified": iso_time(kept.modified), "ETag": f'"{kept.etag}"'}
    return xml_response("CopyPartResult", content)


def complete_multipart_upload(_objects: ObjectStore, uploads: Uploads, request: Request) -> Response:
    """CompleteMultipartUpload"""
    upload = _upload(uploads, request)
    wanted = []
    for entry in xml.parse(request.body).findall("Part"):
        number, etag = entry.findtext("PartNumber") or "", (entry.findtext("ETag") or "").strip().strip('"')
        if not re.fullmatch(r"[0-9]{1,9}", number):
            raise AwsError("MalformedXML", "Each Part needs a PartNumber and an ETag.")
        wanted.append((int(number), etag))
    info = uploads.complete(upload, wanted, messages.write_condition(request))
    content = {
        "Location": f"/{request.bucket}/{urllib.parse.quote(request.key)}",
        "Bucket": request.bucket,
        "Key": request.key,
        "ETag": f'"{info.etag}"',
    }
    return xml_response("CompleteMultipartUploadResult", content)


def abort_multipart_upload(_objects: ObjectStore, uploads: Uploads, request: Request) -> Response:
    """AbortMultipartUpload"""
    uploads.abort(_upload(uploads, request))
    return Response(204)


def list_parts(_objects: ObjectStore, uploads: Uploads, request: Request) -> Response:
    """ListParts"""
    upload = _upload(uploads, request)
    marker = integer(request, "part-number-marker", 0, 0, MOST_PARTS)
    limit = min(integer(request, "max-parts", 1000, 1, 1 << 30), 1000)
    parts = [part for part in uploads.parts(upload.id).values() if part.number > marker]
    shown = parts[:limit]
    content: dict[str, Any] = {
        "Bucket": request.bucket,
        "Key": request.key,
        "UploadId": upload.id,
        "PartNumberMarker": marker,
        "NextPartNumberMarker": shown[-1].number if shown else marker,
        "MaxParts": limit,
        "IsTruncated": len(parts) > limit,
        "Part": [
            {
                "PartNumber": part.number,
                "LastModified": iso_time(part.modified),
                "ETag": f'"{part.etag}"',
                "Size": part.size,
            }
            for part in shown
        ],
        "StorageClass": "STANDARD",
    }
    return xml_response("ListPartsResult", content)


def list_multipart_uploads(objects: ObjectStore, uploads: Uploads, request: Request) -> Response:
    """ListMultipartUploads, all of them on one page."""
    objects.bucket(request.bucket)
    found = uploads.list(request.bucket, request.query.get("prefix", ""))
    content = {
        "Bucket": request.bucket,
        "IsTruncated": False,
        "Upload": [
            {"Key": upload.key, "UploadId": upload.id, "Initiated": iso_time(upload.created)}
            for upload in found
        ],
    }
    return xml_response("ListMultipartUploadsResult", content)


@dataclass(frozen=True)
class _Source:
    """The open source of a copy."""

    info: ObjectInfo
    body: FileBody

    @classmethod
    def of(cls, objects: ObjectStore, request: Request) -> _Source:
        path, _, query = request.headers[_COPY_SOURCE].partition("?")
        if query and query != "versionId=null":
            raise messages.not_implemented("A copy of a version of an object")
        bucket, _, key = urllib.parse.unquote(path).removeprefix("/").partition("/")
        objects.bucket(bucket)
        found = objects.open(bucket, key)
        if found is None:
            raise no_such_key(bucket, key)
        source = cls(found[0], FileBody(found[1], 0, found[0].size))
        try:
            messages.check_read_conditions(source.info, request.headers, f"{_COPY_SOURCE}-")
        except AwsError:
            found[1].close()
            raise
        return source

    @property
    def descriptor(self) -> int:
        return self.body.opened.fileno()

    def __enter__(self) -> _Source:
        return self

    def __exit__(self, *_error: object) -> None:
        self.body.opened.close()


def _headers(info: ObjectInfo, request: Request, part: tuple[int, int] | None) -> dict[str, str]:
    offset, length = part or (0, info.size)
    headers = {
        "content-length": str(length),
        "etag": f'"{info.etag}"',
        "last-modified": email.utils.formatdate(info.modified, usegmt=True),
        "accept-ranges": "bytes",
        "content-type": info.content_type,
        **info.headers,
        **{f"{messages.METADATA}{name}": value for name, value in info.metadata.items()},
    }
    for name in _OVERRIDES.keys() & request.query.keys():
        value = request.query[name]
        if not value.isprintable():
            raise AwsError(
                "InvalidArgument", f"{name} must be text for a header, without control characters."
            )
        headers[_OVERRIDES[name]] = value
    if part:
        headers["content-range"] = f"bytes {offset}-{offset + length - 1}/{info.size}"
    return headers


def _absent(objects: ObjectStore, request: Request) -> AwsError:
    objects.bucket(request.bucket)
    return no_such_key(request.bucket, request.key)


def _upload(uploads: Uploads, request: Request) -> Upload:
    return uploads.get(request.query["uploadId"], request.bucket, request.key)


def _is_chunked(request: Request) -> bool:
    return "aws-chunked" in request.headers.get("content-encoding", "") or request.headers.get(
        "x-amz-content-sha256", ""
    ).startswith("STREAMING-")


def _declared_length(request: Request) -> int | None:
    name = "x-amz-decoded-content-length" if _is_chunked(request) else "content-length"
    text = request.headers.get(name)
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise AwsError("InvalidArgument", f"{name} must be a number of bytes, not '{text}'.")
    if int(text) > _LARGEST_PUT:
        raise AwsError("EntityTooLarge", f"One PUT takes at most {_LARGEST_PUT} bytes; use parts.")
    return int(text)


def _check_md5(request: Request, incoming: Incoming) -> None:
    given = request.headers.get("content-md5")
    if given is None:
        return
    try:
        expected = base64.b64decode(given, validate=True)
    except ValueError as error:
        raise AwsError("InvalidDigest", "The Content-MD5 you specified is not valid.") from error
    if expected != incoming.md5:
        raise AwsError("BadDigest", "The Content-MD5 you specified did not match what we received.")


def _incomplete(why: str) -> AwsError:
    return AwsError("IncompleteBody", f"The request body is not complete: {why}.")
