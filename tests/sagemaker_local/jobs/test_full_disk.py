"""A full disk: the job says so, the log loses its end, and nothing hangs."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

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
    (tmp_path / "home/jobs").mkdir(parents=True)
    small = f"mount -t tmpfs -o size=2m none {tmp_path}/home/jobs"
    unshare = ["unshare", "--mount"] + ([] if os.geteuid() == 0 else ["--map-root-user"])
    if subprocess.run([*unshare, "sh", "-c", small], capture_output=True).returncode != 0:
        # No small disk can be had on this machine: what the error means is all there is to check.
        assert "no space left" in str(disk_failure("copying", OSError(errno.ENOSPC, "No space left")))
        return
    run = f'{small} && exec "$0" -c "$@"'
    arguments = [sys.executable, ON_A_SMALL_DISK, str(Path(__file__).parent), str(tmp_path), what]
    answer = subprocess.run(
        [*unshare, "sh", "-c", run, *arguments], capture_output=True, text=True, timeout=60
    )
    assert answer.stdout.startswith(outcome), answer.stdout + answer.stderr
