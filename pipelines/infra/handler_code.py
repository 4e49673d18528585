"""The zip file that Lambda runs the handlers from: the same bytes wherever it is made, named by them.

It holds ``automation``, ``registry``, and what these need of ``aws_formats`` and ``evaluation``; botocore is
in Lambda's runtime.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from aws_formats.errors import GatehouseError
from aws_formats.service_errors import is_absent
from pipelines import ROOT

FORMATS = ("__init__", "arns", "errors", "json_text", "service_errors", "service_models", "tar_members")
"""The modules of ``aws_formats`` that the handlers need."""

EVALUATION = ("metric_table", "wilson")
"""Those of ``evaluation``, which need the standard library alone."""

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip file can say


@dataclass(frozen=True)
class HandlerCode:
    """The zip file, and the sixteen hexadecimal digits that name it."""

    content: bytes
    digest: str

    def key(self, project: str) -> str:
        """Its key in the artifact bucket."""
        return f"{project}/automation/{self.digest}.zip"


def gather_handler_code(root: Path = ROOT) -> HandlerCode:
    """Pack the handlers and what they import."""
    files = [
        *sorted((root / "automation").rglob("*.py")),
        *sorted((root / "registry").glob("*.py")),
        *(root / "aws_formats" / f"{name}.py" for name in FORMATS),
        *(root / "evaluation" / f"{name}.py" for name in EVALUATION),
    ]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            entry = zipfile.ZipInfo(file.relative_to(root).as_posix(), _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, file.read_bytes())
    # Of the files, not of the zip: another version of zlib may compress the same files differently.
    names = hashlib.sha256()
    for file in files:
        names.update(f"{file.relative_to(root).as_posix()}\0".encode() + file.read_bytes() + b"\0")
    return HandlerCode(packed.getvalue(), names.hexdigest()[:16])


def is_published(code: HandlerCode, project: str, bucket: str, s3: Any) -> bool:
    """Whether the zip file is in the bucket; False also where there is no bucket yet."""
    try:
        s3.head_object(Bucket=bucket, Key=code.key(project))
    except ClientError as error:
        if is_absent(error):
            return False
        raise
    return True


def publish(code: HandlerCode, project: str, bucket: str, s3: Any) -> None:
    """Upload the zip file unless it is there.

    Raises:
        GatehouseError: there is no such bucket.
    """
    if is_published(code, project, bucket, s3):
        return
    try:
        s3.put_object(Bucket=bucket, Key=code.key(project), Body=code.content)
    except ClientError as error:
        if not is_absent(error):
            raise
        raise GatehouseError(
            f"the bucket {bucket!r} does not exist",
            remedy="Deploy the foundation first: `gatehouse infra deploy --target aws --only foundation`",
        ) from error
