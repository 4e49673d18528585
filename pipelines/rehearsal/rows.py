"""A project's own data, divided into a past and a future: what is known at the beginning, and what will come.

The rows are read by the project's own preprocessing, so they are what training would see. One half is the
source at the beginning. From the other half come the requests, so that no model has seen them before; once
all have come, they come again in another order. Labels that have come push the oldest rows out of the source,
which stays as large as it was: a table of the newest rows whose truth is known.

Drift changes one column of the requests and nothing else, so that what the column says of the target stays
in it: a number is shifted, a category is written otherwise. A model of the old rows then errs, and one that
is trained with the new ones is as good as the first was.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aws_formats.errors import GatehouseError
from pipelines import ROOT
from pipelines.definition.bundles import dataset_settings
from pipelines.definition.dataset import local_files
from pipelines.definition.first_parts import lay_out
from pipelines.definition.look import stored_files
from pipelines.settings.project import Kind, Project
from registry.invocations import PARQUET, Payload

if TYPE_CHECKING:
    import pyarrow as pa

MOST_ROWS = 8_000
"""Of larger data a part is drawn: the time goes into processes, not into rows."""

LEAST_ROWS = 400
"""Below, half of the data is too little to train and to judge by."""

_PROGRAM = ROOT / "processing" / "preprocess.py"
_PARTS = ("train", "validation", "test")
_NEW_SPELLING = "*"


@dataclass(frozen=True)
class Rows:
    """The project's rows, typed, in a random order.

    Attributes:
        past: what the source holds at the beginning.
        future: what requests are drawn from; the same columns.
        kinds: of each feature, the settings' word for it.
    """

    past: pa.Table
    future: pa.Table
    target: str
    kinds: dict[str, Kind]


@dataclass(frozen=True)
class Drift:
    """What becomes of a column: ``shift`` is added to a number; a category gets another spelling if None."""

    column: str
    shift: float | None

    @property
    def in_words(self) -> str:
        if self.shift is None:
            return f"{self.column} is written otherwise: each value ends with {_NEW_SPELLING!r}"
        return f"{self.column} is {self.shift:+.4g}"


def read_rows(project: Project, seed: int) -> Rows:
    """Read a project's data as its preprocessing does, and divide it.

    Raises:
        GatehouseError: the data is not on this machine, cannot be read, or is too little.
    """
    import numpy as np
    import pyarrow.dataset as ds

    if project.data.source.startswith("s3://"):
        raise GatehouseError(
            "a rehearsal takes its rows from files on this machine",
            where=project.data.source,
            remedy="Name a copy of the data, or of a part of it, as source",
        )
    draw = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory(prefix="gatehouse-rehearsal-") as folder:
        output = _preprocessed(project, Path(folder))
        schema = json.loads((output / "schema" / "schema.json").read_text(encoding="utf-8"))
        kinds = {feature["name"]: feature["kind"] for feature in schema["features"]}
        parts = ds.dataset([path for part in _PARTS for path in sorted((output / part).glob("*.parquet"))])
        total = parts.count_rows()
        if total < LEAST_ROWS:
            raise GatehouseError(
                f"there are {total:,} rows; a rehearsal takes {LEAST_ROWS} at least",
                where=project.data.source,
            )
        chosen = np.sort(draw.permutation(total)[:MOST_ROWS])
        table = _without_dictionaries(parts.take(chosen, columns=[*kinds, schema["target"]]))
    order = draw.permutation(len(table))
    half = len(order) // 2
    return Rows(table.take(order[:half]), table.take(order[half:]), schema["target"], kinds)


def _preprocessed(project: Project, folder: Path) -> Path:
    """Run the project's preprocessing over its data; where its output lies."""
    inputs = folder / "processing" / "input"
    (inputs / "raw").mkdir(parents=True)
    (inputs / "settings").mkdir()
    files = stored_files(local_files(project))
    lay_out(files, inputs / "raw", most_bytes=None, quote=project.data.quote)
    settings = json.dumps(dataset_settings(project))
    (inputs / "settings" / "dataset.json").write_text(settings, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(_PROGRAM), "--opt-ml", str(folder)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        message = folder / "output" / "message"
        said = message.read_text(encoding="utf-8") if message.is_file() else done.stderr.strip()
        said = said or f"its program was killed by signal {-done.returncode}"
        raise GatehouseError(f"the data cannot be read: {said}", where=project.data.source)
    return folder / "processing" / "output"


def _without_dictionaries(table: pa.Table) -> pa.Table:
    import pyarrow as pa

    fields = [
        field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field
        for field in table.schema
    ]
    return table.cast(pa.schema(fields))


def requests(rows: Rows, count: int, seed: int) -> Iterator[pa.Table]:
    """So many rows again and again, without end: all of the future, then all of it in another order."""
    import numpy as np

    draw, waiting = np.random.default_rng([seed, 1]), np.empty(0, np.int64)
    while True:
        while len(waiting) < count:
            waiting = np.concatenate([waiting, draw.permutation(len(rows.future))])
        yield rows.future.take(waiting[:count])
        waiting = waiting[count:]


def find_drift(rows: Rows, column: str | None, size: float) -> Drift:
    """What a drift does.

    Args:
        column: which drifts; if None the number that goes with the target most, else a category.
        size: of a number's shift, in standard deviations.

    Raises:
        GatehouseError: there is no such column, or none that can drift.
    """
    fitting = {name: kind for name, kind in rows.kinds.items() if kind in ("number", "category")}
    if column is None:
        numbers = [name for name, kind in fitting.items() if kind == "number"]
        chosen = max(numbers, key=lambda name: _explained(rows, name), default=next(iter(fitting), None))
    else:
        chosen = column if column in fitting else None
    if chosen is None and not fitting:
        raise GatehouseError(
            "no feature is a number or a category, so none can drift", remedy="Rehearse with --no-drift"
        )
    if chosen is None:
        raise GatehouseError(
            f"{column!r} is no feature that can drift",
            remedy=f"Name a number or a category: {', '.join(list(fitting)[:20])}",
        )
    if fitting[chosen] == "category":
        return Drift(chosen, None)
    import pyarrow as pa
    import pyarrow.compute as pc

    values = rows.past[chosen]
    shift = size * float(pc.stddev(values).as_py() or 1.0)
    if pa.types.is_integer(values.type):
        shift = float(round(shift) or (1 if size > 0 else -1))
    return Drift(chosen, shift)


def _explained(rows: Rows, name: str) -> float:
    """How much of the target a number goes with: the correlation ratio, or the square of the correlation."""
    import numpy as np

    values = rows.past[name].to_numpy().astype(np.float64)
    target = rows.past[rows.target]
    known = np.isfinite(values)
    values = values[known]
    if len(values) < 2 or not values.var():
        return 0.0
    if rows.kinds.get(name) == "number" and target.type in _numbers():
        other = target.to_numpy().astype(np.float64)[known]
        return float(np.corrcoef(values, other)[0, 1] ** 2) if other.var() else 0.0
    labels = np.array(target.to_pylist(), object)[known]
    means = np.zeros(len(values))
    for label in set(labels.tolist()):
        of_class = labels == label
        means[of_class] = values[of_class].mean()
    return float(means.var() / values.var())


def _numbers() -> set[Any]:
    import pyarrow as pa

    return {pa.float32(), pa.float64(), pa.int8(), pa.int16(), pa.int32(), pa.int64()}


def drifted(table: pa.Table, drift: Drift) -> pa.Table:
    """The rows after the drift."""
    import pyarrow as pa
    import pyarrow.compute as pc

    place = table.schema.get_field_index(drift.column)
    values = table[drift.column]
    if drift.shift is None:
        changed = pc.binary_join_element_wise(values, pa.scalar(_NEW_SPELLING), "")
    else:
        changed = pc.add(values, pa.scalar(drift.shift).cast(values.type))
    return table.set_column(place, table.schema.field(place), changed.cast(values.type))


def payload(table: pa.Table, target: str) -> Payload:
    """A request that asks about all of the rows."""
    return Payload(parquet(table.drop_columns([target])), PARQUET, len(table), 1)


def parquet(table: pa.Table) -> bytes:
    """The bytes of a Parquet file; the same for the same rows."""
    import pyarrow.parquet as pq

    written = io.BytesIO()
    pq.write_table(table, written)
    return written.getvalue()


def labels(table: pa.Table, target: str) -> list[str]:
    """What turned out to be right, as texts."""
    return [str(label) for label in table[target].to_pylist()]


def newest(tables: list[pa.Table], count: int) -> pa.Table:
    """The last rows of several tables, oldest first."""
    import pyarrow as pa

    table = pa.concat_tables(tables)
    return table.slice(max(0, len(table) - count))
