"""Processes that die, and processes that share a home."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from sagemaker_local import advertisement, endpoint

HOLD = """
(SHARED / "holding").touch()
end = time.monotonic() + 600
while not (SHARED / "go").exists() and time.monotonic() < end:
    time.sleep(0.005)
"""
COUNT = """
with (SHARED / "runs").open("a") as runs:
    runs.write("x")
"""


def url_of(home: Path) -> str:
    """Where the server of this home listens, once it does."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        found = advertisement.running(home)
        if found is not None:
            return found.url
        time.sleep(0.02)
    raise AssertionError("the server never came up")


@contextmanager
def server(home: Path) -> Iterator[str]:
    """A server in a process of its own, killed without mercy at the end; its URL."""
    process = subprocess.Popen([sys.executable, "-m", "sagemaker_local", "--home", str(home), "--port", "0"])
    try:
        yield url_of(home)
    finally:
        process.kill()
        process.wait()


def start_and_hold(shop: Any) -> str:
    """An execution whose second step of three is under way."""
    name = shop.create(
        "killed",
        shop.processing("First", COUNT),
        shop.processing("Hold", HOLD, DependsOn=["First"]),
        shop.processing("Last", COUNT, DependsOn=["Hold"]),
    )
    arn = str(shop.start(name))
    shop.left("holding")
    shop.until(lambda: shop.statuses(arn).get("Hold") == "Executing", "the step to be executing")
    return arn


def test_a_killed_server_leaves_a_failed_execution_that_a_retry_completes(
    tmp_path: Path, open_workshop: Callable[[str, Path], Any]
) -> None:
    home = tmp_path / "home"
    with server(home) as url:
        shop = open_workshop(url, home)
        arn = start_and_hold(shop)
    shop.until(lambda: not alive(shop.folder), "the end of the dead server's job")
    with closing(endpoint.start(home)) as restarted:
        assert [doc["PipelineExecutionArn"] for doc in restarted.interrupted] == [arn]
        shop = open_workshop(restarted.url, home)
        ended = shop.describe(arn)
        assert ended["PipelineExecutionStatus"] == "Failed"
        assert "Under way: Hold (Executing)" in ended["FailureReason"]
        assert "RetryPipelineExecution" in ended["FailureReason"]
        steps = shop.steps(arn)
        assert {one: step["StepStatus"] for one, step in steps.items()} == {
            "First": "Succeeded",
            "Hold": "Failed",
        }
        job = steps["Hold"]["Metadata"]["ProcessingJob"]["Arn"].rsplit("/", 1)[-1]
        assert (
            shop.sagemaker.describe_processing_job(ProcessingJobName=job)["ProcessingJobStatus"] == "Failed"
        )
        (shop.folder / "go").touch()
        shop.sagemaker.retry_pipeline_execution(PipelineExecutionArn=arn)
        assert shop.end(arn)["PipelineExecutionStatus"] == "Succeeded"
        assert (shop.folder / "runs").read_text() == "xx"


def test_an_endpoint_that_lives_on_does_not_show_a_dead_ones_execution_as_executing(
    tmp_path: Path, open_workshop: Callable[[str, Path], Any]
) -> None:
    home = tmp_path / "home"
    with closing(endpoint.start(home)) as beside:
        with server(home) as url:
            arn = start_and_hold(open_workshop(url, home))
            shop = open_workshop(beside.url, home)
            assert shop.describe(arn)["PipelineExecutionStatus"] == "Executing"
        assert shop.describe(arn)["PipelineExecutionStatus"] == "Failed"
        listed = shop.sagemaker.list_pipeline_executions(PipelineName="killed")["PipelineExecutionSummaries"]
        assert listed[0]["PipelineExecutionStatus"] == "Failed"


def test_an_endpoint_that_lives_on_does_not_show_a_dead_ones_job_in_progress(
    tmp_path: Path, open_workshop: Callable[[str, Path], Any]
) -> None:
    home = tmp_path / "home"
    with closing(endpoint.start(home)) as beside:
        with server(home) as url:
            start_and_hold(open_workshop(url, home))
            jobs = open_workshop(beside.url, home).sagemaker
            [running] = jobs.list_processing_jobs(StatusEquals="InProgress")["ProcessingJobSummaries"]
        described = jobs.describe_processing_job(ProcessingJobName=running["ProcessingJobName"])
        assert described["ProcessingJobStatus"] == "Failed"
        assert "ended before the job did" in described["FailureReason"]
        assert not jobs.list_processing_jobs(StatusEquals="InProgress")["ProcessingJobSummaries"]


def test_an_endpoint_beside_it_sees_stops_and_never_runs_what_another_runs(
    tmp_path: Path, open_workshop: Callable[[str, Path], Any]
) -> None:
    home = tmp_path / "home"
    with closing(endpoint.start(home)) as first, closing(endpoint.start(home)) as second:
        one, other = open_workshop(first.url, home), open_workshop(second.url, home)
        name = one.create(
            "shared", one.processing("Hold", HOLD), one.processing("Last", COUNT, DependsOn=["Hold"])
        )
        arn = one.start(name)
        one.left("holding")
        assert second.interrupted == []
        assert other.describe(arn)["PipelineExecutionStatus"] == "Executing"
        other.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
        assert one.end(arn)["PipelineExecutionStatus"] == "Stopped"
        (one.folder / "go").touch()

        def retry(shop: Any) -> bool:
            try:
                shop.sagemaker.retry_pipeline_execution(PipelineExecutionArn=arn)
            except ClientError:
                return False
            return True

        with ThreadPoolExecutor(2) as threads:
            accepted = list(threads.map(retry, (one, other)))
        assert sorted(accepted) == [False, True]
        assert other.end(arn)["PipelineExecutionStatus"] == "Succeeded"
        assert (one.folder / "runs").read_text() == "x"


def test_closing_an_endpoint_stops_what_it_runs(
    tmp_path: Path, open_workshop: Callable[[str, Path], Any]
) -> None:
    home = tmp_path / "home"
    with closing(endpoint.start(home)) as running:
        shop = open_workshop(running.url, home)
        arn = shop.start(shop.create("closed", shop.processing("Hold", HOLD)))
        shop.left("holding")
    with closing(endpoint.start(home)) as later:
        assert later.interrupted == []
        shop = open_workshop(later.url, home)
        assert shop.describe(arn)["PipelineExecutionStatus"] == "Stopped"
        assert shop.statuses(arn) == {"Hold": "Stopped"}
    assert not alive(shop.folder)


def alive(folder: Path) -> bool:
    """Whether a job that was given this folder still runs."""
    environments = Path("/proc").glob("[0-9]*/environ")
    return any(f"SHARED={folder}\0".encode() in readable(path) for path in environments)


def readable(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # the process has just ended
        return b""
