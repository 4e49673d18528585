"""Monitoring schedules and their executions: create, change, start, stop, describe, list, delete.

What is due is started in ``scheduling``. An execution's status follows from its processing job; it is written
down when somebody looks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sagemaker_local import clocks
from sagemaker_local.errors import AwsError, not_found, not_implemented, validation_error
from sagemaker_local.jobs import processing
from sagemaker_local.scheduling import monitoring, monitoring_requests, monitoring_windows
from sagemaker_local.scheduling.monitoring import EXECUTION, SCHEDULE, STATUS
from sagemaker_local.services import paging, tags
from sagemaker_local.services.call import Call, Handler
from sagemaker_local.store import Document
from sagemaker_local.store.listing import CREATED, MODIFIED, NAME, Condition, Listing, contains, equal, member

_SCHEDULE_STATUS = member("MonitoringScheduleStatus")
_SCHEDULES = paging.named_listing(SCHEDULE, "MonitoringScheduleStatus")
_EXECUTIONS = Listing(
    EXECUTION,
    {
        "CreationTime": (CREATED, NAME),
        "ScheduledTime": (member("ScheduledTime", is_number=True), NAME),
        "Status": (member(STATUS), NAME),
    },
    equals=(member("MonitoringScheduleName"),),
)
_SCHEDULED = member("ScheduledTime", is_number=True)
_UNDER_WAY = ("Pending", "InProgress", "Stopping")


def create(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """CreateMonitoringSchedule; it is Scheduled when this returns."""
    name, now = parameters["MonitoringScheduleName"], clocks.now()
    arn = call.arn(f"{SCHEDULE}/{name}")
    with call.store.transaction():
        if call.store.get(SCHEDULE, call.region, name) is not None:
            raise AwsError("ResourceInUse", f"The monitoring schedule {arn} already exists.")
        document = {
            "MonitoringScheduleName": name,
            "MonitoringScheduleArn": arn,
            "CreationTime": now,
            **_configured(call, parameters["MonitoringScheduleConfig"], now),
        }
        call.store.put(SCHEDULE, call.region, name, document)
        tags.replace(call, arn, parameters.get("Tags"))
    return {"MonitoringScheduleArn": arn}


def update(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """UpdateMonitoringSchedule: the configuration is replaced; a schedule that is stopped stays so."""
    with call.store.transaction():
        document = _load(call, parameters["MonitoringScheduleName"])
        stopped = document["MonitoringScheduleStatus"] == "Stopped"
        document |= _configured(call, parameters["MonitoringScheduleConfig"], clocks.now())
        if stopped:
            document |= {"MonitoringScheduleStatus": "Stopped", "_Next": None}
        call.store.put(SCHEDULE, call.region, document["MonitoringScheduleName"], document)
    return {"MonitoringScheduleArn": document["MonitoringScheduleArn"]}


def start(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """StartMonitoringSchedule: of one that was stopped; one of ``NOW`` runs once more."""
    return _switched(call, parameters["MonitoringScheduleName"], "Scheduled")


def stop(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """StopMonitoringSchedule; executions that are under way go on."""
    return _switched(call, parameters["MonitoringScheduleName"], "Stopped")


def describe(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """DescribeMonitoringSchedule, with its last execution."""
    document = _load(call, parameters["MonitoringScheduleName"])
    last = document.get("_LastExecution")
    execution = call.store.get(EXECUTION, call.region, last) if last else None
    if execution is not None:
        document["LastMonitoringExecutionSummary"] = _settled(call, str(last), execution)
    return document


def list_schedules(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """ListMonitoringSchedules, newest first unless asked otherwise."""
    page, token = paging.stored_page(
        call,
        _SCHEDULES,
        parameters,
        filtered=(_SCHEDULE_STATUS, parameters.get("StatusEquals")),
        conditions=[
            *contains(NAME, parameters.get("NameContains", "")),
            *paging.time_bounds(parameters),
            *paging.time_bounds(parameters, "LastModifiedTime", MODIFIED),
            *_filters(parameters),
        ],
    )
    return {"MonitoringScheduleSummaries": page, "NextToken": token}


def list_executions(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """ListMonitoringExecutions, newest first unless asked otherwise; those of deleted schedules, too."""
    for name, execution in _under_way(call):
        _settled(call, name, execution)
    status = parameters.get("StatusEquals")
    page, token = paging.stored_page(
        call,
        _EXECUTIONS,
        parameters,
        filtered=(_EXECUTIONS.equals[0], parameters.get("MonitoringScheduleName")),
        conditions=[
            *paging.time_bounds(parameters),
            *paging.time_bounds(parameters, "LastModifiedTime", MODIFIED),
            *paging.time_bounds(parameters, "ScheduledTime", _SCHEDULED),
            *([] if status is None else [equal(member(STATUS), status)]),
            *_filters(parameters),
        ],
    )
    return {"MonitoringExecutionSummaries": page, "NextToken": token}


def delete(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """DeleteMonitoringSchedule; its executions stay listed."""
    with call.store.transaction():
        document = _load(call, parameters["MonitoringScheduleName"])
        call.store.delete(SCHEDULE, call.region, document["MonitoringScheduleName"])
        tags.drop(call, document["MonitoringScheduleArn"])
    return {}


SERVICE = "sagemaker"
LISTINGS = (_SCHEDULES, _EXECUTIONS)
OPERATIONS: dict[str, Handler] = {
    "CreateMonitoringSchedule": create,
    "UpdateMonitoringSchedule": update,
    "StartMonitoringSchedule": start,
    "StopMonitoringSchedule": stop,
    "DescribeMonitoringSchedule": describe,
    "ListMonitoringSchedules": list_schedules,
    "ListMonitoringExecutions": list_executions,
    "DeleteMonitoringSchedule": delete,
}
TRANSACTIONS = (
    "CreateMonitoringSchedule",
    "UpdateMonitoringSchedule",
    "StartMonitoringSchedule",
    "StopMonitoringSchedule",
    "DeleteMonitoringSchedule",
)


def _configured(call: Call, config: Document, now: float) -> Document:
    """What a MonitoringScheduleConfig makes of a schedule.

    Raises:
        AwsError: it cannot be carried out here, or names a definition that is not there.
    """
    inside, named = "MonitoringJobDefinition" in config, "MonitoringJobDefinitionName" in config
    if inside == named:
        raise validation_error(
            "A MonitoringScheduleConfig needs either MonitoringJobDefinition or MonitoringJobDefinitionName."
        )
    if named and "MonitoringType" not in config:
        raise validation_error("A schedule that names its job definition needs MonitoringType.")
    kind = config.get("MonitoringType", "DataQuality")
    if kind not in monitoring.DEFINITIONS or (inside and kind != "DataQuality"):
        raise not_implemented(f"MonitoringType {kind}{' of a MonitoringJobDefinition' if inside else ''}")
    definition = monitoring.definition_of(call.store, call.region, config, kind)
    if definition is None:
        raise validation_error(
            f"There is no {kind} job definition '{config['MonitoringJobDefinitionName']}' here."
        )
    monitoring_requests.check(definition, kind)
    timing = config.get("ScheduleConfig", {})
    monitoring_windows.check(timing)
    return {
        "MonitoringScheduleConfig": config,
        "MonitoringType": kind,
        "MonitoringJobDefinitionName": config.get("MonitoringJobDefinitionName"),
        "EndpointName": definition["MonitoringInputs"][0]["EndpointInput"]["EndpointName"],
        "LastModifiedTime": now,
        **_timing(timing, "Scheduled", now),
    }


def _timing(config: Document, status: str, now: float) -> Document:
    due: float | None = None
    if status == "Scheduled":
        is_now = config.get("ScheduleExpression") == monitoring_windows.NOW
        due = now if is_now else monitoring_windows.next_due(config, now)
    return {"MonitoringScheduleStatus": status, "_Next": due}


def _switched(call: Call, name: str, status: str) -> Document:
    now = clocks.now()
    with call.store.transaction():
        document = _load(call, name)
        if document["MonitoringScheduleStatus"] != status:
            timing = document["MonitoringScheduleConfig"].get("ScheduleConfig", {})
            document |= {"LastModifiedTime": now, **_timing(timing, status, now)}
            call.store.put(SCHEDULE, call.region, name, document)
    return {}


def _filters(parameters: Document) -> list[Condition]:
    return [
        equal(member(name.removesuffix("Equals")), parameters[name])
        for name in ("EndpointName", "MonitoringTypeEquals", "MonitoringJobDefinitionName")
        if name in parameters
    ]


def _under_way(call: Call) -> list[tuple[str, Document]]:
    names = call.store.modified_among(EXECUTION, STATUS, _UNDER_WAY)
    found = ((name, call.store.get(EXECUTION, call.region, name)) for name in names)
    return [(name, execution) for name, execution in found if execution is not None]


def _settled(call: Call, name: str, execution: Document) -> Document:
    """An execution, with the status that its job has now."""
    if execution[STATUS] not in _UNDER_WAY or "ProcessingJobArn" not in execution:
        return execution
    job = call.store.get(processing.KIND.kind, call.region, execution["ProcessingJobArn"].rpartition("/")[2])
    assert job is not None, "jobs are never deleted"
    job = call.components.jobs.up_to_date(processing.KIND, job)
    status = job["ProcessingJobStatus"]
    if status == "Completed" and job.get("ExitMessage", "").startswith("CompletedWithViolations"):
        status = "CompletedWithViolations"
    members: Document = {STATUS: status, "LastModifiedTime": job["LastModifiedTime"]}
    if "FailureReason" in job:
        members["FailureReason"] = job["FailureReason"]
    if execution[STATUS] != status:
        call.store.update(EXECUTION, call.region, name, _adding(members))
    return {**execution, **members}


def _adding(members: Document) -> Callable[[Document], None]:
    return lambda document: document.update(members)


def _load(call: Call, name: str) -> Document:
    document = call.store.get(SCHEDULE, call.region, name)
    if document is None:
        raise not_found("Monitoring schedule", name)
    return document
