"""Delivering to a target: a function, a topic, a queue, a pipeline.

Topics and queues are in the store, so delivering to them and deleting the delivery are one
transaction. A function or a pipeline may be called again after a death in between; a pipeline's start
carries the delivery's id as its token, so that it is not started twice.

Retries, as on AWS: a rule's target by its RetryPolicy (185 times within a day where it has none), but a
function's own errors by the function's event invoke configuration (twice within six hours), after which
the event goes to the function's OnFailure destination or its dead-letter queue. The waits between the
attempts are seconds here where AWS waits minutes: 1, 2, 4, ... up to 60.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import Any

from aws_formats.arns import LATEST, parse_function_name
from sagemaker_local import clocks
from sagemaker_local.api import Api, RoleSession
from sagemaker_local.errors import AwsError
from sagemaker_local.events import messages, outbox, topics
from sagemaker_local.events.function_documents import FUNCTION
from sagemaker_local.events.functions import Functions
from sagemaker_local.events.outbox import Delivery
from sagemaker_local.store import Document, Store

PIPELINE_PARAMETERS = "SageMakerPipelineParameters"
_RULE_ATTEMPTS, _RULE_AGE = 185, outbox.MOST_AGE
_FUNCTION_ATTEMPTS, _FUNCTION_AGE = 2, 6 * 3600
_LONGEST_WAIT = 60.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Failure:
    """An attempt that failed.

    Attributes:
        by_function: the function itself failed, which is its own policy's business.
        answer: what a failed function answered, JSON.
        is_final: no further attempt could end otherwise.
    """

    code: str
    message: str
    by_function: bool = False
    answer: str | None = None
    is_final: bool = False


def kind_of(arn: str) -> str | None:
    """``lambda``, ``sns``, ``sqs`` or ``pipeline``; None for a target that cannot be delivered to here."""
    parts = arn.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn":
        return None
    service, resource = parts[2], parts[5]
    if service == "sagemaker":
        return "pipeline" if resource.startswith("pipeline/") else None
    if service == "lambda":  # functions have no versions here, and so no aliases
        named = parse_function_name(arn)
        return "lambda" if named is not None and named.qualifier == LATEST else None
    return service if service in ("sns", "sqs") else None


def deliver(store: Store, functions: Functions, api: Api, delivery: Delivery) -> None:
    """Make one attempt and write its outcome: done, to be tried again, or dropped.

    Raises:
        Closing: the endpoint closes; the delivery stays claimed until this process is gone.
    """
    arn = delivery.target["Arn"]
    if kind_of(arn) in ("sns", "sqs"):
        with store.transaction():
            failure = _put(store, delivery)
            _write_outcome(store, delivery, failure)
        return
    if kind_of(arn) == "lambda":
        failure = _invoke(store, functions, delivery)
    else:
        failure = _start_pipeline(api, delivery)
    with store.transaction():
        _write_outcome(store, delivery, failure)


def _put(store: Store, delivery: Delivery) -> Failure | None:
    arn = delivery.target["Arn"]
    region, name = arn.split(":")[3], arn.rpartition(":")[2]
    try:
        if kind_of(arn) == "sns":
            topics.publish(store, region, name, delivery.payload)
        else:
            messages.send(store, region, name, delivery.payload)
    except LookupError as error:
        return Failure("NO_RESOURCE", str(error), is_final=True)
    return None


def _start_pipeline(api: Api, delivery: Delivery) -> Failure | None:
    region, name = delivery.target["Arn"].split(":")[3], delivery.target["Arn"].partition("pipeline/")[2]
    request: dict[str, Any] = {"PipelineName": name, "ClientRequestToken": delivery.id}
    given = delivery.target.get(PIPELINE_PARAMETERS, {}).get("PipelineParameterList")
    if given:
        request["PipelineParameters"] = given
    try:
        api(region, "sagemaker", "StartPipelineExecution", request, _session(delivery))
    except AwsError as error:
        return Failure(error.code, error.message, is_final=error.status < 500)
    return None


def _session(delivery: Delivery) -> RoleSession | None:
    """In whose name the rule starts a pipeline; None where its target names no role."""
    role = delivery.target.get("RoleArn")
    return RoleSession(role, f"events-{delivery.rule.rpartition('/')[2]}"[:64]) if role else None


def _invoke(store: Store, functions: Functions, delivery: Delivery) -> Failure | None:
    arn = delivery.target["Arn"]
    document = _function(store, delivery)
    if not document:
        return Failure("NO_RESOURCE", f"there is no function {arn}", is_final=True)
    try:
        json.loads(delivery.payload)
    except ValueError as error:
        return Failure("INVALID_JSON", f"the function's input is not JSON: {error}", is_final=True)
    try:
        answer = functions.invoke(document, delivery.payload, delivery.id)
    except OSError as error:
        return Failure("SDK_CLIENT_ERROR", f"no process could be started: {error}")
    if answer.error is None:
        return None
    answered = json.loads(answer.payload)
    message = f"{answered.get('errorType', 'Error')}: {answered.get('errorMessage', '')}"
    return Failure("Unhandled", message, by_function=True, answer=answer.payload)


def _write_outcome(store: Store, delivery: Delivery, failure: Failure | None) -> None:
    if failure is None:
        outbox.delete_delivery(store, delivery)
        return
    attempts, age = _policy(store, delivery, failure)
    now = store.steady_time()
    is_last = failure.is_final or delivery.attempts >= attempts
    wait = min(2.0**delivery.attempts, _LONGEST_WAIT)
    if not is_last and now + wait <= delivery.created + age:
        outbox.retry_later(store, delivery, now + wait)
        return
    outbox.delete_delivery(store, delivery)
    if failure.by_function:
        _drop_invocation(store, delivery, failure, "RetriesExhausted" if is_last else "EventAgeExceeded")
    else:
        _drop_delivery(
            store, delivery, failure, "MaximumRetryAttempts" if is_last else "MaximumEventAgeInSeconds"
        )


def _policy(store: Store, delivery: Delivery, failure: Failure) -> tuple[int, float]:
    """How many attempts may follow the first, and how old a delivery may get."""
    if failure.by_function:
        policy = _function(store, delivery).get("_EventInvokeConfig", {})
        default_attempts, default_age = _FUNCTION_ATTEMPTS, _FUNCTION_AGE
    else:
        policy = delivery.target.get("RetryPolicy", {})
        default_attempts, default_age = _RULE_ATTEMPTS, _RULE_AGE
    return (
        policy.get("MaximumRetryAttempts", default_attempts),
        policy.get("MaximumEventAgeInSeconds", default_age),
    )


def _function(store: Store, delivery: Delivery) -> Document:
    """The target's; empty where there is none any more."""
    named = parse_function_name(delivery.target["Arn"])
    return (store.get(FUNCTION, named.region, named.name) if named and named.region else None) or {}


