"""The first step: from the source's files, as they are, to Parquet parts for training, validation and test.

    python preprocess.py [--opt-ml /opt/ml]

Reads ``processing/input/raw/`` as ``processing/input/settings/dataset.json`` says (``dataset_settings``),
in one streaming pass: ``reading`` gives typed batches, ``splitting`` decides on each row's part and writes
it, ``quality`` counts what the training part holds. Memory does not grow with the data. Under
``processing/output/`` come ``train/``, ``validation/`` and ``test/`` (the features in their natural types
and the target as the name of its class), ``schema/schema.json`` (what serving needs to know),
``quality/statistics.json`` (Model Monitor's format) and ``sample/payload.tar.gz`` (some rows as a client
would send them).

With several instances every one is given all files and reads them all, so that all agree on the types; each
writes its share of the batches, and the first one does the counting. The split is the same for any number.
"""

from __future__ import annotations

import argparse
import csv
import errno
import gzip
import io
import json
import math
import sys
import tarfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from column_types import KIND_OF, UNSUPPORTED
from dataset_settings import DatasetSettings, InputError, check_columns, read_settings
from process_exit import run_and_exit
from quality import Quality, TextColumn
from reading import SourceFile, TypesContradicted, batches, find_files, judge_all, judge_first_blocks
from splitting import PARTS, PartWriter, RowHasher, text_hashes

_PROGRESS_SECONDS = 2.0
_MOST_CLASSES = 1000
_PAYLOAD_ROWS = 5
_TEXTS_JUDGED = 1000
_LIKE_A_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_MESSAGE_BYTES = 1024


@dataclass(frozen=True)
class Instances:
    """The instances of this job, and which of them this one is."""

    current: str
    hosts: tuple[str, ...]

    @property
    def rank(self) -> int:
        """This instance's place among all, from 0."""
        return self.hosts.index(self.current)


@dataclass(frozen=True)
class Plan:
    """What to do with the rows: settled before the first of them is written."""

    settings: DatasetSettings
    files: list[SourceFile]
    types: Mapping[str, str]  # of every source column, in source order
    features: tuple[str, ...]
    instances: Instances
    output: Path


@dataclass
class Tally:
    """What one pass has counted. ``classes[part]`` maps a class to its rows."""

    classes: tuple[dict[str, int], dict[str, int], dict[str, int]]
    quality: Quality | None = None
    without_target: int = 0
    written: int = 0

    @property
    def rows(self) -> dict[str, int]:
        """Rows in each part."""
        return {part: sum(self.classes[place].values()) for place, part in enumerate(PARTS)}


def prepare(opt_ml: Path) -> str:
    """Do the whole step and return its message; the first paragraph of this module says what is read and
    written.

    Raises:
        InputError: the data or the settings are not fit for training.
    """
    inputs = opt_ml / "processing" / "input"
    settings = read_settings(inputs / "settings" / "dataset.json")
    instances = _read_instances(opt_ml)
    files, empty = find_files(inputs / "raw", settings)
    for name in empty:
        _say(f"{name} is empty and is passed over")
    source = files[0].name if len(files) == 1 else f"{files[0].name} and {len(files) - 1} more"
    features = check_columns(settings, files[0].columns, source)
    types = judge_first_blocks(files, settings)
    output = opt_ml / "processing" / "output"
    try:
        plan = Plan(settings, files, _supported(types, settings, features), features, instances, output)
        tally = _pass(plan)
    except TypesContradicted as contradiction:
        _say(f"{contradiction}: reading everything once to settle the types, then starting again")
        types = judge_all(files, settings)
        plan = Plan(settings, files, _supported(types, settings, features), features, instances, output)
        tally = _pass(plan)
    if instances.rank:
        return f"{tally.written:,} rows written by {instances.current}"
    classes = _check(plan, tally)
    _write_results(plan, tally, classes)
    rows = tally.rows
    return (
        f"{sum(rows.values())} rows: {rows['train']} train, {rows['validation']} validation, "
        f"{rows['test']} test; {len(features)} features, {len(classes)} classes"
    )


def _supported(
    types: Mapping[str, str], settings: DatasetSettings, features: Sequence[str]
) -> Mapping[str, str]:
    for name in (settings.target, *([settings.key] if settings.key else []), *features):
        if types[name] == UNSUPPORTED:
            raise InputError(
                f"column {name!r} holds lists, structures, bytes or times of day",
                remedy="Convert it to numbers, texts, booleans or timestamps, or add it to drop",
            )
    if KIND_OF[types[settings.target]] == "timestamp":
        raise InputError(
            f"the target {settings.target!r} holds timestamps", remedy="Name a column with classes"
        )
    return types


