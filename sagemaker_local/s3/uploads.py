"""Multipart uploads: parts as files, rows that say which, and one object in the end.

An upload survives a restart of the endpoint: a client that is in the middle of a large file goes on
where it was. Parts lie where they belong in the object's file to be, or are copied there inside the kernel
(``part_files``); they are deleted only once the object is there.
"""

from __future__ import annotations

import itertools
import json
import os
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sagemaker_local import clocks
from sagemaker_local.errors import AwsError
from sagemaker_local.s3 import files
from sagemaker_local.s3.files import Incoming
from sagemaker_local.s3.objects import Condition, ObjectInfo, ObjectStore, parts_etag
from sagemaker_local.s3.part_files import PartInPlace, part_size, place_for, whole_file

SMALLEST_PART = 5 << 20
"""Bytes; S3's own floor for every part but the last."""

MOST_PARTS = 10_000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS upload (
    id           TEXT PRIMARY KEY,
    bucket       TEXT NOT NULL,
    key          TEXT NOT NULL,
    created      REAL NOT NULL,
    content_type TEXT NOT NULL,
    metadata     TEXT NOT NULL,
    headers      TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS part (
    upload   TEXT NOT NULL,
    number   INTEGER NOT NULL,
    etag     TEXT NOT NULL,
    size     INTEGER NOT NULL,
    modified REAL NOT NULL,
    file     TEXT NOT NULL,
    PRIMARY KEY (upload, number)
);
"""


@dataclass(frozen=True)
class Upload:
    """A multipart upload that is neither completed nor aborted; `created` in POSIX seconds."""

    id: str
    bucket: str
    key: str
    created: float
    content_type: str
    metadata: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Part:
    """One part: its MD5 in hex as `etag`, its size in bytes, its file in the upload's folder."""

    number: int
    etag: str
    size: int
    modified: float
    file: str

    @property
    def offset(self) -> int:
        """Where it begins in its file, in bytes."""
        return (self.number - 1) * part_size(self.file)


class Uploads:
    """The multipart uploads of an object store."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects
        self._store = objects.store
        self._folder = objects.root / ".uploads"
        self._store.create(_SCHEMA)

    def sweep(self) -> None:
        """Remove the parts of uploads that ended while a process was killed."""
        rows = self._store.connection.execute("SELECT id FROM upload")
        files.sweep_folders(self._folder, {row[0] for row in rows})

    def create(
        self,
        bucket: str,
        key: str,
        content_type: str,
        metadata: Mapping[str, str],
        headers: Mapping[str, str],
    ) -> str:
        """The new upload's id. Raises AwsError NoSuchBucket."""
        upload_id = secrets.token_hex(16)
        with self._store.transaction():
            self._objects.bucket(bucket)
            (self._folder / upload_id).mkdir(parents=True, mode=0o700)
            self._store.connection.execute(
                "INSERT INTO upload VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    upload_id,
                    bucket,
                    key,
                    clocks.now(),
                    content_type,
                    json.dumps(dict(metadata)),
                    json.dumps(dict(headers)),
                ),
            )
        return upload_id

    def get(self, upload_id: str, bucket: str, key: str) -> Upload:
        """Raises AwsError NoSuchUpload, also where the id belongs to another object."""
        row = self._store.connection.execute(
            "SELECT id, bucket, key, created, content_type, metadata, headers FROM upload"
            " WHERE id = ? AND bucket = ? AND key = ?",
            (upload_id, bucket, key),
        ).fetchone()
        if row is None:
            raise AwsError(
                "NoSuchUpload",
                "The specified upload does not exist; it may have been completed or aborted.",
                404,
            )
        return _upload(row)

    def list(self, bucket: str, prefix: str) -> list[Upload]:
        """The uploads under way in a bucket, by key."""
        rows = self._store.connection.execute(
            "SELECT id, bucket, key, created, content_type, metadata, headers FROM upload"
            " WHERE bucket = ? ORDER BY key, created",
            (bucket,),
        )
        return [upload for upload in map(_upload, rows) if upload.key.startswith(prefix)]

    def incoming(self, upload: Upload, number: int, length: int | None) -> Incoming:
        """For a part that :meth:`put_part` will keep: at its place, if it is the first of its number.

        Args:
            length: its bytes, where they are known.

        Raises:
            AwsError: NoSuchUpload.
        """
        if length:
            try:
                place = place_for(self._folder / upload.id, number, length, SMALLEST_PART)
            except FileNotFoundError:
                self.get(upload.id, upload.bucket, upload.key)
                raise
            if place is not None:
                # Only now: whoever had the place until then has kept a part.
                query = "SELECT 1 FROM part WHERE upload = ? AND number = ?"
                if self._store.connection.execute(query, (upload.id, number)).fetchone() is None:
                    return place
                place.close()
        return self._objects.incoming()

    def put_part(self, upload: Upload, number: int, incoming: Incoming, etag: str) -> Part:
        """Keep a part, in place of an earlier one of the same number."""
        incoming.flush()
        file = incoming.file if isinstance(incoming, PartInPlace) else f"{number:05d}-{secrets.token_hex(4)}"
        part = Part(number, etag, incoming.size, clocks.now(), file)
        with self._store.transaction():
            self.get(upload.id, upload.bucket, upload.key)
            before = self.parts(upload.id).get(number)
            self._store.connection.execute(
                "INSERT OR REPLACE INTO part VALUES (?, ?, ?, ?, ?, ?)",
                (upload.id, number, etag, part.size, part.modified, file),
            )
            if not part_size(file):
                incoming.path.rename(self._path(upload.id, file))
        if before is not None and not part_size(before.file):
            self._path(upload.id, before.file).unlink(missing_ok=True)
        return part

    def parts(self, upload_id: str) -> dict[int, Part]:
        """An upload's parts by number, in their order."""
        rows = self._store.connection.execute(
            "SELECT number, etag, size, modified, file FROM part WHERE upload = ? ORDER BY number",
            (upload_id,),
        )
        return {row[0]: Part(*row) for row in rows}

    def complete(self, upload: Upload, wanted: Sequence[tuple[int, str]], condition: Condition) -> ObjectInfo:
        """Join the parts, by number and ETag, and make them the object.

        Raises:
            AwsError: InvalidPart, InvalidPartOrder or EntityTooSmall, and the upload then goes on;
                NoSuchUpload if somebody else ends it meanwhile.
        """
        try:
            info = self._joined(upload, wanted, condition)
        except (AwsError, FileNotFoundError):
            self.get(upload.id, upload.bucket, upload.key)  # ended: then that is what was wrong
            raise
        self.abort(upload)
        return info

    def _joined(self, upload: Upload, wanted: Sequence[tuple[int, str]], condition: Condition) -> ObjectInfo:
        parts = self.parts(upload.id)
        chosen = _chosen(parts, wanted)
        etag = parts_etag(bytes.fromhex(part.etag) for part in chosen)
        whole = _whole(chosen) if len(chosen) == len(parts) else ""
        joined = whole_file(self._objects.root, self._path(upload.id, whole)) if whole else None
        if joined is None:
            whole, joined = "", self._objects.incoming()
        with joined as incoming:
            end = 0
            for part in chosen:
                if part.file != whole:
                    incoming.seek(end)
                    _append(incoming, self._path(upload.id, part.file), part.offset, part.size)
                end += part.size
            incoming.cut(end)
            return self._objects.commit(
                incoming,
                upload.bucket,
                upload.key,
                etag=etag,
                content_type=upload.content_type,
                metadata=upload.metadata,
                headers=upload.headers,
                condition=condition,
                reason="CompleteMultipartUpload",
            )

    def abort(self, upload: Upload) -> None:
        """End an upload and delete its parts."""
        with self._store.transaction():
            self._store.connection.execute("DELETE FROM part WHERE upload = ?", (upload.id,))
            self._store.connection.execute("DELETE FROM upload WHERE id = ?", (upload.id,))
        shutil.rmtree(self._folder / upload.id, ignore_errors=True)

    def _path(self, upload_id: str, file: str) -> Path:
        return self._folder / upload_id / file


