"""What the steps of a definition ask for that is not done here, found when the definition arrives.

A step's arguments are a request, which is checked when the step runs. What that check would refuse because
it is not implemented is refused here already, as far as it stands in the definition: an execution must not
end in its middle for what was known before. What parameters or other steps decide is not known yet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aws_formats.definition_language import is_expression
from sagemaker_local.errors import NOT_IMPLEMENTED, AwsError, validation_error
from sagemaker_local.execution.graph import Graph
from sagemaker_local.jobs import processing, training
from sagemaker_local.services import models, transforms
from sagemaker_local.tuning import request as tuning

_UNKNOWN = "(known when the step runs)"

_CHECKS: Mapping[str, Callable[[dict[str, Any]], None]] = {
    "Processing": processing.KIND.check,
    "QualityCheck": processing.KIND.check,
    "Training": training.KIND.check,
    "Transform": transforms.check_request,
    "Tuning": tuning.check,
    "Model": models.check_request,
}


def refuse_what_is_not_done_here(graph: Graph) -> None:
    """Check the requests of a definition's steps.

    Raises:
        AwsError: ValidationException that names the step and what it asks for.
    """
    for step in graph.steps.values():
        check = _CHECKS.get(step.type)
        if check is None:
            continue
        try:
            check(_without_expressions(step.arguments))
        except AwsError as error:
            if error.status == NOT_IMPLEMENTED and _UNKNOWN not in error.message:
                raise validation_error(f"Step '{step.name}': {error.message}") from error
        except (AttributeError, KeyError, TypeError):
            continue  # arguments of another shape, or unknown ones: the step itself says what is wrong


def _without_expressions(value: Any) -> Any:
    if is_expression(value):
        return _UNKNOWN
    if isinstance(value, dict):
        return {name: _without_expressions(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_without_expressions(member) for member in value]
    return value