def _pass(plan: Plan) -> Tally:
    """Read all rows once: write this instance's share, and on the first instance count all."""
    settings, instances = plan.settings, plan.instances
    hasher = RowHasher(list(plan.types), settings.key, settings.seed, settings.split)
    first = instances.rank == 0
    tally = Tally(({}, {}, {}))
    writers: list[PartWriter] = []
    read, last_said = 0, time.monotonic()
    for number, batch in enumerate(batches(plan.files, plan.types, settings)):
        read += batch.num_rows
        if time.monotonic() - last_said >= _PROGRESS_SECONDS:
            last_said = time.monotonic()
            _say(f"{read:,} rows ...")
        mine = number % len(instances.hosts) == instances.rank
        if not (mine or first):
            continue
        texts = {
            name: text_hashes(batch.column(name).dictionary)
            for name in batch.schema.names
            if pa.types.is_dictionary(batch.schema.field(name).type)
        }
        content, deciding = hasher.hashes(batch, texts)
        absent = batch.column(settings.target).is_null(nan_is_null=True)
        if absent.true_count:
            present = ~absent.to_numpy(zero_copy_only=False)
            tally.without_target += absent.true_count
            batch, content, deciding = batch.filter(pa.array(present)), content[present], deciding[present]
        label = _label(batch.column(settings.target))
        rows = pa.RecordBatch.from_arrays(
            [*(batch.column(name) for name in plan.features), label], [*plan.features, settings.target]
        )
        if not writers:
            folders = [plan.output / part for part in PARTS]
            writers = [PartWriter(folder, instances.current, rows.schema) for folder in folders]
            tally.quality = Quality(rows.schema) if first else None
        texts[settings.target] = text_hashes(label.dictionary)
        parts = hasher.parts(deciding)
        for place, writer in enumerate(writers):
            chosen = parts == place
            some = rows.filter(pa.array(chosen))
            if mine:
                writer.write(some)
                tally.written += some.num_rows
            if tally.quality is not None:
                _count(tally.classes[place], some.column(settings.target))
                if place == 0:
                    tally.quality.add(some, content[chosen], texts)
        if len(tally.classes[0]) > _MOST_CLASSES:
            raise InputError(
                f"the target {settings.target!r} has more than {_MOST_CLASSES:,} different values",
                remedy="A classifier needs classes: name another target, or group its values",
            )
    for writer in writers:
        writer.close()
    if not read:
        names = ", ".join(file.name for file in plan.files[:3])
        raise InputError(
            "there are no rows, only a header", where=names, remedy="Give a file with rows in it"
        )
    return tally


def _label(target: pa.Array) -> pa.DictionaryArray:
    """The names of the rows' classes: 1 and 1.0 are both "1", a boolean is "true" or "false"."""
    if pa.types.is_dictionary(target.type):
        return target
    encoded = target.dictionary_encode()
    return pa.DictionaryArray.from_arrays(encoded.indices, encoded.dictionary.cast(pa.string()))


def _count(counts: dict[str, int], labels: pa.DictionaryArray) -> None:
    found = np.bincount(labels.indices.to_numpy(), minlength=len(labels.dictionary))
    for name, count in zip(labels.dictionary.to_pylist(), found.tolist(), strict=True):
        if count:
            counts[name] = counts.get(name, 0) + count


def _check(plan: Plan, tally: Tally) -> list[str]:
    """Is this fit for training? The classes: for a binary task the negative one, then the positive one."""
    settings = plan.settings
    target = settings.target
    if tally.without_target:
        _say(f"{tally.without_target:,} rows have no value in the target {target!r} and were left out")
    names = _in_order({name for counts in tally.classes for name in counts})
    if not names:
        raise InputError(f"no row has a value in the target {target!r}", remedy="Give labelled rows")
    if len(names) == 1:
        raise InputError(
            f"the target {target!r} has one class only, {names[0]!r}",
            remedy="Give rows of another class, too",
        )
    shown = ", ".join(map(repr, names[:10])) + (", ..." if len(names) > 10 else "")
    if settings.task == "binary":
        if len(names) > 2:
            raise InputError(
                f"the task is binary, but the target {target!r} has {len(names)} classes: {shown}",
                remedy='Set task = "multiclass", or leave out the rows of all but two',
            )
        if settings.positive_class is not None:
            positive = next((name for name in names if _same_class(name, settings.positive_class)), None)
            if positive is None:
                raise InputError(
                    f"positive_class is {settings.positive_class!r}, but {target!r} has {shown}",
                    where="dataset.json",
                    remedy="Name one of them",
                )
            names = [name for name in names if name != positive] + [positive]
    together = "rows of one key" if settings.key else "identical rows"
    for name in names:
        lacking = [part for place, part in enumerate(PARTS) if name not in tally.classes[place]]
        if lacking:
            rows = sum(counts.get(name, 0) for counts in tally.classes)
            raise InputError(
                f"class {name!r} of the target {target!r} is too rare: of its {rows} rows none fell into "
                f"{' and '.join(lacking)} ({together} share a part)",
                remedy="Give more rows of it, leave it out, merge it with another class, or try another seed",
            )
    assert tally.quality is not None
    for name in plan.features:
        if not tally.quality.present(name):
            raise InputError(
                f"column {name!r} has no value in any row of the training part",
                remedy=f"Add {name!r} to drop, or correct missing_values",
            )
    return names


def _in_order(names: set[str]) -> list[str]:
    """By number where all are numbers, else by the alphabet."""
    try:
        return sorted(names, key=lambda name: (float(name), name))
    except ValueError:
        return sorted(names)


