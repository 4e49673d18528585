"""What monitoring is called: its pipeline, and the schedule of each environment."""

from __future__ import annotations


def monitoring_name(project: str) -> str:
    """The name of a project's second pipeline."""
    return f"{project}-monitoring"


def schedule_name(project: str, environment: str) -> str:
    """The name of the schedule that starts it for an environment."""
    return f"{project}-monitoring-{environment}"
