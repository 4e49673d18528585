"""From an HTTP request to one of S3's operations.

What the request asks for is in its method, in whether its path names a bucket and a key, and in at
most one sub-resource of its query. A sub-resource that is not in the table is refused by name, so
nothing falls through to an operation that means something else.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Callable, Mapping

from sagemaker_local.errors import AwsError
from sagemaker_local.protocols.http import Response
from sagemaker_local.s3 import bucket_operations as on_bucket
from sagemaker_local.s3 import messages, notification_settings, shapes
from sagemaker_local.s3 import object_operations as on_object
from sagemaker_local.s3.messages import Request
from sagemaker_local.s3.object_operations import Receiver
from sagemaker_local.s3.objects import LONGEST_KEY, ObjectStore
from sagemaker_local.s3.uploads import Uploads

_SUBRESOURCES = frozenset(
    re.findall(
        r"\S+",
        """
        accelerate acl analytics attributes cors delete encryption intelligent-tiering inventory
        legal-hold lifecycle list-type location logging metadataConfiguration metadataTable metrics
        notification object-lock ownershipControls policy policyStatus publicAccessBlock
        renameObject replication requestPayment restore retention select session tagging torrent
        uploadId uploads versioning versions website
        """,
    )
)

_BUCKET: Mapping[tuple[str, str], Callable[[ObjectStore, Request], Response]] = {
    ("PUT", ""): on_bucket.create_bucket,
    ("HEAD", ""): on_bucket.head_bucket,
    ("DELETE", ""): on_bucket.delete_bucket,
    ("GET", ""): on_bucket.list_objects,
    ("GET", "list-type"): on_bucket.list_objects_v2,
    ("GET", "location"): on_bucket.get_bucket_location,
    ("POST", "delete"): on_bucket.delete_objects,
    ("PUT", "notification"): notification_settings.put,
    ("GET", "notification"): notification_settings.get,
}

_OBJECT: Mapping[tuple[str, str], Callable[[ObjectStore, Request], Response]] = {
    ("GET", ""): on_object.get_object,
    ("HEAD", ""): on_object.head_object,
    ("DELETE", ""): on_object.delete_object,
}

_UPLOAD: Mapping[tuple[str, str], Callable[[ObjectStore, Uploads, Request], Response]] = {
    ("POST", "uploads"): on_object.create_multipart_upload,
    ("POST", "uploadId"): on_object.complete_multipart_upload,
    ("DELETE", "uploadId"): on_object.abort_multipart_upload,
    ("GET", "uploadId"): on_object.list_parts,
}


class S3:
    """The S3 of one endpoint."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects
        self._uploads = Uploads(objects)

    def sweep(self) -> None:
        """Remove what killed processes left on the disk."""
        self._objects.sweep()
        self._uploads.sweep()

    def receiver(self, request: Request) -> Receiver:
        """What takes the body of a request for which :func:`is_streamed` holds."""
        messages.refuse_unknown_features(request)
        shapes.check(request)
        _subresource(request)
        return Receiver(self._objects, request, self._uploads)

    def answer(self, request: Request) -> Response:
        """Carry out any other request. Raises AwsError."""
        messages.refuse_unknown_features(request)
        shapes.check(request)
        asked = (request.method, _subresource(request))
        if not request.bucket:
            if asked == ("GET", ""):
                return on_bucket.list_buckets(self._objects, request)
        elif not request.key:
            if asked == ("GET", "uploads"):
                return on_object.list_multipart_uploads(self._objects, self._uploads, request)
            if asked in _BUCKET:
                return _BUCKET[asked](self._objects, request)
        elif "x-amz-copy-source" in request.headers and request.method == "PUT":
            if asked[1] == "uploadId":
                return on_object.upload_part_copy(self._objects, self._uploads, request)
            if not asked[1]:
                return on_object.copy_object(self._objects, request)
        elif asked in _OBJECT:
            return _OBJECT[asked](self._objects, request)
        elif asked in _UPLOAD:
            return _UPLOAD[asked](self._objects, self._uploads, request)
        level = "an object" if request.key else "a bucket" if request.bucket else "the service"
        raise messages.not_implemented(f"{request.method} {asked[1] or '(no sub-resource)'} of {level}")


def is_streamed(request: Request) -> bool:
    """Whether the request is PutObject or UploadPart, whose bodies may be of any size."""
    return (
        request.method == "PUT"
        and bool(request.key)
        and "x-amz-copy-source" not in request.headers
        and not (_asked(request) - {"uploadId"})
    )


def copies_bytes(request: Request) -> bool:
    """Whether the request joins parts or copies an object, which takes as long as the disk takes."""
    if request.method == "POST":
        return _asked(request) == {"uploadId"}
    return request.method == "PUT" and "x-amz-copy-source" in request.headers


_OF_BUCKET = re.compile(r"(.+)\.s3(?:[.-](?:dualstack\.)?[a-z0-9-]+)?\.amazonaws\.com(?:\.cn)?(?::443)?")


def with_bucket(raw_path: bytes, host: str) -> bytes:
    """The path with the bucket in it, where the host's name holds it (the virtual-hosted style)."""
    found = _OF_BUCKET.fullmatch(host)
    return b"/" + found[1].encode("latin-1") + raw_path if found else raw_path


def parse_target(raw_path: bytes, query_string: bytes) -> tuple[str, str, dict[str, str]]:
    """Bucket, key and query of a path-style request.

    Raises:
        AwsError: InvalidURI or KeyTooLongError.
    """
    bucket, _, key = raw_path.removeprefix(b"/").partition(b"/")
    try:
        decoded = urllib.parse.unquote_to_bytes(key).decode("utf-8")
        query = urllib.parse.parse_qsl(query_string.decode("ascii"), keep_blank_values=True, errors="strict")
        name = urllib.parse.unquote_to_bytes(bucket).decode("utf-8")
    except UnicodeDecodeError as error:
        raise AwsError("InvalidURI", "The path and the query must be UTF-8, percent-encoded.") from error
    if len(decoded.encode()) > LONGEST_KEY:
        raise AwsError("KeyTooLongError", f"Your key is too long; S3 takes 1 to {LONGEST_KEY} bytes.")
    return name, decoded, dict(query)


def _asked(request: Request) -> set[str]:
    return set(request.query) & _SUBRESOURCES


def _subresource(request: Request) -> str:
    asked = _asked(request)
    if "partNumber" in request.query and "uploadId" not in asked:
        raise messages.not_implemented("A single part of an object")
    if len(asked) > 1:
        raise AwsError("InvalidRequest", f"A request names one sub-resource, not {', '.join(sorted(asked))}.")
    return next(iter(asked), "")
