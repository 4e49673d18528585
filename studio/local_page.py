"""The pages of the SageMaker on this machine, made by its endpoint at a browser's first request."""

from __future__ import annotations

from pathlib import Path

from pipelines.settings.projects_file import settings_file
from studio.access import Access
from studio.app import AsgiApp, create
from studio.links import links_of, token_of
from studio.source import Source


def page(url: str, home: Path) -> AsgiApp:
    """The pages for the settings that this process finds; they say what is wrong with these."""
    return create(Source(settings_file(), "local", url), Access(token_of(home), links_of(home)))
