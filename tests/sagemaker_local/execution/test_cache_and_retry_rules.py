from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_formats.definition_language import LanguageError
from aws_formats.step_cache import parse_duration
from sagemaker_local.errors import AwsError
from sagemaker_local.execution import retry
from sagemaker_local.execution.cache import (
    CacheConfig,
    cache_key,
    newest_valid,
    parse_config,
)

PROCESSING = {
    "AppSpecification": {"ImageUri": "i", "ContainerArguments": ["a"]},
    "Environment": {"A": "1"},
    "ProcessingInputs": [{"InputName": "code", "S3Input": {"S3Uri": "s3://b/code/1"}}],
    "ProcessingOutputConfig": {"Outputs": [{"OutputName": "o"}]},
    "ProcessingResources": {"ClusterConfig": {"InstanceType": "ml.m5.large"}},
    "RoleArn": "r",
    "ProcessingJobName": "n",
}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("P30D", 30 * 86400), ("p30d", 30 * 86400), ("30d", 30 * 86400), ("P1W", 7 * 86400), ("PT12H", 43200),
        ("T12H", 43200), ("T16m", 960), ("P30M", 30 * 30 * 86400), ("PT30M", 1800), ("P4DT12H", 4.5 * 86400),
        ("30dT5h", 30 * 86400 + 18000), ("P1Y2M3W4DT5H6M7S", (365 + 60 + 21 + 4) * 86400 + 5 * 3600 + 367),
        ("PT0S", 0),
    ],
)  # fmt: skip
def test_durations_are_iso_8601_as_sagemaker_reads_them(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "P", "PT", "P1DT", "T", "30", "P-1D", "1H", "P1H", "30 days", 30])
def test_what_is_no_duration_is_refused(text: Any) -> None:
    with pytest.raises(LanguageError, match="ISO 8601"):
        parse_config({"Enabled": True, "ExpireAfter": text})


def test_a_cache_config_needs_to_say_whether_it_is_enabled() -> None:
    assert parse_config(None) == CacheConfig()
    assert parse_config({"Enabled": True, "ExpireAfter": "P1D"}) == CacheConfig(True, 86400)
    with pytest.raises(LanguageError, match="Enabled"):
        parse_config({"ExpireAfter": "P1D"})


def test_the_key_of_a_processing_step_is_its_image_environment_and_inputs() -> None:
    key = cache_key("Processing", PROCESSING)
    for member in ("ProcessingOutputConfig", "ProcessingResources", "RoleArn", "ProcessingJobName"):
        assert cache_key("Processing", {**PROCESSING, member: "other"}) == key
    for member in ("AppSpecification", "Environment", "ProcessingInputs"):
        assert cache_key("Processing", {**PROCESSING, member: ["other"]}) != key


def test_the_key_of_a_training_step_is_its_algorithm_hyperparameters_and_channels() -> None:
    arguments = {"AlgorithmSpecification": 1, "HyperParameters": {"a": "1", "b": "2"}, "InputDataConfig": 3}
    key = cache_key("Training", arguments)
    assert cache_key("Training", {**arguments, "HyperParameters": {"b": "2", "a": "1"}}) == key
    assert cache_key("Training", {**arguments, "OutputDataConfig": 4, "TrainingJobName": "x"}) == key
    for member in ("AlgorithmSpecification", "CheckpointConfig", "DebugHookConfig", "DebugRuleConfigurations",
                   "Environment", "HyperParameters", "InputDataConfig"):  # fmt: skip
        assert cache_key("Training", {**arguments, member: "other"}) != key


def test_conditions_and_registrations_are_never_cached() -> None:
    assert cache_key("Condition", {}) is None
    assert cache_key("RegisterModel", {}) is None


NOW = 1_000_000.0


def test_the_newest_entry_that_has_not_expired_is_reused() -> None:
    entries = [{"EndTime": NOW - age, "age": age} for age in (500, 100, 300)]
    assert newest_valid(entries, CacheConfig(True, None), NOW) == entries[1]
    assert newest_valid(entries[:1], CacheConfig(True, 499), NOW) is None
    assert newest_valid(entries[:1], CacheConfig(True, 500), NOW) == entries[0]
    assert newest_valid([], CacheConfig(True, None), NOW) is None


def test_an_entry_from_far_in_the_future_is_not_trusted_and_one_of_a_corrected_second_is() -> None:
    config = CacheConfig(True, 60)
    assert newest_valid([{"EndTime": NOW + 86400}], config, NOW) is None
    assert newest_valid([{"EndTime": NOW + 2}], config, NOW) is not None


