"""A look at the project's data before anything is uploaded, started or paid for.

What the data holds, and whether preprocessing would refuse it, is said by the preprocessing program's own
functions: ``processing/describe.py`` runs in a process of its own over the data, or over the first part of it
(``first_parts``). This module lays out what it reads, and says its errors in the terms of the settings file.
Data that cannot be reached, for want of rights or of a network, is not looked at, which is no error.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aws_formats.errors import GatehouseError
from aws_formats.service_errors import is_absent
from pipelines.definition.bundles import dataset_settings
from pipelines.definition.dataset import DataFile, is_queried, is_read, local_files, source_in_words
from pipelines.definition.describing import describe
from pipelines.definition.first_parts import Stored, lay_out, stored_here, stored_in_s3
from pipelines.settings.complaints import all_wrong
from pipelines.settings.project import Project
from pipelines.settings.tables import which_one
from pipelines.settings.target import Target, boto_session

QUICK_BYTES = 8 << 20
"""Data of this size is looked at as a whole before every run; it takes a fraction of a second."""

THOROUGH_BYTES = 200_000_000
"""The same for `gatehouse data`, and data on this machine."""

_MOST_OBJECTS = 1000
"""Listed in S3: one answer holds as many."""


@dataclass(frozen=True)
class Look:
    """What was found.

    Attributes:
        said: what was looked at, or why nothing was, in words.
        whole: whether that is all of the data; None where nothing was looked at.
        document: what ``describe.py`` printed; empty where nothing was looked at.
        errors: why preprocessing would refuse the data, all of it, by table and key of the settings.
        size: of all of the data, in bytes; 0 where nothing was looked at.
    """

    said: str
    whole: bool | None
    document: Mapping[str, Any]
    errors: tuple[GatehouseError, ...] = ()
    size: int = 0

    @property
    def findings(self) -> list[dict[str, Any]]:
        """What a person should know although it is no error."""
        return list(self.document.get("findings", ()))


def require(project: Project, look: Look) -> None:
    """Refuse data that preprocessing would refuse.

    Raises:
        GatehouseError: all that is wrong.
    """
    if look.errors:
        raise all_wrong(project.file, look.errors)


def look_at(project: Project, target: Target, *, most_bytes: int | None = QUICK_BYTES) -> Look:
    """Look at the project's data. Only reads.

    Args:
        target: where it lies, if it lies in S3; a local one has its URL, or nothing is looked at.
        most_bytes: of data on this machine that is looked at as a whole; None for no bound.

    Raises:
        GatehouseError: the data source does not exist, or is empty.
    """
    if is_queried(project, target):
        said = (
            f"{source_in_words(project, target)} is the source; its rows are seen when an execution runs it"
        )
        return Look(said, None, {})
    if project.data.source.startswith("s3://"):
        return _look_in_s3(project, target)
    return _look_at_files(project, stored_files(local_files(project)), most_bytes)


def stored_files(files: Sequence[DataFile]) -> list[Stored]:
    """Those of the local files that preprocessing reads."""
    return [stored_here(file) for file in files if file.size and is_read(file.key)]


def describe_files(
    files: Sequence[Stored], settings: Mapping[str, Any], most_bytes: int | None
) -> dict[str, Any]:
    """What the columns hold, whatever the target."""
    with tempfile.TemporaryDirectory(prefix="gatehouse-look-") as folder:
        raw = Path(folder) / "raw"
        raw.mkdir()
        lay_out(files, raw, most_bytes=most_bytes, quote=settings.get("quote", '"'))
        return describe(raw, settings, columns_only=True)


def _look_at_files(project: Project, files: list[Stored], most_bytes: int | None) -> Look:
    with tempfile.TemporaryDirectory(prefix="gatehouse-look-") as folder:
        raw = Path(folder) / "raw"
        raw.mkdir()
        sample = lay_out(files, raw, most_bytes=most_bytes, quote=project.data.quote) if files else None
        whole = sample is None or sample.whole
        document = describe(raw, dataset_settings(project), first_parts=not whole)
    size = sum(file.size for file in files)
    if document.get("columns_may_come"):
        absent = [error for error in document["errors"] if _is_absent(error, document["names"])]
        if absent and size <= THOROUGH_BYTES and all(file.path for file in files):
            return _look_at_files(project, files, None)
        document = _without_errors(document, absent)
    said = sample.said if sample else "no file"
    return Look(said, whole, document, tuple(_errors(project, document)), size)


def _is_absent(error: Mapping[str, Any], names: Sequence[str]) -> bool:
    """Whether the error is a column that the settings name and that was not there."""
    return error["key"] not in (None, "positive_class") and error["value"] not in (None, *names)


def _without_errors(document: Mapping[str, Any], errors: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The document with these errors as findings, because the rest of the data may mend them."""
    findings = [
        {
            "kind": "first_part",
            "level": "warning",
            "text": f"of what was read: {error['what']}",
            "column": error["value"],
            "count": None,
            "remedy": error["remedy"],
        }
        for error in errors
    ]
    others = [error for error in document["errors"] if error not in errors]
    return {**document, "errors": others, "findings": [*document["findings"], *findings]}


