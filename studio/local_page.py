"""The pages of the SageMaker on this machine, made by its endpoint at a browser's first request."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from pipelines.settings.projects_file import load_settings
from studio.access import Access, new_token
from studio.app import AsgiApp, create
from studio.source import Source

TOKEN_FILE = "studio.token"
"""In the home folder, which only its owner can read; it outlives an endpoint, so that links keep working."""


def page(url: str, home: Path) -> AsgiApp:
    """The pages for the settings that this process finds.

    Raises:
        GatehouseError: there are no settings, or something in them is wrong.
    """
    return create(Source(load_settings().file, "local", url), Access(token_of(home)))


def link(url: str, home: Path) -> str:
    """The address, with the token that opens it."""
    return f"{url}/studio/?token={token_of(home)}"


def token_of(home: Path) -> str:
    """The token of a home folder; made where there is none yet."""
    path, made = home / TOKEN_FILE, home / f"{TOKEN_FILE}.{secrets.token_hex(8)}"
    if not path.exists():
        made.touch(mode=0o600)
        made.write_text(new_token() + "\n", encoding="ascii")
        with contextlib.suppress(FileExistsError):  # another process was faster, and its token counts
            os.link(made, path)
        made.unlink()
    return path.read_text(encoding="ascii").strip()
