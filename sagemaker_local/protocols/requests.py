"""A request's members against the operation's shapes, refused in the service's own words.

``aws_formats.shapes`` finds the problems; here they become the sentences that AWS's services answer
with, such as "1 validation error detected: Value 'a_b' at 'pipelineName' failed to satisfy constraint".
"""

from __future__ import annotations

from typing import Any

from botocore.model import Shape

from aws_formats.shapes import Entry, Item, Path, Problem, check
from sagemaker_local.errors import AwsError

_QUOTED = 256
"""Characters of an offending value that an error repeats; a definition may be a megabyte."""


def parse(shape: Shape | None, wire: Any, refusal: str = "ValidationException") -> Any:
    """A request's typed parameters from its JSON values.

    Raises:
        AwsError: ``SerializationException`` for a value of the wrong JSON type, `refusal` that lists every
            constraint that is not met.
    """
    if shape is None:
        return {}
    value, problems = check(shape, wire)
    for problem in problems:
        if problem.constraint == "type":
            where = _words(problem.path) or "the request"
            raise AwsError("SerializationException", f"The value at '{where}' must be {problem.wanted}.")
    if problems:
        count = "1 validation error" if len(problems) == 1 else f"{len(problems)} validation errors"
        raise AwsError(refusal, f"{count} detected: {'; '.join(map(_sentence, problems))}")
    return value


def _words(path: Path) -> str:
    """The service names members in lower camel case: ``pipelineName``, ``tags.1.member.key``."""
    parts = []
    for part in path:
        if isinstance(part, Item):
            parts.append(f"{part.position + 1}.member")
        elif isinstance(part, Entry):
            parts.append("key" if part.is_key else part.key)
        else:
            parts.append(f"{part.name[:1].lower()}{part.name[1:]}")
    return ".".join(parts)


def _sentence(problem: Problem) -> str:
    where, shape = _words(problem.path), problem.shape
    if problem.constraint == "unknown":
        known = ", ".join(shape.members) or "none"
        name = getattr(problem.path[-1], "name", "")
        return f"Unknown parameter at '{where}': {shape.name} has no '{name}' (it has: {known})"
    shown = "null" if problem.constraint == "missing" else f"'{_cut(problem.value)}'"
    return f"Value {shown} at '{where}' failed to satisfy constraint: Member must {_constraint(problem)}"


def _constraint(problem: Problem) -> str:
    metadata = problem.shape.metadata
    match problem.constraint:
        case "missing":
            return "not be null"
        case "enum":
            return f"satisfy enum value set: [{', '.join(metadata['enum'])}]"
        case "pattern":
            return f"satisfy regular expression pattern: {metadata['pattern']}"
    what = "length" if problem.constraint == "length" else "value"
    return f"have {what} {'greater' if problem.is_least else 'less'} than or equal to {problem.limit}"


def _cut(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _QUOTED else f"{text[:_QUOTED]}..."
