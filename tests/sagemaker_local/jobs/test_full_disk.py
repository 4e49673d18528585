"""A full disk: the job says so, the log loses its end, and nothing hangs."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from small_disk import run_on_small_disk

from sagemaker_local.jobs.failure import disk_failure

ON_A_SMALL_DISK = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from conftest import Bench
bench = Bench(Path(sys.argv[2]))
bench.put("big", b"x" * (4 << 20))
command = {
    "input": lambda: bench.processing("true", inputs={"i": ("s3://bucket/big", "/opt/ml/processing/input")}),
    "log": lambda: bench.processing("seq 1 1000000; echo"),
    "script": lambda: bench.processing("head -c 4000000 /dev/zero > /opt/ml/x"),
}[sys.argv[3]]
ended = bench.ended(command())
print(ended["ProcessingJobStatus"], ended.get("FailureReason", ""))
bench.runner.close()
"""


@pytest.mark.parametrize(
    ("what", "outcome"),
    [
        ("input", "Failed ClientError: no space left on this machine's disk while copying the job's input"),
        ("log", "Completed"),
        ("script", "Failed AlgorithmError: "),
    ],
)
def test_a_full_disk_is_named_and_a_full_log_does_not_stop_the_job(
    tmp_path: Path, what: str, outcome: str
) -> None:
    arguments = [str(Path(__file__).parent), str(tmp_path), what]
    done = run_on_small_disk(tmp_path / "home/jobs", "2m", ON_A_SMALL_DISK, *arguments)
    if done is None:  # what the error means is all there is to check
        assert "no space left" in str(disk_failure("copying", OSError(errno.ENOSPC, "No space left")))
        return
    assert done.stdout.startswith(outcome), done.stdout + done.stderr
