"""Versions that are registered by hand, with the documents that the pages read of them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bank_churn import PROJECT, SETTINGS
from wire_clients import REGION, client_of

from sagemaker_local import endpoint
from studio.saved import saved_page
from studio.source import Source

BUCKET = "versions"
_FILES = {
    "statistics": "statistics.json",
    "verdict": "verdict.json",
    "report": "report.json",
    "data": "data.json",
}


@dataclass
class Registered:
    """The project ``bank-churn``, its clients, and its pages as files."""

    source: Source
    sagemaker: Any
    s3: Any
    _folders: Iterator[int] = field(default_factory=itertools.count)

    def register(self, *, metadata: Mapping[str, str] | None = None, **more: Any) -> int:
        """A version; returns its number.

        Args:
            more: the documents ``statistics``, ``verdict``, ``report`` and ``data``; further members of the
                request.
        """
        folder = f"{next(self._folders)}"
        for name in _FILES.keys() & more.keys():
            body = more.pop(name)
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.s3.put_object(Bucket=BUCKET, Key=f"{folder}/{_FILES[name]}", Body=content)
        uris = {name: f"s3://{BUCKET}/{folder}/{file}" for name, file in _FILES.items()}
        sources = {
            name: {"ContentType": "application/json", "S3Uri": uris[name]} for name in ("statistics", "data")
        }
        made = self.sagemaker.create_model_package(
            ModelPackageGroupName=PROJECT,
            ModelApprovalStatus="PendingManualApproval",
            ModelMetrics={
                "ModelQuality": {"Statistics": sources["statistics"]},
                "ModelDataQuality": {"Statistics": sources["data"]},
            },
            CustomerMetadataProperties={"verdict_uri": uris["verdict"], **(metadata or {})},
            **more,
        )
        return int(made["ModelPackageArn"].rpartition("/")[2])

    def arn(self, number: int) -> str:
        return f"arn:aws:sagemaker:{REGION}:000000000000:model-package/{PROJECT}/{number}"

    def page(self, path: str) -> str:
        """The page at a path below the project's, as a file has it."""
        return saved_page(self.source, f"/p/{PROJECT}{path}")


@contextmanager
def registered(folder: Path) -> Iterator[Registered]:
    """An empty group of versions."""
    (folder / "projects.toml").write_text(SETTINGS)
    with endpoint.start(folder / "home") as started:
        sagemaker, s3 = client_of(started.url, "sagemaker"), client_of(started.url, "s3")
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        sagemaker.create_model_package_group(ModelPackageGroupName=PROJECT)
        yield Registered(Source(folder / "projects.toml", "local", started.url), sagemaker, s3)


def verdict(accuracy: float, *checks: Mapping[str, Any]) -> dict[str, Any]:
    """A ``verdict.json``."""
    return {
        "verdict": "passed",
        "sentence": "it passes",
        "metric": "accuracy",
        "checks": list(checks),
        "metrics": {"accuracy": {"value": accuracy, "low": accuracy - 0.1, "high": accuracy + 0.1}},
    }
