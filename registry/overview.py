"""One line on each of many models: its newest version, what waits for a decision, what serves where.

One page of a group's versions says which is the newest and which wait; only the newest one is read further.
The models are read at the same time, since each costs a handful of calls that depend on one another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from aws_formats.arns import parse_package_version
from registry.clients import Clients
from registry.deployment_history import deployed_versions
from registry.environments import Environment
from registry.model_packages import PENDING, READERS, ModelVersion, read_listed, summaries

LOOKED_AT = 100
"""Of the newest versions of a model, those that are looked at: one page of ListModelPackages."""


@dataclass(frozen=True)
class Model:
    """A model whose overview is asked for; `clients` of its own account and region."""

    name: str
    clients: Clients
    environments: tuple[Environment, ...]


@dataclass(frozen=True)
class Overview:
    """What can be said of a model in a line.

    Attributes:
        newest: its newest version; None without one.
        waiting: the numbers of the versions that wait for a decision, newest first.
        serves: environment -> number of the version that should serve there; None where the parameter names
            no version. Without the environments that have none.
    """

    name: str
    newest: ModelVersion | None
    waiting: tuple[int, ...]
    serves: dict[str, int | None]


def read_overviews(models: Sequence[Model], denied: Callable[[Environment], None]) -> list[Overview]:
    """The overview of each model, in the same order.

    Args:
        denied: is called with each environment that the caller has no permission to read.
    """
    for model in models:  # a client that several threads ask for at first would be made several times
        for service in ("sagemaker", "s3"):
            model.clients.client(service)
        for environment in model.environments:
            environment.clients.client("ssm")
    with ThreadPoolExecutor(READERS) as readers:
        return list(readers.map(lambda model: _overview(model, denied), models))


def _overview(model: Model, denied: Callable[[Environment], None]) -> Overview:
    found = list(islice(summaries(model.clients, model.name, limit=LOOKED_AT), LOOKED_AT))
    serving = deployed_versions(model.environments, denied=denied)
    place = {name: arn for arn, names in serving.items() for name in names}
    serves = {}
    for environment in model.environments:
        if (arn := place.get(environment.name)) is not None:
            version = parse_package_version(arn)
            serves[environment.name] = version[1] if version else None
    return Overview(
        model.name,
        newest=read_listed(model.clients, found[0]) if found else None,
        waiting=tuple(
            int(one["ModelPackageVersion"]) for one in found if one.get("ModelApprovalStatus") == PENDING
        ),
        serves=serves,
    )
