"""Where a model's containers stand in the network, and the key that encrypts what they write.

Endpoints and batch transform jobs take it from the same settings, so that neither runs outside of the VPC, or
writes without the key, that the other one has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Network:
    """A place in the network; without values it is SageMaker's own, with AWS's keys.

    Attributes:
        subnets, security_groups: of the VPC that the containers reach; none: SageMaker's own network.
        isolation: whether the containers are cut off from every network.
        kms_key: encrypts the instances' volumes and a job's output; AWS's own key where None.
    """

    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    isolation: bool = False
    kms_key: str | None = None

    def of_model(self) -> dict[str, Any]:
        """The members of CreateModel's request that say it."""
        vpc = {"Subnets": list(self.subnets), "SecurityGroupIds": list(self.security_groups)}
        return {
            **({"EnableNetworkIsolation": True} if self.isolation else {}),
            **({"VpcConfig": vpc} if self.subnets else {}),
        }
