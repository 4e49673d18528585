"""The one pass over all rows: read a batch, hash its rows, route each row to its part.

What is decided before the first row is read comes in as a :class:`Plan`; what must be known when the last
row is written goes out as :class:`Counts`. Where several instances are given the same files, every one reads
all batches, so that the cuts between batches are the same everywhere; each writes every n-th batch, and the
first one counts all. Where each has files of its own, it writes and counts these, and the counts are merged.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from column_types import TYPES
from conversion import Noticed
from dataset_settings import PARTS, DatasetSettings, InputError
from deciding_sums import DecidingSums
from findings import Finding
from quality import Quality, TextColumn
from reading import batches
from small_classes import SmallClasses
from source_file import SourceFile
from source_profile import Profile
from splitting import PartWriter, RowHasher, key_hashes, text_hashes
from state_file import State
from target_quantity import many_numbers

_PROGRESS_SECONDS = 2.0
_MOST_CLASSES = 1000
_LARGEST_TARGET = 1e18  # XGBoost squares errors as float32, which ends at 3e38


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
    """What to do with the rows; without an ``output`` they are counted and not written.

    ``files`` are those that are read here, of which ``profile`` may know more; with ``is_share`` other hosts
    read others. ``row_numbers`` are columns that are no part of what a row holds, ``findings`` is what was
    noticed before the first row was read.
    """

    settings: DatasetSettings
    profile: Profile
    files: Sequence[SourceFile]
    types: Mapping[str, str]  # of every source column, in source order
    features: tuple[str, ...]
    instances: Instances
    output: Path | None
    row_numbers: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    is_share: bool = False


@dataclass
class Counts:
    """What the pass has counted: rows of each part, and in ``classes[part]`` those of each class.

    ``rows``, ``classes`` (of a classification) and ``quality`` are filled on the first instance only;
    ``written`` counts what this instance wrote, ``noticed`` what the reader noticed, ``ranked`` the rows of
    each class that was split by rank (``small_classes``). Until the small classes have their parts, ``small``
    holds their rows. Of a share of the rows, ``sums`` is what decides on the parts, and ``texts`` counts the
    texts of all rows, in every part and without a target, too: where doubts arise, no host has all files.
    """

    quality: Quality  # of the training part
    small: SmallClasses | None = None
    sums: DecidingSums | None = None
    texts: dict[str, TextColumn] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PARTS, 0))
    classes: dict[str, dict[str, int]] = field(default_factory=lambda: {part: {} for part in PARTS})
    without_target: int = 0
    ranked: dict[str, int] = field(default_factory=dict)
    noticed: Noticed = field(default_factory=Noticed)
    written: int = 0

    def state(self) -> State:
        """What ``absorb`` and ``absorb_samples`` take."""
        return {
            "rows": self.rows,
            "classes": self.classes,
            "without_target": self.without_target,
            "noticed": self.noticed.state(),
            "quality": self.quality.state(),
            **({"small": self.small.state()} if self.small else {}),
            **({"sums": self.sums.state()} if self.sums else {}),
            "texts": {name: column.state() for name, column in self.texts.items()},
        }

    def absorb(self, state: State) -> None:
        """Add what another host counted of its share, by the same plan; all but the samples."""
        for part in PARTS:
            self.rows[part] += state["rows"][part]
            for name, count in state["classes"][part].items():
                self.classes[part][name] = self.classes[part].get(name, 0) + count
        self.without_target += state["without_target"]
        self.noticed.absorb(state["noticed"])
        self.quality.absorb(state["quality"])
        if self.small:
            self.small.absorb(state["small"])
        if self.sums:
            self.sums.absorb(state["sums"])
        for name, column in self.texts.items():
            column.absorb(state["texts"][name])

    def absorb_samples(self, state: State) -> None:
        """Add its sampled rows; ``absorb`` was given the states of all hosts before."""
        self.quality.absorb_samples(state["quality"])


def no_counts(plan: Plan) -> Counts:
    """The counts before the first row."""
    settings = plan.settings
    types = {name: TYPES[plan.types[name]] for name in plan.features}
    types[settings.target] = TYPES["number" if settings.is_regression else "text"]
    doubtful = [
        name for name in plan.features if plan.types[name] == "text" and name not in settings.demanded_kinds
    ]
    return Counts(
        Quality(pa.schema(types)),
        small=SmallClasses() if settings.is_stratified else None,
        sums=DecidingSums() if plan.is_share else None,
        texts={name: TextColumn() for name in doubtful} if plan.is_share else {},
    )


@dataclass(frozen=True)
class _Rows:
    """A batch's rows that have a target, and what follows from their hashes.

    The batch holds the features, the target, and the slice columns that are no features.
    """

    batch: pa.RecordBatch
    content: np.ndarray  # uint64, a hash of each row's content
    parts: np.ndarray  # int8, each row's place in PARTS
    text_hashes: Mapping[str, np.ndarray]  # of each text column's dictionary

    def where(self, chosen: np.ndarray) -> _Rows:
        """Those of them for which ``chosen`` is True."""
        batch = self.batch.filter(pa.array(chosen))
        return _Rows(batch, self.content[chosen], self.parts[chosen], self.text_hashes)

    def routed_to(self, place: int, columns: list[str]) -> _Rows:
        """Those of them whose part is ``PARTS[place]``, with some of the columns."""
        chosen = self.parts == place
        batch = self.batch.select(columns).filter(pa.array(chosen))
        return _Rows(batch, self.content[chosen], self.parts[chosen], self.text_hashes)


class _Parts:
    """Where the rows go: into the files of their parts, and into the counts."""

    def __init__(self, plan: Plan, counts: Counts) -> None:
        self.plan, self.counts = plan, counts
        self.counting = plan.instances.rank == 0
        self._columns = _columns(plan)
        self._writers: list[PartWriter] = []

    def open(self, rows: _Rows) -> None:
        """Begin the files, if there is anything to write, with the columns of these rows."""
        if self.plan.output is None or self._writers:
            return
        for part in PARTS:
            schema = rows.batch.select(self._columns[part]).schema
            self._writers.append(PartWriter(self.plan.output / part, self.plan.instances.current, schema))

    def add(self, rows: _Rows, *, writing: bool) -> None:
        """Write the rows, if this is the instance for it, and count them, if it is the one for that."""
        counts, target = self.counts, self.plan.settings.target
        for place, part in enumerate(PARTS):
            routed = rows.routed_to(place, self._columns[part])
            if writing:
                self._writers[place].write(routed.batch)
                counts.written += routed.batch.num_rows
            if self.counting:
                counts.rows[part] += routed.batch.num_rows
                if not self.plan.settings.is_regression:
                    _count(counts.classes[part], routed.batch.column(target))
                if part == "train":
                    counts.quality.add(routed.batch, routed.content, routed.text_hashes)
        check_classes(self.plan, counts)

    def add_small_classes(self) -> None:
        """Add the rows that were held back, now that it is known how many rows each class has."""
        small, self.counts.small = self.counts.small, None
        rows = _of_small_classes(small, self.plan) if small and self.counting else None
        if rows is not None and small is not None:
            self.open(rows)
            self.add(rows, writing=self.plan.output is not None)
            self.counts.ranked = small.ranked

    def close(self) -> None:
        """Write what is left."""
        for writer in self._writers:
            writer.close()


def split_rows(plan: Plan) -> Counts:
    """Read all rows once: write this instance's batches, and on the first instance count all. Of a share, the
    rows of small classes are left in ``Counts.small``.

    Raises:
        TypesContradicted: a value does not fit its column's type.
        InputError: a file is broken, there are no rows, or the target has too many different values.
    """
    settings, instances = plan.settings, plan.instances
    hasher, counts = row_hasher(plan), no_counts(plan)
    parts, small = _Parts(plan, counts), counts.small
    for number, batch in enumerate(_read(plan, counts.noticed)):
        writing = plan.output is not None and number % len(instances.hosts) == instances.rank
        if not (writing or parts.counting):
            if small is not None:  # every instance has to know which rows the first one holds
                small.held(
                    class_labels(batch.column(settings.target).filter(has_target(batch, settings.target)))
                )
            continue
        rows = _hashed(batch, hasher, plan, counts)
        counts.without_target += batch.num_rows - rows.batch.num_rows
        parts.open(rows)
        if small is not None:
            held = small.held(rows.batch.column(settings.target))
            if held.any():
                if parts.counting:
                    small.hold(rows.batch.filter(pa.array(held)), rows.content[held])
                rows = rows.where(~held)
        parts.add(rows, writing=writing)
    if not plan.is_share:
        parts.add_small_classes()
    parts.close()
    return counts


def place_small_classes(plan: Plan, counts: Counts) -> None:
    """Write and count the rows that all hosts together have left in ``counts.small``."""
    parts = _Parts(plan, counts)
    parts.add_small_classes()
    parts.close()


def check_classes(plan: Plan, counts: Counts) -> None:
    """Refuse a target with too many different values."""
    names = counts.small.counts if counts.small else counts.classes["train"]
    if len(names) > _MOST_CLASSES:
        raise many_numbers(plan.settings, list(names), _MOST_CLASSES) or InputError(
            f"the target {plan.settings.target!r} has more than {_MOST_CLASSES:,} different values",
            remedy="Group its values into classes, or name another target",
        )


def _of_small_classes(small: SmallClasses, plan: Plan) -> _Rows | None:
    found = small.rows()
    if found is None:
        return None
    table, content = found
    arrays = [table[name].combine_chunks() for name in table.column_names]
    arrays = [array.dictionary_encode() if pa.types.is_string(array.type) else array for array in arrays]
    batch = pa.RecordBatch.from_arrays(arrays, table.column_names)
    texts = {
        name: text_hashes(batch.column(name).dictionary)
        for name in batch.schema.names
        if pa.types.is_dictionary(batch.schema.field(name).type)
    }
    parts = row_hasher(plan).parts(content)
    settings = plan.settings
    names = table[settings.target].to_pylist()
    small.rank(names, content, parts, settings.split, all_=settings.stratify is True)
    return _Rows(batch, content, parts, texts)


def _columns(plan: Plan) -> dict[str, list[str]]:
    """The columns of each part: the features and the target; in the test part the slices', too."""
    trained = [*plan.features, plan.settings.target]
    slices = [name for name in plan.settings.slices if name not in trained]
    return {"train": trained, "validation": trained, "test": [*trained, *slices]}


