"""Batch transform jobs: every object under an S3 prefix through a model, to one of its name and `.out`.

A job starts a fleet of its own from the model, as an endpoint would (``transform_run``).
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from sagemaker_local import clocks
from sagemaker_local.abandoned import OwnedKind
from sagemaker_local.errors import job_not_found
from sagemaker_local.hosting.instance import FleetContext
from sagemaker_local.hosting.transform_run import TRANSFORM_JOB, TransformRun
from sagemaker_local.jobs.phases import TERMINAL, UNDER_WAY
from sagemaker_local.runs import Runs

if TYPE_CHECKING:
    from sagemaker_local.home import Home, Owner
    from sagemaker_local.jobs.job import JobContext
    from sagemaker_local.store import Document, Key, Store

LOG_GROUP = "/aws/sagemaker/TransformJobs"


class TransformJobs(Runs):
    """The transform jobs that this process runs."""

    def __init__(self, home: Home, owner: Owner, store: Store, context: JobContext) -> None:
        super().__init__(
            owner, store, OWNED, TERMINAL, _end, not_found=lambda name: job_not_found("Transform", name)
        )
        self._home = home
        self._context = context

    def start(self, region: str, document: Document) -> None:
        """Run a job that is in the store; returns at once."""
        context = FleetContext(self._home, self._owner, self._store, region, LOG_GROUP, self._context)
        self.begin(region, TransformRun(document, context))

    def sweep(self) -> None:
        """Remove what jobs were writing that ended with their process; where no other works on the home."""
        shutil.rmtree(self._home.jobs / TRANSFORM_JOB, ignore_errors=True)


def _end(document: Document, members: Document) -> None:
    ended = max(clocks.now_in(document), document.get("TransformStartTime", 0.0))
    document |= {"TransformEndTime": ended, **members}


def _fail_abandoned(store: Store, key: Key, document: Document) -> None:
    reason = "InternalServerError: the process that ran this job ended before the job did."
    _end(document, {"TransformJobStatus": "Failed", "FailureReason": reason})
    store.put(key.kind, key.region, key.name, document)


OWNED = OwnedKind(
    kind=TRANSFORM_JOB,
    name_member="TransformJobName",
    arn_member="TransformJobArn",
    status_member="TransformJobStatus",
    under_way=UNDER_WAY,
    end=_fail_abandoned,
)
