"""train.py goes on after an interruption, with the model of a training that was not interrupted."""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from program_runs import ROOT, Finished, run_program
from small_disk import run_on_small_disk

ROUNDS = 200
_F_SETPIPE_SZ = 1031


@pytest.fixture
def folder(tmp_path: Path, tumors: Finished) -> Path:
    """The training step's input, and where checkpoints go."""
    shutil.copytree(tumors.folder / "input", tmp_path / "input")
    (tmp_path / "checkpoints").mkdir()
    return tmp_path


def ask_for(folder: Path, **hyperparameters: Any) -> None:
    texts = {name: str(value) for name, value in hyperparameters.items()}
    (folder / "input/config/hyperparameters.json").write_text(json.dumps(texts))


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """The program with a checkpoint after every round; it waits while 4 KB of what it printed are unread."""
    command = [sys.executable, str(ROOT / "training/train.py"), "--opt-ml", str(folder)]
    process = subprocess.Popen(
        [*command, "--checkpoint-seconds", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        bufsize=1,
        env={"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"},
    )
    assert process.stdout is not None
    fcntl.fcntl(process.stdout, _F_SETPIPE_SZ, 4096)
    return process


def kill_in_round(process: subprocess.Popen[str], number: int) -> None:
    """SIGKILL it when it says that the round is done; it is at most some 70 rounds further."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(f"[{number}]"):
            process.kill()
            break
    assert process.wait(timeout=60) == -9
    process.stdout.close()


def printed_by(folder: Path) -> list[str]:
    finished = run_program("training/train.py", folder)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.splitlines()


def rounds_of(lines: Sequence[str]) -> list[str]:
    return [line for line in lines if line.startswith("[") or line.startswith("best_iteration")]


def model_of(folder: Path) -> bytes:
    return (folder / "model/model.ubj").read_bytes()


def without_interruption(folder: Path, tmp_path: Path) -> tuple[bytes, list[str]]:
    alone = tmp_path / "alone"
    shutil.copytree(folder / "input", alone / "input")
    return_lines = rounds_of(printed_by(alone))
    return model_of(alone), return_lines


@pytest.mark.parametrize(
    "hyperparameters",
    [
        {"subsample": 0.7, "early_stopping_rounds": 0},
        {"subsample": 0.8, "colsample_bytree": 0.6, "colsample_bylevel": 0.7, "colsample_bynode": 0.8},
        {"grow_policy": "lossguide", "max_leaves": 8, "num_parallel_tree": 2, "subsample": 0.5},
        {"eta": 0.05, "early_stopping_rounds": 150},
    ],
    ids=["rows drawn", "columns drawn", "forests", "no draws"],
)
def test_a_training_killed_in_the_middle_ends_with_the_model_of_an_unbroken_one(
    folder: Path, tmp_path: Path, hyperparameters: dict[str, Any]
) -> None:
    ask_for(folder, **{"num_round": ROUNDS, "eta": 0.1, "early_stopping_rounds": 0, **hyperparameters})
    model, rounds = without_interruption(folder, tmp_path)
    kill_in_round(start(folder), 60)
    lines = printed_by(folder)
    (said,) = (line for line in lines if line.startswith("checkpoint: "))
    done = int(said.removeprefix("checkpoint: goes on after ").removesuffix(" rounds"))
    assert 55 <= done < 150
    assert rounds_of(lines) == rounds
    assert model_of(folder) == model


def test_early_stopping_counts_the_rounds_before_the_interruption(folder: Path, tmp_path: Path) -> None:
    ask_for(folder, num_round=100_000, eta=0.05, subsample=0.7, early_stopping_rounds=150)
    model, rounds = without_interruption(folder, tmp_path)
    best = int(rounds[-1].split()[0].removeprefix("best_iteration="))
    assert len(rounds) - 1 == best + 151
    kill_in_round(start(folder), best + 20)  # the best round is past
    lines = printed_by(folder)
    assert any(line.startswith("checkpoint: goes on after ") for line in lines)
    assert rounds_of(lines) == rounds
    assert model_of(folder) == model


def test_the_training_part_in_other_files_goes_on_as_well(folder: Path, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    ask_for(folder, num_round=ROUNDS, early_stopping_rounds=0, subsample=0.7)
    model, _ = without_interruption(folder, tmp_path)
    kill_in_round(start(folder), 60)
    (path,) = (folder / "input/data/train").glob("*.parquet")
    table = pq.read_table(path)
    path.unlink()
    pq.write_table(table.slice(100), path.with_name("a.parquet"))
    pq.write_table(table.slice(0, 100), path.with_name("b.parquet"))
    assert "checkpoint: goes on after " in "\n".join(printed_by(folder))
    assert model_of(folder) == model


def test_a_checkpoint_of_another_training_is_left_alone(folder: Path, tmp_path: Path) -> None:
    ask_for(folder, num_round=ROUNDS, early_stopping_rounds=0, subsample=0.7)
    model, rounds = without_interruption(folder, tmp_path)
    kill_in_round(start(folder), 60)
    (path,) = (folder / "checkpoints").glob("checkpoint-*.zip")
    with zipfile.ZipFile(path) as archive:
        state, kept = json.loads(archive.read("state.json")), archive.read("model.ubj")
    for other, says in (
        ({"hyperparameters": {}}, "hyperparameters"),
        ({"data": "00"}, "data"),
        ({"program": "00", "xgboost": "3.1.0"}, "program, xgboost"),
        ({"hosts": 2, "device": "cuda"}, "device, hosts"),
    ):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("state.json", json.dumps(state | {"origin": state["origin"] | other}))
            archive.writestr("model.ubj", kept)
        lines = printed_by(folder)
        assert f"checkpoint: those here are of other {says}; none is used" in lines
        assert rounds_of(lines) == rounds
        assert model_of(folder) == model


def test_other_rows_and_other_hyperparameters_are_noticed(folder: Path) -> None:
    import pyarrow.parquet as pq

    ask_for(folder, num_round=ROUNDS, early_stopping_rounds=0)
    kill_in_round(start(folder), 60)
    ask_for(folder, num_round=3, early_stopping_rounds=0)
    assert "checkpoint: those here are of other hyperparameters; none is used" in printed_by(folder)
    ask_for(folder, num_round=ROUNDS, early_stopping_rounds=0)
    (path,) = (folder / "input/data/train").glob("*.parquet")
    pq.write_table(pq.read_table(path).slice(1), path)
    assert "checkpoint: those here are of other data; none is used" in printed_by(folder)


def test_a_damaged_checkpoint_is_said_to_be_one_and_not_used(folder: Path, tmp_path: Path) -> None:
    ask_for(folder, num_round=ROUNDS, early_stopping_rounds=0)
    model, _ = without_interruption(folder, tmp_path)
    kill_in_round(start(folder), 60)
    (path,) = (folder / "checkpoints").glob("checkpoint-*.zip")
    kept = path.read_bytes()
    middle = len(kept) // 2
    flipped = kept[:middle] + bytes([kept[middle] ^ 1]) + kept[middle + 1 :]
    entry = kept.index(b"PK\x01\x02")  # of the archive's directory: version needed, flags, compression
    wrong = [kept[: entry + at] + bytes([99]) + kept[entry + at + 1 :] for at in (6, 8, 10)]
    for spoilt in (kept[:middle], flipped, b"nothing", b"", *wrong):
        path.write_bytes(spoilt)
        lines = printed_by(folder)
        assert any(line.startswith(f"checkpoint: {path.name} is damaged and is not used") for line in lines)
        assert model_of(folder) == model


def test_short_trainings_and_jobs_without_checkpoints_write_none(folder: Path) -> None:
    ask_for(folder, num_round=3)
    assert not any(line.startswith("checkpoint") for line in printed_by(folder))
    assert list((folder / "checkpoints").iterdir()) == []
    (folder / "checkpoints").rmdir()
    process = start(folder)
    assert process.stdout is not None
    process.stdout.read()
    assert process.wait() == 0
    process.stdout.close()
    assert not (folder / "checkpoints").exists()


ON_A_SMALL_DISK = """
import sys
sys.path.insert(0, sys.argv[1])
import train
sys.exit(train.main(["--opt-ml", sys.argv[2], "--checkpoint-seconds", "0"]))
"""


def test_a_full_disk_costs_the_checkpoints_and_not_the_training(folder: Path, tmp_path: Path) -> None:
    ask_for(folder, num_round=ROUNDS, early_stopping_rounds=0)
    model, _ = without_interruption(folder, tmp_path)
    (folder / "checkpoints").rmdir()
    arguments = [str(ROOT / "training"), str(folder)]
    done = run_on_small_disk(folder / "checkpoints", "64k", ON_A_SMALL_DISK, *arguments)
    if done is None:
        pytest.skip("this machine gives no disk of its own")
    assert done.returncode == 0, done.stdout + done.stderr
    assert " rounds none could be written: OSError(28, 'No space left on device')" in done.stdout
    assert model_of(folder) == model
