"""Does the command line feel light? Its start against importing boto3, which any AWS tool has to do.

`gatehouse models` is asked of a SageMaker that is kept up, and without one, where it starts its own while it
runs. All are run as installed programs are, with their modules compiled; the first round, which does not
count, sees to that.

The goal, 1.6 of the processor time with a SageMaker that is kept up, is missed: it is 1.8. Most of what
`gatehouse models` needs beyond boto3 is pydantic, which checks the settings, its import twice as much as its
work. A smaller copy of SageMaker's description, kept in a cache, would save about 0.15, but has to know which
operations are used.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import in_turn, process, report

GATEHOUSE = str(Path(sys.executable).parent / "gatehouse")
BOTO3 = 'python -c "import boto3"'


def main() -> None:
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


if __name__ == "__main__":
    main()
