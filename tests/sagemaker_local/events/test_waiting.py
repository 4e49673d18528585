"""Whoever waits takes no worker: more requests than there are threads wait, and others are answered."""

from __future__ import annotations

import json
import socket
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from event_places import make_function, make_queue, make_rule, put_event, received, take
from wire_clients import client_of, wait_for

from sagemaker_local import endpoint
from sagemaker_local.events.arrivals import Arrivals

MORE_THAN_WORKERS = 64
Send = Callable[[str, dict[str, Any]], socket.socket]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[endpoint.Endpoint]:
    with endpoint.start(tmp_path / "home", advertise=True) as running:
        yield running


@pytest.fixture
def arrivals(started: endpoint.Endpoint) -> Arrivals:
    return started._operations.components.arrivals


@pytest.fixture
def queue(started: endpoint.Endpoint) -> str:
    return make_queue(client_of(started.url, "sqs"), "waited-for")[0]


@pytest.fixture
def send(started: endpoint.Endpoint) -> Iterator[Send]:
    """Sends a request of the JSON protocol by its target; the answer is read by :func:`answer`."""
    host = started.url.removeprefix("http://")
    address = ("127.0.0.1", int(host.rpartition(":")[2]))
    with ExitStack() as opened:

        def request(target: str, members: dict[str, Any]) -> socket.socket:
            wire = opened.enter_context(socket.create_connection(address, timeout=120))
            body = json.dumps(members)
            service = "sqs" if target.startswith("AmazonSQS") else "sagemaker"
            wire.sendall(
                f"POST / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nX-Amz-Target: {target}\r\n"
                f"Authorization: AWS4-HMAC-SHA256 Credential=t/20260101/eu-west-1/{service}/aws4_request\r\n"
                f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
            )
            return wire

        yield request


def answer(wire: socket.socket) -> dict[str, Any]:
    content = b""
    while piece := wire.recv(65536):
        content += piece
    head, _, body = content.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), content
    found: dict[str, Any] = json.loads(body)
    return found


def is_unanswered(wire: socket.socket) -> bool:
    wire.setblocking(False)
    try:
        wire.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return True
    finally:
        wire.settimeout(120)
    return False


def polls(send: Send, queue: str, arrivals: Arrivals, count: int) -> list[socket.socket]:
    """Long polls of an empty queue, all of which wait."""
    request = {"QueueUrl": queue, "WaitTimeSeconds": 20}
    waiting = [send("AmazonSQS.ReceiveMessage", request) for _ in range(count)]
    wait_for(lambda: True if arrivals.waiting == count else None)
    return waiting


def test_other_requests_are_answered_while_long_polls_wait_and_each_poll_gets_a_message(
    send: Send, queue: str, arrivals: Arrivals, started: endpoint.Endpoint
) -> None:
    waiting = polls(send, queue, arrivals, MORE_THAN_WORKERS)
    assert answer(send("SageMaker.ListModels", {})) == {"Models": []}
    assert all(is_unanswered(wire) for wire in waiting)
    sqs = client_of(started.url, "sqs")
    sent = {str(number) for number in range(MORE_THAN_WORKERS)}
    for body in sent:
        sqs.send_message(QueueUrl=queue, MessageBody=body)
    assert {answer(wire)["Messages"][0]["Body"] for wire in waiting} == sent


def test_a_poll_that_nothing_comes_for_is_answered_with_nothing(send: Send, queue: str) -> None:
    wire = send("AmazonSQS.ReceiveMessage", {"QueueUrl": queue, "WaitTimeSeconds": 1})
    assert "Messages" not in answer(wire)


def test_a_poll_is_answered_when_the_visibility_of_a_message_runs_out(
    send: Send, queue: str, arrivals: Arrivals, started: endpoint.Endpoint
) -> None:
    sqs = client_of(started.url, "sqs")
    sqs.send_message(QueueUrl=queue, MessageBody="again")
    sqs.receive_message(QueueUrl=queue, VisibilityTimeout=4)
    (wire,) = polls(send, queue, arrivals, 1)
    assert answer(wire)["Messages"][0]["Body"] == "again"


