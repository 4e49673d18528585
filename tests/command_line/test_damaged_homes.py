"""Whatever lies where the local SageMaker keeps its state: a command says it in one line, or works."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from installed_command import Finished

from sagemaker_local import advertisement, endpoint
from sagemaker_local.errors import CannotStart
from sagemaker_local.home import Home

Command = Callable[..., Finished]
COMMANDS = (("local", "status"), ("models",), ("local", "down"), ("local", "reset", "--yes"))
PLACES = (
    "state.db",
    "endpoint.json",
    "endpoint.lock",
    "reserve",
    "owners",
    "owners.lock",
    "s3",
    "jobs",
    "functions",
)
AS_ROOT_BOUND_BY_MODES = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--inh-caps", "-all"]


def garble(path: Path) -> None:
    """Put something else where a file or a folder of the state is."""
    if path.is_dir():
        shutil.rmtree(path)
        path.write_text("no folder\n")
    else:
        path.write_bytes(b"\x00garbage\xff" * 600)


def empty(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.write_bytes(b"")


def turn(path: Path) -> None:
    """A folder with a file in it where a file was, and the other way round."""
    if path.is_dir():
        shutil.rmtree(path)
        path.write_bytes(b"")
    else:
        path.unlink(missing_ok=True)
        path.mkdir()
        (path / "in the way").write_text("")


@pytest.fixture
def home(workplace: Path) -> Path:
    """A home that was used."""
    with endpoint.start(workplace / ".gatehouse", advertise=True):
        pass
    (workplace / ".gatehouse" / "endpoint.json").write_text("{}")
    return workplace / ".gatehouse"


def in_one_line(done: Finished) -> bool:
    """Whether the command worked, or said in a few words why not."""
    return "Traceback" not in done.err and done.code in (0, 1)


@pytest.mark.parametrize("damage", [garble, empty, turn])
@pytest.mark.parametrize("place", PLACES)
def test_a_damaged_part_of_the_state_is_no_traceback(
    gatehouse: Command, home: Path, place: str, damage: Callable[[Path], None]
) -> None:
    damage(home / place)
    for words in COMMANDS:
        done = gatehouse(*words)
        assert in_one_line(done), done.err


@pytest.mark.parametrize(
    "content",
    [
        *("{}", "[]", "null", "7", "", '"x"', "{", "[" * 100_000, '{"url": 1, "pid": [], "owner": {}}'),
        '{"url": "http://127.0.0.1:1", "pid": -1, "owner": "../state.db"}',
        '{"url": "http://127.0.0.1:1", "pid": -1, "owner": "1-00000000"}',
    ],
)
def test_a_broken_advertisement_is_none(home: Path, content: str) -> None:
    (home / "endpoint.json").write_text(content)
    assert advertisement.running(home) is None
    assert (home / "state.db").exists()


@pytest.mark.parametrize("words", [("local", "up"), *COMMANDS])
def test_a_home_that_is_a_file_is_said_so(
    gatehouse: Command, workplace: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setenv("GATEHOUSE_HOME", str(workplace / "churn.csv"))
    done = gatehouse(*words)
    assert done.code == 1
    assert in_one_line(done), done.err
    assert "churn.csv" in done.err


def test_a_home_of_a_user_that_there_is_not_is_said_so(
    gatehouse: Command, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert workplace.is_dir()
    monkeypatch.setenv("GATEHOUSE_HOME", "~nobody-of-this-name/x")
    done = gatehouse("local", "status")
    assert (done.code, in_one_line(done)) == (1, True), done.err


@pytest.mark.skipif(os.geteuid() == 0 and shutil.which("setpriv") is None, reason="root may write anywhere")
@pytest.mark.parametrize("mode", [0o500, 0o000], ids=["read only", "closed"])
@pytest.mark.parametrize("words", [("local", "up"), ("models",), ("local", "status")])
def test_a_home_that_cannot_be_written_is_said_so(home: Path, mode: int, words: tuple[str, ...]) -> None:
    home.chmod(mode)
    bound = AS_ROOT_BOUND_BY_MODES if os.geteuid() == 0 else []
    try:
        ended = subprocess.run(
            [*bound, sys.executable, "-m", "pipelines", *words], capture_output=True, text=True
        )
    finally:
        home.chmod(0o700)
    done = Finished(ended.returncode, ended.stdout, ended.stderr)
    assert in_one_line(done), done.err
    assert done.code == 1 or (mode and words[-1] != "up")


def test_a_home_that_was_open_to_others_is_closed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    home.chmod(0o755)
    for name in ("state.db", "endpoint.log"):
        (home / name).write_bytes(b"")
        (home / name).chmod(0o644)
    (home / "jobs").mkdir()
    (home / "jobs").chmod(0o777)
    with endpoint.start(home):
        found = [home, *(home / name for name in ("state.db", "endpoint.log", "jobs"))]
        assert [path for path in found if path.stat().st_mode & 0o077] == []


def test_a_home_in_a_repository_is_none_of_its_files(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    endpoint.start(tmp_path / ".gatehouse").close()
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "notes.txt").write_text("x")
    endpoint.start(tmp_path / "own").close()
    command = ["git", "-C", str(tmp_path), "status", "--porcelain", "--untracked-files=all"]
    seen = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert ".gatehouse" not in seen
    assert "own/notes.txt" in seen


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_home_of_somebody_else_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, 65534, 65534)
    with pytest.raises(CannotStart, match="belongs to another user"):
        endpoint.start(home)


def test_a_process_of_its_own_writes_nothing_that_others_can_read(
    gatehouse: Command, workplace: Path
) -> None:
    before = os.umask(0)
    try:
        assert gatehouse("local", "up").code == 0
        found = {
            path: stat.S_IMODE(path.stat().st_mode) for path in Home(workplace / ".gatehouse").root.rglob("*")
        }
    finally:
        os.umask(before)
        gatehouse("local", "down")
    assert found
    assert {path: oct(mode) for path, mode in found.items() if mode & 0o077} == {}
