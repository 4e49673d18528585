"""`gatehouse compare` scores both versions on the same rows, and runs no code that it does not know."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from installed_command import ROOT, TUMORS, Finished, Shell, ShellHere

from pipelines.executions import paired_scoring
from pipelines.executions.paired_scoring import is_known


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    return ShellHere(ROOT / "projects.toml", tmp_path_factory.mktemp("compared") / "home")


@pytest.fixture(scope="module")
def first_run(shell: Shell) -> Finished:
    return shell.run("run", TUMORS, "--json")


@pytest.fixture(scope="module")
def second_run(shell: Shell, first_run: Finished) -> Finished:
    """A version of much shallower trees, beside the first."""
    assert first_run.code == 0, first_run.err
    run = shell.run(
        "start",
        TUMORS,
        "-p",
        "NumRound=15",
        "-p",
        "MaxDepth=1",
        "-p",
        "AccuracyThreshold=0.5",
        "--wait",
        "--json",
    )
    assert run.code == 0, run.err
    return run


def number(run: Finished) -> str:
    return str(run.document["model_package_arn"]).rpartition("/")[2]


def test_both_versions_answer_the_rows_of_the_newer_ones_test_part(
    shell: Shell, first_run: Finished, second_run: Finished
) -> None:
    first, second = number(first_run), number(second_run)
    found = shell.run("compare", TUMORS, first, second, "--json").document
    paired = found["paired"]
    assert paired is not None, found["remarks"]
    assert (paired["tested_on"], paired["same_split"]) == (int(second), True)
    metrics = {entry["name"]: entry for entry in found["metrics"]}
    accuracy = metrics["accuracy"]
    # The data is the same, so both were evaluated on these very rows, each by its own artifact.
    assert (
        accuracy["first"]["value"] == first_run.document["accuracy"] == paired["first_right"] / paired["rows"]
    )
    assert accuracy["second"]["value"] == second_run.document["accuracy"]
    assert {entry["method"] for entry in metrics.values()} == {"same rows"}
    assert {"accuracy", "auc", "f1", "recall"} <= set(metrics)
    for run, key in ((first_run, "first"), (second_run, "second")):
        evaluated = shell.run("model", TUMORS, number(run), "--json").document["metrics"]
        for name, entry in metrics.items():
            assert entry[key]["value"] == pytest.approx(evaluated[name]["value"], rel=1e-12)
    assert accuracy["p_value"] == paired["p_value"]
    assert paired["only_first"] - paired["only_second"] == paired["first_right"] - paired["second_right"]
    assert paired["only_first"] > 0
    swapped = " ".join(shell.run("compare", TUMORS, second, first).out.split())
    only_second, only_first = (f"{paired[f'only_{one}']} only version" for one in ("second", "first"))
    assert (
        f"The same rows are the {paired['rows']} test rows of version {second}, scored by both:"
        f" {only_second} {second} has right, {only_first} {first} "
    ) in swapped
    assert "on the same rows" in swapped


def test_without_scoring_the_intervals_of_the_verdicts_decide(
    shell: Shell, first_run: Finished, second_run: Finished
) -> None:
    found = shell.run(
        "compare", TUMORS, number(first_run), number(second_run), "--no-rescore", "--json"
    ).document
    assert found["paired"] is None
    methods = {entry["name"]: entry["method"] for entry in found["metrics"]}
    assert set(methods.values()) == {"intervals"}
    assert {"accuracy", "auc", "f1", "recall"} <= set(methods)
    auc = next(entry for entry in found["metrics"] if entry["name"] == "auc")
    assert auc["low"] < auc["difference"] < auc["high"]
    assert not any("same rows" in remark for remark in found["remarks"])


def test_regressions_are_compared_by_their_errors_on_the_same_rows(tmp_path: Path) -> None:
    shell, project = ShellHere(ROOT / "projects.toml", tmp_path / "home"), "health-diabetes-progression"
    first = shell.run("run", project, "--json")
    assert first.code == 0, first.err
    second = shell.run("start", project, "-p", "NumRound=3", "-p", "RmseThreshold=80", "--wait", "--json")
    assert second.code == 0, second.err
    found = shell.run("compare", project, "1", "2", "--json").document
    paired, metrics = found["paired"], {entry["name"]: entry for entry in found["metrics"]}
    assert paired is not None, found["remarks"]
    assert paired["rows"] == second.document["verdict"]["rows"]
    assert (paired["first_right"], paired["only_second"], paired["p_value"]) == (None, None, None)
    assert set(metrics) == {"rmse", "r2", "mae", "mse"}
    assert {entry["method"] for entry in metrics.values()} == {"same rows"}
    for run, key in ((first, "first"), (second, "second")):
        assert metrics["rmse"][key]["value"] == pytest.approx(run.document["verdict"]["checks"][0]["value"])
    assert metrics["rmse"]["p_value"] == metrics["mse"]["p_value"] == metrics["r2"]["p_value"] < 1
    said = shell.run("compare", project, "1", "2").out
    assert f"The same rows are the {paired['rows']} test rows of version 2, scored by both." in said


def artifact_of(path: Path, code: bytes, **beside: bytes) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        others = [(f"code/{name}.py", content) for name, content in beside.items()]
        for name, content in (("schema.json", b"{}"), ("code/inference.py", code), *others):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def test_code_that_is_not_in_the_history_is_not_run(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    code = f"open({str(marker)!r}, 'w')\n".encode()
    artifact = artifact_of(tmp_path / "model.tar.gz", code)
    (tmp_path / "test").mkdir()

    with pytest.raises(paired_scoring.CannotPair, match="version 7 is in no commit of this checkout"):
        paired_scoring._answers(artifact, tmp_path / "test", 7, ROOT)
    assert not marker.exists()


def test_known_code_beside_code_that_is_not_in_the_history_is_not_run(tmp_path: Path) -> None:
    """What lies beside inference.py comes before every library on the path: a numpy.py there would be run."""
    marker = tmp_path / "ran"
    known = (ROOT / "training/inference.py").read_bytes()
    artifact = artifact_of(tmp_path / "model.tar.gz", known, numpy=f"open({str(marker)!r}, 'w')\n".encode())
    (tmp_path / "test").mkdir()
    with pytest.raises(paired_scoring.CannotPair, match="version 7 is in no commit of this checkout"):
        paired_scoring._answers(artifact, tmp_path / "test", 7, ROOT)
    digest = hashlib.sha256(known).hexdigest()
    done = answers(artifact, tmp_path / "model.answers", f"inference.py={digest}")
    assert done.returncode == 1
    assert "is not the code that may be run" in done.stderr
    assert not marker.exists()


def answers(artifact: Path, output: Path, code: str) -> subprocess.CompletedProcess[str]:
    program = str(ROOT / "evaluation/answers.py")
    command = [
        sys.executable,
        program,
        str(artifact),
        str(output.parent / "test"),
        str(output),
        "--code",
        code,
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_an_artifact_that_holds_other_code_than_was_looked_at_is_not_run(tmp_path: Path) -> None:
    marker, output = tmp_path / "ran", tmp_path / "model.answers"
    artifact = artifact_of(tmp_path / "model.tar.gz", f"open({str(marker)!r}, 'w')\n".encode())
    (tmp_path / "test").mkdir()
    done = answers(artifact, output, f"inference.py={'0' * 64}")
    assert done.returncode == 1
    assert "is not the code that may be run" in done.stderr
    assert not marker.exists()
    assert not output.exists()


def test_inference_code_is_known_from_the_checkout_and_from_its_history(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        name = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main")
        subprocess.run(["git", "-C", str(tmp_path), *name, *words], check=True, capture_output=True)

    file = tmp_path / "training/inference.py"
    file.parent.mkdir()
    file.write_bytes(b"version = 1\n")
    assert is_known("inference.py", b"version = 1\n", tmp_path), "without git the file itself is known"
    assert not is_known("inference.py", b"version = 2\n", tmp_path)
    git("init")
    for content in (b"version = 1\n", b"version = 2\n"):
        file.write_bytes(content)
        (tmp_path / "other.py").write_bytes(b"other = " + content)
        git("add", ".")
        git("commit", "-m", "a")
    git("checkout", "-b", "unreviewed")
    file.write_bytes(b"version = 3\n")
    git("commit", "-am", "a")
    git("checkout", "main")
    assert is_known("inference.py", b"version = 1\n", tmp_path)
    assert is_known("inference.py", b"version = 2\n", tmp_path)
    assert not is_known("inference.py", b"version = 3\n", tmp_path), (
        "a commit of another branch does not count"
    )
    assert not is_known("inference.py", b"other = version = 1\n", tmp_path), "another file does not count"
    assert not is_known("other.py", b"version = 1\n", tmp_path), "another name does not count"
