"""Wire values against botocore's shapes: what comes in is checked and typed, what goes out is trimmed.

botocore ships the service models that AWS's own clients are made from. Its ``ParamValidator`` leaves
``pattern`` and ``enum`` to the service, so the checks are done here, all of them in one walk, and
reported in the service's own words: what passes here is well-formed on AWS as well.

In: JSON-like values (timestamps as POSIX seconds, blobs as base64 text) become datetimes and bytes.
Out: members that the output shape does not have are dropped, datetimes and bytes become JSON again.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import functools
import math
import re
from collections.abc import Iterable
from typing import Any

from botocore.loaders import Loader
from botocore.model import ServiceModel, Shape

from sagemaker_local.errors import AwsError, validation_error

_QUOTED = 256
"""Characters of an offending value that an error repeats; a definition may be a megabyte."""

_JAVA_CLASSES = {"L": r"\w", "N": r"\w", "Z": r"\s", "Alnum": "a-zA-Z0-9", "Alpha": "a-zA-Z", "Digit": "0-9"}
"""Java's character classes and a Python class that holds at least the same characters."""

_KINDS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "structure": (dict, "an object"),
    "map": (dict, "an object"),
    "list": (list, "a list"),
    "string": (str, "a string"),
    "character": (str, "a string"),
    "blob": ((str, bytes), "a base64 string"),
    "boolean": (bool, "true or false"),
    "integer": (int, "an integer"),
    "long": (int, "an integer"),
    "float": ((int, float), "a number"),
    "double": ((int, float), "a number"),
    "timestamp": ((int, float), "a number of seconds since 1970"),
}


_loader = Loader()


def read_through(loader: Loader) -> None:
    """Read the services' descriptions through a loader that may hold some already, as clients' do."""
    global _loader
    _loader = loader


@functools.cache
def service_model(service: str) -> ServiceModel:
    """botocore's model of a service, loaded when first asked for (SageMaker's takes 0.1 s)."""
    return ServiceModel(_loader.load_service_model(service, "service-2"), service)


def parse(shape: Shape | None, wire: Any) -> Any:
    """A request's typed parameters.

    Raises:
        AwsError: ``SerializationException`` for a value of the wrong JSON type, ``ValidationException``
            that lists every constraint that is not met.
    """
    if shape is None:
        return {}
    problems: list[str] = []
    value = _parse(shape, wire, "", problems)
    if problems:
        count = "1 validation error" if len(problems) == 1 else f"{len(problems)} validation errors"
        raise validation_error(f"{count} detected: {'; '.join(problems)}")
    return value


def render(shape: Shape | None, value: Any) -> Any:
    """What the output shape declares of a response, as JSON values."""
    if shape is None:
        return {}
    kind = shape.type_name
    if kind == "structure":
        return {
            name: render(member, value[name])
            for name, member in shape.members.items()
            if value.get(name) is not None
        }
    if kind == "list":
        return [render(shape.member, item) for item in value]
    if kind == "map":
        return {key: render(shape.value, item) for key, item in value.items()}
    if isinstance(value, datetime.datetime):
        return value.timestamp()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    return value


def _parse(shape: Shape, wire: Any, path: str, problems: list[str]) -> Any:
    _check_type(shape, wire, path)
    kind = shape.type_name
    if kind == "structure":
        return _parse_structure(shape, wire, path, problems)
    if kind == "list":
        _check_size(shape, len(wire), wire, path, problems)
        return [_parse(shape.member, item, f"{path}.{n}.member", problems) for n, item in _present(wire)]
    if kind == "map":
        _check_size(shape, len(wire), wire, path, problems)
        return {
            _parse(shape.key, key, f"{path}.key", problems): _parse(
                shape.value, item, f"{path}.{key}", problems
            )
            for key, item in wire.items()
            if item is not None
        }
    if kind in ("string", "character"):
        _check_string(shape, wire, path, problems)
    elif kind == "blob":
        return _parse_blob(shape, wire, path, problems)
    elif kind == "timestamp":
        return _parse_timestamp(wire, path)
    elif kind != "boolean":
        _check_number(shape, wire, path, problems)
    return wire


def _check_type(shape: Shape, wire: Any, path: str) -> None:
    expected, wording = _KINDS[shape.type_name]
    # bool is an int in Python, but not in JSON.
    if not isinstance(wire, expected) or (isinstance(wire, bool) and expected is not bool):
        raise AwsError("SerializationException", f"The value at '{path or 'the request'}' must be {wording}.")


