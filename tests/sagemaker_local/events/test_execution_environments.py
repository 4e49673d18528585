"""Functions are kept warm: what stays from one invocation to the next, and what ends an environment."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from event_places import make_function, zipped
from wire_clients import Client, client_of, lives, server_process, wait_for

from sagemaker_local import clocks, endpoint
from sagemaker_local.events import functions
from sagemaker_local.events.execution_environment import ExecutionEnvironment
from sagemaker_local.stacks.templates import Template

COUNTS = """
import os, pathlib, subprocess, sys, time

calls = []

def handler(event, context):
    calls.append(event)
    print("call", len(calls), event)
    mark = pathlib.Path(os.environ["TMPDIR"], "mark")
    found = mark.read_text() if mark.exists() else None
    mark.write_text(str(event))
    if event == "raise":
        raise ValueError("asked to")
    if event == "exit":
        sys.exit(3)
    if event == "leave":
        os._exit(0)
    if event == "crash":
        os.kill(os.getpid(), 9)
    if event == "large":
        return "x" * (7 << 20)
    if isinstance(event, dict):
        child = subprocess.Popen(["sleep", "600"])
        pathlib.Path(event["child"]).write_text(f"{child.pid} ")
        time.sleep(event["seconds"])
    return [os.getpid(), len(calls), found]
"""


class Invoked:
    """What one invocation answered."""

    def __init__(self, lambdas: Client, name: str, event: Any) -> None:
        answer = lambdas.invoke(FunctionName=name, Payload=json.dumps(event).encode(), LogType="Tail")
        self.failed = answer.get("FunctionError")
        self.payload = json.loads(answer["Payload"].read())
        self.log = base64.b64decode(answer["LogResult"]).decode()


@pytest.fixture
def invoke(lambdas: Client, name: str) -> Callable[[Any], Any]:
    """Invokes the test's function and returns what it answered."""

    def call(event: Any) -> Any:
        answered = Invoked(lambdas, name, event)
        assert answered.failed is None, answered.payload
        return answered.payload

    return call


def wait_for_end(pid: int) -> None:
    wait_for(lambda: None if lives(pid) else True)


def child_in(path: Path) -> int:
    """The process that a handler has started and whose id it has written."""
    return int(wait_for(lambda: (path.read_text() if path.exists() else "").partition(" ")[0] or None))


def test_globals_and_temporary_files_stay_from_one_invocation_to_the_next(
    function: Callable[..., str], invoke: Callable[[Any], Any]
) -> None:
    function(COUNTS)
    pid, *first = invoke("a")
    assert first == [1, None]
    assert invoke("b") == [pid, 2, "a"]
    assert invoke("c") == [pid, 3, "b"]


def test_a_handler_that_raises_leaves_its_environment_as_it_is(
    lambdas: Client, name: str, function: Callable[..., str], invoke: Callable[[Any], Any]
) -> None:
    function(COUNTS)
    pid = invoke("a")[0]
    raised = Invoked(lambdas, name, "raise")
    assert raised.failed == "Unhandled"
    assert raised.payload.keys() == {"errorMessage", "errorType", "stackTrace", "requestId"}
    assert (raised.payload["errorType"], raised.payload["errorMessage"]) == ("ValueError", "asked to")
    assert "ValueError: asked to" in raised.log
    assert raised.payload["requestId"] in raised.log
    assert invoke("b") == [pid, 3, "raise"]


def test_an_answer_that_is_too_large_is_an_error_and_the_next_is_not(
    lambdas: Client, name: str, function: Callable[..., str], invoke: Callable[[Any], Any]
) -> None:
    function(COUNTS, Timeout=30)
    pid = invoke("a")[0]
    assert Invoked(lambdas, name, "large").payload["errorType"] == "Function.ResponseSizeTooLarge"
    assert invoke("b")[0] == pid


@pytest.mark.parametrize(
    ("event", "how"),
    [
        ("exit", "Runtime exited with error: exit status 3"),
        ("leave", "Runtime exited without providing a reason"),
        ("crash", "Runtime exited with error: signal: killed"),
    ],
)
def test_a_process_that_ends_is_an_error_in_lambdas_words_and_another_takes_the_next_event(
    lambdas: Client,
    name: str,
    function: Callable[..., str],
    invoke: Callable[[Any], Any],
    event: str,
    how: str,
) -> None:
    function(COUNTS)
    pid = invoke("a")[0]
    ended = Invoked(lambdas, name, event)
    assert (ended.failed, ended.payload["errorType"]) == ("Unhandled", "Runtime.ExitError")
    assert ended.payload["errorMessage"].endswith(f" Error: {how}")
    assert ended.log.splitlines()[-1] == ended.payload["errorMessage"]
    other, *fresh = invoke("b")
    assert other != pid
    assert fresh == [1, None]


def test_an_environment_that_is_killed_while_it_waits_is_replaced_without_an_error(
    function: Callable[..., str], invoke: Callable[[Any], Any]
) -> None:
    function(COUNTS)
    pid = invoke("a")[0]
    os.kill(pid, signal.SIGKILL)
    wait_for_end(pid)
    assert invoke("b")[1:] == [1, None]


