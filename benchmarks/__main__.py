"""`python -m benchmarks [NAME [OPTIONS]]`: all of them, or one with its own options."""

from __future__ import annotations

import sys

from benchmarks import (
    capture,
    evaluation,
    listing,
    load,
    object_store,
    preprocessing,
    serving,
    start_up,
    studio,
    throughput,
    training,
    whole_run,
    writers,
)

BENCHMARKS = {
    "start_up": lambda _: start_up.main(),
    "listing": listing.main,
    "writers": writers.main,
    "load": load.main,
    "object_store": lambda _: object_store.main(),
    "preprocessing": preprocessing.main,
    "training": training.main,
    "throughput": throughput.main,
    "evaluation": evaluation.main,
    "serving": serving.main,
    "capture": capture.main,
    "studio": studio.main,
    "whole_run": whole_run.main,
}


def main() -> None:
    name, *options = sys.argv[1:] or [""]
    if name in ("-h", "--help"):
        print(__doc__, "\nNames:", ", ".join(BENCHMARKS))
    elif name in BENCHMARKS:
        BENCHMARKS[name](options)
    elif name:
        sys.exit(f"benchmarks: no benchmark '{name}'; there are {', '.join(BENCHMARKS)}")
    else:
        for run in BENCHMARKS.values():
            run([])


if __name__ == "__main__":
    main()
