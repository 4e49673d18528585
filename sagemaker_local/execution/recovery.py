"""What a process that died left under way: found, and ended in words that say what happened.

An execution names its owner, and whether an owner lives is known at once (``home``). ``recover`` checks all
executions when an endpoint starts, ``end_if_abandoned`` one whenever it is read. So an execution is never
shown as "Executing" after its process has died.
"""

from __future__ import annotations

from dataclasses import dataclass

from sagemaker_local.execution.records import ACTIVE, EXECUTION, STEP_ACTIVE, Record
from sagemaker_local.home import Home, Owner, is_alive
from sagemaker_local.jobs.runner import JobRunner
from sagemaker_local.store import Document, Store

_DIED = "The process that ran this execution ended before the execution did."


@dataclass(frozen=True)
class Recovery:
    """The checks of one process, `owner`, whose own executions are never abandoned."""

    home: Home
    owner: Owner
    store: Store
    jobs: JobRunner

    def recover(self) -> list[Document]:
        """Fail every execution whose owner is dead; returns their documents."""
        found = []
        for doc in self.store.list_among(EXECUTION, "PipelineExecutionStatus", ACTIVE):
            arn = doc["PipelineExecutionArn"]
            ended = self.end_if_abandoned(arn.split(":")[3], arn, doc)
            if ended is not None:
                found.append(ended)
        return found

    def end_if_abandoned(self, region: str, arn: str, doc: Document | None = None) -> Document | None:
        """Fail one execution if its owner is dead; returns its document if that was so."""
        record = Record(self.store, region, arn)
        doc = doc or record.execution()
        if doc is None or not self._is_abandoned(doc):
            return None
        with self.store.transaction():
            # Another process may have ended or retried it since.
            current = record.execution()
            if current is None or not self._is_abandoned(current):
                return None
            abandoned = abandon(record, _DIED)
        self.jobs.recover()
        return abandoned

    def _is_abandoned(self, doc: Document) -> bool:
        if doc["PipelineExecutionStatus"] not in ACTIVE or doc["_Owner"] == self.owner.name:
            return False
        return not is_alive(self.home, doc["_Owner"])


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
