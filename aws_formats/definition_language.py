"""The language of pipeline definitions: their steps, and the references and functions in them.

``all_steps`` walks a document. ``references`` lists what a value refers to without resolving it, so that
a graph can be built and checked before anything runs. ``resolve`` turns the values of a step's arguments
into plain ones, by a ``Scope`` with what is known at this point of the execution; ``fill_in`` replaces
only the parameters and leaves the rest.

The forms are those that the SageMaker Python SDK writes (version 2020-12-01 of the language):
``{"Get": "Parameters.P"}``, ``{"Get": "Execution.V"}``, ``{"Get": "Steps.S.path"}``, ``{"Std:Join":
{"On", "Values"}}`` and ``{"Std:JsonGet": {"PropertyFile" or "S3Uri", "Path"}}``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

EXECUTION_VARIABLES = frozenset(
    {
        "PipelineName",
        "PipelineArn",
        "PipelineExecutionId",
        "PipelineExecutionArn",
        "StartDateTime",
        "CurrentDateTime",
        "ProcessingJobName",
        "TrainingJobName",
    }
)

Path = tuple[str | int, ...]

_NAME = re.compile(r"[^.\[\]'\"*?@()\s]+")
_BRACKET = re.compile(r"\[(?:(\d{1,18})|'([^']*)'|\"([^\"]*)\")\]")


class LanguageError(Exception):
    """A reference or function that cannot be resolved; the message names it and what was found."""


@dataclass(frozen=True)
class ParameterReference:
    """``{"Get": "Parameters.<name>"}``"""

    name: str


@dataclass(frozen=True)
class VariableReference:
    """``{"Get": "Execution.<name>"}``"""

    name: str


@dataclass(frozen=True)
class StepReference:
    """``{"Get": "Steps.<step>.<path>"}``: a member of the step's Describe response."""

    step: str
    path: Path
    text: str


@dataclass(frozen=True)
class PropertyFileReference:
    """``{"Get": "Steps.<step>.PropertyFiles.<name>"}``: a JSON file among the step's outputs."""

    step: str
    name: str


EXPRESSIONS = ("Get", "Std:Join", "Std:JsonGet")
"""The one key of an object that stands for a value."""

Reference = ParameterReference | VariableReference | StepReference | PropertyFileReference


@dataclass(frozen=True)
class PropertyFile:
    """Where a step keeps a property file: below which of its outputs, under which path."""

    output: str
    path: str


@dataclass(frozen=True)
class Scope:
    """What is known when a step's arguments are resolved.

    Attributes:
        parameters: typed values by name.
        variables: the ``Execution.*`` values by name; job names only inside the step they belong to.
        properties: the Describe response of each step that succeeded, by step name.
        property_files: by step name and property file name.
        read: the bytes of an S3 URI, or None if there is no such object.
    """

    parameters: Mapping[str, Any] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    property_files: Mapping[tuple[str, str], PropertyFile] = field(default_factory=dict)
    read: Callable[[str], bytes | None] = lambda _uri: None


def parse_path(text: str) -> Path:
    """``Outputs['train'].S3Output.S3Uri`` -> ``("Outputs", "train", "S3Output", "S3Uri")``.

    Names are joined by dots, ``['key']`` and ``["key"]`` reach keys that hold dots, ``[0]`` a list's
    element; a leading ``$`` is allowed. JSONPath's searches (``..``, ``*``, ``?()``, slices) are not
    part of it, since a condition needs exactly one value.
    """
    rest = text.removeprefix("$").removeprefix(".") if text.startswith("$") else text
    parts: list[str | int] = []
    position, expects_name = 0, not rest.startswith("[")
    while position < len(rest):
        if expects_name:
            found = _NAME.match(rest, position)
            if found:
                parts.append(found[0])
        else:
            found = _BRACKET.match(rest, position)
            if found:
                index, single, double = found.groups()
                parts.append(int(index) if index is not None else single if single is not None else double)
        if not found:
            raise LanguageError(
                f"'{text}' is not a path that can be followed: at character {position + 1} of '{rest}' a"
                " name, a dot, ['key'] or [number] is expected."
            )
        position = found.end()
        expects_name = rest.startswith(".", position)
        position += expects_name
    if not parts or expects_name:
        raise LanguageError(f"'{text}' is not a path that can be followed: it ends before it names a value.")
    return tuple(parts)


