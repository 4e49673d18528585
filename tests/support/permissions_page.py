"""docs/permissions.md as a table, and the permissions that commands really ask for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import botocore.client
import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "permissions.md"
ACTIONS = {
    "s3:HeadObject": "s3:GetObject",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:CreateMultipartUpload": "s3:PutObject",
    "s3:UploadPart": "s3:PutObject",
    "s3:CompleteMultipartUpload": "s3:PutObject",
    "sagemaker-runtime:InvokeEndpoint": "sagemaker:InvokeEndpoint",
}
"""API calls whose permission has another name."""

LOCAL_ONLY = {"s3:CreateBucket"}


def rows() -> dict[str, tuple[frozenset[str], frozenset[str]]]:
    """Command -> (what it always needs, what it needs in some cases), as the page says."""
    found = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) == 3 and cells[0].startswith("`"):
            always, sometimes = (frozenset(re.findall(r"`([\w-]+:\w+)`", cell)) for cell in cells[1:])
            found[cells[0].strip("`")] = (always, sometimes)
    return found


@contextmanager
def recorded(into: set[str]) -> Iterator[None]:
    """The permissions of every API call that any boto3 client makes meanwhile."""
    real = botocore.client.BaseClient._make_api_call

    def spy(client: botocore.client.BaseClient, operation: str, parameters: object) -> object:
        call = f"{client.meta.service_model.service_name}:{operation}"
        if call not in LOCAL_ONLY:
            into.add(ACTIONS.get(call, call))
        return real(client, operation, parameters)

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", spy)
        yield
