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


def pipeline_templates(settings: Settings) -> list[str]:
    """The functions that each project's pipeline calls, in the form that an endpoint's `--template` has.

    Raises:
        GatehouseError: a project's settings do not fit into the template.
    """
    return [_template(settings, name, "pipeline", pipeline_parameters) for name in sorted(settings.projects)]


def automation_templates(settings: Settings) -> list[str]:
    """What an event calls: rules, functions, topic and alarm of each project; errors likewise."""
    return [
        _template(settings, name, "automation", automation_parameters) for name in sorted(settings.projects)
    ]


def _template(
    settings: Settings,
    name: str,
    kind: Kind,
    parameters_of: Callable[[Project, Target], dict[str, str]],
) -> str:
    project = settings.projects[name]
    target = resolve_target(project, "local")
    where = {"@region": target.region, "@code": str(ROOT), "@name": f"gatehouse-{name}-{kind}"}
    return f"{template_path(kind)}?{urlencode({**parameters_of(project, target), **where})}"
