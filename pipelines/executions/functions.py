"""Whether the functions exist that a definition's Lambda steps call, asked before anything is paid."""

from __future__ import annotations

from botocore.exceptions import ClientError

from aws_formats.errors import GatehouseError
from aws_formats.service_errors import is_absent, is_denied
from pipelines.executions.outline import Outline
from pipelines.settings.target import Target


def require_functions(outline: Outline, project: str, target: Target) -> None:
    """Look for each function. Who may not look is not refused: the execution runs under another role.

    Raises:
        GatehouseError: one of them does not exist.
    """
    for step in outline.steps:
        if step.function is None:
            continue
        try:
            target.client("lambda").get_function_configuration(FunctionName=step.function)
        except ClientError as error:
            if is_absent(error):
                remedy = f"Deploy it: gatehouse infra deploy {project} --target aws --only pipeline"
                if target.name == "local":
                    remedy = (
                        "The local SageMaker is older than these settings: `gatehouse local down` and `up`"
                    )
                raise GatehouseError(
                    f"step {step.name} calls the function {_name(step.function)}, which does not exist",
                    where=f"pipeline {project}",
                    remedy=remedy,
                ) from error
            if not is_denied(error):
                raise


def _name(arn: str) -> str:
    return arn.rpartition(":")[2]
