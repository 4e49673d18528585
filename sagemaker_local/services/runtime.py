"""InvokeEndpoint: a model's answer for one payload, or an error in SageMaker's own words.

It runs in the event loop, unlike the other operations: a request waits for its model without a thread.
"""

from __future__ import annotations

import time
from typing import Any

from sagemaker_local import clocks
from sagemaker_local.errors import AwsError, not_implemented
from sagemaker_local.hosting import router
from sagemaker_local.hosting.capture import CaptureConfig, Captured
from sagemaker_local.hosting.endpoints import LOG_GROUP, NotInService
from sagemaker_local.services.call import AsyncHandler, Call
from sagemaker_local.services.metrics import count_invocation

LARGEST_PAYLOAD = 6 << 20
"""Bytes of a request and of an answer; botocore's model of the service has the same number."""

_NOT_HERE = {
    "TargetModel": "TargetModel (a multi-model endpoint)",
    "TargetContainerHostname": "TargetContainerHostname (direct invocation of a container)",
    "InferenceComponentName": "InferenceComponentName (an inference component)",
    "EnableExplanations": "EnableExplanations (online explainability)",
    "SessionId": "SessionId (a stateful session)",
}


async def invoke(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """InvokeEndpoint"""
    for member, what in _NOT_HERE.items():
        if member in parameters:
            raise not_implemented(what)
    name, asked = parameters["EndpointName"], time.monotonic()
    # CustomAttributes reach a container as a header, which a script's functions are not given.
    request = router.Request(parameters["Body"], parameters.get("ContentType"), parameters.get("Accept"))
    endpoints = call.components.endpoints
    try:
        await endpoints.ready(call.region, name)
        with endpoints.leased(call.region, name) as fleet:
            variant = parameters.get("TargetVariant") or router.choose_variant(fleet)
            if fleet.spec.variant(variant) is None:
                raise AwsError(
                    "ValidationError",
                    f"Variant {variant} not found for endpoint {name}. Its variants:"
                    f" {', '.join(one.name for one in fleet.spec.variants)}.",
                )
            sent = time.monotonic()

            def count(status: int) -> None:
                model, metrics = time.monotonic() - sent, call.components.metrics
                count_invocation(metrics, call.region, name, variant, status, model, sent - asked)

            try:
                found = await router.send(fleet, variant, request)
                count(200)
            except router.ContainerError as problem:
                count(problem.status)
                raise
    except NotInService as problem:
        raise AwsError("ValidationError", str(problem)) from problem
    except router.NotReady as problem:
        raise AwsError(
            "ServiceUnavailable",
            f"No instance of endpoint {name} is ready: its model server keeps ending. Its log is in"
            f" {LOG_GROUP}{name}.",
            503,
        ) from problem
    except router.ContainerError as problem:
        raise _model_error(call, name, problem) from problem
    if len(found.body) > LARGEST_PAYLOAD:
        reason = f"The answer has {len(found.body)} bytes; {LARGEST_PAYLOAD} are the limit."
        raise _model_error(call, name, router.ContainerError(found.container, 500, reason))
    _capture(call, fleet.spec.capture, parameters, found)
    return {
        "Body": found.body,
        "ContentType": found.content_type,
        "InvokedProductionVariant": found.variant,
    }


SERVICE = "sagemaker-runtime"
OPERATIONS: dict[str, AsyncHandler] = {"InvokeEndpoint": invoke}


def _capture(
    call: Call, config: CaptureConfig | None, parameters: dict[str, Any], answer: router.Answer
) -> None:
    """Have a request that was answered written, if it is drawn; nothing of it is done here."""
    if config is None or not config.draw():
        return
    captured = Captured(
        config=config,
        region=call.region,
        endpoint=parameters["EndpointName"],
        variant=answer.variant,
        moment=clocks.now(),
        body=parameters["Body"],
        content_type=parameters.get("ContentType"),
        answer=answer.body,
        answer_type=answer.content_type,
        inference_id=parameters.get("InferenceId"),
        custom_attributes=parameters.get("CustomAttributes"),
    )
    call.components.captures.add(captured)


def _model_error(call: Call, name: str, problem: router.ContainerError) -> AwsError:
    side = "client" if 400 <= problem.status < 500 else "server"
    group = f"{LOG_GROUP}{name}"
    return AwsError(
        "ModelError",
        f'Received {side} error ({problem.status}) from {problem.container} with message "{problem.message}".'
        f" See the log group {group} for more information.",
        424,
        {
            "OriginalStatusCode": problem.status,
            "OriginalMessage": problem.message,
            "LogStreamArn": call.arn(f"log-group:{group}", "logs"),
        },
    )