def _read(plan: Plan, noticed: Noticed) -> Iterator[pa.RecordBatch]:
    """All batches; prints progress now and then.

    Raises:
        InputError: there are no rows in any file.
    """
    read, last_said = 0, time.monotonic()
    for batch in batches(plan.files, plan.types, plan.settings, noticed):
        read += batch.num_rows
        if time.monotonic() - last_said >= _PROGRESS_SECONDS:
            last_said = time.monotonic()
            print(f"{read:,} rows ...", flush=True)
        yield batch
    if not read and not plan.is_share:
        raise no_rows(plan)


def no_rows(plan: Plan) -> InputError:
    """The error for files without rows."""
    return InputError(
        "there are no rows, only a header",
        where=", ".join(plan.profile.names),
        remedy="Give a file with rows in it",
    )


def _hashed(batch: pa.RecordBatch, hasher: RowHasher, plan: Plan, counts: Counts) -> _Rows:
    """The rows with a target and their hashes; to the counts of a share ``sums`` and ``texts`` are added."""
    target, texts = plan.settings.target, texts_hashed(batch, plan)
    content, deciding = hasher.sums(batch, texts)
    if counts.sums is not None:
        counts.sums.add(*with_target(batch, deciding, plan.settings))
    for name, column in counts.texts.items():
        column.add(batch.column(name), texts[name])
    content, deciding = hasher.seeded(content, deciding)
    mask = has_target(batch, target)
    if mask.false_count:
        present = mask.to_numpy(zero_copy_only=False)
        batch, content, deciding = batch.filter(mask), content[present], deciding[present]
    labels = _numbers(batch, target) if plan.settings.is_regression else class_labels(batch.column(target))
    names = _columns(plan)["test"]
    arrays = [labels if name == target else batch.column(name) for name in names]
    rows = pa.RecordBatch.from_arrays(arrays, names)
    if not plan.settings.is_regression:
        texts[target] = text_hashes(labels.dictionary)
    return _Rows(rows, content, hasher.parts(deciding), texts)


