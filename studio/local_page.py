"""The pages of the SageMaker on this machine, made by its endpoint at a browser's first request."""

from __future__ import annotations

from pathlib import Path

from pipelines.settings.projects_file import load_settings
from studio.access import Access
from studio.app import AsgiApp, create
from studio.links import token_of
from studio.source import Source


def page(url: str, home: Path) -> AsgiApp:
    """The pages for the settings that this process finds.

    Raises:
        GatehouseError: there are no settings, or something in them is wrong.
    """
    return create(Source(load_settings().file, "local", url), Access(token_of(home)))
