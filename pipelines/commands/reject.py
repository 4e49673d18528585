"""`gatehouse reject`: a registered version is rejected by a person."""

from __future__ import annotations

import click

from pipelines.commands.output import Output
from pipelines.commands.reviewing import review, review_options
from registry.model_packages import REJECTED


@click.command("reject")
@review_options
def command(words: tuple[str, ...], note: str, force: bool, target: str) -> Output:
    """Reject a registered version: its status, with who, when and why.

    VERSION is its number, as `gatehouse models` lists it. A rejected version cannot be deployed. Where
    it serves already the automation, if it runs (see `gatehouse approve`), brings back the approved version
    before; without it, or if there is none, it goes on until another is deployed or rolled back to. The model
    card is completed and set to PendingReview.
    """
    return review(words, REJECTED, note, force, target)
