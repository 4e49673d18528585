"""What an operation is given: the components of its endpoint, and the region that it was called in.

Operations lie above everything that they use, so they alone get all of it at once; what lies below is given
its own parts as arguments.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from aws_formats.arns import LOCAL_ACCOUNT
from sagemaker_local.api import RoleSession
from sagemaker_local.events.arrivals import Arrivals
from sagemaker_local.events.functions import Functions
from sagemaker_local.execution.engine import Engine
from sagemaker_local.home import Home, Owner
from sagemaker_local.hosting.capture_writer import Captures
from sagemaker_local.hosting.endpoints import HostedEndpoints
from sagemaker_local.hosting.transform import TransformJobs
from sagemaker_local.jobs.runner import JobRunner
from sagemaker_local.metrics import Metrics
from sagemaker_local.s3.objects import ObjectStore
from sagemaker_local.store import Store
from sagemaker_local.tuning.jobs import TuningJobs


@dataclass(frozen=True)
class Components:
    """One endpoint's components, made once by ``endpoint`` and shared by every call.

    Attributes:
        url: the endpoint's own, e.g. ``http://127.0.0.1:41234``.
    """

    home: Home
    owner: Owner
    store: Store
    objects: ObjectStore
    jobs: JobRunner
    engine: Engine
    endpoints: HostedEndpoints
    captures: Captures
    transforms: TransformJobs
    tuning: TuningJobs
    functions: Functions
    arrivals: Arrivals
    metrics: Metrics
    url: str


@dataclass(frozen=True)
class Call:
    """One call of an operation; `session` is in whose name, None for this machine's user."""

    components: Components
    region: str
    session: RoleSession | None = None

    @property
    def store(self) -> Store:
        return self.components.store

    def arn(self, resource: str, service: str = "sagemaker") -> str:
        """E.g. ``arn("pipeline/x")`` -> ``arn:aws:sagemaker:<region>:<account>:pipeline/x``."""
        return f"arn:aws:{service}:{self.region}:{LOCAL_ACCOUNT}:{resource}"


@dataclass(frozen=True)
class Waiting:
    """What an operation returns instead of a response where it would have to wait.

    So a request that waits takes no thread from the others.

    Attributes:
        until: ends when it is time to go on, with whatever result; cancelled if the client goes.
        then: goes on, in a worker; gives the response's members, or waits again.
    """

    until: Future[Any]
    then: Callable[[], Any]

    def followed_by(self, step: Callable[[Any], Any]) -> Waiting:
        """The same wait, with `step` done to what comes of it: a response or another wait."""
        return Waiting(self.until, lambda: step(self.then()))


Handler = Callable[[Call, dict[str, Any]], dict[str, Any] | Waiting]
"""An operation: checked parameters (timestamps as datetimes, blobs as bytes) -> the response's members."""

AsyncHandler = Callable[[Call, dict[str, Any]], Awaitable[dict[str, Any]]]
"""One that waits in the event loop, without a thread. All operations of a service do, or none."""
