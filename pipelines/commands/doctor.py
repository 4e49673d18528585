"""`gatehouse doctor`: what is missing on this machine or in the account, each with its remedy."""

from __future__ import annotations

import click

from pipelines.commands.checks import run_checks
from pipelines.commands.options import project_argument, target_option
from pipelines.commands.output import CheckLine, Document, Output, with_json


@click.command("doctor")
@project_argument
@target_option
@with_json
def command(project: str | None, target: str) -> Output:
    """Check this machine, the settings and the data; with --target aws the account as well.

    Changes nothing. Exit code 1 if something is missing.
    """
    checks = list(run_checks(project, target))
    yield Document(
        [
            {"check": check.name, "ok": check.ok, "found": check.found, "remedy": check.remedy}
            for check in checks
        ],
        exit_code=0 if all(check.ok for check in checks) else 1,
    )
    for check in checks:
        yield CheckLine(check.ok, f"{check.name}: {check.found}")
        if check.remedy:
            yield f"      {'note: ' if check.ok else ''}{check.remedy}"
