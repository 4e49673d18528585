"""train.py on several instances: each with files of its own, or none; and one that dies ends all of them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from program_runs import ROOT, Finished

SHARDED = {name: {"S3DistributionType": "ShardedByS3Key"} for name in ("train", "validation")}


def instances(
    folder: Path, tumors: Finished, shares: Sequence[Sequence[int]], **hyperparameters: Any
) -> list[Path]:
    """The folders of a job's instances; each has these fifths of the training part and of the validation."""
    hosts = [f"algo-{number + 1}" for number in range(len(shares))]
    parts = {
        name: pq.read_table(next((tumors.folder / "input/data" / name).glob("*.parquet")))
        for name in ("train", "validation")
    }
    made = []
    for host, share in zip(hosts, shares, strict=True):
        data, config = folder / host / "input/data", folder / host / "input/config"
        config.mkdir(parents=True)
        shutil.copytree(tumors.folder / "input/data/schema", data / "schema")
        for name, table in parts.items():
            (data / name).mkdir()
            rows = table.num_rows // 5 + 1
            for fifth in share:
                pq.write_table(table.slice(fifth * rows, rows), data / name / f"{fifth}.parquet")
        (config / "resourceconfig.json").write_text(json.dumps({"current_host": host, "hosts": hosts}))
        (config / "inputdataconfig.json").write_text(json.dumps(SHARDED))
        (config / "hyperparameters.json").write_text(
            json.dumps({key: str(value) for key, value in hyperparameters.items()})
        )
        made.append(folder / host)
    return made


