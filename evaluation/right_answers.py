"""Which rows of a test part an artifact has right, for comparing two versions on the same rows.

    python right_answers.py ARTIFACT TEST OUTPUT --code inference.py=DIGEST [--code NAME=DIGEST ...]

Scores the Parquet files of the folder TEST as the evaluation does and writes a byte for each row into OUTPUT,
in the order of the files: 1 where the answer is right, else 0. The artifact's ``code/inference.py`` is run
only if the files beside it are those given, by their SHA-256: whoever runs this says which code they trust.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from artifact import unpack
from input_error import InputError
from process_exit import run_and_exit
from scoring import score


def right_answers(archive: Path, test: Path, trusted: Mapping[str, str]) -> np.ndarray:
    """A uint8 for each row, 1 where the artifact's answer is right.

    Args:
        trusted: the files that ``code`` may hold, each with its SHA-256 in hexadecimal digits.

    Raises:
        InputError: the artifact holds other code, does not fit the test part, or predicts numbers.
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
        if schema["task"] == "regression":
            raise InputError("a regression predicts numbers, none of which is exactly right")
        scored = score(artifact, test, schema, ())
    return (scored.actual == scored.predicted).astype(np.uint8)


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
        right = right_answers(options.artifact, options.test, trusted)
    except InputError as error:
        print(error, file=sys.stderr, flush=True)
        return 1
    options.output.write_bytes(right.tobytes())
    return 0


if __name__ == "__main__":
    run_and_exit(main)
