"""CloudFormation templates with their values filled in, and what the policies in them allow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from pipelines.infra.stacks import Kind, template_path
from sagemaker_local.stacks.cloudformation import Reference, Stack, read

PROJECT = "rc-fraud-detection"
ACCOUNT = "000000000000"
REGION = "eu-west-1"
BUCKET = "artifacts"
EXECUTION_ROLE = f"arn:aws:iam::{ACCOUNT}:role/gatehouse-{PROJECT}-execution"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"

FUNCTIONS = {
    "Project": PROJECT,
    "Settings": "{}",
    "CodeBucket": BUCKET,
    "CodeKey": "handlers.zip",
    "ArtifactBucket": BUCKET,
}
PARAMETERS: dict[Kind, dict[str, str]] = {
    "foundation": {"Project": PROJECT, "BucketName": BUCKET},
    "ci": {
        "Project": PROJECT,
        "Bucket": BUCKET,
        "ExecutionRoleArn": EXECUTION_ROLE,
        "CiRoleArn": f"arn:aws:iam::{ACCOUNT}:role/gatehouse-{PROJECT}-ci",
        "PlanRoleArn": f"arn:aws:iam::{ACCOUNT}:role/gatehouse-{PROJECT}-ci-plan",
        "Repository": "https://github.com/rc/fraud-detection",
    },
    "pipeline": FUNCTIONS,
    "automation": {**FUNCTIONS, "ExecutionRoleArn": EXECUTION_ROLE},
}
_ARNS = {
    "ArtifactBucket": f"arn:aws:s3:::{BUCKET}",
    "AccessLogs": "arn:aws:s3:::access-logs",
    "Key": KEY,
    "ExecutionRole": EXECUTION_ROLE,
}


def resources(kind: Kind, **more: str) -> dict[str, dict[str, Any]]:
    """A template's resources by logical id, every function in them carried out."""
    template = read(template_path(kind))

    def reference(logical: str) -> Reference:
        type_ = template["Resources"][logical]["Type"]
        arn = _ARNS.get(logical, f"arn:aws:any:{REGION}:{ACCOUNT}:{logical}")
        return Reference(arn if type_ == "AWS::SNS::Topic" else logical, {"Arn": arn, "QueueName": logical})

    stack = Stack(template, REGION, "test", {**PARAMETERS[kind], **more}, reference)
    return {name: stack.value(dict(resource)) for name, resource in stack.resources().items()}


def of_type(found: Mapping[str, Mapping[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    """The properties of the resources of a type."""
    return {name: one.get("Properties", {}) for name, one in found.items() if one["Type"] == kind}


def statements(found: Mapping[str, Mapping[str, Any]], role: str) -> list[dict[str, Any]]:
    """Every statement of a role's policies, those in resources of their own included."""
    own = [policy["PolicyDocument"] for policy in found[role]["Properties"].get("Policies", ())]
    beside = [
        policy["PolicyDocument"]
        for policy in of_type(found, "AWS::IAM::RolePolicy").values()
        if policy["RoleName"] == role
    ]
    return [statement for document in [*own, *beside] for statement in document["Statement"]]


def allows(
    policy: list[dict[str, Any]],
    action: str,
    resource: str | None = None,
    context: Mapping[str, str] | None = None,
) -> bool:
    """Whether a statement allows the action, on that resource if one is given, and none denies it.

    Args:
        context: the request's condition keys, by which what is denied is told from what is not; what an
            allowing statement asks besides is taken to be so.
    """
    found = [
        statement
        for statement in policy
        if any(fnmatchcase(action, pattern) for pattern in listed(statement["Action"]))
        and (
            resource is None
            or any(fnmatchcase(resource, pattern) for pattern in listed(statement["Resource"]))
        )
    ]
    denied = any(one["Effect"] == "Deny" and holds(one["Condition"], context or {}) for one in found)
    return not denied and any(one["Effect"] == "Allow" for one in found)


def holds(condition: Mapping[str, Mapping[str, Any]], context: Mapping[str, str]) -> bool:
    """Whether the condition of a denial is met; a negated operator is met by a missing key as well."""
    for operator, keys in condition.items():
        for key, value in keys.items():
            met = {
                "Null": (key not in context) == (value == "true"),
                "Bool": context.get(key) == value,
                "StringNotEquals": context.get(key) not in listed(value),
                "ArnNotEquals": context.get(key) not in listed(value),
            }[operator]
            if not met:
                return False
    return True


def listed(value: Any) -> list[Any]:
    """IAM and CloudFormation write one thing without a list."""
    return value if isinstance(value, list) else [value]


def policies_in(found: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(logical id of the role, statement) of everything that a template allows to its roles."""
    for role in of_type(found, "AWS::IAM::Role"):
        for statement in statements(found, role):
            yield role, statement
