"""Metrics as CloudWatch keeps them: series of numbers, of which each minute has a summary.

A number is added to its minute in memory, which costs microseconds, so that a request to a model waits for
no disk. Every half minute what has come is added to the database; a process that is killed loses what came
since. A minute's summary holds count, sum, least and greatest value, and how many values lie in each of the
intervals of 2 % of their size, from which percentiles are read: they are right to 1 %.

What is in memory is bounded by the series that came in half a minute, what is on the disk by a week.
"""

from __future__ import annotations

import json
import logging
import math
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sagemaker_local import clocks
from sagemaker_local.store import Store

MINUTE = 60
KEPT_SECONDS = 7 * 86400
"""AWS keeps minutes for 15 days, and coarser summaries for 15 months."""

MOST_SERIES = 10_000
"""Of all regions together; CloudWatch has no such limit."""

_FLUSH_SECONDS = 30.0
_MOST_IN_MEMORY = 20_000
_STEP = math.log(1.02)
_log = logging.getLogger(__name__)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS metric_series (
    id         INTEGER PRIMARY KEY,
    region     TEXT NOT NULL,
    namespace  TEXT NOT NULL,
    name       TEXT NOT NULL,
    dimensions TEXT NOT NULL,
    unit       TEXT NOT NULL,
    newest     INTEGER NOT NULL,
    UNIQUE (region, namespace, name, dimensions, unit)
);
CREATE TABLE IF NOT EXISTS metric_minute (
    series  INTEGER NOT NULL,
    minute  INTEGER NOT NULL,
    summary TEXT NOT NULL,
    PRIMARY KEY (series, minute)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS metric_minute_by_time ON metric_minute (minute);
"""


@dataclass(frozen=True)
class Series:
    """What a number is a value of; ``dimensions`` are pairs of name and value, sorted."""

    region: str
    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    unit: str = "None"


@dataclass
class Summary:
    """The values of a span of time.

    Attributes:
        intervals: how many values lie in each interval, by its number; see :func:`_interval`.
        has_unknown: whether some came as a sum alone, so that nothing is known of how they are spread.
    """

    count: float = 0.0
    total: float = 0.0
    least: float = math.inf
    greatest: float = -math.inf
    intervals: dict[int, float] = field(default_factory=dict)
    has_unknown: bool = False

    def add(self, value: float, times: float = 1.0) -> None:
        """Add a value that came so many times."""
        self.count += times
        self.total += value * times
        self.least, self.greatest = min(self.least, value), max(self.greatest, value)
        place = _interval(value)
        self.intervals[place] = self.intervals.get(place, 0.0) + times

    def merge(self, other: Summary) -> None:
        """Add all values of another."""
        self.count += other.count
        self.total += other.total
        self.least, self.greatest = min(self.least, other.least), max(self.greatest, other.greatest)
        for place, times in other.intervals.items():
            self.intervals[place] = self.intervals.get(place, 0.0) + times
        self.has_unknown = self.has_unknown or other.has_unknown

    def percentile(self, percent: float) -> float | None:
        """The least value that so many percent of the values do not exceed; None where it is not known."""
        if self.has_unknown or not self.count:
            return self.least if self.count and self.least == self.greatest else None
        wanted, seen = self.count * percent / 100, 0.0
        for place in sorted(self.intervals):
            seen += self.intervals[place]
            if seen >= wanted - 1e-9:
                return min(self.greatest, max(self.least, _middle(place)))
        return self.greatest

    def as_text(self) -> str:
        """As the database holds it."""
        spread = list(self.intervals.items())
        return json.dumps([self.count, self.total, self.least, self.greatest, spread, self.has_unknown])


def summary_of(count: float, total: float, least: float, greatest: float) -> Summary:
    """Of values of which only this is known."""
    return Summary(count, total, least, greatest, {}, has_unknown=True)


def _parsed(text: str) -> Summary:
    count, total, least, greatest, spread, has_unknown = json.loads(text)
    return Summary(count, total, least, greatest, {int(place): n for place, n in spread}, has_unknown)


def _interval(value: float) -> int:
    """The number of the interval of 2 % that a value lies in; 0 is zero, and numbers grow with the values."""
    if value == 0:
        return 0
    # 1100 halvings are more than a double has below 1, so that no number of a positive value is below 1.
    place = math.floor(math.log(abs(value)) / _STEP) + _BELOW_ONE
    return place if value > 0 else -place


_BELOW_ONE = math.ceil(1100 * math.log(2) / _STEP)


def _middle(place: int) -> float:
    if place == 0:
        return 0.0
    size = math.exp((abs(place) - _BELOW_ONE + 0.5) * _STEP)
    return size if place > 0 else -size


Place = tuple[Series, int]
"""A series and a minute, counted since 1970."""


class Metrics:
    """The metrics of one home. Safe to share between threads; another process sees what is written."""

    def __init__(self, store: Store) -> None:
        self._store = store
        store.create(_SCHEMA)
        self._lock = threading.Lock()
        self._new: dict[Place, Summary] = {}
        self._writing = threading.Lock()  # held while what was new becomes what is written
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, values: Mapping[Series, float], when: float | None = None) -> None:
        """Add a value to each of some series.

        Args:
            when: POSIX seconds; now if None.
        """
        minute = int((clocks.now() if when is None else when) // MINUTE)
        with self._lock:
            for series, value in values.items():
                self._summary((series, minute)).add(value)
            self._start()

    def merge(self, series: Series, when: float, summary: Summary) -> None:
        """Add what somebody else has summed up."""
        with self._lock:
            self._summary((series, int(when // MINUTE))).merge(summary)
            is_full = len(self._new) > _MOST_IN_MEMORY
            self._start()
        if is_full:
            self.write()

    def has_room_for(self, wanted: Iterable[Series]) -> bool:
        """Whether there may be these series beside those that there are."""
        known = set(self.series())
        return len(known | set(wanted)) <= MOST_SERIES

    def series(self, region: str | None = None, since: float = 0.0) -> list[Series]:
        """All series, of one region or all, that have a value since a time; sorted."""
        least = int(since // MINUTE)
        with self._writing:
            rows = self._store.connection.execute(
                "SELECT region, namespace, name, dimensions, unit FROM metric_series WHERE newest >= ?",
                (least,),
            ).fetchall()
            with self._lock:
                found = {series for series, minute in self._new if minute >= least}
        found |= {Series(row[0], row[1], row[2], _dimensions(row[3]), row[4]) for row in rows}
        chosen = [series for series in found if region in (None, series.region)]
        return sorted(chosen, key=lambda one: (one.namespace, one.name, one.dimensions, one.unit))

    def with_units(self, wanted: Series) -> list[Series]:
        """The series that differ from one in their unit at most."""
        key = _key(wanted)[:-1]
        with self._writing:
            rows = self._store.connection.execute(
                "SELECT unit FROM metric_series WHERE region = ? AND namespace = ? AND name = ?"
                " AND dimensions = ?",
                key,
            ).fetchall()
            with self._lock:
                units = {series.unit for series, _ in self._new if _key(series)[:-1] == key}
        return [replace(wanted, unit=unit) for unit in sorted(units | {unit for [unit] in rows})]

    def summaries(
        self, series: Series, start: float, end: float, period: int
    ) -> Iterator[tuple[int, Summary]]:
        """The summaries of a series from a time to another, of each period that has values, in order.

        Args:
            start, end: POSIX seconds; the minute of `start` counts, that of `end` does not.
            period: seconds, whole minutes; a period begins at a multiple of it since 1970.

        Returns:
            pairs of a period's beginning, POSIX seconds, and its summary.
        """
        first, last = int(start // MINUTE), math.ceil(end / MINUTE)
        with self._writing:
            rows = self._store.connection.execute(
                "SELECT minute, summary FROM metric_minute WHERE minute >= ? AND minute < ? AND series ="
                " (SELECT id FROM metric_series WHERE region = ? AND namespace = ? AND name = ?"
                " AND dimensions = ? AND unit = ?)",
                (first, last, *_key(series)),
            ).fetchall()
            found = [(minute, _parsed(text)) for minute, text in rows]
            with self._lock:
                for (one, minute), summary in self._new.items():
                    if one == series and first <= minute < last:
                        copied = Summary()
                        copied.merge(summary)
                        found.append((minute, copied))
        periods: dict[int, Summary] = {}
        for minute, summary in found:
            periods.setdefault(minute * MINUTE // period * period, Summary()).merge(summary)
        yield from sorted(periods.items())

    def write(self) -> None:
        """Add what has come to the database, and delete what is too old.

        Raises:
            sqlite3.Error: it cannot be written; it is kept in memory.
        """
        with self._writing:
            with self._lock:
                new, self._new = self._new, {}
            try:
                with self._store.transaction():
                    for (series, minute), summary in new.items():
                        self._write(series, minute, summary)
                    self._delete_old()
            except sqlite3.Error:
                with self._lock:
                    for place, summary in new.items():
                        self._summary(place).merge(summary)
                raise

    def close(self) -> None:
        """Write what has come; nothing is added any more."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join()
        try:
            self.write()
        except sqlite3.Error as error:
            _log.error("the metrics of the last minute cannot be written (%s)", error)

    def _summary(self, place: Place) -> Summary:
        found = self._new.get(place)
        if found is None:
            found = self._new[place] = Summary()
        return found

    def _start(self) -> None:
        if self._thread is None and not self._closed.is_set():
            self._thread = threading.Thread(target=self._loop, name="writing metrics", daemon=True)
            self._thread.start()

    def _loop(self) -> None:
        while not self._closed.wait(_FLUSH_SECONDS):
            with self._lock:
                is_new = bool(self._new)
            try:
                if is_new:
                    self.write()
            except sqlite3.Error as error:  # a full disk: what has come waits for space
                _log.error("metrics cannot be written (%s); trying again", error)

    def _write(self, series: Series, minute: int, summary: Summary) -> None:
        connection = self._store.connection
        connection.execute(
            "INSERT INTO metric_series (region, namespace, name, dimensions, unit, newest)"
            " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (region, namespace, name, dimensions, unit)"
            " DO UPDATE SET newest = max(newest, excluded.newest)",
            (*_key(series), minute),
        )
        [number] = connection.execute(
            "SELECT id FROM metric_series WHERE region = ? AND namespace = ? AND name = ?"
            " AND dimensions = ? AND unit = ?",
            _key(series),
        ).fetchone()
        row = connection.execute(
            "SELECT summary FROM metric_minute WHERE series = ? AND minute = ?", (number, minute)
        ).fetchone()
        if row is not None:  # another process, or an earlier half of the minute
            whole = _parsed(row[0])
            whole.merge(summary)
            summary = whole
        connection.execute(
            "INSERT OR REPLACE INTO metric_minute VALUES (?, ?, ?)", (number, minute, summary.as_text())
        )

    def _delete_old(self) -> None:
        oldest = int((clocks.now() - KEPT_SECONDS) // MINUTE)
        self._store.connection.execute("DELETE FROM metric_minute WHERE minute < ?", (oldest,))
        self._store.connection.execute("DELETE FROM metric_series WHERE newest < ?", (oldest,))


def _key(series: Series) -> tuple[Any, ...]:
    return series.region, series.namespace, series.name, json.dumps(series.dimensions), series.unit


def _dimensions(text: str) -> tuple[tuple[str, str], ...]:
    return tuple((str(name), str(value)) for name, value in json.loads(text))
