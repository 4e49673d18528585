"""Starts the executions of monitoring schedules, in an endpoint that is kept up.

A schedule is a document of kind ``SCHEDULE``: DescribeMonitoringSchedule's members, and ``_Next``, when it is
due next (POSIX seconds, None where it is not), ``_Last``, when it last was, and ``_LastExecution``, the name
of that execution. An execution is a document of kind ``EXECUTION``: its summary in the API.

- An execution begins 15 seconds after its due time, when what was captured until then is in S3; AWS, too,
  starts later than was asked, by up to 20 minutes.
- Due times that pass while no endpoint is up count as one, the last, unless it is more than a day ago.
- A due time has one execution: its document is written before the job, whose name follows from schedule and
  due time, so a process that is killed in between does not start a second one.
- After the clock was set back a schedule is due as if it were made now; a due time that has had its execution
  gets no second one.
- Where there is nothing to look at, the execution is Failed, "Job inputs had no data", as on AWS.
"""

from __future__ import annotations

import hashlib
import logging
import time
from datetime import UTC, datetime

from sagemaker_local import clocks
from sagemaker_local.api import Api, RoleSession
from sagemaker_local.errors import AwsError
from sagemaker_local.jobs import processing
from sagemaker_local.jobs.failure import LIMIT, JobFailure
from sagemaker_local.s3.objects import ObjectStore
from sagemaker_local.scheduling import monitoring_requests, monitoring_windows
from sagemaker_local.scheduling.monitoring_requests import CannotMonitor, Occasion
from sagemaker_local.store import Document, Store

SCHEDULE, EXECUTION = "monitoring-schedule", "monitoring-execution"
DEFINITIONS = {"DataQuality": "data-quality-job-definition", "ModelQuality": "model-quality-job-definition"}
"""MonitoringType -> the kind of its job definitions."""

STATUS = "MonitoringExecutionStatus"
_DELAY, _OLDEST = 15.0, 86400.0

_log = logging.getLogger(__name__)


def start_due(store: Store, objects: ObjectStore, api: Api, now: float) -> list[str]:
    """Start what is due at `now`, POSIX seconds; the names of the executions' documents."""
    started = []
    for schedule in store.list(SCHEDULE):
        config, due = schedule["MonitoringScheduleConfig"].get("ScheduleConfig", {}), schedule["_Next"]
        is_now = config.get("ScheduleExpression") == monitoring_windows.NOW
        if due is None:
            continue
        if is_now or due + _DELAY <= now:
            latest = due if is_now else monitoring_windows.latest_due(config, due, now - _DELAY)
            members: Document = {"_Next": monitoring_windows.next_due(config, latest), "_Last": latest}
            if now - latest <= _OLDEST:
                members["_LastExecution"] = _execute(store, objects, api, schedule, latest)
                started.append(members["_LastExecution"])
            else:
                _log.warning("monitoring schedule %s: %s is long ago", _name(schedule), time.ctime(latest))
            _move_on(store, schedule, members)
        elif due > now and (earlier := monitoring_windows.next_due(config, now)) != due:
            _move_on(store, schedule, {"_Next": earlier})  # the clock was set back
    return started


def _execute(store: Store, objects: ObjectStore, api: Api, schedule: Document, due: float) -> str:
    region, arn = _region(schedule), schedule["MonitoringScheduleArn"]
    identity = hashlib.sha256(f"{arn} {schedule['CreationTime']!r} {due!r}".encode()).hexdigest()[:24]
    job = f"model-monitoring-{datetime.fromtimestamp(due, UTC):%Y%m%d%H%M}-{identity}"
    name = f"{_name(schedule)}/{identity}"
    with store.transaction():
        known = store.get(EXECUTION, region, name)
        if known is None:
            store.put(EXECUTION, region, name, _pending(schedule, due))
        elif known[STATUS] != "Pending":  # of a time before the clock was set back
            return name
    try:
        members = {STATUS: "InProgress", "ProcessingJobArn": _start(store, objects, api, schedule, due, job)}
    except (CannotMonitor, JobFailure, AwsError) as problem:
        members = {STATUS: "Failed", "FailureReason": str(problem)[:LIMIT]}

    def note(document: Document) -> None:
        document |= {**members, "LastModifiedTime": clocks.now()}

    store.update(EXECUTION, region, name, note)
    return name


def _pending(schedule: Document, due: float) -> Document:
    now = clocks.now()
    return {
        "MonitoringScheduleName": _name(schedule),
        "ScheduledTime": due,
        "CreationTime": now,
        "LastModifiedTime": now,
        STATUS: "Pending",
        "EndpointName": schedule["EndpointName"],
        "MonitoringType": schedule["MonitoringType"],
        "MonitoringJobDefinitionName": schedule["MonitoringJobDefinitionName"],
    }


def _start(store: Store, objects: ObjectStore, api: Api, schedule: Document, due: float, job: str) -> str:
    """Create the execution's processing job; its ARN."""
    region, kind = _region(schedule), schedule["MonitoringType"]
    definition = definition_of(store, region, schedule["MonitoringScheduleConfig"], kind)
    if definition is None:
        raise CannotMonitor("The schedule's job definition does not exist any more.")
    source = definition["MonitoringInputs"][0]["EndpointInput"]
    config = schedule["MonitoringScheduleConfig"].get("ScheduleConfig", {})
    start, end = monitoring_windows.window(config, source, due)
    occasion = Occasion(_name(schedule), kind, definition, due, start, end)
    request = monitoring_requests.request(occasion, job, objects, store, region)
    session = RoleSession(definition["RoleArn"], f"monitoring-{_name(schedule)}"[:64])
    try:
        created = api(region, "sagemaker", "CreateProcessingJob", request, session)
        arn = str(created["ProcessingJobArn"])
    except AwsError as error:
        if error.code != "ResourceInUse":
            raise
        known = api(region, "sagemaker", "DescribeProcessingJob", {"ProcessingJobName": job})
        arn = str(known["ProcessingJobArn"])

    def note(document: Document) -> None:
        document["MonitoringScheduleArn"] = schedule["MonitoringScheduleArn"]

    store.update(processing.KIND.kind, region, job, note)
    return arn


def definition_of(store: Store, region: str, config: Document, kind: str) -> Document | None:
    """What a schedule carries out, in its own form; None if the definition that it names is not there.

    Args:
        config: MonitoringScheduleConfig.
        kind: MonitoringType.
    """
    if "MonitoringJobDefinition" in config:
        own: Document = config["MonitoringJobDefinition"]
        return own
    found = store.get(DEFINITIONS[kind], region, config["MonitoringJobDefinitionName"])
    return None if found is None else monitoring_requests.inline(found, kind)


def is_named_by(schedule: Document, kind: str, name: str) -> bool:
    """Whether a schedule carries out the definition of that MonitoringType and name."""
    return (schedule["MonitoringType"], schedule["MonitoringJobDefinitionName"]) == (kind, name)


def _move_on(store: Store, schedule: Document, members: Document) -> None:
    """Write members back, unless the schedule was changed or deleted meanwhile."""

    def change(document: Document) -> None:
        if document["LastModifiedTime"] == schedule["LastModifiedTime"]:
            document |= members

    store.update(SCHEDULE, _region(schedule), _name(schedule), change)


def _region(schedule: Document) -> str:
    return str(schedule["MonitoringScheduleArn"].split(":")[3])


def _name(schedule: Document) -> str:
    return str(schedule["MonitoringScheduleName"])
