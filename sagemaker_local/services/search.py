"""Search: resources of one kind that meet an expression, as Describe shows them, with their tags."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.model import Shape

from aws_formats.service_models import service_model
from sagemaker_local.errors import AwsError, not_implemented
from sagemaker_local.services import (
    endpoints,
    executions,
    jobs,
    model_package_groups,
    model_packages,
    paging,
    pipelines,
    tags,
    tuning,
)
from sagemaker_local.services.call import Call, Handler
from sagemaker_local.services.search_expressions import compile_expression, find_property

_USUAL_ORDER = "LastModifiedTime"


@dataclass(frozen=True)
class _Resource:
    """A kind of resource that can be searched.

    Attributes:
        kind: in the store.
        module: holds the operation that describes one.
        member: the operation's parameter, and the document's member that it is.
    """

    kind: str
    module: Any
    operation: str
    member: str
    arn: str
    parameter: str | None = None

    def describe(self, call: Call, document: Mapping[str, Any]) -> dict[str, Any]:
        given = {self.parameter or self.member: document[self.member]}
        found: dict[str, Any] = self.module.OPERATIONS[self.operation](call, given)
        return found


_RESOURCES = {
    "TrainingJob": _Resource(
        "training-job", jobs, "DescribeTrainingJob", "TrainingJobName", "TrainingJobArn"
    ),
    "HyperParameterTuningJob": _Resource(
        "hyper-parameter-tuning-job",
        tuning,
        "DescribeHyperParameterTuningJob",
        "HyperParameterTuningJobName",
        "HyperParameterTuningJobArn",
    ),
    "ModelPackage": _Resource(
        "model-package",
        model_packages,
        "DescribeModelPackage",
        "ModelPackageArn",
        "ModelPackageArn",
        "ModelPackageName",
    ),
    "ModelPackageGroup": _Resource(
        "model-package-group",
        model_package_groups,
        "DescribeModelPackageGroup",
        "ModelPackageGroupName",
        "ModelPackageGroupArn",
    ),
    "Pipeline": _Resource("pipeline", pipelines, "DescribePipeline", "PipelineName", "PipelineArn"),
    "PipelineExecution": _Resource(
        "execution",
        executions,
        "DescribePipelineExecution",
        "PipelineExecutionArn",
        "PipelineExecutionArn",
    ),
    "Endpoint": _Resource("endpoint", endpoints, "DescribeEndpoint", "EndpointName", "EndpointArn"),
}


def search(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """Search, by the time of the last change and the newest first unless asked otherwise."""
    asked = parameters["Resource"]
    if asked not in _RESOURCES:
        raise not_implemented(f"Search for {asked}")
    resource, shape = _RESOURCES[asked], _shape(asked)
    is_wanted = compile_expression(parameters.get("SearchExpression") or {}, shape)
    by = find_property(parameters.get("SortBy") or _order(shape), shape)
    found = [one for one in _all(call, resource) if is_wanted(one)]

    def place(one: dict[str, Any]) -> tuple[str | float, ...]:
        value = next(iter(by.values(one)), None)
        if by.kind == "text":
            return ("" if value is None else str(value), one[resource.arn])
        return (float("-inf") if value is None else float(value), one[resource.arn])

    page, token = paging.page(found, parameters, place)
    return {
        "Results": [{asked: one} for one in page],
        "NextToken": token,
        "TotalHits": {"Value": len(found), "Relation": "EqualTo"},
    }


def _all(call: Call, resource: _Resource) -> list[dict[str, Any]]:
    found = []
    for document in call.store.list(resource.kind, call.region):
        try:
            described = resource.describe(call, document)
        except AwsError:  # it was deleted meanwhile
            continue
        given = call.store.get("tags", call.region, described[resource.arn]) or {}
        found.append({**described, "Tags": tags.as_list(given)})
    return found


@functools.cache
def _shape(resource: str) -> Shape:
    record = service_model("sagemaker").shape_for("SearchRecord")
    return record.members[resource]


def _order(shape: Shape) -> str:
    return _USUAL_ORDER if _USUAL_ORDER in shape.members else "CreationTime"


SERVICE = "sagemaker"
OPERATIONS: dict[str, Handler] = {"Search": search}
