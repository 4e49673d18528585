"""The functions and the automation of each project on this machine: the templates that go to AWS.

A project's parameters are those that ``gatehouse infra deploy`` gives to CloudFormation, so the local
SageMaker has the same rules, functions and topics as AWS.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode

from pipelines import ROOT
from pipelines.infra.stacks import Kind, automation_parameters, pipeline_parameters, template_path
from pipelines.settings.project import Project
from pipelines.settings.projects_file import Settings
from pipelines.settings.target import Target, resolve_target


def pipeline_templates(settings: Settings) -> dict[str, str]:
    """The functions that each project's pipeline calls: the stack's name -> the form that `--template` has.

    Raises:
        GatehouseError: a project's settings do not fit into the template.
    """
    return _templates(settings, "pipeline", pipeline_parameters)


def automation_templates(settings: Settings) -> dict[str, str]:
    """What an event calls: rules, functions, topic and alarm of each project; errors likewise."""
    return _templates(settings, "automation", automation_parameters)


def _templates(
    settings: Settings, kind: Kind, parameters_of: Callable[[Project, Target], dict[str, str]]
) -> dict[str, str]:
    found = {}
    for name, project in sorted(settings.projects.items()):
        target, stack = resolve_target(project, "local"), f"gatehouse-{name}-{kind}"
        where = {"@region": target.region, "@code": str(ROOT), "@name": stack}
        found[stack] = f"{template_path(kind)}?{urlencode({**parameters_of(project, target), **where})}"
    return found
