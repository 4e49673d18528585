from __future__ import annotations

import base64
import datetime
import hashlib
import re
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from wire_clients import SIGNED, Client

from sagemaker_local import endpoint


def refusal(call: Callable[..., Any], **arguments: Any) -> tuple[int, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    response = caught.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def keys(s3: Client, bucket: str, **arguments: Any) -> list[str]:
    return [item["Key"] for item in s3.list_objects_v2(Bucket=bucket, **arguments).get("Contents", [])]


def test_a_bucket_is_created_found_located_and_deleted(s3: Client, name: str) -> None:
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    assert name in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    assert s3.head_bucket(Bucket=name)["BucketRegion"] == "eu-west-1"
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] == "eu-west-1"
    s3.put_object(Bucket=name, Key="a", Body=b"")
    assert refusal(s3.delete_bucket, Bucket=name) == (409, "BucketNotEmpty")
    s3.delete_object(Bucket=name, Key="a")
    s3.delete_bucket(Bucket=name)
    assert refusal(s3.head_bucket, Bucket=name) == (404, "404")


def test_buckets_are_listed_in_pages_by_prefix_and_region(s3: Client, name: str) -> None:
    here = {"LocationConstraint": "eu-west-1"}
    for number in range(3):
        s3.create_bucket(Bucket=f"{name}-{number}", CreateBucketConfiguration=here)
    pages = list(s3.get_paginator("list_buckets").paginate(Prefix=name, PaginationConfig={"PageSize": 2}))
    assert [[bucket["Name"][-1] for bucket in page["Buckets"]] for page in pages] == [["0", "1"], ["2"]]
    assert s3.list_buckets(Prefix=name, BucketRegion="us-east-1")["Buckets"] == []


def test_a_bucket_that_exists_is_an_error_outside_us_east_1(s3: Client, bucket: str, name: str) -> None:
    configuration = {"LocationConstraint": "eu-west-1"}
    answer = refusal(s3.create_bucket, Bucket=bucket, CreateBucketConfiguration=configuration)
    assert answer == (409, "BucketAlreadyOwnedByYou")
    s3.create_bucket(Bucket=f"{name}-x")
    s3.create_bucket(Bucket=f"{name}-x")
    assert s3.get_bucket_location(Bucket=f"{name}-x").get("LocationConstraint") is None


@pytest.mark.parametrize("bad", ["UPPER", "a..b", "192.168.0.1", "-abc", "under_score"])
def test_a_bucket_name_that_s3_would_refuse_is_refused(s3: Client, bad: str) -> None:
    assert refusal(s3.create_bucket, Bucket=bad) == (400, "InvalidBucketName")


