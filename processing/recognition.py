"""What the texts of a column are, if they are something else than categories: numbers, amounts, dates.

A column of texts becomes categories, which is right for words and wrong for ``0,35`` and ``31/01/2024``.
Here its distinct texts are tried in the notations that people use; the answer names the settings by which
preprocessing reads them. Where two notations fit and mean different values, the answer holds both.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc
from dates import timestamps
from notation import Notation, numbers, stripped

FEWEST = 5
"""Distinct texts that must fit, so that a few codes are not taken for numbers."""

_SHARE = 0.95
_FEWEST_OF_A_UNIT = 20
_FEWEST_GROUPED = 20
_LOOKED_AT_FIRST = 1000
_WRITTEN = ((",", ""), (".", ","), (",", "."), (".", "'"), (".", " "), (",", " "), (",", "'"))
_FORMATS_FROM = 20  # texts
_TIME = re.compile(
    r"(?:(?<![0-9:])|(?<=/[0-9]{4}:))[0-9]{1,2}:[0-9]{2}(?P<seconds>:[0-9]{2}(?P<fraction>[.,][0-9]{1,9})?)?"
    r"(?P<half> ?[AaPp]\.?[Mm]\.?)?(?P<zone> ?(?:Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2}))?(?![0-9:])"
)
_BASIC = re.compile(  # of ISO 8601
    r"[0-9]{8}(?P<between>[T ])[0-9]{4}(?P<seconds>[0-9]{2})?(?P<zone>Z|[+-][0-9]{2}:?[0-9]{2})?"
)
_TIMES_PLACE = "\0"
_SHORT_MONTH = re.compile(r"(jan|feb|mar|apr|may|jun|jul|aug|sept?|oct|nov|dec)\.?", re.IGNORECASE)
_LONG_MONTH = re.compile(
    "january|february|march|april|june|july|august|september|october|november|december", re.IGNORECASE
)
_SHORT_DAY = re.compile("mon|tue|wed|thu|fri|sat|sun", re.IGNORECASE)
_LONG_DAY = re.compile("monday|tuesday|wednesday|thursday|friday|saturday|sunday", re.IGNORECASE)
_WORDS = ((_SHORT_MONTH, "%b"), (_LONG_MONTH, "%B"), (_SHORT_DAY, "%a"), (_LONG_DAY, "%A"))
_CURRENCY_OR_SHARE = r"^(\p{Sc}|[A-Z]{1,3}\p{Sc}?|%|kr\.?|Fr\.?|Rs\.?)$"
UNITS = (
    frozenset({"mg", "g", "kg", "t", "oz", "lb", "lbs"}),
    frozenset({"mm", "cm", "dm", "m", "km", "in", "ft", "yd", "mi"}),
    frozenset({"ml", "cl", "dl", "l"}),
    frozenset({"b", "kb", "mb", "gb", "tb", "kib", "mib", "gib", "tib"}),
    frozenset({"\u00b0c", "\u00b0f"}),
    frozenset({"w", "kw", "mw", "hp", "ps"}),
    frozenset({"wh", "kwh", "mwh"}),
    frozenset({"km/h", "kmh", "mph", "m/s"}),
    frozenset({"ns", "us", "ms", "s", "sec", "min", "h"}),
    frozenset({"hz", "khz", "mhz", "ghz"}),
)
"""Units, in lower case, of which those of one kind can be brought to one."""

_UNITS_OF_SEVERAL_LETTERS = {unit for units in UNITS for unit in units if len(unit) > 1}


@dataclass(frozen=True)
class Reading:
    """One way to read a column: the keys of the settings with the column's value for each, and what the
    first of ``Recognised.fits`` is then."""

    settings: Mapping[str, str]
    example: str


@dataclass(frozen=True)
class Recognised:
    """``what`` the texts are; ``readings``, more than one where they mean different values and all fit;
    ``fits``, two of the texts; ``others``, the texts that do not fit."""

    what: str
    readings: tuple[Reading, ...]
    fits: tuple[str, ...]
    others: tuple[str, ...]


def recognise(texts: Sequence[str], notation: Notation) -> Recognised | None:
    """What most of a column's distinct texts are, if at least 95 % of them are it."""
    array = pa.array(texts, pa.string())
    first = array.slice(0, _LOOKED_AT_FIRST)
    for find in (_numbers, _dates):
        if find(first, notation, 0.9 * _SHARE) is not None:
            found = find(array, notation, _SHARE)
            if found is not None:
                return found
    return None


