"""What a process that died left under way: found, and ended in words that say what happened.

An execution names its owner, and whether an owner lives is known at once (``home``). ``recover`` checks all
executions when an endpoint starts, ``end_if_abandoned`` one whenever it is read. So an execution is never
shown as "Executing" after its process has died.
"""

from __future__ import annotations

from dataclasses import dataclass

from sagemaker_local import abandoned
from sagemaker_local.abandoned import OwnedKind
from sagemaker_local.execution.records import ACTIVE, EXECUTION, STEP_ACTIVE, Record
from sagemaker_local.home import Owner
from sagemaker_local.jobs.runner import JobRunner
from sagemaker_local.store import Document, Key, Store

_DIED = "The process that ran this execution ended before the execution did."


@dataclass(frozen=True)
class Recovery:
    """The checks of one process, `owner`, whose own executions are never abandoned."""

    owner: Owner
    store: Store
    jobs: JobRunner

    def recover(self) -> list[Document]:
        """Fail every execution, with its jobs, whose owner is dead; returns the executions' documents."""
        ended = abandoned.end_all(self.store, self.owner, OWNED)
        if ended:
            self.jobs.recover()
        return ended

    def end_if_abandoned(self, region: str, arn: str, doc: Document | None = None) -> Document | None:
        """Fail one execution, and its jobs, if its owner is dead; returns its document if that was so."""
        record = Record(self.store, region, arn)
        doc = doc or record.execution()
        if doc is None or not abandoned.end_if_abandoned(self.store, self.owner, OWNED, doc):
            return None
        self.jobs.recover()
        return record.execution()


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


def _abandon(store: Store, key: Key, _document: Document) -> None:
    abandon(Record(store, key.region, key.name), _DIED)


OWNED = OwnedKind(
    kind=EXECUTION,
    name_member="PipelineExecutionArn",
    arn_member="PipelineExecutionArn",
    status_member="PipelineExecutionStatus",
    under_way=ACTIVE,
    end=_abandon,
)
