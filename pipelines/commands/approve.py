"""`gatehouse approve`: a registered version is approved by a person."""

from __future__ import annotations

import click

from pipelines.commands.output import Output
from pipelines.commands.reviewing import review, review_options
from registry.model_packages import APPROVED


@click.command("approve")
@review_options
def command(words: tuple[str, ...], note: str, force: bool, target: str) -> Output:
    """Approve a registered version: its status, with who, when and why.

    VERSION is its number, as `gatehouse models` lists it. Only an approved version can be deployed.
    The model card is completed and set to Approved.
    """
    return review(words, APPROVED, note, force, target)
