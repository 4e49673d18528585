"""What pydantic complains of in a settings file, all of it at once and in the file's terms.

A complaint has the path of a key, what is wrong there, and what to do. Pydantic looks at keys together only
when each of them by itself is right; here the wrong ones are taken out and the rest is looked at again, so
that nobody corrects a file one mistake at a time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from aws_formats.errors import GatehouseError, SeveralErrors
from pipelines.settings.gate import Gate
from pipelines.settings.project import (
    INCONSISTENT,
    Capture,
    Card,
    Data,
    EnvironmentSettings,
    Network,
    Project,
    Split,
    Training,
)
from pipelines.settings.query import Query
from pipelines.settings.tables import Local, nearest, which_one
from pipelines.settings.tuning import Range, Tuning

Keys = tuple[str, ...]
"""A path of keys, from the outermost table on."""

_TABLES: dict[Keys, type[BaseModel]] = {
    ("data",): Data,
    ("data", "split"): Split,
    ("data", "query"): Query,
    ("gate",): Gate,
    ("training",): Training,
    ("tuning",): Tuning,
    ("card",): Card,
    ("network",): Network,
    ("local",): Local,
}
NOT_KEYS = ("team", "short_name", "file")
"""Members of `Project` that come from the place of its table, not from a key in it."""


def complaints(
    error: ValidationError, model: type[BaseModel], values: dict[str, Any]
) -> Iterator[tuple[Keys, str, str | None]]:
    """For each: the path of the key, what is wrong with it, and what to do.

    Args:
        error: what validating ``values`` by ``model`` raised.
    """
    single: dict[Keys, ErrorDetails] = {}
    for detail in error.errors():
        if detail["type"] != INCONSISTENT:
            single.setdefault(_key_path(detail["loc"], values), detail)
    # A misspelt key is unknown, and the one that was meant is missing: the former says more.
    meant = {
        (*path[:-1], near)
        for path, detail in single.items()
        if detail["type"] == "extra_forbidden"
        for near in nearest(path[-1], _table_at(path[:-1], model).model_fields)
    }
    for path, detail in single.items():
        if path not in meant:
            yield path, *explained(detail, _table_at(path[:-1], model))
    for detail in _of_keys_together(error, model, _without(values, single)):
        path = tuple(map(str, detail["loc"]))
        # Of a table that has a wrong key enough is said.
        if path not in meant and not any(one[: len(path)] == path for one in single):
            yield path, *explained(detail, model)


def all_wrong(file: Path, found: Sequence[GatehouseError]) -> GatehouseError:
    """One error that says all that is wrong with a settings file; each of several has its number."""
    if len(found) == 1:
        return found[0]
    return SeveralErrors(found, str(file))


def _of_keys_together(
    error: ValidationError, model: type[BaseModel], rest: dict[str, Any]
) -> list[ErrorDetails]:
    """What was said of keys that do not go together; if nothing was, what is said of the right keys alone."""
    found = [detail for detail in error.errors() if detail["type"] == INCONSISTENT]
    if not found:
        try:
            model.model_validate(rest)
        except ValidationError as behind:
            found = [detail for detail in behind.errors() if detail["type"] == INCONSISTENT]
    return found


def _without(values: dict[str, Any], paths: Iterable[Keys]) -> dict[str, Any]:
    """The values less those at some paths."""
    for path in paths:
        key, below = path[0], values.get(path[0])
        rest = {name: value for name, value in values.items() if name != key}
        if len(path) > 1 and isinstance(below, dict):
            rest[key] = _without(below, [path[1:]])
        values = rest
    return values


def _table_at(path: Keys, model: type[BaseModel]) -> type[BaseModel]:
    """The table at a path of keys; environments and ranges have names of their own."""
    if path[:1] == ("environments",) and len(path) > 1:
        return Capture if path[2:] == ("capture",) else EnvironmentSettings
    if len(path) == 3 and path[:2] == ("tuning", "ranges"):
        return Range
    return _TABLES.get(path, model)


def value_at(table: Any, path: Iterable[str]) -> Any:
    """What stands at a path of keys, None where nothing does."""
    for key in path:
        table = table.get(key) if isinstance(table, dict) else None
    return table


def _key_path(location: tuple[int | str, ...], values: Any) -> Keys:
    """The part of pydantic's location that names keys of the file: list positions and types follow it."""
    path: list[str] = []
    for part in location:
        if not isinstance(values, dict):
            break
        # A floor of a class is known as ``recall.malignant``, and written in a table of its own.
        keys = str(part).split(".", 1) if part not in values else [str(part)]
        path += keys
        values = value_at(values, keys)
    return tuple(path)