def start(folder: Path, *arguments: str, job: str = "") -> subprocess.Popen[str]:
    """One instance; the tracker's port follows from the job's name."""
    return subprocess.Popen(
        [sys.executable, str(ROOT / "training/train.py"), "--opt-ml", str(folder), *arguments],
        env={"TRAINING_JOB_NAME": job or str(folder.parent), "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(folders: Sequence[Path], job: str = "") -> list[str]:
    """What each printed; the last instance is the first to start."""
    running = [start(folder, job=job) for folder in reversed(folders)][::-1]
    printed = [process.communicate(timeout=120)[0] for process in running]
    assert [process.returncode for process in running] == [0] * len(folders), printed
    return printed


def test_instances_train_one_model_together_each_on_its_own_rows(tmp_path: Path, tumors: Finished) -> None:
    folders = instances(tmp_path, tumors, [(0, 1, 2), (3, 4)], class_weights="balanced")
    printed = run(folders)
    assert "best_iteration=" in printed[0]
    assert "best_iteration=" not in printed[1]
    assert "algo-2 connects with algo-1, 127.0.0.1:" in printed[1]
    assert "Failed to connect" not in printed[1], "it starts before the first one"
    assert (folders[0] / "model/model.ubj").is_file()
    assert not (folders[1] / "model").exists()
    alone = float(tumors.outputs[1].rsplit("validation-logloss=", 1)[1])
    assert float(printed[0].rsplit("validation-logloss=", 1)[1]) == pytest.approx(alone, abs=0.05)


@pytest.mark.parametrize("external", ["never", "always"])
def test_instances_without_rows_do_no_harm(tmp_path: Path, tumors: Finished, external: str) -> None:
    """Those with all the rows are the first and the last of three."""
    models = []
    for place, shares in (("first", [range(5), (), ()]), ("last", [(), (), range(5)])):
        folders = instances(
            tmp_path / place, tumors, shares, class_weights="balanced", external_memory=external
        )
        printed = run(folders)
        has_none = [f"algo-{number + 1} has no rows of channel train" for number in range(3)]
        assert [line in text for line, text in zip(has_none, printed, strict=True)] == [
            not share for share in shares
        ]
        models.append((folders[0] / "model/model.ubj").read_bytes())
    assert models[0] == models[1]


def test_a_job_of_which_no_instance_has_rows_says_so(tmp_path: Path, tumors: Finished) -> None:
    folders = instances(tmp_path, tumors, [(), ()])
    running = [start(folder) for folder in folders]
    printed = [process.communicate(timeout=120)[0] for process in running]
    assert [process.returncode for process in running] == [1, 1]
    for text in printed:
        assert "channel train: no Parquet file in" in text


def test_instances_that_were_all_given_every_file_are_refused(tmp_path: Path, tumors: Finished) -> None:
    folders = instances(tmp_path, tumors, [range(5), range(5)])
    (folders[0] / "input/config/inputdataconfig.json").write_text("{}")
    process = start(folders[0])
    printed = process.communicate(timeout=60)[0]
    assert process.returncode == 1
    assert "Set the channel's S3DataDistributionType to ShardedByS3Key" in printed


def test_a_channel_that_the_job_has_not_is_said_to_have_no_files(tmp_path: Path, tumors: Finished) -> None:
    folders = instances(tmp_path, tumors, [range(3), range(3, 5)])
    for folder in folders:
        (folder / "input/config/inputdataconfig.json").write_text(json.dumps({"train": SHARDED["train"]}))
        shutil.rmtree(folder / "input/data/validation")
    running = [start(folder) for folder in folders]
    for process in running:
        assert "error: channel validation: no Parquet file in" in process.communicate(timeout=60)[0]
        assert process.returncode == 1


def test_instances_go_on_from_the_first_one_s_checkpoint(tmp_path: Path, tumors: Finished) -> None:
    asked = {"num_round": 100, "subsample": 0.7, "early_stopping_rounds": 0}
    whole = instances(tmp_path / "whole", tumors, [(0, 1, 2), (3, 4)], **asked)
    unbroken = run(whole)
    folders = instances(tmp_path / "broken", tumors, [(0, 1, 2), (3, 4)], **asked)
    (folders[0] / "checkpoints").mkdir()
    first, second = (start(folder, "--checkpoint-seconds", "0") for folder in folders)
    assert first.stdout is not None
    for line in first.stdout:
        if line.startswith("[30]"):
            break
    for process in (first, second):  # what becomes of one without the other is another test's
        process.kill()
    for process in (first, second):
        process.communicate(timeout=60)
    printed = run(folders, job=f"{tmp_path} again")
    assert "checkpoint: goes on after" in printed[0]
    rounds, all_rounds = (
        [line for line in text.splitlines() if "\ttrain-logloss:" in line]
        for text in (printed[0], unbroken[0])
    )
    assert rounds == all_rounds
    assert (folders[0] / "model/model.ubj").read_bytes() == (whole[0] / "model/model.ubj").read_bytes()


@pytest.mark.parametrize("shares", [[(0, 1, 2), (3, 4)], [(0, 1), (2, 3), (4,)]], ids=["two", "three"])
@pytest.mark.parametrize("dies", [0, 1])
def test_an_instance_that_dies_ends_the_others_with_a_reason(
    tmp_path: Path, tumors: Finished, shares: list[Sequence[int]], dies: int
) -> None:
    folders = instances(tmp_path, tumors, shares, num_round=1_000_000, early_stopping_rounds=0)
    running = [start(folder) for folder in folders]
    assert running[0].stdout is not None
    for line in running[0].stdout:
        if line.startswith("[10]"):
            break
    os.kill(running[dies].pid, signal.SIGKILL)
    for number, process in enumerate(running):
        printed = process.communicate(timeout=60)[0]
        if number != dies:
            assert process.returncode == 1
            reason = (folders[number] / "output/failure").read_text()
            lost = "has lost its connection with the other instances: one of them has ended."
            assert reason.startswith(f"algo-{number + 1} {lost}")
            assert f"error: {reason}" in printed


IN_A_HURRY = """
import sys
sys.path.insert(0, sys.argv[1])
import workers
workers._CONNECT_SECONDS = 3
import train
sys.exit(train.main(["--opt-ml", sys.argv[2]]))
"""


@pytest.mark.parametrize("present", [0, 1])
def test_an_instance_does_not_wait_for_ever_for_one_that_never_connects(
    tmp_path: Path, tumors: Finished, present: int
) -> None:
    folder = instances(tmp_path, tumors, [(0, 1, 2), (3, 4)])[present]
    done = subprocess.run(
        [sys.executable, "-c", IN_A_HURRY, str(ROOT / "training"), str(folder)],
        env={"TRAINING_JOB_NAME": str(tmp_path), "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    reason = (folder / "output/failure").read_text()
    assert reason.startswith(f"algo-{present + 1} has waited 3 s for all 2 instances to connect with algo-1")
    assert f"error: {reason}" in done.stderr
