"""What the XGBoost image does where a script has no function of its own: input, prediction, output."""

from __future__ import annotations

from typing import Any

import xgboost as xgb

from . import encodings


def input_fn(body: str | bytes, content_type: str) -> xgb.DMatrix:
    """Rows of CSV or libsvm as XGBoost's matrix."""
    form = encodings.media_type(content_type)
    if form == encodings.CSV:
        return xgb.DMatrix(encodings.csv_rows(encodings.text_of(body).strip()))
    if form in encodings.LIBSVM:
        return xgb.DMatrix(encodings.libsvm_rows(encodings.text_of(body).strip()))
    raise encodings.Unsupported(
        "415 Unsupported Media Type", f"Content type {content_type} is not supported by this framework."
    )


def predict_fn(data: xgb.DMatrix, model: Any) -> Any:
    return model.predict(data, validate_features=False)


def output_fn(answer: Any, accept: str) -> tuple[str | bytes, str]:
    return encodings.encoded(answer, accept), accept
