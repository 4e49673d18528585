"""`gatehouse studio`: the pages that show projects, executions, versions and what serves, in a browser."""

from __future__ import annotations

import socket
import webbrowser

import click

from aws_formats.errors import GatehouseError
from pipelines.commands import local_endpoint
from pipelines.commands.options import target_option
from pipelines.commands.output import Document, Output, Remark, with_json
from pipelines.settings.projects_file import load_settings


@click.command("studio")
@click.option("--no-browser", is_flag=True, help="Print the link and open nothing.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="With --target aws; a free one if left out."
)
@click.option(
    "--allow-changes", is_flag=True, help="With --target aws: approve, reject, deploy and roll back there."
)
@target_option
@with_json
def command(no_browser: bool, port: int, allow_changes: bool, target: str) -> Output:
    """Open the pages that show your projects.

    On this machine they are part of the local SageMaker, which is brought up if it is not. With
    --target aws they run in this terminal until Ctrl-C, with your own credentials, and only read.
    The link holds a token: whoever has it can do what you can do here.
    """
    settings = load_settings()
    if target == "aws":
        yield from _serve_aws(port, allow_changes, no_browser)
        return
    if port or allow_changes:
        raise click.UsageError("--port and --allow-changes are for --target aws")
    found = local_endpoint.advertised(settings)
    if found is None:
        found = local_endpoint.keep_up(settings, 0)
        yield Remark(f"The local SageMaker is up: {found.url}  (process {found.pid})")
    from studio.local_page import link

    address = link(found.url, local_endpoint.home_folder(settings))
    yield Document({"url": address})
    yield address
    if not no_browser:
        webbrowser.open(address)


def _serve_aws(port: int, allow_changes: bool, no_browser: bool) -> Output:
    import uvicorn

    from studio.access import Access, new_token
    from studio.app import create
    from studio.source import Source

    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        raise GatehouseError(
            f"port {port} cannot be had: {error.strerror}", remedy="Take another --port"
        ) from error
    token = new_token()
    app = create(Source(load_settings().file, "aws", allow_changes=allow_changes), Access(token))
    address = f"http://127.0.0.1:{listener.getsockname()[1]}/studio/?token={token}"
    yield Document({"url": address})
    yield address
    yield Remark("It ends with Ctrl-C.")
    if not no_browser:
        webbrowser.open(address)
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", proxy_headers=False)
    uvicorn.Server(config).run([listener])
