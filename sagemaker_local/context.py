"""What every operation works with: the home, the store, the objects, and the things that run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aws_formats.arns import LOCAL_ACCOUNT

if TYPE_CHECKING:
    from sagemaker_local.api import Api
    from sagemaker_local.events.functions import Functions
    from sagemaker_local.execution.engine import Engine
    from sagemaker_local.home import Home, Owner
    from sagemaker_local.hosting.endpoints import HostedEndpoints
    from sagemaker_local.hosting.transform import TransformJobs
    from sagemaker_local.jobs.runner import JobRunner
    from sagemaker_local.s3.objects import ObjectStore
    from sagemaker_local.store import Store


@dataclass
class Services:
    """One endpoint's parts, made once by ``endpoint`` and shared by every request."""

    home: Home
    owner: Owner
    store: Store
    objects: ObjectStore
    api: Api
    jobs: JobRunner
    endpoints: HostedEndpoints
    transforms: TransformJobs
    functions: Functions
    engine: Engine = field(init=False)
    """Set right after: the engine itself is made with these services."""


@dataclass(frozen=True)
class Call:
    """One request: whose services, in which region."""

    services: Services
    region: str

    @property
    def store(self) -> Store:
        return self.services.store

    def arn(self, resource: str, service: str = "sagemaker") -> str:
        """E.g. ``arn("pipeline/x")`` -> ``arn:aws:sagemaker:<region>:<account>:pipeline/x``."""
        return f"arn:aws:{service}:{self.region}:{LOCAL_ACCOUNT}:{resource}"


Handler = Callable[[Call, dict[str, Any]], dict[str, Any]]
"""Validated parameters in (timestamps as datetimes, blobs as bytes), the response's members out."""
