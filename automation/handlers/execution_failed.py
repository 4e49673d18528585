"""An execution of the pipeline failed, or its gate stayed shut: people are told which, and why."""

from __future__ import annotations

from typing import Any

from automation.context import Surroundings, read_surroundings
from automation.handlers import logged
from automation.messages import report_failure
from registry.version_details import execution_steps


@logged
def handle(event: dict[str, Any], context: object) -> str:  # noqa: ARG001
    """For ``SageMaker Model Building Pipeline Execution Status Change``.

    detail.pipelineExecutionArn says which execution.
    """
    surroundings = read_surroundings()
    execution = event["detail"]["pipelineExecutionArn"]
    if f":pipeline/{surroundings.project}/execution/" not in execution:
        return f"{execution} is none of ours"
    failed = _failed_steps(surroundings, execution)
    report_failure(surroundings, execution, failed)
    return f"the failure of {execution} is told"


def _failed_steps(surroundings: Surroundings, execution: str) -> list[dict[str, Any]]:
    """What failed, in the order in which it did; the gate's way out last of all."""
    steps = execution_steps(surroundings.clients, execution)
    failed = [step for step in steps if step["StepStatus"] == "Failed"]
    return sorted(failed, key=lambda step: ("Fail" in step.get("Metadata", {}), step["StartTime"]))
