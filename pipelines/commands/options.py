"""The arguments and options that several commands share, so that they read the same everywhere.

A command with many of its own takes them as one frozen dataclass, which ``gathered`` makes of them.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import fields
from typing import Any, TypeVar, cast

import click

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_EXECUTION_ID = re.compile(r"[a-z0-9]{12}")

_VERSION_DIGITS = 9
"""Of a version's number: no model package's ARN takes more."""


def gathered(dataclass: type) -> Callable[[Decorated], Decorated]:
    """Hand the options that are fields of a dataclass to a command as one value of it, its first argument."""
    names = [field.name for field in fields(dataclass)]

    def decorate(function: Decorated) -> Decorated:
        @functools.wraps(function)
        def with_one_value(**given: Any) -> Any:
            options = dataclass(**{name: given.pop(name) for name in names})
            return function(options, **given)

        return cast(Decorated, with_one_value)

    return decorate


def project_names(_context: click.Context, _parameter: click.Parameter, typed: str) -> list[str]:
    """Those in the settings whose names begin so, for the shell's completion; none without settings."""
    from aws_formats.errors import GatehouseError
    from pipelines.settings.projects_file import load_settings

    try:
        return [name for name in load_settings().projects if name.startswith(typed)]
    except GatehouseError:
        return []


def project_argument(function: Decorated) -> Decorated:
    return click.argument("project", required=False, shell_complete=project_names)(function)


def execution_arguments(function: Decorated) -> Decorated:
    """`[PROJECT] [EXECUTION]`; :func:`which_execution` tells which of the two a single word is."""
    return project_argument(click.argument("execution", required=False)(function))


def target_option_saying(meaning: str) -> Callable[[Decorated], Decorated]:
    """`--target`, with its own line of help."""
    return click.option(
        "--target",
        type=click.Choice(["local", "aws"]),
        default="local",
        show_default=True,
        envvar="GATEHOUSE_TARGET",
        show_envvar=True,
        help=meaning,
    )


target_option = target_option_saying("The SageMaker on this machine, or AWS.")


register_again_option = click.option(
    "--register-again", is_flag=True, help="Register the model even if the newest version is the very same."
)


def pairs_like(example: str, form: str) -> Callable[..., dict[str, str]]:
    """The callback of an option that is given as pairs, such as `NAME=VALUE`, and may be repeated."""

    def pairs(context: click.Context, parameter: click.Parameter, words: tuple[str, ...]) -> dict[str, str]:
        found: dict[str, str] = {}
        for word in words:
            name, separator, value = word.partition("=")
            if not separator or not name:
                raise click.BadParameter(f"{word!r} is not {form}, e.g. {example}", context, parameter)
            if name in found:
                raise click.BadParameter(f"{name} is given twice", context, parameter)
            found[name] = value
        return found

    return pairs


def parameter_option(function: Decorated) -> Decorated:
    return click.option(
        "-p",
        "--parameter",
        "parameters",
        multiple=True,
        metavar="NAME=VALUE",
        callback=pairs_like("MaxDepth=4", "NAME=VALUE"),
        help="Give a pipeline parameter another value for this execution; may be repeated.",
    )(function)


def format_option(default: str) -> Callable[[Decorated], Decorated]:
    """`--format` of a file with rows; `default` says what it is where the file's name does not tell."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(["csv", "json", "parquet"]),
        help=f"What the data is, JSON lines being json; by the file's name if left out, {default}.",
    )


def header_option(function: Decorated) -> Decorated:
    return click.option(
        "--header/--no-header",
        default=None,
        help="Whether a CSV begins with its columns' names; judged by the first line if left out.",
    )(function)


def version_arguments(function: Decorated) -> Decorated:
    """`[PROJECT] VERSION`; :func:`which_version` sorts out a single word."""
    return click.argument(
        "words", nargs=-1, required=True, metavar="[PROJECT] VERSION", shell_complete=project_names
    )(function)


def environment_option(*names: str, help_text: str) -> Callable[[Decorated], Decorated]:
    return click.option(*names, required=True, metavar="NAME", help=help_text)


def plan_option(function: Decorated) -> Decorated:
    return click.option("--plan", "only_plan", is_flag=True, help="Show what would change; change nothing.")(
        function
    )


def note_option(function: Decorated) -> Decorated:
    return click.option("--note", default="", metavar="TEXT", help="Why, for those who read it later.")(
        function
    )


def which_execution(project: str | None, execution: str | None) -> tuple[str | None, str | None]:
    """(project name or None for the default, execution ARN or id or None for the newest).

    A single word that has the form of an execution's ARN or id is the execution; an ARN also says
    which project is meant, since a pipeline is named after its project.
    """
    if execution is None and project is not None and _is_execution(project):
        project, execution = None, project
    if execution is not None and execution.startswith("arn:"):
        return execution.rpartition(":")[2].split("/")[1], execution
    return project, execution


def _is_execution(word: str) -> bool:
    is_arn = word.startswith("arn:") and ":pipeline/" in word and "/execution/" in word
    # An id mixes letters and digits at random; a project's name holds a hyphen.
    return is_arn or _EXECUTION_ID.fullmatch(word) is not None


def which_version(words: tuple[str, ...]) -> tuple[str | None, int]:
    """(project name or None for the default, version number)."""
    project, numbers = which_versions(words, 1)
    return project, numbers[0]


def which_report(words: tuple[str, ...]) -> tuple[str | None, int | None, str | None]:
    """(project name or None for the default, version number or None, execution ARN or id or None).

    Raises:
        UsageError: there are more words, or they are not in this order.
    """
    last = words[-1] if words else ""
    if last.isdecimal() and len(last) <= _VERSION_DIGITS:
        project, version = which_version(words)
        return project, version, None
    if len(words) > 2:
        raise click.UsageError("Give at most a project's name and a version's number or an execution.")
    project, execution = which_execution(*(*words, None, None)[:2])
    return project, None, execution


def which_versions(words: tuple[str, ...], count: int) -> tuple[str | None, tuple[int, ...]]:
    """(project name or None for the default, that many version numbers).

    Raises:
        UsageError: there are more or fewer words, or one is no version's number.
    """
    if not count <= len(words) <= count + 1:
        wanted = "a version's number" if count == 1 else f"{count} versions' numbers"
        raise click.UsageError(f"Give {wanted}, after the project's name if it is not the default project.")
    project = words[0] if len(words) > count else None
    numbers = words[-count:]
    for word in numbers:
        if not word.isdecimal() or len(word) > _VERSION_DIGITS or int(word) < 1:
            raise click.UsageError(f"{word!r} is no version's number; `gatehouse models` lists them.")
    return project, tuple(int(word) for word in numbers)
