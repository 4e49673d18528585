"""Pipeline parameters: what a definition declares, and the typed values of one execution.

A caller gives every value as text (``StartPipelineExecution``'s PipelineParameters); out come Python
values by name. A value that does not fit is refused before the execution exists.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sagemaker_local.errors import AwsError, validation_error

TYPES = ("String", "Integer", "Float", "Boolean")
_INTEGER = re.compile(r"[+-]?\d{1,4000}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
"""Narrower than Python's own float(), which takes digits of any script, underscores and spaces as well."""

Value = str | int | float | bool


@dataclass(frozen=True)
class Parameter:
    """One declared parameter; without a default a value must be given."""

    name: str
    type: str
    default: Value | None
    allowed: tuple[str, ...]


def declared_parameters(definition: Mapping[str, Any]) -> tuple[Parameter, ...]:
    """The definition's ``Parameters``, checked; raises ValidationException."""
    entries = definition.get("Parameters") or []
    if not isinstance(entries, list):
        raise validation_error("Unable to parse pipeline definition. Parameters must be a list.")
    parameters = tuple(_declared(entry) for entry in entries)
    names = [parameter.name for parameter in parameters]
    for name in names:
        if names.count(name) > 1:
            raise validation_error(f"Parameter '{name}' is declared more than once.")
    return parameters


def parameter_values(declared: Iterable[Parameter], given: Iterable[Mapping[str, str]]) -> dict[str, Value]:
    """Typed values of every declared parameter, in order of declaration.

    Args:
        declared: the definition's parameters.
        given: PipelineParameters as the API has them, ``{"Name", "Value"}`` with text values.

    Raises:
        AwsError: ValidationException for an unknown, doubled, missing or unfit value.
    """
    by_name = {parameter.name: parameter for parameter in declared}
    values: dict[str, Value] = {}
    for entry in given:
        name = entry["Name"]
        if name not in by_name:
            raise _unknown(name, by_name)
        if name in values:
            raise validation_error(f"Parameter '{name}' is given more than once.")
        values[name] = _typed(by_name[name], entry["Value"])
    missing = [name for name, one in by_name.items() if name not in values and one.default is None]
    if missing:
        raise validation_error(f"Parameters without a default value must be given: {', '.join(missing)}.")
    return {name: values[name] if name in values else _default(one) for name, one in by_name.items()}


def value_text(value: Value) -> str:
    """A value as the API shows it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _declared(entry: Any) -> Parameter:
    if not isinstance(entry, dict) or not isinstance(entry.get("Name"), str) or not entry["Name"]:
        raise validation_error(f"Unable to parse pipeline definition. A parameter needs a Name: {entry}.")
    name, kind, default = entry["Name"], entry.get("Type"), entry.get("DefaultValue")
    if kind not in TYPES:
        raise validation_error(
            f"Parameter '{name}' has the type {kind!r}; it must be one of {', '.join(TYPES)}."
        )
    allowed = entry.get("EnumValues") or []
    if not isinstance(allowed, list) or not all(isinstance(one, str) for one in allowed):
        raise validation_error(f"Parameter '{name}': EnumValues must be a list of texts.")
    if default is not None and not _fits(kind, default):
        raise validation_error(f"Parameter '{name}' is declared {kind} but its default is {default!r}.")
    if default is not None and allowed and str(default) not in allowed:
        raise validation_error(
            f"Parameter '{name}': the default {default!r} is not among {', '.join(allowed)}."
        )
    return Parameter(
        name, kind, float(default) if kind == "Float" and default is not None else default, tuple(allowed)
    )


def _fits(kind: str, value: Any) -> bool:
    if kind == "String":
        return isinstance(value, str)
    if kind == "Boolean":
        return isinstance(value, bool)
    if isinstance(value, bool):
        return False
    if kind == "Integer":
        return isinstance(value, int)
    return isinstance(value, int | float) and _finite(repr(value)) is not None


def _typed(parameter: Parameter, text: str) -> Value:
    value: Value | None = None
    if parameter.type == "String":
        value = text
    elif parameter.type == "Boolean":
        value = {"true": True, "false": False}.get(text.lower())
    elif parameter.type == "Integer":
        value = int(text) if _INTEGER.fullmatch(text) else None
    else:
        value = _finite(text)
    if value is None:
        raise validation_error(
            f"Parameter '{parameter.name}' is declared {parameter.type}; the value '{text}' is not."
        )
    if parameter.allowed and text not in parameter.allowed:
        raise validation_error(
            f"Parameter '{parameter.name}' allows {', '.join(parameter.allowed)}, not '{text}'."
        )
    return value


def _finite(text: str) -> float | None:
    value = float(text) if _NUMBER.fullmatch(text) else math.inf
    return value if math.isfinite(value) else None


def _default(parameter: Parameter) -> Value:
    if parameter.default is None:
        raise AssertionError(f"{parameter.name} has no default")
    return parameter.default


def _unknown(name: str, known: Mapping[str, Parameter]) -> AwsError:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    listed = ", ".join(known) or "none"
    return validation_error(f"The pipeline has no parameter '{name}'.{hint} Its parameters are: {listed}.")
