from __future__ import annotations

from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wire_clients import Client

from sagemaker_local import endpoint
from sagemaker_local.errors import AwsError
from sagemaker_local.home import Home
from sagemaker_local.s3.objects import ObjectStore
from sagemaker_local.store import Store
from sagemaker_local.store.listing import after_prefix

NASTY = [
    "..",
    "../../etc/passwd",
    "/absolute",
    "//",
    "a/",
    "a",
    "a/b",
    "a//b",
    "a/./b",
    ".",
    "\x00",
    "x\x00y",
    "line\nbreak\r",
    "~",
    "a~1.txt",
    ".incoming/x",
    ".keys",
    "x" * 1024,
    "/".join("y" * 100 for _ in range(10)),
    "z" * 201,
    "ü" * 512,
    "😀/🎉 &<>\"'%2F+?#",
    "CON",
    "a b/ c ",
    "\u202eevil",
    "\ue000\U0010ffff",
]

KEYS = st.one_of(
    st.sampled_from(NASTY),
    st.text(st.sampled_from(["a", "b", "/", ".", "\x00", "~", "é"]), min_size=1, max_size=12),
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=40),
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ObjectStore:
    home = Home(tmp_path_factory.mktemp("keys")).create()
    found = ObjectStore(home, Store(home.database))
    found.create_bucket("keys")
    return found


def files_outside(store: ObjectStore) -> list[Path]:
    """Whatever lies beside the folders that may hold objects."""
    return [path for path in store.root.iterdir() if path.name not in ("keys", ".keys", ".incoming")]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(KEYS, st.binary(max_size=8))
def test_any_key_is_stored_found_and_listed_and_stays_in_the_folder(
    store: ObjectStore, key: str, body: bytes
) -> None:
    beside = {path.name for path in store.root.parent.iterdir()}
    info = store.put_bytes("keys", key, body)
    assert info.path.resolve().is_relative_to(store.root.resolve())
    assert store.read_bytes("keys", key) == body
    assert key in [found.key for found in store.list("keys", key[:1])]
    assert files_outside(store) == []
    assert {path.name for path in store.root.parent.iterdir()} == beside


@settings(max_examples=60)
@given(st.lists(st.tuples(KEYS, st.sampled_from(["put", "put", "delete"])), max_size=12))
def test_a_history_of_writes_and_deletes_leaves_exactly_the_last_values(
    store: ObjectStore, history: list[tuple[str, str]]
) -> None:
    for info in list(store.list("keys")):
        store.delete("keys", info.key)
    expected: dict[str, bytes] = {}
    for number, (key, action) in enumerate(history):
        if action == "put":
            expected[key] = str(number).encode()
            store.put_bytes("keys", key, expected[key])
        else:
            assert store.delete("keys", key) is (expected.pop(key, None) is not None)
    found = {info.key: store.read_bytes("keys", info.key) for info in store.list("keys")}
    assert found == expected
    assert list(found) == sorted(expected, key=str.encode)
    assert len([path for path in store.root.rglob("*") if path.is_file()]) == len(expected)


@given(st.text(st.characters(codec="utf-8"), min_size=1), st.text(st.characters(codec="utf-8")))
def test_the_end_of_a_prefix_comes_after_all_its_keys_and_before_all_others(prefix: str, other: str) -> None:
    end = after_prefix(prefix)
    if end is not None:
        assert (prefix.encode() <= other.encode() < end.encode()) == other.startswith(prefix)


def test_a_key_beyond_1024_bytes_is_refused(store: ObjectStore) -> None:
    with pytest.raises(AwsError, match="too long"):
        store.put_bytes("keys", "x" * 1025, b"")
    with pytest.raises(AwsError, match="too long"):
        store.put_bytes("keys", "", b"")


@pytest.mark.parametrize("key", NASTY)
def test_nasty_keys_survive_the_way_over_the_wire(
    local: endpoint.Endpoint, s3: Client, bucket: str, key: str
) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    s3.delete_object(Bucket=bucket, Key=key)
    with pytest.raises(ClientError):
        s3.head_object(Bucket=bucket, Key=key)
    assert not (local.home.root.parent / "etc").exists()


@pytest.mark.parametrize("key", ["a\x01b", "\x1b[2J", "\ufffe"])
def test_a_refusal_that_names_a_key_can_be_read_whatever_the_key_holds(
    s3: Client, bucket: str, key: str
) -> None:
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.get_object(Bucket=bucket, Key=key)
