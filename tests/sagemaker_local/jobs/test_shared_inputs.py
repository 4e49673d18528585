"""Large inputs are files of the object store: whatever a job does to them, no object is changed."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from sagemaker_local.jobs import opt_ml, transfer

IN, OUT = "/opt/ml/processing/input", "/opt/ml/processing/output"
OUTPUTS = {"o": ("s3://bucket/o", OUT)}


@pytest.fixture(autouse=True)
def every_size_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "LEAST_SHARED", 1)


def is_shared(bench: Any) -> bool:
    """Whether this machine can; where it cannot, the job is given copies, and all else is the same."""
    kinds = bench.home.jobs / "processing-job"
    kinds.mkdir(parents=True, exist_ok=True)
    return opt_ml.detect().mode == "namespace" and opt_ml.can_share(kinds)


def completed(bench: Any, command: str, **members: Any) -> str:
    job: str = bench.processing(command, **members)
    ended = bench.ended(job)
    assert ended["ProcessingJobStatus"] == "Completed", (ended, bench.log(job))
    return job


def object_file(bench: Any, key: str) -> Path:
    path: Path = bench.objects.stat("bucket", key).path
    return path


def test_a_job_reads_the_files_of_the_store_themselves(bench: Any) -> None:
    uri = bench.put("data/a/b.csv", "1,2\n")
    bench.put("data/c.csv", "3\n")
    inode = object_file(bench, "data/a/b.csv").stat().st_ino
    shared = f"{bench.home.jobs}/processing-job/job-1/algo-1/shared/processing/input"
    completed(
        bench,
        f"cat {IN}/a/b.csv {IN}/c.csv > {OUT}/x; ls -i {shared}/a/b.csv > {OUT}/i || true",
        inputs={"i": (uri.removesuffix("a/b.csv"), IN)},
        outputs=OUTPUTS,
    )
    assert bench.get("o/x") == "1,2\n3\n"
    if is_shared(bench):
        assert bench.get("o/i").split()[0] == str(inode)
    assert object_file(bench, "data/a/b.csv").stat().st_nlink == 1


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        ("echo more >> f", "kept\nmore\n"),
        ("echo other > f", "other\n"),
        ("truncate -s 2 f", "ke"),
        ("printf K | dd of=f conv=notrunc status=none", "Kept\n"),
        ("chmod 777 f; chmod 777 .; echo other > f", "other\n"),
        ("echo other > g; mv g f", "other\n"),
        ("rm f; echo other > f", "other\n"),
        ("ln f g; echo other > g", "other\n"),
        ("mv f g; echo more >> g; mv g f", "kept\nmore\n"),
        ("touch -d 2001-01-01 f; rm -rf ../input/*; echo other > f", "other\n"),
        ("sed -i s/kept/lost/ f", "lost\n"),
    ],
)
def test_whatever_a_job_does_to_its_input_the_object_stays(bench: Any, change: str, seen: str) -> None:
    bench.put("data/f", "kept\n")
    path = object_file(bench, "data/f")
    before = path.stat()
    completed(
        bench,
        f"set -e; cd {IN}; {change}; cp f {OUT}/seen; ls > {OUT}/names",
        inputs={"i": ("s3://bucket/data/", IN)},
        outputs=OUTPUTS,
    )
    assert bench.get("o/seen") == seen
    assert bench.get("data/f") == "kept\n"
    after = path.stat()
    assert (after.st_ino, after.st_mode, after.st_size, after.st_mtime_ns, after.st_nlink) == (
        before.st_ino,
        before.st_mode,
        before.st_size,
        before.st_mtime_ns,
        1,
    )


def test_inputs_are_moved_and_linked_into_the_output_as_they_are_or_were_changed(bench: Any) -> None:
    for name in "abcd":
        bench.put(f"data/{name}", name)
    completed(
        bench,
        f"set -e; cd {OUT}; mv {IN}/a moved; ln -s {IN}/b link; ln -s ../input/c relative; echo C > {IN}/c;"
        f" ln -s {IN}/d gone; rm {IN}/d",
        inputs={"i": ("s3://bucket/data/", IN)},
        outputs=OUTPUTS,
    )
    assert {key: bench.get(key).strip() for key in bench.keys("o")} == {
        "o/link": "b",
        "o/moved": "a",
        "o/relative": "C",
    }
    assert [bench.get(f"data/{name}") for name in "abcd"] == ["a", "b", "c", "d"]


def test_python_renames_an_input_into_the_output(bench: Any) -> None:
    bench.put("data/a", "a")
    completed(
        bench,
        ["python3", "-S", "-c", f"import os; os.rename('{IN}/a', '{OUT}/a')"],
        inputs={"i": ("s3://bucket/data/", IN)},
        outputs=OUTPUTS,
    )
    assert (bench.get("o/a"), bench.get("data/a")) == ("a", "a")


def test_an_output_that_is_an_input_holds_what_the_input_held(bench: Any) -> None:
    bench.put("data/a", "a")
    completed(
        bench,
        f"echo b > {IN}/b",
        inputs={"i": ("s3://bucket/data/", IN)},
        outputs={"o": ("s3://bucket/o", IN)},
    )
    assert bench.keys("o") == ["o/a", "o/b"]
    assert bench.get("data/a") == "a"


def test_inputs_within_inputs_lie_where_they_belong(bench: Any) -> None:
    bench.put("data/a", "a")
    bench.put("more/a", "more")
    job = completed(
        bench,
        f"cat {IN}/a {IN}/more/a {IN}/b/a",
        inputs={
            "i": ("s3://bucket/data/", IN),
            "m": ("s3://bucket/more/", f"{IN}/more"),
            "b": ("s3://bucket/data/", f"{IN}/b"),
        },
    )
    assert bench.log(job) == "amorea"


def test_each_instance_changes_its_own_input_alone(bench: Any) -> None:
    bench.put("data/f", "kept")
    completed(
        bench,
        f"printf $(hostname) >> {IN}/f; cp {IN}/f {OUT}/$(hostname)",
        inputs={"i": ("s3://bucket/data/", IN)},
        outputs=OUTPUTS,
        instances=2,
    )
    if is_shared(bench):
        assert [bench.get(f"o/algo-{number}") for number in (1, 2)] == ["keptalgo-1", "keptalgo-2"]
    assert bench.get("data/f") == "kept"


def test_a_channel_is_read_and_written_to_as_well(bench: Any) -> None:
    bench.put("train/f", "kept")
    job = bench.training(
        "cd /opt/ml/input/data/train; cat f > /opt/ml/model/was; echo other > f; cat f > /opt/ml/model/is",
        channels={"train": "s3://bucket/train/"},
        OutputDataConfig={"S3OutputPath": "s3://bucket/m", "CompressionType": "NONE"},
    )
    assert bench.trained(job)["TrainingJobStatus"] == "Completed", bench.log(job, "training-job")
    kept = f"m/{job}/output/model"
    assert (bench.get(f"{kept}/was"), bench.get(f"{kept}/is")) == ("kept", "other\n")
    assert bench.get("train/f") == "kept"


def test_an_object_that_is_overwritten_or_deleted_meanwhile_stays_for_the_job(
    bench: Any, wait_until: Any
) -> None:
    bench.put("data/a", "a")
    bench.put("data/b", "b")
    job = bench.processing(
        f"echo ready; while ! test -e {bench.folder}/go; do sleep 0.02; done; cat {IN}/a {IN}/b",
        inputs={"i": ("s3://bucket/data/", IN)},
    )
    log = bench.ml(job).with_name("log")
    wait_until(lambda: log.exists() and "ready" in log.read_text(), "the job runs")
    bench.put("data/a", "new")
    bench.objects.delete("bucket", "data/b")
    (bench.folder / "go").touch()  # not below the overlay, which need not see what is made there
    assert bench.ended(job)["ProcessingJobStatus"] == "Completed"
    assert bench.log(job) == "ready\nab"


@pytest.mark.parametrize("how", ["exit 3", "kill -9 $$", "sleep 600"])
def test_nothing_is_left_of_what_was_shared_however_the_job_ends(
    bench: Any, wait_until: Any, how: str
) -> None:
    bench.put("data/f", "kept")
    job = bench.processing(
        f"rm {IN}/f; echo mine > {IN}/f; echo ready; {how}", inputs={"i": ("s3://bucket/data/", IN)}
    )
    folder = bench.ml(job).parent
    if how == "sleep 600":
        wait_until(lambda: (folder / "log").exists() and "ready" in bench.log(job), "the job runs")
        bench.call("StopProcessingJob", ProcessingJobName=job)
    assert bench.ended(job)["ProcessingJobStatus"] in ("Failed", "Stopped")
    assert not (folder / "shared").exists()
    assert not (folder / "work").exists()
    assert (bench.ml(job) / "processing/input/f").read_text() == "mine\n"
    assert str(folder) not in Path("/proc/self/mountinfo").read_text()
    assert bench.get("data/f") == "kept"


def test_a_killed_launcher_leaves_nothing_of_what_was_shared(bench: Any, wait_until: Any) -> None:
    bench.put("data/f", "kept")
    job = bench.processing(f"cat {IN}/f; sleep 600", inputs={"i": ("s3://bucket/data/", IN)})
    folder = bench.ml(job).parent
    wait_until(lambda: (folder / "log").exists() and "kept" in bench.log(job), "the job runs")
    launchers = [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and _parent(entry) == os.getpid() and b"launcher" in _command(entry)
    ]
    assert launchers
    for launcher in launchers:
        os.kill(launcher, signal.SIGKILL)
    assert bench.ended(job)["ProcessingJobStatus"] == "Failed"
    assert not (folder / "shared").exists()
    assert not (folder / "work").exists()


def _parent(process: Path) -> int:
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _command(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


@pytest.mark.parametrize("mode", ["symlink", "rewrite"])
def test_where_there_is_no_namespace_inputs_are_copies(
    bench: Any, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    if opt_ml.why_not().get(mode):
        mode = "rewrite"
    monkeypatch.setenv(opt_ml.VARIABLE, mode)
    bench.put("data/f", "kept\n")
    completed(
        bench,
        f"echo more >> {IN}/f; cp {IN}/f {OUT}/f",
        inputs={"i": ("s3://bucket/data/", IN)},
        outputs=OUTPUTS,
    )
    assert (bench.get("o/f"), bench.get("data/f")) == ("kept\nmore\n", "kept\n")


def test_two_objects_that_want_to_be_file_and_folder_are_refused(bench: Any) -> None:
    bench.put("data/a/b", "b")
    with bench.objects.incoming() as incoming:
        incoming.write(b"a")
        bench.objects.commit(incoming, "bucket", "data/a")
    job = bench.processing("true", inputs={"i": ("s3://bucket/data/", IN)})
    assert "as a file and as a folder" in bench.ended(job)["FailureReason"]
