"""`python -m benchmarks [NAME [OPTIONS]]`: one of them with its own options, or all, into `results.md`."""

from __future__ import annotations

import sys

from benchmarks import (
    capture,
    evaluation,
    guard,
    listing,
    load,
    object_store,
    preprocessing,
    results,
    scale,
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
    "object_store": object_store.main,
    "preprocessing": preprocessing.main,
    "training": training.main,
    "throughput": throughput.main,
    "evaluation": evaluation.main,
    "serving": serving.main,
    "capture": capture.main,
    "studio": studio.main,
    "whole_run": whole_run.main,
    "scale": scale.main,
}
"""What `python -m benchmarks` runs; the guard is CI's alone."""


def main() -> None:
    name, *options = sys.argv[1:] or [""]
    if name in ("-h", "--help"):
        print(__doc__, "\nNames:", ", ".join([*BENCHMARKS, "guard", "results"]))
    elif name in BENCHMARKS:
        BENCHMARKS[name](options)
    elif name == "guard":
        guard.main(options)
    elif name in ("", "results"):
        results.main(list(BENCHMARKS), options)
    else:
        sys.exit(
            f"benchmarks: no benchmark '{name}'; there are {', '.join([*BENCHMARKS, 'guard', 'results'])}"
        )


if __name__ == "__main__":
    main()