def _upload(row: tuple[Any, ...]) -> Upload:
    upload_id, bucket, key, created, content_type, metadata, headers = row
    return Upload(upload_id, bucket, key, created, content_type, json.loads(metadata), json.loads(headers))


def _chosen(parts: Mapping[int, Part], wanted: Sequence[tuple[int, str]]) -> list[Part]:
    if not wanted:
        raise AwsError("MalformedXML", "A multipart upload is completed with at least one part.")
    numbers = [number for number, _ in wanted]
    if any(later <= earlier for earlier, later in itertools.pairwise(numbers)):
        raise AwsError("InvalidPartOrder", "The list of parts was not in ascending order of part numbers.")
    chosen = []
    for number, etag in wanted:
        part = parts.get(number)
        if part is None or part.etag != etag:
            raise AwsError("InvalidPart", f"Part {number} with ETag {etag} has not been uploaded.")
        chosen.append(part)
    for part in chosen[:-1]:
        if part.size < SMALLEST_PART:
            raise AwsError(
                "EntityTooSmall",
                f"Part {part.number} has {part.size} bytes; every part but the last needs {SMALLEST_PART}.",
            )
    return chosen


def _whole(parts: Sequence[Part]) -> str:
    """The file in which each of the parts has its place, and perhaps lies; empty where there is none."""
    file = next((part.file for part in parts if part_size(part.file)), "")
    size, last = part_size(file), parts[-1]
    has_places = last.number == len(parts) and all(part.size == size for part in parts[:-1])
    return file if has_places and last.size <= size else ""


def _append(incoming: Incoming, path: Path, offset: int, size: int) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        incoming.append(descriptor, offset, size)
    finally:
        os.close(descriptor)
