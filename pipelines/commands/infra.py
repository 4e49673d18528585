"""`gatehouse infra`: the project's bucket, roles, CI and automation in AWS, as CloudFormation stacks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from aws_formats.arns import LOCAL_ACCOUNT, parse_arn
from pipelines.commands.options import parameter_option, project_argument, target_option_saying
from pipelines.commands.output import Document, Lines, Output, confirm, notice, with_json
from pipelines.infra.deployment import StackPlan, apply_stack, plan_stack, remove_stack, stack_exists
from pipelines.infra.handler_code import HandlerCode, gather_handler_code, publish
from pipelines.infra.stacks import (
    KINDS,
    Kind,
    Site,
    Stack,
    build_stack,
    kinds_in,
    missing_parameters,
    site_of,
)
from pipelines.settings.project import Project
from pipelines.settings.projects_file import load_settings
from pipelines.settings.target import account_of
from registry.clients import aws_session
from registry.throttling import patient_client

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

OFFLINE = (
    "CloudFormation is not part of the local SageMaker: this checked the templates and their parameters"
    " against each other and changed nothing. What would be changed in AWS: --target aws."
)

PLANNED = {"create": "would be created", "replace": "would be made anew", "update": "would be updated"}
DONE = {"create": "created", "replace": "made anew", "update": "updated"}

Outputs = Mapping[Kind, Mapping[str, str]]
"""Of each stack, by the output's name."""


@click.group("infra")
def command() -> None:
    """The project's infrastructure in AWS: bucket, roles, CI and automation, as CloudFormation stacks.

    Four stacks for each project: foundation, pipeline, ci, automation. The templates in automation/templates/
    can be deployed with `aws cloudformation deploy` as well; docs/aws.md says how. ci is left out until it is
    named with --only once, because it needs to know the repository. A role or bucket that exists already, in
    a SageMaker Project for example, is used and left as it is: name it in SAGEMAKER_PIPELINE_ROLE_ARN and
    ARTIFACT_BUCKET, or in the settings with -p CreateBucket=false.
    """


@dataclass(frozen=True)
class _AwsProject:
    """A project with its account and region in AWS, and clients for them."""

    project: Project
    site: Site
    session: Any

    def client(self, service: str) -> Any:
        return patient_client(self.session, service)


_target = target_option_saying("AWS; local checks the templates only.")


def _only(function: Decorated) -> Decorated:
    return click.option(
        "--only", type=click.Choice(KINDS), multiple=True, help="Only this stack; may be repeated."
    )(function)


@command.command("plan")
@project_argument
@_only
@parameter_option
@_target
@with_json
def plan_command(
    project: str | None, only: tuple[Kind, ...], parameters: dict[str, str], target: str
) -> Output:
    """Show what a deployment would change; change nothing.

    In AWS, CloudFormation says so itself, by a change set that is deleted again. -p gives a parameter of a
    template, such as CreateKey=true; it goes to the stacks that have it.
    """
    code = gather_handler_code()
    if target == "local":
        return _check_offline(load_settings().project(project), only, parameters, code)
    at = _aws_project(project)
    cloudformation = at.client("cloudformation")
    plans = [
        plan_stack(stack, cloudformation) for stack in _stacks(at, only, parameters, code, cloudformation)
    ]
    return [Document(_document(plans)), Lines(_in_words(plans, PLANNED))]


@command.command("deploy")
@project_argument
@_only
@parameter_option
@click.option(
    "--notify", metavar="ADDRESS", multiple=True, help="A mail address for the messages of automation."
)
@_target
@with_json
def deploy_command(
    project: str | None,
    only: tuple[Kind, ...],
    parameters: dict[str, str],
    notify: tuple[str, ...],
    target: str,
) -> Output:
    """Create the stacks or bring them up to date; a stack that is up to date is left alone.

    The handlers' code is uploaded to the artifact bucket under a name that its content gives it. SNS sends
    each --notify address a mail that has to be confirmed.
    """
    if target == "local":
        raise click.UsageError(
            "CloudFormation is not part of the local SageMaker; `gatehouse local up` runs the automation"
            " by itself. Deploy with --target aws."
        )
    if notify and only and "automation" not in only:
        raise click.UsageError("--notify is about the automation: leave --only out or add --only automation.")
    at, code = _aws_project(project), gather_handler_code()
    cloudformation = at.client("cloudformation")
    plans, outputs = [], {}
    for stack in _stacks(at, only, parameters, code, cloudformation):
        if stack.kind in ("pipeline", "automation"):
            publish(code, at.project.name, at.site.target.bucket, at.client("s3"))
        plan = plan_stack(stack, cloudformation, keep=True)
        plans.append(plan)
        outputs[stack.kind] = apply_stack(plan, cloudformation, tell=lambda line: notice(f"  {line}"))
    if notify:
        _subscribe(at.client("sns"), outputs["automation"]["TopicArn"], notify)
    return [Document(_document(plans, outputs)), Lines(_in_words(plans, DONE, outputs))]


