"""What the scikit-learn image does where a script has no function of its own: input, prediction, output.

Source: ``serving.py`` of github.com/aws/sagemaker-scikit-learn-container.
"""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np

from . import encodings


def input_fn(body: str | bytes, content_type: str) -> Any:
    """CSV, JSON or NPY as an array; what came as text is of float32."""
    form = encodings.media_type(content_type)
    if form == encodings.CSV:
        return np.genfromtxt(io.StringIO(encodings.text_of(body)), dtype=np.float32, delimiter=",")
    if form == encodings.JSON:
        return np.array(json.loads(body)).astype(np.float32)
    if form == encodings.NPY and isinstance(body, bytes):
        return np.load(io.BytesIO(body))
    raise encodings.Unsupported(
        "415 Unsupported Media Type", f"Content type {content_type} is not supported by this framework."
    )


def predict_fn(data: Any, model: Any) -> Any:
    return model.predict(data)


def output_fn(answer: Any, accept: str) -> tuple[str | bytes, str]:
    return encodings.encoded(answer, accept), accept
