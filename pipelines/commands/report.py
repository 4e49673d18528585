"""`gatehouse report`: the evaluation's HTML report, of a registered version or of any execution.

The report lies in S3 beside ``statistics.json``. It is one page that holds its pictures, so a copy of it in a
local file is all that a browser needs. A model that the gate refused has one as well: it says why.
"""

from __future__ import annotations

import webbrowser
from pathlib import Path

import click

from aws_formats.arns import parse_arn
from aws_formats.errors import GatehouseError
from pipelines.commands.local_endpoint import home_folder
from pipelines.commands.model_context import connected_to_model
from pipelines.commands.options import project_names, target_option, which_report
from pipelines.commands.output import Document, Output, notice, with_json
from pipelines.commands.project_context import ProjectContext
from pipelines.commands.whole_file import write_whole
from pipelines.executions import lifecycle as executions
from pipelines.executions import watching
from registry import model_cards
from registry.clients import read_object
from registry.version_details import read_version


@click.command("report")
@click.argument("words", nargs=-1, metavar="[PROJECT] [VERSION | EXECUTION]", shell_complete=project_names)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="The file to write; below .gatehouse/reports if left out.",
)
@click.option("--version", "version_option", type=click.IntRange(min=1), metavar="N", help="As VERSION.")
@click.option("--execution", "execution_option", metavar="ID", help="As EXECUTION.")
@click.option("--open", "opens", is_flag=True, help="Open it in the browser.")
@target_option
@with_json
def command(
    words: tuple[str, ...],
    output: Path | None,
    version_option: int | None,
    execution_option: str | None,
    opens: bool,
    target: str,
) -> Output:
    """Fetch the evaluation's report into a local file, and print the file's path.

    VERSION is a version's number, EXECUTION an ARN or id; of an execution also where the gate stayed shut
    and so no version was registered. Without either it is the newest execution.

    \b
    Examples:
      gatehouse report --open
      gatehouse report rc-fraud-detection 3 --output report.html
    """
    named = [str(one) for one in (version_option, execution_option) if one is not None]
    project, version, execution = which_report((*words, *named))
    if len(named) > 1 or (named and str(version or execution) != named[0]):
        raise click.UsageError("Name one version or one execution.")
    with connected_to_model(project, target) as at:
        name = at.project.name
        if version is not None:
            which, uri = f"version {version}", _of_version(at, version)
            file = f"{name}-{version}.html"
        else:
            execution = executions.find(at.target, name, execution)
            known_as = parse_arn(execution).name
            which, uri = f"execution {known_as}", _of_execution(at, execution)
            file = f"{name}-{known_as}.html"
        content = None if uri is None else read_object(at.target.client("s3"), uri)
    if content is None:
        raise GatehouseError(
            f"{which} of {name} has no report" + (f" at {uri}" if uri else ""),
            remedy=f"The step that evaluates the model writes it: gatehouse logs {name}{at.target.option}",
        )
    path = (output or home_folder(at.settings) / "reports" / file).absolute()
    write_whole(path, content, "the report", makes_folder=True)
    yield Document(
        {
            "project": name,
            "version": version,
            "execution_arn": execution,
            "report": uri,
            "file": str(path),
        }
    )
    yield str(path)
    if opens and not webbrowser.open(path.as_uri()):
        notice("There is no browser to open it with.")


def _of_version(at: ProjectContext, version: int) -> str | None:
    return model_cards.report_uri(read_version(at.target, at.project.name, version))


def _of_execution(at: ProjectContext, execution_arn: str) -> str | None:
    gate = watching.outcome(at.target, execution_arn).gate
    return gate.report if gate else None
