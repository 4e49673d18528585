"""The `gatehouse` command: its tree of subcommands, and where every error ends.

A command is a module of this package with an attribute `command`, named as people type it, and one line
in the table below: with it `gatehouse --help` imports none of the modules, and so neither boto3 nor
pydantic nor rich. A module is imported when its command is used. To add a command is to write its module,
its line here, and its rows in docs/json.md and docs/permissions.md. A module without `command` holds what
several commands share: output, options, project_context and local_endpoint are used by nearly all.

Exit codes are part of the interface: 0 done; 1 an error, one line on standard error that says what,
where and what to do; 2 wrong usage; 3 the gate stayed shut, which CI must tell from an error;
130 interrupted. An error that is not expected keeps its traceback and exits with 1.
"""

from __future__ import annotations

import errno
import importlib
import io
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import click

GATE_SHUT = 3
INTERRUPTED = 130

SUBCOMMANDS = {
    "init": "Write the settings of a project for your own data.",
    "run": "Compile, upsert, start and follow the pipeline to its end.",
    "data": "Show what the data holds, and how it would be read.",
    "definition": "Print the definition document that AWS is given.",
    "plan": "Show what an upsert would change; change nothing.",
    "upsert": "Create the pipeline or bring it up to date.",
    "start": "Start an execution of the pipeline as it is.",
    "stop": "Stop an execution and its jobs.",
    "retry": "Run the failed or stopped steps of an execution again.",
    "executions": "List executions, newest first.",
    "logs": "Print what an execution's jobs wrote.",
    "report": "Fetch the evaluation's report; open it in the browser.",
    "schedule": "Start the pipeline on time: create, show, delete.",
    "groups": "Model package groups: setup, verify, cleanup.",
    "projects": "Show every project: newest version, what waits, what serves.",
    "models": "List the registered versions of a model, newest first.",
    "model": "Show one version, its card and its notes; add notes.",
    "compare": "Compare two versions, metric by metric.",
    "approve": "Approve a version, with who, when and why.",
    "reject": "Reject a version, with who, when and why.",
    "share": "Share a model with another AWS account.",
    "deploy": "Deploy an approved version to an environment.",
    "invoke": "Send rows to an environment, print its predictions.",
    "rollback": "Bring an environment back to the version before.",
    "promote": "Deploy what serves in one environment to another.",
    "environments": "Show what serves where, since when, by whom.",
    "monitor": "Compare an environment's requests with its version's baseline.",
    "labels": "Say what turned out to be right, by the requests' ids.",
    "replay": "Send captured requests through another version.",
    "rehearse": "Play months of requests, drift and retraining in minutes.",
    "transform": "Score many rows in a batch transform job.",
    "infra": "Bucket, roles, CI and automation in AWS: plan, deploy, remove.",
    "studio": "Open the pages that show all of this in a browser.",
    "inbox": "Show what people were told by the automation here.",
    "local": "The SageMaker on this machine: up, down, status, env, reset.",
    "doctor": "Check what is missing on this machine or in the account.",
}
"""Name of the command and of its module -> the line that `gatehouse --help` shows."""


class LazyGroup(click.Group):
    """A group that knows its subcommands by name and imports one only when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in SUBCOMMANDS:
            return None
        command: click.Command = importlib.import_module(f"{__name__}.{cmd_name}").command
        command.short_help = SUBCOMMANDS[cmd_name]
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in SUBCOMMANDS and not args[0].startswith("-"):
            raise click.exceptions.NoSuchCommand(args[0], possibilities=SUBCOMMANDS, ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(SUBCOMMANDS.items()))


@click.group(cls=LazyGroup, name="gatehouse", context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="gatehouse")
def gatehouse() -> None:
    """A SageMaker pipeline with a gate: a model is registered only if it is good enough.

    PROJECT is a full name, {team}-{project}, from projects.toml; the default project, or the only one,
    may be left out. Commands work on the SageMaker on this machine unless --target aws is given.
    --json puts one JSON document on standard output and nothing else.

    The settings are the file that GATEHOUSE_SETTINGS names, or else projects.toml in this folder or the
    nearest folder above it.

    Exit codes: 0 done, 1 error, 2 wrong usage, 3 the gate stayed shut, 130 interrupted.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (`sys.argv` by default) and return the process's exit code.

    Raises:
        Exception: whatever is not expected, with its traceback.
    """
    from aws_formats.errors import GatehouseError
    from aws_formats.visible_text import make_log_visible, visible, visible_lines

    make_log_visible()
    output = sys.stdout
    try:
        color = False if os.environ.get("NO_COLOR") else None
        code: Any = gatehouse.main(arguments, prog_name="gatehouse", standalone_mode=False, color=color)
    except click.ClickException as error:
        said = io.StringIO()
        error.show(file=said)
        click.echo(visible_lines(said.getvalue()), nl=False, err=True)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        return INTERRUPTED
    except GatehouseError as error:
        said_of_it = error.on_lines if sys.stderr.isatty() else str(error)
        click.echo(f"Error: {visible_lines(said_of_it)}", err=True)
        return 1
    except SystemExit:
        # Click ends so, and wraps the output, where its reader left early, as in `gatehouse logs | head`.
        if sys.stdout is output:
            raise
        return 0
    except Exception as error:
        explained = _system_error(error) or _aws_error(error) or _text_error(error, arguments)
        if explained is None:
            raise
        click.echo(f"Error: {visible(str(explained))}", err=True)
        return 1
    return code if isinstance(code, int) else 0


def _system_error(error: Exception) -> Exception | None:
    """In one line, that what a command says cannot be written, or that the machine has no room or no open
    file left; None for any other error."""
    from aws_formats.errors import GatehouseError

    if not isinstance(error, OSError):
        return None
    *_, (raised_in, _line) = traceback.walk_tb(error.__traceback__)
    if raised_in.f_code is click.echo.__code__:
        return GatehouseError(f"what this command says cannot be written: {error.strerror}")
    what, where = error.strerror or "", error.filename and str(error.filename)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        import tempfile

        remedy = f"Free some space; temporary files lie in {tempfile.gettempdir()}, or where TMPDIR says"
        return GatehouseError(what, where, remedy)
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return GatehouseError(what, where, "Let programs of this shell have more open files: ulimit -n 1024")
    return None


def _text_error(error: Exception, arguments: Sequence[str] | None) -> Exception | None:
    """In one line, that a note or another text that was typed cannot be sent; None for any other error."""
    from aws_formats.errors import GatehouseError

    if isinstance(error, UnicodeEncodeError):
        for argument in sys.argv[1:] if arguments is None else arguments:
            try:
                argument.encode()
            except UnicodeEncodeError:
                return GatehouseError(f"{argument!r} is no text in UTF-8", remedy="Write it in UTF-8")
    return None


def _aws_error(error: Exception) -> Exception | None:
    """One of botocore's errors in one line; None for any other. Imports botocore only if it is in use."""
    if "botocore" not in sys.modules:
        return None
    from pipelines.commands.aws_errors import explain

    return explain(error)
