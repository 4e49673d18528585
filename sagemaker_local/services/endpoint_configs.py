"""Endpoint configurations: which models an endpoint serves, on how many instances, with which weights."""

from __future__ import annotations

from typing import Any

from sagemaker_local import clocks
from sagemaker_local.errors import AwsError, not_implemented, validation_error
from sagemaker_local.hosting.capture import read_config
from sagemaker_local.hosting.fleet_spec import STARTUP_SECONDS, FleetSpec, Variant, new_spec
from sagemaker_local.services import paging, tags
from sagemaker_local.services.call import Call, Handler
from sagemaker_local.services.models import containers_of, load_model
from sagemaker_local.store import Document

CONFIG = "endpoint-config"
_CONFIGS = paging.named_listing(CONFIG)

MOST_INSTANCES = 8
"""Of one variant. Each is a process here, so a typing mistake in a count could stop the machine."""

_NOT_HERE = (
    "AsyncInferenceConfig",
    "ExplainerConfig",
    "ShadowProductionVariants",
    "CrossRegionTrafficConfig",
)
_NOT_HERE_OF_A_VARIANT = ("ServerlessConfig", "ManagedInstanceScaling", "InstancePools", "CoreDumpConfig")


def load_config(call: Call, name: str) -> Document:
    """An endpoint configuration's document.

    Raises:
        AwsError: ValidationException, as AWS answers for one that does not exist.
    """
    document = call.store.get(CONFIG, call.region, name)
    if document is None:
        arn = call.arn(f"endpoint-config/{name}")
        raise validation_error(f'Could not find endpoint configuration "{arn}".')
    return document


def spec_of(call: Call, config: Document) -> FleetSpec:
    """All that an endpoint with this configuration needs, as the models are now.

    Raises:
        AwsError: a model or a registered version is not there any more.
    """
    variants = (
        Variant(
            name=variant["VariantName"],
            model=variant["ModelName"],
            containers=containers_of(call, load_model(call, variant["ModelName"])),
            instances=variant["InitialInstanceCount"],
            weight=variant["InitialVariantWeight"],
            instance_type=variant.get("InstanceType"),
            startup_seconds=variant.get("ContainerStartupHealthCheckTimeoutInSeconds", STARTUP_SECONDS),
        )
        for variant in config["ProductionVariants"]
    )
    return new_spec(variants, read_config(config.get("DataCaptureConfig")))


def check_instances(variant: str, count: int) -> None:
    """Raises AwsError for more instances than this machine runs."""
    if count > MOST_INSTANCES:
        raise AwsError(
            "ResourceLimitExceeded",
            f"The local SageMaker runs at most {MOST_INSTANCES} instances of a variant; {variant} asks for"
            f" {count}.",
        )


def create_config(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """CreateEndpointConfig"""
    name = parameters["EndpointConfigName"]
    for member in _NOT_HERE:
        if member in parameters:
            raise not_implemented(member)
    read_config(parameters.get("DataCaptureConfig"))
    variants = [_variant(call, variant) for variant in parameters["ProductionVariants"]]
    names = [variant["VariantName"] for variant in variants]
    if len(set(names)) < len(names):
        raise validation_error("Production variants need different names.")
    arn = call.arn(f"endpoint-config/{name}")
    document = {key: value for key, value in parameters.items() if key != "Tags"}
    document |= {
        "ProductionVariants": variants,
        "EndpointConfigArn": arn,
        "CreationTime": clocks.now(),
    }
    with call.store.transaction():
        if call.store.get(CONFIG, call.region, name) is not None:
            raise validation_error(f'Cannot create already existing endpoint configuration "{arn}".')
        call.store.put(CONFIG, call.region, name, document)
        tags.replace(call, arn, parameters.get("Tags"))
    return {"EndpointConfigArn": arn}


def describe_config(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """DescribeEndpointConfig"""
    return load_config(call, parameters["EndpointConfigName"])


def list_configs(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """ListEndpointConfigs, newest first unless asked otherwise."""
    page, token = paging.named_page(call, _CONFIGS, parameters)
    return {"EndpointConfigs": page, "NextToken": token}


def delete_config(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """DeleteEndpointConfig; endpoints that were made from it are not affected."""
    with call.store.transaction():
        config = load_config(call, parameters["EndpointConfigName"])
        call.store.delete(CONFIG, call.region, config["EndpointConfigName"])
        tags.drop(call, config["EndpointConfigArn"])
    return {}


SERVICE = "sagemaker"
LISTINGS = (_CONFIGS,)
OPERATIONS: dict[str, Handler] = {
    "CreateEndpointConfig": create_config,
    "DescribeEndpointConfig": describe_config,
    "ListEndpointConfigs": list_configs,
    "DeleteEndpointConfig": delete_config,
}
TRANSACTIONS = ("CreateEndpointConfig", "DeleteEndpointConfig")


def _variant(call: Call, variant: Document) -> Document:
    """A production variant with the members that have defaults."""
    name = variant["VariantName"]
    for member in _NOT_HERE_OF_A_VARIANT:
        if member in variant:
            raise not_implemented(f"{member} of production variant {name}")
    for member in ("ModelName", "InitialInstanceCount", "InstanceType"):
        if member not in variant:
            raise validation_error(f"Production variant {name} needs {member}.")
    check_instances(name, variant["InitialInstanceCount"])
    load_model(call, variant["ModelName"])
    return {"InitialVariantWeight": 1.0, **variant}
