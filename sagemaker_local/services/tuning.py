"""Hyperparameter tuning jobs: create, describe, list, stop, delete. What they do is in ``tuning``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sagemaker_local import clocks
from sagemaker_local.errors import AwsError
from sagemaker_local.jobs.phases import TERMINAL
from sagemaker_local.services import paging, tags
from sagemaker_local.services.call import Call, Handler
from sagemaker_local.store import Document
from sagemaker_local.tuning import outcome, request
from sagemaker_local.tuning.jobs import TUNING_JOB, mark_stopping, not_found
from sagemaker_local.tuning.outcome import JOBS_MEMBER, Trained

_NAME, _STATUS = "HyperParameterTuningJobName", "HyperParameterTuningJobStatus"
_JOBS = paging.named_listing(TUNING_JOB, _STATUS)


def create_tuning_job(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """CreateHyperParameterTuningJob; it runs when this returns."""
    name = parameters[_NAME]
    request.check(parameters)
    arn = call.arn(f"{TUNING_JOB}/{name}")
    clock = clocks.reading()
    document = {
        **{key: value for key, value in parameters.items() if key != "Tags"},
        "HyperParameterTuningJobArn": arn,
        _STATUS: "InProgress",
        "CreationTime": clock["Time"],
        "LastModifiedTime": clock["Time"],
        clocks.CLOCK: clock,
        request.SEED_MEMBER: request.new_seed(parameters),
        JOBS_MEMBER: [],
        "_Owner": call.components.owner.name,
    }
    with call.store.transaction():
        if call.store.get(TUNING_JOB, call.region, name) is not None:
            raise AwsError(
                "ResourceInUse",
                "Tuning job names must be unique within an AWS account and region, and a tuning job with this"
                f" name already exists ({arn})",
            )
        call.store.put(TUNING_JOB, call.region, name, document)
        tags.replace(call, arn, parameters.get("Tags"))
    call.components.tuning.start(call.region, document)
    return {"HyperParameterTuningJobArn": arn}


def describe_tuning_job(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """DescribeHyperParameterTuningJob"""
    document = _load(call, parameters[_NAME])
    return document | outcome.described(outcome.training_jobs(call.store, call.region, document))


def list_tuning_jobs(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """ListHyperParameterTuningJobs, newest first unless asked otherwise."""
    call.components.tuning.recover()
    call.components.jobs.recover()
    found, token = paging.named_page(call, _JOBS, parameters)
    shown = [
        {
            **document,
            **outcome.described(outcome.training_jobs(call.store, call.region, document)),
            "Strategy": document["HyperParameterTuningJobConfig"]["Strategy"],
            "ResourceLimits": document["HyperParameterTuningJobConfig"]["ResourceLimits"],
        }
        for document in found
    ]
    return {"HyperParameterTuningJobSummaries": shown, "NextToken": token}


_ORDERS: dict[str, Callable[[Trained], tuple[str | float, ...]]] = {
    "FinalObjectiveMetricValue": lambda job: (job.result or 0.0, job.name),
    "Name": lambda job: (job.name,),
    "CreationTime": lambda job: (job.document["CreationTime"], job.name),
    "Status": lambda job: (job.status, job.name),
}


def list_training_jobs(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """ListTrainingJobsForHyperParameterTuningJob; by name and ascending unless asked otherwise.

    By FinalObjectiveMetricValue only those that have one are listed.
    """
    document = _load(call, parameters[_NAME])
    jobs = outcome.training_jobs(call.store, call.region, document)
    if status := parameters.get("StatusEquals"):
        jobs = [job for job in jobs if job.status == status]
    order = parameters.get("SortBy", "Name")
    if order == "FinalObjectiveMetricValue":
        jobs = [job for job in jobs if job.result is not None]
    places = {job.name: _ORDERS[order](job) for job in jobs}
    found, token = paging.page(
        [job.summary() for job in jobs],
        parameters,
        lambda summary: places[summary["TrainingJobName"]],
        descending=False,
    )
    return {"TrainingJobSummaries": found, "NextToken": token}


def stop_tuning_job(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """StopHyperParameterTuningJob; returns once it is Stopping."""
    name = parameters[_NAME]
    _load(call, name)
    call.store.update(TUNING_JOB, call.region, name, mark_stopping)
    call.components.tuning.stop(call.region, name)
    return {}


def delete_tuning_job(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """DeleteHyperParameterTuningJob: of one that has ended; its training jobs stay."""
    name = parameters[_NAME]
    with call.store.transaction():
        document = call.store.get(TUNING_JOB, call.region, name)
        if document is None:  # AWS answers so, too
            return {}
        if document[_STATUS] not in TERMINAL:
            raise AwsError(
                "ResourceInUse", f"The tuning job {name} is in status {document[_STATUS]}: stop it first."
            )
        call.store.delete(TUNING_JOB, call.region, name)
        tags.drop(call, document["HyperParameterTuningJobArn"])
    return {}


SERVICE = "sagemaker"
LISTINGS = (_JOBS,)
OPERATIONS: dict[str, Handler] = {
    "CreateHyperParameterTuningJob": create_tuning_job,
    "DescribeHyperParameterTuningJob": describe_tuning_job,
    "ListHyperParameterTuningJobs": list_tuning_jobs,
    "ListTrainingJobsForHyperParameterTuningJob": list_training_jobs,
    "StopHyperParameterTuningJob": stop_tuning_job,
    "DeleteHyperParameterTuningJob": delete_tuning_job,
}


def _load(call: Call, name: str) -> Document:
    document = call.store.get(TUNING_JOB, call.region, name)
    if document is None:
        raise not_found(name)
    call.components.jobs.recover()  # its training jobs, which are read beside it
    return call.components.tuning.up_to_date(document)
