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
    Where the automation runs (in AWS once it is deployed, on this machine while `gatehouse local up` is
    up) it deploys the version by itself, as far as the environments' `promotion` says; elsewhere
    `gatehouse deploy` does. The model card is completed and set to Approved.
    """
    return review(words, APPROVED, note, force, target)