def _drop_delivery(store: Store, delivery: Delivery, failure: Failure, why: str) -> None:
    """To the target's dead-letter queue, as EventBridge does it: the input, and what went wrong beside it."""
    queue = delivery.target.get("DeadLetterConfig", {}).get("Arn")
    about = {
        "RULE_ARN": delivery.rule,
        "TARGET_ARN": delivery.target["Arn"],
        "ERROR_CODE": failure.code,
        "ERROR_MESSAGE": failure.message,
        "EXHAUSTED_RETRY_CONDITION": why,
        "RETRY_ATTEMPTS": str(delivery.attempts),
    }
    _put_into_dead_letters(store, queue, delivery.payload, about)


def _drop_invocation(store: Store, delivery: Delivery, failure: Failure, condition: str) -> None:
    """To the function's OnFailure destination with a record of the call, and to its dead-letter queue."""
    document = _function(store, delivery)
    config = document.get("_EventInvokeConfig", {})
    destination = config.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
    if destination is not None:
        record = {
            "version": "1.0",
            "timestamp": outbox.time_text(clocks.now()),
            "requestContext": {
                "requestId": delivery.id,
                "functionArn": f"{delivery.target['Arn']}:$LATEST",
                "condition": condition,
                "approximateInvokeCount": delivery.attempts + 1,
            },
            "requestPayload": json.loads(delivery.payload),
            "responseContext": {
                "statusCode": 200,
                "executedVersion": "$LATEST",
                "functionError": failure.code,
            },
            "responsePayload": json.loads(failure.answer or "null"),
        }
        _put_into_dead_letters(store, destination, json.dumps(record), {})
    about = {"RequestID": delivery.id, "ErrorCode": "200", "ErrorMessage": failure.message}
    dead_letters = document.get("DeadLetterConfig", {}).get("TargetArn")
    if dead_letters or destination is None:
        _put_into_dead_letters(store, dead_letters, delivery.payload, about)


def _put_into_dead_letters(store: Store, arn: str | None, body: str, about: dict[str, str]) -> None:
    """Put what could not be delivered into a queue or a topic; where there is none, write it to the log."""
    attributes = {name: messages.text_attribute(value) for name, value in about.items() if value}
    try:
        if arn is None:
            raise LookupError("there is no dead-letter queue")
        region, name = arn.split(":")[3], arn.rpartition(":")[2]
        if kind_of(arn) == "sns":
            topics.publish(store, region, name, body, attributes=attributes)
        else:
            messages.send(store, region, name, body, attributes)
    except LookupError as error:
        _log.error("An event is dropped, and %s. %s: %s", error, about, body)
