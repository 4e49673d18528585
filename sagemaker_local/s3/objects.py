"""Buckets and objects: plain files, and one row for each that says which file it is.

A write goes to a temporary file first. One SQLite transaction then gives the file its place and makes
the row name it; the file that the row named before is deleted afterwards. So an overwrite that is
killed at any moment leaves the old object or the new one, and what a killed process left behind belongs to
no row and is removed at the next start.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from sagemaker_local import clocks
from sagemaker_local.errors import AwsError
from sagemaker_local.home import Home
from sagemaker_local.s3 import files
from sagemaker_local.s3.files import Incoming
from sagemaker_local.store import Store
from sagemaker_local.store.listing import after_prefix

LONGEST_KEY = 1024
"""Bytes of a key in UTF-8; S3's own cap."""

DEFAULT_CONTENT_TYPE = "binary/octet-stream"

_BUCKET_NAME = re.compile(r"(?!xn--|.*\.\.|\d+\.\d+\.\d+\.\d+$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS bucket (
    name    TEXT PRIMARY KEY,
    region  TEXT NOT NULL,
    created REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS object (
    bucket       TEXT NOT NULL,
    key          TEXT NOT NULL,
    size         INTEGER NOT NULL,
    etag         TEXT NOT NULL,
    modified     REAL NOT NULL,
    content_type TEXT NOT NULL,
    metadata     TEXT NOT NULL,
    headers      TEXT NOT NULL,
    file         TEXT NOT NULL,
    PRIMARY KEY (bucket, key)
);
CREATE INDEX IF NOT EXISTS object_by_file ON object (file);
"""
_COLUMNS = "bucket, key, size, etag, modified, content_type, metadata, headers, file"


Rows = list[tuple[Any, ...]]


@dataclass(frozen=True)
class Bucket:
    """A bucket; `created` in POSIX seconds."""

    name: str
    region: str
    created: float


@dataclass(frozen=True)
class ObjectInfo:
    """An object without its bytes.

    Attributes:
        size: bytes.
        etag: MD5 in hex, or ``<md5 of the parts' md5s>-<parts>``; without quotes.
        modified: POSIX seconds.
        metadata: the client's own, names without ``x-amz-meta-``.
        headers: Content-Encoding, Cache-Control and the like, as they were given.
        path: the plain file that holds the bytes. It may go as soon as the object is overwritten.
    """

    bucket: str
    key: str
    size: int
    etag: str
    modified: float
    content_type: str
    path: Path
    metadata: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


SETTINGS = "bucket-notifications"
"""Kind of the documents that say what a bucket reports, and to whom."""


@dataclass(frozen=True)
class Change:
    """An object that was made or deleted; `reason` is S3's name of the request that did it."""

    info: ObjectInfo
    reason: str


Report = Callable[[Store, str, Change], None]
"""Called with a bucket's region in the transaction of a change."""

Condition = Callable[[ObjectInfo | None], None]
"""Raises AwsError if the object that is there now forbids a change of it; called under the write lock."""


def _any_object(_existing: ObjectInfo | None) -> None:
    """The condition of a write without conditions."""


def no_such_bucket(bucket: str) -> AwsError:
    return AwsError("NoSuchBucket", f"The specified bucket does not exist: {bucket}.", 404)


def no_such_key(bucket: str, key: str) -> AwsError:
    return AwsError("NoSuchKey", f"The specified key does not exist: s3://{bucket}/{key}.", 404)


class ObjectStore:
    """All buckets of a home. Safe to share between threads and processes."""

    def __init__(self, home: Home, store: Store, report: Report = lambda *_: None) -> None:
        self._report = report
        self.root = home.objects
        self.store = store
        store.create(_SCHEMA)

    def sweep(self) -> None:
        """Remove what killed processes left: unfinished files, and files that no object names."""
        files.sweep_incoming(self.root)
        known = {row[0] for row in self.store.connection.execute("SELECT file FROM object")}
        for place in files.kept_files(self.root):
            if place in known:
                continue
            # Checked again with the lock held: an object may name it since.
            with self.store.transaction():
                if not self._is_named(place):
                    files.remove(self.root, place)

    def create_bucket(self, name: str, region: str = "us-east-1") -> bool:
        """Whether the bucket is new; one that exists stays as it is.

        Raises:
            AwsError: InvalidBucketName.
        """
        if not _BUCKET_NAME.fullmatch(name):
            raise AwsError("InvalidBucketName", f"The specified bucket is not valid: {name}.")
        with self.store.transaction():
            cursor = self.store.connection.execute(
                "INSERT OR IGNORE INTO bucket VALUES (?, ?, ?)", (name, region, clocks.now())
            )
        return cursor.rowcount > 0

    def buckets(self) -> list[Bucket]:
        """All buckets by name."""
        rows = self.store.connection.execute("SELECT name, region, created FROM bucket ORDER BY name")
        return [Bucket(*row) for row in rows]

    def bucket(self, name: str) -> Bucket:
        """Raises AwsError NoSuchBucket."""
        row = self.store.connection.execute(
            "SELECT name, region, created FROM bucket WHERE name = ?", (name,)
        ).fetchone()
        if row is None:
            raise no_such_bucket(name)
        return Bucket(*row)

    def delete_bucket(self, name: str) -> None:
        """Raises AwsError NoSuchBucket, or BucketNotEmpty."""
        with self.store.transaction():
            region = self.bucket(name).region
            if next(self.list(name), None) is not None:
                raise AwsError("BucketNotEmpty", f"The bucket you tried to delete is not empty: {name}.", 409)
            self.store.connection.execute("DELETE FROM bucket WHERE name = ?", (name,))
            self.store.delete(SETTINGS, region, name)

    def put_bytes(
        self,
        bucket: str,
        key: str,
        data: bytes,
        *,
        content_type: str = DEFAULT_CONTENT_TYPE,
        metadata: Mapping[str, str] | None = None,
    ) -> ObjectInfo:
        """Raises AwsError as :meth:`commit` does."""
        with self.incoming() as incoming:
            incoming.write(data)
            return self.commit(incoming, bucket, key, content_type=content_type, metadata=metadata)

    def put_file(
        self,
        bucket: str,
        key: str,
        path: Path,
        *,
        move: bool = False,
        content_type: str = DEFAULT_CONTENT_TYPE,
        metadata: Mapping[str, str] | None = None,
    ) -> ObjectInfo:
        """An object from a file, which is left alone or, with `move`, gone afterwards.

        Raises:
            AwsError: as :meth:`commit` does; the file is then gone if it was to be moved.
        """
        self.bucket(bucket)
        with Incoming.taking(self.root, path) if move else self.incoming() as incoming:
            if not move:
                incoming.copy(path)
            return self.commit(incoming, bucket, key, content_type=content_type, metadata=metadata)

    def incoming(self) -> Incoming:
        """A temporary file for bytes that :meth:`commit` will make an object of."""
        return Incoming(self.root)

    def commit(
        self,
        incoming: Incoming,
        bucket: str,
        key: str,
        *,
        etag: str | None = None,
        content_type: str = DEFAULT_CONTENT_TYPE,
        metadata: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        condition: Condition = _any_object,
        reason: str = "PutObject",
    ) -> ObjectInfo:
        """Make what has arrived an object, durably, in place of the one that was there.

        Args:
            reason: S3's name of the request.

        Raises:
            AwsError: NoSuchBucket, KeyTooLongError, or what `condition` raises. Nothing has changed then.
        """
        if not 0 < len(key.encode()) <= LONGEST_KEY:
            raise AwsError("KeyTooLongError", f"Your key is too long; S3 takes 1 to {LONGEST_KEY} bytes.")
        incoming.flush()
        place = None
        try:
            with self.store.transaction():
                region = self.bucket(bucket).region
                before = self.stat(bucket, key)
                condition(before)
                place = files.move_into_place(self.root, incoming, bucket, key)
                info = ObjectInfo(
                    bucket,
                    key,
                    incoming.size,
                    etag or incoming.md5.hex(),
                    clocks.now(),
                    content_type,
                    self.root / place,
                    dict(metadata or {}),
                    dict(headers or {}),
                )
                self._put_row(info, place)
                self._report(self.store, region, Change(info, reason))
        except BaseException:
            if place is not None:
                self._remove(place)
            raise
        if before is not None:
            self._remove(str(before.path.relative_to(self.root)))
        return info

    def stat(self, bucket: str, key: str) -> ObjectInfo | None:
        """What is known of an object; None if there is no such object or bucket."""
        row = self.store.connection.execute(
            f"SELECT {_COLUMNS} FROM object WHERE bucket = ? AND key = ?", (bucket, key)
        ).fetchone()
        return self.info(row) if row else None

    def open(self, bucket: str, key: str) -> tuple[ObjectInfo, BinaryIO] | None:
        """An object and its bytes, which belong together whatever is overwritten meanwhile.

        Raises:
            AwsError: InternalError if somebody else removed or changed the file.
        """
        while (info := self.stat(bucket, key)) is not None:
            try:
                opened = info.path.open("rb", buffering=0)
            except FileNotFoundError as error:
                if self.stat(bucket, key) == info:
                    raise _damaged(info, "is missing") from error
                continue
            if self.stat(bucket, key) == info:
                if opened.seek(0, 2) != info.size:
                    opened.close()
                    raise _damaged(info, f"does not have {info.size} bytes")
                opened.seek(0)
                return info, opened
            opened.close()
        return None

    def read_bytes(self, bucket: str, key: str) -> bytes:
        """Raises AwsError NoSuchKey."""
        found = self.open(bucket, key)
        if found is None:
            raise no_such_key(bucket, key)
        with found[1] as opened:
            return opened.read()

    def list(self, bucket: str, prefix: str = "") -> Iterator[ObjectInfo]:
        """Objects whose key begins with `prefix`, by key in UTF-8 order."""
        position = prefix
        while rows := self.rows(bucket, position, after_prefix(prefix), 1000):
            for row in rows:
                yield self.info(row)
            position = f"{rows[-1][1]}\0"

    def rows(self, bucket: str, first: str, end: str | None, limit: int) -> Rows:
        """Rows with ``first <= key < end`` by key, for :meth:`info`; no end where it is None."""
        query, values = f"SELECT {_COLUMNS} FROM object WHERE bucket = ? AND key >= ?", [bucket, first]
        if end is not None:
            query += " AND key < ?"
            values.append(end)
        return self.store.connection.execute(f"{query} ORDER BY key LIMIT {limit:d}", values).fetchall()

    def info(self, row: tuple[Any, ...]) -> ObjectInfo:
        bucket, key, size, etag, modified, content_type, metadata, headers, file = row
        path = self.root / file
        return ObjectInfo(
            bucket, key, size, etag, modified, content_type, path, json.loads(metadata), json.loads(headers)
        )

    def delete(self, bucket: str, key: str, condition: Condition = _any_object) -> bool:
        """Whether there was one to delete. Raises what `condition` does; nothing is deleted then."""
        return self.delete_all(bucket, [key], condition) > 0

    def delete_all(self, bucket: str, keys: Iterable[str], condition: Condition = _any_object) -> int:
        """Delete in one transaction; returns how many there were.

        On a full disk too, which this is a way to free: the rows are deleted with the store's reserve.
        """
        wanted = tuple(keys)
        found = self.store.write_with_reserve(lambda: self._delete_rows(bucket, wanted, condition))
        for info in found:
            self._remove(str(info.path.relative_to(self.root)))
        self.store.hold_reserve()
        return len(found)

    def _delete_rows(self, bucket: str, keys: Iterable[str], condition: Condition) -> Sequence[ObjectInfo]:
        with self.store.transaction():
            found = []
            for key in keys:
                info = self.stat(bucket, key)
                condition(info)
                if info is not None:
                    found.append(info)
            self.store.connection.executemany(
                "DELETE FROM object WHERE bucket = ? AND key = ?", [(info.bucket, info.key) for info in found]
            )
            if found:
                region = self.bucket(bucket).region
                for info in found:
                    self._report(self.store, region, Change(info, "DeleteObject"))
        return found

    def _put_row(self, info: ObjectInfo, place: str) -> None:
        self.store.connection.execute(
            f"INSERT OR REPLACE INTO object ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                info.bucket,
                info.key,
                info.size,
                info.etag,
                info.modified,
                info.content_type,
                json.dumps(info.metadata),
                json.dumps(info.headers),
                place,
            ),
        )

    def _is_named(self, place: str) -> bool:
        query = "SELECT 1 FROM object WHERE file = ?"
        return self.store.connection.execute(query, (place,)).fetchone() is not None

    def _remove(self, place: str) -> None:
        with self.store.transaction():
            if not self._is_named(place):
                files.remove(self.root, place)


def parts_etag(digests: Iterable[bytes]) -> str:
    """The ETag that S3 gives an object of several parts, from the parts' MD5 digests."""
    collected = list(digests)
    return f"{hashlib.md5(b''.join(collected), usedforsecurity=False).hexdigest()}-{len(collected)}"


def _damaged(info: ObjectInfo, what: str) -> AwsError:
    where = f"s3://{info.bucket}/{info.key}"
    return AwsError("InternalError", f"The file of {where} {what}: {info.path}. Upload it again.", 500)
