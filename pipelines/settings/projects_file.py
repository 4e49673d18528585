"""Project settings: ``projects.toml`` in, validated and frozen values out.

One file holds every project of every team. ``[defaults]`` fills what a project leaves out, table by
table. A project is named after its team and itself, ``{team}-{project}``, and so are its pipeline,
its model package group and its endpoints.

Nothing here looks at AWS or at the data: a wrong key, type or range is found before anything else
happens, and the error names the file, the table, the key and what to do. ``project`` holds the
tables of one project; where it runs, and what the environment overrides for that, is ``target``'s.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from aws_formats.errors import GatehouseError
from pipelines.settings.complaints import NOT_KEYS, all_wrong, complaints, value_at
from pipelines.settings.gate import ACCURACY
from pipelines.settings.project import Project, why_no_name
from pipelines.settings.tables import Local, Table, text_of, which_one

__all__ = ["Local", "Project", "Settings", "load_settings"]

FILE_NAME = "projects.toml"
NAME_LIMIT = 63
"""Characters of `{team}-{project}`: model package groups and endpoints are named after it."""


@dataclass(frozen=True)
class Settings:
    """Everything that one settings file says; `projects` by full name.

    `default_project` is the one that the file names as such, or else its only one.
    """

    file: Path
    default_project: str | None
    local: Local
    projects: dict[str, Project]

    @property
    def root(self) -> Path:
        """The folder of the settings file."""
        return self.file.parent

    @property
    def first_project(self) -> Project | None:
        """The default project, or else the first of the file; None without a settings file.

        Its region and role count where no project is meant, or one that the settings do not know.
        """
        name = self.default_project or next(iter(self.projects), None)
        return None if name is None else self.projects[name]

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
    found = path or find_settings_file()
    if found is None:
        raise GatehouseError(
            f"there is no {FILE_NAME} here or in a folder above",
            where=str(Path.cwd()),
            remedy="Change to the project's folder, set GATEHOUSE_SETTINGS to the file, or write one for your"
            " data: gatehouse init FILE",
        )
    return _read(found.absolute())


def load_settings_if_any() -> Settings:
    """The same for what needs no project: without a file, settings of this folder that have no project.

    Raises:
        GatehouseError: ``GATEHOUSE_SETTINGS`` names no file, or the file that was found is wrong.
    """
    found = find_settings_file()
    if found is None:
        return Settings(file=Path.cwd() / FILE_NAME, default_project=None, local=Local(), projects={})
    return _read(found.absolute())


def settings_file() -> Path:
    """The file that :func:`load_settings` reads; it need not exist."""
    return (find_settings_file() or Path(FILE_NAME)).absolute()


def _read(file: Path) -> Settings:
    remedy = f"Give the path of a {FILE_NAME}, or set GATEHOUSE_SETTINGS to it"
    text = text_of(file, "the settings", remedy)
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise GatehouseError(
            f"this is not valid TOML: {error}", where=str(file), remedy="Correct the file at that line"
        ) from error
    return _Reader(file, content).settings()


def find_settings_file() -> Path | None:
    """The file that commands read: the one that ``GATEHOUSE_SETTINGS`` names, whether or not it is there, or
    ``projects.toml`` in the working directory or the nearest folder above it.

    Raises:
        GatehouseError: ``GATEHOUSE_SETTINGS`` begins with the home of a user that there is not.
    """
    named = os.environ.get("GATEHOUSE_SETTINGS")
    if named:
        try:
            return Path(named).expanduser()
        except RuntimeError as error:
            raise GatehouseError(
                str(error), where="GATEHOUSE_SETTINGS", remedy="Name a file of yours"
            ) from error
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / FILE_NAME).is_file():
            return folder / FILE_NAME
    return None


class _File(Table):
    """The file's top level, before `[defaults]` is laid under each project."""

    default_project: str | None = None
    defaults: dict[str, Any] = Field(default_factory=dict)
    local: Local = Local()
    projects: dict[str, dict[str, dict[str, Any]]] = Field(default_factory=dict)