def _present(items: list[Any]) -> Iterable[tuple[int, Any]]:
    return ((number, item) for number, item in enumerate(items, 1) if item is not None)


def _parse_structure(shape: Shape, wire: dict[str, Any], path: str, problems: list[str]) -> dict[str, Any]:
    parsed = {}
    for name, value in wire.items():
        member = shape.members.get(name)
        where = _member_path(path, name)
        if member is None:
            known = ", ".join(shape.members) or "none"
            problems.append(f"Unknown parameter at '{where}': {shape.name} has no '{name}' (it has: {known})")
        elif value is not None:
            parsed[name] = _parse(member, value, where, problems)
    problems += [
        _violation("null", _member_path(path, name), "Member must not be null", quote=False)
        for name in shape.required_members
        if wire.get(name) is None
    ]
    return parsed


def _parse_blob(shape: Shape, wire: str | bytes, path: str, problems: list[str]) -> bytes:
    if isinstance(wire, bytes):  # a protocol that carries the bytes themselves
        _check_size(shape, len(wire), "(bytes)", path, problems)
        return wire
    try:
        value = base64.b64decode(wire, validate=True)
    except (binascii.Error, ValueError) as error:
        raise AwsError("SerializationException", f"The value at '{path}' is not base64: {error}.") from error
    _check_size(shape, len(value), wire, path, problems)
    return value


def _parse_timestamp(wire: float, path: str) -> datetime.datetime:
    try:
        return datetime.datetime.fromtimestamp(wire, datetime.UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise AwsError("SerializationException", f"The value at '{path}' is not a point in time.") from error


def _check_string(shape: Shape, value: str, path: str, problems: list[str]) -> None:
    if not _is_text(value):
        raise AwsError("SerializationException", f"The value at '{path}' is no text: half of a character.")
    enum = shape.metadata.get("enum")
    if enum and value not in enum:
        problems.append(_violation(value, path, f"Member must satisfy enum value set: [{', '.join(enum)}]"))
        return
    # A pattern is tried only on a string of an acceptable length: no pattern meets a value without bound.
    if not _check_size(shape, len(value), value, path, problems):
        return
    pattern = shape.metadata.get("pattern")
    expression = pattern and _expression(pattern)
    if expression and not expression.fullmatch(value):
        problems.append(_violation(value, path, f"Member must satisfy regular expression pattern: {pattern}"))


def _is_text(value: str) -> bool:
    """JSON's escapes can write half of a surrogate pair, which no encoding can: nothing could send it on."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_size(shape: Shape, size: int, value: Any, path: str, problems: list[str]) -> bool:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and size < low:
        problems.append(_violation(value, path, f"Member must have length greater than or equal to {low}"))
        return False
    if high is not None and size > high:
        problems.append(_violation(value, path, f"Member must have length less than or equal to {high}"))
        return False
    return True


def _check_number(shape: Shape, value: float, path: str, problems: list[str]) -> None:
    # An integer of any length is finite, and one of hundreds of digits is no float.
    if isinstance(value, float) and not math.isfinite(value):
        raise AwsError("SerializationException", f"The value at '{path}' must be a finite number.")
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and value < low:
        problems.append(_violation(value, path, f"Member must have value greater than or equal to {low}"))
    if high is not None and value > high:
        problems.append(_violation(value, path, f"Member must have value less than or equal to {high}"))


def _member_path(path: str, name: str) -> str:
    # The service names members in lower camel case: 'pipelineName', 'tags.1.member.key'.
    return f"{path}.{name[:1].lower()}{name[1:]}" if path else f"{name[:1].lower()}{name[1:]}"


def _violation(value: Any, path: str, constraint: str, *, quote: bool = True) -> str:
    text = str(value)
    if len(text) > _QUOTED:
        text = f"{text[:_QUOTED]}..."
    shown = f"'{text}'" if quote else text
    return f"Value {shown} at '{path}' failed to satisfy constraint: {constraint}"


@functools.cache
def _expression(pattern: str) -> re.Pattern[str] | None:
    """A service model's pattern, which is Java's; None where Python cannot express it.

    Classes that Python lacks are widened, never narrowed. A dot matches line ends as well: some of
    the models' patterns would otherwise take exponential time on text with unusual line ends.
    """
    translated = re.sub(r"\\p\{(\w+)\}", lambda match: _JAVA_CLASSES.get(match[1], match[0]), pattern)
    try:
        return re.compile(translated, re.DOTALL)
    except re.error:
        return None
