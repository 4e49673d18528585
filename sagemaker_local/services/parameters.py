"""Systems Manager's Parameter Store: named values with their history, and labels on versions of it.

A parameter is one document that holds all its versions, so every change of it is one durable write, and
two writers get two versions. It keeps the last 100; a version that has a label is never dropped for that.

A SecureString is refused: there is no key service here, and a secret would lie on the disk as plain text.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from typing import Any

from sagemaker_local.errors import AwsError, not_implemented, validation_error
from sagemaker_local.services import paging, tags
from sagemaker_local.services.call import Call, Handler
from sagemaker_local.services.identity import CALLER_ARN
from sagemaker_local.store import Document

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
            document = {"Name": name, "Type": kind, "CreationTime": time.time(), "_Versions": []}
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
            "LastModifiedDate": time.time(),
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
    found = [
        document
        for document in call.store.list(PARAMETER, call.region)
        if _is_below(document["Name"], path, recursive=parameters.get("Recursive", False))
    ]
    filters = parameters.get("ParameterFilters", [])
    labels = [one for one in filters if one["Key"] == "Label"]
    chosen = _filtered(found, [one for one in filters if one not in labels], ("Type", "KeyId"))
    shown = []
    for document in chosen:
        version = document["_Versions"][-1]
        for one in labels:
            named = [item for item in document["_Versions"] if set(item["Labels"]) & set(one["Values"])]
            version = named[-1] if named else None
        if version is not None:
            shown.append(_parameter(call, document, version))
    page, token = _page(shown, parameters, 10)
    return {"Parameters": page, "NextToken": token}


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
    found = _filtered(
        call.store.list(PARAMETER, call.region),
        parameters.get("ParameterFilters", []),
        ("Name", "Type", "KeyId", "Path", "Tier", "DataType"),
    )
    shown = [_parameter(call, document, document["_Versions"][-1]) for document in found]
    page, token = _page(shown, parameters, 50)
    return {"Parameters": page, "NextToken": token}


SERVICE = "ssm"
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
    if selector.isdigit():
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


def _is_below(name: str, path: str, *, recursive: bool) -> bool:
    prefix = path.rstrip("/") + "/"
    return name.startswith(prefix) and (recursive or "/" not in name[len(prefix) :])


def _filtered(
    documents: Iterable[Document], filters: list[Document], allowed: tuple[str, ...]
) -> list[Document]:
    """Those that pass every filter."""
    found = list(documents)
    for one in filters:
        if one["Key"] not in allowed:
            raise AwsError("InvalidFilterKey", f"The filter key {one['Key']} is not valid for this request.")
        passes = _filter(one)
        found = [document for document in found if passes(document)]
    return found


def _filter(one: Document) -> Callable[[Document], bool]:
    key, values = one["Key"], one.get("Values", [])
    option = one.get("Option", "OneLevel" if key == "Path" else "Equals")
    if not values:
        raise AwsError("InvalidFilterValue", f"The filter {key} has no values.")
    if key == "Path" and option in ("OneLevel", "Recursive"):
        deep = option == "Recursive"
        return lambda document: any(_is_below(document["Name"], path, recursive=deep) for path in values)
    tests: dict[str, Callable[[str, str], bool]] = {
        "Equals": lambda text, value: text == value,
        "BeginsWith": lambda text, value: text.startswith(value),
        "Contains": lambda text, value: value in text,
    }
    if key == "Path" or option not in tests or (option == "Contains" and key != "Name"):
        raise AwsError("InvalidFilterOption", f"The option {option} is not valid for the filter {key}.")
    test = tests[option]

    def text_of(document: Document) -> str:
        if key in ("Name", "Type"):
            return str(document[key])
        return str(document["_Versions"][-1].get(key, ""))

    return lambda document: any(test(text_of(document), value) for value in values)


def _page(items: list[Document], parameters: Document, size: int) -> tuple[list[Document], str | None]:
    return paging.page(items, parameters, lambda item: (item["Name"],), descending=False, size=size)
