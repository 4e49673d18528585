"""Project settings: ``projects.toml`` in, validated and frozen values out.

One file holds every project of every team. ``[defaults]`` fills what a project leaves out, table by
table. A project is named after its team and itself, ``{team}-{project}``, and so are its pipeline,
its model package group and its endpoints.

Nothing here looks at AWS or at the data: a wrong key, type or range is found before anything else
happens, and the error names the file, the table, the key and what to do. ``project`` holds the
tables of one project; where it runs, and what the environment overrides for that, is ``target``'s.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError
from pydantic_core import ErrorDetails

from aws_formats.errors import GatehouseError
from pipelines.settings.project import (
    Card,
    Data,
    EnvironmentSettings,
    Gate,
    Network,
    Project,
    Split,
    Table,
    Training,
    why_no_name,
)

__all__ = ["Local", "Project", "Settings", "load_settings"]

FILE_NAME = "projects.toml"
NAME_LIMIT = 63
"""Characters of `{team}-{project}`: model package groups and endpoints are named after it."""


class Local(Table):
    """How the local SageMaker runs jobs on this machine."""

    interpreters: dict[str, str] = Field(default_factory=dict)
    """Image pattern -> Python interpreter, relative to the settings file or absolute."""


class Settings(Table):
    """Everything that one settings file says; `projects` by full name."""

    file: Path
    default_project: str | None
    local: Local
    projects: dict[str, Project]

    @property
    def root(self) -> Path:
        """The folder of the settings file."""
        return self.file.parent

    def project(self, name: str | None = None) -> Project:
        """The project of that full name, ``{team}-{project}``; the default project without one.

        Raises:
            GatehouseError: there is no such project, or none is named and the file has no default.
        """
        name = name or self.default_project
        if name is None:
            raise GatehouseError(
                "no project is named and there is no default_project",
                where=str(self.file),
                remedy=f"Name one of: {', '.join(sorted(self.projects))}",
            )
        if name not in self.projects:
            raise GatehouseError(
                f"there is no project {name!r}", where=str(self.file), remedy=which_one(name, self.projects)
            )
        return self.projects[name]


def load_settings(path: Path | None = None) -> Settings:
    """Read and check the settings file.

    Args:
        path: the file. Without it: the environment variable ``GATEHOUSE_SETTINGS``, then
            ``projects.toml`` in the working directory or the nearest folder above it.

    Raises:
        GatehouseError: there is no such file, it is not TOML, or its content is wrong.
    """
    file = (path or _find_file()).absolute()
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise GatehouseError(
            f"the settings cannot be read: {reason}",
            where=str(file),
            remedy=f"Give the path of a {FILE_NAME}, or set GATEHOUSE_SETTINGS to it",
        ) from error
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise GatehouseError(
            f"this is not valid TOML: {error}", where=str(file), remedy="Correct the file at that line"
        ) from error
    return _Reader(file, content).settings()


def _find_file() -> Path:
    named = os.environ.get("GATEHOUSE_SETTINGS")
    if named:
        return Path(named).expanduser()
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / FILE_NAME).is_file():
            return folder / FILE_NAME
    raise GatehouseError(
        f"there is no {FILE_NAME} here or in a folder above",
        where=str(here),
        remedy="Change to the project's folder, or set GATEHOUSE_SETTINGS to the file",
    )


class _File(Table):
    """The file's top level, before `[defaults]` is laid under each project."""

    default_project: str | None = None
    defaults: dict[str, Any] = Field(default_factory=dict)
    local: Local = Local()
    projects: dict[str, dict[str, dict[str, Any]]]


_TABLES: dict[tuple[str, ...], type[BaseModel]] = {
    ("data",): Data,
    ("data", "split"): Split,
    ("gate",): Gate,
    ("training",): Training,
    ("card",): Card,
    ("network",): Network,
    ("local",): Local,
}
_NOT_KEYS = ("team", "short_name", "file")
"""Members of `Project` that come from the place of its table, not from a key in it."""


