"""S3's operations on buckets, and those that list or delete what a bucket holds."""

from __future__ import annotations

import base64
import binascii
import urllib.parse
from typing import Any
from xml.etree.ElementTree import Element

from sagemaker_local.errors import AwsError
from sagemaker_local.protocols import xml
from sagemaker_local.protocols.http import Response
from sagemaker_local.s3 import listing, shapes
from sagemaker_local.s3.messages import (
    Request,
    integer,
    iso_time,
    not_implemented,
    xml_response,
)
from sagemaker_local.s3.objects import ObjectInfo, ObjectStore
from sagemaker_local.store.listing import after_prefix

_OWNER = {"ID": "0" * 64, "DisplayName": "local"}
_MOST_KEYS = 1000
_MOST_BUCKETS = 10_000


def list_buckets(objects: ObjectStore, request: Request) -> Response:
    """ListBuckets"""
    query = request.query
    prefix, token = query.get("prefix", ""), query.get("continuation-token")
    first, region = _decoded(token) if token else "", query.get("bucket-region")
    limit = integer(request, "max-buckets", _MOST_BUCKETS, 1, _MOST_BUCKETS)
    found = [
        bucket
        for bucket in objects.buckets()
        if bucket.name.startswith(prefix) and bucket.name >= first and region in (None, bucket.region)
    ]
    shown = [
        {"Name": bucket.name, "CreationDate": iso_time(bucket.created), "BucketRegion": bucket.region}
        for bucket in found[:limit]
    ]
    content = {
        "Owner": _OWNER,
        "Buckets": {"Bucket": shown},
        "Prefix": query.get("prefix"),
        "ContinuationToken": _encoded(found[limit].name) if len(found) > limit else None,
    }
    return xml_response("ListAllMyBucketsResult", content)


def create_bucket(objects: ObjectStore, request: Request) -> Response:
    """CreateBucket; one that exists is no error in us-east-1 and one elsewhere, as on AWS."""
    region = "us-east-1"
    if request.body:
        region = xml.parse(request.body).findtext("LocationConstraint") or region
        shapes.check_location(region)
    if not objects.create_bucket(request.bucket, region) and region != "us-east-1":
        raise AwsError(
            "BucketAlreadyOwnedByYou", f"The bucket exists and belongs to you: {request.bucket}.", 409
        )
    return Response(headers={"location": f"/{request.bucket}"})


def head_bucket(objects: ObjectStore, request: Request) -> Response:
    """HeadBucket"""
    return Response(headers={"x-amz-bucket-region": objects.bucket(request.bucket).region})


def get_bucket_location(objects: ObjectStore, request: Request) -> Response:
    """GetBucketLocation; us-east-1 is said with an empty element."""
    region = objects.bucket(request.bucket).region
    return xml_response("LocationConstraint", "" if region == "us-east-1" else region)


def delete_bucket(objects: ObjectStore, request: Request) -> Response:
    """DeleteBucket"""
    objects.delete_bucket(request.bucket)
    return Response(204)


def list_objects_v2(objects: ObjectStore, request: Request) -> Response:
    """ListObjectsV2"""
    query = request.query
    token = query.get("continuation-token")
    first = _decoded(token) if token else _after(query.get("start-after", ""))
    page, limit = _page(objects, request, first)
    shown = _Shown(query.get("encoding-type"))
    owner = _OWNER if query.get("fetch-owner") == "true" else None
    return xml_response(
        "ListBucketResult",
        {
            "Prefix": "",
            **shown.echo(request, "prefix", "delimiter", "start-after"),
            "Name": request.bucket,
            "MaxKeys": limit,
            "KeyCount": len(page.objects) + len(page.prefixes),
            "IsTruncated": page.next is not None,
            "ContinuationToken": token,
            "NextContinuationToken": None if page.next is None else _encoded(page.next),
            **shown.entries(page, owner),
        },
    )


