"""Models: one container or several in order, each an image with an artifact, or a registered version.

A model keeps what it was asked to be; what that means is worked out when an endpoint or a transform job
starts from it, and kept there. So a model made from a registered version names that version.
"""

from __future__ import annotations

from typing import Any

from sagemaker_local import clocks
from sagemaker_local.errors import not_implemented, validation_error
from sagemaker_local.hosting.fleet_spec import Container
from sagemaker_local.jobs import transfer
from sagemaker_local.jobs.failure import JobFailure
from sagemaker_local.services import paging, tags
from sagemaker_local.services.call import Call, Handler
from sagemaker_local.services.model_packages import load_package
from sagemaker_local.store import Document

MODEL = "model"
_MODELS = paging.named_listing(MODEL)
_NOT_HERE = (
    "AdditionalModelDataSources",
    "ImageConfig",
    "InferenceSpecificationName",
    "MultiModelConfig",
)


def load_model(call: Call, name: str) -> Document:
    """A model's document.

    Raises:
        AwsError: ValidationException, as AWS answers for a model that does not exist.
    """
    document = call.store.get(MODEL, call.region, name)
    if document is None:
        raise validation_error(f'Could not find model "{call.arn(f"model/{name}")}".')
    return document


def containers_of(call: Call, model: Document) -> tuple[Container, ...]:
    """What the model's processes need, in order; registered versions are looked up now.

    Raises:
        AwsError: a version is not there any more, or has nothing to serve.
    """
    entries = model.get("Containers") or [model["PrimaryContainer"]]
    found = [part for entry in entries for part in _resolved(call, entry)]
    names = [part["ContainerHostname"] for part in found if "ContainerHostname" in part]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise validation_error(f"Containers need host names of their own: {', '.join(repeated)}.")
    default = "primary" if len(found) == 1 else None
    return tuple(
        Container(
            name=part.get("ContainerHostname") or default or f"container-{number}",
            image=part["Image"],
            model_data=_artifact(part),
            environment=dict(part.get("Environment", {})),
            etag=_etag(part),
        )
        for number, part in enumerate(found, 1)
    )


def create_model(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """CreateModel"""
    name = parameters["ModelName"]
    check_request(parameters)
    arn = call.arn(f"model/{name}")
    document = {key: value for key, value in parameters.items() if key != "Tags"}
    document |= {"ModelArn": arn, "CreationTime": clocks.now()}
    containers_of(call, document)
    with call.store.transaction():
        if call.store.get(MODEL, call.region, name) is not None:
            raise validation_error(f'Cannot create already existing model "{arn}".')
        call.store.put(MODEL, call.region, name, document)
        tags.replace(call, arn, parameters.get("Tags"))
    return {"ModelArn": arn}


def describe_model(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """DescribeModel"""
    document = load_model(call, parameters["ModelName"])
    return {"EnableNetworkIsolation": False, **document}


def list_models(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """ListModels, newest first unless asked otherwise."""
    page, token = paging.named_page(call, _MODELS, parameters)
    return {"Models": page, "NextToken": token}


def delete_model(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """DeleteModel; endpoints that serve it are not affected."""
    with call.store.transaction():
        model = load_model(call, parameters["ModelName"])
        call.store.delete(MODEL, call.region, model["ModelName"])
        tags.drop(call, model["ModelArn"])
    return {}


SERVICE = "sagemaker"
LISTINGS = (_MODELS,)
OPERATIONS: dict[str, Handler] = {
    "CreateModel": create_model,
    "DescribeModel": describe_model,
    "ListModels": list_models,
    "DeleteModel": delete_model,
}
TRANSACTIONS = ("CreateModel", "DeleteModel")


def check_request(request: dict[str, Any]) -> None:
    """Refuse what is not done here, or cannot be meant, before anything is created."""
    if not request.get("PrimaryContainer") and not request.get("Containers"):
        raise validation_error("Give PrimaryContainer or Containers.")
    if request.get("PrimaryContainer") and request.get("Containers"):
        raise validation_error("Give PrimaryContainer or Containers, not both.")
    if request.get("InferenceExecutionConfig", {}).get("Mode") == "Direct":
        raise not_implemented("InferenceExecutionConfig.Mode Direct")
    for entry in request.get("Containers") or [request["PrimaryContainer"]]:
        _check_container(entry)


def _check_container(entry: Document) -> None:
    """What the shapes cannot say of one container definition."""
    for member in _NOT_HERE:
        if member in entry:
            raise not_implemented(f"{member} of a container")
    if entry.get("Mode") == "MultiModel":
        raise not_implemented("A container's Mode MultiModel")
    if "ModelPackageName" in entry:
        if {"Image", "ModelDataUrl", "ModelDataSource"} & entry.keys():
            raise validation_error(
                "A container is given by ModelPackageName or by Image and model data, not by both."
            )
    elif "Image" not in entry:
        raise validation_error("A container needs Image or ModelPackageName.")
    _artifact(entry)


def _artifact(entry: Document) -> str | None:
    """The S3 URI of a container's ``model.tar.gz``."""
    if "ModelDataUrl" in entry and "ModelDataSource" in entry:
        raise validation_error("Give ModelDataUrl or ModelDataSource, not both.")
    uri: str | None = entry.get("ModelDataUrl")
    if "ModelDataSource" in entry:
        source = entry["ModelDataSource"].get("S3DataSource", {})
        if source.get("S3DataType") != "S3Object" or source.get("CompressionType") != "Gzip":
            raise not_implemented("A ModelDataSource other than one S3Object with CompressionType Gzip")
        uri = source["S3Uri"]
    if uri is None:
        return None
    try:
        return str(transfer.parse_uri(uri))
    except JobFailure as error:
        raise not_implemented(f"Model data that is not in S3 ({uri})") from error


def _etag(entry: Document) -> str | None:
    """The ETag that the artifact must have: a version's ModelDataETag, or that of a ModelDataSource."""
    source = entry.get("ModelDataSource", {}).get("S3DataSource", {})
    found: str | None = entry.get("ModelDataETag") or source.get("ETag")
    return found.strip('"') if found else None


def _resolved(call: Call, entry: Document) -> list[Document]:
    """A container definition as it stands, or those of the version that it names."""
    if "ModelPackageName" not in entry:
        return [entry]
    package = load_package(call, entry["ModelPackageName"])
    arn = package["ModelPackageArn"]
    given = package.get("InferenceSpecification", {}).get("Containers", [])
    if not given:
        raise validation_error(f"Model package {arn} has no inference specification: it cannot be served.")
    if entry.get("Environment") and any(part.get("Environment") for part in given):
        raise validation_error(
            "Environment variable map cannot be specified both at Model Package and Model; the package"
            f" {arn} has one already."
        )
    shared = {key: entry[key] for key in ("Environment",) if entry.get(key)}
    if "ContainerHostname" in entry and len(given) == 1:
        shared["ContainerHostname"] = entry["ContainerHostname"]
    return [{**part, **shared} for part in given]
