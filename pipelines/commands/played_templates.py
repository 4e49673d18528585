"""The automation that the SageMaker on this machine plays: the templates that go to AWS, for each project.

What is made of a project's settings here is what ``gatehouse infra deploy`` gives to CloudFormation, so
the rules, functions and topics that work here are those that work there.
"""

from __future__ import annotations

from urllib.parse import urlencode

from pipelines import ROOT
from pipelines.infra.stacks import automation_parameters, template_path
from pipelines.settings.projects_file import Settings
from pipelines.settings.target import resolve_target


def played_templates(settings: Settings) -> list[str]:
    """One for each project, as ``python -m sagemaker_local --template`` reads it.

    Raises:
        GatehouseError: a project's settings do not fit into the template.
    """
    return [_played(settings, name) for name in sorted(settings.projects)]


def _played(settings: Settings, name: str) -> str:
    project = settings.projects[name]
    target = resolve_target(project, "local")
    parameters = automation_parameters(project, target)
    where = {"@region": target.region, "@code": str(ROOT), "@name": f"gatehouse-{name}-automation"}
    return f"{template_path('automation')}?{urlencode({**parameters, **where})}"
