"""Which bytes a version is: recorded where nothing in S3 can change it, and compared before they are used.

A model package names its artifact by an S3 URI, and whoever can write there can put other bytes in its place,
after the evaluation or after the approval. So:

    evaluation   writes the artifact's SHA-256 into ``verdict.json``, beside the metrics
    a decision   reads the whole artifact, compares, and writes its digest into the version's own metadata
    any use      asks S3 whether the object is still the very one of the decision; if it was written since,
                 reads it whole and compares the digest

The record of a container is one customer metadata property, as ``approval_history`` keeps the decisions::

    artifact.1 = sha256=9f86... bytes=104857600 etag=5d41... modified=20261121T033500Z version=3sL4kqtJ

From the first decision on nothing that lies in S3 is believed. Before it, the verdict is; a version without
either (registered by hand, or approved in Studio and never evaluated here) is used with a note.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC
from typing import Any

from botocore.exceptions import ClientError, ParamValidationError

from aws_formats.errors import GatehouseError
from aws_formats.service_errors import is_absent
from registry.clients import bucket_and_key, read_document

PREFIX = "artifact."
_CHUNK = 1 << 20
_LONGEST_VERSION = 80
"""Characters of an S3 version ID that a property has room for; AWS's own have 32."""


class ArtifactChanged(GatehouseError):
    """The artifact is not the one that was decided on or evaluated: no waiting and no second try helps."""


@dataclass(frozen=True)
class Record:
    """What is known of an artifact; empty where it is not known.

    Attributes:
        sha256: in hexadecimal.
        bytes: its size, as text.
        etag, modified, version: of the S3 object whose bytes were read: together they name one write.
    """

    sha256: str = ""
    bytes: str = ""
    etag: str = ""
    modified: str = ""
    version: str = ""

    @property
    def since(self) -> str:
        """What the version had gone through when this was recorded."""
        if self.modified:
            return "decided on"
        return "evaluated" if self.sha256 else "registered"

    def as_text(self) -> str:
        """As a customer metadata property holds it."""
        return " ".join(f"{key}={value}" for key, value in asdict(self).items() if value)


@dataclass(frozen=True)
class Checked:
    """Artifacts that may be used.

    Attributes:
        records: by property name, what a decision writes; of each artifact whose digest was found.
        notes: what could not be compared, a sentence each.
    """

    records: Mapping[str, str]
    notes: tuple[str, ...]


def check_artifacts(s3: Any, described: Mapping[str, Any], *, anew: bool = False) -> Checked:
    """Compare the artifacts of a described version with what is known of them.

    Args:
        anew: read each of them whole, as a decision does, also where nothing was written since the last.

    Raises:
        ArtifactChanged: one of them is another, or is gone.
    """
    records: dict[str, str] = {}
    notes: list[str] = []
    named = f"version {described['ModelPackageVersion']} of model {described['ModelPackageGroupName']}"
    for key, uri, known in _artifacts(s3, described):
        found = _look(s3, uri)
        if found is None:
            if known is not None:
                raise ArtifactChanged(
                    f"the artifact of {named} is gone", where=uri, remedy=_remedy(described, known)
                )
            notes.append(f"There is no object {uri}: nothing can be said of the artifact.")
            continue
        if not anew and known is not None and known == replace(found, sha256=known.sha256):
            continue
        if anew or (known is not None and known.sha256):
            found = replace(found, sha256=_digest(s3, uri, found))
        if known is None:
            notes.append(
                f"No digest is recorded for the artifact of {named}:"
                " nobody can say whether it is the one that was evaluated."
            )
        elif (difference := _difference(known, found)) is not None:
            raise ArtifactChanged(
                f"the artifact of {named} is not the one that was {known.since}: {difference}",
                where=uri,
                remedy=_remedy(described, known),
            )
        if found.sha256:
            records[key] = found.as_text()
    return Checked(records, tuple(notes))


def recorded_digest(s3: Any, described: Mapping[str, Any]) -> str:
    """The SHA-256 of a version's artifact, by its last decision or its evaluation; empty if not known."""
    return next((known.sha256 for _, _, known in _artifacts(s3, described) if known), "")


def _artifacts(s3: Any, described: Mapping[str, Any]) -> Iterator[tuple[str, str, Record | None]]:
    """(property, S3 URI, what is known) of each container's artifact that is one object in S3."""
    properties: Mapping[str, str] = described.get("CustomerMetadataProperties", {})
    containers = described.get("InferenceSpecification", {}).get("Containers", ())
    for number, container in enumerate(containers, 1):
        source = container.get("ModelDataSource", {}).get("S3DataSource", {})
        uri = container.get("ModelDataUrl") or (
            source.get("S3Uri") if source.get("S3DataType") == "S3Object" else None
        )
        if not uri or not uri.startswith("s3://"):
            continue
        key = f"{PREFIX}{number}"
        known = _parsed(properties[key]) if key in properties else None
        if known is None and len(containers) == 1:
            known = _evaluated(s3, properties.get("verdict_uri"))
        etag = container.get("ModelDataETag") or source.get("ETag")
        if known is None and etag:
            known = Record(etag=etag.strip('"'))
        yield key, uri, known


def _parsed(text: str) -> Record:
    words = dict(word.split("=", 1) for word in text.split() if "=" in word)
    return Record(**{name: words.get(name, "") for name in asdict(Record())})


def _evaluated(s3: Any, verdict_uri: str | None) -> Record | None:
    """What the evaluation wrote beside its verdict; None where it wrote nothing that can be read."""
    verdict = read_document(s3, verdict_uri)
    digest = verdict.get("artifact_sha256") if isinstance(verdict, dict) else None
    return Record(sha256=digest) if isinstance(digest, str) and digest else None


def _look(s3: Any, uri: str) -> Record | None:
    """The S3 object as it is now, without its digest; None if there is none."""
    bucket, key = bucket_and_key(uri)
    try:
        head = s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if is_absent(error):
            return None
        raise
    except ParamValidationError:  # no bucket or no key
        return None
    version = head.get("VersionId", "")
    return Record(
        bytes=str(head["ContentLength"]),
        etag=head["ETag"].strip('"'),
        modified=head["LastModified"].astimezone(UTC).strftime("%Y%m%dT%H%M%SZ"),
        version=version if version != "null" and len(version) <= _LONGEST_VERSION else "",
    )


def _digest(s3: Any, uri: str, found: Record) -> str:
    """The SHA-256 of the object that was looked at, and of no other that came after it."""
    bucket, key = bucket_and_key(uri)
    digest = hashlib.sha256()
    for chunk in s3.get_object(Bucket=bucket, Key=key, IfMatch=found.etag)["Body"].iter_chunks(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def _difference(known: Record, found: Record) -> str | None:
    """In words, what differs; None if the bytes are the same."""
    if known.sha256:
        if known.sha256 == found.sha256:
            return None
        return f"its SHA-256 is {found.sha256[:12]}..., and that was {known.sha256[:12]}..."
    return None if known.etag == found.etag else f"its ETag is {found.etag}, and that was {known.etag}"


def _remedy(described: Mapping[str, Any], known: Record) -> str:
    group = described["ModelPackageGroupName"]
    restore = f"Restore the object's version {known.version}" if known.version else "Restore the object"
    return f"{restore}, or register the model anew: `gatehouse run {group}`"
