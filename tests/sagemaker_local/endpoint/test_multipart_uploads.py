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


def whole_file(local: endpoint.Endpoint, where: dict[str, Any], size: int = PART) -> Path:
    """The file in which the parts of an upload have their places."""
    return local.home.objects / ".uploads" / where["UploadId"] / "whole" / str(size)


def object_path(local: endpoint.Endpoint, where: dict[str, Any]) -> Path:
    return local.home.objects / where["Bucket"] / where["Key"]


@pytest.fixture
def where(s3: Client, bucket: str) -> dict[str, Any]:
    """An upload."""
    place = {"Bucket": bucket, "Key": "big"}
    return {**place, "UploadId": s3.create_multipart_upload(**place)["UploadId"]}


def send(
    s3: Client, where: dict[str, Any], parts: dict[int, bytes], order: list[int]
) -> list[dict[str, Any]]:
    """Upload parts in some order; what completes the upload."""
    etags = {n: s3.upload_part(**where, PartNumber=n, Body=parts[n])["ETag"] for n in order}
    return [{"PartNumber": number, "ETag": etags[number]} for number in sorted(etags)]


def completed(s3: Client, where: dict[str, Any], wanted: list[dict[str, Any]]) -> bytes:
    """Complete the upload; the object's content."""
    s3.complete_multipart_upload(**where, MultipartUpload={"Parts": wanted})
    content: bytes = s3.get_object(Bucket=where["Bucket"], Key=where["Key"])["Body"].read()
    return content


ONE, TWO, THREE, LAST = b"a" * PART, b"b" * PART, b"c" * PART, b"last"


@pytest.mark.parametrize(
    "order", [[1, 2, 3, 4], [4, 3, 1, 2], [3, 4, 2, 1], [2, 1, 2, 3, 4], [1, 2, 3, 4, 4]]
)
def test_parts_of_one_size_are_written_once_in_whatever_order_they_come(
    local: endpoint.Endpoint, s3: Client, where: dict[str, Any], order: list[int]
) -> None:
    wanted = send(s3, where, {1: ONE, 2: TWO, 3: THREE, 4: LAST}, order)
    inode = whole_file(local, where).stat().st_ino
    assert completed(s3, where, wanted) == ONE + TWO + THREE + LAST
    kept = object_path(local, where).stat()
    assert (kept.st_ino, kept.st_nlink) == (inode, 1)


@pytest.mark.parametrize(
    "parts",
    [
        {1: ONE, 2: TWO + b"x", 3: LAST},
        {1: ONE + b"x", 2: TWO, 3: LAST},
        {1: ONE, 3: THREE, 7: LAST},
        {2: ONE},
        {1: ONE, 2: TWO + b"x"},
    ],
)
def test_parts_of_other_sizes_and_numbers_become_an_object_as_well(
    s3: Client, where: dict[str, Any], parts: dict[int, bytes]
) -> None:
    content = b"".join(part for _, part in sorted(parts.items()))
    assert completed(s3, where, send(s3, where, parts, list(parts))) == content


def test_parts_that_are_left_out_are_not_in_the_object(s3: Client, where: dict[str, Any]) -> None:
    one, _, three, _ = send(s3, where, {1: ONE, 2: TWO, 3: THREE, 4: LAST}, [1, 2, 3, 4])
    assert completed(s3, where, [one, three]) == ONE + THREE


def test_a_part_that_is_sent_again_replaces_the_first_and_spoils_nothing(
    s3: Client, where: dict[str, Any]
) -> None:
    one, two = send(s3, where, {1: ONE, 2: TWO}, [1, 2])
    again = s3.upload_part(**where, PartNumber=1, Body=THREE)["ETag"]
    third = s3.upload_part(**where, PartNumber=1, Body=TWO)["ETag"]
    assert len({one["ETag"], again, third}) == 3
    assert (
        refusal(s3.complete_multipart_upload, **where, MultipartUpload={"Parts": [one, two]}) == "InvalidPart"
    )
    assert completed(s3, where, [{**one, "ETag": third}, two]) == TWO + TWO


