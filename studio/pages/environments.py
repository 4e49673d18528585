"""The pages of environments: what serves where, how a version gets there, and what it answers to a row.

A deployment is a plan first, then a work that goes on by itself: ``change`` starts it and sends the browser
to the environment's page, which shows how far it is.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from datetime import UTC, datetime
from itertools import islice

from aws_formats.errors import GatehouseError
from pipelines.settings.environments import deployable, resolve_environment
from pipelines.settings.project import Project
from registry.clients import read_object
from registry.deployments import DeploymentPlan, plan_deployment
from registry.model_packages import APPROVED, summaries, version_arn
from registry.monitored_windows import report_folder
from registry.rollbacks import plan_promotion, plan_rollback, promotion_note
from registry.rollout import apply_deployment
from studio.pages.answers import Asked, Document, Redirect, Shown
from studio.source import Source
from studio.views import monitored, traffic, try_row
from studio.views.environments import read_environment, read_environments
from studio.works import Work

_VERSIONS = 50


def listed(source: Source, asked: Asked) -> Shown:
    """All environments of a project."""
    project = source.project(asked.path["project"])
    environments, approved = read_environments(source, project), _approved(source, project)
    values = {"project": project, "environments": environments, "approved": approved}
    return Shown("environments.html", values)


def _approved(source: Source, project: Project) -> list[int]:
    """The numbers of the approved versions, newest first, and no more than a form can offer."""
    found = summaries(source.target(project), project.name, approval=APPROVED, limit=_VERSIONS)
    return [one["ModelPackageVersion"] for one in islice(found, _VERSIONS)]


def one(source: Source, asked: Asked) -> Shown:
    """One environment: its state, the work on it, its traffic, what monitoring found, and its history.

    Raises:
        GatehouseError: there is no such environment.
    """
    project = source.project(asked.path["project"])
    approved = _approved(source, project)
    view = read_environment(source, project, asked.path["environment"])
    seen = traffic.read(view.environment) if view.state and view.state.endpoint else None
    size = {"width": traffic.WIDTH, "height": traffic.HEIGHT, "step": traffic.STEP}
    windows = monitored.read(source, project, view)
    values = {"project": project, "view": view, "approved": approved, "traffic": seen, "windows": windows}
    return Shown("environment.html", {**values, "size": size})


def window_report(source: Source, asked: Asked) -> Document:
    """What monitoring has written of a window.

    Raises:
        GatehouseError: there is no such environment or window.
    """
    project = source.project(asked.path["project"])
    target = source.target(project)
    name = resolve_environment(project, target, asked.path["environment"]).name
    folder = report_folder(project.name, name, str(asked.path["window"]))
    content = read_object(target.client("s3"), f"s3://{target.bucket}/{folder}report.html")
    if content is None:
        raise GatehouseError(f"there is no report of a window {str(asked.path['window'])!r} in {name}")
    return Document(content.decode("utf-8", "replace"))


def form(source: Source, asked: Asked) -> Shown:
    """The form for a row, filled in with the version's sample.

    Raises:
        GatehouseError: nothing that can be asked serves there.
    """
    project, text = source.project(asked.path["project"]), asked.query.get("sample", "")
    number = int(text) if text.isdecimal() and len(text) < 6 else 1
    made = try_row.read_form(source, project, asked.path["environment"], number)
    return _row(project, made, None)


def tried(source: Source, asked: Asked) -> Shown:
    """The answer to a row, or what is wrong with it, beside each value.

    Raises:
        GatehouseError: nothing that can be asked serves there, or it does not answer.
    """
    project = source.project(asked.path["project"])
    made = try_row.read_form(source, project, asked.path["environment"], 1)
    changed = asked.form.get("version") != str(made.version)
    made, answer = (made, None) if changed else try_row.ask(made, asked.form)
    return _row(project, made, answer, changed=changed)


def _row(
    project: Project, shown: try_row.RowForm, answer: try_row.RowAnswer | None, *, changed: bool = False
) -> Shown:
    values = {"project": project, "shown": shown, "answer": answer, "changed": changed}
    return Shown("try_row.html", {**values, "percent": try_row.percent, "bar_width": try_row.BAR_WIDTH})


def plan(source: Source, asked: Asked) -> Shown:
    """What a deployment, promotion or rollback would do.

    Raises:
        GatehouseError: it cannot be done.
    """
    project = source.project(asked.path["project"])
    return _planned(project, _plan(source, project, asked), asked, changed=False)


def change(source: Source, asked: Asked) -> Shown | Redirect:
    """Start what was planned; where by now something else would happen, the new plan is shown instead.

    Raises:
        GatehouseError: it cannot be done, or another work is under way there.
    """
    project, name = source.project(asked.path["project"]), asked.path["environment"]
    begun, key, shown = datetime.now(UTC), (project.name, name), asked.form.get("plan", "")
    page = Redirect(f"/p/{project.name}/environments/{name}")
    before = source.works.newest(key)
    if before is not None and before.form == asked.form.get("form"):  # it was sent twice
        return page
    if before is not None and before.ended is None:
        raise GatehouseError(
            f"{before.title} is under way in {name}",
            remedy="Wait until it is done, and look at the plan again",
        )
    made = _plan(source, project, asked)
    if fingerprint(made) != shown:
        return _planned(project, made, asked, changed=True)
    note, target = asked.form.get("note", "")[:500], source.target(project)
    if made.action == "promote":
        note = promotion_note(asked.form.get("from", ""), note)
    title = f"{made.action} version {made.version}"
    work = Work(title, made.changes, asked.form.get("form", ""), begun)
    source.works.start(key, work, lambda tell: apply_deployment(made, target, note=note, tell=tell))
    return page


def fingerprint(made: DeploymentPlan) -> str:
    """What tells a plan from any other, and from the same one for another state of the environment."""
    deployed = made.state.deployed
    told = [
        made.arn,
        made.action,
        made.endpoint_action,
        made.config["EndpointConfigName"],
        deployed.number if deployed else 0,
        *made.changes,
    ]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _planned(project: Project, made: DeploymentPlan, asked: Asked, *, changed: bool) -> Shown:
    values = {"project": project, "plan": made, "form": asked.form, "changed": changed}
    this = {"fingerprint": fingerprint(made), "form_id": secrets.token_hex(8)}
    return Shown("deployment.html", {**values, **this})


def _plan(source: Source, project: Project, asked: Asked) -> DeploymentPlan:
    target = source.target(project)
    environment = deployable(resolve_environment(project, target, asked.path["environment"]))
    action, version = asked.form.get("action"), asked.form.get("version", "")
    if action == "rollback":
        return plan_rollback(target, environment, None)
    if action == "promote":
        return plan_promotion(
            target, resolve_environment(project, target, asked.form.get("from", "")), environment
        )
    if action == "deploy" and version.isdecimal() and len(version) < 10:
        return plan_deployment(target, environment, version_arn(target, project.name, int(version)))
    raise GatehouseError("the form says neither which version nor what to do with it")
