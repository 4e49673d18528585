"""At least once: what is acknowledged is delivered after any death, by one process at a time."""

from __future__ import annotations

import json
import threading
from collections import Counter
from pathlib import Path

from event_places import make_function, make_queue, make_rule, put_event, received, take
from wire_clients import client_of, lives, server_process, wait_for

from sagemaker_local.events import outbox
from sagemaker_local.events.outbox import Delivery
from sagemaker_local.home import Home, Owner, is_alive
from sagemaker_local.store import Store


def test_every_acknowledged_event_is_delivered_after_a_kill(tmp_path: Path) -> None:
    sent = []
    with server_process(tmp_path) as (process, url):
        events, sqs = client_of(url, "events"), client_of(url, "sqs")
        queue, arn = make_queue(sqs, "kept")
        make_rule(events, "rule", {"source": ["burst"]}, {"Arn": arn})
        for _ in range(20):
            entry = {"Source": "burst", "DetailType": "x", "Detail": "{}"}
            answer = events.put_events(Entries=[entry] * 10)
            sent += [one["EventId"] for one in answer["Entries"]]
        process.kill()
        process.wait()
    found: Counter[str] = Counter()
    with server_process(tmp_path) as (_, url):
        sqs = client_of(url, "sqs")

        def all_found() -> bool | None:
            for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
                found[json.loads(message["Body"])["id"]] += 1
            return True if found.keys() >= set(sent) else None

        wait_for(all_found)
    assert found == Counter(sent)


def test_a_function_that_was_running_at_a_kill_dies_and_is_called_again(tmp_path: Path) -> None:
    source = """
import boto3, os, time

def handler(event, context):
    folder = event["detail"]["folder"]
    with open(os.path.join(folder, "pids"), "a") as log:
        log.write(f"{os.getpid()} {context.aws_request_id}\\n")
    while not os.path.exists(os.path.join(folder, "go")):
        time.sleep(0.02)
    boto3.client("sqs").send_message(QueueUrl=event["detail"]["queue"], MessageBody="done")
"""
    pids, home = tmp_path / "pids", tmp_path / "home"

    def started(count: int) -> list[str] | None:
        lines = pids.read_text().splitlines() if pids.exists() else []
        return lines if len(lines) >= count else None

    with server_process(home) as (process, url):
        events, sqs, lambdas = (client_of(url, one) for one in ("events", "sqs", "lambda"))
        queue, _ = make_queue(sqs, "told")
        function = make_function(lambdas, "slow", source, Timeout=60)
        make_rule(events, "rule", {"source": ["kill"]}, {"Arn": function})
        put_event(events, "kill", {"folder": str(tmp_path), "queue": queue})
        first = wait_for(lambda: started(1))[0]
        process.kill()
        process.wait()
    wait_for(lambda: None if lives(int(first.split()[0])) else True)
    with server_process(home) as (_, url):
        second = wait_for(lambda: started(2))[1]
        (tmp_path / "go").touch()
        sqs = client_of(url, "sqs")
        assert take(sqs, queue)["Body"] == "done"
        assert received(sqs, queue) is None
    assert first.split()[1] == second.split()[1]


def test_a_delivery_has_one_claimant_at_a_time_and_a_dead_one_is_replaced(
    tmp_path: Path,
) -> None:
    home = Home(tmp_path).create()
    store = Store(home.database)
    outbox.prepare(store)
    sent = {outbox.put_delivery(store, "eu-west-1", "rule", {"Arn": "a"}, "{}") for _ in range(60)}
    owners = [Owner(home), Owner(home)]
    claimed: dict[str, list[Delivery]] = {owner.name: [] for owner in owners}

    def claim_all(owner: str) -> None:
        own = Store(home.database)
        while (found := outbox.claim_delivery(own, owner, lambda one: is_alive(home, one))) is not None:
            claimed[owner].append(found)

    threads = [threading.Thread(target=claim_all, args=(owner.name,)) for owner in owners]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    first, second = (Counter(one.id for one in claimed[owner.name]) for owner in owners)
    assert first + second == Counter(sent)

    owners[0].release()
    claim_all(owners[1].name)
    assert Counter(one.id for one in claimed[owners[1].name]) == Counter(sent)
    owners[1].release()


def test_old_events_that_were_never_routed_are_deleted(tmp_path: Path) -> None:
    store = Store(Home(tmp_path).create().database)
    outbox.prepare(store)
    for _ in range(2):
        outbox.put_event(store, "eu-west-1", outbox.envelope("eu-west-1", "test", "x", {}))
    with store.transaction():
        store.connection.execute("UPDATE outbox SET created = created - 90000 WHERE number = 1")
    outbox.prepare(store)
    kept = outbox.take_event(store)
    assert kept is not None
    assert kept.number == 2
    assert outbox.take_event(store) is None
