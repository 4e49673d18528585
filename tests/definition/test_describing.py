"""The describing program answers one question after the other, in a process that ends with the last."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from aws_formats.errors import GatehouseError
from pipelines.definition.describing import Describing

SETTINGS = {"task": "binary", "target": "left", "positive_class": "yes"}


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    folder.mkdir()
    rows = [f"{i % 17},{i % 5},{'yes' if i % 17 > 8 else 'no'}" for i in range(400)]
    (folder / "churn.csv").write_text("\n".join(["age,calls,left", *rows]) + "\n")
    return folder


@pytest.fixture
def describing() -> Iterator[Describing]:
    with closing(Describing()) as one:
        yield one


def process_of(describing: Describing) -> int:
    assert describing._process
    return describing._process.pid


def _has_been_asked(describing: Describing) -> bool:
    """Whether a question lies in the pipe of a process that is stopped."""
    assert describing._process
    assert describing._process.stdin
    lying = fcntl.ioctl(describing._process.stdin, termios.FIONREAD, b"\0" * 4)
    return int.from_bytes(lying, sys.byteorder) > 0


def test_an_answer_depends_on_its_question_alone(describing: Describing, raw: Path) -> None:
    first = describing.document(raw, SETTINGS)
    process = process_of(describing)
    assert [error["key"] for error in describing.document(raw, {**SETTINGS, "target": "gone"})["errors"]] == [
        "target"
    ]
    assert "classes" not in describing.document(raw, SETTINGS, columns_only=True)
    assert describing.document(raw, {"task": "none"})["errors"]
    assert describing.document(raw, SETTINGS) == first
    assert process_of(describing) == process


def test_threads_are_answered_one_after_the_other(describing: Describing, raw: Path) -> None:
    targets = ["calls", "age"] * 4
    with ThreadPoolExecutor(4) as threads:
        asked = [
            threads.submit(describing.document, raw, {"task": "regression", "target": each})
            for each in targets
        ]
        columns = [one.result()["columns"] for one in asked]
    assert [[c["name"] for c in each if c["role"] == "target"] for each in columns] == [[t] for t in targets]


def test_a_process_that_was_killed_is_started_again(describing: Describing, raw: Path) -> None:
    first = describing.document(raw, SETTINGS)
    process = process_of(describing)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    assert describing.document(raw, SETTINGS) == first
    assert process_of(describing) != process


def test_a_program_that_fails_says_why_and_the_next_question_is_answered(
    describing: Describing, raw: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    with pytest.raises(subprocess.CalledProcessError, match="non-zero exit status 1"):
        describing.document(raw, SETTINGS)
    assert "/nowhere" in capfd.readouterr().err
    monkeypatch.delenv("PYTHONHOME")
    assert describing.document(raw, SETTINGS)["rows"] == 400


def test_a_process_that_is_killed_over_a_question_is_an_error_in_one_line(
    describing: Describing, raw: Path
) -> None:
    describing.document(raw, SETTINGS)
    os.kill(process_of(describing), signal.SIGSTOP)
    with ThreadPoolExecutor(1) as thread:
        asked = thread.submit(describing.document, raw, SETTINGS)
        while not _has_been_asked(describing):
            signal.sigtimedwait([], 0.01)
        os.kill(process_of(describing), signal.SIGKILL)
        with pytest.raises(GatehouseError, match=r"killed by signal 9\. Run the command again"):
            asked.result()
    assert describing.document(raw, SETTINGS)["rows"] == 400


def test_ctrl_c_in_a_terminal_is_for_the_command_alone(describing: Describing, raw: Path) -> None:
    describing.document(raw, SETTINGS)
    assert os.getsid(process_of(describing)) != os.getsid(0)


def test_the_process_ends_with_the_one_that_asks_even_when_that_is_killed(raw: Path) -> None:
    program = (
        "import os, pathlib, sys\n"
        "from pipelines.definition.describing import Describing\n"
        "one = Describing()\n"
        f"one.document(pathlib.Path({str(raw)!r}), {SETTINGS!r})\n"
        "print(one._process.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, timeout=120)
    for _ in range(1200):
        try:
            os.kill(int(done.stdout), 0)
        except ProcessLookupError:
            return
        signal.sigtimedwait([], 0.1)
    raise AssertionError("it is still there")
