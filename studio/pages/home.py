"""The first page."""

from __future__ import annotations

from studio.pages.answers import Asked, Shown
from studio.source import Source
from studio.views.home import read_home


def projects(source: Source, asked: Asked) -> Shown:  # noqa: ARG001
    """All projects."""
    return Shown("home.html", {"home": read_home(source)})
