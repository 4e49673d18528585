"""Pipeline executions: start, look at, stop, retry, change, list.

Requests arrive checked against botocore's shapes; what is decided here is what the shapes cannot say.
An execution is in the store, with its definition and its parameters' values, before the caller hears its
ARN; the engine runs it. Reading one also ends it if its process has died, so that it is never shown as
"Executing".
"""

from __future__ import annotations

import json
import secrets
import string
from collections.abc import Mapping
from typing import Any

from aws_formats.definition_language import LanguageError, Scope, resolve
from aws_formats.service_models import service_model
from sagemaker_local import clocks
from sagemaker_local.errors import not_found, not_implemented, validation_error
from sagemaker_local.execution import selection
from sagemaker_local.execution.graph import Graph, check_definition
from sagemaker_local.execution.parameters import parameter_values, value_text
from sagemaker_local.execution.records import ACTIVE, DEFINITION, EXECUTION, STEP, Record
from sagemaker_local.protocols import requests
from sagemaker_local.services.call import Call, Handler
from sagemaker_local.services.identity import user_context
from sagemaker_local.services.paging import page, stored_page, time_bounds
from sagemaker_local.services.pipelines import load_pipeline, load_version, version_named
from sagemaker_local.store import Document
from sagemaker_local.store.listing import CREATED, NAME, Condition, Listing, member

_REQUEST = "execution-request"
_VERSION = member("PipelineVersionId", is_number=True)
_EXECUTIONS = Listing(
    EXECUTION,
    {"CreationTime": (CREATED, NAME), "PipelineExecutionArn": (NAME,)},
    equals=(_VERSION,),
    of_parent=True,
)
_STEPS = Listing(
    STEP, {"StartTime": (member("StartTime", is_number=True), member("StepName"))}, of_parent=True
)
_ID_CHARACTERS = string.ascii_lowercase + string.digits
_ID_LENGTH = 12


