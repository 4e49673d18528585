"""Executions of a pipeline: start one, stop it, retry it, find it, read what SageMaker keeps of it.

Everything here goes through SageMaker's own API, so it is the same for AWS and for the SageMaker on
this machine. watching.py follows an execution to its end.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from aws_formats.arns import parse_arn
from aws_formats.errors import GatehouseError
from aws_formats.service_errors import is_absent
from pipelines.executions.failure_reasons import in_one_line
from pipelines.executions.outline import Outline, read_outline
from registry.version_details import execution_steps

if TYPE_CHECKING:
    from pipelines.settings.target import Target


@dataclass(frozen=True)
class ExecutionSummary:
    """A line in the list of executions."""

    execution_arn: str
    status: str
    started: datetime
    display_name: str | None
    failure_reason: str | None

    @property
    def id(self) -> str:
        return parse_arn(self.execution_arn).name

    @property
    def failed_because(self) -> str:
        """Why it failed, in one line; empty if it did not."""
        return in_one_line(self.failure_reason)


def start(
    target: Target,
    name: str,
    parameters: Mapping[str, str],
    *,
    version: str | None = None,
    only: Sequence[str] = (),
    source: str | None = None,
    mlflow_experiment: str | None = None,
) -> str:
    """Start an execution of the pipeline `name` and return its ARN.

    Args:
        version: the number or an alias of the pipeline's version; the newest without it.
        only: steps to run alone; what comes before them is taken from an earlier execution.
        source: the ARN of that execution.
        mlflow_experiment: where it is tracked instead of the definition's experiment; the definition has to
            name an MLflow server.

    Raises:
        GatehouseError: there is no such pipeline yet, or no such version.
    """
    selection: dict[str, Any] = {"SelectedSteps": [{"StepName": step} for step in only]}
    if source is not None:
        selection["SourcePipelineExecutionArn"] = source
    try:
        answer = target.client("sagemaker").start_pipeline_execution(
            PipelineName=name,
            ClientRequestToken=secrets.token_hex(16),
            PipelineParameters=[{"Name": key, "Value": value} for key, value in parameters.items()],
            **_version_member(version),
            **({"SelectiveExecutionConfig": selection} if only else {}),
            **({"MlflowExperimentName": mlflow_experiment} if mlflow_experiment is not None else {}),
        )
    except ClientError as error:
        if is_absent(error):
            raise no_pipeline(target, name) from error
        raise
    return str(answer["PipelineExecutionArn"])


def _version_member(version: str | None) -> dict[str, Any]:
    """A pipeline's version in a request: a number is the id, all else is an alias."""
    if version is None:
        return {}
    return {"PipelineVersionId": int(version)} if version.isdecimal() else {"PipelineVersionAlias": version}


def describe_pipeline(target: Target, name: str, version: str | None = None) -> dict[str, Any] | None:
    """DescribePipeline's answer; None if there is no such pipeline, or no such version of it."""
    try:
        found: dict[str, Any] = target.client("sagemaker").describe_pipeline(
            PipelineName=name, **_version_member(version)
        )
    except ClientError as error:
        if is_absent(error):
            return None
        raise
    return found


def live_outline(target: Target, name: str, version: str | None = None) -> Outline:
    """The definition of the pipeline as it was last upserted, or of one of its versions.

    Raises:
        GatehouseError: there is no such pipeline yet, or no such version.
    """
    found = describe_pipeline(target, name, version)
    if found is None and version is not None and describe_pipeline(target, name) is not None:
        raise GatehouseError(
            f"there is no version {version} of the pipeline",
            where=f"pipeline {name}",
            remedy="Each upsert that changed something made one, from 1 on; an alias is given in AWS",
        )
    if found is None:
        raise no_pipeline(target, name)
    return read_outline(found["PipelineDefinition"])


def stop(target: Target, execution_arn: str) -> None:
    """Ask for the execution's end; its jobs are stopped and it turns Stopping, then Stopped."""
    target.client("sagemaker").stop_pipeline_execution(
        PipelineExecutionArn=execution_arn, ClientRequestToken=secrets.token_hex(16)
    )


def retry(target: Target, execution_arn: str) -> None:
    """Run the execution's failed or stopped steps, and those that never ran, again: same definition."""
    target.client("sagemaker").retry_pipeline_execution(
        PipelineExecutionArn=execution_arn, ClientRequestToken=secrets.token_hex(16)
    )


