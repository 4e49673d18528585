"""EventBridge Scheduler: schedules that start pipelines, in the one group ``default``.

Any other target, a flexible time window, a key or a dead-letter queue is refused by name. When a schedule
is due is said in ``scheduling``.
"""

from __future__ import annotations

from typing import Any

from aws_formats import schedules
from sagemaker_local import clocks
from sagemaker_local.errors import AwsError, not_implemented, validation_error
from sagemaker_local.scheduling.schedules import BEFORE_ANYTHING, SCHEDULE, due_times
from sagemaker_local.services.call import Call, Handler
from sagemaker_local.services.paging import stored_page
from sagemaker_local.store import Document
from sagemaker_local.store.listing import NAME, Listing, begins_with, member

_STATE = member("State")
_SCHEDULES = Listing(SCHEDULE, {"Name": (NAME,)}, equals=(_STATE,))

GROUP = "default"
EARLIEST_START = 300
"""Seconds that a StartDate may have passed; AWS says it in its error only."""

_RETRIES, _AGE = 185, 86400
"""Attempts and seconds where a target names none: the most that AWS allows; it documents no defaults."""

_KEPT = (
    "Name",
    "Description",
    "ScheduleExpression",
    "FlexibleTimeWindow",
    "ActionAfterCompletion",
)
_TIMING = ("ScheduleExpression", "ScheduleExpressionTimezone", "State", "StartDate", "EndDate")


