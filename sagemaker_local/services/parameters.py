"""Systems Manager's Parameter Store: named values with their history, and labels on versions of it.

A parameter is one document that holds all its versions, so every change of it is one durable write, and
two writers get two versions. It keeps the last 100; a version that has a label is never dropped for that.

A SecureString is refused: there is no key service here, and a secret would lie on the disk as plain text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from sagemaker_local import clocks
from sagemaker_local.errors import AwsError, not_implemented, validation_error
from sagemaker_local.services import paging, tags
from sagemaker_local.services.call import Call, Handler
from sagemaker_local.services.identity import CALLER_ARN
from sagemaker_local.store import Document
from sagemaker_local.store.listing import (
    NAME,
    Column,
    Condition,
    Listing,
    begins_with,
    contains,
    either,
    equal,
    every,
    member,
)

PARAMETER = "parameter"

MOST_VERSIONS = 100
MOST_LABELS = 10
"""Of one version."""

DEEPEST = 15
"""Levels of a name."""

_LONGEST_VALUE = {"Standard": 4096, "Advanced": 8192}
_NAME = re.compile(r"(/[\w.-]+)+|[\w.-]+", re.ASCII)
_RESERVED = re.compile(r"/?(aws|ssm)", re.IGNORECASE)
_LABEL = re.compile(r"(?!\d|aws|ssm)[\w.-]{1,100}", re.ASCII | re.IGNORECASE)
_OF_A_VERSION = ("Value", "Description", "AllowedPattern", "Tier", "DataType")


def _not_found(name: str) -> AwsError:
    return AwsError("ParameterNotFound", f"There is no parameter {name}.")


def _version_not_found(name: str, version: object) -> AwsError:
    return AwsError(
        "ParameterVersionNotFound",
        f"Systems Manager could not find version {version} of {name}. Verify the version and try again.",
    )


def put_parameter(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """PutParameter: a new parameter, or with Overwrite the next version of one.

    A new version has the description of the one before where the request gives none.
    """
    name = parameters["Name"]
    _check_name(name)
    if parameters.get("Policies"):
        raise not_implemented("Policies of a parameter")
    if parameters.get("DataType", "text") != "text":
        raise not_implemented(f"DataType {parameters['DataType']}")
    overwrite = parameters.get("Overwrite", False)
    if overwrite and parameters.get("Tags"):
        raise validation_error("Invalid request: tags and overwrite can't be used together.")
    tier = _tier(parameters)
    with call.store.transaction():
        document = call.store.get(PARAMETER, call.region, name)
        if document is not None and not overwrite:
            raise AwsError(
                "ParameterAlreadyExists",
                "The parameter already exists. To overwrite this value, set the overwrite option in the"
                " request to true.",
            )
        kind = parameters.get("Type", document["Type"] if document is not None else None)
        _check_type(kind, document)
        _check_pattern(parameters)
        if document is None:
            document = {"Name": name, "Type": kind, "CreationTime": clocks.now(), "_Versions": []}
            tags.replace(call, _arn(call, name), parameters.get("Tags"))
        versions = document["_Versions"]
        latest = versions[-1] if versions else {"Version": 0}
        _drop_oldest_if_full(name, versions)
        version = {
            "Description": latest.get("Description"),
            **{key: parameters[key] for key in _OF_A_VERSION if key in parameters},
            "Version": latest["Version"] + 1,
            "Tier": tier,
            "DataType": "text",
            "LastModifiedDate": clocks.now(),
            "LastModifiedUser": CALLER_ARN,
            "Labels": [],
        }
        versions.append(version)
        call.store.put(PARAMETER, call.region, name, document)
    return {"Version": version["Version"], "Tier": tier}


def get_parameter(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """GetParameter; ``name:3`` is version 3 and ``name:label`` the version with that label."""
    return {"Parameter": _selected(call, parameters["Name"])}


def get_parameters(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """GetParameters: those that there are; the names of the others."""
    names = parameters["Names"]
    if len(set(names)) < len(names):
        raise validation_error("Duplicated names in the request.")
    found, missing = [], []
    for name in names:
        try:
            found.append(_selected(call, name))
        except AwsError as error:
            if error.code not in ("ParameterNotFound", "ParameterVersionNotFound"):
                raise
            missing.append(name)
    return {"Parameters": found, "InvalidParameters": missing or None}


def get_parameters_by_path(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """GetParametersByPath: directly below a path, or with Recursive anywhere below it."""
    path = parameters["Path"]
    if not path.startswith("/"):
        raise validation_error("The parameter path must begin with '/'.")
    filters = parameters.get("ParameterFilters", [])
    labels = [one["Values"] for one in filters if one["Key"] == "Label"]
    conditions = [
        _below(path, recursive=parameters.get("Recursive", False)),
        *_conditions([one for one in filters if one["Key"] != "Label"], ("Type", "KeyId")),
    ]
    if labels:
        conditions.append(_labelled(labels[-1]))
    found, token = _page(call, parameters, conditions, 10)
    shown = []
    for document in found:
        versions = document["_Versions"]
        if labels:
            versions = [one for one in versions if set(one["Labels"]) & set(labels[-1])]
        shown.append(_parameter(call, document, versions[-1]))
    return {"Parameters": shown, "NextToken": token}


def get_history(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """GetParameterHistory, oldest first."""
    document = _load(call, parameters["Name"])
    versions = [
        {**version, "Name": document["Name"], "Type": document["Type"], "Labels": version["Labels"] or None}
        for version in document["_Versions"]
    ]
    page, token = paging.page(
        versions, parameters, lambda version: (version["Version"],), descending=False, size=50
    )
    return {"Parameters": page, "NextToken": token}


def label_version(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """LabelParameterVersion: moves a label here from the version that had it; the latest by default."""
    wanted = parameters["Labels"]
    invalid = [label for label in wanted if not _LABEL.fullmatch(label)]
    valid = [label for label in wanted if label not in invalid]
    with call.store.transaction():
        document = _load(call, parameters["Name"])
        version = _version(document, parameters.get("ParameterVersion"))
        labels = version["Labels"] + [label for label in valid if label not in version["Labels"]]
        if len(labels) > MOST_LABELS:
            raise AwsError(
                "ParameterVersionLabelLimitExceeded",
                f"A version can have at most {MOST_LABELS} labels; version {version['Version']} of"
                f" {document['Name']} would have {len(labels)}.",
            )
        for other in document["_Versions"]:
            other["Labels"] = [label for label in other["Labels"] if label not in valid]
        version["Labels"] = labels
        call.store.put(PARAMETER, call.region, document["Name"], document)
    return {"InvalidLabels": invalid or None, "ParameterVersion": version["Version"]}


def unlabel_version(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """UnlabelParameterVersion"""
    wanted = parameters["Labels"]
    with call.store.transaction():
        document = _load(call, parameters["Name"])
        version = _version(document, parameters["ParameterVersion"])
        removed = [label for label in wanted if label in version["Labels"]]
        version["Labels"] = [label for label in version["Labels"] if label not in removed]
        call.store.put(PARAMETER, call.region, document["Name"], document)
    invalid = [label for label in wanted if label not in removed]
    return {"RemovedLabels": removed or None, "InvalidLabels": invalid or None}


def delete_parameter(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """DeleteParameter, with its history."""
    if not _delete(call, parameters["Name"]):
        raise _not_found(parameters["Name"])
    return {}


def delete_parameters(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """DeleteParameters: says which there were."""
    with call.store.transaction():
        deleted = [name for name in parameters["Names"] if _delete(call, name)]
    missing = [name for name in parameters["Names"] if name not in deleted]
    return {"DeletedParameters": deleted or None, "InvalidParameters": missing or None}


def describe_parameters(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """DescribeParameters: everything but the values, by name."""
    if parameters.get("Filters"):
        raise not_implemented("Filters of DescribeParameters (ParameterFilters is)")
    conditions = _conditions(
        parameters.get("ParameterFilters", []), ("Name", "Type", "KeyId", "Path", "Tier", "DataType")
    )
    found, token = _page(call, parameters, conditions, 50)
    shown = [_parameter(call, document, document["_Versions"][-1]) for document in found]
    return {"Parameters": shown, "NextToken": token}


_PARAMETERS = Listing(PARAMETER, {"Name": (NAME,)})

SERVICE = "ssm"
LISTINGS = (_PARAMETERS,)
OPERATIONS: dict[str, Handler] = {
    "PutParameter": put_parameter,
    "GetParameter": get_parameter,
    "GetParameters": get_parameters,
    "GetParametersByPath": get_parameters_by_path,
    "GetParameterHistory": get_history,
    "LabelParameterVersion": label_version,
    "UnlabelParameterVersion": unlabel_version,
    "DeleteParameter": delete_parameter,
    "DeleteParameters": delete_parameters,
    "DescribeParameters": describe_parameters,
}
TRANSACTIONS = (
    "PutParameter",
    "LabelParameterVersion",
    "UnlabelParameterVersion",
    "DeleteParameter",
    "DeleteParameters",
)


def _arn(call: Call, name: str) -> str:
    return call.arn(f"parameter/{name.removeprefix('/')}", "ssm")


def _load(call: Call, name: str) -> Document:
    document = call.store.get(PARAMETER, call.region, name)
    if document is None:
        raise _not_found(name)
    return document


def _version(document: Document, number: int | None) -> Document:
    """One version's entry in the document; the latest where `number` is None."""
    versions: list[Document] = document["_Versions"]
    if number is None:
        return versions[-1]
    for version in versions:
        if version["Version"] == number:
            return version
    raise _version_not_found(document["Name"], number)


