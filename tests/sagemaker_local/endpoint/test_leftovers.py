"""What killed processes leave behind is removed at the next start, and nothing that a living process uses."""

from __future__ import annotations

import fcntl
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from event_places import make_function
from wire_clients import REGION, Client, client_of, server_process, wait_for

from sagemaker_local import endpoint
from sagemaker_local.home import Home, Owner, is_alive

WAITS = """
import os, time

def handler(event, context):
    with open(event["mark"], "w") as mark:
        mark.write(os.environ["TMPDIR"])
    while True:
        time.sleep(0.02)
"""


def waiting_function(url: str) -> tuple[Client, Path]:
    """A function that waits; the client for it, and the folder of its code."""
    functions = client_of(url, "lambda")
    assert make_function(functions, "f", WAITS).endswith(":function:f")
    return functions, Path(functions.get_function(FunctionName="f")["Code"]["Location"])


def call(functions: Client, mark: Path) -> Path:
    """Call the function and return once it runs; its temporary folder."""
    functions.invoke(FunctionName="f", InvocationType="Event", Payload=f'{{"mark": "{mark}"}}'.encode())
    return Path(wait_for(lambda: (mark.read_text() if mark.exists() else "") or None))


def leave_what_belongs_to_nothing(home: Path) -> list[Path]:
    """What a process leaves that is killed while it makes a function or a job, or transforms."""
    left = [
        home / "functions" / REGION / "f" / "code" / "0123456789abcdef",
        home / "jobs" / "training-job" / "never-recorded",
        home / "jobs" / "transform-job" / f"job.{REGION}",
    ]
    for folder in left:
        folder.mkdir(parents=True)
    (left[0] / "code.py").write_text("")
    (left[2] / "output").write_text("half")
    return left


def test_what_a_killed_process_left_is_removed_at_the_next_start(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with server_process(home) as (process, url):
        functions, code = waiting_function(url)
        scratch = call(functions, tmp_path / "mark")
        process.kill()
        process.wait()
    left = [scratch, *leave_what_belongs_to_nothing(home)]
    (dead,) = [path.name for path in (home / "owners").iterdir()]
    unfinished = home / "owners" / f".{os.getpid()}-00000000"
    unfinished.touch()
    assert all(path.exists() for path in left)
    with endpoint.start(home):
        assert [path for path in left if path.exists()] == []
        assert code.exists(), "a function has it"
        assert dead not in [path.name for path in (home / "owners").iterdir()]
        assert not unfinished.exists()


def test_nothing_is_removed_that_a_living_process_uses(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with server_process(home) as (_, url):
        functions, code = waiting_function(url)
        used = [call(functions, tmp_path / "mark"), code, *leave_what_belongs_to_nothing(home)]
        (living,) = list((home / "owners").iterdir())
        with endpoint.start(home):
            assert [path for path in [living, *used] if not path.exists()] == []
            assert is_alive(Home(home), living.name)


def test_a_process_that_starts_waits_while_another_is_alone(tmp_path: Path) -> None:
    home = Home(tmp_path).create()
    first = Owner(home)
    with ThreadPoolExecutor() as pool:
        with first.alone() as is_alone:
            assert is_alone
            adding = pool.submit(Owner, home)
            with pytest.raises(TimeoutError):
                adding.result(timeout=0.3)
        second = adding.result()
    with first.alone() as is_alone:
        assert not is_alone
    second.release()
    with first.alone() as is_alone:
        assert is_alone
    first.release()


def test_several_look_at_a_dead_owner_at_once_and_none_takes_another_for_it(tmp_path: Path) -> None:
    home = Home(tmp_path).create()
    owner = Owner(home)
    os.close(owner._descriptor)  # as a death does
    held = os.open(home.owners / owner.name, os.O_RDWR)
    try:
        fcntl.flock(held, fcntl.LOCK_SH)  # as another process holds it that looks
        assert not is_alive(home, owner.name)
    finally:
        os.close(held)


def test_temporary_folders_of_other_homes_stay(tmp_path: Path) -> None:
    other = Path(tempfile.mkdtemp(prefix="function-1-00000000-"))
    try:
        with endpoint.start(tmp_path):
            assert other.exists()
    finally:
        other.rmdir()
