"""Links to the pages: where each one is, and what lets a browser in.

A link holds a token of its own that opens the pages once: what stands in a list of processes, in a browser's
history or in a log is worth nothing afterwards. Whoever can write into a folder can make links for the pages
that look there: of a link's token a file remains, named by its digest, which the first visit removes.

It imports nothing of what the pages are made of, since commands that only print a link have to start fast.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import time
from pathlib import Path
from urllib.parse import quote

BASE = "/studio"
"""Where the pages are, below whatever serves them."""

TOKEN_FILE = "studio.token"
"""In the home folder, which only its owner can read; it outlives an endpoint, and so do the cookies."""

LINK_SECONDS = 3600
"""For which a link that nobody has used opens the pages."""


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


def link(url: str, links: Path, path: str = "/") -> str:
    """The address of a page, with a token that opens it once.

    Args:
        links: the folder of the links that nobody has used yet; see :func:`links_of`.
    """
    links.mkdir(mode=0o700, exist_ok=True)
    for file in links.iterdir():
        if not _counts(file):
            file.unlink(missing_ok=True)
    token = new_token()
    _file_of(links, token).touch(mode=0o600)
    return f"{url}{BASE}{path}{'&' if '?' in path else '?'}token={token}"


def use_link(links: Path, token: str) -> bool:
    """Whether this is the token of a link that nobody has used yet; from now on it is used."""
    file = _file_of(links, token)
    counts = _counts(file)
    try:
        file.unlink()  # of several who try, one succeeds
    except OSError:
        return False
    return counts


def links_of(home: Path) -> Path:
    """Where a home folder keeps the links that nobody has used yet."""
    return home / "studio.links"


def _file_of(links: Path, token: str) -> Path:
    return links / hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _counts(file: Path) -> bool:
    try:
        return time.time() - file.stat().st_mtime < LINK_SECONDS
    except OSError:
        return False


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
