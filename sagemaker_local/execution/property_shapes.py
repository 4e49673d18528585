"""Whether a step has the property that a reference names, known before anything runs.

A job step's properties are its Describe response, so botocore's service model says which paths exist.
"""

from __future__ import annotations

from aws_formats.definition_language import LanguageError, StepReference
from aws_formats.service_models import service_model
from sagemaker_local.execution.quality_checks import PROPERTIES

_DESCRIBES = {
    "Processing": "DescribeProcessingJob",
    "Training": "DescribeTrainingJob",
    "Transform": "DescribeTransformJob",
    "Tuning": "DescribeHyperParameterTuningJob",
    "Model": "DescribeModel",
    "RegisterModel": "DescribeModelPackage",
}


def check_property(reference: StepReference, step_type: str, outputs: tuple[str, ...]) -> None:
    """Raise LanguageError if a step of this type cannot have the property that `reference` names.

    Args:
        reference: what is referred to.
        step_type: the type of the step that is referred to.
        outputs: the names of that step's outputs, if it is a processing or a Lambda step.
    """
    if step_type == "Condition":
        if reference.path != ("Outcome",):
            raise LanguageError(f"'{reference.text}': a condition step has one property, Outcome.")
        return
    if step_type == "Fail":
        raise LanguageError(f"'{reference.text}': a Fail step has no properties.")
    if step_type == "Lambda":
        if len(reference.path) != 2 or reference.path[0] != "OutputParameters":
            raise LanguageError(
                f"'{reference.text}': a Lambda step's properties are OutputParameters['...']."
            )
        if reference.path[1] not in outputs:
            raise LanguageError(
                f"'{reference.text}': step '{reference.step}' declares no output '{reference.path[1]}'; it"
                f" declares: {', '.join(outputs) or 'none'}."
            )
        return
    if step_type == "QualityCheck":
        if reference.path[0] not in PROPERTIES or len(reference.path) > 1:
            raise LanguageError(
                f"'{reference.text}': a QualityCheck step's properties are {', '.join(PROPERTIES)}."
            )
        return
    operation = _DESCRIBES[step_type]
    if step_type == "Tuning" and reference.path[0] == "TrainingJobSummaries":
        operation = "ListTrainingJobsForHyperParameterTuningJob"
    shape = service_model("sagemaker").operation_model(operation).output_shape
    for depth, part in enumerate(reference.path):
        name = str(part)
        if shape.type_name == "structure" and name in shape.members:
            shape = shape.members[name]
        elif shape.type_name == "map":
            shape = shape.value
        elif shape.type_name == "list":
            if reference.path[depth - 1] == "Outputs" and isinstance(part, str) and part not in outputs:
                raise LanguageError(
                    f"'{reference.text}': step '{reference.step}' has no output '{part}'; it has:"
                    f" {', '.join(outputs) or 'none'}."
                )
            shape = shape.member
        else:
            known = f" Known here: {', '.join(shape.members)}." if shape.type_name == "structure" else ""
            raise LanguageError(f"'{reference.text}': {shape.name} has no member '{name}'.{known}")
