"""`gatehouse groups`: the model package groups of all teams and projects."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from aws_formats.arns import group_and_version
from aws_formats.errors import GatehouseError
from pipelines.commands.local_endpoint import connection
from pipelines.commands.options import project_names, target_option
from pipelines.commands.output import Document, Output, Remark, Table, is_typed, notice, with_json
from pipelines.settings.environments import all_environments
from pipelines.settings.projects_file import Settings, load_settings
from pipelines.settings.tables import which_one
from pipelines.settings.tags import ownership_tags, resource_tags
from pipelines.settings.target import Target, resolve_target
from pipelines.settings.team_variables import read_env_file, read_teams
from registry.deployment_history import deployed_versions
from registry.groups import (
    GroupSpec,
    GroupState,
    apply_groups,
    apply_removal,
    compare_groups,
    plan_removal,
)


@dataclass(frozen=True)
class RegionalGroups:
    """The groups that belong to one region's target."""

    target: Target
    specs: tuple[GroupSpec, ...]


@click.group("groups")
def command() -> None:
    """Model package groups: one for each project of each team, {team}-{project}.

    The projects are those of projects.toml, without those that say `registry = false`. Where the
    variable TEAMS is set, here or in --env-file, they are those of the variables instead:

    \b
      TEAMS="rc algo"
      RC_PROJECTS="fraud-detection anti-money-laundering"
      ALGO_PROJECTS="recommendation-engine"
      ENABLE_MODEL_REGISTRY=true
    """


def _which_groups(function: Callable[..., Output]) -> Callable[..., int]:
    names = click.argument("projects", nargs=-1, metavar="[PROJECT]...", shell_complete=project_names)
    env_file = click.option(
        "--env-file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Take teams and projects from this file of variables.",
    )
    return names(env_file(target_option(with_json(function))))


@command.command("setup")
@_which_groups
def setup(projects: tuple[str, ...], env_file: Path | None, target: str) -> Output:
    """Make the groups that are missing and correct tags; what is right is left alone."""
    done = []
    with _groups_by_region(projects, env_file, target) as regions:
        for region in regions:
            states = compare_groups(region.target, region.specs)
            apply_groups(states, region.target)
            done += [(state, _what_was_done(state)) for state in states]
    return [
        Document([{"group": state.spec.name, "done": what} for state, what in done]),
        Table(("Group", "Done"), [(state.spec.name, what) for state, what in done]),
    ]


@command.command("verify")
@_which_groups
def verify(projects: tuple[str, ...], env_file: Path | None, target: str) -> Output:
    """Compare the groups that should be with those that are; exit with 1 on a difference."""
    with _groups_by_region(projects, env_file, target) as regions:
        states = [state for region in regions for state in compare_groups(region.target, region.specs)]
    wrong = [state for state in states if state.differences]
    yield Document(
        [
            {"group": state.spec.name, "arn": state.arn, "differences": list(state.differences)}
            for state in states
        ],
        exit_code=1 if wrong else 0,
    )
    yield Table(
        ("Group", "State"),
        [(state.spec.name, "; ".join(state.differences) or "as it should be") for state in states],
        wrapped=True,
    )
    if wrong:
        words = [state.spec.name for state in wrong]
        words += ["--env-file", shlex.quote(str(env_file))] if env_file else []
        words += ["--target", target] if target != "local" else []
        notice(f"{len(wrong)} of {len(states)} groups differ.")
        notice(f"Mend it with: gatehouse groups setup {' '.join(words)}")


@command.command("cleanup")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_which_groups
def cleanup(projects: tuple[str, ...], env_file: Path | None, yes: bool, target: str) -> Output:
    """Delete groups with all their versions, after listing what would go.

    Without --yes each group's name has to be typed. Artifacts in S3 and endpoints stay.
    """
    deleted = []
    with _groups_by_region(projects, env_file, target) as regions:
        settings = load_settings()
        for region in regions:
            for removal in plan_removal(region.target, (spec.name for spec in region.specs)):
                _list_versions(
                    removal.name,
                    removal.versions,
                    _environments_by_version(settings, removal.name, region.target),
                )
                if yes or is_typed(removal.name, "delete it with all its versions"):
                    apply_removal(removal, region.target)
                    deleted.append({"group": removal.name, "versions": list(removal.versions)})
    yield Document(deleted)
    if deleted:
        yield "Deleted " + ", ".join(str(entry["group"]) for entry in deleted)
    else:
        yield Remark("Nothing was deleted.")


def _what_was_done(state: GroupState) -> str:
    if state.arn is None:
        return "created"
    return "tags corrected" if state.missing_tags else "nothing to do"


def _list_versions(name: str, versions: tuple[str, ...], serving: Mapping[str, tuple[str, ...]]) -> None:
    notice(f"Model package group {name}, versions: {len(versions)}")
    for arn in versions:
        where = ", ".join(serving.get(arn, ()))
        notice(f"  version {group_and_version(arn)[1]}{f' (serves in {where})' if where else ''}")


def _environments_by_version(settings: Settings, name: str, target: Target) -> dict[str, tuple[str, ...]]:
    if name not in settings.projects:
        return {}
    return deployed_versions(all_environments(settings.projects[name], target))


@contextmanager
def _groups_by_region(
    projects: tuple[str, ...], env_file: Path | None, target: str
) -> Iterator[list[RegionalGroups]]:
    """The groups that are meant, by region, with targets that answer for the time of the `with` block."""
    settings = load_settings()
    variables = {**os.environ, **(read_env_file(env_file) if env_file else {})}
    if env_file is not None and read_teams(variables) is None:
        # Else `cleanup --env-file` would take the projects of the settings for those of the file.
        raise GatehouseError(
            "the file names no teams",
            where=str(env_file),
            remedy='Add TEAMS="..." to it, or leave out --env-file',
        )
    specs: dict[Target, list[GroupSpec]] = {}
    known = set()
    for at, spec in _specs(settings, variables, target):
        known.add(spec.name)
        if not projects or spec.name in projects:
            specs.setdefault(at, []).append(spec)
    for name in projects:
        if name not in known:
            raise GatehouseError(
                f"there is no project {name!r} whose registry is on",
                where=str(env_file or settings.file),
                remedy=which_one(name, known, "projects with a registry")
                if known and name not in settings.projects
                else "See the key registry, or the variables TEAMS and ENABLE_MODEL_REGISTRY",
            )
    if not specs:
        notice("There is no project whose registry is on.")
        yield []
        return
    with connection(next(iter(specs)), settings) as connect:
        url = connect().endpoint_url
        yield [RegionalGroups(at.at(url) if url else at, tuple(found)) for at, found in specs.items()]


def _specs(
    settings: Settings, variables: Mapping[str, str], target: str
) -> Iterator[tuple[Target, GroupSpec]]:
    teams = read_teams(variables)
    if teams is None:
        for project in settings.projects.values():
            if project.registry:
                at = resolve_target(project, target)
                yield at, GroupSpec(project.name, project.description, resource_tags(project, at))
        return
    fallback = settings.first_project
    assert fallback is not None, "a settings file has a project"
    for team, short_name in teams.projects:
        name = f"{team}-{short_name}"
        # Region and role of a project that the settings do not know are those of the default project.
        at = resolve_target(settings.projects.get(name, fallback), target)
        described = settings.projects.get(name)
        text = described.description if described else f"Models of team {team}, project {short_name}"
        yield at, GroupSpec(name, text, {**ownership_tags(team, short_name), **at.tags})
