"""`gatehouse share`: lets other AWS accounts see or use a project's registered versions."""

from __future__ import annotations

import json

import click

from pipelines.commands.local_endpoint import connected
from pipelines.commands.options import plan_option, project_argument, target_option
from pipelines.commands.output import Document, Lines, Output, Remark, with_json
from pipelines.commands.project_context import find_context
from registry.sharing import apply_sharing, plan_revoke, plan_share


@click.command("share")
@project_argument
@click.option("--account", required=True, metavar="ID", help="The other account's twelve digits.")
@click.option("--read-only", is_flag=True, help="It may see the versions, neither approve nor deploy them.")
@click.option("--revoke", is_flag=True, help="Take its access away again.")
@plan_option
@target_option
@with_json
def command(
    project: str | None,
    account: str,
    read_only: bool,
    revoke: bool,
    only_plan: bool,
    target: str,
) -> Output:
    """Share the project's model package group with another AWS account.

    The group's resource policy is shown before it is put. It opens the registry only: the artifacts'
    bucket and its KMS key have policies of their own, which have to let that account read as well.
    """
    if revoke and read_only:
        raise click.UsageError("--revoke takes all access away; leave out --read-only.")
    with connected(find_context(project, target)) as at:
        if revoke:
            plan = plan_revoke(at.target, at.project.name, account)
        else:
            plan = plan_share(at.target, at.project.name, account, read_only=read_only)
        if not plan.changes:
            yield Remark("The policy is like this already:")
        yield Lines(["no policy"] if plan.after is None else json.dumps(plan.after, indent=2).splitlines())
        if not only_plan:
            apply_sharing(plan, at.target)
    name = at.project.name
    yield Document(
        {
            "project": name,
            "account": account,
            "changed": plan.changes and not only_plan,
            "before": plan.before,
            "policy": plan.after,
        }
    )
    if plan.changes and not only_plan:
        yield Remark(f"Done: model {name}, account {account}.")
        if not revoke:
            yield Remark(
                "Let that account read the artifacts as well: the bucket's policy and its KMS key's."
            )