class _Reader:
    """One file's content on its way to settings; knows where each value stands, for the errors."""

    def __init__(self, file: Path, content: dict[str, Any]) -> None:
        self.file = file
        self.content = content

    def settings(self) -> Settings:
        try:
            top = _File.model_validate(self.content)
        except ValidationError as error:
            raise self._invalid(error, _File, (), self.content) from error
        projects: dict[str, Project] = {}
        for team, tables in top.projects.items():
            for short_name, table in tables.items():
                project = self._project(team, short_name, table, top.defaults)
                if project.name in projects:
                    raise self._error(
                        ("projects", team, short_name),
                        f"two projects have the name {project.name}",
                        "Rename one of them, or its team",
                    )
                projects[project.name] = project
        if not projects:
            raise self._error(("projects",), "there is no project", "Add [projects.<team>.<project>]")
        default = top.default_project
        if default is not None and default not in projects:
            raise self._error(
                ("default_project",), f"there is no project {default!r}", which_one(default, projects)
            )
        return Settings(file=self.file, default_project=default, local=top.local, projects=projects)

    def _project(
        self, team: str, short_name: str, table: dict[str, Any], defaults: dict[str, Any]
    ) -> Project:
        place = ("projects", team, short_name)
        name = f"{team}-{short_name}"
        for part in (team, short_name):
            if wrong := why_no_name(part):
                raise self._error(place, *wrong)
        if len(name) > NAME_LIMIT:
            raise self._error(
                place,
                f"the name {name} has {len(name)} characters, a model package group at most {NAME_LIMIT}",
                "Shorten the team's or the project's name",
            )
        for source, where in ((table, place), (defaults, ("defaults",))):
            for key in _NOT_KEYS:
                if key in source:
                    raise self._error((*where, key), "unknown key", "Its table's heading names a project")
        values = _laid_over(defaults, table)
        try:
            return Project.model_validate(
                {**values, "team": team, "short_name": short_name, "file": self.file}
            )
        except ValidationError as error:
            raise self._invalid(error, Project, place, values) from error

    def _invalid(
        self, error: ValidationError, model: type[BaseModel], place: tuple[str, ...], values: dict[str, Any]
    ) -> GatehouseError:
        """The first of pydantic's complaints, at the place in the file where its value stands."""
        # A misspelt key is unknown and missing at once; what is there says more than what is not.
        details = sorted(error.errors(), key=lambda detail: detail["type"] != "extra_forbidden")
        path = _key_path(details[0]["loc"], values)
        what, remedy = explained(details[0], _table_at(path[:-1], model))
        if len(details) > 1:
            what += f" (and {len(details) - 1} more wrong in this table)"
        own = _value(self.content, (*place, *path))
        if place and own is None and _value(self.content, ("defaults", *path)) is not None:
            place = ("defaults",)
        return self._error((*place, *path), what, remedy)

    def _error(self, path: tuple[str, ...], what: str, remedy: str | None) -> GatehouseError:
        """An error at a table, or at a key of one, with the table's heading as TOML writes it."""
        is_table = isinstance(_value(self.content, path), dict)
        table, key = (path, ()) if is_table else (path[:-1], path[-1:])
        place = " ".join(([f"[{'.'.join(table)}]"] if table else []) + list(key))
        return GatehouseError(what, where=f"{self.file}: {place}", remedy=remedy)


def _laid_over(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`over` with what only `under` has, table by table."""
    merged = {**under, **over}
    for key, value in over.items():
        below = under.get(key)
        if isinstance(value, dict) and isinstance(below, dict):
            merged[key] = _laid_over(below, value)
    return merged


def _table_at(path: tuple[str, ...], model: type[BaseModel]) -> type[BaseModel]:
    """The table at a path of keys; environments have names of their own."""
    if len(path) == 2 and path[0] == "environments":
        return EnvironmentSettings
    return _TABLES.get(path, model)


def _value(table: Any, path: Iterable[str]) -> Any:
    """What stands at a path of keys, None where nothing does."""
    for key in path:
        table = table.get(key) if isinstance(table, dict) else None
    return table


def _key_path(location: tuple[int | str, ...], values: Any) -> tuple[str, ...]:
    """The part of pydantic's location that names keys of the file: list positions and types follow it."""
    path: list[str] = []
    for part in location:
        if not isinstance(values, dict):
            break
        path.append(str(part))
        values = values.get(part)
    return tuple(path)


def explained(detail: ErrorDetails, model: type[BaseModel]) -> tuple[str, str | None]:
    """What is wrong and what to do, in the file's terms."""
    key = str(detail["loc"][-1]) if detail["loc"] else ""
    given = detail["input"]
    match detail["type"]:
        case "extra_forbidden":
            keys = [name for name in model.model_fields if name not in _NOT_KEYS]
            return "unknown key", which_one(key, keys, "keys of this table")
        case "missing":
            return "this key is missing", "Add it here or in [defaults]" if model is Project else "Add it"
        case "value_error":
            return detail["msg"].removeprefix("Value error, "), "Correct the settings"
        case "string_pattern_mismatch":
            return f"{given!r} has the wrong form", _FORMS.get(
                key, f"It must match {detail['ctx']['pattern']}"
            )
    requirement = detail["msg"].replace("Input should be ", "").replace("dictionary", "table")
    return f"{given!r} is wrong", f"It must be {requirement}"


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
    "kms_key": "Write the key's full ARN, 'arn:aws:kms:<region>:<account>:key/<id>'",
    "instance_type": "Write a SageMaker instance type, for example 'ml.m5.large'",
    "processing_instance_type": "Write a SageMaker instance type, for example 'ml.m5.xlarge'",
    "training_instance_type": "Write a SageMaker instance type, for example 'ml.m5.xlarge'",
}


def place_of(project: Project, key: str) -> str:
    """Where a key of a project stands, as errors say it: in its own table, in [defaults], or nowhere yet."""
    content = tomllib.loads(project.file.read_text(encoding="utf-8"))
    place: tuple[str, ...] = ("projects", project.team, project.short_name)
    if _value(content, (*place, key)) is None and _value(content, ("defaults", key)) is not None:
        place = ("defaults",)
    return f"{project.file}: [{'.'.join(place)}] {key}"


def which_one(name: str, known: Iterable[str], kind: str = "projects") -> str:
    """A remedy for a name that does not exist: the one most like it, or all there are."""
    folded = {one.lower(): one for one in sorted(known)}
    close = difflib.get_close_matches(name.lower(), folded, n=1)
    return f"Did you mean {folded[close[0]]!r}?" if close else f"The {kind} are: {', '.join(sorted(known))}"
