"""Source bundles: what the containers run, named by its content.

A folder, or a settings document, becomes a digest and plain files under a prefix that ends in that
digest. So the same code has the same S3 URI on every machine and every day, the step cache hits
after an upsert, a plan can name what changed, and nothing published is ever overwritten: uploading
twice, or from two machines at once, writes the same bytes to the same keys.

There is no marker that says "complete", because a job would download it with the code. A bundle is
complete when each of its files is there with its size; an upload that broke off is continued.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aws_formats.errors import GatehouseError
from pipelines import ROOT
from pipelines.definition.bucket import stored_sizes
from pipelines.settings.project import Data, Project

_AT_ONCE = 8
"""Files that are uploaded at once: each waits for the network, or for this machine's disk."""

DIGEST_LENGTH = 16
"""Hexadecimal digits: 64 bits, plenty for one project's versions, and still readable."""


@dataclass(frozen=True)
class Bundle:
    """Plain files that lie together under one content-named prefix.

    Attributes:
        name: what it is, in words: ``training code``.
        digest: of the names and contents of all files.
        prefix: the key prefix in the project's bucket; ends in ``<digest>/``.
        files: (name relative to the prefix, content), sorted by name.
    """

    name: str
    digest: str
    prefix: str
    files: tuple[tuple[str, bytes], ...]

    def uri(self, bucket: str) -> str:
        """The S3 prefix for a job's input; its slash keeps other keys that begin alike out."""
        return f"s3://{bucket}/{self.prefix}"


def code_bundle(name: str, project_name: str, *folders: Path) -> Bundle:
    """The folders as they stand, without caches, compiled files and whatever begins with a dot.

    Of several folders the files lie side by side; no two have a file of one name.

    Raises:
        GatehouseError: there is no such folder, or nothing in it to run.
    """
    files: dict[str, bytes] = {}
    for folder in folders:
        found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in plain_files(folder)}
        if not found:
            raise GatehouseError(
                f"there is no {name}", where=str(folder), remedy="Restore the folder from the repository"
            )
        assert not files.keys() & found.keys(), "one folder would hide the other's file"
        files |= found
    return _bundle(name, f"{project_name}/code", tuple(sorted(files.items())))


def monitoring_code(project: Project) -> Bundle:
    """The programs of monitoring, with those of the evaluation, of which they use the most."""
    return code_bundle("monitoring code", project.name, ROOT / "evaluation", ROOT / "monitoring")


def settings_bundle(project: Project) -> Bundle:
    """``dataset.json``, by which the preprocessing program knows the data (keys: see there)."""
    content = json.dumps(dataset_settings(project), indent=1, sort_keys=True) + "\n"
    return _bundle("data settings", f"{project.name}/settings", (("dataset.json", content.encode()),))


def gate_bundle(project: Project) -> Bundle:
    """``gate.json``, by which the evaluation program judges; the threshold comes with each start."""
    content = json.dumps(gate_settings(project), indent=1, sort_keys=True) + "\n"
    return _bundle("gate settings", f"{project.name}/gate", (("gate.json", content.encode()),))


def gate_settings(project: Project) -> dict[str, Any]:
    """What ``gate.json`` says: the ``gate`` table, less what is decided elsewhere.

    That is the threshold, which each start can set, and what becomes of a model that is registered already.
    """
    return project.gate.model_dump(mode="json", exclude={"threshold", "register_again"}, exclude_none=True)


def dataset_settings(project: Project) -> dict[str, Any]:
    """What ``dataset.json`` says: the task, the `[...data]` table less where the data comes from, and what
    the gate names in it."""
    data = project.data.model_dump(mode="json", exclude={"source", "version", "query"})
    for key in _LEFT_OUT:
        if getattr(project.data, key) == Data.model_fields[key].get_default(call_default_factory=True):
            del data[key]
    named = {"slices": list(project.gate.slices), "floor_classes": list(project.gate.classes)}
    return {"task": project.task, **data, **{key: names for key, names in named.items() if names}}


_LEFT_OUT = (
    "quote",
    "also_missing",
    "decimal",
    "thousands",
    "date_format",
    "strip",
    "class_names",
    "leaks",
    "stratify",
)
"""Keys of the data table that ``dataset.json`` names only where they differ from their defaults, so that the
settings of a project which uses none of them keep their digest."""


def plain_files(folder: Path) -> list[Path]:
    """The files below a folder that count, sorted by their relative names; none where there is none."""
    found = [path for path in folder.rglob("*") if path.is_file() and _counts(path.relative_to(folder))]
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def _counts(path: Path) -> bool:
    return path.suffix != ".pyc" and not any(
        part.startswith(".") or part == "__pycache__" for part in path.parts
    )


def _bundle(name: str, parent: str, files: tuple[tuple[str, bytes], ...]) -> Bundle:
    total = hashlib.sha256()
    for file, content in files:
        # A file's digest has a fixed length, so no two different sets of files run together.
        total.update(file.encode() + b"\0" + hashlib.sha256(content).digest())
    digest = total.hexdigest()[:DIGEST_LENGTH]
    return Bundle(name, digest, f"{parent}/{digest}/", files)


def missing_files(bundle: Bundle, bucket: str, s3: Any) -> tuple[str, ...]:
    """The names of the bundle's files that are not in the bucket with their size. Only reads."""
    there = stored_sizes(bucket, bundle.prefix, s3)
    return tuple(file for file, content in bundle.files if there.get(bundle.prefix + file) != len(content))


def publish_bundles(bundles: Iterable[Bundle], bucket: str, s3: Any) -> None:
    """Upload the files that are missing, of all bundles at once. The bucket exists (``ensure_bucket``)."""

    def put(missing: tuple[str, bytes]) -> None:
        key, content = missing
        s3.put_object(Bucket=bucket, Key=key, Body=content)

    def missing(bundle: Bundle) -> list[tuple[str, bytes]]:
        names = set(missing_files(bundle, bucket, s3))
        return [(bundle.prefix + name, content) for name, content in bundle.files if name in names]

    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="upload") as threads:
        list(threads.map(put, itertools.chain.from_iterable(threads.map(missing, bundles))))
