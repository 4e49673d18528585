"""An execution of the pipeline failed, or its gate stayed shut: people are told which, and why."""

from __future__ import annotations

from typing import Any

from automation.context import Context, read_context
from automation.handlers import logged
from automation.messages import report_failure
from aws_formats.arns import parse_execution
from registry.version_details import execution_steps


@logged
def handle(event: dict[str, Any], _context: object) -> str:
    """For ``SageMaker Model Building Pipeline Execution Status Change``.

    detail.pipelineExecutionArn says which execution.
    """
    context = read_context()
    execution = event["detail"]["pipelineExecutionArn"]
    named = parse_execution(execution)
    if named is None or named[0] != context.project:
        return f"{execution} is none of project {context.project}"
    report_failure(context, execution, _failed_steps(context, execution))
    return f"the failure of {execution} is reported"


def _failed_steps(context: Context, execution: str) -> list[dict[str, Any]]:
    """The steps that failed, in order of time; the Fail step of the gate last."""
    steps = execution_steps(context.clients, execution)
    failed = [step for step in steps if step["StepStatus"] == "Failed"]
    return sorted(failed, key=lambda step: ("Fail" in step.get("Metadata", {}), step["StartTime"]))