def _look_in_s3(project: Project, target: Target) -> Look:
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    uri = project.data.source
    if target.name == "local" and target.endpoint_url is None:
        return Look(f"{uri} is not looked at: the local SageMaker is not up", None, {})
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    # A look waits for nobody.
    config = Config(connect_timeout=3, read_timeout=10, retries={"total_max_attempts": 2})
    try:
        s3 = boto_session(target).client("s3", config=config)
        page = s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=_MOST_OBJECTS)
        base = len(prefix.rpartition("/")[0]) + 1 if "/" in prefix else 0
        files = [
            stored_in_s3(s3, bucket, entry["Key"], entry["Size"], entry["Key"][base:])
            for entry in page.get("Contents", ())
            if entry["Size"] and is_read(entry["Key"][base:])
        ]
        if not files:
            raise _no_data(project, "there is no data")
        return _look_at_files(project, files, QUICK_BYTES)
    except ClientError as error:
        if is_absent(error):
            raise _no_data(project, "the bucket does not exist") from error
        return Look(f"{uri} is not looked at: {_first_line(error)}", None, {})
    except BotoCoreError as error:
        return Look(f"{uri} is not looked at: {_first_line(error)}", None, {})


def _no_data(project: Project, what: str) -> GatehouseError:
    return GatehouseError(
        what,
        where=project.data.source,
        remedy=f"Put it there, or correct source in the data table of {project.name} in {project.file}",
    )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _errors(project: Project, document: Mapping[str, Any]) -> Iterator[GatehouseError]:
    """What the program said, at the places of the settings that it is about."""
    names = document.get("names", ())
    for found in document["errors"]:
        key, value, where, remedy = (found.get(name) for name in ("key", "value", "where", "remedy"))
        if key == "floor_classes":
            yield from _absent_floors(project, [one["name"] for one in document["classes"]])
        elif key is None:
            yield GatehouseError(found["what"], where=where, remedy=remedy)
        elif key == "target" and value is not None and value not in names:
            yield _at(project, ("data", key), f"{where} has no column {value!r}", remedy)
        elif value is None or value in names or key == "positive_class":
            yield _at(project, ("data", key), found["what"], remedy)
        else:
            path = ("gate" if key == "slices" else "data", key)
            if key != "target":  # of the target the program may know why it is not there
                remedy = which_one(value, names, "columns")
            yield _at(project, path, f"{where} has no column {value!r}", remedy)


def _absent_floors(project: Project, classes: Sequence[str]) -> Iterator[GatehouseError]:
    for name in project.gate.floors:
        metric, _, label = name.partition(".")
        if label and label not in classes:
            what = f"the target {project.data.target!r} has no class {label!r}"
            yield _at(project, ("gate", "floors", metric, label), what, which_one(label, classes, "classes"))


def _at(project: Project, path: Sequence[str], what: str, remedy: str | None) -> GatehouseError:
    table = ".".join(("projects", project.team, project.short_name, *path[:-1]))
    return GatehouseError(what, where=f"{project.file}: [{table}] {path[-1]}", remedy=remedy)


def classes_in_words(document: Mapping[str, Any]) -> Iterator[str]:
    """`malignant (212 rows, positive)`, one for each class of what `describe.py` printed."""
    for one in document.get("classes", ()):
        rows = f"{one['rows']:,} {'row' if one['rows'] == 1 else 'rows'}"
        positive = ", positive" if one["name"] == document.get("positive_class") else ""
        yield f"{one['name']} ({rows}{positive})"
