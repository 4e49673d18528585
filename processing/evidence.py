"""What the values of one block say of a column's type, as the settings say that the column is written."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
from column_types import LOOKED_AT_FIRST, fitting_texts
from dataset_settings import DatasetSettings
from notation import PLAIN, stripped
from source_file import Evidence

UNKNOWN = "?"
"""Understood as a missing value where all other values of a column are numbers, booleans or timestamps."""

_FEWEST_GROUPED = 20  # different texts: of numbers with three decimals, printed, one in ten ends sooner
_TEXT = frozenset({"text"})
_LIKE_CODES = {
    "zeros": "0[0-9]+",  # postcodes, telephone numbers
    "plus": r"\+[0-9]{7,}",  # telephone numbers
    "exponent": "[0-9]+[eE][0-9]+",  # 12E4, which programs write 1.2e+05
    "hexadecimal": "-?0[xX][0-9a-fA-F]+",
}
"""Ways in which numbers are written that may be codes."""


def evidence_of(texts: pa.Array, name: str, settings: DatasetSettings) -> Evidence:
    """The evidence of texts in which missing values are null already, unless spaces stand around them."""
    notation = settings.notation(name)
    values = texts.drop_null()
    if notation.strip:
        values = stripped(values)
        missing = pc.is_in(values, value_set=pa.array(settings.missing_values, pa.string()))
        values = values.filter(pc.invert(missing))
    known = values.filter(pc.not_equal(values, UNKNOWN))
    fitting = fitting_texts(known, notation)
    codes = _codes(known) if "number" in fitting else {}
    if not notation.is_plain:
        return Evidence(fitting, _TEXT, codes)
    if notation.amounts or len(known) < len(values):
        return Evidence(fitting, fitting_texts(values, PLAIN), codes)
    if "whole number" in fitting:
        return Evidence(fitting, fitting, codes, _digits(values))
    return Evidence(fitting, fitting, codes, grouped=_grouped(values) if "number" in fitting else None)


def _grouped(values: pa.StringArray) -> str | None:
    for some in (values[:LOOKED_AT_FIRST], values):  # most columns of numbers say no by the first few
        fits = pc.match_substring_regex(some, r"^[+-]?([1-9][0-9]{0,2}\.[0-9]{3}|0|[1-9][0-9]{0,2})$")
        if not pc.all(fits).as_py():
            return None
    dotted = values.filter(pc.match_substring(values, "."))
    return pc.max(dotted).as_py() if len(dotted.unique()) >= _FEWEST_GROUPED else None


def _codes(values: pa.StringArray) -> dict[str, str]:
    some = f"^ *({'|'.join(_LIKE_CODES.values())})$"
    found = values.filter(pc.match_substring_regex(values, some)).unique()
    examples: dict[str, str] = {}
    for name, pattern in _LIKE_CODES.items() if len(found) else ():
        fits = found.filter(pc.match_substring_regex(found, f"^ *{pattern}$"))
        if len(fits):
            examples[name] = max(text.strip() for text in fits.to_pylist())
    return examples


def _digits(values: pa.StringArray) -> int | None:
    lengths = pc.min_max(pc.binary_length(values)).as_py()
    return lengths["min"] if lengths["min"] == lengths["max"] else None