def create(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """CreateSchedule; the same ClientToken again gives the same schedule."""
    name, now = _document_name(call, parameters), clocks.now()
    with call.store.transaction():
        known = call.store.get(SCHEDULE, call.region, name)
        if known is not None:
            if "ClientToken" in parameters and known.get("_ClientToken") == parameters["ClientToken"]:
                return {"ScheduleArn": known["Arn"]}
            raise AwsError("ConflictException", f"Schedule {parameters['Name']} already exists.", 409)
        document = _document(call, parameters, now)
        document |= {"CreationDate": now, "_ClientToken": parameters.get("ClientToken")}
        _set_next(document, now)
        call.store.put(SCHEDULE, call.region, name, document)
    return {"ScheduleArn": document["Arn"]}


def update(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """UpdateSchedule: everything that is left out goes back to its default, as on AWS."""
    name, now = _document_name(call, parameters), clocks.now()
    with call.store.transaction():
        known = _load(call, name)
        document = _document(call, parameters, now)
        document |= {key: known[key] for key in ("CreationDate", "_ClientToken", "_Last") if key in known}
        # So a rate that is changed does not start at once: it was made when the schedule was.
        document["_Anchor"] = known["CreationDate"]
        if all(document.get(key) == known.get(key) for key in _TIMING):
            document["_Next"] = known["_Next"]
        else:
            _set_next(document, now)
        call.store.put(SCHEDULE, call.region, name, document)
    return {"ScheduleArn": document["Arn"]}


def get(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """GetSchedule"""
    return _load(call, _document_name(call, parameters))


def list_schedules(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """ListSchedules, by name."""
    group, prefix = parameters.get("GroupName", GROUP), parameters.get("NamePrefix", "")
    shown, token = stored_page(
        call,
        _SCHEDULES,
        parameters,
        filtered=(_STATE, parameters.get("State")),
        conditions=begins_with(NAME, f"{group}/{prefix}"),
        descending=False,
        size=100,
    )
    summaries = [{**one, "Target": {"Arn": one["Target"]["Arn"]}} for one in shown]
    return {"Schedules": summaries, "NextToken": token}


def delete(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """DeleteSchedule; executions that it started go on."""
    name = _document_name(call, parameters)
    if not call.store.delete(SCHEDULE, call.region, name):
        raise _not_found(name)
    return {}


def get_group(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """GetScheduleGroup"""
    if parameters["Name"] != GROUP:
        raise AwsError(
            "ResourceNotFoundException", f"Schedule group {parameters['Name']} does not exist.", 404
        )
    return _group(call)


def list_groups(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """ListScheduleGroups: the one that every account has."""
    return {"ScheduleGroups": [_group(call)] if GROUP.startswith(parameters.get("NamePrefix", "")) else []}


SERVICE = "scheduler"
LISTINGS = (_SCHEDULES,)
OPERATIONS: dict[str, Handler] = {
    "CreateSchedule": create,
    "UpdateSchedule": update,
    "GetSchedule": get,
    "ListSchedules": list_schedules,
    "DeleteSchedule": delete,
    "GetScheduleGroup": get_group,
    "ListScheduleGroups": list_groups,
}


def _group(call: Call) -> Document:
    return {"Name": GROUP, "Arn": call.arn(f"schedule-group/{GROUP}", "scheduler"), "State": "ACTIVE"}


def _document_name(call: Call, parameters: dict[str, Any]) -> str:
    """Raises AwsError for a group that does not exist."""
    group = parameters.get("GroupName", GROUP)
    get_group(call, {"Name": group})
    return f"{group}/{parameters['Name']}"


def _load(call: Call, name: str) -> Document:
    document = call.store.get(SCHEDULE, call.region, name)
    if document is None:
        raise _not_found(name)
    return document


def _not_found(name: str) -> AwsError:
    return AwsError("ResourceNotFoundException", f"Schedule {name.partition('/')[2]} does not exist.", 404)


def _document(call: Call, parameters: dict[str, Any], now: float) -> Document:
    """The schedule that a request describes, without its creation and its next due time."""
    if parameters["FlexibleTimeWindow"]["Mode"] != "OFF":
        raise not_implemented("A FlexibleTimeWindow other than OFF")
    if "KmsKeyArn" in parameters:
        raise not_implemented("KmsKeyArn of a schedule")
    zone = parameters.get("ScheduleExpressionTimezone", "UTC")
    try:
        expression = schedules.parse(parameters["ScheduleExpression"])
        schedules.time_zone(zone)
    except schedules.ExpressionError as error:
        raise validation_error(f"Invalid Schedule Expression: {error}.") from error
    bounds: Document = {
        key: parameters[key].timestamp() for key in ("StartDate", "EndDate") if key in parameters
    }
    if "StartDate" in bounds and "EndDate" in bounds and bounds["StartDate"] >= bounds["EndDate"]:
        raise validation_error("The StartDate must be earlier than the EndDate.")
    is_once = isinstance(expression, schedules.At)
    if not is_once and bounds.get("StartDate", now) < now - EARLIEST_START:
        raise validation_error("The StartDate you specify cannot be earlier than 5 minutes ago.")
    return {
        **{key: parameters[key] for key in _KEPT if key in parameters},
        **bounds,
        "Arn": call.arn(f"schedule/{GROUP}/{parameters['Name']}", "scheduler"),
        "GroupName": GROUP,
        "ScheduleExpressionTimezone": zone,
        "State": parameters.get("State", "ENABLED"),
        "Target": _target(parameters["Target"]),
        "LastModificationDate": now,
        "_Anchor": now,
    }


def _target(target: Document) -> Document:
    if ":sagemaker:" not in target["Arn"] or ":pipeline/" not in target["Arn"]:
        raise not_implemented(f"A schedule of {target['Arn']}, which is no pipeline,")
    for name in sorted(target.keys() - {"Arn", "RoleArn", "RetryPolicy", "SageMakerPipelineParameters"}):
        raise not_implemented(f"{name} of a schedule's target")
    retry = {
        "MaximumRetryAttempts": _RETRIES,
        "MaximumEventAgeInSeconds": _AGE,
        **target.get("RetryPolicy", {}),
    }
    return {"SageMakerPipelineParameters": {}, **target, "RetryPolicy": retry}


def _set_next(document: Document, now: float) -> None:
    document["_Next"] = next(due_times(document, now - BEFORE_ANYTHING), None)
