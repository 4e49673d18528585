"""Environments: where the versions of a project serve, and how each of these places is reached.

The command makes an :class:`Environment` of the settings. The handlers of the automation, which have no
settings file, get it as JSON: :func:`to_json` and :func:`from_json` are the only form in which it travels.

``deployment_history`` says what an environment should serve and served before, ``environment_state`` what is
there now.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any

from registry.clients import Clients
from registry.network import Network

ENVIRONMENT_TAG = "gatehouse:environment"


@dataclass(frozen=True)
class Capture:
    """A share of an endpoint's requests that is kept with its answers.

    Attributes:
        percent: 1 to 100.
        destination: an S3 prefix; below it SageMaker adds endpoint, variant and hour.
    """

    percent: int
    destination: str

    @property
    def in_words(self) -> str:
        return f"{self.percent} % of its requests in {self.destination}"


@dataclass(frozen=True)
class Environment:
    """One environment of one project, and how to reach it.

    Attributes:
        region: where its endpoint is.
        role_arn: the role that the model runs under.
        instance_type, instance_count: of the endpoint.
        clients: for the environment's own account and region.
        assume_role: the role under which another account is reached; None in the caller's own account.
        volume_size_gb, startup_timeout_seconds, download_timeout_seconds: of its variant; SageMaker's
            own defaults where None.
        alarms: CloudWatch alarms; one of them ringing during an update brings the old version back.
        canary_percent: share of the capacity that a new version is tried on first; None: all at once.
        bake_seconds: how long the alarms are watched before traffic moves on and the old version goes.
        capture_percent: share of the requests that is captured, 1 to 100; none where None.
        capture_destination: where to, an S3 prefix without a slash at its end; with the percentage only.
        kms_key: encrypts the instances' volumes and what is captured; AWS's own key where None.
        network_isolation: whether the containers are cut off from every network.
        subnets, security_groups: of the VPC that the containers reach; none: SageMaker's own.
        tags: of everything that is made for the project, whichever environment it is made for.
    """

    project: str
    name: str
    region: str
    role_arn: str
    instance_type: str
    instance_count: int
    clients: Clients = field(repr=False, compare=False)
    assume_role: str | None = None
    volume_size_gb: int | None = None
    startup_timeout_seconds: int | None = None
    download_timeout_seconds: int | None = None
    alarms: tuple[str, ...] = ()
    canary_percent: int | None = None
    bake_seconds: int = 0
    capture_percent: int | None = None
    capture_destination: str | None = None
    kms_key: str | None = None
    network_isolation: bool = False
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def endpoint(self) -> str:
        return f"{self.project}-{self.name}"

    @property
    def own_tags(self) -> dict[str, str]:
        """The tags of what this environment alone uses; a model may serve in several."""
        return {**self.tags, ENVIRONMENT_TAG: self.name}

    @property
    def network(self) -> Network:
        return Network(self.subnets, self.security_groups, self.network_isolation, self.kms_key)

    @property
    def capture(self) -> Capture | None:
        """What its endpoint captures; None if nothing."""
        if self.capture_percent is None or self.capture_destination is None:
            return None
        return Capture(self.capture_percent, self.capture_destination)

    @property
    def transform_captures(self) -> str | None:
        """Where transform jobs leave what they capture for this environment, beside the variants."""
        return f"{self.capture.destination}/{self.endpoint}/transforms" if self.capture else None

    @property
    def parameter(self) -> str:
        return f"/gatehouse/{self.project}/{self.name}/model-package"


def to_json(environment: Environment) -> dict[str, Any]:
    """The environment as a JSON object: every field but the clients, defaults left out."""
    return {
        one.name: value
        for one in _json_fields()
        if (value := getattr(environment, one.name)) != _default(one)
    }


def from_json(document: Mapping[str, Any], clients_for: Callable[[str, str | None], Clients]) -> Environment:
    """The inverse of :func:`to_json`.

    Args:
        clients_for: gives the clients for a region and for the role that is assumed there, if any.

    Raises:
        TypeError: the object lacks a field without a default, or has a key that is no field.
    """
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in document.items()
    }
    return Environment(**values, clients=clients_for(values["region"], values.get("assume_role")))


def _json_fields() -> list[Field[Any]]:
    return [one for one in fields(Environment) if one.name != "clients"]


def _default(one: Field[Any]) -> Any:
    """The default of a field; MISSING, which no value equals, without one."""
    return one.default if one.default_factory is MISSING else one.default_factory()
