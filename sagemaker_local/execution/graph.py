"""A definition as a graph: which steps there are, what each waits for, and whether it can run at all.

In comes the parsed definition document, out comes a ``Graph``. Everything that can be known before
anything runs is checked here, with an error that names the step: unknown references, parameters and
property files, two steps of one name, cycles, step types that this SageMaker does not run.

What a step waits for comes from four places: its DependsOn, the references in its arguments, the
property files it reads, and the condition whose branch it stands in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any

from aws_formats import definition_language as language
from aws_formats.arns import LATEST, parse_function_name
from sagemaker_local.errors import AwsError, not_implemented, validation_error
from sagemaker_local.execution import cache, conditions, quality_checks, retry
from sagemaker_local.execution.parameters import Parameter, declared_parameters
from sagemaker_local.execution.property_shapes import check_property

VERSION = "2020-12-01"
RUN_HERE = (
    "Processing", "Training", "Transform", "Tuning", "Model", "RegisterModel", "QualityCheck", "Condition",
    "Lambda", "Fail",
)  # fmt: skip
# The other types that SageMaker Pipelines knows (PipelineExecutionStepMetadata and the SDK's StepTypeEnum).
ONLY_ON_AWS = frozenset(
    {
        "Athena", "AutoML", "BedrockCustomModel", "BedrockCustomModelDeployment", "BedrockModelImport",
        "BedrockProvisionedModelThroughput", "Callback", "ClarifyCheck", "Cleanup", "EMR", "EMRServerless",
        "Endpoint", "EndpointConfig", "ForEach", "HubContent", "InferenceComponent", "Job", "Lineage",
    }
)  # fmt: skip
COMPLETED = "Completed"
TRIGGERS = (COMPLETED, "Failed", "Stopped", "Any")
OUTPUT_TYPES = ("String", "Integer", "Float", "Boolean")
"""What a Lambda step can declare an output to be."""

_STEP_NAME_LENGTH = 64
_STEP_NAME_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@dataclass(frozen=True)
class Step:
    """One step of a definition.

    Attributes:
        arguments: as the definition has them; a condition's hold its Conditions only.
        needs: the steps it waits for, each with the outcome that lets this one run: ``Completed``,
            ``Failed``, ``Stopped`` or ``Any``.
        branch: for a step inside a condition, that condition's name and the outcome it needs.
        function: of a Lambda step, the ARN of what it calls.
        outputs: of a Lambda step, the types of the values that the function has to return, by name.
        check: of a QualityCheck step, what it says besides its arguments.
    """

    name: str
    type: str
    arguments: dict[str, Any]
    needs: Mapping[str, str]
    branch: tuple[str, bool] | None
    property_files: Mapping[str, language.PropertyFile]
    cache: cache.CacheConfig
    retries: tuple[retry.Policy, ...]
    display_name: str | None = None
    description: str | None = None
    function: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)
    check: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Graph:
    """A checked definition: steps by name in the order of the document, branches after their condition."""

    parameters: tuple[Parameter, ...]
    steps: Mapping[str, Step]
    experiment: Any = None
    mlflow: Any = None
    property_files: Mapping[tuple[str, str], language.PropertyFile] = field(default_factory=dict)

    def ancestors(self, names: Iterable[str]) -> set[str]:
        """Every step that must come before one of `names`, without `names` themselves unless they must."""
        found: set[str] = set()
        waiting = [needed for name in names for needed in self.steps[name].needs]
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting.extend(self.steps[name].needs)
        return found


def check_definition(definition: dict[str, Any]) -> Graph:
    """The graph of a definition that can run here.

    Raises:
        AwsError: ValidationException that names the step and what is wrong with it.
    """
    if not isinstance(definition, dict):
        raise _malformed("It must be a JSON object.")
    if definition.get("Version") != VERSION:
        raise _malformed(f"Version must be '{VERSION}', not {definition.get('Version')!r}.")
    parameters = declared_parameters(definition)
    placed = list(_placed(definition.get("Steps"), None, "Steps"))
    if not placed:
        raise _malformed("Steps must hold at least one step.")
    documents: dict[str, Mapping[str, Any]] = {}
    for document, _ in placed:
        name = document["Name"]
        if name in documents:
            raise validation_error(f"Step names must be unique; '{name}' is used more than once.")
        documents[name] = document
    known_parameters = frozenset(parameter.name for parameter in parameters)
    steps: dict[str, Step] = {}
    for document, branch in placed:
        try:
            steps[document["Name"]] = _step(document, branch, documents, known_parameters)
        except language.LanguageError as error:
            raise validation_error(f"Step '{document['Name']}': {error}") from error
    _refuse_cycles(steps)
    experiment, mlflow = definition.get("PipelineExperimentConfig"), definition.get("MlflowConfig")
    _check_tracking("PipelineExperimentConfig", experiment, "ExperimentName and TrialName", known_parameters)
    _check_tracking("MlflowConfig", mlflow, "MlflowResourceArn and MlflowExperimentName", known_parameters)
    if mlflow is not None and mlflow.get("MlflowResourceArn") is None:
        raise not_implemented("MlflowConfig without MlflowResourceArn")
    files = {(step.name, name): file for step in steps.values() for name, file in step.property_files.items()}
    return Graph(parameters, steps, experiment, mlflow, files)


def _placed(
    documents: Any, branch: tuple[str, bool] | None, where: str
) -> Iterator[tuple[Mapping[str, Any], tuple[str, bool] | None]]:
    """Every step document with the branch it stands in, conditions before their branches."""
    if not isinstance(documents, list):
        raise _malformed(f"{where} must be a list of steps.")
    for document in documents:
        _check_document(document, where)
        yield document, branch
        if document["Type"] == "Condition":
            for member, outcome in (("IfSteps", True), ("ElseSteps", False)):
                inside = document["Arguments"].get(member) or []
                yield from _placed(inside, (document["Name"], outcome), f"{document['Name']}.{member}")


def _check_document(document: Any, where: str) -> None:
    name = document.get("Name") if isinstance(document, dict) else None
    if (
        not isinstance(name, str)
        or not 0 < len(name) <= _STEP_NAME_LENGTH
        or not set(name) <= _STEP_NAME_CHARACTERS
    ):
        raise _malformed(
            f"In {where}: a step needs a Name of 1 to {_STEP_NAME_LENGTH} letters, digits, '-' or '_', not"
            f" {name!r}."
        )
    kind = document.get("Type")
    if isinstance(kind, str) and kind in ONLY_ON_AWS:
        raise validation_error(not_implemented(f"Step '{name}': the step type {kind}").message)
    if kind not in RUN_HERE:
        raise _malformed(
            f"Step '{name}' has the unknown type {kind!r}; these run here: {', '.join(RUN_HERE)}."
        )
    if not isinstance(document.get("Arguments", {} if kind == "Fail" else None), dict):
        raise _malformed(f"Step '{name}' needs Arguments (an object).")


def _step(
    document: Mapping[str, Any],
    branch: tuple[str, bool] | None,
    documents: Mapping[str, Mapping[str, Any]],
    parameters: frozenset[str],
) -> Step:
    name, kind = document["Name"], document["Type"]
    arguments = document.get("Arguments") or {}
    if kind == "Condition":
        arguments = {"Conditions": _checked_conditions(arguments)}
    check = quality_checks.members(document) if kind == "QualityCheck" else {}
    read: set[str] = set()
    for reference in language.references([arguments, check]):
        read.update(_checked_reference(reference, documents, parameters))
    needs = _depends_on(document, documents)
    needs.update(dict.fromkeys(read, COMPLETED))
    if branch is not None:
        needs[branch[0]] = COMPLETED
    if name in needs:
        raise language.LanguageError("it depends on itself.")
    return Step(
        name=name,
        type=kind,
        arguments=arguments,
        needs=needs,
        branch=branch,
        property_files=_property_files(document),
        cache=cache.parse_config(document.get("CacheConfig")),
        retries=retry.parse_policies(document.get("RetryPolicies")),
        display_name=_text(document, "DisplayName"),
        description=_text(document, "Description"),
        check=check,
        **(_function(document) if kind == "Lambda" else {}),
    )


def _function(document: Mapping[str, Any]) -> dict[str, Any]:
    """What a Lambda step calls, and what it declares to come back."""
    arn = document.get("FunctionArn")
    if not isinstance(arn, str) or not arn:
        raise language.LanguageError(f"it needs a FunctionArn (a text), not {arn!r}.")
    named = parse_function_name(arn)
    if named is not None and named.qualifier != LATEST:
        raise language.LanguageError(
            not_implemented(f"The version or alias '{named.qualifier}' of a function").message
        )
    outputs: dict[str, str] = {}
    for entry in document.get("OutputParameters") or []:
        match entry:
            case {"OutputName": str(name), "OutputType": str(kind)} if kind in OUTPUT_TYPES:
                outputs[name] = kind
            case _:
                raise language.LanguageError(
                    f"OutputParameters needs OutputName and OutputType ({', '.join(OUTPUT_TYPES)}), not"
                    f" {entry!r}."
                )
    return {"function": arn, "outputs": outputs}


def _text(document: Mapping[str, Any], member: str) -> str | None:
    text = document.get(member)
    if not isinstance(text, str | None):
        raise language.LanguageError(f"{member} must be a text, not {text!r}.")
    return text


def _checked_conditions(arguments: Mapping[str, Any]) -> list[Any]:
    found = arguments.get("Conditions")
    if not isinstance(found, list) or not found:
        raise language.LanguageError("Conditions must be a list with at least one condition.")
    for condition in found:
        conditions.check_condition(condition)
    return found


def _checked_reference(
    reference: language.Reference, documents: Mapping[str, Mapping[str, Any]], parameters: frozenset[str]
) -> Iterator[str]:
    """The steps (none or one) that a reference needs; raises LanguageError if it leads nowhere."""
    if isinstance(reference, language.ParameterReference):
        if reference.name not in parameters:
            known = ", ".join(sorted(parameters)) or "none"
            raise language.LanguageError(
                f"'Parameters.{reference.name}' is not declared; there are: {known}."
            )
        return
    if isinstance(reference, language.VariableReference):
        return
    document = _known_step(reference.step, documents)
    if isinstance(reference, language.PropertyFileReference):
        files = _property_files(document)
        if reference.name not in files:
            raise language.LanguageError(
                f"step '{reference.step}' declares no property file '{reference.name}'; it declares:"
                f" {', '.join(files) or 'none'}."
            )
    else:
        check_property(reference, document["Type"], _output_names(document))
    yield reference.step


def _known_step(name: str, documents: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    if name not in documents:
        raise language.LanguageError(f"there is no step '{name}'; there are: {', '.join(documents)}.")
    return documents[name]


def _depends_on(document: Mapping[str, Any], documents: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    entries = document.get("DependsOn") or []
    if not isinstance(entries, list):
        raise language.LanguageError("DependsOn must be a list of step names.")
    needs = {}
    for entry in entries:
        name, trigger = (
            (entry.get("Step"), entry.get("Trigger")) if isinstance(entry, dict) else (entry, COMPLETED)
        )
        if not isinstance(name, str) or trigger not in TRIGGERS:
            raise language.LanguageError(
                f"DependsOn holds {entry!r}; expected a step's name or Step and Trigger"
                f" ({', '.join(TRIGGERS)})."
            )
        if _known_step(name, documents).get("Type") == "Fail":
            raise language.LanguageError(f"{document['Name']} can not depends on {name}, a Fail step.")
        needs[name] = trigger
    return needs


def _property_files(document: Mapping[str, Any]) -> dict[str, language.PropertyFile]:
    entries = document.get("PropertyFiles") or []
    outputs = _output_names(document)
    files = {}
    for entry in entries if isinstance(entries, list) else [entries]:
        match entry:
            case {"PropertyFileName": str(name), "OutputName": str(output), "FilePath": str(path)}:
                files[name] = language.PropertyFile(output, path)
            case _:
                raise language.LanguageError(
                    f"PropertyFiles needs PropertyFileName, OutputName and FilePath, not {entry!r}."
                )
        if output not in outputs:
            raise language.LanguageError(
                f"property file '{name}' lies in the output '{output}', which the step does not have; it has:"
                f" {', '.join(outputs) or 'none'}."
            )
    return files


def _output_names(document: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of a processing step's or a Lambda step's outputs."""
    if document.get("Type") == "Lambda":
        return tuple(_function(document)["outputs"])
    config = (document.get("Arguments") or {}).get("ProcessingOutputConfig")
    outputs = config.get("Outputs") if isinstance(config, dict) else None
    if not isinstance(outputs, list):
        return ()
    names = (output.get("OutputName") for output in outputs if isinstance(output, dict))
    return tuple(name for name in names if isinstance(name, str))


def _check_tracking(name: str, config: Any, members: str, parameters: frozenset[str]) -> None:
    """Where a definition wants its executions tracked: the names are known when an execution starts."""
    try:
        if not isinstance(config, dict | None):
            raise language.LanguageError(f"it must be an object with {members}.")
        for reference in language.references(config):
            for step in _checked_reference(reference, {}, parameters):
                raise language.LanguageError(f"it cannot refer to the step '{step}'.")
    except language.LanguageError as error:
        raise validation_error(f"{name}: {error}") from error


def _refuse_cycles(steps: Mapping[str, Step]) -> None:
    try:
        TopologicalSorter({name: step.needs for name, step in steps.items()}).prepare()
    except CycleError as error:
        circle = " -> ".join(error.args[1])
        raise validation_error(f"The steps wait for each other in a circle: {circle}.") from error


def _malformed(what: str) -> AwsError:
    return validation_error(f"Unable to parse pipeline definition. {what}")
