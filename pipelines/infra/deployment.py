"""Stacks in AWS: what a deployment would change, by CloudFormation's own change sets, and the deployment.

A change set is CloudFormation's plan: it is made, read and, if it is only looked at, deleted again; the stack
does not change. A stack that is not there yet is not asked for: the template says what it would make.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from botocore.exceptions import ClientError

from aws_formats.errors import GatehouseError
from aws_formats.service_errors import is_absent
from pipelines.infra.stacks import Stack, missing_parameters

PATIENCE = 1800.0
"""Seconds that a change of a stack may take."""

_NOTHING = ("didn't contain changes", "No updates are to be performed")
_BUSY = "_IN_PROGRESS"
_GOOD = ("CREATE_COMPLETE", "UPDATE_COMPLETE")


@dataclass(frozen=True)
class StackPlan:
    """What a deployment would do to one stack.

    Attributes:
        action: replace is a stack whose creation failed: it is deleted and made anew.
        changes: one line each.
        change_set: of an update that is about to be carried out.
    """

    stack: Stack
    action: Literal["create", "replace", "update", "none"]
    changes: tuple[str, ...]
    change_set: str | None = None


def plan_stack(stack: Stack, cloudformation: Any, *, keep: bool = False) -> StackPlan:
    """What a deployment would change.

    Args:
        keep: leave the change set for :func:`apply_stack`; otherwise nothing stays behind.

    Raises:
        GatehouseError: a new stack lacks a parameter, or the stack is being changed now.
    """
    live = _describe(stack.name, cloudformation)
    if live is None or live["StackStatus"] in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "REVIEW_IN_PROGRESS"):
        missing = missing_parameters(stack)
        if missing:
            raise GatehouseError(
                f"the parameter {missing[0]} has no value yet",
                where=f"stack {stack.name}",
                remedy=f"Give it once with --parameter {missing[0]}=VALUE; later deployments keep it",
            )
        changes = tuple(f"add {kind} {name}" for name, kind in stack.resources())
        return StackPlan(stack, "create" if live is None else "replace", changes)
    if live["StackStatus"].endswith(_BUSY):
        raise GatehouseError(
            f"it is {live['StackStatus']}", where=f"stack {stack.name}", remedy="Wait until that has ended"
        )
    try:
        change_set = _make_change_set(stack, live, cloudformation)
    except ClientError as error:  # what most accounts answer in the change set itself
        if any(text in str(error) for text in _NOTHING):
            return StackPlan(stack, "none", ())
        raise
    described = _change_set(change_set, cloudformation)
    nothing = described["Status"] == "FAILED" and any(
        text in described.get("StatusReason", "") for text in _NOTHING
    )
    if described["Status"] == "FAILED" and not nothing:
        cloudformation.delete_change_set(ChangeSetName=change_set)
        raise GatehouseError(
            f"CloudFormation refuses the change: {described.get('StatusReason', 'no reason is given')}",
            where=f"stack {stack.name}",
        )
    changes = tuple(_in_words(described))
    kept = keep and bool(changes) and not nothing
    if not kept:
        cloudformation.delete_change_set(ChangeSetName=change_set)
    return StackPlan(stack, "update" if changes else "none", changes, change_set if kept else None)


def apply_stack(plan: StackPlan, cloudformation: Any, tell: Callable[[str], None]) -> dict[str, str]:
    """Carry a plan out and wait for its end.

    Returns:
        The stack's outputs.

    Raises:
        GatehouseError: CloudFormation did not succeed; what failed first, and why. It has gone back by then.
    """
    stack = plan.stack
    if plan.action == "replace":
        cloudformation.delete_stack(StackName=stack.name)
        _wait(stack.name, cloudformation, tell, gone=True)
    if plan.action in ("create", "replace"):
        cloudformation.create_stack(
            StackName=stack.name,
            TemplateBody=stack.template,
            Parameters=_given(stack.parameters),
            Tags=_tags(stack),
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
    elif plan.action == "update":
        cloudformation.execute_change_set(ChangeSetName=plan.change_set)
    if plan.action != "none":
        _wait(stack.name, cloudformation, tell)
    live = _describe(stack.name, cloudformation) or {}
    return {output["OutputKey"]: output["OutputValue"] for output in live.get("Outputs", ())}


def remove_stack(name: str, cloudformation: Any, tell: Callable[[str], None]) -> bool:
    """Delete a stack and wait for its end; whether there was one.

    Raises:
        GatehouseError: CloudFormation could not delete it.
    """
    if _describe(name, cloudformation) is None:
        return False
    cloudformation.delete_stack(StackName=name)
    _wait(name, cloudformation, tell, gone=True)
    return True


def stack_exists(name: str, cloudformation: Any) -> bool:
    """Whether there is a stack of that name."""
    return _describe(name, cloudformation) is not None


def _describe(name: str, cloudformation: Any) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if is_absent(error):
            return None
        raise
    return found


def _make_change_set(stack: Stack, live: Mapping[str, Any], cloudformation: Any) -> str:
    declared = stack.content["Parameters"]
    kept = [
        {"ParameterKey": parameter["ParameterKey"], "UsePreviousValue": True}
        for parameter in live.get("Parameters", ())
        if parameter["ParameterKey"] in declared and parameter["ParameterKey"] not in stack.parameters
    ]
    made = cloudformation.create_change_set(
        StackName=stack.name,
        ChangeSetName=f"gatehouse-{uuid.uuid4().hex[:12]}",
        ChangeSetType="UPDATE",
        TemplateBody=stack.template,
        Parameters=[*_given(stack.parameters), *kept],
        Tags=_tags(stack),
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    return str(made["Id"])


def _change_set(change_set: str, cloudformation: Any) -> dict[str, Any]:
    """The change set with all of its changes, once CloudFormation has made it."""
    for pause in _pauses(f"change set {change_set}"):
        described: dict[str, Any] = cloudformation.describe_change_set(ChangeSetName=change_set)
        if described["Status"] in ("CREATE_COMPLETE", "FAILED"):
            break
        time.sleep(pause)
    changes, token = list(described.get("Changes", ())), described.get("NextToken")
    while token:
        page = cloudformation.describe_change_set(ChangeSetName=change_set, NextToken=token)
        changes += page["Changes"]
        token = page.get("NextToken")
    return {**described, "Changes": changes}


def _in_words(change_set: Mapping[str, Any]) -> Iterator[str]:
    for entry in change_set["Changes"]:
        change = entry["ResourceChange"]
        what = f"{change['Action'].lower()} {change['ResourceType']} {change['LogicalResourceId']}"
        targets = [detail.get("Target", {}) for detail in change.get("Details", ())]
        names = sorted({target.get("Name") or target.get("Attribute", "") for target in targets} - {""})
        if names:
            what += f": {', '.join(names)}"
        if change.get("Replacement") == "True":
            what += " (it is replaced)"
        yield what


def _wait(name: str, cloudformation: Any, tell: Callable[[str], None], *, gone: bool = False) -> None:
    reported = ""
    for pause in _pauses(f"stack {name}"):
        live = _describe(name, cloudformation)
        if live is None or live["StackStatus"] == "DELETE_COMPLETE":
            if gone:
                return
            raise GatehouseError("it was deleted meanwhile", where=f"stack {name}")
        status = live["StackStatus"]
        if status != reported:
            tell(f"{name}: {status}")
            reported = status
        if not status.endswith(_BUSY):
            if status in _GOOD and not gone:
                return
            raise _failed(name, status, cloudformation)
        time.sleep(pause)


def _pauses(what: str) -> Iterator[float]:
    """Seconds to wait between two looks, longer and longer.

    Raises:
        GatehouseError: the time is up.
    """
    deadline, pause = time.monotonic() + PATIENCE, 0.1
    while time.monotonic() < deadline:
        yield pause
        pause = min(pause * 1.5, 10.0)
    raise GatehouseError(f"it is not done after {PATIENCE / 60:.0f} minutes", where=what)


def _failed(name: str, status: str, cloudformation: Any) -> GatehouseError:
    """The first event that failed says why; the rest follows from it."""
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    reasons = [
        f"{event['LogicalResourceId']}: {event['ResourceStatusReason']}"
        for event in events  # newest first
        if event["ResourceStatus"].endswith("_FAILED") and event.get("ResourceStatusReason")
    ]
    why = reasons[-1] if reasons else "its events give no reason"
    return GatehouseError(
        f"it is {status}: {why}", where=f"stack {name}", remedy="Correct that and deploy again"
    )


def _given(parameters: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in sorted(parameters.items())]


def _tags(stack: Stack) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in sorted(stack.tags.items())]
