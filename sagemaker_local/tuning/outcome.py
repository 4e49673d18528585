"""How the training jobs of a tuning job stand, read from their own documents: nothing is written twice.

A tuning job's document names its training jobs with the values that each was given. A training job's
objective is the last value of the metric in its log.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sagemaker_local.jobs import training
from sagemaker_local.jobs.phases import TERMINAL
from sagemaker_local.store import Document, Store
from sagemaker_local.tuning.request import Definition, definitions

JOBS_MEMBER = "_Jobs"
_COUNTERS = {"Completed": "Completed", "Stopped": "Stopped", "Failed": "NonRetryableError"}


@dataclass(frozen=True)
class Trained:
    """One training job.

    Attributes:
        result: its objective, as it was measured; None where it is not known.
        status: of the training job.
    """

    definition: Definition
    name: str
    values: Mapping[str, str]
    document: Document
    result: float | None

    @property
    def status(self) -> str:
        return str(self.document["TrainingJobStatus"])

    @property
    def objective_status(self) -> str:
        if self.status not in TERMINAL:
            return "Pending"
        return "Succeeded" if self.result is not None else "Failed"

    @property
    def goodness(self) -> float | None:
        """The objective, the greater the better; only of a job that was not cut off."""
        done = self.result is not None and self.status == "Completed"
        return self.result * self.definition.sign if done and self.result is not None else None

    def summary(self) -> Document:
        """A ``HyperParameterTrainingJobSummary``."""
        shown = ("TrainingJobArn", "CreationTime", "TrainingStartTime", "TrainingEndTime", "FailureReason")
        found: Document = {
            "TrainingJobName": self.name,
            **{member: self.document[member] for member in shown if member in self.document},
            "TrainingJobStatus": self.status,
            "TunedHyperParameters": dict(self.values),
            "ObjectiveStatus": self.objective_status,
        }
        if self.definition.name is not None:
            found["TrainingJobDefinitionName"] = self.definition.name
        if self.result is not None:
            found["FinalHyperParameterTuningJobObjectiveMetric"] = {
                **self.definition.objective,
                "Value": self.result,
            }
        return found


def training_jobs(store: Store, region: str, tuning: Document) -> list[Trained]:
    """Those of a tuning job that were created, in their order."""
    by_name = {each.name: each for each in definitions(tuning)}
    found = []
    for entry in tuning[JOBS_MEMBER]:
        document = store.get(training.KIND.kind, region, entry["Name"])
        if document is not None:
            definition = by_name[entry["Definition"]]
            result = _result(document, definition.metric)
            found.append(Trained(definition, entry["Name"], entry["Values"], document, result))
    return found


def _result(document: Document, metric: str) -> float | None:
    found = document.get("FinalMetricDataList") or []
    return next((float(one["Value"]) for one in found if one["MetricName"] == metric), None)


def best(jobs: Sequence[Trained]) -> Trained | None:
    """The one whose objective is best, the earliest of several."""
    known = [(job.goodness, job) for job in jobs if job.goodness is not None]
    return max(known, key=lambda one: one[0])[1] if known else None


def described(jobs: Sequence[Trained]) -> Document:
    """The members of a tuning job's description that tell of its training jobs."""
    statuses = Counter(_COUNTERS.get(job.status, "InProgress") for job in jobs)
    objectives = Counter(job.objective_status for job in jobs)
    names = ("Completed", "InProgress", "RetryableError", "NonRetryableError", "Stopped")
    found: dict[str, Any] = {
        "TrainingJobStatusCounters": {name: statuses[name] for name in names},
        "ObjectiveStatusCounters": {name: objectives[name] for name in ("Succeeded", "Pending", "Failed")},
        "ConsumedResources": {
            "RuntimeInSeconds": sum(job.document.get("TrainingTimeInSeconds", 0) for job in jobs)
        },
    }
    if (first := best(jobs)) is not None:
        found["BestTrainingJob"] = first.summary()
    return found
