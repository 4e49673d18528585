"""Asking SageMaker to bring a version to an endpoint, and waiting for the endpoint.

    model -> endpoint configuration -> endpoint created or updated -> InService or Failed

``rollout`` checks whether the version then answers, and decides what happens if it does not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from aws_formats.errors import GatehouseError
from aws_formats.service_errors import is_absent, is_present
from registry.clients import Clients
from registry.deployments import UNDER_WAY, DeploymentPlan
from registry.endpoint_requests import creation_request, update_request
from registry.environment_state import Endpoint, read_endpoint
from registry.environments import Environment

LOG_LINES = 20
"""Lines of the endpoint's log that are shown when it does not come up."""

PATIENCE = 2 * 3600.0
"""Seconds: twice what SageMaker itself allows a container for its start at most."""

Tell = Callable[[str], None]
"""Called with each step and each change of the endpoint's status, in words."""


def start_deployment(plan: DeploymentPlan, *, tell: Tell = lambda _: None) -> None:
    """Ask SageMaker for what a plan says, and return without waiting until the endpoint is in service.

    A failed endpoint is deleted first, and that is waited for. For callers that get an event when the
    endpoint is in service, and then call :func:`registry.rollout.prove_deployment`.
    """
    if plan.endpoint_action in ("none", "await"):
        return
    _create_model_and_config(plan, tell)
    environment, config = plan.state.environment, plan.config["EndpointConfigName"]
    sagemaker = environment.clients.client("sagemaker")
    if plan.endpoint_action == "replace":
        sagemaker.delete_endpoint(EndpointName=environment.endpoint)
        wait_for_endpoint(environment, tell)
    if plan.endpoint_action in ("create", "replace"):
        sagemaker.create_endpoint(**creation_request(environment, config))
    else:
        sagemaker.update_endpoint(**update_request(environment, config))


def ensure_model(clients: Clients, request: Mapping[str, Any]) -> bool:
    """Create a model that is named after its content, unless it exists; returns whether it was created."""
    sagemaker = clients.client("sagemaker")
    try:
        sagemaker.describe_model(ModelName=request["ModelName"])
    except ClientError as error:
        if not is_absent(error):
            raise
        return _created(sagemaker.create_model, request)
    return False


def _created(create: Callable[..., Any], request: Mapping[str, Any]) -> bool:
    """Create what is named after its content; False if somebody else created the same meanwhile."""
    try:
        create(**request)
    except ClientError as error:
        if not is_present(error):
            raise
        return False
    return True


def _create_model_and_config(plan: DeploymentPlan, tell: Tell) -> None:
    environment = plan.state.environment
    sagemaker = environment.clients.client("sagemaker")
    if ensure_model(environment.clients, plan.model):
        tell(f"model {plan.model['ModelName']} made of version {plan.version}")
    try:
        sagemaker.describe_endpoint_config(EndpointConfigName=plan.config["EndpointConfigName"])
    except ClientError as error:
        if not is_absent(error):
            raise
        if _created(sagemaker.create_endpoint_config, plan.config):
            tell(f"endpoint configuration {plan.config['EndpointConfigName']} made")


def wait_for_endpoint(environment: Environment, tell: Tell) -> Endpoint | None:
    """Wait until the endpoint's status changes no more; returns the endpoint, or None where it was deleted.

    Raises:
        GatehouseError: it still changes after two hours.
    """
    deadline = time.monotonic() + PATIENCE
    sagemaker = environment.clients.client("sagemaker")
    reported, pause = "", 0.05
    while time.monotonic() < deadline:
        try:
            status = sagemaker.describe_endpoint(EndpointName=environment.endpoint)["EndpointStatus"]
        except ClientError as error:
            if is_absent(error):
                return None
            raise
        if status != reported:
            tell(f"endpoint {environment.endpoint}: {status}")
            reported = status
        if status not in UNDER_WAY:
            return read_endpoint(environment)
        time.sleep(pause)
        pause = min(pause * 1.2, 10.0)
    raise GatehouseError(
        f"the endpoint is {reported} for two hours now",
        where=environment.endpoint,
        remedy=f"See `gatehouse environments {environment.project}`; the parameter is as it was",
    )


def tell_log_end(environment: Environment, tell: Tell) -> None:
    """Pass on the last lines that the endpoint's containers wrote, if there are any."""
    logs, group = environment.clients.client("logs"), f"/aws/sagemaker/Endpoints/{environment.endpoint}"
    try:
        streams = logs.describe_log_streams(logGroupName=group, orderBy="LastEventTime", descending=True)[
            "logStreams"
        ]
        if not streams:
            return
        # What served before goes on writing; what was started last is the one that did not come up.
        stream = max(streams, key=lambda found: found["creationTime"])["logStreamName"]
        events = logs.get_log_events(
            logGroupName=group, logStreamName=stream, limit=LOG_LINES, startFromHead=False
        )["events"]
    except ClientError as error:
        # What went wrong with the endpoint matters more than what went wrong with its log.
        if not is_absent(error):
            tell(f"its log {group} cannot be read: {error.response['Error']['Code']}")
        return
    tell(f"the end of its log ({group}, {stream}):")
    for event in events:
        tell(f"  {event['message'].rstrip()}")
