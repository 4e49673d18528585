"""Headers and query parameters of a request against S3's own model.

The operations read what they need by hand; what S3's model demands of a value, it demands here of every
request: enumerations, numbers, booleans and patterns. A header, and a parameter of the query, is described
alike by all operations that have it, but for a few, where one of the descriptions has to fit.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

from botocore.model import Shape

from aws_formats import shapes
from aws_formats.service_models import service_model
from sagemaker_local.errors import AwsError
from sagemaker_local.protocols import texts
from sagemaker_local.s3.messages import Request

_TEXTS = ("string", "boolean", "integer", "long")


def check(request: Request) -> None:
    """Raises AwsError InvalidArgument for a value that its shape does not allow; an empty one is none."""
    for location, values in (("header", request.headers), ("querystring", request.query)):
        known = _constrained(location)
        for name, value in values.items():
            if value and name in known and not any(_fits(shape, value) for shape in known[name]):
                raise AwsError("InvalidArgument", f"{name} must be {_wanted(known[name][0])}, not '{value}'.")


def check_location(constraint: str) -> None:
    """Raises AwsError InvalidLocationConstraint for a region that S3's model does not know."""
    if not _fits(service_model("s3").shape_for("BucketLocationConstraint"), constraint):
        raise AwsError(
            "InvalidLocationConstraint", f"The specified location constraint '{constraint}' is not valid."
        )


@functools.cache
def _constrained(location: str) -> Mapping[str, list[Shape]]:
    """The shapes of headers (by name in lower case) or query parameters that constrain their value."""
    model = service_model("s3")
    found: dict[str, list[Shape]] = {}
    for operation in model.operation_names:
        shape = model.operation_model(operation).input_shape
        for member in shape.members.values() if shape is not None else ():
            is_free = member.type_name == "string" and not {"enum", "pattern"} & member.metadata.keys()
            if (
                member.serialization.get("location") == location
                and member.type_name in _TEXTS
                and not is_free
            ):
                name = member.serialization["name"]
                known = found.setdefault(name.lower() if location == "header" else name, [])
                if all(one.name != member.name for one in known):
                    known.append(member)
    return found


def _fits(shape: Shape, value: str) -> bool:
    try:
        return not shapes.check(shape, texts.parse(shape, value))[1]
    except ValueError:
        return False


def _wanted(shape: Shape) -> str:
    match shape.type_name:
        case "boolean":
            return "true or false"
        case "integer" | "long":
            return "a whole number"
    return f"one of {', '.join(shape.metadata['enum'])}" if "enum" in shape.metadata else "as S3 describes it"