def list_objects(objects: ObjectStore, request: Request) -> Response:
    """ListObjects, the first version."""
    query = request.query
    marker, delimiter = query.get("marker", ""), query.get("delimiter", "")
    first = _after(marker)
    if delimiter and marker.endswith(delimiter):
        first = after_prefix(marker) or first  # the marker is a folded prefix: all of it was listed
    page, limit = _page(objects, request, first)
    shown = _Shown(query.get("encoding-type"))
    return xml_response(
        "ListBucketResult",
        {
            "Prefix": "",
            "Marker": "",
            **shown.echo(request, "prefix", "delimiter", "marker"),
            "Name": request.bucket,
            "MaxKeys": limit,
            "IsTruncated": page.next is not None,
            "NextMarker": shown.text(page.last) if page.next is not None and delimiter else None,
            **shown.entries(page, _OWNER),
        },
    )


def delete_objects(objects: ObjectStore, request: Request) -> Response:
    """DeleteObjects: up to 1000 keys, deleted together."""
    objects.bucket(request.bucket)
    document = xml.parse(request.body)
    entries = document.findall("Object")
    for entry in entries:
        _refuse_conditions(entry)
    keys = [entry.findtext("Key") or "" for entry in entries]
    if not 0 < len(keys) <= _MOST_KEYS or not all(keys):
        raise AwsError("MalformedXML", f"DeleteObjects takes 1 to {_MOST_KEYS} keys, none of them empty.")
    objects.delete_all(request.bucket, keys)
    quiet = document.findtext("Quiet") == "true"
    return xml_response("DeleteResult", {"Deleted": [] if quiet else [{"Key": key} for key in keys]})


def _refuse_conditions(entry: Element) -> None:
    """Refuse what narrows a deletion: left unheeded, an object would go that the client wants to keep."""
    for name in ("ETag", "LastModifiedTime", "Size", "VersionId"):
        if (entry.findtext(name) or "null") != "null":
            raise not_implemented(f"{name} of an object to delete")


class _Shown:
    """How keys are written: as they are, or percent-encoded where the client asks for it."""

    def __init__(self, encoding: str | None) -> None:
        if encoding not in (None, "", "url"):
            raise AwsError("InvalidArgument", f"encoding-type must be url, not '{encoding}'.")
        self._is_url = encoding == "url"

    def text(self, key: str) -> str:
        return urllib.parse.quote(key) if self._is_url else key

    def echo(self, request: Request, *names: str) -> dict[str, Any]:
        """The request's parameters as the answer repeats them, e.g. ``start-after`` as ``StartAfter``."""
        members = {
            "".join(part.capitalize() for part in name.split("-")): self.text(request.query[name])
            for name in names
            if name in request.query
        }
        return {**members, "EncodingType": "url" if self._is_url else None}

    def entries(self, page: listing.Page, owner: dict[str, str] | None) -> dict[str, Any]:
        return {
            "Contents": [self._entry(info, owner) for info in page.objects],
            "CommonPrefixes": [{"Prefix": self.text(prefix)} for prefix in page.prefixes],
        }

    def _entry(self, info: ObjectInfo, owner: dict[str, str] | None) -> dict[str, Any]:
        return {
            "Key": self.text(info.key),
            "LastModified": iso_time(info.modified),
            "ETag": f'"{info.etag}"',
            "Size": info.size,
            "StorageClass": "STANDARD",
            "Owner": owner,
        }


def _page(objects: ObjectStore, request: Request, first: str) -> tuple[listing.Page, int]:
    objects.bucket(request.bucket)
    limit = min(integer(request, "max-keys", _MOST_KEYS, 0, 1 << 30), _MOST_KEYS)
    if limit == 0:
        return listing.Page((), (), None, ""), 0
    page = listing.page(
        objects,
        request.bucket,
        prefix=request.query.get("prefix", ""),
        delimiter=request.query.get("delimiter", ""),
        first=first,
        limit=limit,
    )
    return page, limit


def _after(key: str) -> str:
    return f"{key}\0" if key else ""


def _encoded(position: str) -> str:
    return base64.urlsafe_b64encode(position.encode()).decode("ascii")


def _decoded(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token).decode()
    except (binascii.Error, ValueError) as error:
        raise AwsError("InvalidArgument", "The continuation token provided is incorrect.") from error
