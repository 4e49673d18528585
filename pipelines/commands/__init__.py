"""The `gatehouse` command: its tree of subcommands, and where every error ends.

The tree below is a table of names, so that `gatehouse --help` imports none of the modules behind it:
neither boto3 nor pydantic nor rich. A subcommand's module is imported when it is asked for, and each
module's attribute `command` is the click command.

Exit codes are part of the interface: 0 done; 1 an error, one line on standard error that says what,
where and what to do; 2 wrong usage; 3 the gate stayed shut, which CI must tell from a breakdown;
130 interrupted. An error that nobody foresaw keeps its traceback (and exits with 1).
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Any

import click

GATE_SHUT = 3
INTERRUPTED = 130

SUBCOMMANDS: dict[str, tuple[str, str]] = {
    "run": ("pipelines.commands.run", "Compile, upsert, start and follow the pipeline to its end."),
    "definition": ("pipelines.commands.definition", "Print the definition document that AWS is given."),
    "plan": ("pipelines.commands.plan", "Show what an upsert would change; change nothing."),
    "upsert": ("pipelines.commands.upsert", "Create the pipeline or bring it up to date."),
    "start": ("pipelines.commands.start", "Start an execution of the pipeline as it is."),
    "stop": ("pipelines.commands.stop", "Stop an execution and its jobs."),
    "retry": ("pipelines.commands.retry", "Run the failed or stopped steps of an execution again."),
    "executions": ("pipelines.commands.executions", "List executions, newest first."),
    "logs": ("pipelines.commands.logs", "Print what an execution's jobs wrote."),
    "schedule": ("pipelines.commands.schedule", "Start the pipeline on time: create, show, delete."),
    "groups": ("pipelines.commands.groups", "Model package groups: setup, verify, cleanup."),
    "models": ("pipelines.commands.models", "List the registered versions of a model, newest first."),
    "model": ("pipelines.commands.model", "Show one version, its card and its notes; add notes."),
    "compare": ("pipelines.commands.compare", "Compare two versions, metric by metric."),
    "approve": ("pipelines.commands.approve", "Approve a version, with who, when and why."),
    "reject": ("pipelines.commands.reject", "Reject a version, with who, when and why."),
    "share": ("pipelines.commands.share", "Share a model with another AWS account."),
    "deploy": ("pipelines.commands.deploy", "Deploy an approved version to an environment."),
    "invoke": ("pipelines.commands.invoke", "Send rows to an environment, print its predictions."),
    "rollback": ("pipelines.commands.rollback", "Bring an environment back to the version before."),
    "promote": ("pipelines.commands.promote", "Deploy what serves in one environment to another."),
    "environments": ("pipelines.commands.environments", "Show what serves where, since when, by whom."),
    "transform": ("pipelines.commands.transform", "Score many rows in a batch transform job."),
    "infra": ("pipelines.commands.infra", "Bucket, roles, CI and automation in AWS: plan, deploy, remove."),
    "inbox": ("pipelines.commands.inbox", "Show what people were told by the automation here."),
    "local": ("pipelines.commands.local", "The SageMaker on this machine: up, down, status, env, reset."),
    "doctor": ("pipelines.commands.doctor", "Check what is missing on this machine or in the account."),
}
"""Name -> (module that holds `command`, the line that `gatehouse --help` shows)."""


class LazyGroup(click.Group):
    """A group that knows its subcommands by name and imports one only when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in SUBCOMMANDS:
            return None
        module, line = SUBCOMMANDS[cmd_name]
        command: click.Command = importlib.import_module(module).command
        command.short_help = line
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in SUBCOMMANDS and not args[0].startswith("-"):
            raise click.exceptions.NoSuchCommand(args[0], possibilities=SUBCOMMANDS, ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in SUBCOMMANDS.items()])


@click.group(cls=LazyGroup, name="gatehouse", context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="gatehouse")
def gatehouse() -> None:
    """A SageMaker pipeline with a gate: a model is registered only if it is good enough.

    PROJECT is a full name, {team}-{project}, from projects.toml; where the settings name a default
    project it may be left out. Commands work on the SageMaker on this machine unless --target aws is
    given. --json puts one JSON document on standard output and nothing else.

    Exit codes: 0 done, 1 error, 2 wrong usage, 3 the gate stayed shut, 130 interrupted.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (`sys.argv` by default) and return the process's exit code.

    Raises:
        Exception: whatever nobody foresaw, with its traceback.
    """
    from aws_formats.errors import GatehouseError

    try:
        code: Any = gatehouse.main(arguments, prog_name="gatehouse", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        return INTERRUPTED
    except GatehouseError as error:
        click.echo(f"Error: {error}", err=True)
        return 1
    except BrokenPipeError:
        return _reader_left()
    except Exception as error:
        explained = _aws_error(error)
        if explained is None:
            raise
        click.echo(f"Error: {explained}", err=True)
        return 1
    return code if isinstance(code, int) else 0


def _aws_error(error: Exception) -> Exception | None:
    """One of botocore's errors in one line; None for any other. Imports botocore only if it is in use."""
    if "botocore" not in sys.modules:
        return None
    from pipelines.commands.aws_errors import explain

    return explain(error)


def _reader_left() -> int:
    """Standard output was closed early, as in `gatehouse logs | head`: not an error of ours."""
    import os

    # Python flushes standard output at exit; that must not raise once more.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
