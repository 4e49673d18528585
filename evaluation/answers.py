"""What an artifact answers to a test part, for comparing two versions on the same rows.

    python answers.py ARTIFACT TEST OUTPUT --code inference.py=DIGEST [--code NAME=DIGEST ...]

Scores the Parquet files of the folder TEST as the evaluation does and writes OUTPUT, which
``paired_metrics.py`` reads: a file of NumPy arrays, in an order of the rows that is the same for every
artifact. The artifact's ``code/inference.py`` is run only if the files beside it are those given, by their
SHA-256: whoever runs this says which code they trust.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

if __name__ == "__main__":
    from unneeded_libraries import keep_out, keep_out_parts_of_numpy

    keep_out("pandas", "sklearn")  # before Arrow makes an array and the artifact's code imports XGBoost
    keep_out_parts_of_numpy()

import numpy as np
from artifact import unpack
from input_error import InputError
from process_exit import run_and_exit
from scoring import score, score_numbers


@dataclass(frozen=True)
class GivenAnswers:
    """The answers of one artifact, a row each.

    Attributes:
        classes: their names, texts; none of a regression.
        actual, predicted: indices into ``classes``, or the numbers of a regression.
        scores: of the second of two classes; empty for every other task.
    """

    classes: np.ndarray
    actual: np.ndarray
    predicted: np.ndarray
    scores: np.ndarray

    def write(self, path: Path) -> None:
        with path.open("wb") as file:
            np.savez(
                file,
                classes=self.classes,
                actual=self.actual,
                predicted=self.predicted,
                scores=self.scores,
            )

    @classmethod
    def read(cls, path: Path) -> GivenAnswers:
        with np.load(path, allow_pickle=False) as found:
            return cls(found["classes"], found["actual"], found["predicted"], found["scores"])


def answers_of(archive: Path, test: Path, trusted: Mapping[str, str]) -> GivenAnswers:
    """What an artifact answers to every row.

    Args:
        trusted: the files that ``code`` may hold, each with its SHA-256 in hexadecimal digits.

    Raises:
        InputError: the artifact holds other code, or does not fit the test part.
    """
    with tempfile.TemporaryDirectory(prefix="model-") as folder:
        artifact = Path(folder)
        unpack(archive, artifact)
        for name in ("schema.json", "code/inference.py"):
            if not (artifact / name).is_file():
                raise InputError(f"the artifact holds no {name}")
        code = artifact / "code"
        found = {
            path.relative_to(code).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in code.rglob("*")
            if path.is_file()
        }
        if found != trusted:
            raise InputError("the artifact's folder code is not the code that may be run")
        schema = json.loads((artifact / "schema.json").read_text(encoding="utf-8"))
        classes, nothing = np.array(schema["classes"], dtype=np.str_), np.empty(0)
        if schema["task"] == "regression":
            numbers = score_numbers(artifact, test, schema)
            return GivenAnswers(classes, numbers.actual, numbers.predicted, nothing)
        scored = score(artifact, test, schema, ())
        scores = nothing if scored.scores is None else scored.scores
        return GivenAnswers(classes, scored.actual, scored.predicted, scores)


def main(arguments: Sequence[str] | None = None) -> int:
    """0, or 1 with one line on standard error after an error that its input caused."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("artifact", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--code", action="append", required=True, metavar="NAME=DIGEST")
    options = parser.parse_args(arguments)
    trusted = {name: digest for name, _, digest in (entry.partition("=") for entry in options.code)}
    try:
        found = answers_of(options.artifact, options.test, trusted)
    except InputError as error:
        print(error, file=sys.stderr, flush=True)
        return 1
    found.write(options.output)
    return 0


if __name__ == "__main__":
    run_and_exit(main)
