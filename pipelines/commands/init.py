"""`gatehouse init`: a settings file for one's own data, with what was decided and why."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote
from typing import Any

import click

from aws_formats.errors import GatehouseError
from pipelines.commands.data import columns_table
from pipelines.commands.options import gathered
from pipelines.commands.output import Document, Lines, Output, with_json
from pipelines.definition.dataset import NOT_READ, files_below
from pipelines.definition.describing import in_one_process
from pipelines.definition.first_parts import beginning
from pipelines.definition.first_settings import (
    Draft,
    first_draft,
    has_features,
    likely_targets,
    mended,
    without_key,
    written,
)
from pipelines.definition.look import THOROUGH_BYTES, Look, describe_files, look_at, stored_files
from pipelines.definition.sniffing import how_written
from pipelines.settings.project import why_no_name
from pipelines.settings.projects_file import FILE_NAME, find_settings_file, load_settings
from pipelines.settings.tables import nearest, which_one
from pipelines.settings.target import resolve_target

_MOST_ATTEMPTS = 6


@dataclass(frozen=True)
class InitOptions:
    """What to write, and where."""

    source: str
    target_column: str | None
    team: str
    name: str | None
    settings: Path
    append: bool

    @property
    def file(self) -> Path:
        return Path(self.source)


@click.command("init")
@click.argument("source", metavar="FILE")
@click.option("--target", "target_column", metavar="COLUMN", help="What is to be predicted.")
@click.option("--team", default="my", show_default=True, help="Whose project it is.")
@click.option("--name", help="The project's name; the file's if left out.")
@click.option(
    "--settings",
    type=click.Path(path_type=Path, dir_okay=False),
    default=FILE_NAME,
    show_default=True,
    help="The file to write.",
)
@click.option("--append", is_flag=True, help="Add the project to a settings file that is there already.")
@with_json
@gathered(InitOptions)
def command(options: InitOptions) -> Output:
    """Look at a file or a folder of data and write the settings of a project for it.

    The task, the positive class, columns to leave out, the notation of numbers and dates, and a gate that
    suits the classes follow from the data; each guess stands in the file with its reason. Nothing is
    overwritten: where the settings file is there already, the project's tables are printed, and --append
    adds them. Without --target it lists the columns and suggests one.

    \b
    Examples:
      gatehouse init payments.csv
      gatehouse init payments.csv --target label --team rc --name fraud-detection
    """
    team, name = options.team, options.name or _name_of(options.file)
    for part in (team, name):
        if wrong := why_no_name(part):
            raise GatehouseError(wrong[0], where=part, remedy=wrong[1])
    _check_places(options)
    with in_one_process():
        yield from _settings_for(options, team, name)


def _settings_for(options: InitOptions, team: str, name: str) -> Output:
    source, columns = _look_at_columns(options)
    if options.target_column is None:
        yield from _suggestions(options.file, columns)
        return
    names = [column["name"] for column in columns["columns"]]
    if options.target_column not in names:
        remedy = which_one(options.target_column, names, "columns")
        if not source.get("header", True):
            remedy = f"Its first line holds values and no names; its columns are {', '.join(names)}"
        elif not remedy.startswith("Did you mean"):
            remedy = _of_folders(columns, options.target_column) or remedy
        if source.get("header") is False:
            remedy = f"The file has no header line: write one, or take a name that it was given. {remedy}"
        raise GatehouseError(
            f"there is no column {options.target_column!r}", where=str(options.file), remedy=remedy
        )
    there = _there(options.settings, f"{team}-{name}")
    draft = first_draft(team, name, source, options.target_column, columns)
    text, look = _mend(draft, options.settings, there)
    project_name = f"{team}-{name}"
    is_written, before = there is None or options.append, find_settings_file()
    if is_written:
        _write(options.settings, there, text)
    yield Document(
        {
            "project": project_name,
            "settings": str(options.settings),
            "written": is_written,
            "text": text,
            "columns": _without_roles(columns),
            "errors": [str(error) for error in look.errors],
        },
        exit_code=0 if is_written and not look.errors else 1,
    )
    if not is_written:
        yield Lines(text.splitlines())
        yield f"{options.settings} is there already, and was left as it is. Add --append to add these tables"
        return
    yield f"Written: {options.settings}, project {project_name}"
    yield Lines(f"  {line}" if line else "" for line in text.splitlines())
    if look.errors:
        yield "Something is left that only you can decide:"
        yield Lines(f"  {error}" for error in look.errors)
    read = find_settings_file()
    if before is not None and read != before:
        yield f"In this folder {options.settings} is read from now on, and {before} no more"
    is_read = read is not None and read.resolve() == options.settings.resolve()
    by = "" if is_read else f"GATEHOUSE_SETTINGS={quote(str(options.settings))} "
    yield f"Next: {by}gatehouse data {project_name}, {by}gatehouse run {project_name}"


def _check_places(options: InitOptions) -> None:
    """Refuse data that cannot be read here, and a settings file that cannot be written there.

    Raises:
        GatehouseError: with what to do instead.
    """
    file, folder = options.file, options.settings.absolute().parent
    if options.source.startswith("s3://"):
        raise GatehouseError(
            "init looks at data on this machine",
            where=options.source,
            remedy="Fetch one of its files with `aws s3 cp`, name that, and set source to this address in the"
            " settings",
        )
    if not os.access(file, os.F_OK):  # Path.exists raises where a folder above is closed
        is_input = options.source == "-"
        beside = nearest(file.name, _names_in(file.absolute().parent))
        raise GatehouseError(
            "init does not read standard input" if is_input else "there is no such file or folder",
            where=options.source,
            remedy="Write the data to a file, and name that"
            if is_input
            else f"Did you mean {str(file.with_name(beside[0]))!r}?"
            if beside
            else "Give the path of a file or folder of data",
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        what = "you may not write into this folder" if folder.is_dir() else "there is no such folder"
        raise GatehouseError(what, where=str(folder), remedy="Name another file with --settings")


def _names_in(folder: Path) -> list[str]:
    try:
        return [one.name for one in folder.iterdir() if not one.name.startswith(".")]
    except OSError:
        return []


def _there(settings: Path, project_name: str) -> str | None:
    """The settings file's text, if there is one; it is right, and has no project of that name.

    Raises:
        GatehouseError: it has one, or something is wrong in it.
    """
    if not settings.exists():
        return None
    if project_name in load_settings(settings).projects:
        raise GatehouseError(
            f"the project {project_name} is there already",
            where=str(settings),
            remedy="Give another --name, or look at its data with `gatehouse data`",
        )
    return settings.read_text(encoding="utf-8")


def _suggestions(file: Path, columns: Mapping[str, Any]) -> Output:
    likely = likely_targets(columns)
    yield Document(
        {
            "project": None,
            "settings": None,
            "written": False,
            "text": None,
            "columns": _without_roles(columns),
            "errors": [],
        }
    )
    yield f"{file}: {columns['rows']:,} rows, {len(columns['columns'])} columns"
    yield ""
    yield columns_table([{**column, "role": ""} for column in columns["columns"]])
    yield ""
    if of_folders := _of_folders(columns, "COLUMN"):
        yield of_folders
    yield "Which of them is to be predicted?"
    for one in likely or ["COLUMN"]:
        yield f"  gatehouse init {quote(str(file))} --target {quote(one)}"


def _of_folders(columns: Mapping[str, Any], target: str) -> str | None:
    """What to do where the names of the folders, or of the files, may be what is to be predicted."""
    if columns["folders"]:
        first = columns["folders"][0]
        return (
            f"The files lie in folders such as {first!r}: if these are the classes, rename each, as to "
            f"{quote(f'{target}={first}')}"
        )
    files = columns["files"]
    names = [file.split(".")[0] for file in files]
    if len(set(names)) < 2 or re.search("[0-9/=]", "".join(names)):
        return None  # one file, parts of one table, or folders
    return (
        f"The files have names such as {names[0]!r}: if these are the classes, move each to a folder, as to "
        f"{quote(f'{target}={names[0]}/{files[0]}')}"
    )


def _look_at_columns(options: InitOptions) -> tuple[dict[str, Any], dict[str, Any]]:
    """The keys of the data table that say where and how the data is, and what describes its columns.

    Raises:
        GatehouseError: there is no data, or it cannot be read.
    """
    file = options.file
    below = files_below(file)
    files = stored_files(below)
    if not files:
        is_hidden = any(one.size for one in below)
        raise GatehouseError(
            NOT_READ if is_hidden else "there is no data",
            where=str(file),
            remedy="Rename it" if is_hidden else "Name a file or folder with rows",
        )
    root = options.settings.absolute().parent
    path = Path(os.path.relpath(file.absolute(), root)) if _is_near(file, root) else file.absolute()
    how = how_written(beginning(files[0]))
    document = describe_files(
        files, {"task": "multiclass", "target": options.target_column or "-", **how}, THOROUGH_BYTES
    )
    if document["errors"]:
        first = document["errors"][0]
        raise GatehouseError(first["what"], where=first.get("where"), remedy=first.get("remedy"))
    if not document["rows"]:
        raise GatehouseError(
            "there are no rows, only a header", where=str(file), remedy="Give a file with rows in it"
        )
    return {"source": path.as_posix(), **how}, document


def _mend(draft: Draft, settings: Path, there: str | None) -> tuple[str, Look]:
    """The project's tables with all that preprocessing asks for, as far as it names it, and the last look."""
    for _ in range(_MOST_ATTEMPTS):
        text = written(draft)
        look = _look(text, settings, there, f"{draft.team}-{draft.name}")
        if not look.errors:
            break
        better = mended(draft, look.document["errors"])
        if better is None and "key" in draft.data:
            better = without_key(draft)
        if better is None or better == draft or not has_features(better, look.document.get("names", ())):
            break
        draft = better
    return text, look


