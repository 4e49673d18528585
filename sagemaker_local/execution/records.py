"""The documents of one execution: read, and written at every transition.

An execution's document holds DescribePipelineExecution's members, a step's those of
ListPipelineExecutionSteps. Private members, never sent:

    execution  _Owner (the process that runs it), _PipelineName, _PipelineCreated (tells a pipeline from
               an earlier one of the same name), _Parameters (typed values by name), _Selected (names of
               the steps of a selective execution), _Attempts (by step, carried over a retry),
               _StopToken and _RetryToken (of the last such request), _Clock (what its times and its steps'
               count by, see `clocks`)
    step       _Properties (what references resolve against), _StepType (for its events)

The definition that an execution runs is kept beside it as a document of its own, since it is large and
never changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sagemaker_local import clocks
from sagemaker_local.store import Document, Store

EXECUTION = "execution"
STEP = "step"
DEFINITION = "execution-definition"
RESULT = "step-result"

ACTIVE = ("Executing", "Stopping")
STEP_ACTIVE = ("Starting", "Executing", "Stopping")

_STEP_REASON_LENGTH = 1024
_EXECUTION_REASON_LENGTH = 1300


def shortened(text: str, length: int) -> str:
    """`text` within `length`, keeping both ends: what happened stands first, the last of a log last."""
    if len(text) <= length:
        return text
    head = length // 3
    return f"{text[:head]} ... {text[len(text) - (length - head - 5) :]}"


@dataclass(frozen=True)
class Record:
    """One execution's documents in the store."""

    store: Store
    region: str
    arn: str

    @property
    def execution_id(self) -> str:
        return self.arn.rsplit("/", 1)[-1]

    def execution(self) -> Document | None:
        return self.store.get(EXECUTION, self.region, self.arn)

    def definition(self) -> str:
        """The definition document that this execution runs; it is there as long as the execution."""
        found = self.store.get(DEFINITION, self.region, self.arn)
        if found is None:
            raise LookupError(f"the definition of {self.arn} is missing from the store")
        return str(found["PipelineDefinition"])

    def steps(self) -> dict[str, Document]:
        """Step documents by name, in the order in which they first started."""
        return {doc["StepName"]: doc for doc in self.store.list(STEP, self.region, self.arn)}

    def step(self, name: str) -> Document | None:
        return self.store.get(STEP, self.region, f"{self.arn}#{name}")

    def put_step(self, doc: Document) -> None:
        self.store.put(STEP, self.region, f"{self.arn}#{doc['StepName']}", doc, parent=self.arn)

    def delete_step(self, name: str) -> None:
        self.store.delete(STEP, self.region, f"{self.arn}#{name}")

    def change_step(self, name: str, **members: Any) -> None:
        """Set members of a step's document; a member set to None goes."""
        self.store.update(STEP, self.region, f"{self.arn}#{name}", lambda doc: _merge(doc, members))

    def now(self) -> float:
        """The present time in this execution, POSIX seconds."""
        execution = self.execution()
        if execution is None:
            raise LookupError(f"{self.arn} is missing from the store")
        return clocks.now_in(execution)

    def change_execution(self, change: Callable[[Document], None]) -> Document | None:
        def stamped(doc: Document) -> None:
            change(doc)
            doc["LastModifiedTime"] = clocks.now_in(doc)

        return self.store.update(EXECUTION, self.region, self.arn, stamped)

    def finish_step(self, name: str, status: str, reason: str | None, **members: Any) -> None:
        now = self.now()

        def change(doc: Document) -> None:
            # A clock that was set back while the machine was down: nothing ends before it starts.
            ended = max(now, doc["StartTime"])
            short = None if reason is None else shortened(reason, _STEP_REASON_LENGTH)
            _merge(doc, {"StepStatus": status, "EndTime": ended, "FailureReason": short, **members})

        self.store.update(STEP, self.region, f"{self.arn}#{name}", change)

    def finish_execution(self, status: str, reason: str | None) -> None:
        def change(doc: Document) -> None:
            short = None if reason is None else shortened(reason, _EXECUTION_REASON_LENGTH)
            _merge(doc, {"PipelineExecutionStatus": status, "FailureReason": short})

        self.change_execution(change)

    def begin_again(self, owner: str, token: str | None, parallelism: Mapping[str, Any] | None) -> None:
        """Claim a finished execution for another run; what did not succeed in it is forgotten."""
        unfinished = {
            name: step.get("AttemptCount", 0)
            for name, step in self.steps().items()
            if step["StepStatus"] != "Succeeded"
        }

        def change(doc: Document) -> None:
            attempts = {**doc.get("_Attempts", {}), **unfinished}
            _merge(
                doc,
                {
                    "PipelineExecutionStatus": "Executing",
                    "FailureReason": None,
                    "_Owner": owner,
                    "_RetryToken": token,
                    "_Attempts": attempts,
                    clocks.CLOCK: clocks.reading(not_before=doc["LastModifiedTime"]),
                },
            )
            if parallelism is not None:
                doc["ParallelismConfiguration"] = dict(parallelism)

        with self.store.transaction():
            self.change_execution(change)
            for name in unfinished:
                self.delete_step(name)


def result_parent(execution: Document, step: str, key: str) -> str:
    """Where results that may be reused are kept: by pipeline (this one, not its namesake), step and key."""
    return f"{execution['PipelineArn']}@{execution['_PipelineCreated']}#{step}#{key}"


def _merge(doc: Document, members: dict[str, Any]) -> None:
    for name, value in members.items():
        if value is None:
            doc.pop(name, None)
        else:
            doc[name] = value