def _same_class(name: str, wanted: str) -> bool:
    if name == wanted:
        return True
    try:
        return float(name) == float(wanted)
    except ValueError:
        return wanted.lower() == name and name in ("true", "false")


def _write_results(plan: Plan, tally: Tally, classes: list[str]) -> None:
    assert tally.quality is not None
    settings = plan.settings
    features = []
    for name in plan.features:
        entry: dict[str, Any] = {"name": name, "kind": KIND_OF[plan.types[name]]}
        if entry["kind"] == "category":
            column = tally.quality.texts[name]
            if name not in settings.kinds:
                _warn_of_numbers(name, column)
            if column.distinct() > settings.max_categories:
                _say(
                    f"warning: column {name!r} has {column.distinct():,} distinct texts; the "
                    f"{settings.max_categories:,} most frequent are its categories, others count as missing. "
                    f"Add it to drop if it names single rows, or raise max_categories"
                )
            entry["categories"] = sorted(column.most_frequent(settings.max_categories)[0])
        features.append(entry)
    schema = {
        "version": 1,
        "task": settings.task,
        "target": settings.target,
        "classes": classes,
        "positive_class": classes[1] if settings.task == "binary" else None,
        "source_columns": list(plan.types),
        "header": settings.header,
        "delimiter": settings.delimiter,
        "missing_values": list(settings.missing_values),
        "features": features,
        "rows": tally.rows,
    }
    _write_json(plan.output / "schema" / "schema.json", schema)
    _write_json(plan.output / "quality" / "statistics.json", tally.quality.report(tally.rows["train"]))
    sample = tally.quality.sample.table()
    assert sample is not None
    _write_payload(plan.output / "sample" / "payload.tar.gz", sample.select(list(plan.features)), settings)


def _warn_of_numbers(name: str, column: TextColumn) -> None:
    """Many different numbers and a few other texts: most likely an unknown mark for a missing value."""
    texts, _ = column.most_frequent(_TEXTS_JUDGED)
    numbers = pc.match_substring_regex(pa.array(texts, pa.string()), _LIKE_A_NUMBER)
    others = pa.array(texts, pa.string()).filter(pc.invert(numbers)).to_pylist()
    unseen = column.distinct() > len(texts)  # the others are among the rare ones
    if (others or unseen) and len(others) <= len(texts) / 10:
        shown = ", ".join(map(repr, others[:5])) or "some of its texts"
        _say(
            f"warning: column {name!r} counts as a category because of {shown}; the others are numbers. "
            f"If that marks a missing value, add it to missing_values"
        )


def _write_json(path: Path, document: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, allow_nan=False) + "\n", encoding="utf-8")


def _write_payload(path: Path, rows: pa.Table, settings: DatasetSettings) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=settings.delimiter, lineterminator="\n")
    for row in rows.slice(0, _PAYLOAD_ROWS).to_pylist():
        writer.writerow([_field(value) for value in row.values()])
    data = text.getvalue().encode()
    entry = tarfile.TarInfo("payload.csv")
    entry.size = len(data)
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        path.open("wb") as file,
        gzip.GzipFile("", "wb", fileobj=file, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as archive,
    ):
        archive.addfile(entry, io.BytesIO(data))


def _field(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat(sep=" ") if isinstance(value, datetime) else str(value)


def _read_instances(opt_ml: Path) -> Instances:
    path = opt_ml / "config" / "resourceconfig.json"
    if not path.is_file():
        return Instances("algo-1", ("algo-1",))
    document = json.loads(path.read_text(encoding="utf-8"))
    return Instances(document["current_host"], tuple(sorted(document["hosts"], key=_host_order)))


def _host_order(host: str) -> tuple[int, str]:
    return len(host), host  # algo-2 before algo-10


def _say(line: str) -> None:
    print(line, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the step; 0, or 1 after an error that the data or the settings caused."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--opt-ml", type=Path, default=Path("/opt/ml"), help="the container's folder")
    opt_ml = parser.parse_args(arguments).opt_ml
    message = opt_ml / "output" / "message"
    message.parent.mkdir(parents=True, exist_ok=True)
    try:
        text = prepare(opt_ml)
    except (InputError, OSError) as error:
        if isinstance(error, OSError) and not _disk_is_full(error):
            raise
        text = str(error)
        if isinstance(error, OSError):
            text = f"{opt_ml}: the disk is full. Give the job a larger volume, or free space on this one"
        print(f"error: {text}", file=sys.stderr, flush=True)
        _write_message(message, text)
        return 1
    _say(text)
    _write_message(message, text)
    return 0


def _disk_is_full(error: OSError) -> bool:
    return error.errno == errno.ENOSPC or "No space left on device" in str(error)


def _write_message(path: Path, text: str) -> None:
    try:
        path.write_bytes(text.encode()[:_MESSAGE_BYTES].decode(errors="ignore").encode())
    except OSError as error:
        if not _disk_is_full(error):
            raise


if __name__ == "__main__":
    run_and_exit(main)