def _selected(call: Call, text: str) -> Document:
    """A parameter by name or ARN, with ``:version`` or ``:label``."""
    prefix = call.arn("parameter", "ssm")
    if text.startswith(f"{prefix}/"):
        path = text.removeprefix(prefix)
        plain = path.removeprefix("/")
        # An ARN does not tell "name" from "/name".
        known = call.store.get(PARAMETER, call.region, plain.partition(":")[0])
        text = plain if known is not None else path
    name, colon, selector = text.partition(":")
    document = _load(call, name)
    if not colon:
        return _parameter(call, document, document["_Versions"][-1])
    if re.fullmatch(r"[0-9]{1,18}", selector):
        version = _version(document, int(selector))
    else:
        labelled = [one for one in document["_Versions"] if selector in one["Labels"]]
        if not labelled:
            raise AwsError(
                "ParameterVersionNotFound",
                f"Systems Manager could not find a version of {name} with the label {selector}.",
            )
        version = labelled[0]
    return {**_parameter(call, document, version), "Selector": f":{selector}"}


def _parameter(call: Call, document: Document, version: Document) -> Document:
    name = document["Name"]
    return {**version, "Name": name, "Type": document["Type"], "ARN": _arn(call, name)}


def _delete(call: Call, name: str) -> bool:
    with call.store.transaction():
        tags.drop(call, _arn(call, name))
        return call.store.delete(PARAMETER, call.region, name)


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise validation_error(
            f"Parameter name {name!r} is not valid: letters, digits and .-_ in parts that '/' separates; with"
            " several parts it begins with '/'."
        )
    if _RESERVED.match(name):
        raise validation_error(f"Parameter name {name!r} is not valid: it must not begin with aws or ssm.")
    if name.count("/") > DEEPEST:
        raise AwsError(
            "HierarchyLevelLimitExceededException", f"A hierarchy can have at most {DEEPEST} levels: {name}."
        )


