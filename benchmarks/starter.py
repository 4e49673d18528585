"""Starts the program that is measured, from a process that is smaller than any program.

The kernel counts what a process was before it became a program as part of its peak memory: started by a
benchmark that holds 200 MB, a program of 50 MB has a peak of 200. So `measure.process` starts this file with
a bare interpreter, and this starts the program. It imports nothing that is large.

    python -I -S benchmarks/starter.py DESCRIPTOR COMMAND ...

writes to the descriptor, as JSON: seconds on the wall, peak memory in MB, processor seconds of all and of the
first thread, and the exit code, negative for a signal.
"""

# ruff: noqa: PTH123
# pathlib is as large as all the rest.
from __future__ import annotations

import json
import os
import sys
import time


def main(descriptor: int, command: list[str]) -> None:
    """Run the command to its end."""
    started = time.perf_counter()
    pid = os.posix_spawnp(command[0], command, os.environ, file_actions=[(os.POSIX_SPAWN_CLOSE, descriptor)])
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # ended, and still to be asked
    with open(f"/proc/{pid}/task/{pid}/stat") as handle:
        fields = handle.read().rpartition(")")[2].split()
    _, status, usage = os.wait4(pid, 0)
    found = {
        "seconds": time.perf_counter() - started,
        "peak_mb": usage.ru_maxrss / 1024,
        "busy": usage.ru_utime + usage.ru_stime,
        "main": (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"),
        "code": os.waitstatus_to_exitcode(status),
    }
    os.write(descriptor, json.dumps(found).encode())


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
