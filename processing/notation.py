"""How the source writes its numbers, dates and texts, and what they are in plain notation.

Arrow reads ``1234.5`` and ``2024-01-31 10:00:00``. A project can say that its numbers are written
``1.234,50``, its dates ``31/01/2024``, that values stand between spaces, and that a column of amounts is to
be read as numbers. The functions here take texts as they stand in the source and give Arrow's own types, or
null where a text is none of that notation. They work on the distinct texts of a batch.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc

_SPACE = "[ \t\u00a0\u2009\u202f]*"
_THOUSANDS = {"": "", ",": ",", ".": r"\.", "'": "['\u2019]", " ": "[ \u00a0\u2009\u202f]"}
_DECIMAL = {".": r"\.", ",": ","}
_MINUS = ("-", "\u2212")
_SIGN = "[+\\-\u2212]?"
_SYMBOLS = "$\u00a2-\u00a5\u0e3f\u20a0-\u20c0"
_CODES = (
    "USD|EUR|GBP|CHF|JPY|CNY|INR|SEK|NOK|DKK|PLN|CZK|HUF|RON|BGN|TRY|RUB|UAH|ILS|AED|SAR|ZAR|BRL|MXN|ARS|CLP|"
    "COP|AUD|NZD|CAD|SGD|HKD|KRW|TWD|THB|IDR|MYR|PHP|VND"
)
CURRENCY = f"(?:(?:[A-Z]{{1,3}})?[{_SYMBOLS}]|{_CODES}|kr\\.?|z\u0142|K\u010d|Fr\\.?|Rs\\.?)"
_UNIT = f"(?:{CURRENCY}|%|[A-Za-z\u00b0\u00b5][A-Za-z\u00b2\u00b3/]{{0,7}})"
_SPACES = " \t\n\r\x0b\x0c\u00a0\u2009\u202f"


@dataclass(frozen=True)
class Notation:
    """How one column is written.

    Attributes:
        decimal: the character before the decimals.
        thousands: the character between groups of digits, or nothing.
        date_format: how its timestamps are written, as ``dates`` knows it; None: as Arrow reads them.
        strip: whether spaces around a value are no part of it.
        amounts: whether a number may have a currency, a unit or a percent sign beside it, the same one in
            every row, or parentheses around it, which make it negative.
    """

    decimal: str = "."
    thousands: str = ""
    date_format: str | None = None
    strip: bool = False
    amounts: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether Arrow's own reader understands all of it, amounts aside."""
        return self.decimal == "." and not self.thousands and self.date_format is None and not self.strip


PLAIN = Notation()


@dataclass(frozen=True)
class Numbers:
    """``plain`` holds each text's number as Arrow reads it, null where it is none; ``units`` what stood
    beside it, empty where nothing did or where amounts are not read."""

    plain: pa.StringArray
    units: pa.StringArray


def stripped(texts: pa.Array) -> pa.Array:
    """The texts without spaces around them, of whatever kind and width."""
    return pc.utf8_trim(texts, characters=_SPACES)


def stripped_text(text: str) -> str:
    """The one text without spaces around it."""
    return text.strip(_SPACES)


def single_spaces(text: str, quote: str) -> str:
    """Lines whose fields any number of spaces and tabs separates, with one space between two fields.

    Args:
        quote: the character around fields that hold spaces of their own, on one line; empty for none.
    """
    return _blanks(quote).sub(lambda found: found["quoted"] or ("" if found["edge"] else " "), text)


@lru_cache
def _blanks(quote: str) -> re.Pattern[str]:
    one = re.escape(quote)
    field = f"(?<![^ \t\r\n]){one}(?:[^{one}\r\n]|{one}{one})*{one}(?![^ \t\r\n])" if quote else "(?!)"
    edge = r"(?<![^\r\n])[ \t]+|[ \t]+(?![^\r\n])"
    return re.compile(rf"(?P<quoted>{field})|(?P<edge>{edge})|[ \t]+")


def numbers(texts: pa.Array, notation: Notation) -> Numbers:
    """What the texts (without nulls) are as numbers in this notation."""
    pattern = f"^{_pattern(notation.decimal, notation.thousands, notation.amounts)}$"
    found = pc.extract_regex(texts, pattern=pattern)
    digits = pc.struct_field(found, "number")
    if notation.thousands:
        digits = pc.replace_substring_regex(digits, pattern=_THOUSANDS[notation.thousands], replacement="")
    if notation.decimal != ".":
        digits = pc.replace_substring(digits, pattern=notation.decimal, replacement=".")
    minus = pa.array(_MINUS)
    negative = pc.is_in(pc.struct_field(found, "sign"), value_set=minus)
    units = pc.if_else(pc.is_valid(digits), pa.scalar("", pa.string()), pa.scalar(None, pa.string()))
    if notation.amounts:
        for name in ("inner", "after"):
            negative = pc.or_(negative, pc.is_in(pc.struct_field(found, name), value_set=minus))
        opened = pc.or_(_has(found, "open"), _has(found, "opened"))
        negative = pc.or_(negative, opened)
        digits = pc.if_else(pc.equal(opened, _has(found, "close")), digits, pa.scalar(None, pa.string()))
        units = pc.binary_join_element_wise(
            pc.struct_field(found, "before"), pc.struct_field(found, "unit"), ""
        )
    signs = pc.if_else(negative, "-", "")
    return Numbers(pc.binary_join_element_wise(signs, digits, ""), units)


def number(text: str, notation: Notation) -> str | None:
    """The one text's number as ``numbers`` gives it."""
    found = re.fullmatch(_pattern(notation.decimal, notation.thousands, notation.amounts), text)
    if found is None:
        return None
    digits, parts = found["number"], found.groupdict()
    if notation.thousands:
        digits = re.sub(_THOUSANDS[notation.thousands], "", digits)
    digits = digits.replace(notation.decimal, ".")
    opened = bool(parts.get("open") or parts.get("opened"))
    if opened != bool(parts.get("close")):
        return None
    negative = opened or any(parts.get(name) in _MINUS for name in ("sign", "inner", "after"))
    return f"-{digits}" if negative else digits


def _has(found: pa.StructArray, name: str) -> pa.BooleanArray:
    return pc.not_equal(pc.struct_field(found, name), "")


@lru_cache(maxsize=64)
def _pattern(decimal: str, thousands: str, amounts: bool) -> str:
    """A pattern for Python and for RE2 with groups ``sign`` and ``number``; with amounts also what may stand
    around them."""
    point = _DECIMAL[decimal]
    whole = "[0-9]+"
    if thousands:
        group = _THOUSANDS[thousands]
        # Groups of two digits: India counts 12,34,567.
        whole = f"[1-9][0-9]{{0,2}}(?:{group}[0-9]{{2,3}})*{group}[0-9]{{3}}|[0-9]+"
    digits = f"(?:(?:{whole})(?:{point}[0-9]*)?|{point}[0-9]+)(?:[eE][+-]?[0-9]+)?"
    if not amounts:
        word = "(?i:inf(?:inity)?|nan)"
        return f"[ \t]*(?P<sign>{_SIGN})(?P<number>{digits}|{word})[ \t]*"
    return (
        f"{_SPACE}(?P<open>\\(?)(?P<sign>{_SIGN}){_SPACE}(?P<before>(?:{CURRENCY})?){_SPACE}(?P<opened>\\(?)"
        f"(?P<inner>{_SIGN}){_SPACE}(?P<number>{digits}){_SPACE}(?P<unit>(?:{_UNIT})?){_SPACE}"
        f"(?P<after>[-\u2212]?)(?P<close>\\)?){_SPACE}"
    )