def explained(detail: ErrorDetails, model: type[BaseModel]) -> tuple[str, str | None]:
    """What is wrong and what to do, in the file's terms."""
    # A place in a list is none of the file's keys.
    key = next((part for part in reversed(detail["loc"]) if isinstance(part, str)), "")
    given = detail["input"]
    match detail["type"]:
        case "extra_forbidden":
            keys = [name for name in model.model_fields if name not in NOT_KEYS]
            return "unknown key", which_one(key, keys, "keys of this table")
        case "missing":
            return "this key is missing", "Add it here or in [defaults]" if model is Project else "Add it"
        case _ if detail["type"] == INCONSISTENT:
            return detail["ctx"]["what"], detail["ctx"]["remedy"]
        case "value_error":
            return detail["msg"].removeprefix("Value error, "), "Correct the settings"
        case "string_pattern_mismatch":
            return f"{given!r} has the wrong form", _FORMS.get(
                key, f"It must match {detail['ctx']['pattern']}"
            )
        case "string_type" if isinstance(given, bool | int | float):
            return f"{_as_toml(given)} is wrong", f"It must be text: '{_as_toml(given)}'"
    requirement = re.sub(r"^[A-Z][a-z ]* should ", "", detail["msg"])  # String should have at most ...
    for type_of_python, type_of_toml in (("dictionary", "table"), ("tuple", "list")):
        requirement = requirement.replace(type_of_python, type_of_toml)
    return f"{given!r} is wrong", f"It must {requirement}"


def _as_toml(value: bool | float) -> str:
    return str(value).lower()


_FORMS = {
    "region": "Write an AWS region, for example 'eu-west-1'",
    "role": "Write the role's full ARN, 'arn:aws:iam::<account>:role/<name>'",
    "bucket": "Write the bucket's bare name, 3 to 63 lower-case letters, digits, dots and hyphens",
    "image_version": "Write the image's full version, for example '3.2-0'",
    "cache_expire_after": "Write an ISO 8601 duration, for example 'P30D' or 'PT12H'",
    "account": "Write the account's twelve digits in quotation marks, for example '111122223333'",
    "assume_role": "Write the role's full ARN, 'arn:aws:iam::<account>:role/<name>'",
    "subnets": "Write subnet ids, for example ['subnet-0a1b2c3d']",
    "security_groups": "Write security group ids, for example ['sg-0a1b2c3d']",
    "destination": "Write an S3 prefix of letters, digits and !_.=-, for example 's3://bucket/captures'",
    "database": "Write the database's name, in lower-case letters, digits, _ and -",
    "workgroup": "Write the workgroup's name, in letters, digits, '.', _ and -",
    "catalog": "Write the data catalog's name, in letters, digits and @_/-",
    "tables_at": "Write S3 prefixes of letters, digits and !_.=-, for example ['s3://lake/claims']",
    "mlflow": "Write the full ARN of an MLflow App or a tracking server,"
    " 'arn:aws:sagemaker:<region>:<account>:mlflow-app/<id>' or '...:mlflow-tracking-server/<name>'",
    "kms_key": "Write the key's full ARN, 'arn:aws:kms:<region>:<account>:key/<id>'",
    "instance_type": "Write a SageMaker instance type, for example 'ml.m5.large'",
    "processing_instance_type": "Write a SageMaker instance type, for example 'ml.m5.xlarge'",
    "training_instance_type": "Write a SageMaker instance type, for example 'ml.m5.xlarge'",
}