def row_hasher(plan: Plan) -> RowHasher:
    """What decides on the rows' parts by the plan's settings."""
    settings = plan.settings
    content = [name for name in plan.types if name not in plan.row_numbers]
    return RowHasher(content, settings.key, settings.seed, settings.split)


def texts_hashed(batch: pa.RecordBatch, plan: Plan) -> dict[str, np.ndarray]:
    """A uint64 hash of each text in the dictionary of each text column."""
    return {
        name: (key_hashes if name == plan.settings.key else text_hashes)(batch.column(name).dictionary)
        for name in batch.schema.names
        if pa.types.is_dictionary(batch.schema.field(name).type)
    }


def has_target(batch: pa.RecordBatch, target: str) -> pa.BooleanArray:
    """True for the rows that have a value in the target."""
    return pc.invert(batch.column(target).is_null(nan_is_null=True))


def with_target(
    batch: pa.RecordBatch, sums: np.ndarray, settings: DatasetSettings
) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Of the rows that have a target: names of classes, the place of each row's among them, and its sum. A
    regression has one class, without a name."""
    mask = has_target(batch, settings.target)
    sums = sums[mask.to_numpy(zero_copy_only=False)]
    if settings.is_regression:
        return [""], np.zeros(len(sums), np.int64), sums
    labels = class_labels(batch.column(settings.target).filter(mask))
    return labels.dictionary.to_pylist(), labels.indices.to_numpy(), sums


def _numbers(batch: pa.RecordBatch, target: str) -> pa.DoubleArray:
    """The rows' targets as float64.

    Raises:
        InputError: one is infinite, or too large to be learnt.
    """
    numbers = batch.column(target).cast(pa.float64(), safe=False)
    beyond = pc.greater(pc.abs(numbers), pa.scalar(_LARGEST_TARGET))
    if pc.any(beyond).as_py():
        found = numbers.filter(beyond)[0].as_py()
        raise InputError(
            f"the target {target!r} holds {found!r}; no number beyond {_LARGEST_TARGET:g} can be learnt",
            remedy="Correct it, add it to missing_values, or give the target in another unit",
        )
    return numbers


def class_labels(target: pa.Array) -> pa.DictionaryArray:
    """The names of the rows' classes: 1 and 1.0 are both "1", a boolean is "true" or "false"."""
    if pa.types.is_dictionary(target.type):
        return target
    encoded = target.dictionary_encode()
    return pa.DictionaryArray.from_arrays(encoded.indices, encoded.dictionary.cast(pa.string()))


def _count(counts: dict[str, int], classes: pa.DictionaryArray) -> None:
    found = np.bincount(classes.indices.to_numpy(), minlength=len(classes.dictionary))
    for name, count in zip(classes.dictionary.to_pylist(), found.tolist(), strict=True):
        if count:
            counts[name] = counts.get(name, 0) + count
