"""An endpoint that is kept up, so that it delivers events, and what tests send them through."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from event_places import make_function, make_queue
from wire_clients import Client, client_of

from sagemaker_local import endpoint


@pytest.fixture(scope="session")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[endpoint.Endpoint]:
    with endpoint.start(tmp_path_factory.mktemp("events"), advertise=True) as started:
        yield started


@pytest.fixture(scope="session")
def events(local: endpoint.Endpoint) -> Client:
    return client_of(local.url, "events")


@pytest.fixture(scope="session")
def sqs(local: endpoint.Endpoint) -> Client:
    return client_of(local.url, "sqs")


@pytest.fixture(scope="session")
def sns(local: endpoint.Endpoint) -> Client:
    return client_of(local.url, "sns")


@pytest.fixture(scope="session")
def lambdas(local: endpoint.Endpoint) -> Client:
    return client_of(local.url, "lambda")


@pytest.fixture(scope="session")
def sagemaker(local: endpoint.Endpoint) -> Client:
    return client_of(local.url, "sagemaker")


@pytest.fixture
def name() -> str:
    """A name that no other test uses, good for any resource."""
    return f"t-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def queue(sqs: Client, name: str) -> tuple[str, str]:
    """A queue's URL and ARN."""
    return make_queue(sqs, name)


@pytest.fixture
def function(lambdas: Client, name: str) -> Callable[..., str]:
    """Makes a function out of Python source with a `handler`; returns its ARN."""

    def make(source: str, **members: Any) -> str:
        return make_function(lambdas, members.pop("FunctionName", name), source, **members)

    return make
