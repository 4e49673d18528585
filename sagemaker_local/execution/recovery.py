"""What a process that died left under way: found, and ended in words that say what happened.

An execution names its owner, and whether an owner lives is known at once (``home``). So nothing stays
"Executing" for longer than it takes somebody to look: ``recover`` looks at everything when an endpoint
starts, ``settle`` at one execution whenever it is asked about.
"""

from __future__ import annotations

from sagemaker_local.context import Services
from sagemaker_local.execution.records import ACTIVE, EXECUTION, STEP_ACTIVE, Record
from sagemaker_local.home import is_alive
from sagemaker_local.store import Document

_DIED = "The process that ran this execution ended before the execution did."


def recover(services: Services) -> list[Document]:
    """Fail every execution whose owner is dead; returns their documents."""
    found = []
    for doc in services.store.list_among(EXECUTION, "PipelineExecutionStatus", ACTIVE):
        arn = doc["PipelineExecutionArn"]
        settled = settle(services, arn.split(":")[3], arn, doc)
        if settled is not None:
            found.append(settled)
    return found


def settle(services: Services, region: str, arn: str, doc: Document | None = None) -> Document | None:
    """Fail one execution if its owner is dead; returns its document if that was so."""
    record = Record(services.store, region, arn)
    doc = doc or record.execution()
    if doc is None or not _is_abandoned(services, doc):
        return None
    with services.store.transaction():
        # Somebody else may have settled or retried it since.
        current = record.execution()
        if current is None or not _is_abandoned(services, current):
            return None
        abandoned = abandon(record, _DIED)
    services.jobs.recover()
    return abandoned


def abandon(record: Record, why: str) -> Document | None:
    """Fail an execution with everything of it that is under way; returns its document."""
    with record.store.transaction():
        under_way = []
        for name, step in record.steps().items():
            if step["StepStatus"] in STEP_ACTIVE:
                under_way.append(f"{name} ({step['StepStatus']})")
                record.finish_step(name, "Failed", f"InternalServerError: {why}")
        what = ", ".join(under_way) or "no step"
        record.finish_execution(
            "Failed",
            f"{why} Under way: {what}. RetryPipelineExecution runs it on from the steps that succeeded.",
        )
        return record.execution()


def _is_abandoned(services: Services, doc: Document) -> bool:
    if doc["PipelineExecutionStatus"] not in ACTIVE or doc["_Owner"] == services.owner.name:
        return False
    return not is_alive(services.home, doc["_Owner"])
