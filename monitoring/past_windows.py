"""What earlier windows held, so that a difference can be told from what requests always do.

Each window leaves one small document, named by its end: the counts by column, and whether something differed.
Windows of other bins (another version's), with too few rows, or in which something differed are no history:
otherwise a slow change would become its own excuse.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from drift import LEAST_ROWS, Counted

_WEEK = 7 * 86400.0
_NEARBY = 1800.0


@dataclass(frozen=True)
class PastWindow:
    """A window that was looked at before; times are seconds since 1970."""

    start: float
    end: float
    rows: int
    columns: Mapping[str, Counted]
    differed: bool
    invocations: int | None = None
    refused: int | None = None


def window_document(
    window: Mapping[str, Any], digest: str, counted: Mapping[str, Counted], *, rows: int, differed: bool
) -> dict[str, Any]:
    """What a window leaves; ``window`` is its ``window.json``."""
    columns = {
        name: {
            "counts": column.counts.tolist(),
            "missing": column.missing,
            "new": column.new,
            "outside": column.outside,
        }
        for name, column in counted.items()
    }
    kept = {key: window.get(key) for key in ("version", "start", "end", "invocations", "refused")}
    return {**kept, "bins": digest, "rows": rows, "differed": differed, "columns": columns}


def read_past(folder: Path, digest: str, end: float) -> list[PastWindow]:
    """The windows of these bins that ended before ``end``, oldest first; a damaged document is none."""
    found = []
    for path in sorted(folder.rglob("*.json")):
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            window = _window(document) if document["bins"] == digest else None
        except (ValueError, KeyError, TypeError, AttributeError):
            print(f"{path.name} is not what a window leaves; it is not used", flush=True)
            continue
        if window is not None and window.end < end:
            found.append(window)
    return sorted(found, key=lambda window: window.end)


def _window(document: Mapping[str, Any]) -> PastWindow:
    return PastWindow(
        start=datetime.fromisoformat(document["start"]).timestamp(),
        end=datetime.fromisoformat(document["end"]).timestamp(),
        rows=int(document["rows"]),
        columns={
            name: Counted(np.array(one["counts"], np.int64), one["missing"], one["new"], one["outside"])
            for name, one in document["columns"].items()
        },
        differed=bool(document["differed"]),
        invocations=document.get("invocations"),
        refused=document.get("refused"),
    )


def history(past: Sequence[PastWindow]) -> list[PastWindow]:
    """Those that show what the requests are like without drift."""
    return [window for window in past if window.rows >= LEAST_ROWS and not window.differed]


def week_before(past: Sequence[PastWindow], end: float) -> PastWindow | None:
    """The window that ended a week earlier, within half an hour, if it had enough rows."""
    near = [window for window in past if abs(window.end + _WEEK - end) <= _NEARBY]
    return next((window for window in near if window.rows >= LEAST_ROWS), None)
