"""How jobs end before their time: stopped, timed out, their server or their launcher killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sagemaker_local.errors import AwsError
from sagemaker_local.jobs import opt_ml, processing

REGION = "eu-west-1"
OUT = "/opt/ml/processing/output"


def processes_with(mark: str) -> list[int]:
    """Live processes whose command line holds `mark`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if mark.encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def says(bench: Any, job: str, text: str, kind: str = "processing-job") -> Callable[[], bool]:
    path = bench.home.jobs / kind / job / "algo-1" / "log"
    return lambda: path.exists() and text in path.read_text()


def test_a_job_that_handles_sigterm_ends_in_its_own_way(bench: Any, wait_until: Any) -> None:
    job = bench.processing("trap 'echo saved; exit 0' TERM; echo ready; while :; do sleep 0.02; done")
    wait_until(says(bench, job, "ready"), "the job is ready")
    bench.call("StopProcessingJob", ProcessingJobName=job)
    assert bench.ended(job)["ProcessingJobStatus"] == "Stopped"
    assert bench.log(job) == "ready\nsaved\n"


def test_a_job_that_cannot_be_prepared_leaves_no_launcher_behind(bench: Any) -> None:
    before = own_launchers()  # of what other tests have left to their files' ends
    nothing = {"in": ("s3://bucket/no-such-prefix/", "/opt/ml/processing/input/in")}
    job = bench.processing("true", inputs=nothing, instances=2)
    assert "No S3 objects found" in bench.ended(job)["FailureReason"]
    assert own_launchers() <= before


def own_launchers() -> set[int]:
    """The launchers that this process has started and that live."""
    found = set()
    for pid in processes_with(opt_ml.launcher_command("run")[-1]):
        with contextlib.suppress(OSError):  # it has ended
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1] == str(os.getpid()):
                found.add(pid)
    return found


def test_a_job_that_ignores_sigterm_is_killed_after_the_grace(bench: Any, wait_until: Any) -> None:
    job = bench.processing("trap '' TERM; echo ready; while :; do sleep 0.02; done")
    wait_until(says(bench, job, "ready"), "the job is ready")
    bench.runner.stop(processing.KIND, REGION, job, grace=0.1)
    assert bench.ended(job)["ProcessingJobStatus"] == "Stopped"


