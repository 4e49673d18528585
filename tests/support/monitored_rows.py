"""Datasets for Model Monitor's program: rows as CSV, and requests as an endpoint captures them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

CSV = {"csv": {"header": True, "output_columns_position": "START"}}

BINARY = {
    "analysis_type": "MODEL_QUALITY",
    "problem_type": "BinaryClassification",
    "inference_attribute": "prediction",
    "probability_attribute": "probability",
    "ground_truth_attribute": "label",
}


def csv(names: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    return "".join(",".join(map(str, row)) + "\n" for row in ([names] if names else []) + list(rows))


def capture(event: int, asked: str, answer: str, kind: str = "CSV", **more: Any) -> str:
    content_type = {"CSV": "text/csv", "JSON": "application/json", "BASE64": "text/csv"}[kind]

    def part(text: str, mode: str) -> dict[str, str]:
        return {"observedContentType": content_type, "mode": mode, "data": text, "encoding": kind}

    return json.dumps(
        {
            "captureData": {
                "endpointInput": part(asked, "INPUT"),
                "endpointOutput": part(answer, "OUTPUT"),
            },
            "eventMetadata": {"eventId": f"event-{event}", "inferenceTime": "2026-11-20T15:30:00Z", **more},
            "eventVersion": "0",
        }
    )