def list_executions(
    target: Target, name: str, limit: int | None = None, *, before: datetime | None = None
) -> list[ExecutionSummary]:
    """The executions of a pipeline, newest first.

    Args:
        before: only those that were started before this moment.

    Raises:
        GatehouseError: there is no such pipeline yet.
    """
    return list(itertools.islice(each_execution(target, name, limit or 100, before=before), limit))


def each_execution(
    target: Target,
    name: str,
    page_size: int,
    *,
    before: datetime | None = None,
    after: datetime | None = None,
) -> Iterator[ExecutionSummary]:
    """The same, read in pages of at most 100 as they are taken, and only those not started before `after`."""
    # boto3 sends whole seconds, so more is asked for and left out below.
    bounds = {"CreatedBefore": before + timedelta(seconds=2)} if before else {}
    bounds |= {"CreatedAfter": after - timedelta(seconds=2)} if after else {}
    pages = (
        target.client("sagemaker")
        .get_paginator("list_pipeline_executions")
        .paginate(
            PipelineName=name,
            SortBy="CreationTime",
            SortOrder="Descending",
            PaginationConfig={"PageSize": min(page_size, 100)},
            **bounds,
        )
    )
    try:
        for page in pages:
            for found in page["PipelineExecutionSummaries"]:
                started = found["StartTime"]
                if (before and started >= before) or (after and started < after):
                    continue
                yield ExecutionSummary(
                    execution_arn=found["PipelineExecutionArn"],
                    status=found["PipelineExecutionStatus"],
                    started=started,
                    display_name=found.get("PipelineExecutionDisplayName"),
                    failure_reason=found.get("PipelineExecutionFailureReason"),
                )
    except ClientError as error:
        if is_absent(error):
            raise no_pipeline(target, name) from error
        raise


def find(target: Target, name: str, execution: str | None = None) -> str:
    """The ARN of the pipeline's execution with that ARN or id, or of its newest one.

    Raises:
        GatehouseError: there is none.
    """
    if execution is None:
        newest = list_executions(target, name, limit=1)
        if not newest:
            raise no_execution(target, name)
        return newest[0].execution_arn
    arn = execution
    if not execution.startswith("arn:"):
        partition = parse_arn(target.role_arn).partition
        resource = f"pipeline/{name}/execution/{execution}"
        arn = f"arn:{partition}:sagemaker:{target.region}:{target.account}:{resource}"
    try:
        found = target.client("sagemaker").describe_pipeline_execution(PipelineExecutionArn=arn)
    except ClientError as error:
        if is_absent(error):
            raise no_execution(target, name, execution) from error
        raise
    return str(found["PipelineExecutionArn"])


def definition_of(target: Target, execution_arn: str) -> str:
    """The definition that an execution runs, whatever its pipeline has become since; JSON text."""
    answer = target.client("sagemaker").describe_pipeline_definition_for_execution(
        PipelineExecutionArn=execution_arn
    )
    return str(answer["PipelineDefinition"])


def listed_steps(target: Target, execution_arn: str) -> list[dict[str, Any]]:
    """The steps that have started, oldest first, as SageMaker lists them; all pages."""
    return list(execution_steps(target, execution_arn))


def given_parameters(target: Target, execution_arn: str) -> dict[str, str]:
    """The parameters of an execution by name, as text."""
    pages = (
        target.client("sagemaker")
        .get_paginator("list_pipeline_parameters_for_execution")
        .paginate(PipelineExecutionArn=execution_arn)
    )
    return {given["Name"]: given["Value"] for page in pages for given in page["PipelineParameters"]}


def no_pipeline(target: Target, name: str) -> GatehouseError:
    """What is said of a pipeline that does not exist."""
    return GatehouseError(
        f"there is no pipeline {name} yet",
        where=_where(target),
        remedy=f"Create it with `gatehouse upsert {name}{target.option}`;"
        f" `gatehouse run {name}{target.option}` creates and starts it",
    )


def no_execution(target: Target, name: str, execution: str | None = None) -> GatehouseError:
    """What is said of an execution that does not exist; of the first one if it is None."""
    if execution is None:
        return GatehouseError(
            f"pipeline {name} has no execution yet",
            where=_where(target),
            remedy=f"Start one with `gatehouse run {name}{target.option}`",
        )
    return GatehouseError(
        f"pipeline {name} has no execution {execution}",
        where=_where(target),
        remedy=f"See `gatehouse executions {name}{target.option}`",
    )


def _where(target: Target) -> str:
    return "the local SageMaker" if target.name == "local" else f"AWS {target.region}"