def test_a_time_out_ends_the_environment_and_what_it_has_started(
    lambdas: Client, name: str, function: Callable[..., str], invoke: Callable[[Any], Any], tmp_path: Path
) -> None:
    function(COUNTS, Timeout=2)
    pid = invoke("a")[0]
    late = Invoked(lambdas, name, {"child": str(tmp_path / "child"), "seconds": 60})
    assert late.payload["errorType"] == "Sandbox.Timedout"
    assert late.payload["errorMessage"].endswith("Task timed out after 2.00 seconds")
    assert not lives(pid)
    wait_for_end(child_in(tmp_path / "child"))
    assert invoke("b")[1:] == [1, None]


def test_a_process_that_forked_and_ended_is_known_to_have_ended_while_its_child_lives(
    lambdas: Client, name: str, function: Callable[..., str]
) -> None:
    function(
        """
        import os, time

        def handler(event, context):
            if os.fork() == 0:
                time.sleep(300)
            os._exit(1)
        """,
        Timeout=200,
    )
    assert Invoked(lambdas, name, None).payload["errorType"] == "Runtime.ExitError"


def test_code_that_cannot_be_loaded_is_loaded_anew_by_the_next_invocation(
    lambdas: Client, name: str, function: Callable[..., str], invoke: Callable[[Any], Any], tmp_path: Path
) -> None:
    function(
        f"""
        import pathlib

        print("loading")
        if not pathlib.Path({str(tmp_path / "ready")!r}).exists():
            raise RuntimeError("not yet")

        def handler(event, context):
            return "loaded"
        """
    )
    for _ in range(2):
        failed = Invoked(lambdas, name, None)
        assert (failed.payload["errorType"], failed.payload["errorMessage"]) == ("RuntimeError", "not yet")
        assert failed.log.splitlines()[1] == "loading"
        assert failed.log.splitlines()[-1] == "RuntimeError: not yet"
    (tmp_path / "ready").touch()
    assert invoke(None) == "loaded"


def test_a_timeout_begins_when_the_code_is_loaded(
    function: Callable[..., str], invoke: Callable[[Any], Any]
) -> None:
    function("import time\ntime.sleep(2)\ndef handler(event, context):\n    return 'loaded'\n", Timeout=1)
    assert invoke(None) == "loaded"


def test_each_environment_takes_one_event_at_a_time_and_those_that_wait_are_used_again(
    lambdas: Client, name: str, function: Callable[..., str], tmp_path: Path
) -> None:
    function(
        """
        import os, pathlib, time

        def handler(event, context):
            folder = pathlib.Path(event["folder"])
            (folder / event["name"]).touch()
            while len(list(folder.iterdir())) < event["together"]:
                time.sleep(0.02)
            print("called", event["name"])
            return [os.getpid(), context.log_stream_name]
        """,
        Timeout=60,
    )

    def call(number: int, folder: str, together: int) -> Invoked:
        (tmp_path / folder).mkdir(exist_ok=True)
        event = {"folder": str(tmp_path / folder), "name": str(number), "together": together}
        return Invoked(lambdas, name, event)

    with ThreadPoolExecutor(3) as callers:
        first = list(callers.map(lambda number: call(number, "first", 3), range(3)))
        again = list(callers.map(lambda number: call(number, "again", 3), range(3)))
    environments = {tuple(one.payload) for one in first}
    assert len({pid for pid, _ in environments}) == len({stream for _, stream in environments}) == 3
    assert {tuple(one.payload) for one in again} == environments
    for number, one in enumerate((*first, *again)):
        begun, printed = one.log.splitlines()
        assert begun.startswith("START RequestId: ")
        assert printed == f"called {number % 3}"


def test_other_code_and_other_settings_have_environments_of_their_own_at_once(
    lambdas: Client, name: str, function: Callable[..., str], invoke: Callable[[Any], Any]
) -> None:
    function(COUNTS)
    first = invoke("a")[0]
    lambdas.update_function_code(FunctionName=name, ZipFile=zipped({"code.py": COUNTS}))
    second, *fresh = invoke("b")
    assert fresh == [1, None]
    lambdas.update_function_configuration(FunctionName=name, Environment={"Variables": {"OTHER": "b"}})
    third, *fresh = invoke("c")
    assert fresh == [1, None]
    lambdas.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=1)
    assert invoke("d") == [third, 2, "c"]
    for pid in (first, second):
        wait_for_end(pid)


def test_code_that_is_changed_where_it_lies_is_loaded_anew(tmp_path: Path) -> None:
    code = tmp_path / "code"
    code.mkdir()
    (code / "own.py").write_text(
        "import os\nimport part\ndef handle(*_):\n    return [os.getpid(), part.WORD]\n"
    )
    (code / "part.py").write_text("WORD = 'before'\n")
    template = tmp_path / "template.yaml"
    function = {"FunctionName": "f", "Handler": "own.handle", "Runtime": "python3.12", "Code": str(code)}
    resources = {"F": {"Type": "AWS::Lambda::Function", "Properties": function}}
    template.write_text(json.dumps({"Resources": resources}))
    with endpoint.start(tmp_path / "home", templates=[Template(template, {}, "eu-west-1")]) as local:
        lambdas = client_of(local.url, "lambda")
        before = Invoked(lambdas, "f", None).payload
        assert Invoked(lambdas, "f", None).payload == before
        (code / "part.py").write_text("WORD = 'after'\n")
        after = Invoked(lambdas, "f", None).payload
        assert (before[1], after[1]) == ("before", "after")
        wait_for_end(before[0])


