"""Pipelines and their versions: what a definition is checked against before it is kept.

A definition is parsed and checked when it arrives, so that a mistake shows up at the upsert and not
in an execution. Each creation or update makes a version, which never changes but for its name and
description; the pipeline itself always is its newest version.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from sagemaker_local import clocks
from sagemaker_local.errors import AwsError, not_found, not_implemented, validation_error
from sagemaker_local.execution.graph import check_definition
from sagemaker_local.services import paging, tags
from sagemaker_local.services.call import Call, Handler
from sagemaker_local.services.identity import user_context
from sagemaker_local.services.step_requests import refuse_what_is_not_done_here
from sagemaker_local.store import Document
from sagemaker_local.store.listing import NAME, Listing, begins_with, member

_LONGEST_DEFINITION = 1 << 20
"""Bytes; SageMaker's own cap."""

_VERSIONED = (
    "PipelineDefinition",
    "PipelineDisplayName",
    "PipelineDescription",
    "RoleArn",
    "ParallelismConfiguration",
)
_ACTIVE = ("Executing", "Stopping")
_PIPELINES = paging.named_listing("pipeline")
_VERSIONS = Listing(
    "pipeline-version", {"Version": (member("PipelineVersionId", is_number=True),)}, of_parent=True
)


def load_pipeline(call: Call, name_or_arn: str) -> Document:
    """A pipeline's document by its name or ARN.

    Raises:
        AwsError: ResourceNotFound.
    """
    name = name_or_arn.rsplit("/", 1)[-1]
    document = call.store.get("pipeline", call.region, name)
    if document is None or (name_or_arn != name and document["PipelineArn"] != name_or_arn):
        raise not_found("Pipeline", name_or_arn)
    return document


def load_version(call: Call, name: str, version_id: int) -> Document:
    """One version of the pipeline `name`: what it held then, with ``PipelineVersionId``.

    Raises:
        AwsError: ResourceNotFound.
    """
    document = call.store.get("pipeline-version", call.region, f"{name}/{version_id}")
    if document is None:
        raise not_found("Pipeline version", f"{name}/{version_id}")
    return document


def version_named(pipeline: Document, parameters: dict[str, Any]) -> int:
    """The number of the version that a request names by PipelineVersionId or by an alias; else the newest.

    Raises:
        AwsError: both are given, or no version has that alias.
    """
    alias, aliases = parameters.get("PipelineVersionAlias"), pipeline.get("_Aliases", {})
    if alias is None:
        return int(parameters.get("PipelineVersionId") or pipeline["_Version"])
    if "PipelineVersionId" in parameters:
        raise validation_error("Give one of PipelineVersionId and PipelineVersionAlias, not both.")
    if alias not in aliases:
        raise not_found("Pipeline version", f"{pipeline['PipelineName']}/{alias}")
    return int(aliases[alias])


def aliases_of(pipeline: Document, version_id: int) -> list[str]:
    """The aliases of one of a pipeline's versions."""
    return sorted(alias for alias, number in pipeline.get("_Aliases", {}).items() if number == version_id)


