"""What a function knows from its environment variables: its project, the environments, the topic for people.

The template sets them, from ``projects.toml``:

    GATEHOUSE_AUTOMATION   JSON: name, metric, threshold, environments in the order of promotion, monitoring
    GATEHOUSE_BUCKET       the artifact bucket, for functions that write there
    GATEHOUSE_TOPIC        the ARN of the SNS topic through which people are told, for functions that tell any
    GATEHOUSE_TARGET       aws or local: what the commands in messages say
    GATEHOUSE_STUDIO       the address of SageMaker Studio, if there is one for links

An environment is an object as ``registry.environments.to_json`` makes it, and its ``promotion`` (automatic
or manual).
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aws_formats.arns import parse_package_version
from aws_formats.errors import GatehouseError
from registry.clients import AssumedRole, Clients, aws_session
from registry.environments import Environment, from_json
from registry.throttling import patient_client
from registry.version_details import VersionDetails, read_arn

AUTOMATIC = "automatic"

SESSION_NAME = "gatehouse-automation"
"""Of the sessions under roles in other accounts."""


@dataclass(frozen=True)
class Region:
    """Clients for one region, under the function's own role."""

    name: str

    def client(self, service: str) -> Any:
        """A botocore client; ``AWS_ENDPOINT_URL`` leads to the SageMaker of this machine."""
        return _client(self, service)


@dataclass(frozen=True)
class Stage:
    """An environment, and whether a version may enter it without a person's word."""

    environment: Environment
    promotion: str

    @property
    def name(self) -> str:
        return self.environment.name


@dataclass(frozen=True)
class Monitoring:
    """How the project's environments are monitored.

    Attributes:
        hours: of a window.
        retrain: what follows from a difference: never, ask or automatic.
        cool_down_days: after a training that was started so, until the next.
    """

    hours: int = 24
    retrain: str = "ask"
    cool_down_days: int = 7


@dataclass(frozen=True)
class Context:
    """One project, as a function sees it.

    Attributes:
        metric, threshold: the gate's, where a version does not say which it passed.
        stages: in the order in which a version goes through them.
        topic: the ARN of the SNS topic through which people are told; empty where none is.
        target: ``aws`` or ``local``.
        studio: the address of SageMaker Studio, if it is known.
        clients: for the project's own account and region.
    """

    project: str
    metric: str
    threshold: float
    stages: tuple[Stage, ...]
    topic: str
    target: str
    studio: str | None
    region: str
    clients: Clients = field(repr=False, compare=False)
    monitoring: Monitoring = Monitoring()

    def stage_named(self, name: object) -> Stage | None:
        """The stage of that name."""
        return next((stage for stage in self.stages if stage.name == name), None)

    def stage_of_parameter(self, name: object) -> Stage | None:
        """The stage whose parameter has that name."""
        return next((stage for stage in self.stages if stage.environment.parameter == name), None)

    def stage_of_endpoint(self, name: object) -> Stage | None:
        """The stage whose endpoint has that name."""
        return next((stage for stage in self.stages if stage.environment.endpoint == name), None)

    def stage_after(self, stage: Stage) -> Stage | None:
        """The stage that comes next; None after the last."""
        following = self.stages[self.stages.index(stage) + 1 :]
        return following[0] if following else None

    def find_version(self, arn: str) -> VersionDetails | None:
        """The version with that ARN; None if it is none of this project's model, or was deleted."""
        named = parse_package_version(arn)
        if named is None or named[0] != self.project:
            return None
        try:
            return read_arn(self.clients, arn)
        except GatehouseError:
            return None

    def command(self, *words: object) -> str:
        """A `gatehouse` command line for a message."""
        target = ["--target", "aws"] if self.target == "aws" else []
        return " ".join(["gatehouse", *(str(word) for word in words), *target])


def read_context(environ: Mapping[str, str] = os.environ) -> Context:
    """What the environment variables say; KeyError or ValueError where the template did not set them."""
    settings = json.loads(environ["GATEHOUSE_AUTOMATION"])
    region = environ["AWS_REGION"]
    return Context(
        project=settings["name"],
        metric=settings["metric"],
        threshold=settings["threshold"],
        stages=tuple(_stage(**one) for one in settings["environments"]),
        topic=environ.get("GATEHOUSE_TOPIC", ""),
        target=environ.get("GATEHOUSE_TARGET", "aws"),
        studio=environ.get("GATEHOUSE_STUDIO") or None,
        region=region,
        clients=Region(region),
        monitoring=Monitoring(**settings.get("monitoring", {})),
    )


def _stage(promotion: str, **environment: Any) -> Stage:
    return Stage(from_json(environment, _clients), promotion)


def _clients(region: str, assume_role: str | None) -> Clients:
    own = Region(region)
    return own if assume_role is None else AssumedRole(own, assume_role, region, SESSION_NAME)


@functools.lru_cache(maxsize=64)
def _client(region: Region, service: str) -> Any:
    return patient_client(aws_session(region.name), service)
