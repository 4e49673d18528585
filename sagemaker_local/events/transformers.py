"""The input of a target: all of an event, a part of it, a constant, or a text made from its parts.

A template's ``<name>`` is replaced by the value at the name's path. Inside a JSON string a value goes in
as text, elsewhere as JSON; a path that leads nowhere gives nothing inside a string and null elsewhere.

Source: the EventBridge User Guide, "Input transformation". Paths here are ``$``, ``.name``, ``['name']``
and ``[0]``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_PART = re.compile(r"\.(?P<plain>[\w$@-]+)|\['(?P<quoted>[^']+)'\]|\[(?P<index>\d{1,18})\]")
_PIECE = re.compile(r'<(?P<name>[A-Za-z0-9_.-]+)>|\\.|"|[^<\\"]+|.', re.DOTALL)
_EXCLUSIVE = ("Input", "InputPath", "InputTransformer")
_PREDEFINED = (
    "aws.events.rule-arn",
    "aws.events.rule-name",
    "aws.events.event.ingestion-time",
    "aws.events.event",
    "aws.events.event.json",
)


class InvalidInput(Exception):
    """Why a target's input cannot be made."""


def check(target: Mapping[str, Any]) -> None:
    """Check a target's input members.

    Raises:
        InvalidInput: more than one of them, a path that is none, or a name that has no path.
    """
    given = [name for name in _EXCLUSIVE if name in target]
    if len(given) > 1:
        raise InvalidInput(f"only one of {', '.join(given)} can be given")
    if "Input" in target:
        try:
            json.loads(target["Input"])
        except ValueError as error:
            raise InvalidInput(f"Input is not JSON: {error}") from error
    if "InputPath" in target:
        _parts(target["InputPath"])
    if "InputTransformer" in target:
        paths = target["InputTransformer"].get("InputPathsMap", {})
        for name, path in paths.items():
            if name.startswith("aws."):
                raise InvalidInput(f"the name {name} is EventBridge's own")
            _parts(path)
        for found in re.findall(r"<([A-Za-z0-9_.-]+)>", target["InputTransformer"]["InputTemplate"]):
            if found not in paths and found not in _PREDEFINED:
                raise InvalidInput(f"the template's <{found}> is not in InputPathsMap")


def apply(target: Mapping[str, Any], event: Mapping[str, Any], rule_arn: str) -> str:
    """The text that the target is given.

    Raises:
        InvalidInput: the path leads nowhere, so there is nothing to send.
    """
    if "Input" in target:
        return str(target["Input"])
    if "InputPath" in target:
        found = _at(event, target["InputPath"])
        if found is None:
            raise InvalidInput(f"there is nothing at {target['InputPath']} of the event")
        return json.dumps(found)
    if "InputTransformer" not in target:
        return json.dumps(event)
    transformer = target["InputTransformer"]
    values = {name: _at(event, path) for name, path in transformer.get("InputPathsMap", {}).items()}
    without_detail = {name: value for name, value in event.items() if name != "detail"}
    values |= dict(
        zip(
            _PREDEFINED,
            (rule_arn, rule_arn.rpartition("/")[2], event["time"], without_detail, dict(event)),
            strict=True,
        )
    )
    return _filled(transformer["InputTemplate"], values)


def _filled(template: str, values: Mapping[str, Any]) -> str:
    text, quoted = "", False
    for piece in _PIECE.finditer(template):
        name = piece["name"]
        if name is None or name not in values:
            quoted ^= piece[0] == '"'
            text += piece[0]
        elif quoted:
            text += _inside_string(values[name])
        else:
            text += json.dumps(values[name])
    return text


def _inside_string(value: object) -> str:
    if value is None:
        return ""
    plain = value if isinstance(value, str) else json.dumps(value)
    return json.dumps(plain)[1:-1]


def _parts(path: str) -> list[str | int]:
    parts: list[str | int] = []
    position = 1
    while path.startswith("$") and position < len(path):
        match = _PART.match(path, position)
        if match is None:
            break
        parts.append(int(match["index"]) if match["index"] else match["plain"] or match["quoted"])
        position = match.end()
    if not path.startswith("$") or position < len(path):
        raise InvalidInput(f"'{path}' is not a path like $.detail.name, $.resources[0] or $['detail-type']")
    return parts


def _at(event: object, path: str) -> Any:
    found = event
    for part in _parts(path):
        if isinstance(found, dict) and isinstance(part, str):
            found = found.get(part)
        elif isinstance(found, list) and isinstance(part, int):
            found = found[part] if part < len(found) else None
        else:
            return None
    return found
