"""Retry policies: which failures of a step are worth another attempt, and after how long.

The rules are SageMaker's ("Retry Policy for Pipeline Steps"): each policy names exception types, an
interval that grows with each of its attempts, and a limit, either a number of attempts or a time.
Service faults and throttling are retried even without a policy.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from aws_formats.definition_language import LanguageError
from sagemaker_local.errors import NOT_IMPLEMENTED, AwsError

SERVICE_FAULT = "Step.SERVICE_FAULT"
THROTTLING = "Step.THROTTLING"
JOB_INTERNAL_ERROR = "SageMaker.JOB_INTERNAL_ERROR"
CAPACITY_ERROR = "SageMaker.CAPACITY_ERROR"
RESOURCE_LIMIT = "SageMaker.RESOURCE_LIMIT"
EXCEPTION_TYPES = (SERVICE_FAULT, THROTTLING, JOB_INTERNAL_ERROR, CAPACITY_ERROR, RESOURCE_LIMIT)

MAX_INTERVAL_SECONDS = 43200.0
_MAX_ATTEMPTS = 20
_ATTEMPTS_WITHOUT_LIMIT = 5
_MAX_EXPIRE_MINUTES = 14400

# How SageMaker begins the FailureReason of a job that failed for a reason of its own.
_JOB_FAILURES = {
    "InternalServerError": JOB_INTERNAL_ERROR,
    "CapacityError": CAPACITY_ERROR,
    "InsufficientCapacityError": CAPACITY_ERROR,
    "ResourceLimitExceeded": RESOURCE_LIMIT,
}
_THROTTLING_CODES = frozenset({"ThrottlingException", "Throttling", "TooManyRequestsException"})


@dataclass(frozen=True)
class Policy:
    """One entry of RetryPolicies; ``expire_after`` in seconds."""

    exception_types: frozenset[str]
    interval: float = 1.0
    backoff: float = 2.0
    max_attempts: int | None = None
    expire_after: float | None = None


DEFAULT = Policy(frozenset({SERVICE_FAULT, THROTTLING}), max_attempts=3)
"""SageMaker retries these by itself and documents no numbers; three attempts are ours."""


def parse_policies(entries: Any) -> tuple[Policy, ...]:
    """A definition's ``RetryPolicies``; raises LanguageError that says what is wrong."""
    if not isinstance(entries or [], list):
        raise LanguageError(f"RetryPolicies must be a list, not {entries!r}.")
    policies = tuple(_policy(entry) for entry in entries or [])
    named = Counter(kind for policy in policies for kind in policy.exception_types)
    for kind, count in named.items():
        if count > 1:
            raise LanguageError(f"RetryPolicies name {kind} in more than one policy.")
    return policies


def job_exception_type(failure_reason: str) -> str | None:
    """The exception type of a failed job; None for a failure of its own making."""
    return _JOB_FAILURES.get(failure_reason.partition(":")[0].strip())


def call_exception_type(error: AwsError) -> str | None:
    """The exception type of a refused API call; None for a mistake in the arguments."""
    if error.code in _THROTTLING_CODES:
        return THROTTLING
    if error.code == "ResourceLimitExceeded":
        return RESOURCE_LIMIT
    return SERVICE_FAULT if error.status >= 500 and error.status != NOT_IMPLEMENTED else None


@dataclass
class Attempts:
    """How often each policy of a step was used so far."""

    policies: tuple[Policy, ...]
    used: Counter[Policy] = field(default_factory=Counter)

    def next_delay(self, exception_type: str | None, elapsed: float) -> float | None:
        """Seconds to wait before the next attempt; None if there is to be none.

        Args:
            exception_type: of the failure just seen.
            elapsed: seconds since the step started, on a clock that only goes forward.
        """
        policy = next(
            (one for one in (*self.policies, DEFAULT) if exception_type in one.exception_types), None
        )
        if policy is None:
            return None
        delay = min(policy.interval * policy.backoff ** self.used[policy], MAX_INTERVAL_SECONDS)
        if policy.max_attempts is not None and self.used[policy] >= policy.max_attempts:
            return None
        if policy.expire_after is not None and elapsed + delay > policy.expire_after:
            return None
        self.used[policy] += 1
        return delay


def _policy(entry: Any) -> Policy:
    if not isinstance(entry, dict):
        raise LanguageError(f"A retry policy must be an object, not {entry!r}.")
    kinds = entry.get("ExceptionType")
    if not isinstance(kinds, list) or not kinds or any(kind not in EXCEPTION_TYPES for kind in kinds):
        raise LanguageError(
            f"A retry policy's ExceptionType must list some of {', '.join(EXCEPTION_TYPES)}, not {kinds!r}."
        )
    attempts, minutes = entry.get("MaxAttempts"), entry.get("ExpireAfterMin")
    if attempts is None and minutes is None:
        attempts = _ATTEMPTS_WITHOUT_LIMIT
    expire_after = _number(entry, "ExpireAfterMin", None, _MAX_EXPIRE_MINUTES)
    return Policy(
        exception_types=frozenset(kinds),
        interval=_number(entry, "IntervalSeconds", 1.0, MAX_INTERVAL_SECONDS) or 0.0,
        backoff=_number(entry, "BackoffRate", 2.0, 1000.0) or 0.0,
        max_attempts=_attempts(attempts),
        expire_after=None if expire_after is None else expire_after * 60,
    )


def _number(entry: dict[str, Any], name: str, default: float | None, most: float) -> float | None:
    value = entry.get(name, default)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise LanguageError(f"A retry policy's {name} must be a number from 0 to {most:g}, not {value!r}.")
    return float(value)


def _attempts(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _MAX_ATTEMPTS:
        raise LanguageError(f"A retry policy's MaxAttempts must be from 1 to {_MAX_ATTEMPTS}, not {value!r}.")
    return value
