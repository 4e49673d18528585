"""The columns that a version's model reads, for whoever makes a request: the ``schema.json`` in its artifact.

The artifact is what serves, so its schema is the one that answers. Reading it means reading the archive up to
it, so what was found is kept by the object's ETag. A version that this project's pipeline did not make has
none.
"""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from botocore.exceptions import ClientError, ParamValidationError

from aws_formats import json_text
from aws_formats.service_errors import is_absent
from aws_formats.tar_members import FILE, BadArchive, read_members
from registry.clients import bucket_and_key
from registry.invocations import CSV, Payload

_MEMBER = "schema.json"
_LARGEST_ARTIFACT, _MOST_UNPACKED = 1 << 30, 4 << 30
_LARGEST_SCHEMA = 16 << 20
_CHUNK = 1 << 20
_MOST_KNOWN = 64


@dataclass(frozen=True)
class Feature:
    """One input column.

    Attributes:
        kind: number, category, boolean or timestamp.
        categories: those seen in training.
        date_format: how its timestamps are written; None: ``2026-01-31 12:00:00``.
    """

    name: str
    kind: str
    categories: tuple[str, ...] = ()
    date_format: str | None = None


@dataclass(frozen=True)
class VersionSchema:
    """What a model reads and answers; ``quote`` is None where the source knows no quotation marks."""

    task: str
    target: str
    classes: tuple[str, ...]
    features: tuple[Feature, ...]
    delimiter: str
    quote: str | None


def read_schema(s3: Any, described: Mapping[str, Any]) -> VersionSchema | None:
    """The schema of a described version; None where its artifact has none that can be read.

    Raises:
        ClientError: S3 refused, other than by saying that there is no such object.
    """
    containers = described.get("InferenceSpecification", {}).get("Containers", ())
    uri = containers[0].get("ModelDataUrl") if len(containers) == 1 else None
    if not uri:
        return None
    bucket, key = bucket_and_key(uri)
    try:
        found = s3.get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if is_absent(error):
            return None
        raise
    except ParamValidationError:  # no bucket or no key
        return None
    body, place = found["Body"], (uri, found["ETag"])
    try:
        if place not in _known and found["ContentLength"] <= _LARGEST_ARTIFACT:
            while len(_known) >= _MOST_KNOWN:
                _known.pop(next(iter(_known)), None)
            _known[place] = _read(body.iter_chunks(_CHUNK))
    finally:
        body.close()
    return _known.get(place)


_known: dict[tuple[str, str], VersionSchema | None] = {}
"""By URI and ETag, in the order in which they were read."""


def _read(chunks: Iterable[bytes]) -> VersionSchema | None:
    with tempfile.TemporaryFile() as file:
        for chunk in chunks:
            file.write(chunk)
        file.seek(0)
        try:
            return _schema(json_text.parse(_member(cast(BinaryIO, file))))
        except (BadArchive, ValueError, LookupError, TypeError, AttributeError):  # somebody else's artifact
            return None


def rows_of(sample: Payload, schema: VersionSchema) -> tuple[dict[str, str], ...]:
    """The rows of a sample payload by feature, as its text writes them; none where they are not the schema's.

    An absent value is an empty text.
    """
    names = [feature.name for feature in schema.features]
    if sample.content_type == CSV:
        quoting: dict[str, Any] = {"quotechar": schema.quote} if schema.quote else {"quoting": csv.QUOTE_NONE}
        text = io.StringIO(sample.body.decode("utf-8", "replace"), newline="")
        rows = [row for row in csv.reader(text, delimiter=schema.delimiter, **quoting) if row]
        return tuple(dict(zip(names, row, strict=True)) for row in rows if len(row) == len(names))
    document = json_text.parse(sample.body)
    instances = document.get("instances", [document]) if isinstance(document, dict) else document
    return tuple({name: _text(one.get(name)) for name in names} for one in instances if isinstance(one, dict))


def _text(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _member(body: BinaryIO) -> bytes:
    for member in read_members(body, most_bytes=_MOST_UNPACKED):
        if member.kind == FILE and member.name == _MEMBER:
            if member.size > _LARGEST_SCHEMA:
                raise BadArchive(f"holds a {_MEMBER} of {member.size} bytes")
            return b"".join(member.chunks())
    raise BadArchive(f"holds no {_MEMBER}")


def _schema(document: Mapping[str, Any]) -> VersionSchema:
    return VersionSchema(
        task=str(document["task"]),
        target=str(document["target"]),
        classes=_texts(document["classes"]),
        features=tuple(
            Feature(
                name=str(entry["name"]),
                kind=str(entry["kind"]),
                categories=_texts(entry.get("categories", ())),
                date_format=entry.get("notation", {}).get("date_format"),
            )
            for entry in document["features"]
        ),
        delimiter=str(document["delimiter"]),
        quote=document.get("quote", '"') or None,
    )


def _texts(values: Sequence[object]) -> tuple[str, ...]:
    return tuple(map(str, values))