def create_pipeline(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """CreatePipeline; the same ClientRequestToken again gives the same pipeline."""
    name = parameters["PipelineName"]
    members = _versioned(call, parameters)
    if "PipelineDefinition" not in members:
        raise validation_error("One of PipelineDefinition and PipelineDefinitionS3Location is required.")
    now = clocks.now()
    with call.store.transaction():
        existing = call.store.get("pipeline", call.region, name)
        if existing is not None:
            if existing["_ClientRequestToken"] == parameters["ClientRequestToken"]:
                return {"PipelineArn": existing["PipelineArn"]}
            raise validation_error(
                "Pipeline names must be unique within an AWS account and region."
                f" Pipeline with name ({name}) already exists."
            )
        document = {
            "PipelineName": name,
            "PipelineArn": call.arn(f"pipeline/{name}"),
            "PipelineDisplayName": name,
            **members,
            "PipelineStatus": "Active",
            "CreationTime": now,
            "LastModifiedTime": now,
            "CreatedBy": user_context(),
            "LastModifiedBy": user_context(),
            "_Version": 1,
            "_Aliases": dict.fromkeys(parameters.get("PipelineVersionAliases", ()), 1),
            "_ClientRequestToken": parameters["ClientRequestToken"],
        }
        call.store.put("pipeline", call.region, name, document)
        _put_version(call, document)
        tags.replace(call, document["PipelineArn"], parameters.get("Tags"))
    return {"PipelineArn": document["PipelineArn"]}


def update_pipeline(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """UpdatePipeline: a new version; what the request leaves out stays as it is, and aliases move to it."""
    members = _versioned(call, parameters)
    with call.store.transaction():
        document = load_pipeline(call, parameters["PipelineName"])
        document.update(
            members,
            LastModifiedTime=clocks.now(),
            LastModifiedBy=user_context(),
            _Version=document["_Version"] + 1,
        )
        named = dict.fromkeys(parameters.get("PipelineVersionAliases", ()), document["_Version"])
        document["_Aliases"] = {**document.get("_Aliases", {}), **named}
        call.store.put("pipeline", call.region, document["PipelineName"], document)
        _put_version(call, document)
    return {"PipelineArn": document["PipelineArn"], "PipelineVersionId": document["_Version"]}


def describe_pipeline(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """DescribePipeline, as it is or as one of its versions."""
    document = load_pipeline(call, parameters["PipelineName"])
    version_id = version_named(document, parameters)
    version = load_version(call, document["PipelineName"], version_id)
    aliases = {"PipelineVersionAliases": aliases_of(document, version_id)}
    if version_id == document["_Version"]:
        return {**version, **document, **aliases}
    unchanging = {key: value for key, value in document.items() if key not in _VERSIONED}
    return {**unchanging, **version, **aliases, "CreationTime": document["CreationTime"]}


def list_pipelines(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """ListPipelines, newest first unless asked otherwise."""
    conditions = begins_with(NAME, parameters.get("PipelineNamePrefix", ""))
    conditions += paging.time_bounds(parameters, "Created")
    page, token = paging.stored_page(call, _PIPELINES, parameters, conditions=conditions)
    return {
        "PipelineSummaries": [{**item, "LastExecutionTime": item.get("LastRunTime")} for item in page],
        "NextToken": token,
    }


def delete_pipeline(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """DeletePipeline, with its versions, executions and steps; refused while an execution runs."""
    with call.store.transaction():
        document = load_pipeline(call, parameters["PipelineName"])
        name, arn = document["PipelineName"], document["PipelineArn"]
        executions = call.store.list("execution", call.region, name)
        for execution in executions:
            if execution["PipelineExecutionStatus"] in _ACTIVE:
                raise AwsError(
                    "ConflictException",
                    f"Pipeline '{name}' has an execution that runs: {execution['PipelineExecutionArn']}."
                    " Stop it before you delete the pipeline.",
                )
        for execution in executions:
            _delete_execution(call, execution["PipelineExecutionArn"])
        for version in call.store.list("pipeline-version", call.region, name):
            call.store.delete("pipeline-version", call.region, f"{name}/{version['PipelineVersionId']}")
        call.store.delete("pipeline", call.region, name)
        tags.drop(call, arn)
    return {"PipelineArn": arn}


def list_pipeline_versions(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """ListPipelineVersions, newest first unless asked otherwise."""
    document = load_pipeline(call, parameters["PipelineName"])
    page, token = paging.stored_page(
        call,
        _VERSIONS,
        parameters,
        parent=document["PipelineName"],
        conditions=paging.time_bounds(parameters, "Created"),
    )
    summaries = [
        {**version, "PipelineVersionAliases": aliases_of(document, version["PipelineVersionId"])}
        for version in page
    ]
    return {"PipelineVersionSummaries": summaries, "NextToken": token}


def update_pipeline_version(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """UpdatePipelineVersion: its display name, description and aliases, which leave another version."""
    members: Document = {
        name: parameters[name]
        for name in ("PipelineVersionDisplayName", "PipelineVersionDescription")
        if name in parameters
    }
    with call.store.transaction():
        document = load_pipeline(call, parameters["PipelineArn"])
        version = load_version(call, document["PipelineName"], parameters["PipelineVersionId"])
        version.update(members, LastModifiedTime=clocks.now(), LastModifiedBy=user_context())
        name = f"{document['PipelineName']}/{version['PipelineVersionId']}"
        call.store.put("pipeline-version", call.region, name, version)
        _change_aliases(call, document, version["PipelineVersionId"], parameters)
    return {"PipelineArn": document["PipelineArn"], "PipelineVersionId": version["PipelineVersionId"]}


SERVICE = "sagemaker"
LISTINGS = (_PIPELINES, _VERSIONS)
OPERATIONS: dict[str, Handler] = {
    "CreatePipeline": create_pipeline,
    "UpdatePipeline": update_pipeline,
    "DescribePipeline": describe_pipeline,
    "ListPipelines": list_pipelines,
    "DeletePipeline": delete_pipeline,
    "ListPipelineVersions": list_pipeline_versions,
    "UpdatePipelineVersion": update_pipeline_version,
}


def _versioned(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """The members of a request that make up a version, the definition checked."""
    members = {name: parameters[name] for name in _VERSIONED if name in parameters}
    if "PipelineDefinitionS3Location" in parameters:
        if "PipelineDefinition" in parameters:
            raise validation_error(
                "Give one of PipelineDefinition and PipelineDefinitionS3Location, not both."
            )
        members["PipelineDefinition"] = _definition_at(call, parameters["PipelineDefinitionS3Location"])
    if "PipelineDefinition" in members:
        _check(members["PipelineDefinition"])
    return members


def _definition_at(call: Call, location: dict[str, str]) -> str:
    if "VersionId" in location:
        raise not_implemented("A definition in a version of an S3 object")
    bucket, key = location["Bucket"], location["ObjectKey"]
    found = call.components.objects.stat(bucket, key)
    if found is None:
        raise validation_error(f"There is no pipeline definition at s3://{bucket}/{key}.")
    if found.size > _LONGEST_DEFINITION:
        raise _too_long(found.size)
    try:
        return call.components.objects.read_bytes(bucket, key).decode("utf-8")
    except UnicodeDecodeError as error:
        raise validation_error(
            f"The pipeline definition at s3://{bucket}/{key} is not UTF-8: {error}."
        ) from error


def _check(definition: str) -> None:
    if (size := len(definition.encode())) > _LONGEST_DEFINITION:
        raise _too_long(size)
    try:
        parsed = json.loads(definition, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise validation_error(f"Unable to parse pipeline definition. It is not JSON: {error}.") from error
    refuse_what_is_not_done_here(check_definition(parsed))


def _refuse_constant(name: str) -> NoReturn:
    """NaN and Infinity, which Python reads and JSON does not know."""
    raise ValueError(f"it holds {name}")


def _too_long(size: int) -> AwsError:
    return validation_error(
        f"The pipeline definition has {size} bytes; SageMaker takes at most {_LONGEST_DEFINITION}."
    )


def _put_version(call: Call, document: Document) -> None:
    version_id = document["_Version"]
    version = {
        **{name: document[name] for name in _VERSIONED if name in document},
        "PipelineArn": document["PipelineArn"],
        "PipelineVersionId": version_id,
        "CreationTime": document["LastModifiedTime"],
        "LastModifiedTime": document["LastModifiedTime"],
        "CreatedBy": document["LastModifiedBy"],
        "LastModifiedBy": document["LastModifiedBy"],
    }
    name = document["PipelineName"]
    call.store.put("pipeline-version", call.region, f"{name}/{version_id}", version, parent=name)


def _delete_execution(call: Call, arn: str) -> None:
    for step in call.store.list("step", call.region, arn):
        call.store.delete("step", call.region, f"{arn}#{step['StepName']}")
    call.store.delete("execution-definition", call.region, arn)
    call.store.delete("execution", call.region, arn)


def _change_aliases(call: Call, pipeline: Document, version_id: int, parameters: dict[str, Any]) -> None:
    wanted = parameters.get("PipelineVersionAliasOperations", {})
    aliases: dict[str, int] = dict(pipeline.get("_Aliases", {}))
    for alias in wanted.get("Remove", ()):
        if aliases.get(alias) != version_id:
            raise not_found("Pipeline version", f"{pipeline['PipelineName']}/{alias}")
        del aliases[alias]
    aliases.update(dict.fromkeys(wanted.get("Add", ()), version_id))
    if aliases != pipeline.get("_Aliases", {}):
        pipeline["_Aliases"] = aliases
        call.store.put("pipeline", call.region, pipeline["PipelineName"], pipeline)
