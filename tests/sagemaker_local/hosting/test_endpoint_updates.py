"""An endpoint under constant load while it is changed, and while its processes die."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from hosting_place import ECHO, Place, model_servers
from wire_clients import client_of, wait_for


class Load:
    """Requests of several clients, one after another, until they are stopped."""

    def __init__(self, url: str, name: str, clients: int = 3) -> None:
        self.answers: list[str] = []
        self.failures: list[Exception] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._drive, args=(url, name)) for _ in range(clients)]

    def _drive(self, url: str, name: str) -> None:
        runtime = client_of(url, "sagemaker-runtime")
        while not self._stop.is_set():
            try:
                answer = runtime.invoke_endpoint(EndpointName=name, Body=b"x", ContentType="text/csv")
                self.answers.append(answer["Body"].read().decode())
            except Exception as failure:
                self.failures.append(failure)

    def served(self, model: str) -> Callable[[], bool | None]:
        """A probe: whether `model` has answered lately."""
        return lambda: any(f'"model": "{model}"' in answer for answer in self.answers[-5:]) or None

    def more(self, count: int = 30) -> Callable[[], bool | None]:
        """A probe: whether so many more answers have come since now."""
        now = len(self.answers)
        return lambda: len(self.answers) >= now + count or None

    @contextmanager
    def driven(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in self._threads:
                thread.join()


def test_not_one_request_fails_while_an_endpoint_is_updated_back_and_forth(place: Place, home: Path) -> None:
    place.serve("blue", place.echo("blue"))
    place.config("green", (place.model("green", place.echo("green")), 2, 1.0))
    before = set(model_servers(home))
    load = Load(place.url, "blue")
    with load.driven():
        wait_for(load.served("blue"))
        for config in ("green", "blue", "green"):
            place.sagemaker.update_endpoint(EndpointName="blue", EndpointConfigName=config)
            assert place.describe("blue")["EndpointStatus"] == "Updating"
            assert place.describe("blue")["PendingDeploymentSummary"]["EndpointConfigName"] == config
            found = place.after_change("blue")
            assert found["EndpointConfigName"] == config
            assert place.invoke("blue", b"x")["model"] == config
            wait_for(load.served(config))
    assert load.failures == []
    assert len(load.answers) > 50
    wait_for(lambda: len(set(model_servers(home)) - before) == 2 or None)


def test_an_update_that_does_not_come_up_leaves_the_old_fleet_in_service(place: Place) -> None:
    place.serve("steady", place.echo("steady"))
    script = ECHO.replace("return open", "raise RuntimeError('no such model'); return open", 1)
    place.config("worse", (place.model("worse", place.echo("worse", script)), 1, 1.0))
    load = Load(place.url, "steady")
    rollback = {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}
        },
        "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "errors"}]},
    }
    with load.driven():
        place.sagemaker.update_endpoint(
            EndpointName="steady", EndpointConfigName="worse", DeploymentConfig=rollback
        )
        found = place.after_change("steady")
        wait_for(load.more())
    assert found["EndpointStatus"] == "InService"
    assert found["EndpointConfigName"] == "steady"
    assert "RuntimeError: no such model" in found["FailureReason"]
    assert load.failures == []
    assert place.invoke("steady", b"x")["model"] == "steady"


def test_not_one_request_fails_while_one_of_two_instances_is_killed(place: Place, home: Path) -> None:
    others = set(model_servers(home))
    place.serve("pair", place.echo("pair"), instances=2)
    load = Load(place.url, "pair")
    with load.driven():
        wait_for(load.more())
        for _ in range(3):
            first, second = sorted(set(model_servers(home)) - others)
            os.kill(first, signal.SIGKILL)
            wait_for(load.more())
            wait_for(lambda gone=first: _two_without(home, others, gone))
    assert second
    assert load.failures == []


def _two_without(home: Path, others: set[int], gone: int) -> bool | None:
    now = set(model_servers(home)) - others
    return True if len(now) == 2 and gone not in now else None


def test_requests_wait_for_the_only_instance_while_it_is_started_again(place: Place, home: Path) -> None:
    others = set(model_servers(home))
    place.serve("single", place.echo("single"))
    (server,) = set(model_servers(home)) - others
    load = Load(place.url, "single")
    with load.driven():
        wait_for(load.more())
        os.kill(server, signal.SIGKILL)
        wait_for(load.more())
    assert load.failures == []
    assert place.describe("single")["ProductionVariants"][0]["CurrentInstanceCount"] == 1


def test_a_request_that_kills_its_server_is_an_error_and_the_endpoint_recovers(place: Place) -> None:
    place.serve("fragile", place.echo("fragile"))
    with pytest.raises(ClientError, match="the model server ended while it answered"):
        place.invoke("fragile", b"die")
    assert place.invoke("fragile", b"x")["sent"] == "x"
    group = "/aws/sagemaker/Endpoints/fragile"
    events = place.logs.filter_log_events(logGroupName=group, filterPattern='"it is started again"')["events"]
    assert "exit code 3" in events[0]["message"]
