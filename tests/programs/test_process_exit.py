"""How the programs end: their exit codes, whole output, and no taking down of the interpreter."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from exit_runs import run_many
from program_runs import ROOT, Finished

PREPROCESS, TRAIN, EVALUATE = "processing/preprocess.py", "training/train.py", "evaluation/evaluate.py"
GATEHOUSE = Path(sys.executable).with_name("gatehouse")
LAST_LINE = {PREPROCESS: " classes\n", TRAIN: "best_iteration=", EVALUATE: "; AUC 0."}

WITNESS = """\
import os, sys

class Witness:
    def __del__(self, write=os.write):
        write(2, b"the interpreter is taken down")

sys.witness = Witness()
"""

FOREVER = '{"num_round": "1000000", "early_stopping_rounds": "0"}'  # early stopping would take milliseconds

WAITING = """\
import time

def model_fn(folder):
    print("waiting", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def folder(tmp_path: Path, tumors: Finished) -> Path:
    """A job's folder with the input of all three programs, and a `sitecustomize` that reports a take-down."""
    shutil.copytree(tumors.folder / "input", tmp_path / "input")
    shutil.copytree(tumors.folder / "processing" / "input", tmp_path / "processing" / "input")
    (tmp_path / "witness").mkdir()
    (tmp_path / "witness" / "sitecustomize.py").write_text(WITNESS)
    return tmp_path


def begin(command: list[str], folder: Path, stdout: int = subprocess.PIPE) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(folder / "witness"), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, stdout=stdout, stderr=subprocess.PIPE, text=True, env=environment, cwd=ROOT
    )


def step(program: str, folder: Path) -> list[str]:
    return [sys.executable, str(ROOT / program), "--opt-ml", str(folder)]


@contextmanager
def closed_pipe() -> Iterator[int]:
    """The writing end of a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


@pytest.mark.parametrize(
    ("file", "folders"),
    [
        ("process_exit.py", ("processing", "training", "evaluation", "pipelines")),
        ("unneeded_libraries.py", ("processing", "training", "evaluation")),
    ],
)
def test_every_folder_holds_the_same_file(file: str, folders: tuple[str, ...]) -> None:
    assert len({(ROOT / name / file).read_bytes() for name in folders}) == 1


def test_scipy_does_not_bring_in_the_parts_of_numpy_that_nobody_asked_for() -> None:
    code = """
import sys
from unneeded_libraries import keep_out_parts_of_numpy
keep_out_parts_of_numpy()
import numpy, scipy.special
assert not {"numpy.f2py", "numpy.testing"} & sys.modules.keys()
numpy.f2py, numpy.random.default_rng
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT / "evaluation", check=True, timeout=60)


def test_the_witness_tells_of_an_interpreter_that_is_taken_down(folder: Path) -> None:
    assert ended(begin([sys.executable, "-c", ""], folder))[2] == "the interpreter is taken down"


@pytest.mark.parametrize("program", [PREPROCESS, TRAIN, EVALUATE])
def test_success_is_0_with_all_output_in_a_pipe_and_in_a_file(folder: Path, program: str) -> None:
    code, piped, err = ended(begin(step(program, folder), folder))
    assert (code, err) == (0, "")
    assert LAST_LINE[program] in piped.splitlines(keepends=True)[-1]
    with (folder / "log").open("w") as file:
        code, _, err = ended(begin(step(program, folder), folder, stdout=file.fileno()))
    assert (code, err) == (0, "")
    assert (folder / "log").read_text() == piped


@pytest.mark.parametrize("program", [PREPROCESS, TRAIN, EVALUATE])
def test_wrong_usage_is_2_and_help_is_0(folder: Path, program: str) -> None:
    code, out, err = ended(begin([*step(program, folder), "--nonsense"], folder))
    assert (code, out) == (2, "")
    assert err.endswith("error: unrecognized arguments: --nonsense\n")
    code, out, err = ended(begin([*step(program, folder), "--help"], folder))
    assert (code, err) == (0, "")
    assert "--opt-ml OPT_ML" in out


@pytest.mark.parametrize("program", [PREPROCESS, TRAIN, EVALUATE])
def test_an_error_of_the_input_is_1_in_one_line(folder: Path, program: str) -> None:
    for place in ("processing/input/raw/data.csv", "input/data/schema", "processing/input/test"):
        spoilt = folder / place
        spoilt.write_text("") if spoilt.is_file() else shutil.rmtree(spoilt)
    code, out, err = ended(begin(step(program, folder), folder))
    assert code == 1
    assert "error" not in out
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert err.endswith("\n")


@pytest.mark.parametrize("program", [PREPROCESS, TRAIN, EVALUATE])
def test_an_exception_that_nobody_foresaw_is_1_with_its_traceback(folder: Path, program: str) -> None:
    for place in ("processing/output", "model"):
        (folder / place).write_text("a file where a folder should be")
    code, _, err = ended(begin(step(program, folder), folder))
    assert code == 1
    assert err.startswith("Traceback (most recent call last):\n")
    assert err.splitlines()[-1].startswith(("FileExistsError: ", "NotADirectoryError: "))


