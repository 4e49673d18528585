"""What SageMaker is asked for so that a version serves in an environment: four requests, as pure functions.

    model_request -> config_request -> creation_request, or update_request where there is an endpoint

Models and endpoint configurations are named after their content: the version, the role, the environment's
settings. So what is there already is used again, and a deployment that broke off goes on
where it stopped.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC
from typing import Any

from aws_formats.arns import group_and_version
from registry.clients import tag_list
from registry.environments import Capture, Environment
from registry.invocations import CSV, JSON
from registry.network import Network

VARIANT = "AllTraffic"
NAME_LIMIT = 63


def model_request(
    version: Mapping[str, Any], role_arn: str, network: Network, tags: Mapping[str, str]
) -> dict[str, Any]:
    """CreateModel's request: all of a described version's containers, in order, by the version's ARN.

    Its tags name no environment: the same request from another environment is the same model. When the
    version was registered is part of the name: a group that was deleted and made again gives its ARNs to
    other versions.
    """
    arn = version["ModelPackageArn"]
    content: dict[str, Any] = {
        "Containers": [{"ModelPackageName": arn}],
        "ExecutionRoleArn": role_arn,
        **network.of_model(),
    }
    group, number = group_and_version(arn)
    registered = version["CreationTime"].astimezone(UTC).isoformat()
    name = named(f"{group}-{number}", {**content, "CreationTime": registered})
    return {"ModelName": name, **content, "Tags": tag_list(tags)}


def config_request(environment: Environment, model: str) -> dict[str, Any]:
    """CreateEndpointConfig's request."""
    optional = {
        "VolumeSizeInGB": environment.volume_size_gb,
        "ContainerStartupHealthCheckTimeoutInSeconds": environment.startup_timeout_seconds,
        "ModelDataDownloadTimeoutInSeconds": environment.download_timeout_seconds,
    }
    variant = {
        "VariantName": VARIANT,
        "ModelName": model,
        "InstanceType": environment.instance_type,
        "InitialInstanceCount": environment.instance_count,
        "InitialVariantWeight": 1.0,
        **{key: value for key, value in optional.items() if value is not None},
    }
    content: dict[str, Any] = {"ProductionVariants": [variant]}
    if environment.kms_key is not None:
        content["KmsKeyId"] = environment.kms_key
    if environment.capture is not None:
        content["DataCaptureConfig"] = _capture_config(environment.capture, environment.kms_key)
    return {
        "EndpointConfigName": named(environment.endpoint, content),
        **content,
        "Tags": tag_list(environment.own_tags),
    }


def _capture_config(capture: Capture, kms_key: str | None) -> dict[str, Any]:
    """Both sides of each request that is drawn; CSV and JSON as text, anything else as base64."""
    return {
        "EnableCapture": True,
        "InitialSamplingPercentage": capture.percent,
        "DestinationS3Uri": capture.destination,
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        "CaptureContentTypeHeader": {"CsvContentTypes": [CSV], "JsonContentTypes": [JSON]},
        **({"KmsKeyId": kms_key} if kms_key is not None else {}),
    }


def creation_request(environment: Environment, config: str) -> dict[str, Any]:
    """CreateEndpoint's request, for the endpoint configuration of that name."""
    return {
        "EndpointName": environment.endpoint,
        "EndpointConfigName": config,
        "Tags": tag_list(environment.own_tags),
    }


def update_request(environment: Environment, config: str) -> dict[str, Any]:
    """UpdateEndpoint's request, for the endpoint configuration of that name."""
    deployment = _deployment_config(environment)
    return {
        "EndpointName": environment.endpoint,
        "EndpointConfigName": config,
        **({"DeploymentConfig": deployment} if deployment else {}),
    }


def named(stem: str, content: Mapping[str, Any]) -> str:
    """A name that says what it is of and changes with the content: stem and ten hexadecimal digits."""
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:10]
    return f"{stem[: NAME_LIMIT - 11].rstrip('-')}-{digest}"


def _deployment_config(environment: Environment) -> dict[str, Any]:
    """UpdateEndpoint's blue/green policy; empty where SageMaker's own default does: all at once."""
    config: dict[str, Any] = {}
    if environment.canary_percent is not None or environment.bake_seconds:
        traffic: dict[str, Any] = {
            "Type": "ALL_AT_ONCE",
            "WaitIntervalInSeconds": environment.bake_seconds,
        }
        if environment.canary_percent is not None:
            size = {"Type": "CAPACITY_PERCENT", "Value": environment.canary_percent}
            traffic = {**traffic, "Type": "CANARY", "CanarySize": size}
        config["BlueGreenUpdatePolicy"] = {"TrafficRoutingConfiguration": traffic}
    if environment.alarms:
        alarms = [{"AlarmName": name} for name in environment.alarms]
        config["AutoRollbackConfiguration"] = {"Alarms": alarms}
        # SageMaker accepts alarms together with a policy only.
        config.setdefault(
            "BlueGreenUpdatePolicy",
            {"TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}},
        )
    return config