def test_an_object_comes_back_with_everything_it_was_stored_with(s3: Client, bucket: str) -> None:
    body = b"some,csv\n1,2\n"
    put = s3.put_object(
        Bucket=bucket,
        Key="data/a.csv",
        Body=body,
        ContentType="text/csv",
        ContentEncoding="identity",
        CacheControl="no-store",
        Metadata={"origin": "test"},
    )
    got = s3.get_object(Bucket=bucket, Key="data/a.csv")
    head = s3.head_object(Bucket=bucket, Key="data/a.csv")
    assert got["Body"].read() == body
    for found in (got, head):
        assert found["ETag"] == put["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
        assert found["ContentLength"] == len(body)
        assert found["ContentType"] == "text/csv"
        assert found["ContentEncoding"] == "identity"
        assert found["CacheControl"] == "no-store"
        assert found["Metadata"] == {"origin": "test"}
        assert datetime.datetime.now(datetime.UTC) - found["LastModified"] < datetime.timedelta(minutes=1)


def test_an_object_lies_on_the_disk_under_its_key(local: endpoint.Endpoint, s3: Client, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="models/one/model.tar.gz", Body=b"first")
    folder = local.home.objects / bucket / "models/one"
    assert (folder / "model.tar.gz").read_bytes() == b"first"
    s3.put_object(Bucket=bucket, Key="models/one/model.tar.gz", Body=b"second")
    assert [path.read_bytes() for path in folder.iterdir()] == [b"second"]
    s3.delete_object(Bucket=bucket, Key="models/one/model.tar.gz")
    assert not (local.home.objects / bucket / "models").exists()


@pytest.mark.parametrize(
    ("header", "expected", "content_range"),
    [
        ("bytes=2-4", b"234", "bytes 2-4/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=-3", b"789", "bytes 7-9/10"),
        ("bytes=-99", b"0123456789", "bytes 0-9/10"),
        ("bytes=8-99", b"89", "bytes 8-9/10"),
    ],
)
def test_a_range_gives_its_bytes(
    s3: Client, bucket: str, header: str, expected: bytes, content_range: str
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    got = s3.get_object(Bucket=bucket, Key="k", Range=header)
    assert got["Body"].read() == expected
    assert got["ContentRange"] == content_range
    assert got["ResponseMetadata"]["HTTPStatusCode"] == 206


def test_a_range_that_cannot_be_had_is_refused_and_one_that_is_none_is_ignored(
    s3: Client, bucket: str
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    assert refusal(s3.get_object, Bucket=bucket, Key="k", Range="bytes=10-") == (416, "InvalidRange")
    assert s3.get_object(Bucket=bucket, Key="k", Range="lines=1-2")["Body"].read() == b"0123456789"


def test_reads_heed_their_conditions(s3: Client, bucket: str) -> None:
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"x")["ETag"]
    where = {"Bucket": bucket, "Key": "k"}
    tomorrow = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)
    yesterday = tomorrow - datetime.timedelta(days=2)
    assert refusal(s3.get_object, **where, IfNoneMatch=etag) == (304, "304")
    assert refusal(s3.get_object, **where, IfMatch='"other"') == (412, "PreconditionFailed")
    assert refusal(s3.get_object, **where, IfModifiedSince=tomorrow) == (304, "304")
    assert refusal(s3.head_object, **where, IfUnmodifiedSince=yesterday) == (412, "412")
    assert s3.get_object(**where, IfMatch=etag, IfUnmodifiedSince=yesterday)["Body"].read() == b"x"


def test_writes_heed_their_conditions(s3: Client, bucket: str) -> None:
    where = {"Bucket": bucket, "Key": "k"}
    assert refusal(s3.put_object, **where, Body=b"0", IfMatch='"x"') == (404, "NoSuchKey")
    etag = s3.put_object(**where, Body=b"1", IfNoneMatch="*")["ETag"]
    assert refusal(s3.put_object, **where, Body=b"2", IfNoneMatch="*") == (412, "PreconditionFailed")
    assert refusal(s3.put_object, **where, Body=b"2", IfMatch='"x"') == (412, "PreconditionFailed")
    assert s3.get_object(**where)["Body"].read() == b"1"
    s3.put_object(**where, Body=b"3", IfMatch=etag)
    assert s3.get_object(**where)["Body"].read() == b"3"


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_a_checksum_is_verified(s3: Client, bucket: str, algorithm: str) -> None:
    member = f"Checksum{algorithm}"
    where = {"Bucket": bucket, "Key": "k"}
    put = s3.put_object(**where, Body=b"payload", ChecksumAlgorithm=algorithm)
    good = put[member]
    wrong = base64.b64encode(bytes(len(base64.b64decode(good)))).decode()
    assert refusal(s3.put_object, **where, Body=b"changed", **{member: wrong}) == (400, "BadDigest")
    assert s3.get_object(**where)["Body"].read() == b"payload"


def test_a_content_md5_is_verified(s3: Client, bucket: str) -> None:
    good = base64.b64encode(hashlib.md5(b"x").digest()).decode()
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ContentMD5=good)
    assert refusal(s3.put_object, Bucket=bucket, Key="k", Body=b"y", ContentMD5=good) == (400, "BadDigest")