class _Reader:
    """One file's content on its way to settings; knows where each value stands, for the errors.

    Attributes:
        wrong: what has been found wrong so far, by what is said of it: each table is read, whatever is wrong
            with another, and what is wrong in the defaults is found again in each project.
    """

    def __init__(self, file: Path, content: dict[str, Any]) -> None:
        self.file = file
        self.content = content
        self.wrong: dict[str, GatehouseError] = {}

    def settings(self) -> Settings:
        top = self._top()
        projects: dict[str, Project | None] = {}
        for team, short_name, table in self._tables():
            name = f"{team}-{short_name}"
            if name in projects:
                self._complain(
                    ("projects", team, short_name),
                    f"two projects have the name {name}",
                    "Rename one of them, or its team",
                )
            projects[name] = self._project(team, short_name, table)
        if not projects and not self.wrong:
            remedy = "Add [projects.<team>.<project>], or have it written: gatehouse init FILE --append"
            self._complain(("projects",), "there is no project", remedy)
        default = top.default_project
        if default is not None and default not in projects:
            self._complain(
                ("default_project",), f"there is no project {default!r}", which_one(default, projects)
            )
        if self.wrong:
            raise all_wrong(self.file, list(self.wrong.values()))
        if default is None and len(projects) == 1:
            default = next(iter(projects))
        right = {name: project for name, project in projects.items() if project is not None}
        return Settings(file=self.file, default_project=default, local=top.local, projects=right)

    def _top(self) -> _File:
        """The top level; what is right of it where something is wrong."""
        try:
            return _File.model_validate(self.content)
        except ValidationError as error:
            self._complain_of(error, _File, (), self.content)
            return _File()

    def _tables(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Team, short name and table of each project; what is no table, :meth:`_top` complains of."""
        teams = self.content.get("projects")
        for team, tables in teams.items() if isinstance(teams, dict) else ():
            for short_name, table in tables.items() if isinstance(tables, dict) else ():
                if isinstance(table, dict):
                    yield team, short_name, table

    def _project(self, team: str, short_name: str, table: dict[str, Any]) -> Project | None:
        """None where something in it is wrong."""
        defaults = self.content.get("defaults")
        defaults = defaults if isinstance(defaults, dict) else {}
        place = ("projects", team, short_name)
        name = f"{team}-{short_name}"
        for part in (team, short_name):
            if wrong := why_no_name(part):
                self._complain(place, *wrong)
                return None
        if len(name) > NAME_LIMIT:
            self._complain(
                place,
                f"the name {name} has {len(name)} characters, a model package group at most {NAME_LIMIT}",
                "Shorten the team's or the project's name",
            )
            return None
        for source, where in ((table, place), (defaults, ("defaults",))):
            for key in NOT_KEYS:
                if key in source:
                    self._complain((*where, key), "unknown key", "Its table's heading names a project")
                    return None
        values = {
            **_with_own_threshold(_laid_over(defaults, table), table),
            **{"team": team, "short_name": short_name, "file": self.file},
        }
        try:
            return Project.model_validate(values)
        except ValidationError as error:
            self._complain_of(error, Project, place, values)
            return None

    def _complain_of(
        self, error: ValidationError, model: type[BaseModel], place: tuple[str, ...], values: dict[str, Any]
    ) -> None:
        """Of all that is wrong, each at the place in the file where its value stands."""
        for path, what, remedy in complaints(error, model, values):
            self._complain((*self._written_in(place, path), *path), what, remedy)

    def _written_in(self, place: tuple[str, ...], path: tuple[str, ...]) -> tuple[str, ...]:
        """The table that says the value at a path: the project's, or the defaults."""
        own = value_at(self.content, (*place, *path))
        inherited = value_at(self.content, ("defaults", *path))
        return ("defaults",) if place and own is None and inherited is not None else place

    def _complain(self, path: tuple[str, ...], what: str, remedy: str | None) -> None:
        """At a table, or at a key of one, with the table's heading as TOML writes it."""
        is_table = isinstance(value_at(self.content, path), dict)
        table, key = (path, ()) if is_table else (path[:-1], path[-1:])
        place = " ".join(([f"[{'.'.join(table)}]"] if table else []) + list(key))
        error = GatehouseError(what, where=f"{self.file}: {place}", remedy=remedy)
        self.wrong.setdefault(str(error), error)


def _laid_over(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`over` with what only `under` has, table by table."""
    merged = {**under, **over}
    for key, value in over.items():
        below = under.get(key)
        if isinstance(value, dict) and isinstance(below, dict):
            merged[key] = _laid_over(below, value)
    return merged


def place_of(project: Project, key: str) -> str:
    """Where a key of a project stands, as errors say it: in its own table, in [defaults], or nowhere yet."""
    content = tomllib.loads(project.file.read_text(encoding="utf-8-sig"))
    place: tuple[str, ...] = ("projects", project.team, project.short_name)
    if value_at(content, (*place, key)) is None and value_at(content, ("defaults", key)) is not None:
        place = ("defaults",)
    return f"{project.file}: [{'.'.join(place)}] {key}"


def _with_own_threshold(values: dict[str, Any], table: dict[str, Any]) -> dict[str, Any]:
    """Without the defaults' ``accuracy_threshold`` where the project's gate has a metric or threshold of its
    own: that default is for the projects that say no more."""
    gate, own = (value_at(found, ("gate",)) or {} for found in (values, table))
    if "accuracy_threshold" in table or not isinstance(gate, dict) or not isinstance(own, dict):
        return values
    if gate.get("metric", ACCURACY) == ACCURACY and "threshold" not in own:
        return values
    return {key: value for key, value in values.items() if key != "accuracy_threshold"}