def _look(text: str, settings: Path, there: str | None, project_name: str) -> Look:
    """What the look at the data says of settings that are not written yet."""
    descriptor, place = tempfile.mkstemp(prefix=".gatehouse-", suffix=".toml", dir=settings.absolute().parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(_whole(there, text))
        project = load_settings(Path(place)).project(project_name)
        look = look_at(project, resolve_target(project, "local"), most_bytes=THOROUGH_BYTES)
        return replace(look, errors=tuple(_of_file(error, place, settings) for error in look.errors))
    finally:
        Path(place).unlink()


def _of_file(error: GatehouseError, place: str, settings: Path) -> GatehouseError:
    """The error with the name of the file that will be written."""
    where = error.where.replace(place, str(settings)) if error.where else None
    return GatehouseError(error.what, where=where, remedy=error.remedy)


def _whole(there: str | None, text: str) -> str:
    return text if there is None else f"{there.rstrip()}\n\n{text}"


def _write(settings: Path, there: str | None, text: str) -> None:
    """A new file, or one with more at its end; never one that somebody else wrote meanwhile."""
    if there is None:
        try:
            with settings.open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            raise GatehouseError(
                "it was written meanwhile", where=str(settings), remedy="Add --append, or name another file"
            ) from None
        return
    with settings.open("a", encoding="utf-8") as file:
        file.write(("" if there.endswith("\n") else "\n") + "\n" + text)


def _name_of(file: Path) -> str:
    """A project's name from a file's: `Payments 2024.csv.gz` -> `payments-2024`."""
    stem = file.absolute().name.split(".")[0]
    return re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-") or "project"


def _is_near(file: Path, root: Path) -> bool:
    return file.absolute().is_relative_to(root.parent)


def _without_roles(columns: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{key: one[key] for key in one if key != "role"} for one in columns["columns"]]
