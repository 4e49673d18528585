"""Bodies of requests as numbers, and answers as bodies: the forms that the images' toolkit knows.

Sources: ``_encoders.py`` of sagemaker-containers 2.8, and ``encoder.py`` of
github.com/aws/sagemaker-xgboost-container for CSV and libsvm as XGBoost's matrices.
"""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import numpy as np

CSV, JSON, NPY = "text/csv", "application/json", "application/x-npy"
LIBSVM = ("text/libsvm", "text/x-libsvm")


class Unsupported(Exception):
    """A form that is not known here.

    Attributes:
        refusal: the HTTP status with its reason, which the model server answers with.
    """

    def __init__(self, refusal: str, text: str) -> None:
        super().__init__(text)
        self.refusal = refusal


def media_type(content_type: str) -> str:
    """``text/csv`` of ``text/csv; charset=utf-8``."""
    return content_type.partition(";")[0].strip().lower()


def text_of(body: str | bytes) -> str:
    return body if isinstance(body, str) else body.decode()


def csv_rows(text: str) -> Any:
    """Rows of CSV without a header as an array, shape (rows, columns); what is empty is missing.

    Raises:
        ValueError: a value is no number, or the rows are of different lengths.
    """
    first = text.partition("\n")[0][:512]
    try:
        delimiter = csv.Sniffer().sniff(first, ",;\t| ").delimiter
    except csv.Error:  # one column
        delimiter = ","
    return np.array(
        [[cell.strip() or "nan" for cell in line.split(delimiter)] for line in text.split("\n")]
    ).astype(float)


def libsvm_rows(text: str) -> Any:
    """Rows of libsvm, labels ignored, as a sparse matrix; column numbers are taken as they stand.

    Raises:
        ValueError: a feature is no pair of numbers.
    """
    from scipy.sparse import csr_matrix

    rows, columns, values = [], [], []
    lines = text.split("\n")
    for number, line in enumerate(lines):
        for token in line.split():
            column, colon, value = token.partition(":")
            if colon:
                rows.append(number)
                columns.append(int(column))
                values.append(float(value))
    shape = (len(lines), max(columns, default=-1) + 1)
    return csr_matrix((values, (rows, columns)), shape=shape, dtype=np.float32)


def encoded(answer: Any, accept: str) -> str | bytes:
    """An answer as JSON, CSV or NPY.

    Raises:
        Unsupported: `accept` is another form.
    """
    if accept == JSON:
        return json.dumps(answer, default=lambda value: value.tolist())
    if accept == CSV:
        text = io.StringIO()
        np.savetxt(text, answer, delimiter=",", fmt="%s")
        return text.getvalue()
    if accept == NPY:
        content = io.BytesIO()
        np.save(content, answer)
        return content.getvalue()
    raise Unsupported("406 Not Acceptable", f"Accept type {accept} is not supported by this framework.")