def _numbers(texts: pa.StringArray, notation: Notation, share: float) -> Recognised | None:
    digits = pc.match_substring(texts, ".") if not len(texts) else pc.match_substring_regex(texts, "[0-9]")
    if not len(texts) or pc.sum(digits).as_py() < share * len(texts):
        return None
    own = replace(notation, date_format=None, strip=False)
    written = [own, *(replace(own, decimal=point, thousands=group) for point, group in _WRITTEN)]
    for amounts in (False, True):
        candidates = [
            (one, found.plain)
            for one in written
            if (found := numbers(texts, replace(one, amounts=amounts))) and _one_unit(found.units)
        ]
        best = max((_fitting(plain) for _, plain in candidates), default=0)
        if best < max(share * len(texts), 1):
            continue
        readings: list[tuple[Reading, pa.Array]] = []
        for one, plain in candidates:
            value = plain.cast(pa.float64())
            if _fitting(plain) < best or any(value.equals(other) for _, other in readings):
                continue
            settings = _changed(own, one) | ({"kinds": "number"} if amounts or one == own else {})
            readings.append((Reading(settings, ""), value))
        if len(readings) > 1 and _in_thousands(texts):
            readings.sort(key=lambda reading: "thousands" not in reading[0].settings)
        what = _named(readings[0][0].settings, amounts, numbers(texts, replace(own, amounts=True)).units)
        return _recognised(what, texts, readings)
    return None


def _in_thousands(texts: pa.StringArray) -> bool:
    """Whether three digits follow each dot or comma, of so many texts that it is hardly by chance: the
    reading as thousands comes first, since the other one would take 1,234 for less than 999."""
    grouped = pc.match_substring_regex(texts, "^[^0-9]*[1-9][0-9]{0,2}[.,][0-9]{3}[^0-9]*$")
    marked = pc.match_substring_regex(texts, "[0-9][.,][0-9]")
    return pc.sum(grouped).as_py() >= _FEWEST_GROUPED and grouped.equals(marked)


def _named(settings: Mapping[str, str], amounts: bool, units: pa.Array) -> str:
    if amounts:
        return "shares in percent" if "%" in units.unique().to_pylist() else "amounts"
    return "numbers" if set(settings) <= {"kinds"} else "numbers in another notation"


def _changed(own: Notation, other: Notation) -> dict[str, str]:
    changed = {"decimal": other.decimal} if other.decimal != own.decimal else {}
    return changed | ({"thousands": other.thousands} if other.thousands != own.thousands else {})


def _one_unit(units: pa.StringArray) -> bool:
    """Whether the same stands beside every number; of letters that are no usual unit only where many."""
    found = [unit for unit in units.drop_null().unique().to_pylist() if unit]
    if len(found) > 1:
        return False
    if not found or (found[0].casefold() in _UNITS_OF_SEVERAL_LETTERS and _fitting(units) >= FEWEST):
        return True
    known = pc.match_substring_regex(pa.array(found, pa.string()), _CURRENCY_OR_SHARE)
    return bool(known[0].as_py()) or _fitting(units) >= _FEWEST_OF_A_UNIT


def _dates(texts: pa.StringArray, notation: Notation, share: float) -> Recognised | None:
    candidates = [one for text in texts.slice(0, _FORMATS_FROM).to_pylist() for one in formats_of(text)]
    readings: list[tuple[Reading, pa.Array]] = []
    best = max(share * len(texts), 1)
    for date_format in dict.fromkeys(candidates):
        if date_format == notation.date_format:
            continue
        value = timestamps(texts, date_format)
        if _fitting(value) < best or any(value.equals(other) for _, other in readings):
            continue
        if _fitting(value) > best:
            readings = []
        best = _fitting(value)
        readings.append((Reading({"date_format": date_format}, ""), value))
    what = "dates in another notation"
    if readings and not set(re.findall("%[YymdbB]", readings[0][0].settings["date_format"])):
        what = "times of day"
    return _recognised(what, texts, readings)


