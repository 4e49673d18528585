"""Counts on their way from one host to another: a tree of plain values and arrays as one file.

A zip archive with ``state.json``, the tree, in which ``{"array": "7"}`` stands for the member ``7.arrow``, an
Arrow stream. Nothing in it is code: it is read without being run.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

State = Mapping[str, Any]
"""What JSON knows (infinite numbers, too), numpy arrays of one dimension, Arrow tables; keys are texts."""

_TREE = "state.json"


def write_state(path: Path, state: State) -> None:
    """Write the tree; the same one gives the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        count = 0

        def kept(value: Any) -> Any:
            nonlocal count
            if isinstance(value, Mapping):
                return {name: kept(one) for name, one in value.items()}
            if not isinstance(value, (np.ndarray, pa.Table)):
                return value
            table = value if isinstance(value, pa.Table) else pa.table({"": value})
            stream = io.BytesIO()
            with pa.ipc.new_stream(stream, table.schema) as writer:
                writer.write_table(table)
            archive.writestr(zipfile.ZipInfo(f"{count}.arrow"), stream.getvalue(), zipfile.ZIP_DEFLATED, 1)
            count += 1
            return {"array" if isinstance(value, np.ndarray) else "table": str(count - 1)}

        tree = json.dumps(kept(state))
        archive.writestr(zipfile.ZipInfo(_TREE), tree, zipfile.ZIP_DEFLATED, 1)


def read_state(path: Path) -> State:
    """The tree that ``write_state`` wrote."""
    with zipfile.ZipFile(path) as archive:

        def given(value: Any) -> Any:
            if not isinstance(value, dict):
                return value
            kind, name = next(iter(value.items())) if len(value) == 1 else ("", None)
            if kind not in ("array", "table") or not isinstance(name, str):
                return {key: given(one) for key, one in value.items()}
            table = pa.ipc.open_stream(archive.read(f"{name}.arrow")).read_all()
            return table if kind == "table" else table[0].to_numpy()

        found: State = given(json.loads(archive.read(_TREE)))
        return found
