"""Amazon Resource Names, ``arn:<partition>:<service>:<region>:<account>:<resource>``, and what they say.

AWS often answers with an ARN alone where the version of a model package or the id of an execution is meant,
so both are read here, as is what names a function of Lambda's. The account of a SageMaker that is not AWS's,
which its ARNs carry, is here too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

LOCAL_ACCOUNT = "000000000000"
"""No real account has this number, so nobody mistakes a local ARN for one of AWS."""

_PACKAGE_VERSION = re.compile(r"arn:[^/]+:model-package/([^/]+)/([0-9]{1,18})")
_EXECUTION = re.compile(r"arn:aws[a-z-]*:sagemaker:[a-z0-9-]+:[0-9]{12}:pipeline/([^/]+)/execution/([^/]+)")


_FUNCTION_NAME = (
    r"(?:arn:[^:]+:lambda:)?(?:(?P<region>[a-z]{2,}(?:-[a-z]+)+-[0-9]):)?(?:(?P<account>[0-9]{12}):)?(?:function:)?"
    r"(?P<name>[A-Za-z0-9_-]+)(?::(?P<qualifier>\$LATEST|[A-Za-z0-9_-]+))?"
)
"""By the pattern of FunctionName in Lambda's API; compiled when it is used, which most commands never do."""

LATEST = "$LATEST"
"""The qualifier of a function's code as it was last updated."""


@dataclass(frozen=True)
class Arn:
    """The parts of an ARN; `region` and `account` are empty where a service has none."""

    partition: str
    service: str
    region: str
    account: str
    resource: str

    @property
    def name(self) -> str:
        """The last part of the resource: a role's name, a job's name, an execution's id."""
        return self.resource.rpartition("/")[2]


def parse_arn(text: str) -> Arn:
    """Raises ValueError for what is no ARN."""
    head, *parts = text.split(":", 5)
    if head != "arn" or len(parts) != 5:
        raise ValueError(f"{text!r} is no ARN")
    return Arn(*parts)


@dataclass(frozen=True)
class FunctionName:
    """What a function's name, ARN or partial ARN says; `region` and `account` are None where it says neither.

    `qualifier` is a version, an alias or `LATEST`, which it also is where there is none.
    """

    region: str | None
    account: str | None
    name: str
    qualifier: str


def parse_function_name(text: str) -> FunctionName | None:
    """None for what names no function."""
    found = re.fullmatch(_FUNCTION_NAME, text)
    return found and FunctionName(**{**found.groupdict(), "qualifier": found["qualifier"] or LATEST})


def parse_package_version(text: str) -> tuple[str, int] | None:
    """The group and the version that a model package's ARN names.

    None for any other text, and for a model package without a group, which has no version.
    """
    found = _PACKAGE_VERSION.fullmatch(text)
    return (found[1], int(found[2])) if found else None


def group_and_version(arn: str) -> tuple[str, int]:
    """The same, for an ARN that is known to be a version's.

    Raises:
        ValueError: it is none.
    """
    found = parse_package_version(arn)
    if found is None:
        raise ValueError(f"{arn!r} is no ARN of a model package's version")
    return found


def package_version_arn(group_arn: str, version: int | str) -> str:
    """The ARN of a version, from its model package group's ARN; ``*`` for all versions."""
    return f"{group_arn.replace(':model-package-group/', ':model-package/')}/{version}"


def parse_execution(text: str) -> tuple[str, str] | None:
    """The pipeline and the id that an execution's ARN names; None for any other text."""
    found = _EXECUTION.fullmatch(text)
    return (found[1], found[2]) if found else None
