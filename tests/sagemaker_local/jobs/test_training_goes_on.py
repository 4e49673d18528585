"""The pipeline's training program, killed by SIGKILL: the next job with its checkpoints makes that model."""

from __future__ import annotations

import io
import json
import random
import tarfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

TRAINING = Path(__file__).resolve().parents[3] / "training"
SCHEMA = {
    "task": "binary",
    "target": "y",
    "classes": ["no", "yes"],
    "source_columns": ["a", "b", "y"],
    "delimiter": ",",
    "missing_values": [""],
    "features": [{"name": "a", "kind": "number"}, {"name": "b", "kind": "number"}],
}
PROGRAM = ["python3", "/opt/ml/input/data/code/train.py", "--opt-ml", "/opt/ml", "--checkpoint-seconds", "0"]
# The pipe holds 4 KB, so that the program is at most some 70 rounds ahead of what is read.
KILL_IN_ROUND_60 = f"""
import fcntl, subprocess, sys
process = subprocess.Popen({PROGRAM!r}, stdout=subprocess.PIPE, text=True)
fcntl.fcntl(process.stdout, 1031, 4096)
for line in process.stdout:
    if line.startswith("[60]"):
        process.kill()
        break
sys.exit(128 - process.wait())
"""


def channels(bench: Any) -> dict[str, str]:
    for path in TRAINING.iterdir():
        if path.is_file():
            bench.put(f"code/{path.name}", path.read_bytes())
    bench.put("code/kill.py", KILL_IN_ROUND_60)
    bench.put("schema/schema.json", json.dumps(SCHEMA))
    draw = random.Random(1)
    for name, rows in (("train", 400), ("validation", 100)):
        numbers = [[draw.gauss(0, 1) for _ in range(rows)] for _ in range(2)]
        labels = ["yes" if a * b + draw.gauss(0, 1) > 0 else "no" for a, b in zip(*numbers, strict=True)]
        file = io.BytesIO()
        pq.write_table(pa.table({"a": numbers[0], "b": numbers[1], "y": labels}), file)
        bench.put(f"{name}/part.parquet", file.getvalue())
    return {name: f"s3://bucket/{name}" for name in ("train", "validation", "schema", "code")}


def model_of(bench: Any, ended: dict[str, Any]) -> bytes:
    key = ended["ModelArtifacts"]["S3ModelArtifacts"].removeprefix("s3://bucket/")
    with tarfile.open(fileobj=io.BytesIO(bench.objects.read_bytes("bucket", key))) as archive:
        file = archive.extractfile("model.ubj")
        assert file is not None
        return file.read()


def test_a_job_whose_program_was_killed_is_gone_on_with_by_the_next(bench: Any) -> None:
    given = {
        "channels": channels(bench),
        "hyperparameters": {"num_round": "200", "early_stopping_rounds": "0", "subsample": "0.7"},
    }
    unbroken = bench.trained(bench.training(PROGRAM, **given))
    assert unbroken["TrainingJobStatus"] == "Completed", unbroken
    given["CheckpointConfig"] = {"S3Uri": "s3://bucket/checkpoints/preprocessing-1"}
    killed = bench.trained(bench.training(["python3", "/opt/ml/input/data/code/kill.py"], **given))
    assert "exit code: 137" in killed["FailureReason"]
    job = bench.training(PROGRAM, **given)
    ended = bench.trained(job)
    assert ended["TrainingJobStatus"] == "Completed", ended
    log = bench.log(job, "training-job")
    assert "checkpoint: goes on after " in log
    assert [line.split("\t")[0] for line in log.splitlines() if "\ttrain-logloss" in line] == [
        f"[{number}]" for number in range(200)
    ]
    assert model_of(bench, ended) == model_of(bench, unbroken)