@command.command("remove")
@project_argument
@_only
@click.option("--yes", is_flag=True, help="Do not ask.")
@_target
@with_json
def remove_command(project: str | None, only: tuple[Kind, ...], yes: bool, target: str) -> Output:
    """Delete the stacks: automation, CI, the pipeline's functions, then the foundation.

    The artifact bucket, its access logs, the key and log groups with a job's logs stay, with all that is in
    them; docs/aws.md says how to delete those too. Endpoints go on serving until they are deleted.
    """
    if target == "local":
        raise click.UsageError("There is nothing to remove locally; give --target aws.")
    at = _aws_project(project)
    cloudformation = at.client("cloudformation")
    names = [f"gatehouse-{at.project.name}-{kind}" for kind in reversed(only or KINDS)]
    there = [name for name in names if stack_exists(name, cloudformation)]
    if there and not yes:
        confirm(f"Delete {', '.join(there)} in {at.site.target.region}?")
    for name in there:
        remove_stack(name, cloudformation, tell=lambda line: notice(f"  {line}"))
    stays = f"The bucket {at.site.target.bucket} stays, with everything in it."
    return [
        Document({"target": "aws", "removed": there}),
        *(f"{name}: deleted" for name in there),
        stays if there else "There is no such stack.",
    ]


def _aws_project(name: str | None) -> _AwsProject:
    project = load_settings().project(name)
    region = os.environ.get("AWS_REGION") or project.region
    session = aws_session(region)
    caller = session.create_client("sts").get_caller_identity()
    partition = parse_arn(caller["Arn"]).partition
    return _AwsProject(project, site_of(project, caller["Account"], region, partition, os.environ), session)


def _stacks(
    at: _AwsProject,
    only: tuple[Kind, ...],
    parameters: dict[str, str],
    code: HandlerCode,
    cloudformation: Any,
) -> list[Stack]:
    """The named stacks; without a name all but a CI that was never made."""
    found = _build(at.project, at.site, only or kinds_in(at.site.target.region), parameters, code)
    if only:
        return found
    return [
        stack
        for stack in found
        if stack.kind != "ci" or not missing_parameters(stack) or stack_exists(stack.name, cloudformation)
    ]


def _build(
    project: Project, site: Site, kinds: Iterable[Kind], parameters: dict[str, str], code: HandlerCode
) -> list[Stack]:
    """Each stack with those of the parameters that its template has."""
    built, unused = [], dict(parameters)
    key = code.key(project.name)
    for kind in kinds:
        declared = build_stack(project, site, kind, code_key=key).content["Parameters"]
        given = {name: value for name, value in parameters.items() if name in declared}
        built.append(build_stack(project, site, kind, code_key=key, given=given))
        unused = {name: value for name, value in unused.items() if name not in declared}
    if unused:
        raise click.UsageError(f"No template has a parameter {', '.join(unused)}.")
    return built


def _check_offline(
    project: Project, only: tuple[Kind, ...], parameters: dict[str, str], code: HandlerCode
) -> Output:
    site = site_of(project, _account_in_settings(project), project.region)
    stacks = _build(project, site, only or kinds_in(project.region), parameters, code)
    yield Document(
        {
            "target": "local",
            "stacks": [
                {
                    "stack": stack.name,
                    "action": "checked",
                    "changes": [],
                    "missing_parameters": list(missing_parameters(stack)),
                }
                for stack in stacks
            ],
        }
    )
    for stack in stacks:
        missing = missing_parameters(stack)
        needs = f"; needs -p {' -p '.join(f'{name}=...' for name in missing)}" if missing else ""
        yield f"{stack.name}: the template is complete, {len(list(stack.resources()))} resources{needs}"
    yield OFFLINE


def _account_in_settings(project: Project) -> str:
    """The account of the project's role or, without one, of an environment that needs no role there."""
    role = os.environ.get("SAGEMAKER_PIPELINE_ROLE_ARN") or project.role
    if role:
        return account_of(role)
    spelt_out = (one.account for one in project.environments.values() if one.account and not one.assume_role)
    return next(spelt_out, LOCAL_ACCOUNT)


def _document(plans: list[StackPlan], outputs: Outputs | None = None) -> dict[str, object]:
    """The plans, or with their outputs what became of them."""
    return {
        "target": "aws",
        "stacks": [
            {
                "stack": plan.stack.name,
                "action": plan.action,
                "changes": list(plan.changes),
                **({} if outputs is None else {"outputs": outputs.get(plan.stack.kind, {})}),
            }
            for plan in plans
        ],
    }


def _in_words(
    plans: list[StackPlan], words: Mapping[str, str], outputs: Outputs | None = None
) -> Iterator[str]:
    """The plans line by line; `words` is `PLANNED` before they are carried out, `DONE` after."""
    for plan in plans:
        yield f"{plan.stack.name}: {words.get(plan.action, 'up to date')}"
        for change in plan.changes:
            yield f"  {change}"
        for name, value in (outputs or {}).get(plan.stack.kind, {}).items():
            yield f"  {name} = {value}"


def _subscribe(sns: Any, topic: str, addresses: Iterable[str]) -> None:
    pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
    there = {entry["Endpoint"] for page in pages for entry in page["Subscriptions"]}
    for address in addresses:
        if address in there:
            notice(f"  {address} is subscribed already")
        else:
            sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=address)
            notice(f"  {address} has to confirm the mail that SNS sends now")