def parse_reference(text: object) -> Reference:
    """The content of a ``Get``."""
    if isinstance(text, str):
        head, _, rest = text.partition(".")
        if head == "Parameters" and rest:
            return ParameterReference(rest)
        if head == "Execution" and rest in EXECUTION_VARIABLES:
            return VariableReference(rest)
        if head == "Execution":
            raise LanguageError(
                f"'{text}' names no execution variable; there are {', '.join(sorted(EXECUTION_VARIABLES))}."
            )
        step, _, path = rest.partition(".")
        if head == "Steps" and step and path:
            name = path.removeprefix("PropertyFiles.")
            if name != path:
                return PropertyFileReference(step, name)
            return StepReference(step, parse_path(path), text)
    raise LanguageError(
        f"{json.dumps(text)} is not a reference: expected 'Parameters.<name>', 'Execution.<name>' or"
        " 'Steps.<step>.<path>'."
    )


def all_steps(steps: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Every step of a definition's ``Steps`` in order, those in the branches of conditions included."""
    for step in steps:
        yield step
        if step["Type"] == "Condition":
            for branch in ("IfSteps", "ElseSteps"):
                yield from all_steps(step["Arguments"].get(branch, ()))


def references(value: Any) -> Iterator[Reference]:
    """Everything that `value` refers to, however deep; malformed references raise."""
    function, content = _function(value)
    if function == "Get":
        yield parse_reference(content)
    elif function == "Std:Join":
        _, values = _join_parts(content)
        yield from references(values)
    elif function == "Std:JsonGet":
        source, path = _json_get_parts(content)
        parse_path(path)
        yield from references(source)
    elif isinstance(value, dict):
        for member in value.values():
            yield from references(member)
    elif isinstance(value, list):
        for member in value:
            yield from references(member)


def resolve(value: Any, scope: Scope) -> Any:
    """`value` with every reference and function replaced by what it stands for."""
    function, content = _function(value)
    if function == "Get":
        return _get(parse_reference(content), scope)
    if function == "Std:Join":
        separator, values = _join_parts(content)
        return separator.join(_as_text(resolve(member, scope), member) for member in values)
    if function == "Std:JsonGet":
        uri, path = _json_source(content, scope)
        return _follow(parse_path(path), _read_json(uri, scope), f"{uri}, path '{path}'")
    if isinstance(value, dict):
        return {name: resolve(member, scope) for name, member in value.items()}
    if isinstance(value, list):
        return [resolve(member, scope) for member in value]
    return value


def fill_in(value: Any, parameters: Mapping[str, Any]) -> Any:
    """`value` with each parameter replaced by its value; texts that this completes are joined.

    What parameters cannot decide (another step's output, an execution's id) stays as it is.
    """
    function, content = _function(value)
    if function == "Get":
        reference = parse_reference(content)
        if isinstance(reference, ParameterReference) and reference.name in parameters:
            return parameters[reference.name]
        return value
    if function == "Std:Join":
        separator, values = _join_parts(content)
        parts = [fill_in(part, parameters) for part in values]
        if any(is_expression(part) for part in parts):
            return {function: {**content, "Values": parts}}
        return separator.join(_as_text(part, part) for part in parts)
    if function is None and isinstance(value, dict):
        return {name: fill_in(member, parameters) for name, member in value.items()}
    if isinstance(value, list):
        return [fill_in(member, parameters) for member in value]
    return value


def origin(value: Any, scope: Scope) -> str:
    """Where a value comes from, in words that let a person find it."""
    function, content = _function(value)
    if function == "Std:JsonGet":
        uri, path = _json_source(content, scope)
        return f"{uri}, path '{path}'"
    if function == "Get":
        return str(content)
    if function == "Std:Join":
        return f"the joined text '{resolve(value, scope)}'"
    return "the definition"


def is_expression(value: Any) -> bool:
    """Whether `value` itself is a reference or function rather than a literal."""
    return _function(value)[0] is not None


def _function(value: Any) -> tuple[str | None, Any]:
    if isinstance(value, dict) and len(value) == 1:
        name, content = next(iter(value.items()))
        if name in EXPRESSIONS:
            return name, content
        if name.startswith("Std:"):
            raise LanguageError(
                f"'{name}' is no function of the definition language; it has Join and JsonGet."
            )
    return None, None


def _join_parts(content: Any) -> tuple[str, list[Any]]:
    values = content.get("Values") if isinstance(content, dict) else None
    separator = content.get("On", "") if isinstance(content, dict) else None
    if not isinstance(values, list) or not isinstance(separator, str):
        raise LanguageError(f"Std:Join needs On (text) and Values (a list), not {json.dumps(content)}.")
    return separator, values


def _json_get_parts(content: Any) -> tuple[Any, str]:
    if isinstance(content, dict) and isinstance(content.get("Path"), str):
        sources = [content[name] for name in ("PropertyFile", "S3Uri") if content.get(name) is not None]
        if len(sources) == 1:
            return sources[0], content["Path"]
    raise LanguageError(
        f"Std:JsonGet needs Path and either PropertyFile or S3Uri, not {json.dumps(content)}."
    )


def _json_source(content: Any, scope: Scope) -> tuple[str, str]:
    """The S3 URI of the file that a JsonGet reads, and the path inside it."""
    source, path = _json_get_parts(content)
    if "PropertyFile" not in content:
        return _as_text(resolve(source, scope), source), path
    reference = parse_reference(source.get("Get") if isinstance(source, dict) else source)
    if not isinstance(reference, PropertyFileReference):
        raise LanguageError(
            f"Std:JsonGet's PropertyFile must refer to a property file, not {json.dumps(source)}."
        )
    where = scope.property_files.get((reference.step, reference.name))
    if where is None:
        raise LanguageError(f"Step '{reference.step}' declares no property file '{reference.name}'.")
    folder = _follow(
        ("ProcessingOutputConfig", "Outputs", where.output, "S3Output", "S3Uri"),
        _properties(reference.step, scope),
        f"Steps.{reference.step}",
    )
    return f"{str(folder).rstrip('/')}/{where.path}", path


def _read_json(uri: str, scope: Scope) -> Any:
    content = scope.read(uri)
    if content is None:
        raise LanguageError(f"{uri} does not exist, so nothing can be read from it.")
    try:
        return json.loads(content)
    except ValueError as error:
        raise LanguageError(f"{uri} is not JSON: {error}.") from error


def _get(reference: Reference, scope: Scope) -> Any:
    if isinstance(reference, ParameterReference):
        if reference.name not in scope.parameters:
            raise LanguageError(f"'Parameters.{reference.name}' is not a parameter of this pipeline.")
        return scope.parameters[reference.name]
    if isinstance(reference, VariableReference):
        if reference.name not in scope.variables:
            raise LanguageError(f"'Execution.{reference.name}' has no value in this step.")
        return scope.variables[reference.name]
    if isinstance(reference, PropertyFileReference):
        raise LanguageError(
            f"'Steps.{reference.step}.PropertyFiles.{reference.name}' can only be read through Std:JsonGet."
        )
    return _follow(reference.path, _properties(reference.step, scope), f"'{reference.text}'")


def _properties(step: str, scope: Scope) -> Mapping[str, Any]:
    if step not in scope.properties:
        raise LanguageError(f"Step '{step}' has not succeeded in this execution, so it has no properties.")
    return scope.properties[step]


def _follow(path: Path, value: Any, where: str) -> Any:
    """Walk down; an error says how far the path leads and what is there."""
    for depth, part in enumerate(path):
        found = _member(value, part)
        if found is _ABSENT:
            so_far = _path_text(path[:depth]) or "the top"
            raise LanguageError(
                f"{where}: there is no {_path_text(path[: depth + 1])}; {so_far} is {_kind(value)}."
            )
        value = found
    return value


_ABSENT = object()


def _member(value: Any, part: str | int) -> Any:
    if isinstance(value, Mapping):
        return value.get(str(part), _ABSENT)
    if isinstance(value, list) and isinstance(part, int):
        return value[part] if part < len(value) else _ABSENT
    if isinstance(value, list):
        # Outputs['train'] picks from a list of structures by what names them (OutputName, ChannelName).
        for element in value:
            if isinstance(element, Mapping) and any(
                name.endswith("Name") and content == part for name, content in element.items()
            ):
                return element
    return _ABSENT


def _path_text(path: Path) -> str:
    return "".join(
        f"[{part}]"
        if isinstance(part, int)
        else f"['{part}']"
        if "." in part
        else f"{'.' if at else ''}{part}"
        for at, part in enumerate(path)
    )


def _kind(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"an object with {_listed(value)}" if value else "an empty object"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return f"the value {json.dumps(value)}"


def _listed(names: Mapping[str, Any]) -> str:
    shown = [f"'{name}'" for name in list(names)[:12]]
    return ", ".join(shown) + (", ..." if len(names) > len(shown) else "")


def _as_text(value: Any, expression: Any) -> str:
    """As the SDK's ``to_string``: what a value looks like inside a Std:Join."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    raise LanguageError(f"{json.dumps(expression)} is {_kind(value)} and cannot be joined into a text.")
