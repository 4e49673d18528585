"""Does what starts often feel light? The command line, against importing boto3, which any AWS tool has to do.

`gatehouse models` is asked of a SageMaker that is kept up, and without one, where it starts its own while it
runs. All are run as installed programs are, with their modules compiled; the first round, which does not
count, sees to that.

The goal, 1.6 of the processor time with a SageMaker that is kept up, is missed by a little: 1.69 (2.3 to 2.5
without one). Most of what `gatehouse models` needs beyond boto3 is pydantic, which checks the settings, its
import twice as much as its work; without a SageMaker it is the import of the local one. Left out on purpose:
copies of botocore's descriptions without their documentation, in a cache folder, would save 0.08, and clients
without AWS's list of hosts, which only a private name of botocore's allows, 0.06.

And a Lambda function of the local SageMaker: an invocation that finds it warm, against one that loads code.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from benchmarks.measure import Cost, in_turn, process, report, timed
from benchmarks.object_store import busy, free_port, local_sagemaker, server

GATEHOUSE = str(Path(sys.executable).parent / "gatehouse")
BOTO3 = 'python -c "import boto3"'

_ROUNDS, _WARM = 7, 20
"""And how often a warm function is invoked in a round: once takes less than can be read."""

_FUNCTION = """
import boto3

queues = boto3.client("sqs")

def handler(event, context):
    return queues.list_queues()["ResponseMetadata"]["HTTPStatusCode"]
"""


def main() -> None:
    _command_line()
    _function()


def _command_line() -> None:
    with tempfile.TemporaryDirectory() as up, tempfile.TemporaryDirectory() as down:
        # Under PYTHONDONTWRITEBYTECODE every run would compile what it imports.
        plain = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
        kept_up, alone = ({**plain, "GATEHOUSE_HOME": home} for home in (up, down))
        ways = {
            "gatehouse --help": lambda: process([GATEHOUSE, "--help"], environment=plain),
            "gatehouse models": lambda: process([GATEHOUSE, "models", "--json"], environment=kept_up),
            "gatehouse models, none up": lambda: process([GATEHOUSE, "models", "--json"], environment=alone),
            BOTO3: lambda: process([sys.executable, "-c", "import boto3"], environment=plain),
        }
        subprocess.run([GATEHOUSE, "local", "up"], env=kept_up, stdout=subprocess.DEVNULL, check=True)
        try:
            in_turn(ways, rounds=1)
            costs = in_turn(ways, rounds=9)
        finally:
            subprocess.run([GATEHOUSE, "local", "down"], env=kept_up, stdout=subprocess.DEVNULL, check=True)
    for ours in list(ways)[:-1]:
        report("Start of the command line", {name: costs[name] for name in (ours, BOTO3)}, ours, {})


def _function() -> None:
    """An invocation over the wire; processor time is that of the local SageMaker and of the function."""
    import boto3

    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("code.py", _FUNCTION)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as home, server(local_sagemaker(Path(home), port), url) as (_, pid):
        place = {"endpoint_url": url, "region_name": "eu-west-1"}
        keys = {"aws_access_key_id": "benchmark", "aws_secret_access_key": "benchmark"}
        functions = boto3.client("lambda", **place, **keys)
        functions.create_function(
            FunctionName="f",
            Runtime="python3.12",
            Role="arn:aws:iam::000000000000:role/local",
            Handler="code.handler",
            Timeout=60,
            Code={"ZipFile": code.getvalue()},
        )

        def invoke(times: int = 1) -> Cost:
            before = _busy(pid)
            seconds = timed(lambda: [_invoke(functions) for _ in range(times)]).seconds
            return Cost(seconds / times, busy=(_busy(pid) - before) / times)

        def invoke_anew() -> Cost:
            functions.update_function_configuration(FunctionName="f", Description="another")
            return invoke()

        invoke()
        warm, cold = "its environment is warm", "its code is loaded first"
        costs = in_turn({warm: lambda: invoke(_WARM), cold: invoke_anew}, _ROUNDS)
    report("An invocation of a function that uses boto3", costs, warm, {})


def _invoke(functions: Any) -> None:
    answer = functions.invoke(FunctionName="f")["Payload"].read()
    if answer != b"200":
        raise SystemExit(f"benchmark: the function answered {answer!r}")


def _busy(pid: int) -> float:
    """Processor seconds of a process and of its children, those that live among them."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    living = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    return busy(pid, with_children=True) + sum(map(busy, living))


if __name__ == "__main__":
    main()
