"""Times and numbers as the pages write them."""

from __future__ import annotations

from datetime import UTC, datetime


def ago(moment: datetime, now: datetime | None = None) -> str:
    """How long ago something was, roughly: `just now`, `5 min ago`, `3 h ago`, `2 days ago`."""
    seconds = ((now or datetime.now(UTC)) - moment).total_seconds()
    if seconds < 60:
        return "just now"
    if seconds < 3600:
        return f"{seconds // 60:.0f} min ago"
    if seconds < 86400:
        return f"{seconds // 3600:.0f} h ago"
    days = int(seconds // 86400)
    return "yesterday" if days == 1 else f"{days} days ago"


def approval(status: str) -> str:
    """SageMaker's word for an approval, as people say it."""
    known = {"PendingManualApproval": "waits for a decision", "Approved": "approved", "Rejected": "rejected"}
    return known.get(status, status)
