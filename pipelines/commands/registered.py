"""What the registry's commands share: a project's registry within reach, and the words PROJECT and N."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from pipelines.commands.local_endpoint import reaching
from pipelines.commands.output import remark
from pipelines.commands.place import find_place
from pipelines.settings.environments import all_environments, resolve_environment
from pipelines.settings.project import Project
from pipelines.settings.target import Target
from registry.environments import Environment, deployed_versions

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_DIGITS = 9
"""Of a version's number: no model package's ARN takes more."""


@dataclass(frozen=True)
class Registered:
    """A project with its registry and its environments within reach; `target` has clients."""

    project: Project
    target: Target

    def environment(self, name: str) -> Environment:
        return resolve_environment(self.project, self.target, name)

    def environments(self) -> tuple[Environment, ...]:
        return all_environments(self.project, self.target)

    def deployed_versions(self) -> dict[str, tuple[str, ...]]:
        """Model package ARN -> the environments that should serve it, as far as we may look into them."""
        return deployed_versions(self.environments(), denied=_tell_denied)


def _tell_denied(environment: Environment) -> None:
    remark(f"Environment {environment.name} is left out: there is no permission to look into it.")


@contextmanager
def registry_of(project: str | None, target: str, *environments: str | None) -> Iterator[Registered]:
    """The registry of PROJECT on --target, for the time of the `with` block.

    Args:
        environments: names that must be among the project's; checked before anything is reached.
    """
    place = find_place(project, target)
    for name in environments:
        if name is not None:
            resolve_environment(place.project, place.target, name)
    with reaching(place.target, place.settings) as reach:
        yield Registered(place.project, reach())


def version_arguments(function: Decorated) -> Decorated:
    """`[PROJECT] VERSION`; :func:`which_version` sorts out a single word."""
    return click.argument("words", nargs=-1, required=True, metavar="[PROJECT] VERSION")(function)


def which_version(words: tuple[str, ...]) -> tuple[str | None, int]:
    """(project name or None for the default, version number)."""
    project, numbers = which_versions(words, 1)
    return project, numbers[0]


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
        if not word.isdecimal() or len(word) > _DIGITS or int(word) < 1:
            raise click.UsageError(f"{word!r} is no version's number; `gatehouse models` lists them.")
    return project, tuple(int(word) for word in numbers)


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
