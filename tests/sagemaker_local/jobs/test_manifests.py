"""Inputs that a manifest lists: its objects and no others, under their names below its prefix."""

from __future__ import annotations

import json
from typing import Any

import pytest

IN, OUT = "/opt/ml/processing/input", "/opt/ml/processing/output"


def manifest(bench: Any, *entries: Any) -> str:
    uri: str = bench.put("manifests/one", json.dumps(entries))
    return uri


def test_the_objects_of_a_manifest_lie_below_its_prefix(bench: Any) -> None:
    for key in ("d/a.csv", "d/deep/b.csv", "d/not-listed.csv"):
        bench.put(key, key)
    job = bench.processing(
        f"cd {IN}; find . -type f | sort > {OUT}/names; cat a.csv deep/b.csv > {OUT}/all",
        inputs={"i": (manifest(bench, {"prefix": "s3://bucket/d/"}, "a.csv", "deep/b.csv"), IN)},
        outputs={"o": ("s3://bucket/o", OUT)},
        data_type="ManifestFile",
    )
    assert bench.ended(job)["ProcessingJobStatus"] == "Completed"
    assert bench.get("o/names") == "./a.csv\n./deep/b.csv\n"
    assert bench.get("o/all") == "d/a.csvd/deep/b.csv"


def test_the_end_of_a_prefix_may_be_part_of_a_name(bench: Any) -> None:
    """As of S3Prefix, a prefix is no folder."""
    bench.put("d/part-1", "1")
    job = bench.processing(
        f"cat {IN}/1 > {OUT}/x",
        inputs={"i": (manifest(bench, {"prefix": "s3://bucket/d/part-"}, "1"), IN)},
        outputs={"o": ("s3://bucket/o", OUT)},
        data_type="ManifestFile",
    )
    assert bench.ended(job)["ProcessingJobStatus"] == "Completed"
    assert bench.get("o/x") == "1"


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ((), "is no manifest"),
        (({"prefix": "s3://bucket/d/"},), "it lists no objects"),
        (({"prefix": "bucket/d/"}, "a"), "is no S3 URI"),
        (({"prefix": "s3://bucket/d/"}, 7), "is no manifest"),
        (("a", "b"), "is no manifest"),
        (({"prefix": "s3://bucket/d/"}, "missing"), 'The object "s3://bucket/d/missing" of the manifest'),
        (({"prefix": "s3://bucket/"}, "d/../up"), "cannot be a file's path"),
    ],
)
def test_a_manifest_that_is_none_fails_the_job_with_what_is_wrong(
    bench: Any, entries: tuple[Any, ...], said: str
) -> None:
    bench.put("d/../up", "x")
    job = bench.processing("true", inputs={"i": (manifest(bench, *entries), IN)}, data_type="ManifestFile")
    ended = bench.ended(job)
    assert ended["ProcessingJobStatus"] == "Failed"
    assert said in ended["FailureReason"]


def test_a_manifest_that_is_not_there_or_is_no_json_fails_the_job(bench: Any) -> None:
    for uri, said in (
        ("s3://bucket/none", 'The manifest "s3://bucket/none" does not exist'),
        (bench.put("text", "{"), "is no manifest"),
    ):
        job = bench.processing("true", inputs={"i": (uri, IN)}, data_type="ManifestFile")
        assert said in bench.ended(job)["FailureReason"]
