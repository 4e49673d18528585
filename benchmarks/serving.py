"""An endpoint's answers against a bare `Booster.inplace_predict` on the same rows, in the same run.

The model is trained on the mixed CSV by the project's own programs, to its last round. The bare side is
given the rows as a ready matrix: what an endpoint adds to it is HTTP, routing, the parsing of the rows and
the writing of the answer. In between stands the artifact's own script called in this process, so that
parsing and the rest can be told apart. boto3 is there for orientation: most of its time is spent in the
client.

    python -m benchmarks serving [--requests 400]
"""

from __future__ import annotations

import argparse
import http.client
import importlib
import statistics
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks import by_hand, mixed_csv
from benchmarks.object_store import free_port, local_sagemaker, server
from benchmarks.preprocessing import _DATASET

TRAINED_ON, ROUNDS, DEPTH = 50_000, 200, 6
PARALLEL = 4
_BLOCKS = 8
_IMAGE = "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:3.2-0"
_HEADERS = {
    "Authorization": "AWS4-HMAC-SHA256 Credential=benchmark/20260101/eu-west-1/sagemaker/aws4_request",
    "Content-Type": "text/csv",
    "Accept": "text/csv",
}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks serving", description=__doc__)
    parser.add_argument("--requests", type=int, default=400, help="requests of each size and way")
    options = parser.parse_args(arguments)
    with ExitStack() as open_things:
        folder = Path(open_things.enter_context(tempfile.TemporaryDirectory()))
        source = mixed_csv.write(folder / "mixed.csv", TRAINED_ON)
        work = folder / "work"
        by_hand.preprocess(work, source, _DATASET)
        trees = {"num_round": str(ROUNDS), "max_depth": str(DEPTH), "early_stopping_rounds": "0"}
        by_hand.train(work, trees)
        lines = source.read_text().splitlines(keepends=True)[1:]
        rows = [line.rpartition(",")[0] + "\n" for line in lines]  # without the label
        script, model = _loaded(work / "model")
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        s3, _ = open_things.enter_context(server(local_sagemaker(folder / "home", port), url))
        _deploy(url, s3, work / "model")
        for count in (1, 1000):
            bodies = ["".join(rows[start : start + count]).encode() for start in range(0, 20 * count, count)]
            _compare(count, bodies, options.requests, script, model, url, port)


def _compare(
    count: int, bodies: list[bytes], requests: int, script: ModuleType, model: Any, url: str, port: int
) -> None:
    matrices = [script.to_matrix(script.input_fn(body, "text/csv"), model.schema) for body in bodies]

    def bare(number: int) -> object:
        return model.booster.inplace_predict(matrices[number % len(matrices)], validate_features=False)

    def in_process(number: int) -> object:
        data = script.input_fn(bodies[number % len(bodies)], "text/csv")
        return script.output_fn(script.predict_fn(data, model), "text/csv")

    def over_http() -> Callable[[int], object]:
        connection = http.client.HTTPConnection("127.0.0.1", port)

        def invoke(number: int) -> object:
            body = bodies[number % len(bodies)]
            connection.request("POST", "/endpoints/bench/invocations", body, _HEADERS)
            response = connection.getresponse()
            answer = response.read()
            if response.status != 200:
                raise SystemExit(f"benchmark: the endpoint answered {response.status}: {answer!r}")
            return answer

        return invoke

    runtime = _client("sagemaker-runtime", url)

    def by_boto3(number: int) -> object:
        body = bodies[number % len(bodies)]
        return runtime.invoke_endpoint(
            EndpointName="bench", Body=body, ContentType="text/csv", Accept="text/csv"
        )["Body"].read()

    ways = {
        "Booster.inplace_predict": bare,
        "the artifact's script, in process": in_process,
        "the endpoint, one connection": over_http(),
        "the endpoint, boto3": by_boto3,
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    # In blocks by turns: a machine that slows down halfway slows all of them, and a block is long enough
    # for the threads that the one before left spinning to have gone to sleep.
    for block in range(_BLOCKS + 1):
        for name, way in ways.items():
            for number in range(requests // _BLOCKS):
                started = time.perf_counter()
                way(number)
                if block:  # the first block warms caches and connections
                    times[name].append(time.perf_counter() - started)
    print(
        f"\nInvoking with {count} CSV row{'s' if count > 1 else ''} of 26 columns, {requests} requests each"
    )
    floor = statistics.median(times["Booster.inplace_predict"])
    for name, found in times.items():
        p50, p99 = statistics.median(found), statistics.quantiles(found, n=100)[98]
        line = f"  {name:<36}p50 {p50 * 1000:7.2f} ms   p99 {p99 * 1000:7.2f} ms"
        if name != "Booster.inplace_predict":
            line += f"   {(p50 - floor) * 1000:+6.2f} ms, {p50 / floor:6.2f} times"
        print(line)
    goal = "1.0 ms on top of inplace_predict" if count == 1 else "1.6 times inplace_predict"
    print(f"  goal of the endpoint's p50: {goal}")
    connections = [over_http() for _ in range(PARALLEL)]

    def drive(invoke: Callable[[int], object]) -> None:
        for number in range(requests // PARALLEL):
            invoke(number)

    with ThreadPoolExecutor(PARALLEL) as threads:
        started = time.perf_counter()
        list(threads.map(drive, connections))
        seconds = time.perf_counter() - started
    done = requests // PARALLEL * PARALLEL
    print(f"  {PARALLEL} connections: {done / seconds:,.0f} requests/s, {done * count / seconds:,.0f} rows/s")


def _loaded(folder: Path) -> tuple[ModuleType, Any]:
    """The artifact's script as a module, and what its model_fn gives."""
    sys.path.insert(0, str(folder / "code"))
    script = importlib.import_module("inference")
    return script, script.model_fn(str(folder))


def _deploy(url: str, s3: Any, folder: Path, **of_config: Any) -> None:
    """An endpoint `bench` of the model in a folder; `of_config`: more of its configuration's request."""
    archive = folder.with_suffix(".tar.gz")
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder, arcname=".")
    s3.upload_file(str(archive), "bench", "model.tar.gz")
    sagemaker = _client("sagemaker", url)
    sagemaker.create_model(
        ModelName="bench",
        PrimaryContainer={
            "Image": _IMAGE,
            "ModelDataUrl": "s3://bench/model.tar.gz",
            "Environment": {
                "SAGEMAKER_PROGRAM": "inference.py",
                "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
            },
        },
    )
    variant = {
        "VariantName": "all",
        "ModelName": "bench",
        "InitialInstanceCount": 1,
        "InstanceType": "ml.m5.large",
    }
    sagemaker.create_endpoint_config(EndpointConfigName="bench", ProductionVariants=[variant], **of_config)
    sagemaker.create_endpoint(EndpointName="bench", EndpointConfigName="bench")
    sagemaker.get_waiter("endpoint_in_service").wait(
        EndpointName="bench", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )


def _client(service: str, url: str) -> Any:
    import boto3

    return boto3.client(
        service,
        endpoint_url=url,
        region_name="eu-west-1",
        aws_access_key_id="benchmark",
        aws_secret_access_key="benchmark",
    )


if __name__ == "__main__":
    main()