def test_a_stopped_training_job_keeps_the_model_it_had(bench: Any, wait_until: Any) -> None:
    job = bench.training("echo half > /opt/ml/model/m; echo ready; while :; do sleep 0.02; done")
    wait_until(says(bench, job, "ready", "training-job"), "the job is ready")
    bench.call("StopTrainingJob", TrainingJobName=job)
    ended = bench.trained(job)
    assert (ended["TrainingJobStatus"], ended["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert bench.objects.stat("bucket", f"models/{job}/output/model.tar.gz") is not None
    with pytest.raises(AwsError, match="training job is in status Stopped"):
        bench.call("StopTrainingJob", TrainingJobName=job)


def test_a_job_is_stopped_at_its_time_limit(bench: Any) -> None:
    job = bench.training("while :; do sleep 0.02; done", StoppingCondition={"MaxRuntimeInSeconds": 1})
    ended = bench.trained(job)
    assert (ended["TrainingJobStatus"], ended["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
    assert "longer than its MaxRuntimeInSeconds, 1 s" in ended["FailureReason"]
    assert 0.9 <= ended["TrainingEndTime"] - ended["TrainingStartTime"] < 10


def test_a_job_that_gets_no_thread_has_failed(bench: Any) -> None:
    before = threading.stack_size(1 << 46)  # more than any machine gives a thread
    try:
        job = bench.processing("true")
    finally:
        threading.stack_size(before)
    described = bench.call("DescribeProcessingJob", ProcessingJobName=job)
    assert described["ProcessingJobStatus"] == "Failed"
    assert described["FailureReason"].startswith("CapacityError: no thread for the job: ")


def test_closing_the_runner_stops_what_runs(bench: Any, wait_until: Any) -> None:
    jobs = [bench.processing("echo ready; sleep 600") for _ in range(2)]
    for job in jobs:
        wait_until(says(bench, job, "ready"), "the job is ready")
    bench.runner.close(grace=5)
    statuses = [
        bench.call("DescribeProcessingJob", ProcessingJobName=job)["ProcessingJobStatus"] for job in jobs
    ]
    assert statuses == ["Stopped", "Stopped"]


def test_what_a_job_leaves_running_ends_with_it(bench: Any, wait_until: Any) -> None:
    mark = f"{bench.folder}/left-behind"
    job = bench.processing(f"(setsid sh -c 'while :; do sleep 0.05; done' {mark} &) ; echo done")
    ended = bench.ended(job)
    assert ended["ProcessingJobStatus"] == "Completed"
    wait_until(lambda: not processes_with(mark), "the process it left has ended")


def test_a_killed_launcher_is_an_internal_error_and_leaves_nothing(bench: Any, wait_until: Any) -> None:
    mark = f"{bench.folder}/main-process"
    # One process that forks nothing: a shell's child bears its parent's command line until it executes.
    waiting = "import signal; print('ready', flush=True); signal.pause()"
    job = bench.processing([sys.executable, "-S", "-c", waiting, mark])
    wait_until(says(bench, job, "ready"), "the job is ready")
    (main,) = processes_with(mark)
    parent = main
    while b"sagemaker_local.jobs.launcher" not in Path(f"/proc/{parent}/cmdline").read_bytes():
        parent = int(Path(f"/proc/{parent}/stat").read_text().rpartition(")")[2].split()[1])
    # In a pid namespace the launcher's first child is a launcher, too: the outer one is meant.
    above = int(Path(f"/proc/{parent}/stat").read_text().rpartition(")")[2].split()[1])
    launcher = above if above != os.getpid() else parent
    os.kill(launcher, signal.SIGKILL)
    ended = bench.ended(job)
    assert ended["FailureReason"] == ("InternalServerError: the launcher of algo-1 was killed by signal 9")
    wait_until(lambda: not processes_with(mark), "the job has ended, too")


SERVER = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from conftest import Bench
bench = Bench(Path(sys.argv[2]))
job = bench.processing(["sh", "-c", "echo ready; (setsid sh -c 'while :; do sleep 0.05; done' $0 &); "
                        "while :; do sleep 0.05; done", sys.argv[3]], instances=int(sys.argv[4]),
                       inputs={"large": (bench.put("large", bytes(17 << 20)), "/opt/ml/processing/input")})
print(job, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("mode", ["namespace", "rewrite"])
def test_a_killed_server_leaves_no_process_and_the_job_is_marked_failed(
    bench: Any, wait_until: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    if mode == "namespace" and opt_ml.detect().mode != "namespace":
        mode = "rewrite"
    monkeypatch.setenv(opt_ml.VARIABLE, mode)
    mark = f"{tmp_path}/of-the-server"
    arguments = [str(Path(__file__).parent), str(tmp_path), mark, "2"]
    with subprocess.Popen([sys.executable, "-c", SERVER, *arguments], stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        job = server.stdout.readline().decode().strip()
        wait_until(says(bench, job, "ready"), "the job is ready")
        wait_until(lambda: len(processes_with(mark)) >= 4, "both instances run two processes")
        assert bench.runner.recover() == []  # its owner lives
        server.kill()
    wait_until(lambda: not processes_with(mark), "every process of the job has ended")
    hosts = [bench.ml(job, host=host).parent for host in ("algo-1", "algo-2")]
    if mode == "namespace" and opt_ml.can_share(hosts[0].parents[1]):
        assert all((host / "shared/processing/input/large").is_file() for host in hosts)
    (recovered,) = bench.runner.recover()
    assert not any((host / "shared").exists() or (host / "work").exists() for host in hosts)
    assert recovered["ProcessingJobName"] == job
    described = bench.call("DescribeProcessingJob", ProcessingJobName=job)
    assert described["ProcessingJobStatus"] == "Failed"
    assert described["FailureReason"].startswith("InternalServerError: the local SageMaker that ran this job")
    assert bench.runner.recover() == []


def test_a_job_of_another_process_is_stopped_through_the_store(
    bench: Any, wait_until: Any, tmp_path: Path
) -> None:
    mark = f"{tmp_path}/of-the-server"
    arguments = [str(Path(__file__).parent), str(tmp_path), mark, "1"]
    with subprocess.Popen([sys.executable, "-c", SERVER, *arguments], stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        job = server.stdout.readline().decode().strip()
        wait_until(says(bench, job, "ready"), "the job is ready")
        bench.call("StopProcessingJob", ProcessingJobName=job)
        assert bench.ended(job)["ProcessingJobStatus"] == "Stopped"
        server.kill()


def test_many_jobs_run_side_by_side(bench: Any, tmp_path: Path) -> None:
    """Each ends only once it has met the other five."""
    met = tmp_path / "met"
    met.mkdir()
    meet = f"touch {met}/%d; until [ $(ls {met} | wc -l) = 6 ]; do sleep 0.02; done"
    jobs = [bench.processing(meet % number) for number in range(6)]
    assert [bench.ended(job)["ProcessingJobStatus"] for job in jobs] == ["Completed"] * 6
