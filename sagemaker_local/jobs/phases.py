"""The phases of a job, its end, and what becomes of it when its process has died: all in its document."""

from __future__ import annotations

from sagemaker_local import clocks
from sagemaker_local.abandoned import OwnedKind
from sagemaker_local.jobs.job import Document, JobKind
from sagemaker_local.store import Key, Store

UNDER_WAY = ("InProgress", "Stopping")
TERMINAL = ("Completed", "Failed", "Stopped")
"""Statuses after which nothing happens to a job any more."""


def enter_phase(kind: JobKind, document: Document, phase: str, message: str = "") -> None:
    """A training job's SecondaryStatus and the history of it."""
    if not kind.has_phases:
        return
    now = clocks.now_in(document)
    history = document.setdefault("SecondaryStatusTransitions", [])
    if history:
        now = max(now, history[-1]["StartTime"])
        history[-1].setdefault("EndTime", now)
    ended = {"EndTime": now} if phase in (*TERMINAL, "MaxRuntimeExceeded") else {}
    history.append({"Status": phase, "StartTime": now, "StatusMessage": message, **ended})
    document["SecondaryStatus"] = phase


def end(kind: JobKind, document: Document, status: str, members: Document) -> None:
    """Give a job its last status, its end time and `members`."""
    now = clocks.now_in(document)
    started = document.get(f"{kind.verb}StartTime", now)
    now = max(now, started)
    document |= {
        **members,
        kind.status_member: status,
        f"{kind.verb}EndTime": now,
        "LastModifiedTime": now,
    }
    if kind.has_phases:
        seconds = round(now - started)
        document |= {"TrainingTimeInSeconds": seconds, "BillableTimeInSeconds": max(1, seconds)}
        phase = "MaxRuntimeExceeded" if members.get("_MaxRuntimeExceeded") else status
        enter_phase(kind, document, phase, members.get("FailureReason", ""))


def owned(kind: JobKind) -> OwnedKind:
    """What becomes of jobs of a kind when the process that ran them has died: they have failed."""

    def fail(store: Store, key: Key, document: Document) -> None:
        reason = "InternalServerError: the local SageMaker that ran this job ended before the job did."
        end(kind, document, "Failed", {"FailureReason": reason})
        store.put(key.kind, key.region, key.name, document)

    return OwnedKind(
        kind=kind.kind,
        name_member=kind.name_member,
        arn_member=kind.arn_member,
        status_member=kind.status_member,
        under_way=UNDER_WAY,
        end=fail,
    )