def formats_of(text: str) -> list[str]:
    """The formats in which this text can be a date or a time of day; none where it is neither."""
    basic = _BASIC.fullmatch(text)
    if basic:
        zone = "%z" if basic["zone"] else ""
        return [f"%Y%m%d{basic['between']}%H%M{'%S' if basic['seconds'] else ''}{zone}"]
    clock = _TIME.search(text)
    time = ""
    if clock:
        time = "%I:%M" if clock["half"] else "%H:%M"
        time += ":%S" if clock["seconds"] else ""
        time += f"{clock['fraction'][0]}%f" if clock["fraction"] else ""
        time += f"{' ' * clock['half'].startswith(' ')}%p" if clock["half"] else ""
        if clock["zone"]:
            letter = "Z" if clock["zone"].strip() in ("UTC", "GMT") else "z"
            time += f"{' ' * clock['zone'].startswith(' ')}%{letter}"
        if clock[0] == text:
            return [time]
        text = text[: clock.start()] + _TIMES_PLACE + text[clock.end() :]
    days = _days(re.findall(r"[0-9]+|[A-Za-z]+\.?|[^A-Za-z0-9]+", text))
    return [day.replace(_TIMES_PLACE, time) for day in days]


def _days(tokens: list[str]) -> list[str]:
    """The formats of a date that is made of these numbers, words and separators."""
    written, short = [], []
    for token in tokens:
        word = next((directive for known, directive in _WORDS if known.fullmatch(token)), None)
        if word:
            written.append(word)
        elif token.isdigit():
            written.append("%Y" if len(token) == 4 else token)
            if len(token) <= 2:
                short.append(len(written) - 1)
            elif len(token) != 4:
                return []
        elif token == "T" or not token[0].isalpha():
            written.append(token.replace("%", "%%"))
        else:
            return []
    has_year, has_month = "%Y" in written, "%b" in written or "%B" in written
    orders = {
        (True, True): {0: [""], 1: ["d"]},
        (True, False): {1: ["m"], 2: ["md"] if written[0] == "%Y" else ["dm", "md"]},
        (False, True): {1: ["y"], 2: ["dy"]},
        (False, False): {3: ["dmy", "mdy", "ymd"]},
    }[has_year, has_month].get(len(short), [])
    found = []
    for order in orders:
        parts = list(written)
        for place, letter in zip(short, order, strict=True):
            parts[place] = f"%{letter}"
        found.append("".join(parts))
    return found


def _different(value: pa.Array, others: Sequence[pa.Array]) -> int:
    """The place of the first value that the others do not have there."""
    for place in range(len(value)):
        if value[place].is_valid and all(value[place] != other[place] for other in others):
            return place
    return 0


def _recognised(
    what: str, texts: pa.StringArray, readings: Sequence[tuple[Reading, pa.Array]]
) -> Recognised | None:
    if not readings:
        return None
    value = readings[-1][1]
    place = _different(value, [other for _, other in readings[:-1]])
    shown = [texts[place].as_py(), *texts.filter(pc.is_valid(value)).slice(0, 2).to_pylist()]
    return Recognised(
        what,
        tuple(replace(reading, example=_written(values[place].as_py())) for reading, values in readings),
        tuple(dict.fromkeys(shown))[:2],
        tuple(texts.filter(pc.is_null(value)).to_pylist()),
    )


def _written(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _fitting(values: pa.Array) -> int:
    return len(values) - values.null_count


def surrounded(texts: Sequence[str]) -> str | None:
    """The quotation mark that stands around all of the texts, if one does."""
    for mark in "'\u201d`":
        if texts and all(len(text) > 1 and text[0] == text[-1] == mark for text in texts):
            return mark
    return None


def spaced(texts: Sequence[str]) -> list[str]:
    """Those that begin or end with a space."""
    array = pa.array(texts, pa.string())
    return array.filter(pc.not_equal(array, stripped(array))).to_pylist() if len(array) else []


def is_finite(text: str) -> bool:
    """Whether a text is a number in plain notation, and neither infinite nor NaN."""
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
