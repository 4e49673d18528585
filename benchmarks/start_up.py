"""Does the command line feel light? Its start against importing boto3, which any AWS tool has to do."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import in_turn, process, report

GATEHOUSE = str(Path(sys.executable).parent / "gatehouse")


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "GATEHOUSE_HOME": home}
        boto3 = 'python -c "import boto3"'
        ways = {
            "gatehouse --help": lambda: process([GATEHOUSE, "--help"], environment=environment),
            "gatehouse models": lambda: process([GATEHOUSE, "models", "--json"], environment=environment),
            boto3: lambda: process([sys.executable, "-c", "import boto3"]),
        }
        costs = in_turn(ways, rounds=7)
    for ours in list(ways)[:2]:
        report("Start of the command line", {name: costs[name] for name in (ours, boto3)}, ours, {})


if __name__ == "__main__":
    main()
