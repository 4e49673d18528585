"""Processing and training jobs: create, describe, list, stop. What they do is in the ``jobs`` package."""

from __future__ import annotations

from typing import Any

from sagemaker_local import clocks
from sagemaker_local.errors import AwsError, job_not_found, not_implemented
from sagemaker_local.jobs.job import JobKind
from sagemaker_local.jobs.runner import KINDS
from sagemaker_local.services import paging, tags
from sagemaker_local.services.call import Call, Handler
from sagemaker_local.store.listing import Listing

MOST_INSTANCES = 20
"""Each instance is a process here, so a typing mistake in InstanceCount could stop the machine."""


def _creator(kind: JobKind) -> Handler:
    def create(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
        """CreateProcessingJob, CreateTrainingJob; the job runs when this returns."""
        name = parameters[kind.name_member]
        kind.check(parameters)
        if kind.instances(parameters) > MOST_INSTANCES:
            # Not ResourceLimitExceeded: a pipeline's retry policy would wait, which does not help here.
            raise not_implemented(f"A job of more than {MOST_INSTANCES} instances ({name})")
        arn = call.arn(f"{kind.kind}/{name}")
        document = {key: value for key, value in parameters.items() if key != "Tags"}
        clock = clocks.reading()
        document |= kind.added(parameters)
        document |= {kind.arn_member: arn, "CreationTime": clock["Time"], clocks.CLOCK: clock}
        with call.store.transaction():
            if call.store.get(kind.kind, call.region, name) is not None:
                raise AwsError(
                    "ResourceInUse",
                    f"Job name must be unique within an AWS account and region, and a {kind.verb.lower()} job"
                    f" with this name already exists ({arn})",
                )
            call.components.jobs.record(kind, call.region, document)
            tags.replace(call, arn, parameters.get("Tags"))
        call.components.jobs.start(kind, call.region, name)
        return {kind.arn_member: arn}

    return create


def _describer(kind: JobKind) -> Handler:
    def describe(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
        """DescribeProcessingJob, DescribeTrainingJob"""
        name = parameters[kind.name_member]
        document = call.store.get(kind.kind, call.region, name)
        if document is None:
            raise job_not_found(kind.verb, name)
        return call.components.jobs.up_to_date(kind, document)

    return describe


def _lister(kind: JobKind) -> Handler:
    def list_jobs(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
        """ListProcessingJobs, ListTrainingJobs; by creation time and ascending unless asked otherwise."""
        call.components.jobs.recover()
        page, token = paging.named_page(call, _listing(kind), parameters, descending=False)
        return {f"{kind.prefix}Summaries": page, "NextToken": token}

    return list_jobs


def _stopper(kind: JobKind) -> Handler:
    def stop(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
        """StopProcessingJob, StopTrainingJob: asks, and returns before the job has stopped."""
        call.components.jobs.stop(kind, call.region, parameters[kind.name_member])
        return {}

    return stop


def _listing(kind: JobKind) -> Listing:
    return paging.named_listing(kind.kind, kind.status_member)


SERVICE = "sagemaker"
LISTINGS = tuple(_listing(kind) for kind in KINDS.values())
OPERATIONS: dict[str, Handler] = {
    f"{verb}{kind.prefix}{'s' if verb == 'List' else ''}": make(kind)
    for kind in KINDS.values()
    for verb, make in (("Create", _creator), ("Describe", _describer), ("List", _lister), ("Stop", _stopper))
}