@pytest.mark.parametrize("program", [PREPROCESS, TRAIN, EVALUATE])
def test_ctrl_c_is_130_and_sigterm_ends_at_once(folder: Path, program: str) -> None:
    code, err = signalled(program, folder, signal.SIGINT)
    assert code == 130
    assert err.startswith("Traceback (most recent call last):\n")
    assert err.endswith("\nKeyboardInterrupt\n")
    assert signalled(program, folder, signal.SIGTERM) == (-signal.SIGTERM, "")


def signalled(program: str, folder: Path, number: int) -> tuple[int, str]:
    """Exit code and standard error of a program that is sent a signal while it works."""
    if program == PREPROCESS:
        settings = folder / "processing/input/settings/dataset.json"
        settings.unlink()
        os.mkfifo(settings)
        process = begin(step(program, folder), folder)
        with settings.open("w"):  # waits until the program reads, and leaves it waiting
            process.send_signal(number)
            code, _, err = ended(process)
        return code, err
    if program == TRAIN:
        (folder / "input/config/hyperparameters.json").write_text(FOREVER)
    else:
        (folder / "model/code").mkdir(parents=True, exist_ok=True)
        (folder / "model/code/inference.py").write_text(WAITING)
        (folder / "model/schema.json").write_text('{"task": "binary", "target": "y", "classes": []}')
        with tarfile.open(folder / "processing/input/model/model.tar.gz", "w:gz") as archive:
            archive.add(folder / "model", arcname=".")
    process = begin(step(program, folder), folder)
    assert process.stdout is not None
    for line in process.stdout:
        if program != TRAIN or line.startswith("[0]"):
            break
    process.send_signal(number)
    code, _, err = ended(process)
    return code, err


@pytest.mark.parametrize("program", [PREPROCESS, TRAIN, EVALUATE])
def test_a_reader_that_left_is_1_and_nobody_waits(folder: Path, program: str) -> None:
    with closed_pipe() as writing:
        process = begin(step(program, folder), folder, stdout=writing)
    code, _, err = ended(process)
    assert code == 1
    assert err.endswith("BrokenPipeError: [Errno 32] Broken pipe\n")


@pytest.mark.parametrize("program", [PREPROCESS, TRAIN, EVALUATE])
def test_without_standard_output_the_work_is_done_all_the_same(folder: Path, program: str) -> None:
    command = ["sh", "-c", 'exec "$@" >&-', "sh", *step(program, folder)]
    assert ended(begin(command, folder)) == (0, "", "")


@pytest.mark.parametrize("program", [PREPROCESS, TRAIN, EVALUATE])
def test_handlers_of_the_end_are_called(folder: Path, program: str) -> None:
    handler = "import atexit\natexit.register(print, 'the handler was called', file=sys.stderr)\n"
    (folder / "witness" / "sitecustomize.py").write_text(WITNESS + handler)
    code, _, err = ended(begin(step(program, folder), folder))
    assert (code, err) == (0, "the handler was called\n")


@pytest.mark.parametrize("start", [[str(GATEHOUSE)], [sys.executable, "-m", "pipelines"]])
def test_the_command_keeps_its_exit_code(folder: Path, start: list[str]) -> None:
    code, out, err = ended(begin([*start, "--version"], folder))
    assert (code, err) == (0, "")
    assert out.startswith("gatehouse, version ")
    code, out, err = ended(begin([*start, "models", "no-such-project"], folder))
    assert (code, out) == (1, "")
    assert err.startswith("Error: ")
    code, out, err = ended(begin([*start, "models", "--nonsense"], folder))
    assert (code, out) == (2, "")
    assert "No such option" in err


def test_the_command_is_content_with_a_reader_that_left(folder: Path) -> None:
    with closed_pipe() as writing:
        process = begin([str(GATEHOUSE), "--help"], folder, stdout=writing)
    assert ended(process)[::2] == (0, "")


@pytest.mark.parametrize(
    ("script", "code", "complaint"),
    [
        ("import pyarrow.csv", 1, "inference.py has no model_fn, "),
        ("import pyarrow.csv, sys\nsys.exit(7)", 7, ""),
        ("import pyarrow.csv\n1 / 0", 1, "ZeroDivisionError: division by zero\n"),
    ],
)
def test_the_serving_process_keeps_its_exit_code(
    folder: Path, script: str, code: int, complaint: str
) -> None:
    (folder / "inference.py").write_text(script)
    server = ROOT / "sagemaker_local/hosting/server.py"
    places = [folder / "socket", folder, "inference.py", folder / "model"]
    found, out, err = ended(begin([sys.executable, str(server), *map(str, places)], folder))
    assert (found, out) == (code, "")
    assert complaint in err
    assert "taken down" not in err


def test_no_run_aborts_while_others_keep_the_processors_busy(tmp_path: Path) -> None:
    ends = list(run_many(tmp_path, runs=9, at_once=3, rows=200_000))
    assert [code for code, _ in ends] == [0] * 9, ends
    # How often progress is said depends on how long it takes.
    assert len({output.rpartition(" rows ...\n")[2] for _, output in ends}) == 1