def _tier(parameters: Document) -> str:
    """The tier of a new version; the value's length decides where it is to."""
    size, tier = len(parameters["Value"].encode()), parameters.get("Tier", "Standard")
    if not size:
        raise validation_error("A parameter's value must not be empty.")
    if tier == "Intelligent-Tiering":
        tier = "Standard" if size <= _LONGEST_VALUE["Standard"] else "Advanced"
    if size > _LONGEST_VALUE[tier]:
        raise validation_error(
            f"{tier} tier parameters support a maximum parameter value of {_LONGEST_VALUE[tier]} characters;"
            f" this one has {size}."
        )
    return str(tier)


def _check_type(kind: str | None, document: Document | None) -> None:
    if kind is None:
        raise validation_error("A parameter type is required when you create a parameter.")
    if kind == "SecureString":
        raise AwsError(
            "UnsupportedParameterType",
            "SecureString is not implemented by the local SageMaker: it could not keep the value secret.",
        )
    if document is not None and kind != document["Type"]:
        raise AwsError(
            "HierarchyTypeMismatchException",
            f"The type of {document['Name']} is {document['Type']} and cannot be changed to {kind}.",
        )


def _check_pattern(parameters: Document) -> None:
    pattern = parameters.get("AllowedPattern")
    if not pattern:
        return
    try:
        matches = re.fullmatch(pattern, parameters["Value"])
    except re.error as error:
        raise AwsError(
            "InvalidAllowedPatternException", f"The allowed pattern is no regular expression: {error}."
        ) from error
    if not matches:
        raise AwsError(
            "ParameterPatternMismatchException",
            f"Parameter value cannot be validated based on allowed pattern: {pattern}.",
        )


