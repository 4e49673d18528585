"""`gatehouse doctor`: what is missing on this machine or in the account, each with its remedy."""

from __future__ import annotations

import click

from pipelines.commands.checks import run_checks
from pipelines.commands.options import json_option, project_argument, target_option
from pipelines.commands.output import document, say


@click.command("doctor")
@project_argument
@target_option
@json_option
def command(project: str | None, target: str, as_json: bool) -> int:
    """Check this machine, the settings and the data; with --target aws the account as well.

    Changes nothing. Exit code 1 if something is missing.
    """
    checks = list(run_checks(project, target))
    if as_json:
        document(
            [
                {"check": check.name, "ok": check.ok, "found": check.found, "remedy": check.remedy}
                for check in checks
            ]
        )
    else:
        for check in checks:
            mark = click.style("ok  ", fg="green") if check.ok else click.style("FAIL", fg="red")
            say(f"{mark}  {check.name}: {check.found}")
            if check.remedy and not check.ok:
                say(f"      {check.remedy}")
            elif check.remedy:
                say(f"      note: {check.remedy}")
    return 0 if all(check.ok for check in checks) else 1
