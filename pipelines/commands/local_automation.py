"""The automation of each project on this machine: the template that goes to AWS, with its parameters.

A project's parameters are those that ``gatehouse infra deploy`` gives to CloudFormation, so the local
SageMaker has the same rules, functions and topics as AWS.
"""

from __future__ import annotations

from urllib.parse import urlencode

from pipelines import ROOT
from pipelines.infra.stacks import automation_parameters, template_path
from pipelines.settings.projects_file import Settings
from pipelines.settings.target import resolve_target


def automation_templates(settings: Settings) -> list[str]:
    """One for each project, as ``python -m sagemaker_local --template`` reads it.

    Raises:
        GatehouseError: a project's settings do not fit into the template.
    """
    return [_template(settings, name) for name in sorted(settings.projects)]


def _template(settings: Settings, name: str) -> str:
    project = settings.projects[name]
    target = resolve_target(project, "local")
    parameters = automation_parameters(project, target)
    where = {"@region": target.region, "@code": str(ROOT), "@name": f"gatehouse-{name}-automation"}
    return f"{template_path('automation')}?{urlencode({**parameters, **where})}"
