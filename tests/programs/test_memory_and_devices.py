"""train.py chooses where its rows are kept, and what it trains on; both are said in the log."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from program_runs import ROOT, Finished, run_program
from small_disk import run_on_small_disk

GIGABYTE = 1 << 30


@pytest.fixture
def folder(tmp_path: Path, tumors: Finished) -> Path:
    shutil.copytree(tumors.folder / "input", tmp_path / "input")
    return tmp_path


def run(folder: Path, instance_type: str = "", **hyperparameters: Any) -> str:
    config = folder / "input/config"
    texts = {name: str(value) for name, value in hyperparameters.items()}
    (config / "hyperparameters.json").write_text(json.dumps(texts))
    (config / "resourceconfig.json").write_text(json.dumps({"current_instance_type": instance_type}))
    finished = run_program("training/train.py", folder)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def many_rows(folder: Path, rows: int, row_group: int) -> None:
    """Put rows of 12 numbers, some of them missing, in place of the tumors'."""
    draw = np.random.default_rng(5)
    schema = json.loads((folder / "input/data/schema/schema.json").read_text())
    names = [f"n{number}" for number in range(12)]
    schema |= {"target": "y", "classes": ["no", "yes"], "source_columns": [*names, "y"]}
    schema["features"] = [{"name": name, "kind": "number"} for name in names]
    (folder / "input/data/schema/schema.json").write_text(json.dumps(schema))
    for part, count in (("train", rows), ("validation", rows // 4)):
        values = draw.normal(size=(count, 12))
        signal = values[:, 0] * values[:, 1] + values[:, 2] + draw.logistic(size=count)
        missing = draw.random((count, 12)) < 0.05
        columns = [pa.array(values[:, n], mask=missing[:, n]) for n in range(12)]
        table = pa.table([*columns, pa.array(np.where(signal > 0, "yes", "no"))], names=[*names, "y"])
        (path,) = (folder / "input/data" / part).glob("*.parquet")
        pq.write_table(table, path, row_group_size=row_group)


def test_rows_kept_on_disk_give_the_same_metric(folder: Path) -> None:
    many_rows(folder, 120_000, 10_000)
    best = {}
    for external in ("never", "always"):
        lines = run(folder, num_round=40, subsample=1.0, external_memory=external).splitlines()
        (said,) = (line for line in lines if line.startswith("memory: 150,000 rows x 12 features need about"))
        where = "in memory" if external == "never" else "from the disk"
        assert said.endswith(f": trained on {where}; external_memory = {external}")
        best[external] = float(lines[-1].rpartition("=")[2])
    assert best["always"] == pytest.approx(best["never"], abs=0.002)


ON_A_SMALL_DISK = """
import sys, tempfile
sys.path.insert(0, sys.argv[1])
tempfile.tempdir = sys.argv[3]
import train
sys.exit(train.main(["--opt-ml", sys.argv[2]]))
"""


def test_rows_kept_on_disk_are_said_to_be_so_and_go_without_a_warning(folder: Path) -> None:
    many_rows(folder, 3000, 1000)
    (folder / "input/config/hyperparameters.json").write_text(
        '{"num_round": "3", "external_memory": "always"}'
    )
    finished = run_program("training/train.py", folder)
    assert finished.returncode == 0, finished.stderr
    assert "train: 3,000 rows are kept on disk and not sorted; with them in another" in finished.stdout
    assert finished.stderr == ""


def test_a_disk_too_small_for_the_rows_is_one_clear_line(folder: Path) -> None:
    """XGBoost alone would abort, and leave no reason but a trace of its own."""
    (folder / "input/config/hyperparameters.json").write_text('{"external_memory": "always"}')
    arguments = [str(ROOT / "training"), str(folder), str(folder / "disk")]
    done = run_on_small_disk(folder / "disk", "32k", ON_A_SMALL_DISK, *arguments)
    if done is None:
        pytest.skip("this machine gives no disk of its own")
    assert done.returncode == 1, done.stderr
    reason = (folder / "output/failure").read_text()
    assert reason.startswith("the rows are trained on from the disk, and it is full: 0.0 MB are free")
    assert done.stderr == f"error: {reason}\n"


def test_a_model_whose_end_does_not_fit_on_the_disk_is_no_model(folder: Path) -> None:
    run(folder, num_round=20)
    pages, rest = divmod((folder / "model/model.ubj").stat().st_size, 4096)
    assert rest
    shutil.rmtree(folder / "model")
    arguments = [str(ROOT / "training"), str(folder), str(folder)]
    done = run_on_small_disk(folder / "model", f"{4 * pages}k", ON_A_SMALL_DISK, *arguments)
    if done is None:
        pytest.skip("this machine gives no disk of its own")
    assert done.returncode == 1
    assert (folder / "output/failure").read_text() == "OSError: [Errno 28] No space left on device"


def test_rows_kept_on_disk_go_on_from_a_checkpoint(folder: Path) -> None:
    """The unbroken training's last checkpoint has all rounds: what follows makes the model out of it."""
    asked = {"num_round": 30, "subsample": 0.7, "early_stopping_rounds": 0, "external_memory": "always"}
    run(folder, **asked)
    model = (folder / "model/model.ubj").read_bytes()
    (folder / "checkpoints").mkdir()
    finished = run_program("training/train.py", folder, arguments=("--checkpoint-seconds", "0"))
    assert finished.returncode == 0, finished.stderr
    said = run(folder, **asked)
    assert "checkpoint: goes on after 30 rounds" in said
    assert (folder / "model/model.ubj").read_bytes() == model


def test_too_little_memory_means_the_disk() -> None:
    import memory

    def plan(rows: int, at_hand: int, asked: str = "auto", outputs: int = 1) -> memory.Plan:
        return memory.plan(rows, 26, outputs, min(rows, 9_000_000), at_hand, asked)

    assert not plan(1_000, GIGABYTE).external
    assert not plan(3_200_000, 4 * GIGABYTE).external
    assert plan(3_200_000, GIGABYTE).external
    assert plan(50_000_000, 8 * GIGABYTE).external
    assert plan(3_200_000, 4 * GIGABYTE, outputs=50).external
    assert not plan(3_200_000, GIGABYTE, "never").external
    assert plan(1_000, GIGABYTE, "always").external
    assert plan(1_000, GIGABYTE).words == "1,000 rows x 26 features need about 0.4 GB: trained on in memory"
    assert plan(3_200_000, GIGABYTE).words.endswith(": trained on from the disk; 1.1 GB are at hand")
    assert plan(50_000_000, 2 * GIGABYTE).batch_rows < plan(50_000_000, 4 * GIGABYTE).batch_rows


@pytest.mark.parametrize(
    ("groups", "files", "gigabytes"),
    [
        ("", {}, 16),
        ("0::/\n", {"sys/fs/cgroup/memory.max": "max\n"}, 16),
        ("0::/\n", {"sys/fs/cgroup/memory.max": f"{2 * GIGABYTE}\n"}, 2),
        (
            "0::/a/b\n",
            {"sys/fs/cgroup/a/b/memory.max": "max\n", "sys/fs/cgroup/a/memory.max": f"{3 * GIGABYTE}\n"},
            3,
        ),
        ("0::/a/b\n", {"sys/fs/cgroup/memory.max": f"{5 * GIGABYTE}\n"}, 5),
        (
            "5:cpu,cpuacct:/x\n4:memory:/docker/1\n",
            {
                "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{4 * GIGABYTE}\n",
                "sys/fs/cgroup/cpu/x/memory.limit_in_bytes": "1\n",
            },
            4,
        ),
        ("4:memory:/\n", {"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, 16),
    ],
    ids=["none", "v2 without limit", "v2", "v2 above", "v2 in a container", "v1", "v1 without limit"],
)
def test_the_memory_at_hand_is_what_the_system_has_and_control_groups_allow(
    tmp_path: Path, groups: str, files: dict[str, str], gigabytes: int
) -> None:
    import memory

    given = {
        "proc/meminfo": f"MemTotal: 1 kB\nMemAvailable: {16 << 20} kB\n",
        "proc/self/cgroup": groups,
        **files,
    }
    for name, text in given.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert memory.at_hand(tmp_path) == gigabytes * GIGABYTE
    assert memory.at_hand() > 0


def has_gpu() -> bool:
    return any(Path("/dev").glob("nvidia[0-9]*"))


@pytest.mark.skipif(has_gpu(), reason="this machine has a GPU")
def test_without_a_gpu_auto_is_the_processor_and_cuda_is_one_clear_line(folder: Path) -> None:
    assert "device:" not in run(folder, "ml.m5.xlarge", num_round=2)
    line = "device: cpu, because XGBoost finds no GPU here, although this is to be ml.g5.xlarge"
    assert line in run(folder, "ml.g5.xlarge", num_round=2).splitlines()
    (folder / "input/config/hyperparameters.json").write_text('{"device": "cuda"}')
    finished = run_program("training/train.py", folder)
    assert finished.returncode == 1
    reason = (folder / "output/failure").read_text()
    assert finished.stderr == f"error: {reason}\n"
    assert reason == (
        "hyperparameters: device is 'cuda', but XGBoost finds no GPU on ml.g5.xlarge."
        " Choose an instance type that has one (ml.g..., ml.p...), or device = 'auto'"
    )


@pytest.mark.skipif(not has_gpu(), reason="this machine has no GPU")
def test_with_a_gpu_the_metric_is_the_processor_s(folder: Path) -> None:
    best = [
        float(run(folder, kind, num_round=40).rpartition("=")[2]) for kind in ("ml.m5.xlarge", "ml.g5.xlarge")
    ]
    assert "device: cuda (ml.g5.xlarge)" in run(folder, "ml.g5.xlarge", num_round=2)
    assert best[1] == pytest.approx(best[0], abs=0.02)
