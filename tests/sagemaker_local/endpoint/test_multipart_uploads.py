from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError
from wire_clients import Client, client_of, server_process

from sagemaker_local import app, endpoint
from sagemaker_local.errors import AwsError
from sagemaker_local.home import Home
from sagemaker_local.s3.objects import ObjectStore
from sagemaker_local.s3.uploads import Uploads
from sagemaker_local.store import Store

PART = 5 << 20


def refusal(call: Callable[..., Any], **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    code: str = caught.value.response["Error"]["Code"]
    return code


def upload_parts(s3: Client, where: dict[str, Any], parts: list[bytes]) -> list[dict[str, Any]]:
    return [
        {"PartNumber": number, "ETag": s3.upload_part(**where, PartNumber=number, Body=part)["ETag"]}
        for number, part in enumerate(parts, 1)
    ]


def test_parts_become_one_object_with_s3s_etag(local: endpoint.Endpoint, s3: Client, bucket: str) -> None:
    where = {"Bucket": bucket, "Key": "big"}
    created = s3.create_multipart_upload(**where, ContentType="text/csv", Metadata={"a": "1"})
    where["UploadId"] = created["UploadId"]
    parts = [b"a" * PART, b"b" * PART, b"end"]
    s3.upload_part(**where, PartNumber=2, Body=b"replaced below")
    wanted = upload_parts(s3, where, parts)
    listed = s3.list_parts(**where)["Parts"]
    assert [(item["PartNumber"], item["Size"]) for item in listed] == [(1, PART), (2, PART), (3, 3)]
    assert s3.list_parts(**where, MaxParts=1, PartNumberMarker=1)["Parts"][0]["PartNumber"] == 2
    assert [item["Key"] for item in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == ["big"]
    done = s3.complete_multipart_upload(**where, MultipartUpload={"Parts": wanted})
    digest = hashlib.md5(b"".join(hashlib.md5(part).digest() for part in parts)).hexdigest()
    got = s3.get_object(Bucket=bucket, Key="big")
    assert got["Body"].read() == b"".join(parts)
    assert got["ETag"] == done["ETag"] == f'"{digest}-3"'
    assert (got["ContentType"], got["Metadata"]) == ("text/csv", {"a": "1"})
    assert not (local.home.objects / ".uploads" / created["UploadId"]).exists()
    assert refusal(s3.list_parts, **where) == "NoSuchUpload"


def test_a_client_hears_something_while_bytes_are_copied_for_long(
    s3: Client, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """boto3 gives up after a minute without a byte, in which a slow disk does not join 5 GB."""
    monkeypatch.setattr(app, "QUIET_SECONDS", 0.0)
    where = {"Bucket": bucket, "Key": "big"}
    upload = {**where, "UploadId": s3.create_multipart_upload(**where)["UploadId"]}
    parts = upload_parts(s3, upload, [b"a" * PART, b"b" * PART])
    # Status 200 has been sent by then, so what is wrong stands in the answer; S3's clients look for it there.
    wrong = [parts[0], {**parts[1], "ETag": '"x"'}]
    assert refusal(s3.complete_multipart_upload, **upload, MultipartUpload={"Parts": wrong}) == "InvalidPart"

    completed = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    copied = s3.copy_object(Bucket=bucket, Key="copy", CopySource=where)
    for answer in (completed, copied):
        assert answer["ResponseMetadata"]["HTTPHeaders"]["transfer-encoding"] == "chunked"
    assert completed["ETag"] == s3.head_object(**where)["ETag"]
    for key in ("big", "copy"):
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"a" * PART + b"b" * PART


def test_an_upload_that_cannot_be_completed_goes_on(s3: Client, bucket: str) -> None:
    where = {"Bucket": bucket, "Key": "k"}
    where["UploadId"] = s3.create_multipart_upload(**where)["UploadId"]
    small, last = upload_parts(s3, where, [b"small", b"last"])

    def complete(*parts: dict[str, Any]) -> str:
        return refusal(s3.complete_multipart_upload, **where, MultipartUpload={"Parts": list(parts)})

    assert complete(small, last) == "EntityTooSmall"
    assert complete(last, small) == "InvalidPartOrder"
    assert complete({**small, "ETag": '"x"'}) == "InvalidPart"
    assert complete() == "MalformedXML"
    s3.complete_multipart_upload(**where, MultipartUpload={"Parts": [last]})
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"last"


def test_an_upload_that_somebody_else_ends_while_it_is_completed_is_none(tmp_path: Path) -> None:
    home = Home(tmp_path).create()
    objects = ObjectStore(home, Store(home.database))
    objects.create_bucket("bucket")
    uploads = Uploads(objects)
    upload = uploads.get(uploads.create("bucket", "key", "text/csv", {}, {}), "bucket", "key")
    with objects.incoming() as incoming:
        incoming.write(b"part")
        part = uploads.put_part(upload, 1, incoming, incoming.md5.hex())
    uploads.abort(upload)
    with pytest.raises(AwsError) as caught:
        uploads.complete(upload, [(part.number, part.etag)], lambda _existing: None)
    assert caught.value.code == "NoSuchUpload"


def test_an_aborted_upload_leaves_nothing(local: endpoint.Endpoint, s3: Client, bucket: str) -> None:
    where = {"Bucket": bucket, "Key": "k"}
    where["UploadId"] = s3.create_multipart_upload(**where)["UploadId"]
    upload_parts(s3, where, [b"x"])
    s3.abort_multipart_upload(**where)
    assert refusal(s3.upload_part, **where, PartNumber=1, Body=b"x") == "NoSuchUpload"
    assert refusal(s3.head_object, Bucket=bucket, Key="k") == "404"
    assert not (local.home.objects / ".uploads" / where["UploadId"]).exists()


def test_a_part_is_copied_from_a_range_of_an_object(s3: Client, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="source", Body=b"0123456789")
    where = {"Bucket": bucket, "Key": "k"}
    where["UploadId"] = s3.create_multipart_upload(**where)["UploadId"]
    source = {"Bucket": bucket, "Key": "source"}
    copied = s3.upload_part_copy(**where, PartNumber=1, CopySource=source, CopySourceRange="bytes=2-4")
    part = {"PartNumber": 1, "ETag": copied["CopyPartResult"]["ETag"]}
    assert part["ETag"] == f'"{hashlib.md5(b"234").hexdigest()}"'
    s3.complete_multipart_upload(**where, MultipartUpload={"Parts": [part]})
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"234"


def test_an_upload_goes_on_after_the_endpoint_was_killed(tmp_path: Path) -> None:
    where: dict[str, Any] = {"Bucket": "bucket", "Key": "k"}
    with server_process(tmp_path) as (process, url):
        s3 = client_of(url, "s3")
        s3.create_bucket(Bucket="bucket")
        where["UploadId"] = s3.create_multipart_upload(**where)["UploadId"]
        parts = upload_parts(s3, where, [b"a" * PART])
        process.kill()
        process.wait()
    with endpoint.start(tmp_path) as started:
        s3 = client_of(started.url, "s3")
        parts.append({"PartNumber": 2, "ETag": s3.upload_part(**where, PartNumber=2, Body=b"b")["ETag"]})
        s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
        assert s3.head_object(Bucket="bucket", Key="k")["ContentLength"] == PART + 1


def peak_kilobytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


def test_a_folder_that_goes_while_it_is_looked_at_does_not_stop_a_start(tmp_path: Path) -> None:
    uploads = Home(tmp_path).create().objects / ".uploads"
    uploads.mkdir()
    # A link that leads nowhere is listed and cannot be looked at, like what another process removes.
    (uploads / "gone").symlink_to(tmp_path / "nowhere")
    with endpoint.start(tmp_path) as started:
        assert client_of(started.url, "s3").list_buckets()["Buckets"] == []


def test_large_objects_travel_both_ways_in_bounded_memory(tmp_path: Path) -> None:
    size = 64 << 20
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(1 << 20) * 64)
    with server_process(tmp_path / "home") as (process, url):
        s3 = client_of(url, "s3")
        s3.create_bucket(Bucket="bucket")
        before = peak_kilobytes(process.pid)
        for config in (TransferConfig(), TransferConfig(multipart_threshold=2 * size)):
            s3.upload_file(str(source), "bucket", "big", Config=config)
            s3.download_file("bucket", "big", str(target), Config=config)
            assert target.read_bytes() == source.read_bytes()
        grown = peak_kilobytes(process.pid) - before
    assert grown < (size >> 10) * 0.9, f"the endpoint grew by {grown} kB for an object of {size >> 10} kB"
