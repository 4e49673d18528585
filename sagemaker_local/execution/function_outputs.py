"""What a Lambda step keeps of its function's answer: the outputs that the step declares."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aws_formats.definition_language import LanguageError

_LENGTH = 1024
_TYPES: dict[str, type | tuple[type, ...]] = {
    "String": str,
    "Integer": int,
    "Float": (int, float),
    "Boolean": bool,
}


def declared_outputs(returned: Any, declared: Mapping[str, str]) -> dict[str, Any]:
    """Those values of a function's answer that the step declares; raises LanguageError without one."""
    if not isinstance(returned, dict):
        raise LanguageError(
            f"the function has to return an object with the step's outputs, not {returned!r}."
        )
    for name, kind in declared.items():
        value = returned.get(name)
        if not isinstance(value, _TYPES[kind]) or isinstance(value, bool) != (kind == "Boolean"):
            raise LanguageError(f"the function has to return {name} as {kind}; it returned {value!r}.")
        if len(output_text(value)) > _LENGTH:
            raise LanguageError(f"the function's {name} has more than {_LENGTH} characters.")
    return {name: returned[name] for name in declared}


def output_text(value: Any) -> str:
    """As the step's metadata show it."""
    return value if isinstance(value, str) else json.dumps(value)
