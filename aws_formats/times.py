"""Points in time and durations as people read them, the same in every command and on every page."""

from __future__ import annotations

from datetime import datetime


def moment(value: datetime) -> str:
    """A point in time for people, in their own time zone: `2026-05-01 14:03:22`."""
    return value.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def duration(seconds: float | None) -> str:
    """`0.4 s`, `12.3 s`, `4 min 05 s`, `2 h 04 min`; empty where there is none."""
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