def policy(**members: Any) -> dict[str, Any]:
    return {"ExceptionType": ["SageMaker.JOB_INTERNAL_ERROR"], "MaxAttempts": 2, **members}


def delays(policies: Any, kind: str | None, count: int = 10) -> list[float]:
    attempts, found, elapsed = retry.Attempts(retry.parse_policies(policies)), [], 0.0
    for _ in range(count):
        delay = attempts.next_delay(kind, elapsed)
        if delay is None:
            break
        found.append(delay)
        elapsed += delay
    return found


def test_a_policy_waits_longer_each_time_and_ends_after_its_attempts() -> None:
    entries = [policy(IntervalSeconds=3, BackoffRate=1.5, MaxAttempts=3)]
    assert delays(entries, retry.JOB_INTERNAL_ERROR) == [3.0, 4.5, 6.75]


def test_a_policy_with_a_time_limit_ends_before_it() -> None:
    entries = [policy(IntervalSeconds=20, BackoffRate=2, MaxAttempts=None, ExpireAfterMin=3)]
    assert delays(entries, retry.JOB_INTERNAL_ERROR) == [20.0, 40.0, 80.0]


def test_each_policy_counts_its_own_attempts() -> None:
    attempts = retry.Attempts(
        retry.parse_policies(
            [policy(MaxAttempts=1), policy(ExceptionType=[retry.CAPACITY_ERROR], MaxAttempts=1)]
        )
    )
    assert attempts.next_delay(retry.JOB_INTERNAL_ERROR, 0) is not None
    assert attempts.next_delay(retry.JOB_INTERNAL_ERROR, 0) is None
    assert attempts.next_delay(retry.CAPACITY_ERROR, 0) is not None


def test_a_failure_of_its_own_making_is_never_retried_and_throttling_is_without_a_policy() -> None:
    assert delays([policy()], None) == []
    assert delays([policy()], retry.CAPACITY_ERROR) == []
    assert delays([], retry.THROTTLING) == [1.0, 2.0, 4.0]
    assert delays([policy(ExceptionType=[retry.THROTTLING], MaxAttempts=1)], retry.THROTTLING, 2)[0] == 1.0


@given(st.floats(0, 43200), st.floats(0, 10), st.integers(1, 20))
def test_delays_are_never_more_than_half_a_day_nor_more_than_were_allowed(
    interval: float, rate: float, attempts: int
) -> None:
    found = delays([policy(IntervalSeconds=interval, BackoffRate=rate, MaxAttempts=attempts)],
                   retry.JOB_INTERNAL_ERROR, 30)  # fmt: skip
    assert len(found) == attempts
    assert all(0 <= delay <= 43200 for delay in found)


@pytest.mark.parametrize(
    "entry",
    [
        "always",
        policy(ExceptionType="Step.THROTTLING"),
        policy(ExceptionType=["Step.OTHER"]),
        policy(ExceptionType=[]),
        policy(MaxAttempts=0),
        policy(MaxAttempts=21),
        policy(IntervalSeconds=-1),
        policy(IntervalSeconds="1"),
        policy(ExpireAfterMin=14401),
    ],
)
def test_a_malformed_policy_is_refused(entry: Any) -> None:
    with pytest.raises(LanguageError):
        retry.parse_policies([entry])


def test_one_exception_type_in_two_policies_is_refused() -> None:
    with pytest.raises(LanguageError, match="more than one policy"):
        retry.parse_policies([policy(), policy()])


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("InternalServerError: We encountered an internal error.", retry.JOB_INTERNAL_ERROR),
        ("CapacityError: Unable to provision.", retry.CAPACITY_ERROR),
        ("ResourceLimitExceeded: limit 0", retry.RESOURCE_LIMIT),
        ("AlgorithmError: exit code 1, InternalServerError: no", None),
        ("ClientError: no such key", None),
    ],
)
def test_a_failed_jobs_reason_says_which_exception_it_is(reason: str, kind: str | None) -> None:
    assert retry.job_exception_type(reason) == kind


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (AwsError("ThrottlingException", "slow down"), retry.THROTTLING),
        (AwsError("ResourceLimitExceeded", "too many"), retry.RESOURCE_LIMIT),
        (AwsError("InternalFailure", "oops", 500), retry.SERVICE_FAULT),
        (AwsError("UnknownOperationException", "not here", 501), None),
        (AwsError("ValidationException", "bad"), None),
    ],
)
def test_a_refused_call_says_which_exception_it_is(error: AwsError, kind: str | None) -> None:
    assert retry.call_exception_type(error) == kind
