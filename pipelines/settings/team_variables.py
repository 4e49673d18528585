"""Teams and projects from environment variables, for those who keep them there and not in ``projects.toml``.

    TEAMS="rc algo"
    RC_PROJECTS="fraud-detection anti-money-laundering"
    ALGO_PROJECTS="recommendation-engine"
    ENABLE_MODEL_REGISTRY=true

A team's variable is its name in capitals, with underscores for hyphens. ``ENABLE_MODEL_REGISTRY`` set to
anything but ``true``, ``1``, ``yes`` or ``on`` switches the registry off, for the projects of the settings
too. An env file holds such lines, with or without ``export``.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aws_formats.errors import GatehouseError
from pipelines.settings.project import why_no_name

_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)")
_ON = frozenset({"true", "1", "yes", "on"})


@dataclass(frozen=True)
class TeamVariables:
    """(team, project) pairs in the order of the variables; none where the registry is switched off."""

    projects: tuple[tuple[str, str], ...]


def read_env_file(path: Path) -> dict[str, str]:
    """The variables in a file of ``NAME=value`` lines; comments and empty lines are passed over.

    Raises:
        GatehouseError: the file cannot be read, or a line is neither.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise GatehouseError(f"the file cannot be read: {error}", where=str(path)) from error
    found = {}
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        matched = _LINE.fullmatch(text)
        try:
            words = shlex.split(matched[2], comments=True) if matched else []
        except ValueError as error:  # a quotation mark is not closed
            raise GatehouseError(str(error), where=f"{path}, line {number}") from error
        if matched is None or len(words) > 1:
            raise GatehouseError(
                f"{text!r} is not NAME=value",
                where=f"{path}, line {number}",
                remedy='Write it as NAME="value", with quotation marks around spaces',
            )
        found[matched[1]] = words[0] if words else ""
    return found


def read_teams(variables: Mapping[str, str]) -> TeamVariables | None:
    """The teams and projects that the variables name; None if they leave that to the settings.

    Raises:
        GatehouseError: a team has no projects, or a name cannot be part of a group's name.
    """
    enabled = variables.get("ENABLE_MODEL_REGISTRY", "true").strip().lower() in _ON
    if "TEAMS" not in variables:
        return None if enabled else TeamVariables(())
    pairs = []
    for team in _names(variables, "TEAMS"):
        variable = f"{team.upper().replace('-', '_')}_PROJECTS"
        if not variables.get(variable, "").split():
            raise GatehouseError(
                f"team {team!r} has no projects",
                where="TEAMS",
                remedy=f"Set {variable}, or leave the team out",
            )
        pairs += [(team, project) for project in _names(variables, variable)]
    return TeamVariables(tuple(pairs) if enabled else ())


def _names(variables: Mapping[str, str], variable: str) -> list[str]:
    names = variables[variable].split()
    for name in names:
        if wrong := why_no_name(name):
            what, remedy = wrong
            raise GatehouseError(what, where=f"variable {variable}", remedy=remedy)
    return list(dict.fromkeys(names))
