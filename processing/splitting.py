"""Which part a row belongs to, decided by what the row holds, and the Parquet files of the parts.

A row's 64-bit hash is the sum, over all columns of the source but those that number its rows, of a hash of
column name and value; so neither the order of rows, columns and files nor dropping a column or adding rows
moves a row to another part, unless an added value turns a column of numbers into one of texts. Rows of equal
content share a part.
Equal values hash the same whatever their type: an integer and an equal double, a boolean and 0 or 1.
An absent value has a hash of its own. With a key column only that column counts, so all rows of one key
share a part (a row without a key goes by its content); a key is a text, so that no two of them become one
number (:func:`key_hashes`). Everything is vectorised: the work in Python is per batch, not per row.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)  # the finalizer of SplitMix64
_ODD = np.uint64(0x9E3779B97F4A7C15)
_INT_MIX_1, _INT_MIX_2, _INT_ODD, _INT_MASK = int(_MIX_1), int(_MIX_2), int(_ODD), 2**64 - 1
_FEW_TEXTS = 32
_ABSENT = np.int64(-0x61C8864680B583EB)
_ROW_GROUP_ROWS = 65_536
_ROW_GROUP_BYTES = 32 << 20
_FILE_ROWS = 262_144  # training instances get whole files, so there must be several for each


def text_hashes(texts: pa.Array) -> np.ndarray:
    """A uint64 hash of each text in a string array without nulls; the same on every machine.

    Reads eight bytes of every text at a time; once few texts are left, which may be very long, one after
    another.
    """
    count = len(texts)
    _, offsets_buffer, data_buffer = texts.buffers()
    offsets = np.frombuffer(offsets_buffer, np.int32)[texts.offset : texts.offset + count + 1].astype(
        np.int64
    )
    first, end = (int(offsets[0]), int(offsets[-1])) if count else (0, 0)
    data = np.zeros(end - first + 8, np.uint8)
    if end > first:
        data[:-8] = np.frombuffer(data_buffer, np.uint8)[first:end]
    windows: np.ndarray = np.ndarray((len(data) - 7,), dtype="<u8", buffer=data.data, strides=(1,))
    starts, lengths = offsets[:-1] - first, np.diff(offsets)
    hashes = (lengths.astype(np.uint64) + np.uint64(1)) * _ODD
    active = np.flatnonzero(lengths > 0)
    done = 0
    while len(active) > _FEW_TEXTS:
        words = windows[starts[active] + done].astype(np.uint64)
        left = lengths[active] - done
        last = left < 8
        words[last] &= (np.uint64(1) << (left[last] * 8).astype(np.uint64)) - np.uint64(1)
        hashes[active] = mixed(hashes[active] ^ words) + _ODD
        done += 8
        active = active[left > 8]
    for place in active:
        rest = data[starts[place] + done : starts[place] + lengths[place]].tobytes()
        hashes[place] = _hashed_on(int(hashes[place]), rest)
    return mixed(hashes)


def _hashed_on(found: int, rest: bytes) -> int:
    """The same steps for the rest of one text: with Python's integers they take a fraction of the time that
    they take with arrays of one number."""
    for (word,) in struct.iter_unpack("<Q", rest + bytes(-len(rest) % 8)):
        found ^= word
        found = (found ^ found >> 30) * _INT_MIX_1 & _INT_MASK
        found = (found ^ found >> 27) * _INT_MIX_2 & _INT_MASK
        found = (found ^ found >> 31) + _INT_ODD & _INT_MASK
    return found


def key_hashes(texts: pa.Array) -> np.ndarray:
    """A uint64 hash of each key in a string array without nulls.

    A key that spells a whole number of 64 bits as such a number is written (``7``, and ``7.0`` as pandas
    writes it where a key is missing, but not ``007``) hashes as that number does, so that keys that are
    stored as numbers and as texts agree.
    """
    hashes = text_hashes(texts)
    short = pc.match_substring_regex(texts, r"^(0|-?[1-9][0-9]{0,17})(\.0)?$")
    places = np.flatnonzero(short.to_numpy(zero_copy_only=False))
    numbers = pc.replace_substring_regex(texts.take(pa.array(places)), r"\.0$", "")
    hashes[places] = numbers.cast(pa.int64()).to_numpy().view(np.uint64)
    long = pc.match_substring_regex(texts, r"^-?[1-9][0-9]{18}$").to_numpy(zero_copy_only=False)
    for place in np.flatnonzero(long):
        number = int(texts[int(place)].as_py())
        if -(2**63) <= number < 2**63:
            hashes[place] = np.uint64(number % 2**64)
    return hashes


def value_bits(array: pa.Array, hashed_texts: np.ndarray | None) -> np.ndarray:
    """64 bits for each value (int64): equal for equal values, one pattern for all absent ones.

    ``array`` is int64, float64, bool, timestamp, or a dictionary of text whose hashes are ``hashed_texts``.
    """
    kind = array.type
    if pa.types.is_dictionary(kind):
        assert hashed_texts is not None
        hashes = np.append(hashed_texts.view(np.int64), _ABSENT)
        return hashes[array.indices.fill_null(len(hashes) - 1).to_numpy(zero_copy_only=False)]
    absent = array.is_null().to_numpy(zero_copy_only=False) if array.null_count else None
    if pa.types.is_floating(kind):
        numbers = array.to_numpy(zero_copy_only=False)
        with np.errstate(invalid="ignore"):
            whole = numbers.astype(np.int64)
        bits = np.where(whole == numbers, whole, numbers.view(np.int64))
        unequal = numbers != numbers  # NaN
        if unequal.any():
            absent = unequal
    elif pa.types.is_boolean(kind):
        bits = array.cast(pa.int8()).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    else:
        values = array if pa.types.is_int64(kind) else array.cast(pa.int64())
        bits = (values.fill_null(0) if absent is not None else values).to_numpy(zero_copy_only=False)
    if absent is not None:
        bits = np.where(absent, _ABSENT, bits)
    return bits


@dataclass
class RowHasher:
    """Hashes of rows and the parts that follow from them.

    Args:
        columns: the names of the columns that count; a batch may have others.
        key: the column that decides alone, if there is one.
        seed: another seed is another split.
        proportions: train, validation, test.
    """

    columns: Sequence[str]
    key: str | None
    seed: int
    proportions: tuple[float, float, float]
    _salts: Mapping[str, np.uint64] = field(init=False)

    def __post_init__(self) -> None:
        self._salts = {name: _name_hash(name) for name in self.columns}

    def seeded(self, content: np.ndarray, deciding: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What ``sums`` gave, with the seed in it: uint64 hashes of each row's content and of what decides on
        its part."""
        hashes = self.salted(content, self.seed)
        return hashes, hashes if deciding is content else self.salted(deciding, self.seed)

    def sums(self, batch: pa.RecordBatch, texts: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """``(content, deciding)``: uint64 sums of hashes, of each row's content and of what decides on its
        part, before the seed comes in."""
        total = np.zeros(batch.num_rows, np.uint64)
        for name in batch.schema.names:
            if name not in self._salts:
                continue
            total += self._column(batch, name, texts)
        if self.key is None:
            return total, total
        column = batch.column(self.key)
        absent = column.is_null(nan_is_null=True).to_numpy(zero_copy_only=False)
        return total, np.where(absent, total, self._column(batch, self.key, texts))

    def parts(self, deciding: np.ndarray) -> np.ndarray:
        """0, 1 or 2 for each row: its place in :data:`dataset_settings.PARTS`."""
        train, validation, _ = self.proportions
        edges = [np.uint64(min(int(edge * 2**64), 2**64 - 1)) for edge in (train, train + validation)]
        return (deciding >= edges[0]).astype(np.int8) + (deciding >= edges[1])

    def _column(self, batch: pa.RecordBatch, name: str, texts: Mapping[str, np.ndarray]) -> np.ndarray:
        bits = value_bits(batch.column(name), texts.get(name)).view(np.uint64) ^ self._salts[name]
        bits *= _ODD
        bits ^= bits >> np.uint64(32)
        bits *= _MIX_1
        bits ^= bits >> np.uint64(29)
        return bits

    @staticmethod
    def salted(sums: np.ndarray, seed: int) -> np.ndarray:
        """The uint64 hashes that ``sums`` become by a seed."""
        return mixed(sums ^ _name_hash(f"seed {seed}"))


class PartWriter:
    """Writes one part's rows into ``part-<host>-NNNNN.parquet`` with row groups of bounded size."""

    def __init__(self, folder: Path, host: str, schema: pa.Schema) -> None:
        self.folder, self.host = folder, host
        self._texts = [f.name for f in schema if pa.types.is_dictionary(f.type)]
        self._schema = schema
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_rows = self._waiting_bytes = self._file_rows = self._files = 0
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob(f"part-{host}-*.parquet"):
            old.unlink()
        self._writer = self._open()

    def write(self, batch: pa.RecordBatch) -> None:
        """Add rows; they reach the file with the next full row group."""
        if not batch.num_rows:
            return
        self._waiting.append(batch)
        self._waiting_rows += batch.num_rows
        self._waiting_bytes += batch.get_total_buffer_size() - _dictionary_bytes(batch)
        if self._waiting_rows >= _ROW_GROUP_ROWS or self._waiting_bytes >= _ROW_GROUP_BYTES:
            self._flush()

    def close(self) -> None:
        """Write what is left; a part without rows is a file without rows."""
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if not self._waiting_rows:
            return
        if self._file_rows >= _FILE_ROWS:
            self._writer.close()
            self._writer = self._open()
        table = pa.Table.from_batches(self._waiting, self._schema).unify_dictionaries()
        self._writer.write_table(table, row_group_size=self._waiting_rows)
        self._file_rows += self._waiting_rows
        self._waiting, self._waiting_rows, self._waiting_bytes = [], 0, 0

    def _open(self) -> pq.ParquetWriter:
        path = self.folder / f"part-{self.host}-{self._files:05d}.parquet"
        self._files += 1
        self._file_rows = 0
        # Without Arrow's schema a dictionary column is plain text to who reads the file.
        # Snappy: 5 % larger than zstd here, and the faster of the two. Numbers seldom repeat: no dictionary.
        return pq.ParquetWriter(
            path, self._schema, compression="snappy", use_dictionary=self._texts, store_schema=False
        )


def _dictionary_bytes(batch: pa.RecordBatch) -> int:
    return sum(column.dictionary.nbytes for column in batch.columns if pa.types.is_dictionary(column.type))


def _name_hash(name: str) -> np.uint64:
    return np.uint64(int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little"))


def mixed(bits: np.ndarray) -> np.ndarray:
    """The bits of uint64 hashes, mixed one to one: small changes change about half of them."""
    bits = bits ^ (bits >> np.uint64(30))
    bits *= _MIX_1
    bits ^= bits >> np.uint64(27)
    bits *= _MIX_2
    bits ^= bits >> np.uint64(31)
    return bits
