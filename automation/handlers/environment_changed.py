"""An environment's parameter changed, or the timer rang: bring the environment to what it should serve.

The timer is what makes up for events that were lost, and for environments in other accounts and regions,
whose events do not come here. It looks at all of the project's environments.
"""

from __future__ import annotations

from typing import Any

from automation.handlers import logged
from automation.road import settle
from automation.surroundings import read_surroundings
from pipelines.errors import GatehouseError


@logged
def handle(event: dict[str, Any], context: object) -> str:  # noqa: ARG001
    """For ``Parameter Store Change``, whose detail.name says which, and for ``Scheduled Event``.

    Raises:
        GatehouseError: at least one environment could not be brought on; the others were.
    """
    surroundings = read_surroundings()
    name = event.get("detail", {}).get("name")
    if name is not None:
        stage = surroundings.stage_of_parameter(name)
        return settle(surroundings, stage) if stage else f"{name} is no environment of ours"
    done, failed = [], []
    for stage in surroundings.stages:
        try:
            done.append(settle(surroundings, stage))
        except GatehouseError as error:
            failed.append(f"{stage.name}: {error}")
    if failed:
        raise GatehouseError(" ".join(failed), where=surroundings.project)
    return "; ".join(done)