def test_what_a_handler_sets_in_its_environment_stays_there(
    lambdas: Client, name: str, function: Callable[..., str]
) -> None:
    source = """
    import os

    def handler(event, context):
        own = {key: value for key, value in os.environ.items() if key.startswith(("OWN", "AWS_ACCESS"))}
        os.environ.update(AWS_ACCESS_KEY_ID=event, OWN_SECRET=event)
        return own
    """
    for one in ("first", "second"):
        function(source, FunctionName=f"{name}-{one}", Environment={"Variables": {"OWN": one}})
        own = Invoked(lambdas, f"{name}-{one}", f"of {one}").payload
        assert own == {"OWN": one, "AWS_ACCESS_KEY_ID": "local"}
    again = Invoked(lambdas, f"{name}-first", "")
    assert again.payload == {"OWN": "first", "AWS_ACCESS_KEY_ID": "of first", "OWN_SECRET": "of first"}


def test_an_environment_that_waits_for_long_and_one_whose_function_is_deleted_end(
    local: endpoint.Endpoint,
    lambdas: Client,
    name: str,
    function: Callable[..., str],
    invoke: Callable[[Any], Any],
) -> None:
    arn = function(COUNTS)
    pid = invoke("a")[0]
    (waits,) = [
        one for one in local._operations.components.functions._idle if one.document["FunctionArn"] == arn
    ]
    assert 0 <= clocks.uptime() - waits.idle_since < functions.IDLE_SECONDS
    waits.idle_since -= functions.IDLE_SECONDS
    wait_for_end(pid)
    other, *fresh = invoke("b")
    assert fresh == [1, None]
    lambdas.delete_function(FunctionName=name)
    wait_for_end(other)


def test_of_many_environments_that_wait_those_that_have_waited_longest_end(
    lambdas: Client, name: str, function: Callable[..., str]
) -> None:
    pids = []
    for number in range(functions.MOST_IDLE + 2):
        function(COUNTS, FunctionName=f"{name}-{number}")
        pids.append(Invoked(lambdas, f"{name}-{number}", "a").payload[0])
    for pid in pids[:2]:
        wait_for_end(pid)
    assert all(lives(pid) for pid in pids[2:])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_environments_end_with_their_server_and_so_does_what_they_have_started(
    tmp_path: Path, number: signal.Signals
) -> None:
    with server_process(tmp_path / "home") as (server, url):
        lambdas = client_of(url, "lambda")
        make_function(lambdas, "f", COUNTS, Timeout=60)
        busy = {"child": str(tmp_path / "of-busy"), "seconds": 600}
        lambdas.invoke(FunctionName="f", InvocationType="Event", Payload=json.dumps(busy).encode())
        children = [child_in(tmp_path / "of-busy")]
        waits = Invoked(lambdas, "f", {"child": str(tmp_path / "of-idle"), "seconds": 0}).payload[0]
        children.append(child_in(tmp_path / "of-idle"))
        assert all(lives(pid) for pid in (waits, *children))
        server.send_signal(number)
        server.wait()
        for pid in (waits, *children):
            wait_for_end(pid)


KILLS_WHAT_BEGINS = """
import os, sys
begun_by, itself = int(sys.argv[1]), os.getpid()
session = os.getsid(begun_by)
print("ready", flush=True)
while True:
    with open(f"/proc/{begun_by}/task/{begun_by}/children") as children:
        for pid in map(int, children.read().split()):
            try:
                if pid != itself and os.getsid(pid) == session:
                    os.kill(pid, 9)
            except ProcessLookupError:
                pass
"""


def test_a_process_that_is_killed_before_it_has_begun_is_ended_like_any_other(tmp_path: Path) -> None:
    """Something kills it before it is a process group of its own; with most of these it is in time."""
    (tmp_path / "place.py").write_text("def handle(event, context): return 1")
    document = {
        "FunctionName": "place",
        "FunctionArn": "arn:aws:lambda:eu-west-1:000000000000:function:place",
        "Handler": "place.handle",
        "MemorySize": 128,
        "Timeout": 3,
        "_Code": str(tmp_path),
    }
    killing = [sys.executable, "-c", KILLS_WHAT_BEGINS, str(os.getpid())]
    with subprocess.Popen(killing, stdout=subprocess.PIPE) as killer:
        assert killer.stdout
        assert killer.stdout.readline()
        statuses = []
        try:
            for _ in range(20):
                environment = ExecutionEnvironment(
                    document, tmp_path / "log", "stream", "scratch-", "http://x"
                )
                environment.prepare()
                environment.stop()
                statuses.append(environment.end())
        finally:
            killer.kill()
    assert set(statuses) == {-signal.SIGKILL}
