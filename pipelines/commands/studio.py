"""`gatehouse studio`: the pages that show projects, executions, versions and what serves, in a browser."""

from __future__ import annotations

import socket
import tempfile
import threading
import webbrowser
from dataclasses import dataclass
from pathlib import Path

import click

from aws_formats.errors import GatehouseError
from pipelines.commands import local_endpoint
from pipelines.commands.options import gathered, project_names, target_option, which_report
from pipelines.commands.output import Document, Output, Remark, with_json
from pipelines.commands.project_context import find_context
from pipelines.commands.whole_file import write_whole
from pipelines.executions import lifecycle as executions
from pipelines.settings.projects_file import load_settings
from studio.links import link, links_of, new_token, page_path, path_in


@dataclass(frozen=True)
class StudioOptions:
    """Which page, and what to do with it."""

    words: tuple[str, ...]
    save: Path | None
    no_browser: bool
    port: int
    allow_changes: bool
    target: str


@click.command("studio")
@click.argument(
    "words", nargs=-1, metavar="[PROJECT] [VERSION | EXECUTION] | [ADDRESS]", shell_complete=project_names
)
@click.option("--no-browser", is_flag=True, help="Print the link and open nothing.")
@click.option(
    "--save",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="FILE",
    help="Write the page into one HTML file that needs nothing else, and open nothing.",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="With --target aws; a free one if left out."
)
@click.option(
    "--allow-changes", is_flag=True, help="With --target aws: approve, reject, deploy and roll back there."
)
@target_option
@with_json
@gathered(StudioOptions)
def command(options: StudioOptions) -> Output:
    """Open the pages that show your projects: all of them, or a project, a version, an execution.

    On this machine they are part of the local SageMaker, which is brought up if it is not. With
    --target aws they run in this terminal until Ctrl-C, with your own credentials, and only read.
    The link opens them once, in one browser, within an hour; whoever opens it first can do what you can do
    here. A file of --save holds no link.
    ADDRESS is that of any page, copied from the browser.

    \b
    Examples:
      gatehouse studio
      gatehouse studio rc-fraud-detection 3 --save version-3.html
    """
    if options.target == "local" and (options.port or options.allow_changes):
        raise click.UsageError("--port and --allow-changes are for --target aws")
    if options.save is not None:
        return _save(options, options.save)
    path = _path(options)
    return _serve_aws(options, path) if options.target == "aws" else _open_local(options, path)


def _path(options: StudioOptions) -> str:
    """The page that the words name; the first one without any."""
    if not options.words:
        return page_path()
    if path := _path_of_address(options):
        return path
    project, version, execution = which_report(options.words)
    name = find_context(project, options.target).project.name
    return page_path(name, version, execution)


def _path_of_address(options: StudioOptions) -> str | None:
    return path_in(options.words[0]) if len(options.words) == 1 else None


def _open_local(options: StudioOptions, path: str) -> Output:
    settings = load_settings()
    found = local_endpoint.advertised(settings)
    if found is None:
        found = local_endpoint.keep_up(settings, 0)
        yield Remark(f"The local SageMaker is up: {found.url}  (process {found.pid})")
    address = link(found.url, links_of(local_endpoint.home_folder(settings)), path)
    yield Document({"url": address})
    yield address
    if not options.no_browser:
        webbrowser.open(address)


def _save(options: StudioOptions, file: Path) -> Output:
    from studio.saved import saved_page
    from studio.source import Source

    path = _path_of_address(options)
    project, version, execution = which_report(options.words if path is None else ())
    with local_endpoint.connected(find_context(project, options.target)) as at:
        if path is None:
            if execution is not None:
                execution = executions.find(at.target, at.project.name, execution)
            path = page_path(at.project.name if options.words else None, version, execution)
        source = Source(at.settings.file, at.target.name, at.target.endpoint_url, allow_changes=False)
        text = saved_page(source, path)
    write_whole(file, text.encode(), "the page")
    yield Document({"file": str(file.absolute())})
    yield str(file.absolute())


def _serve_aws(options: StudioOptions, path: str) -> Output:
    import uvicorn

    from studio.access import Access
    from studio.app import create
    from studio.source import Source

    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", options.port))
        listener.listen()  # so that the link can be opened from the moment it is printed on
    except OSError as error:
        raise GatehouseError(
            f"port {options.port} cannot be had: {error.strerror}", remedy="Take another --port"
        ) from error
    source = Source(load_settings().file, "aws", allow_changes=options.allow_changes)
    with tempfile.TemporaryDirectory(prefix="gatehouse-studio-") as links:
        app = create(source, Access(new_token(), Path(links)))
        address = link(f"http://127.0.0.1:{listener.getsockname()[1]}", Path(links), path)
        yield Document({"url": address})
        yield address
        yield Remark("It ends with Ctrl-C.")
        if not options.no_browser:  # one that runs in a terminal returns only when it is closed
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
        # h11, because uvicorn's other protocol takes headers of any size.
        config = uvicorn.Config(
            app, http="h11", log_config=None, access_log=False, lifespan="off", proxy_headers=False
        )
        uvicorn.Server(config).run([listener])
