"""What an endpoint or a transform job is to run: resolved once, kept in its document, started from there.

An endpoint configuration names models, and a model may name a registered package; all of them may be
deleted while the endpoint serves. So a spec holds everything that its processes need.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from sagemaker_local.hosting.capture import CaptureConfig, config_from_json

SPEC_MEMBER = "_Deployment"
"""The member of an endpoint's or a transform job's document that holds its spec."""

STARTUP_SECONDS = 120
"""How long a container may take until it answers /ping, where the variant does not say."""


@dataclass(frozen=True)
class Container:
    """One container of a model.

    Attributes:
        name: its host name; ``primary`` where it is the only one.
        model_data: S3 URI of the artifact, ``model.tar.gz``; None where it has none.
        etag: of that object, without quotes; another is not served. None where any is.
    """

    name: str
    image: str
    model_data: str | None
    environment: Mapping[str, str]
    etag: str | None = None


@dataclass(frozen=True)
class Variant:
    """One production variant: so many instances, each with all containers of the model, in order."""

    name: str
    model: str
    containers: tuple[Container, ...]
    instances: int
    weight: float
    instance_type: str | None = None
    startup_seconds: int = STARTUP_SECONDS


@dataclass(frozen=True)
class FleetSpec:
    """The variants that a fleet runs, and what is captured of their requests; None if nothing is.

    `revision` is new whenever anything but weights and counts is.
    """

    revision: str
    variants: tuple[Variant, ...]
    capture: CaptureConfig | None = None

    def document(self) -> dict[str, Any]:
        """As :data:`SPEC_MEMBER` holds it."""
        return asdict(self)

    def variant(self, name: str) -> Variant | None:
        return next((one for one in self.variants if one.name == name), None)

    def resized(self, weights: Mapping[str, float], instances: Mapping[str, int]) -> FleetSpec:
        """The same revision with other weights and instance counts, by variant's name."""
        variants = tuple(
            replace(
                one,
                weight=weights.get(one.name, one.weight),
                instances=instances.get(one.name, one.instances),
            )
            for one in self.variants
        )
        return replace(self, variants=variants)


def new_spec(variants: Iterable[Variant], capture: CaptureConfig | None = None) -> FleetSpec:
    return FleetSpec(secrets.token_hex(8), tuple(variants), capture)


def read_spec(document: Mapping[str, Any]) -> FleetSpec:
    """The spec in the document of an endpoint or a transform job."""
    kept = document[SPEC_MEMBER]
    variants = tuple(
        Variant(**{**one, "containers": tuple(Container(**part) for part in one["containers"])})
        for one in kept["variants"]
    )
    captured = kept.get("capture")  # homes from before there was any have no such member
    return FleetSpec(kept["revision"], variants, None if captured is None else config_from_json(captured))
