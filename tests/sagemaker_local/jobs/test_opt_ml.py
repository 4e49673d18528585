"""The three ways to give a job its /opt/ml; where one is impossible, its refusal says so."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sagemaker_local.jobs import opt_ml
from sagemaker_local.jobs.launcher import messages
from sagemaker_local.jobs.places import rewritten

IN, OUT = "/opt/ml/processing/input", "/opt/ml/processing/output"

LOOK = (
    "import json, os, sys; a, b = sys.argv[1:];"
    "h = json.load(open(a + '/config/resourceconfig.json'))['current_host'];"
    "seen = {'real': os.path.isdir('/opt/' 'ml/config'), 'host': h, 'env': os.environ['PLACE']};"
    "json.dump(seen, open(b + '/' + h, 'w'))"
)


def run(bench: Any, instances: int = 1) -> tuple[dict[str, Any], str]:
    job = bench.processing(
        ["python3", "-S", "-c", LOOK, "/opt/ml", OUT],
        outputs={"o": ("s3://bucket/o", OUT)},
        Environment={"PLACE": "/opt/ml/x"},
        instances=instances,
    )
    return bench.ended(job), job


@pytest.mark.parametrize("mode", opt_ml.MODES)
def test_each_mode_gives_the_job_its_folder_or_refuses_clearly(
    bench: Any, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setenv(opt_ml.VARIABLE, mode)
    ended, job = run(bench)
    if mode != "rewrite" and opt_ml.why_not()[mode]:
        assert ended["FailureReason"].startswith("InternalServerError: ")
        assert "/opt/ml" in ended["FailureReason"]
        return
    assert ended["ProcessingJobStatus"] == "Completed", ended
    seen = json.loads(bench.get("o/algo-1"))
    if mode == "rewrite":
        assert seen["env"] == f"{bench.ml(job)}/x"
        assert "/opt/ml does not exist: it is replaced" in bench.log(job)
    else:
        assert seen == {"real": True, "host": "algo-1", "env": "/opt/ml/x"}


@pytest.mark.parametrize("mode", opt_ml.MODES)
@pytest.mark.parametrize(
    "bench", ["a, b: c'é\"\\\\n", os.fsdecode(b"\xff\xfe")], indirect=True, ids=["signs", "bytes"]
)
def test_the_folder_of_the_state_may_have_any_name(
    bench: Any, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setenv(opt_ml.VARIABLE, "rewrite" if opt_ml.why_not().get(mode) else mode)
    source = bench.put("data/f", "x" * (17 << 20))
    code = "import json, shutil, sys; json.load(open(sys.argv[1])); shutil.copy(*sys.argv[2:])"
    config = "/opt/ml/config/processingjobconfig.json"
    job = bench.processing(
        ["python3", "-S", "-c", code, config, f"{IN}/f", f"{OUT}/f"],
        inputs={"i": (source, IN)},
        outputs={"o": ("s3://bucket/o", OUT)},
    )
    assert bench.ended(job)["ProcessingJobStatus"] == "Completed", bench.ended(job)["FailureReason"]
    assert bench.keys("o/") == ["o/f"]


@pytest.mark.parametrize("mode", opt_ml.MODES)
def test_several_instances_run_in_each_mode(bench: Any, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    if mode == "namespace" and opt_ml.why_not()["namespace"]:
        mode = "rewrite"
    monkeypatch.setenv(opt_ml.VARIABLE, mode)
    ended, job = run(bench, instances=2)
    assert ended["ProcessingJobStatus"] == "Completed", ended
    assert bench.keys("o") == ["o/algo-1", "o/algo-2"]
    if mode != "namespace":
        assert "cannot reach each other as algo-1" in bench.log(job)


def test_instances_find_each_other_by_name(bench: Any) -> None:
    if opt_ml.detect().mode != "namespace":
        assert "There are no mount namespaces" in opt_ml.detect().remark
        return
    job = bench.processing("hostname; getent hosts algo-2 | cut -d' ' -f1", instances=2)
    assert bench.ended(job)["ProcessingJobStatus"] == "Completed"
    assert bench.log(job, host="algo-2") == "algo-2\n127.0.0.1\n"


def test_jobs_take_turns_where_opt_ml_is_a_link(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if opt_ml.why_not()["symlink"]:
        assert opt_ml.why_not()["symlink"]
        return
    monkeypatch.setenv(opt_ml.VARIABLE, "symlink")
    command = f"test ! -e /opt/ml/mine; touch /opt/ml/mine; sleep 0.1; ls /opt/ml/mine > {OUT}/x"
    jobs = [bench.processing(f"set -e; {command}", outputs={"o": ("s3://bucket/o", OUT)}) for _ in range(3)]
    ended = [bench.ended(job) for job in jobs]
    assert [end["ProcessingJobStatus"] for end in ended] == ["Completed"] * 3
    spans = sorted((end["ProcessingStartTime"], end["ProcessingEndTime"]) for end in ended)
    assert all(later[0] > earlier[0] + 0.09 for earlier, later in itertools.pairwise(spans))


def test_the_link_that_a_killed_launcher_left_is_replaced(
    bench: Any, monkeypatch: pytest.MonkeyPatch, wait_until: Any
) -> None:
    if opt_ml.why_not()["symlink"]:
        assert opt_ml.why_not()["symlink"]
        return
    monkeypatch.setenv(opt_ml.VARIABLE, "symlink")
    job = bench.processing("echo launcher $PPID; sleep 600")
    log = bench.home.jobs / "processing-job" / job / "algo-1" / "log"
    wait_until(lambda: log.exists() and "launcher " in log.read_text(), "the job is ready")
    os.kill(int(bench.log(job).split()[-1]), signal.SIGKILL)
    assert bench.ended(job)["ProcessingJobStatus"] == "Failed"
    ended, _ = run(bench)
    assert ended["ProcessingJobStatus"] == "Completed", ended


def test_a_folder_of_somebody_elses_at_opt_ml_is_left_alone(tmp_path: Path) -> None:
    if opt_ml.why_not()["symlink"] or opt_ml.why_not()["namespace"]:
        assert {"symlink", "namespace"} <= set(opt_ml.why_not())
        return
    request = messages.write_request(
        server=os.getpid(), mode="symlink", own_pids=False, ml="/tmp", log=f"{tmp_path}/log"
    )
    # A mount namespace around it, so that the folder is there for this launcher alone.
    script = 'mount -t tmpfs none /opt && mkdir /opt/ml && exec "$0" "$@"'
    with subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", script, *opt_ml.launcher_command("run")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(request)
        process.stdin.flush()
        said = process.stdout.readline().decode().rstrip("\n").split("\t")
    assert said[0] == "refused"
    assert said[2] == "/opt/ml exists and is not a job's: it stays untouched"


def test_the_launcher_loads_modules_of_its_own_and_small_ones_only() -> None:
    *interpreter, program = opt_ml.launcher_command("run")
    show = f"{program.rpartition(';')[0]}; print(*sys.modules)"
    loaded = subprocess.run([*interpreter, show], capture_output=True, text=True, check=True).stdout.split()
    ours = {name for name in loaded if name.startswith("sagemaker_local.")}
    assert "sagemaker_local.jobs.launcher.run" in ours
    assert {name for name in ours if "launcher" not in name} == {"sagemaker_local.jobs"}
    assert {"contextlib", "enum", "json", "pathlib", "subprocess", "typing"}.isdisjoint(loaded)


def test_an_unknown_mode_in_the_environment_fails_the_job_with_the_choices(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(opt_ml.VARIABLE, "magic")
    ended, _ = run(bench)
    assert (
        "SAGEMAKER_LOCAL_OPT_ML=magic: expected one of namespace, symlink, rewrite" in ended["FailureReason"]
    )


def test_rewriting_touches_nothing_that_only_looks_like_opt_ml() -> None:
    ml = Path("/j/ml")
    assert rewritten("/opt/ml/a:/opt/ml", ml) == "/j/ml/a:/j/ml"
    assert rewritten("--x=/opt/ml/model", ml) == "--x=/j/ml/model"
    assert rewritten("file:///opt/ml/x", ml) == "file:///j/ml/x"
    for same in ("/opt/mlflow", "/opt/ml-old/x", "s3://bucket/opt/ml/x", "/srv/opt/ml"):
        assert rewritten(same, ml) == same


def test_a_job_sees_the_rest_of_opt(bench: Any) -> None:
    job = bench.processing(
        f"ls -A /opt | grep -vx ml > {OUT}/names; true", outputs={"o": ("s3://bucket/o", OUT)}
    )
    assert bench.ended(job)["ProcessingJobStatus"] == "Completed"
    there = (
        sorted(path.name for path in Path("/opt").iterdir() if path.name != "ml")
        if Path("/opt").is_dir()
        else []
    )
    assert sorted(bench.get("o/names").split()) == there
