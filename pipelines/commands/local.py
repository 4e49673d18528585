"""`gatehouse local`: keeps a SageMaker up on this machine, for other programs to use.

`gatehouse run` does without it. It is needed where something has to outlive a command: an execution
that was started without --wait, a notebook, the AWS CLI.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import tempfile
from pathlib import Path

import click

from aws_formats.errors import GatehouseError
from aws_formats.sizes import size_in_words
from pipelines.commands import local_endpoint, local_images
from pipelines.commands.output import Document, Output, Remark, confirm, notice, with_json
from pipelines.settings.project import DEFAULT_REGION
from pipelines.settings.projects_file import Settings, load_settings_if_any

_FUNCTIONS_IMAGE = "local/python"
"""No image of AWS's: jobs that name it run in this environment."""


@click.group("local")
def command() -> None:
    """The SageMaker on this machine: pipelines, jobs, registry and S3, over AWS's own protocols.

    It listens on 127.0.0.1 only and keeps its state in .gatehouse beside projects.toml, or in
    GATEHOUSE_HOME. It needs no projects.toml: without one the state is in .gatehouse of this folder.
    """


@command.command("up")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="A free one if left out.")
@click.option("--foreground", is_flag=True, help="Stay in this terminal until Ctrl-C.")
@with_json
def up(port: int, foreground: bool) -> Output:
    """Start it in the background and return once it answers; one that is up already stays."""
    settings = load_settings_if_any()
    if foreground:
        local_endpoint.serve(settings, port)
        return []
    before = local_endpoint.already_up(settings, port)
    found = before or local_endpoint.keep_up(settings, port)
    pages = local_endpoint.page_link(settings)
    return [
        Document({"url": found.url, "pid": found.pid, "home": str(local_endpoint.home_folder(settings))}),
        f"The local SageMaker is up{' already' if before else ''}: {found.url}  (process {found.pid})",
        *([f"Its pages, for a browser: {pages}"] if pages else []),
        'Next: eval "$(gatehouse local env)" points the AWS CLI, boto3 and the SageMaker SDK at it',
    ]


@command.command("down")
@with_json
def down() -> Output:
    """End it: executions that are under way are stopped, the state stays."""
    found = local_endpoint.take_down(load_settings_if_any())
    return [
        Document({"was_up": found is not None}),
        Remark("It was not up.") if found is None else f"Ended {found.url}",
    ]


@command.command("status")
@with_json
def status() -> Output:
    """Say whether it is up, where its state lies and how much there is."""
    settings = load_settings_if_any()
    found = local_endpoint.advertised(settings)
    home = local_endpoint.home_folder(settings)
    taken = _bytes_below(home)
    yield Document(
        {
            "up": found is not None,
            "url": found.url if found else None,
            "pid": found.pid if found else None,
            "home": str(home),
            "bytes": taken,
        }
    )
    yield f"Up     {f'{found.url} (process {found.pid})' if found else 'no; `gatehouse local up` starts it'}"
    yield f"State  {home} ({size_in_words(taken)})"


@command.command("env")
@with_json
def env() -> Output:
    """Print the variables that point other programs at it, for a shell to evaluate.

    The SageMaker SDK then reads a configuration file of this SageMaker's instead of your own: it sends no
    usage data, and functions of pipelines (@step) and remote functions run in this environment's Python.

    \b
    Example:
      eval "$(gatehouse local env)"
      aws sagemaker list-pipelines
    """
    settings = load_settings_if_any()
    found = local_endpoint.advertised(settings)
    if found is None:
        raise GatehouseError("the local SageMaker is not up", remedy="Bring it up with `gatehouse local up`")
    variables = {
        **_variables(settings),
        **local_endpoint.client_variables(found),
        "SAGEMAKER_USER_CONFIG_OVERRIDE": str(_written_sdk_config(local_endpoint.home_folder(settings))),
    }
    yield Document(variables)
    yield "unset AWS_PROFILE AWS_SESSION_TOKEN"  # they belong to a real account
    for name, value in variables.items():
        yield f"export {name}={shlex.quote(value)}"


command.add_command(local_images.group)


@command.command("reset")
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_json
def reset(yes: bool) -> Output:
    """Delete all its state: pipelines, executions, registered versions, objects, logs.

    Refuses while anything works on it.
    """
    settings = load_settings_if_any()
    home = local_endpoint.home_folder(settings)
    if not home.exists():
        notice(f"There is nothing to delete at {home}.")
    else:
        if not yes:
            confirm(f"Delete {home} ({size_in_words(_bytes_below(home))}) with everything in it?")
        local_endpoint.remove_home(settings)
        notice(f"Deleted {home}")
    return [Document({"home": str(home)})]


def _variables(settings: Settings) -> dict[str, str]:
    """What AWS's clients read besides addresses: a region, and credentials, which are not checked."""
    region = settings.first_project.region if settings.first_project else DEFAULT_REGION
    return {
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _written_sdk_config(home: Path) -> Path:
    """The SageMaker SDK's configuration file; both its versions 2 and 3 read it.

    Without an image's name the SDK refuses functions on other Pythons than 3.8 and 3.10.
    """
    modules = {"TelemetryOptOut": True, "RemoteFunction": {"ImageUri": _FUNCTIONS_IMAGE}}
    content = {"SchemaVersion": "1.0", "SageMaker": {"PythonSDK": {"Modules": modules}}}
    path = home / "sagemaker-sdk.yaml"
    with tempfile.NamedTemporaryFile("w", dir=home, prefix=f".{path.name}.", delete=False) as written:
        json.dump(content, written, indent=2)  # JSON is YAML
    Path(written.name).replace(path)
    return path


def _bytes_below(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):  # which passes over what it may not read
        for name in names:
            with contextlib.suppress(OSError):  # a job's file that is gone since it was listed
                total += Path(parent, name).lstat().st_size
    return total