def _drop_oldest_if_full(name: str, versions: list[Document]) -> None:
    if len(versions) < MOST_VERSIONS:
        return
    oldest = versions[0]
    if oldest["Labels"]:
        raise AwsError(
            "ParameterMaxVersionLimitExceeded",
            f"{name} has {MOST_VERSIONS} versions, and the oldest, version {oldest['Version']}, cannot be"
            f" dropped because it has the label {oldest['Labels'][0]}. Move the label to another version.",
        )
    versions.pop(0)


def _below(path: str, *, recursive: bool) -> Condition:
    """A parameter directly below a path, or anywhere below it."""
    prefix = path.rstrip("/") + "/"
    conditions = begins_with(NAME, prefix)
    if not recursive:
        conditions.append(Condition("instr(substr(name, ?), '/') = 0", (len(prefix) + 1,)))
    return every(conditions)


def _labelled(labels: list[str]) -> Condition:
    """A parameter of which a version has one of these labels."""
    return Condition(
        "EXISTS (SELECT 1 FROM json_each(doc, '$._Versions') AS version,"
        " json_each(version.value, '$.Labels') AS label"
        f" WHERE label.value IN ({', '.join('?' for _ in labels)}))",
        tuple(labels),
    )


def _conditions(filters: list[Document], allowed: tuple[str, ...]) -> list[Condition]:
    """What a parameter must meet to pass every filter."""
    for one in filters:
        if one["Key"] not in allowed:
            raise AwsError("InvalidFilterKey", f"The filter key {one['Key']} is not valid for this request.")
    return [_condition(one) for one in filters]


def _condition(one: Document) -> Condition:
    key, values = one["Key"], one.get("Values", [])
    option = one.get("Option", "OneLevel" if key == "Path" else "Equals")
    if not values:
        raise AwsError("InvalidFilterValue", f"The filter {key} has no values.")
    if key == "Path" and option in ("OneLevel", "Recursive"):
        return either([_below(path, recursive=option == "Recursive") for path in values])
    tests: dict[str, Callable[[Column, str], list[Condition]]] = {
        "Equals": lambda column, value: [equal(column, value)],
        "BeginsWith": begins_with,
        "Contains": contains,
    }
    if key == "Path" or option not in tests or (option == "Contains" and key != "Name"):
        raise AwsError("InvalidFilterOption", f"The option {option} is not valid for the filter {key}.")
    column = {"Name": NAME, "Type": member("Type")}.get(key) or member(f"_Versions[#-1].{key}")
    return either([every(tests[option](column, value)) for value in values])


def _page(
    call: Call, parameters: Document, conditions: list[Condition], size: int
) -> tuple[list[Document], str | None]:
    return paging.stored_page(
        call, _PARAMETERS, parameters, conditions=conditions, descending=False, size=size
    )
