"""docs/permissions.md as a table, and the permissions that commands really ask for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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

ON_THE_KEY = {
    "s3:GetObject": {"kms:Decrypt"},
    "s3:PutObject": {"kms:GenerateDataKey", "kms:Decrypt"},  # to decrypt: an upload in several parts
    "sagemaker:CreateEndpoint": {"kms:CreateGrant", "kms:DescribeKey"},
    "sagemaker:UpdateEndpoint": {"kms:CreateGrant", "kms:DescribeKey"},
    "sagemaker:CreateTransformJob": {"kms:CreateGrant", "kms:DescribeKey"},
}
"""What a permission asks for besides, on the key, where one encrypts.

"Protecting data with server-side encryption" (S3) says it of objects, "SageMaker API permissions" of grants,
which the instances' encrypted volumes need.
"""

LOCAL_ONLY = {"s3:CreateBucket"}


@dataclass(frozen=True)
class Row:
    """What a command asks for: always, in some cases, and of a key."""

    always: frozenset[str]
    sometimes: frozenset[str]
    on_the_key: frozenset[str]

    @property
    def actions(self) -> frozenset[str]:
        """Everything but what a key asks for."""
        return self.always | self.sometimes


def rows() -> dict[str, Row]:
    """The page's rows by command."""
    found = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|")]
        if len(cells) == 4 and cells[0].startswith("`"):
            columns = (frozenset(re.findall(r"`([\w-]+:\w+)`", cell)) for cell in cells[1:])
            found[cells[0].strip("`")] = Row(*columns)
    return found


def on_the_key(actions: Iterable[str]) -> set[str]:
    """What these permissions ask for besides, on the key."""
    return {asked for action in actions for asked in ON_THE_KEY.get(action, ())}


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
