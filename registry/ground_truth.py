"""What turned out to be right, as Model Monitor's form of ground truth, below an environment's prefix.

A JSON line for each request names it by its inference id, with the labels of its rows in their order.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from registry.monitored_windows import monitoring_prefix


def put_labels(
    s3: Any, bucket: str, project: str, environment: str, labels: Mapping[str, Sequence[str]]
) -> str:
    """Store labels by inference id; the same ones again change nothing.

    Returns:
        the object's URI.
    """
    content = "".join(f"{_line(identity, texts)}\n" for identity, texts in labels.items()).encode()
    digest = hashlib.sha256(content).hexdigest()[:16]
    key = f"{monitoring_prefix(project, environment)}labels/{digest}.jsonl"
    s3.put_object(Bucket=bucket, Key=key, Body=content)
    return f"s3://{bucket}/{key}"


def _line(identity: str, texts: Sequence[str]) -> str:
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator="\n").writerows([text] for text in texts)
    return json.dumps(
        {
            "groundTruthData": {"data": written.getvalue(), "encoding": "CSV"},
            "eventMetadata": {"eventId": identity},
            "eventVersion": "0",
        }
    )