def test_two_requests_for_one_part_at_once_do_not_mix_their_bytes(
    local: endpoint.Endpoint, s3: Client, where: dict[str, Any], bucket: str
) -> None:
    one, three = send(s3, where, {1: ONE, 3: LAST}, [1, 3])
    uploads = Uploads(ObjectStore(local.home, Store(local.home.database)))
    upload = uploads.get(where["UploadId"], bucket, "big")
    slow = uploads.incoming(upload, 2, PART)
    slow.write(b"x" * (PART - 1))
    (two,) = send(s3, where, {2: TWO}, [2])  # the place is taken
    slow.write(b"x")
    uploads.put_part(upload, 2, slow, slow.md5.hex())
    slow.close()
    assert s3.list_parts(**where)["Parts"][1]["ETag"] == f'"{hashlib.md5(b"x" * PART).hexdigest()}"'
    assert (
        refusal(s3.complete_multipart_upload, **where, MultipartUpload={"Parts": [one, two, three]})
        == "InvalidPart"
    )
    (two,) = send(s3, where, {2: TWO}, [2])
    assert completed(s3, where, [one, two, three]) == ONE + TWO + LAST


def test_an_object_is_not_changed_by_a_part_that_still_comes(
    local: endpoint.Endpoint, s3: Client, where: dict[str, Any], bucket: str
) -> None:
    home, upload_id = local.home, where["UploadId"]
    objects = ObjectStore(home, Store(home.database))
    uploads = Uploads(objects)
    upload = uploads.get(upload_id, bucket, "big")
    late = uploads.incoming(upload, 2, PART)
    late.write(b"x")
    wanted = send(s3, where, {1: ONE, 2: TWO, 3: LAST}, [1, 2, 3])
    assert completed(s3, where, wanted) == ONE + TWO + LAST
    late.write(b"y" * (PART - 1))
    with pytest.raises(AwsError) as caught:
        uploads.put_part(upload, 2, late, late.md5.hex())
    assert caught.value.code == "NoSuchUpload"
    late.close()
    with pytest.raises(AwsError) as caught:
        uploads.incoming(upload, 4, PART)
    assert caught.value.code == "NoSuchUpload"
    assert s3.get_object(Bucket=bucket, Key="big")["Body"].read() == ONE + TWO + LAST


def test_a_part_never_writes_into_the_next_ones_place(
    local: endpoint.Endpoint, s3: Client, where: dict[str, Any], bucket: str
) -> None:
    one, two = send(s3, where, {1: ONE, 2: TWO}, [1, 2])
    uploads = Uploads(ObjectStore(local.home, Store(local.home.database)))
    third = uploads.incoming(uploads.get(where["UploadId"], bucket, "big"), 3, PART)
    third.write(THREE)
    with pytest.raises(AwsError) as caught:
        third.write(b"more")
    assert caught.value.code == "IncompleteBody"
    third.close()
    assert completed(s3, where, [one, two]) == ONE + TWO


def test_an_upload_whose_object_is_refused_goes_on_with_all_its_parts(
    s3: Client, where: dict[str, Any], bucket: str
) -> None:
    s3.put_object(Bucket=bucket, Key="big", Body=b"there")
    wanted = send(s3, where, {1: ONE, 2: TWO, 3: LAST}, [2, 1, 2, 3])
    code = refusal(s3.complete_multipart_upload, **where, MultipartUpload={"Parts": wanted}, IfNoneMatch="*")
    assert code == "PreconditionFailed"
    assert s3.get_object(Bucket=bucket, Key="big")["Body"].read() == b"there"
    assert completed(s3, where, wanted) == ONE + TWO + LAST


def test_many_clients_send_parts_at_once(tmp_path: Path, s3: Client, bucket: str) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(1 << 20) * 41)
    config = TransferConfig(multipart_chunksize=PART, max_concurrency=10)
    s3.upload_file(str(source), bucket, "big", Config=config)
    s3.download_file(bucket, "big", str(target))
    assert target.read_bytes() == source.read_bytes()
    parts = [source.read_bytes()[start : start + PART] for start in range(0, 41 << 20, PART)]
    digest = hashlib.md5(b"".join(hashlib.md5(part).digest() for part in parts)).hexdigest()
    assert s3.head_object(Bucket=bucket, Key="big")["ETag"] == f'"{digest}-{len(parts)}"'


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
