"""Values that come as text, in a form, a URL or a header."""

from __future__ import annotations

import datetime
import re
from typing import Any

from botocore.model import Shape

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")


def parse(shape: Shape, text: str) -> Any:
    """The JSON value that a text stands for; a point in time without a time zone is in UTC.

    Raises:
        ValueError: it is no text of that type.
    """
    match shape.type_name:
        case "integer" | "long":
            return int(_number(text))
        case "float" | "double":
            return float(_number(text))
        case "timestamp":
            moment = datetime.datetime.fromisoformat(text)
            return moment.replace(tzinfo=moment.tzinfo or datetime.UTC).timestamp()
        case "boolean":
            return _boolean(text)
    return text


def _number(text: str) -> str:
    """Python would take more: ``1_000``, ``infinity``."""
    if _NUMBER.fullmatch(text) is None:
        raise ValueError(text)
    return text


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"