def test_a_client_that_went_while_it_waited_is_given_no_message(
    send: Send, queue: str, arrivals: Arrivals, started: endpoint.Endpoint
) -> None:
    for wire in polls(send, queue, arrivals, 3):
        wire.close()
    wait_for(lambda: True if arrivals.waiting == 0 else None)
    sqs = client_of(started.url, "sqs")
    sqs.send_message(QueueUrl=queue, MessageBody="kept")
    found = received(sqs, queue)
    assert found is not None
    assert found["Attributes"]["ApproximateReceiveCount"] == "1"


def test_an_endpoint_that_closes_answers_those_who_wait(
    send: Send, queue: str, arrivals: Arrivals, started: endpoint.Endpoint
) -> None:
    waiting = polls(send, queue, arrivals, 3)
    started.close()
    assert ["Messages" in answer(wire) for wire in waiting] == [False] * 3


def test_more_functions_than_there_are_workers_call_the_endpoint_that_runs_them(
    started: endpoint.Endpoint, tmp_path: Path
) -> None:
    count = 40
    lambdas = client_of(started.url, "lambda")
    make_function(
        lambdas,
        "calls-back",
        """
        import os, time, urllib.request

        def handler(event, context):
            open(os.path.join(event["folder"], str(event["number"])), "w").close()
            while len(os.listdir(event["folder"])) < event["count"]:  # until all of them run
                time.sleep(0.05)
            scope = "Credential=t/20260101/eu-west-1/sagemaker/aws4_request"
            headers = {"X-Amz-Target": "SageMaker.CreateModelPackageGroup", "Authorization": scope}
            body = '{"ModelPackageGroupName": "group-%d"}' % event["number"]
            request = urllib.request.Request(os.environ["AWS_ENDPOINT_URL"], body.encode(), headers)
            return urllib.request.urlopen(request).status
        """,
        Timeout=60,
    )
    folder = tmp_path / "running"
    folder.mkdir()

    def invoke(number: int) -> Any:
        event = {"folder": str(folder), "count": count, "number": number}
        client = client_of(started.url, "lambda")
        return json.load(client.invoke(FunctionName="calls-back", Payload=json.dumps(event))["Payload"])

    with ThreadPoolExecutor(count) as threads:
        assert list(threads.map(invoke, range(count))) == [200] * count


def test_events_are_delivered_while_functions_run(started: endpoint.Endpoint, tmp_path: Path) -> None:
    count = 6  # more than there are threads that deliver
    events, sqs, lambdas = (client_of(started.url, one) for one in ("events", "sqs", "lambda"))
    url, queue = make_queue(sqs, "told")
    function = make_function(
        lambdas,
        "runs-on",
        """
        import os, time

        def handler(event, context):
            open(os.path.join(event["detail"]["folder"], event["id"]), "w").close()
            while not os.path.exists(os.path.join(event["detail"]["folder"], "go")):
                time.sleep(0.05)
        """,
        Timeout=60,
    )
    make_rule(events, "functions", {"source": ["work"]}, {"Arn": function})
    make_rule(events, "queues", {"source": ["news"]}, {"Arn": queue})
    running = tmp_path / "running"
    running.mkdir()
    for _ in range(count):
        put_event(events, "work", {"folder": str(running)})
    wait_for(lambda: True if len(list(running.iterdir())) == count else None)
    put_event(events, "news", {})
    assert json.loads(take(sqs, url)["Body"])["source"] == "news"
    (running / "go").touch()


def test_reads_are_answered_while_writers_wait_for_another_process(
    started: endpoint.Endpoint, send: Send
) -> None:
    store = started._operations.components.store
    with sqlite3.connect(started.home.database, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        writes = [
            send("SageMaker.CreateModelPackageGroup", {"ModelPackageGroupName": f"group-{number}"})
            for number in range(MORE_THAN_WORKERS)
        ]
        queues = [
            send("AmazonSQS.CreateQueue", {"QueueName": f"queue-{number}"})
            for number in range(MORE_THAN_WORKERS)
        ]
        wait_for(lambda: True if store.waiting_writers >= 30 else None)
        assert answer(send("SageMaker.ListModelPackageGroups", {})) == {"ModelPackageGroupSummaryList": []}
        assert all(is_unanswered(wire) for wire in (*writes, *queues))
        other.execute("COMMIT")
    other.close()
    assert len({answer(wire)["ModelPackageGroupArn"] for wire in writes}) == MORE_THAN_WORKERS
    assert len({answer(wire)["QueueUrl"] for wire in queues}) == MORE_THAN_WORKERS
