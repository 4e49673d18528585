"""What data capture costs an answer: an endpoint that captures every request, and one that captures none.

Each is in a local SageMaker of its own, since the thread that writes captures would slow both of one process.
Requests go to them in pairs, in an order that is drawn, so that whatever else the machine does meets both.
The pairs take long enough for captures to be written meanwhile, and all of them are counted at the end. The
ratio's interval is that of medians of pairs drawn again, with what is next to each other kept together.

    python -m benchmarks capture [--pairs 8000]
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks import by_hand, mixed_csv
from benchmarks.object_store import free_port, local_sagemaker, server
from benchmarks.preprocessing import _DATASET
from benchmarks.serving import _HEADERS, _deploy

TRAINED_ON, ROUNDS, DEPTH = 50_000, 200, 6
GOAL = 1.05
_WARM_UP = 200
_BLOCK = 50
"""Pairs that are drawn again together: a slow moment of the machine meets several."""

_DRAWS = 500
_INTERVAL = 5.0
"""Seconds after which a capture is written."""


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks capture", description=__doc__)
    parser.add_argument("--pairs", type=int, default=8000, help="pairs of requests with one row")
    options = parser.parse_args(arguments)
    if options.pairs < 20 * _BLOCK:
        parser.error(f"--pairs: a tenth of them are sent with 1,000 rows, and {2 * _BLOCK} are the least")
    with ExitStack() as open_things:
        folder = Path(open_things.enter_context(tempfile.TemporaryDirectory()))
        source = mixed_csv.write(folder / "mixed.csv", TRAINED_ON)
        by_hand.preprocess(folder / "work", source, _DATASET)
        trees = {"num_round": str(ROUNDS), "max_depth": str(DEPTH), "early_stopping_rounds": "0"}
        by_hand.train(folder / "work", trees)
        lines = source.read_text().splitlines(keepends=True)[1:]
        rows = [line.rpartition(",")[0] + "\n" for line in lines]  # without the label
        ports, stores = {}, {}
        for name, of_config in (("plain", {}), ("capturing", {"DataCaptureConfig": CAPTURE})):
            ports[name] = free_port()
            url = f"http://127.0.0.1:{ports[name]}"
            command = local_sagemaker(folder / name, ports[name])
            stores[name], _ = open_things.enter_context(server(command, url))
            _deploy(url, stores[name], folder / "work/model", **of_config)
        sent = 0
        for count, pairs in ((1, options.pairs), (1000, options.pairs // 10)):
            bodies = ["".join(rows[start : start + count]).encode() for start in range(0, 20 * count, count)]
            sent += _compare(count, bodies, pairs, ports)
        time.sleep(_INTERVAL + 2)
        print(f"  captured: {_captured(stores['capturing'])} of {sent} requests")


CAPTURE = {
    "InitialSamplingPercentage": 100,
    "DestinationS3Uri": "s3://bench/captures",
    "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
    "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"], "JsonContentTypes": ["application/json"]},
}


def _compare(count: int, bodies: list[bytes], pairs: int, ports: dict[str, int]) -> int:
    """Print both medians and their ratio; how many requests were sent to each."""
    connections = {name: http.client.HTTPConnection("127.0.0.1", port) for name, port in ports.items()}
    order, chance = list(connections), random.Random(1)
    times: dict[str, list[float]] = {name: [] for name in connections}
    started = time.monotonic()
    for number in range(_WARM_UP + pairs):
        body = bodies[number % len(bodies)]
        chance.shuffle(order)
        for name in order:
            taken = _invoke(connections[name], body)
            if number >= _WARM_UP:
                times[name].append(taken)
    seconds = time.monotonic() - started
    rows = f"{count} CSV row{'s' if count > 1 else ''} of 26 columns"
    print(f"\nInvoking with {rows}, {pairs} pairs in {seconds:.0f} s")
    for name, found in times.items():
        p50, p99 = statistics.median(found), statistics.quantiles(found, n=100)[98]
        print(f"  {name:<12}p50 {p50 * 1000:7.2f} ms   p99 {p99 * 1000:7.2f} ms")
    ratio, low, high = _ratio(times["capturing"], times["plain"])
    print(
        f"  p50 capturing / plain: {ratio:.3f}, 95 % interval {low:.3f} to {high:.3f}; goal: {GOAL} at most"
    )
    return _WARM_UP + pairs


def _invoke(connection: http.client.HTTPConnection, body: bytes) -> float:
    """Seconds until the whole answer had come."""
    started = time.perf_counter()
    connection.request("POST", "/endpoints/bench/invocations", body, _HEADERS)
    response = connection.getresponse()
    answer = response.read()
    taken = time.perf_counter() - started
    if response.status != 200:
        raise SystemExit(f"benchmark: the endpoint answered {response.status}: {answer!r}")
    return taken


def _ratio(ours: list[float], theirs: list[float]) -> tuple[float, float, float]:
    """The ratio of the medians, and the ends of its 95 % interval by a bootstrap of blocks of pairs."""
    chance = random.Random(2)
    blocks = range(0, len(ours) - _BLOCK + 1, _BLOCK)
    drawn = []
    for _ in range(_DRAWS):
        starts = chance.choices(blocks, k=len(blocks))
        one, other = (
            statistics.median(value for start in starts for value in times[start : start + _BLOCK])
            for times in (ours, theirs)
        )
        drawn.append(one / other)
    ends = statistics.quantiles(drawn, n=40)
    return statistics.median(ours) / statistics.median(theirs), ends[0], ends[-1]


def _captured(s3: Any) -> int:
    """How many requests are in S3."""
    found = 0
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket="bench", Prefix="captures/"):
        for item in page["Contents"]:
            lines = s3.get_object(Bucket="bench", Key=item["Key"])["Body"].read().splitlines()
            found += len([json.loads(line) for line in lines])
    return found


if __name__ == "__main__":
    main()
