"""Sends a request where it belongs: a variant by weight, an instance by load, its containers in order.

A request whose connection breaks before an answer has come is sent again to another instance: a model
server changes nothing but what it answers, and nobody has had that answer. It is sent again twice at most,
so a request that kills its server does not kill one after another. A time-out or an answer of any kind is
final. While no instance is ready, because the only one is being started again, requests wait for it.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass

from sagemaker_local.hosting.channel import ChannelLost
from sagemaker_local.hosting.fleet import Fleet
from sagemaker_local.hosting.instance import Instance

INVOCATION_SECONDS = 60.0
"""AWS's limit for a container's answer."""

READY_SECONDS = 30.0
"""How long a request waits for an instance to be ready."""

_RESENT = 2
_READY_STEP = 0.01


@dataclass(frozen=True)
class Request:
    """What a client sends to a model. Absent headers are None."""

    body: bytes
    content_type: str | None = None
    accept: str | None = None


@dataclass(frozen=True)
class Answer:
    """The answer of the last container, and where it came from."""

    body: bytes
    content_type: str
    variant: str
    container: str


class ContainerError(Exception):
    """A container did not answer with 200.

    Attributes:
        container: its name.
        status: what it answered; 500 where it died, 0 where it was too slow.
        message: what it answered, or what happened to it.
    """

    def __init__(self, container: str, status: int, message: str) -> None:
        super().__init__(message)
        self.container = container
        self.status = status
        self.message = message


class NotReady(Exception):
    """No instance of the variant is ready, and none became so in time."""


def choose_variant(fleet: Fleet) -> str:
    """A variant by its weight; the first where all weights are zero."""
    variants = fleet.spec.variants
    if len(variants) == 1 or not any(one.weight for one in variants):
        return variants[0].name
    return random.choices(variants, [one.weight for one in variants])[0].name


async def send(fleet: Fleet, variant: str, request: Request, seconds: float = INVOCATION_SECONDS) -> Answer:
    """Send one request through all containers of an instance of `variant`.

    Raises:
        ContainerError: a container answered with an error, died twice in a row, or was too slow.
        NotReady: no instance is up.
    """
    tried: dict[Instance, int] = {}
    resent = 0
    while True:
        instance = await _ready_instance(fleet, variant, tried)
        tried[instance] = instance.starts
        try:
            return await _through(instance, variant, request, seconds)
        except _Lost as problem:
            resent += 1
            if resent > _RESENT:
                raise ContainerError(
                    problem.container,
                    500,
                    f"the model server ended while it answered. The end of its log: {problem.log_end}",
                ) from problem
        finally:
            fleet.release(instance)


class _Lost(Exception):
    def __init__(self, container: str, log_end: str) -> None:
        super().__init__(container)
        self.container = container
        self.log_end = log_end


async def _ready_instance(fleet: Fleet, variant: str, tried: dict[Instance, int]) -> Instance:
    """An instance that was not tried, or was started again since, as soon as one is ready."""
    deadline = time.monotonic() + READY_SECONDS
    while True:
        instance = fleet.acquire(variant, tried)
        if instance is not None:
            return instance
        if time.monotonic() > deadline:
            raise NotReady
        await asyncio.sleep(_READY_STEP)


async def _through(instance: Instance, variant: str, request: Request, seconds: float) -> Answer:
    body, content_type = request.body, request.content_type
    *_, last = instance.servers
    deadline = asyncio.get_running_loop().time() + seconds
    for server in instance.servers:
        # An Accept header is the client's wish of the last container; the others hand on what suits them.
        accept = request.accept if server is last else None
        headers = {"Content-Type": content_type, "Accept": accept}
        given = {name: value for name, value in headers.items() if value is not None}
        try:
            async with asyncio.timeout_at(deadline):
                reply = await server.backend.post(body, given)
        except TimeoutError as late:
            raise ContainerError(
                server.container.name,
                0,
                "Your invocation timed out while waiting for a response from container"
                f" {server.container.name}. It had {seconds:.0f} s.",
            ) from late
        except ChannelLost as lost:
            raise _Lost(server.container.name, server.log_end()) from lost
        if reply.status != 200:
            raise ContainerError(server.container.name, reply.status, reply.body.decode("utf-8", "replace"))
        body, content_type = reply.body, reply.content_type
    return Answer(body, content_type or "", variant, last.container.name)