def start(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """StartPipelineExecution; the same ClientRequestToken again gives the same execution."""
    pipeline = load_pipeline(call, parameters["PipelineName"])
    request = f"{pipeline['PipelineArn']}@{pipeline['CreationTime']} {parameters['ClientRequestToken']}"
    with call.store.transaction():
        known = call.store.get(_REQUEST, call.region, request)
        if known is not None:
            return {"PipelineExecutionArn": known["PipelineExecutionArn"]}
        record = _create(call, pipeline, parameters)
        call.store.put(_REQUEST, call.region, request, {"PipelineExecutionArn": record.arn})
    call.components.engine.start(call.region, record.arn)
    return {"PipelineExecutionArn": record.arn}


def describe(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """DescribePipelineExecution"""
    return _execution(call, parameters["PipelineExecutionArn"])


def list_executions(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """ListPipelineExecutions, newest first unless asked otherwise."""
    pipeline = load_pipeline(call, parameters["PipelineName"])
    version = version_named(pipeline, parameters) if "PipelineVersionAlias" in parameters else None
    call.components.engine.recover()
    # An execution of an earlier pipeline of this name, which was started while that one was deleted, is none.
    created = Condition(
        "abs(json_extract(doc, '$._PipelineCreated') - ?) < 1e-5", (pipeline["CreationTime"],)
    )
    summaries, token = stored_page(
        call,
        _EXECUTIONS,
        parameters,
        parent=pipeline["PipelineName"],
        filtered=(_VERSION, version),
        conditions=[created, *time_bounds(parameters, "Created")],
    )
    return {"PipelineExecutionSummaries": [_summary(doc) for doc in summaries], "NextToken": token}


def stop(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """StopPipelineExecution; returns once the execution is Stopping."""
    arn = parameters["PipelineExecutionArn"]
    call.components.engine.stop(call.region, arn, parameters["ClientRequestToken"])
    return {"PipelineExecutionArn": arn}


def retry(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """RetryPipelineExecution of a failed or stopped execution, under the same ARN."""
    arn = parameters["PipelineExecutionArn"]
    parallelism = parameters.get("ParallelismConfiguration")
    call.components.engine.retry(call.region, arn, parameters["ClientRequestToken"], parallelism)
    return {"PipelineExecutionArn": arn}


def update(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """UpdatePipelineExecution; a changed parallelism takes effect at once in an execution that runs."""
    arn = parameters["PipelineExecutionArn"]
    members: dict[str, Any] = {
        name: parameters[name]
        for name in (
            "PipelineExecutionDescription",
            "PipelineExecutionDisplayName",
            "ParallelismConfiguration",
        )
        if name in parameters
    }
    if Record(call.store, call.region, arn).change_execution(lambda doc: doc.update(members)) is None:
        raise not_found("Pipeline execution", arn)
    return {"PipelineExecutionArn": arn}


def list_steps(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """ListPipelineExecutionSteps, the latest first unless asked otherwise, as AWS does."""
    arn = parameters.get("PipelineExecutionArn")
    if arn is None:
        raise validation_error("PipelineExecutionArn is required.")
    _execution(call, arn)
    shown, token = stored_page(call, _STEPS, parameters, parent=arn)
    return {"PipelineExecutionSteps": shown, "NextToken": token}


def list_parameters(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """ListPipelineParametersForExecution: every parameter's value, given or default."""
    doc = _execution(call, parameters["PipelineExecutionArn"])
    values = [
        {"Name": name, "Value": value_text(value), "_place": place}
        for place, (name, value) in enumerate(doc["_Parameters"].items())
    ]
    shown, token = page(values, parameters, lambda entry: (entry["_place"],), descending=False, size=100)
    return {"PipelineParameters": shown, "NextToken": token}


def describe_definition(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """DescribePipelineDefinitionForExecution: the definition as it was when the execution started."""
    arn = parameters["PipelineExecutionArn"]
    doc = call.store.get(DEFINITION, call.region, arn)
    if doc is None:
        raise not_found("Pipeline execution", arn)
    return doc


SERVICE = "sagemaker"
LISTINGS = (_EXECUTIONS, _STEPS)
OPERATIONS: dict[str, Handler] = {
    "StartPipelineExecution": start,
    "DescribePipelineExecution": describe,
    "ListPipelineExecutions": list_executions,
    "StopPipelineExecution": stop,
    "RetryPipelineExecution": retry,
    "UpdatePipelineExecution": update,
    "ListPipelineExecutionSteps": list_steps,
    "ListPipelineParametersForExecution": list_parameters,
    "DescribePipelineDefinitionForExecution": describe_definition,
}


def _create(call: Call, pipeline: Document, parameters: dict[str, Any]) -> Record:
    """Write everything that an execution begins with."""
    version = pipeline
    if "PipelineVersionId" in parameters or "PipelineVersionAlias" in parameters:
        version = load_version(call, pipeline["PipelineName"], version_named(pipeline, parameters))
    graph = check_definition(json.loads(version["PipelineDefinition"]))
    values = parameter_values(graph.parameters, parameters.get("PipelineParameters", []))
    clock = clocks.reading()
    now = clock["Time"]
    execution_id = "".join(secrets.choice(_ID_CHARACTERS) for _ in range(_ID_LENGTH))
    record = Record(call.store, call.region, f"{pipeline['PipelineArn']}/execution/{execution_id}")
    scope = _scope(values, pipeline, record)
    doc: Document = {
        "PipelineArn": pipeline["PipelineArn"],
        "PipelineExecutionArn": record.arn,
        "PipelineExecutionDisplayName": parameters.get(
            "PipelineExecutionDisplayName", f"execution-{int(now * 1000)}"
        ),
        "PipelineExecutionStatus": "Executing",
        "PipelineExecutionDescription": parameters.get("PipelineExecutionDescription"),
        "PipelineExperimentConfig": _tracking("PipelineExperimentConfig", graph.experiment, scope),
        "MLflowConfig": _mlflow(graph.mlflow, parameters.get("MlflowExperimentName"), scope),
        "CreationTime": now,
        "CreatedBy": user_context(call.session),
        "LastModifiedTime": now,
        "LastModifiedBy": user_context(call.session),
        "ParallelismConfiguration": parameters.get("ParallelismConfiguration")
        or pipeline.get("ParallelismConfiguration"),
        "SelectiveExecutionConfig": parameters.get("SelectiveExecutionConfig"),
        "PipelineVersionId": version.get("PipelineVersionId", pipeline.get("_Version")),
        "RoleArn": parameters.get("RoleArn", pipeline.get("RoleArn")),
        "_Owner": call.components.owner.name,
        "_PipelineName": pipeline["PipelineName"],
        "_PipelineCreated": pipeline["CreationTime"],
        clocks.CLOCK: clock,
        "_Parameters": values,
    }
    selective = parameters.get("SelectiveExecutionConfig")
    if selective is not None:
        chosen, reused = _selected(call, graph, selective, pipeline)
        doc["_Selected"] = sorted(chosen.selected)
        for step in reused:
            record.put_step(step)
    call.store.put(EXECUTION, call.region, record.arn, doc, parent=pipeline["PipelineName"])
    snapshot = {"PipelineDefinition": version["PipelineDefinition"], "CreationTime": now}
    call.store.put(DEFINITION, call.region, record.arn, snapshot)
    call.store.update(
        "pipeline", call.region, pipeline["PipelineName"], lambda kept: kept.update(LastRunTime=now)
    )
    return record


def _selected(
    call: Call, graph: Graph, config: Mapping[str, Any], pipeline: Document
) -> tuple[selection.Selection, list[Document]]:
    chosen = selection.select(graph, [one["StepName"] for one in config["SelectedSteps"]])
    source_arn = config.get("SourcePipelineExecutionArn")
    source: dict[str, Document] = {}
    if source_arn is not None:
        doc = _execution(call, source_arn)
        if doc["PipelineArn"] != pipeline["PipelineArn"]:
            raise validation_error(
                f"{source_arn} is not an execution of the pipeline {pipeline['PipelineName']}."
            )
        if doc["PipelineExecutionStatus"] in ACTIVE:
            raise validation_error(f"{source_arn} still runs; a source execution must have ended.")
        source = Record(call.store, call.region, source_arn).steps()
    return chosen, selection.reused_steps(graph, chosen, source_arn, source)


def _scope(values: Mapping[str, Any], pipeline: Document, record: Record) -> Scope:
    """What is known of an execution when it starts."""
    variables = {
        "PipelineName": pipeline["PipelineName"],
        "PipelineArn": pipeline["PipelineArn"],
        "PipelineExecutionId": record.execution_id,
        "PipelineExecutionArn": record.arn,
    }
    return Scope(parameters=values, variables=variables)


def _mlflow(config: Any, experiment: str | None, scope: Scope) -> dict[str, Any] | None:
    """The definition's MLflow server and experiment; a start can name another experiment."""
    if experiment is None:
        return _tracking("MLflowConfiguration", config, scope)
    if config is None:
        raise not_implemented("MlflowExperimentName for a definition without MlflowConfig")
    return _tracking("MLflowConfiguration", {**config, "MlflowExperimentName": experiment}, scope)


def _tracking(shape: str, config: Any, scope: Scope) -> dict[str, Any] | None:
    """Where the execution is to be tracked; kept for the client to see, nothing is tracked here."""
    if config is None:
        return None
    given = {name: value for name, value in config.items() if value is not None}
    try:
        found = resolve(given, scope)
    except LanguageError as error:
        raise validation_error(f"{shape}: {error}") from error
    checked: dict[str, Any] = requests.parse(service_model("sagemaker").shape_for(shape), found)
    return checked


def _execution(call: Call, arn: str) -> Document:
    doc = Record(call.store, call.region, arn).execution()
    if doc is None:
        raise not_found("Pipeline execution", arn)
    return _up_to_date(call, doc)


def _up_to_date(call: Call, doc: Document) -> Document:
    return call.components.engine.up_to_date(call.region, doc["PipelineExecutionArn"], doc)


def _summary(doc: Document) -> dict[str, Any]:
    return {
        **doc,
        "StartTime": doc["CreationTime"],
        "PipelineExecutionFailureReason": doc.get("FailureReason"),
    }
