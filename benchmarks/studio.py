"""The pages over a store with 1 000 executions and 500 versions: bytes and time of each.

The store is made of the example project: an execution and a version by the real programs, executions whose
jobs come from the step cache and at which the gate stays shut, versions with copies of its documents. The
endpoint has no automation, which would answer each event with a process. Every page that links lead to from
the first one is asked for, one of each kind: once, then in rounds, one page after the other.

The time until a page has come is what a person waits, and grows with whatever else this machine does; the
processor time that the endpoint spends for it hardly does.

    python -m benchmarks studio [--executions 1000] [--versions 500]
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from benchmarks.object_store import free_port, local_sagemaker, server

GATEHOUSE = str(Path(sys.executable).parent / "gatehouse")
ROOT = Path(__file__).resolve().parents[1]
PROJECT, BUCKET = "health-tumor-diagnosis", "gatehouse-local"
GOAL_BYTES, GOAL_SECONDS = 200_000, 0.1
_ROUNDS = 20
_AT_ONCE = 8
_SHUT = {"Name": "AccuracyThreshold", "Value": "0.99"}


@dataclass(frozen=True)
class Answer:
    """A page, the seconds until all of it had come, and the processor time of the endpoint in these."""

    status: int
    body: str
    size: int
    seconds: float
    busy: float


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks studio", description=__doc__)
    parser.add_argument("--executions", type=int, default=1000, help="how many there are")
    parser.add_argument("--versions", type=int, default=500, help="how many are registered")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        shutil.copy(ROOT / "projects.toml", folder)
        shutil.copytree(ROOT / "examples", folder / "examples")
        settings, home = folder / "projects.toml", folder / "home"
        # For the commands and for the endpoint, whose pages read the settings, too.
        os.environ |= {"GATEHOUSE_HOME": str(home), "GATEHOUSE_SETTINGS": str(settings)}
        _gatehouse("run", PROJECT)
        _gatehouse("approve", PROJECT, "1")
        _gatehouse("run", PROJECT, "-p", "AccuracyThreshold=0.99", expected=3)
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        endpoint = [*local_sagemaker(home, port), "--page", "/studio=studio.local_page:page"]
        with server(endpoint, url) as (_, process):
            _fill(url, options.executions, options.versions)
            _gatehouse("run", PROJECT, "--register-again")  # the newest execution registers
            link = json.loads(_gatehouse("studio", "--no-browser", "--json"))["url"]
            _measure(link, process, f"{options.executions:,} executions, {options.versions:,} versions")


def _gatehouse(*words: str, expected: int = 0) -> str:
    done = subprocess.run([GATEHOUSE, *words], capture_output=True, text=True, check=False)
    if done.returncode != expected:
        line = f"gatehouse {' '.join(words)}"
        raise SystemExit(f"benchmark: `{line}` ended with {done.returncode}\n{done.stderr}")
    return done.stdout


def _fill(url: str, executions: int, versions: int) -> None:
    """Bring the numbers of executions and of versions to these, one execution and one version less."""
    sagemaker, s3 = (_client(url, service) for service in ("sagemaker", "s3"))

    def start(_: int) -> None:
        started = sagemaker.start_pipeline_execution(PipelineName=PROJECT, PipelineParameters=[_SHUT])
        arn = started["PipelineExecutionArn"]
        while sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"] in (
            "Executing",
            "Stopping",
        ):
            time.sleep(0.02)

    group = sagemaker.list_model_packages(ModelPackageGroupName=PROJECT)["ModelPackageSummaryList"]
    first = sagemaker.describe_model_package(ModelPackageName=group[0]["ModelPackageArn"])
    request = {name: first[name] for name in _COPIED if name in first}
    documents = sorted(set(re.findall(rf's3://{BUCKET}/([^"]+\.json)', json.dumps(request, default=str))))

    def register(number: int) -> None:
        text = json.dumps(request)
        for key in documents:
            s3.copy_object(Bucket=BUCKET, Key=f"{number}/{key}", CopySource={"Bucket": BUCKET, "Key": key})
            text = text.replace(f"s3://{BUCKET}/{key}", f"s3://{BUCKET}/{number}/{key}")
        sagemaker.create_model_package(
            ModelPackageGroupName=PROJECT, ModelApprovalStatus="PendingManualApproval", **json.loads(text)
        )

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        list(threads.map(start, range(executions - 3)))
        list(threads.map(register, range(2, versions)))


_COPIED = ("InferenceSpecification", "ModelMetrics", "CustomerMetadataProperties", "ModelPackageDescription")
"""Of a version: what the copies have from it."""


def _client(url: str, service: str) -> Any:
    import boto3

    return boto3.client(
        service,
        endpoint_url=url,
        region_name="eu-west-1",
        aws_access_key_id="benchmark",
        aws_secret_access_key="benchmark",
    )


def _measure(link: str, process: int, title: str) -> None:
    parts = urlsplit(link)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80)
    connection.request("GET", f"{parts.path}?{parts.query}")
    let_in = connection.getresponse()
    let_in.read()
    cookie = {"Cookie": (let_in.getheader("set-cookie") or "").partition(";")[0]}
    firsts: dict[str, Answer] = {}
    waiting, kinds = [parts.path], {_kind(parts.path)}
    while waiting:
        path = waiting.pop(0)
        firsts[path] = _get(connection, process, path, cookie)
        for other in _links(path, firsts[path].body):
            if "/static/" not in other and _kind(other) not in kinds:
                kinds.add(_kind(other))
                waiting.append(other)
    rounds: dict[str, list[Answer]] = {path: [] for path in firsts}
    for _ in range(_ROUNDS):
        for path, answers in rounds.items():
            answers.append(_get(connection, process, path, cookie))
    print(
        f"\n{title}; milliseconds of the first time, the median and the longest of {_ROUNDS}, and their mean"
        " of the endpoint's processor time"
    )
    for path, first in firsts.items():
        seconds = [answer.seconds for answer in rounds[path]]
        size = max(answer.size for answer in (first, *rounds[path]))
        beyond = [
            *([f"answers {first.status}"] if first.status != 200 else []),
            *([f"more than {GOAL_BYTES / 1000:.0f} KB"] if size > GOAL_BYTES else []),
            *(
                [f"more than {GOAL_SECONDS * 1000:.0f} ms"]
                if statistics.median(seconds) > GOAL_SECONDS
                else []
            ),
        ]
        busy = statistics.mean(answer.busy for answer in rounds[path])
        times = (first.seconds, statistics.median(seconds), max(seconds), busy)
        print(
            f"  {path:<76}{size / 1000:8.1f} KB" + "".join(f"{one * 1000:8.1f}" for one in times),
            " ".join(beyond),
            flush=True,
        )


def _links(path: str, body: str) -> list[str]:
    """Where a page leads: its links, and its forms that only ask, with what is filled in or comes first."""
    found = [unescape(link) for link in re.findall(r'href="(/studio/[^"#]*)"', body)]
    for attributes, content in re.findall(r'<form method="get"([^>]*)>(.*?)</form>', body, re.DOTALL):
        action = re.search(r'action="([^"]*)"', attributes)
        fields = re.findall(r'<input[^>]*name="([^"]*)"[^>]*value="([^"]*)"', content)
        fields += re.findall(r'<select name="([^"]*)"><option value="([^"]*)"', content)
        query = urlencode({name: unescape(value) for name, value in fields})
        found.append(f"{action[1] if action else path.partition('?')[0]}?{query}")
    return found


def _kind(path: str) -> tuple[str, ...]:
    """The same for two addresses of one kind of page; steps are told apart."""
    parts = urlsplit(path)
    place = re.sub(r"/p/[^/]+", "/p/*", re.sub(r"\b[a-z0-9]{12}(?=/|$)", "*", parts.path))
    return (re.sub(r"/\d+(?=/|$)", "/*", place), *sorted(name for name, _ in parse_qsl(parts.query)))


def _get(
    connection: http.client.HTTPConnection, process: int, path: str, headers: Mapping[str, str]
) -> Answer:
    started, before = time.perf_counter(), _processor_seconds(process)
    connection.request("GET", path, headers=dict(headers))
    response = connection.getresponse()
    body = response.read()
    seconds = time.perf_counter() - started
    busy = _processor_seconds(process) - before
    return Answer(response.status, body.decode(), len(body), seconds, busy)


def _processor_seconds(process: int) -> float:
    """Of user and system, by Linux's clock ticks."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
