"""Texts that are quantities in a notation that no setting reads: ``31:15:00``, ``10k`` beside ``1.5M``.

As categories they have neither order nor distances. A column's distinct texts are compared with such
notations here; only the source can write them otherwise. Those that a setting reads are ``recognition``'s.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc
from dates import microseconds
from notation import CURRENCY, Notation, numbers
from recognition import FEWEST, UNITS, formats_of

_SHARE = 0.95
_OF_EACH = 0.02  # of the texts are in a notation beside another one
_LOOKED_AT, _DATES_LOOKED_AT = 1000, 200
_SHOWN = 3
_MANY = 20  # distinct texts, where a few are codes or classes of people's own


@dataclass(frozen=True)
class Unread:
    """``what`` the texts are, some that show it, and what to do in the source: a sentence without a full
    stop."""

    what: str
    shown: tuple[str, ...]
    advice: str


@dataclass(frozen=True)
class _Shape:
    """A pattern of RE2 for the whole text; of ``fewest`` distinct texts at least."""

    pattern: str
    what: str
    advice: str
    fewest: int = FEWEST


_AS_ONE_NUMBER = "Give each as one number, all in one unit"
_AS_DATES = "Write them as 2024-01-31"
_EACH = "Give each number as a column of its own"
_NUMBER = r"[+\-\x{2212}]?[0-9]+(?:[.,][0-9]+)?"
_TIMES = r"(?:d|days?|h|hrs?|hours?|m|mins?|minutes?|s|secs?|seconds?|mo|months?|w|wks?|weeks?|y|yrs?|years?)"
_MONTHS = (
    "januar|jänner|jan|februar|feber|feb|märz|mär|mrz|april|apr|mai|juni|jun|juli|jul|august|aug|september|"
    "sept|sep|oktober|okt|november|nov|dezember|dez|"
    "janvier|janv|février|fevrier|févr|fevr|mars|avril|avr|juin|juillet|juil|août|aout|septembre|octobre|oct|"
    "novembre|décembre|decembre|déc|"
    "enero|ene|febrero|marzo|abril|abr|mayo|junio|julio|agosto|ago|septiembre|setiembre|octubre|noviembre|"
    "diciembre|dic|"
    "gennaio|gen|febbraio|aprile|maggio|mag|giugno|giu|luglio|lug|settembre|set|ottobre|ott|dicembre|"
    "janeiro|fevereiro|fev|março|maio|junho|julho|setembro|outubro|out|novembro|dezembro|"
    "januari|februari|maart|mrt|mei|maj|augusti|augustus|december"
)
_MINUTE, _SECOND = r"['\x{2032}\x{2019}]", r"(?:[\"\x{2033}\x{201d}]|'')"
_SHAPES = (
    _Shape(r"-?[0-9]+:[0-5][0-9](:[0-5][0-9]([.,][0-9]+)?)?", "durations", _AS_ONE_NUMBER),
    _Shape(r"-?[0-9]+ days?(,? [+-]?[0-9]{1,2}:[0-9]{2}(:[0-9.]+)?)?", "durations", _AS_ONE_NUMBER),
    _Shape(r"-?P([0-9.,]+[YMWD])*(T([0-9.,]+[HMS])+)?", "durations", _AS_ONE_NUMBER),
    _Shape(f"(?i)({_NUMBER} ?{_TIMES}\\.?,? ?)+", "durations", _AS_ONE_NUMBER),
    _Shape(
        f"(?i)(\\pL+\\.?,? )?[0-9]{{1,2}}\\.?[ -]*(de )?({_MONTHS})\\.?,?[ -]*(de )?[0-9]{{2,4}}( .*)?",
        "dates with names of months in a language that is not English",
        _AS_DATES,
    ),
    _Shape(
        r"[0-9]{4}[-/ ]?(Q|W|T|H|S|KW) ?[0-9]{1,2}|(Q|W|T|H|S|KW) ?[0-9]{1,2}[-/. ]*'?[0-9]{2,4}",
        "quarters or weeks",
        "Write the first day of each, as 2024-01-31",
    ),
    _Shape(
        f"[0-9]+ ?({_MINUTE}|ft\\.?|feet) ?([0-9.]+ ?({_SECOND}|in\\.?)?)?", "feet and inches", _AS_ONE_NUMBER
    ),
    _Shape(
        f"[NSEWO]? ?{_NUMBER} ?(\u00b0 ?)?([0-9.,]+ ?{_MINUTE} ?([0-9.,]+ ?{_SECOND} ?)?)?[NSEWO]?",
        "angles in degrees",
        "Give each as one number with decimals",
    ),
    _Shape(r"\{.*:.*\}", "objects of JSON", "Give each value as a column of its own", _MANY),
    _Shape(
        r"(?i)[0-9]+ ?(st|nd|rd|th|\x{00ba}|\x{00aa})|(\#|no\.?|nr\.?|n\x{00b0}|\x{2116}) ?[0-9]+",
        "numbers with a mark of their order",
        "Write them as numbers alone, if their order matters",
        _MANY,
    ),
    _Shape("[0-9]{1,3}(_[0-9]{3})*([.,][0-9]+)?", "numbers with _ between digits", "Take it out"),
    _Shape(r"[0-9]{1,2} ?[hH] ?[0-5][0-9]", "times of day with h", "Write them as 20:19"),
    _Shape(
        f"{_NUMBER}( ?[xX\u00d7*\u00b7] ?10.+|[dD][+-][0-9]+)",
        "numbers with powers of ten",
        "Write them as 1.5e3",
    ),
    _Shape(r"([0-9]+[ -]?)?([0-9]+[/\x{2044}][0-9]+|\p{No})|[0-9]+", "fractions or pairs of numbers", _EACH),
    _Shape(
        f"[(\\[]?{_NUMBER}( ?([;,/xX\u00d7|]|: ) ?{_NUMBER})+[)\\]]?", "several numbers each", _EACH, _MANY
    ),
    _Shape(
        f"[(\\[]?{_NUMBER} ?(-|\u2013|to|\\.\\.) ?{_NUMBER}[)\\]]?",
        "ranges of numbers",
        "Give both ends, or the middle, as numbers",
        _MANY,
    ),
    _Shape(
        f"([<>~\u2248\u2264\u2265]=? ?|ca\\.? ?)?{_NUMBER} ?\\+?",
        "numbers, some of them with <, > or ~",
        "Give the sign as a column of its own",
        _MANY,
    ),
)
_ROMAN = re.compile("M{0,3}(CM|CD|D?C{0,3})(XC|XL|L?X{0,3})(IX|IV|V?I{0,3})")
_FACTORS = frozenset({"k", "m", "b", "bn", "mn", "mio", "mrd", "mm", "t", "tsd", "cr", "lakh", "crore"})


def unread(texts: Sequence[str], notation: Notation) -> Unread | None:
    """What nearly all of a column's distinct texts are, if that is a quantity which no setting reads.

    Args:
        texts: the most frequent ones first.
        notation: how the settings say that the column is written.
    """
    texts = texts[:_LOOKED_AT]
    if len(texts) < FEWEST:
        return None
    if {"I", "VIII"} <= {*texts} and _nearly_all(map(_ROMAN.fullmatch, texts)):
        return Unread(
            "Roman numerals", tuple(texts[:_SHOWN]), "Write them as numbers, if their order matters"
        )
    if not _nearly_all(any(map(str.isnumeric, text)) for text in texts):
        return None
    if _nearly_all(map(_is_number_in_other_digits, texts)):
        return Unread("numbers in digits other than 0 to 9", tuple(texts[:_SHOWN]), "Write them in these")
    array = pa.array(texts, pa.string())
    return _two_decimals(array) or _units(array, notation) or _dates(texts) or _of_a_shape(array)


def _nearly_all(fits: Iterable[object]) -> bool:
    found = [bool(one) for one in fits]
    return sum(found) >= _SHARE * len(found)


def _of_a_shape(texts: pa.StringArray) -> Unread | None:
    plain = pc.match_substring_regex(texts, f"^{_NUMBER}$")
    for shape in _SHAPES:
        if len(texts) < shape.fewest:
            continue
        fits = pc.match_substring_regex(texts, f"^(?:{shape.pattern})$")
        if pc.sum(fits).as_py() < _SHARE * len(texts):
            continue
        others = texts.filter(pc.and_not(fits, plain)).to_pylist()
        if len(others) >= _OF_EACH * len(texts):
            return Unread(shape.what, tuple(others[:_SHOWN]), shape.advice)
    return None


def _two_decimals(texts: pa.StringArray) -> Unread | None:
    """Some numbers with a decimal comma, others with a point."""
    whole, commas, points = (
        texts.filter(pc.match_substring_regex(texts, f"^[+-]?{written}$"))
        for written in (
            "[0-9]+",
            r"([0-9]+|[0-9]{1,3}(\.[0-9]{3})+),[0-9]+",
            r"([0-9]+|[0-9]{1,3}(,[0-9]{3})+)\.[0-9]+",
        )
    )
    if len(whole) + len(commas) + len(points) < _SHARE * len(texts):
        return None
    if min(len(commas), len(points)) < _OF_EACH * len(texts):
        return None
    shown = (commas[0].as_py(), points[0].as_py())
    return Unread(
        "numbers with a decimal comma and others with a point", shown, "Write them with one of the two"
    )


def _units(texts: pa.StringArray, notation: Notation) -> Unread | None:
    """Numbers beside which stand several units that belong together."""
    written = [("", "."), (",", "."), (".", ",")]
    readings = [
        numbers(texts, replace(notation, thousands=group, decimal=point, amounts=True))
        for group, point in written
    ]
    best = min(readings, key=lambda one: one.plain.null_count)
    if best.plain.null_count > (1 - _SHARE) * len(texts):
        return None
    counted = pc.value_counts(best.units.drop_null()).to_pylist()
    found = {one["values"]: one["counts"] for one in counted if one["counts"] >= _OF_EACH * len(texts)}
    if len(found) < 2:
        return None
    units = best.units.to_pylist()
    shown = tuple(texts[units.index(unit)].as_py() for unit in found)[:_SHOWN]
    others = {re.sub(f"^{CURRENCY}", "", unit).strip() for unit in found}
    if others == {""} and len({*found} - {""}) > 1:
        return Unread("amounts in several currencies", shown, "Bring them to one")
    folded = {unit.casefold() for unit in others} - {""}
    if folded and folded <= _FACTORS:
        return Unread("numbers of which letters such as k and M are a part", shown, "Write 10k as 10000")
    if len(folded) > 1 and any(folded <= together for together in UNITS):
        return Unread("amounts in several units", shown, _AS_ONE_NUMBER)
    return None


def _dates(texts: Sequence[str]) -> Unread | None:
    """Dates, although no one format reads them all."""
    if not _nearly_all(map(_is_date, texts[:_DATES_LOOKED_AT])):
        return None
    first = {tuple(formats_of(text)): text for text in reversed(texts[:_DATES_LOOKED_AT])}
    return Unread("dates in several notations", tuple(first.values())[-_SHOWN:], _AS_DATES)


def _is_date(text: str) -> bool:
    formats = [one for one in formats_of(text) if re.search("%[mbB]", one)]
    return any(microseconds(text, one) is not None for one in formats)


def _is_number_in_other_digits(text: str) -> bool:
    if text.isascii():
        return False
    try:
        float(text)  # reads the digits of every script
    except ValueError:
        return False
    return any(character.isdecimal() and not character.isascii() for character in text)
