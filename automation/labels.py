"""How far a deployment has come, kept as labels on its record in the deployment history.

A record is a version of the environment's parameter, and Parameter Store can label single versions of one. A
label is on one version at most.
"""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from aws_formats.service_errors import is_absent
from registry.deployment_history import DeploymentRecord
from registry.environments import Environment

STARTED = "gatehouse-started"
"""SageMaker was asked for the endpoint."""

ANNOUNCED = "gatehouse-announced"
"""The version serves and has answered, and people were told."""

LEFT_SERVING = "gatehouse-kept"
"""The version is not approved any more, there is none to go back to, and people were told."""


def has_label(environment: Environment, record: DeploymentRecord, label: str) -> bool:
    """Whether a record carries a label."""
    return _labelled_number(environment, label) == record.number


def add_labels(environment: Environment, record: DeploymentRecord, *labels: str) -> None:
    """Put labels on a record; another record that has one of them loses it."""
    environment.clients.client("ssm").label_parameter_version(
        Name=environment.parameter, ParameterVersion=record.number, Labels=list(labels)
    )


def mark_announced(environment: Environment, record: DeploymentRecord) -> None:
    """Label a record as announced, and leave no label on an older one.

    Parameter Store keeps a hundred versions, and refuses the next while the oldest of them has a label.
    """
    add_labels(environment, record, STARTED, ANNOUNCED)
    left_serving = _labelled_number(environment, LEFT_SERVING)
    if left_serving is not None:
        environment.clients.client("ssm").unlabel_parameter_version(
            Name=environment.parameter, ParameterVersion=left_serving, Labels=[LEFT_SERVING]
        )


def _labelled_number(environment: Environment, label: str) -> int | None:
    """The number of the record that carries a label; None if none does."""
    try:
        labelled: dict[str, Any] = environment.clients.client("ssm").get_parameter(
            Name=f"{environment.parameter}:{label}"
        )
    except ClientError as error:
        if is_absent(error):
            return None
        raise
    return int(labelled["Parameter"]["Version"])
