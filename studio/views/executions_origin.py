"""Where an execution comes from: who or what started it, and with which parameters of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SESSIONS = {
    "scheduler-": "schedule",
    "events-": "event",
    "AWSCodeBuild-": "CI (CodeBuild)",
    "GitHubActions": "CI (GitHub Actions)",
    "AmazonSageMaker": "SageMaker Studio",
}
"""How the names of the sessions begin under which these services assume a role."""


def started_by(described: Mapping[str, Any]) -> str | None:
    """Who or what started an execution, by DescribePipelineExecution; None where it does not say.

    A person's name; the session and the role where a role was assumed, as EventBridge Scheduler, CI and
    people with single sign-on do.
    """
    identity = described.get("CreatedBy", {})
    if identity.get("UserProfileName"):
        return str(identity["UserProfileName"])
    arn = identity.get("IamIdentity", {}).get("Arn")
    if not arn:
        return None
    kind, _, rest = arn.rpartition(":")[2].partition("/")
    if kind != "assumed-role":
        return str(rest.rpartition("/")[2])
    role, _, session = rest.rpartition("/")
    service = next((name for prefix, name in _SESSIONS.items() if session.startswith(prefix)), None)
    if service is None and role.endswith("-scheduler"):
        service = "schedule"  # `gatehouse infra deploy` and `gatehouse schedule` name its role so
    return service or f"{session} ({role})"


def changed_parameters(definition: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
    """The parameters whose values differ from the definition's defaults."""
    defaults = {one["Name"]: one.get("DefaultValue") for one in definition.get("Parameters", ())}
    return {name: value for name, value in given.items() if not _equal(defaults.get(name), value)}


def _equal(default: Any, value: str) -> bool:
    if isinstance(default, bool):
        return str(default).lower() == value.lower()
    if isinstance(default, int | float):
        try:
            return float(value) == default
        except ValueError:
            return False
    return str(default) == value