def chunked(bucket: str, chunks: list[bytes], trailer: str, **headers: str) -> bytes:
    """A PutObject with an aws-chunked body, as clients send it over TLS."""
    body = b"".join(b"%x;chunk-signature=0\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    body += b"0\r\n" + (f"{trailer}\r\n".encode() if trailer else b"") + b"\r\n"
    head = {
        "Authorization": SIGNED,
        "Content-Encoding": "aws-chunked",
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x-amz-decoded-content-length": str(sum(map(len, chunks))),
        "Content-Length": str(len(body)),
        **headers,
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    return f"PUT /{bucket}/chunked HTTP/1.1\r\n{lines}\r\n".encode() + body


def test_an_aws_chunked_body_is_decoded_and_its_trailer_verified(
    local: endpoint.Endpoint, s3: Client, bucket: str, exchange: Callable[[bytes], bytes]
) -> None:
    host = {"Host": local.url.removeprefix("http://"), "x-amz-trailer": "x-amz-checksum-crc32"}
    chunks = [b"1234", b"5" * 70_000, b"6789"]
    crc = "x-amz-checksum-crc32:"
    put = exchange(chunked(bucket, [b"1234", b"56789"], f"{crc}y/Q5Jg==", **host))
    assert put.startswith(b"HTTP/1.1 200")
    assert s3.get_object(Bucket=bucket, Key="chunked")["Body"].read() == b"123456789"
    assert b"BadDigest" in exchange(chunked(bucket, chunks, f"{crc}y/Q5Jg==", **host))
    assert b"announced but not sent" in exchange(chunked(bucket, chunks, "", **host))
    short = chunked(bucket, chunks, f"{crc}AAAA", **host, **{"x-amz-decoded-content-length": "5"})
    assert b"IncompleteBody" in exchange(short)
    assert s3.get_object(Bucket=bucket, Key="chunked")["Body"].read() == b"123456789"
    assert "ContentEncoding" not in s3.head_object(Bucket=bucket, Key="chunked")


def test_a_client_that_expects_100_continue_is_told_at_once(
    local: endpoint.Endpoint, bucket: str, exchange: Callable[[bytes], bytes]
) -> None:
    head = (
        f"PUT /{{}}/k HTTP/1.1\r\nHost: {local.url[7:]}\r\nAuthorization: {SIGNED}\r\n"
        "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n"
    )
    assert exchange(head.format(bucket).encode() + b"abc").startswith(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200"
    )
    refused = exchange(head.format("no-such-bucket").encode())
    assert refused.startswith(b"HTTP/1.1 404")
    assert b"NoSuchBucket" in refused


def test_copies_keep_or_replace_metadata(s3: Client, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="from +ö", Body=b"x", ContentType="text/csv", Metadata={"a": "1"})
    source = {"Bucket": bucket, "Key": "from +ö"}
    copied = s3.copy_object(Bucket=bucket, Key="kept", CopySource=source)["CopyObjectResult"]
    assert copied["ETag"] == s3.head_object(Bucket=bucket, Key="kept")["ETag"]
    assert s3.head_object(Bucket=bucket, Key="kept")["Metadata"] == {"a": "1"}
    s3.copy_object(
        Bucket=bucket, Key="new", CopySource=source, MetadataDirective="REPLACE", Metadata={"b": "2"}
    )
    assert s3.head_object(Bucket=bucket, Key="new")["Metadata"] == {"b": "2"}
    absent = {"Bucket": bucket, "Key": "absent"}
    assert refusal(s3.copy_object, Bucket=bucket, Key="k", CopySource=absent) == (404, "NoSuchKey")
    assert refusal(s3.copy_object, **source, CopySource=source) == (400, "InvalidRequest")
    conditions = {"CopySourceIfMatch": '"x"'}
    answer = refusal(s3.copy_object, Bucket=bucket, Key="k", CopySource=source, **conditions)
    assert answer == (412, "PreconditionFailed")


def test_deletes_are_idempotent_and_come_in_batches(s3: Client, bucket: str) -> None:
    for key in ("a", "b", "c & <d>"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    s3.delete_object(Bucket=bucket, Key="absent")
    wanted = {"Objects": [{"Key": "a"}, {"Key": "c & <d>"}, {"Key": "absent"}]}
    deleted = s3.delete_objects(Bucket=bucket, Delete=wanted)["Deleted"]
    assert [item["Key"] for item in deleted] == ["a", "c & <d>", "absent"]
    assert keys(s3, bucket) == ["b"]


def test_a_deletion_happens_only_to_the_object_that_the_client_means(s3: Client, bucket: str) -> None:
    etag = s3.put_object(Bucket=bucket, Key="a", Body=b"new")["ETag"]
    assert refusal(s3.delete_object, Bucket=bucket, Key="a", IfMatch='"old"') == (412, "PreconditionFailed")
    assert refusal(s3.delete_object, Bucket=bucket, Key="absent", IfMatch=etag) == (404, "NoSuchKey")
    for narrowed in ({"VersionId": "v1"}, {"ETag": '"old"'}, {"Size": 7}):
        wanted = {"Objects": [{"Key": "b"}, {"Key": "a", **narrowed}]}
        assert refusal(s3.delete_objects, Bucket=bucket, Delete=wanted) == (501, "NotImplemented")
    assert keys(s3, bucket) == ["a"]
    s3.delete_object(Bucket=bucket, Key="a", IfMatch=etag)
    assert keys(s3, bucket) == []


def test_a_listing_folds_pages_and_starts_where_it_is_told(s3: Client, bucket: str) -> None:
    for key in ("a", "b/1", "b/2", "b/c/3", "d", "é/1", "z"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    assert keys(s3, bucket) == ["a", "b/1", "b/2", "b/c/3", "d", "z", "é/1"]
    assert keys(s3, bucket, Prefix="b/") == ["b/1", "b/2", "b/c/3"]
    assert s3.list_objects_v2(Bucket=bucket)["Prefix"] == s3.list_objects(Bucket=bucket)["Marker"] == ""
    assert keys(s3, bucket, StartAfter="b/2") == ["b/c/3", "d", "z", "é/1"]
    assert keys(s3, bucket, MaxKeys=0) == []
    for operation in ("list_objects_v2", "list_objects"):
        pages = s3.get_paginator(operation).paginate(
            Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": 1}
        )
        found = [
            entry.get("Key") or entry["Prefix"]
            for page in pages
            for entry in page.get("Contents", []) + page.get("CommonPrefixes", [])
        ]
        assert found == ["a", "b/", "d", "z", "é/"]
    inner = s3.list_objects_v2(Bucket=bucket, Prefix="b/", Delimiter="/")
    assert [entry["Prefix"] for entry in inner["CommonPrefixes"]] == ["b/c/"]
    assert (inner["KeyCount"], inner["IsTruncated"]) == (3, False)


def test_what_does_not_exist_is_said_so(s3: Client, bucket: str) -> None:
    assert refusal(s3.get_object, Bucket=bucket, Key="absent") == (404, "NoSuchKey")
    assert refusal(s3.head_object, Bucket=bucket, Key="absent") == (404, "404")
    assert refusal(s3.get_object, Bucket="no-such-bucket", Key="k") == (404, "NoSuchBucket")
    assert refusal(s3.put_object, Bucket="no-such-bucket", Key="k", Body=b"") == (404, "NoSuchBucket")
    assert refusal(s3.list_objects_v2, Bucket="no-such-bucket") == (404, "NoSuchBucket")
    assert refusal(s3.delete_bucket, Bucket="no-such-bucket") == (404, "NoSuchBucket")


def test_what_would_be_lost_silently_is_refused(s3: Client, bucket: str) -> None:
    where = {"Bucket": bucket, "Key": "k"}
    refused = (501, "NotImplemented")
    assert refusal(s3.put_object, **where, Body=b"", Tagging="a=b") == refused
    assert refusal(s3.put_object, **where, Body=b"", ACL="public-read") == refused
    assert refusal(s3.get_object_tagging, **where) == refused
    assert refusal(s3.get_object_acl, **where) == refused
    assert refusal(s3.get_bucket_versioning, Bucket=bucket) == refused
    assert refusal(s3.list_object_versions, Bucket=bucket) == refused
    assert refusal(s3.put_bucket_policy, Bucket=bucket, Policy="{}") == refused
    assert refusal(s3.get_object, **where, VersionId="x") == refused
    assert refusal(s3.put_object, **where, Body=b"", ExpectedBucketOwner="111122223333") == (
        403,
        "AccessDenied",
    )


@pytest.mark.parametrize(
    "body",
    [
        b'<!DOCTYPE x [<!ENTITY e "boom">]><Delete><Object><Key>&e;</Key></Object></Delete>',
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><Delete/>',
        b"<Delete><Object>",
        b"",
        b"\xff\xfe",
    ],
)
def test_xml_with_a_document_type_or_errors_is_refused(
    local: endpoint.Endpoint, bucket: str, exchange: Callable[[bytes], bytes], body: bytes
) -> None:
    head = (
        f"POST /{bucket}?delete HTTP/1.1\r\nHost: {local.url[7:]}\r\nAuthorization: {SIGNED}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    answer = exchange(head.encode() + body)
    assert answer.startswith(b"HTTP/1.1 400")
    assert re.search(rb"<Code>MalformedXML</Code>", answer)


def test_a_page_among_the_objects_is_nothing_but_shown_by_a_browser(s3: Client, bucket: str) -> None:
    """It has the address of the pages that may change something, and would run as one of them."""
    s3.put_object(Bucket=bucket, Key="page.html", Body=b"<script>act()</script>", ContentType="text/html")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "page.html"})
    with urllib.request.urlopen(url) as response:
        assert response.headers["content-type"] == "text/html"
        assert response.headers["content-security-policy"] == "sandbox"


def test_presigned_urls_of_both_signature_versions_are_accepted(
    s3: Client, bucket: str, local: endpoint.Endpoint
) -> None:
    import boto3
    from botocore.config import Config

    s3.put_object(Bucket=bucket, Key="k", Body=b"presigned")
    for version in ("s3", "s3v4"):
        client = boto3.client(
            "s3",
            endpoint_url=local.url,
            region_name="eu-west-1",
            aws_access_key_id="a",
            aws_secret_access_key="b",
            config=Config(signature_version=version),
        )
        url = client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})
        with urllib.request.urlopen(url) as response:
            assert response.read() == b"presigned"
