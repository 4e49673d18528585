"""Links to the pages: where each one is, and the token that opens them on this machine.

It imports nothing of what the pages are made of, since commands that only print a link have to start fast.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from urllib.parse import quote

BASE = "/studio"
"""Where the pages are, below whatever serves them."""

TOKEN_FILE = "studio.token"
"""In the home folder, which only its owner can read; it outlives an endpoint, so that links keep working."""


def new_token() -> str:
    """A token that nobody can guess: 256 bits."""
    return secrets.token_urlsafe(32)


def page_path(project: str | None = None, version: int | None = None, execution: str | None = None) -> str:
    """The page of a version or of an execution (an ARN or id), of a project, or else the first one."""
    if project is None:
        return "/"
    path = f"/p/{quote(project, safe='')}"
    if version is not None:
        return f"{path}/versions/{version}"
    if execution is not None:
        return f"{path}/executions/{quote(execution.rpartition('/')[2], safe='')}"
    return path


def path_in(address: str) -> str | None:
    """The path and query that an address from a browser has below the pages' base; None if it has none."""
    place, question, query = address.partition("?")
    _, base, path = place.partition(BASE)
    if not base or not path.startswith("/"):
        return None
    kept = "&".join(pair for pair in query.split("&") if not pair.startswith("token="))
    return f"{path}{question}{kept}" if kept else path


def link(url: str, token: str, path: str = "/") -> str:
    """The address of a page, with the token that opens it."""
    return f"{url}{BASE}{path}{'&' if '?' in path else '?'}token={token}"


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
