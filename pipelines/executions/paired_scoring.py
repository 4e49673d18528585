"""Scores two registered versions on the same rows, on this machine: the test part of the newer one.

The rows are an output of the newer version's preprocessing job. A row's part follows from its content, so the
older version was not trained on them either, as long as the preprocessing is the same.

Scoring runs the code inside an artifact, and whoever may write to the bucket could put anything there. So
only code is run that this checkout knows: each file is one of the folder ``training``, as it is now or as it
was in a commit that led to the one that is checked out. It runs in a process of its own for each artifact,
after that process has unpacked it and found those files and no other, and without the environment variables
of this process, so without its credentials. The booster itself is data, which XGBoost reads.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from aws_formats.arns import parse_arn
from pipelines import ROOT
from pipelines.settings.target import Target
from registry.clients import bucket_and_key
from registry.comparison import PairedAnswers, PairedMetric, RightAnswers
from registry.version_details import VersionDetails

_SECONDS = 600
"""The longest that scoring one artifact, or comparing the answers, may take."""

_CODE, _SCRIPT = "code/", "inference.py"
_MOST_BYTES_OF_CODE = 1 << 20
_PREPROCESS = "PreprocessData"
_KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TMPDIR", "OMP_NUM_THREADS")


class CannotPair(Exception):
    """Why two versions cannot be scored on the same rows here."""


def score_on_same_rows(
    target: Target, first: VersionDetails, second: VersionDetails, root: Path = ROOT
) -> PairedAnswers:
    """Both versions' metrics on the test part of the newer one.

    Args:
        root: the checkout whose inference code may be run.

    Raises:
        CannotPair: an artifact or the rows are not to be had, or an artifact's code is not known here.
    """
    newer, older = sorted((first, second), key=lambda version: version.version, reverse=True)
    try:
        job, before = _preprocessing(target, newer), _preprocessing(target, older, required=False)
        with tempfile.TemporaryDirectory(prefix="compare-") as folder:
            test = Path(folder) / "test"
            _download_rows(target, _output(job, "test", newer), test)
            answers = [
                _answers(_download_artifact(target, version, Path(folder)), test, version.version, root)
                for version in (first, second)
            ]
            found = json.loads(_run("paired_metrics.py", *answers, task="comparing the two versions"))
    except (ClientError, BotoCoreError) as error:
        raise CannotPair(" ".join(str(error).split())) from error
    return PairedAnswers(
        tested_on=newer.version,
        rows=found["rows"],
        metrics={name: PairedMetric(**metric) for name, metric in found["metrics"].items()},
        right=RightAnswers(**found["right"]) if found["right"] else None,
        same_split=_inputs(job) == _inputs(before),
    )


def is_known(name: str, content: bytes, root: Path = ROOT) -> bool:
    """Whether a file is the one of its name in the folder ``training`` of a checkout, or was in its history.

    Only commits that lead to the one that is checked out count. Without git, only the file itself does.
    """
    path = f"training/{name}"
    file = root / path
    if file.is_file() and file.read_bytes() == content:
        return True
    blob = hashlib.sha1(f"blob {len(content)}\0".encode() + content, usedforsecurity=False).hexdigest()
    command = ["git", "-C", str(root), "log", "-1", "--format=%H", f"--find-object={blob}", "HEAD"]
    try:
        found = subprocess.run([*command, "--", path], capture_output=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return found.returncode == 0 and bool(found.stdout.strip())


def _preprocessing(target: Target, version: VersionDetails, required: bool = True) -> Mapping[str, Any]:
    """The preprocessing job of the execution that registered a version; empty if it need not be known."""
    arn = next((job.arn for job in reversed(version.jobs) if job.step == _PREPROCESS), None)
    if arn is None:
        if required:
            raise CannotPair(f"no preprocessing job is known of version {version.version}")
        return {}
    name = parse_arn(arn).name
    described: dict[str, Any] = target.client("sagemaker").describe_processing_job(ProcessingJobName=name)
    return described


def _inputs(job: Mapping[str, Any]) -> dict[str, str]:
    """The code and the settings of a preprocessing job, which are named by their content."""
    return {
        found["InputName"]: found["S3Input"]["S3Uri"].rpartition("/code/")[2].rpartition("/settings/")[2]
        for found in job.get("ProcessingInputs", ())
        if found["InputName"] in ("code", "settings") and "S3Input" in found
    }


def _output(job: Mapping[str, Any], name: str, version: VersionDetails) -> str:
    for found in job.get("ProcessingOutputConfig", {}).get("Outputs", ()):
        if found["OutputName"] == name:
            return str(found["S3Output"]["S3Uri"])
    raise CannotPair(f"the preprocessing job of version {version.version} has no output {name!r}")


def _download_rows(target: Target, uri: str, folder: Path) -> None:
    """The Parquet files under a prefix, each by its name relative to it."""
    bucket, prefix = bucket_and_key(uri.rstrip("/") + "/")
    s3 = target.client("s3")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    folder.mkdir()
    for number, key in enumerate(
        sorted(found["Key"] for page in pages for found in page.get("Contents", ()))
    ):
        if key.endswith(".parquet"):
            # Numbered, so that no key can name a place outside of the folder.
            _download(s3, bucket, key, folder / f"{number:06}.parquet")
    if not any(folder.iterdir()):
        raise CannotPair(f"there are no rows in {uri}")


def _download_artifact(target: Target, version: VersionDetails, folder: Path) -> Path:
    artifacts = [container.artifact for container in version.containers if container.artifact]
    if len(artifacts) != 1 or not artifacts[0].startswith("s3://"):
        raise CannotPair(f"version {version.version} has not one artifact in S3")
    path = folder / f"model-{version.version}.tar.gz"
    _download(target.client("s3"), *bucket_and_key(artifacts[0]), path)
    return path


def _download(s3: Any, bucket: str, key: str, path: Path) -> None:
    """In parts where it is large."""
    from boto3.s3.transfer import S3Transfer

    with S3Transfer(s3) as transfer:
        transfer.download_file(bucket, key, str(path))


def _answers(artifact: Path, test: Path, number: int, root: Path) -> Path:
    """The file of what a version answers to each row; its code runs only if it is known."""
    code = _serving_code(artifact)
    if _SCRIPT not in code or not all(is_known(name, content, root) for name, content in code.items()):
        raise CannotPair(
            f"the inference code of version {number} is in no commit of this checkout, so it is not run here"
        )
    output = artifact.with_suffix(".answers")
    digests = (f"--code={name}={hashlib.sha256(content).hexdigest()}" for name, content in code.items())
    _run("answers.py", artifact, test, output, *digests, task=f"scoring version {number}")
    return output


def _run(program: str, *arguments: Path | str, task: str) -> str:
    """What a program of the folder ``evaluation`` prints, in a process without this one's credentials."""
    try:
        done = subprocess.run(
            [sys.executable, "-E", "-s", str(ROOT / "evaluation" / program), *map(str, arguments)],
            env={name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ},
            cwd=Path(arguments[0]).parent,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CannotPair(f"{task} took more than {_SECONDS} s") from error
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise CannotPair(f"{task} failed: {said[-1]}")
    return done.stdout


def _serving_code(artifact: Path) -> dict[str, bytes]:
    """The files of an artifact's folder ``code`` by name; none if they are not plain, small and readable."""
    files: dict[str, bytes] = {}
    try:
        with tarfile.open(artifact, "r:gz") as archive:
            for member in archive:
                folder, _, name = member.name.removeprefix("./").partition(_CODE)
                if folder or not name or member.isdir():
                    continue
                if name in files or "/" in name or not member.isfile() or member.size > _MOST_BYTES_OF_CODE:
                    return {}
                content = archive.extractfile(member)
                files[name] = content.read() if content else b""
    except (tarfile.TarError, EOFError, OSError):
        return {}
    return files
