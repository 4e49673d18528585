"""Dates and times written in a format of their own: ``%d/%m/%Y %H:%M`` and the like, read exactly.

The directives are those of Python's ``strptime``, with English names. The operating system's ``strptime``,
which Arrow uses, is not strict enough to tell notations apart: it takes ``24`` for the year 24 and gives
the 31st of February a meaning. Here such a text is no date.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_LONG = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october")
_LONG_MONTHS = (*_LONG, "november", "december")
_WEEKDAYS = "(?i:mon|tue|wed|thu|fri|sat|sun)"
_LONG_WEEKDAYS = "(?i:monday|tuesday|wednesday|thursday|friday|saturday|sunday)"
_SHORTHANDS = {"%T": "%H:%M:%S", "%R": "%H:%M", "%F": "%Y-%m-%d", "%D": "%m/%d/%y", "%e": "%d"}
_DIRECTIVES = {
    "Y": "(?P<Y>[0-9]{4})",
    "y": "(?P<y>[0-9]{2})",
    "m": "(?P<m>1[0-2]|0?[1-9])",
    "d": "(?P<d>3[01]|[12][0-9]|[ 0]?[1-9])",
    "H": "(?P<H>2[0-3]|[01]?[0-9])",
    "I": "(?P<I>1[0-2]|0?[1-9])",
    "M": "(?P<M>[0-5]?[0-9])",
    "S": "(?P<S>[0-5]?[0-9])",
    "f": "(?P<f>[0-9]{1,9})",
    "p": "(?P<p>(?i:[ap]\\.?m\\.?))",
    "b": f"(?P<b>(?i:{'|'.join(_MONTHS)}|sept)\\.?)",
    "B": f"(?P<B>(?i:{'|'.join(_LONG_MONTHS)}))",
    "z": "(?P<z>Z|[+-][0-9]{2}:?[0-9]{2})",
    "Z": "(?:UTC|GMT|Z)",
    "a": _WEEKDAYS,
    "A": _LONG_WEEKDAYS,
    "%": "%",
}
_OF_DIGITS = frozenset(f"%{letter}" for letter in "YymdHIMSf")
DIRECTIVES = frozenset(_DIRECTIVES) | {directive[1] for directive in _SHORTHANDS}
"""The letters that may follow a ``%``."""


def problem(date_format: str) -> str | None:
    """What is wrong with a format; None where it can be used."""
    letters = re.findall(r"%(.?)", _expanded(date_format), re.DOTALL)
    for letter in letters:
        if letter not in _DIRECTIVES:
            return f"there is no %{letter}"
        if letter != "%" and letters.count(letter) > 1:
            return f"%{letter} is in it twice"
    if not set(letters) & {"Y", "y", "m", "d", "b", "B", "H", "I", "M", "S"}:
        return "it names no part of a date or a time"
    return None


def timestamps(texts: pa.Array, date_format: str) -> pa.TimestampArray:
    """The texts (without nulls) as ``timestamp[us]`` in UTC, null where one is not of that format.

    What the format leaves out is that of 1970-01-01 00:00:00, so that a time alone is the time of that day.
    A year of two digits is that of 1969 to 2068.
    """
    found = pc.extract_regex(texts, pattern=f"^{_pattern(date_format)}$")
    fits = pc.is_valid(found)
    fields = {found.type.field(i).name: pc.struct_field(found, i) for i in range(found.type.num_fields)}

    def number(name: str, default: int) -> np.ndarray:
        if name not in fields:
            return np.full(len(texts), default, np.int64)
        digits = pc.utf8_ltrim(fields[name], characters=" ").cast(pa.int64())
        return digits.fill_null(default).to_numpy(zero_copy_only=False)

    year = number("Y", 1970)
    if "y" in fields:
        year = number("y", 70)
        year = year + np.where(year < 69, 2000, 1900)
    month = number("m", 1)
    for name in ("b", "B"):
        if name in fields:
            start = pc.utf8_lower(pc.utf8_slice_codeunits(fields[name], 0, 3))
            month = pc.index_in(start, pa.array(_MONTHS)).fill_null(0).to_numpy(zero_copy_only=False) + 1
    day = number("d", 1)
    months = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    days = months.astype("datetime64[D]") + (day - 1)
    valid = days.astype("datetime64[M]") == months  # there is no 31st of February
    hour = number("H", 0)
    if "I" in fields:
        hour = number("I", 12) % 12
    if "p" in fields:
        afternoon = pc.starts_with(pc.utf8_lower(fields["p"]), "p").fill_null(False)
        hour = hour % 12 + 12 * afternoon.to_numpy(zero_copy_only=False)
    seconds = hour * 3600 + number("M", 0) * 60 + number("S", 0) - _offsets(fields)
    micros = days.astype("datetime64[us]").astype(np.int64) + seconds * 1_000_000
    if "f" in fields:
        padded = pc.utf8_slice_codeunits(pc.utf8_rpad(fields["f"], 6, "0"), 0, 6)
        micros = micros + padded.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    keep = fits.to_numpy(zero_copy_only=False) & valid
    return pa.array(micros, mask=~keep).cast(pa.timestamp("us"))


def microseconds(text: str, date_format: str) -> int | None:
    """Microseconds since 1970 UTC of the one text that ``timestamps`` gives; None where it is not of that
    format."""
    found = re.fullmatch(_pattern(date_format), text)
    if found is None:
        return None
    parts = found.groupdict()
    year = int(parts.get("Y") or 1970)
    if "y" in parts:
        year = int(parts["y"]) + (2000 if int(parts["y"]) < 69 else 1900)
    month = int(parts.get("m") or 1)
    for name in ("b", "B"):
        if name in parts:
            month = _MONTHS.index(parts[name][:3].lower()) + 1
    hour = int(parts.get("H") or 0)
    if "I" in parts:
        hour = int(parts["I"]) % 12
    if "p" in parts:
        hour = hour % 12 + (12 if parts["p"].lower().startswith("p") else 0)
    clock = (
        hour,
        int(parts.get("M") or 0),
        int(parts.get("S") or 0),
        int((parts.get("f") or "").ljust(6, "0")[:6]),
    )
    zone = parts.get("z", "Z").replace(":", "").replace("Z", "+0000")
    offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[3:5])) * (-1 if zone[0] == "-" else 1)
    try:
        moment = datetime(year, month, int(parts.get("d") or 1), *clock)
    except ValueError:  # there is no 31st of February
        return None
    return (moment - offset - datetime(1970, 1, 1)) // timedelta(microseconds=1)


def _offsets(fields: dict[str, pa.Array]) -> np.ndarray | int:
    """Seconds east of UTC, by ``%z``."""
    if "z" not in fields:
        return 0
    digits = pc.replace_substring(fields["z"], ":", "")
    digits = pc.if_else(pc.equal(digits, "Z"), "+0000", digits).fill_null("+0000")
    hours = pc.utf8_slice_codeunits(digits, 1, 3).cast(pa.int64()).to_numpy(zero_copy_only=False)
    minutes = pc.utf8_slice_codeunits(digits, 3, 5).cast(pa.int64()).to_numpy(zero_copy_only=False)
    west = pc.starts_with(digits, "-").to_numpy(zero_copy_only=False)
    return np.where(west, -1, 1) * (hours * 3600 + minutes * 60)


def _expanded(date_format: str) -> str:
    for short, long in _SHORTHANDS.items():
        date_format = date_format.replace(short, long)
    return date_format


@lru_cache(maxsize=256)
def _pattern(date_format: str) -> str:
    parts = [part for part in re.split(r"(%.)", _expanded(date_format)) if part]
    written = []
    for before, part, after in zip(["", *parts], parts, [*parts[1:], ""], strict=False):
        if not part.startswith("%"):
            written.append(re.escape(part))
        elif part in _OF_DIGITS and not {before, after}.isdisjoint(_OF_DIGITS):
            # Nothing stands between them, so that each has all of its digits: 2042023 could be two days.
            written.append(re.sub(r"\?(?!P)", "", _DIRECTIVES[part[1]].replace("[ 0]", "0")))
        else:
            written.append(_DIRECTIVES[part[1]])
    return "".join(written)
