"""What people and programs write where they have no value, and the lines of settings about it.

A default mark of missing values may be a value all the same (``None`` as a degree of severity), and what no
setting names may be a mark (``n.a.``), so several doubts ask for the same words.
"""

from __future__ import annotations

from dataset_settings import MISSING_VALUES, DatasetSettings
from settings_lines import list_line

FEW_ROWS = 5  # with a mark: fewer are no doubt
MOST_MARKS = 20  # in a line of settings that a remedy gives
WORDS_OF_PEOPLE = frozenset({"None", "NA", "N/A"})  # unlike NaN and null, which programs write
_SIGNS = "# #div/0! #n/a #na #null! #value! (null) * - -- --- -inf . .. ... <na> ? ?? [null] \\n _"
_WORDS = "blank empty inf missing n.a n.a. n/a na nan nat nd nil none null undefined unk unknown x"
_MARKS = frozenset(("", *_SIGNS.split(), *_WORDS.split(), "no data", "not available", "not known"))
"""In lower case."""

_SUMS = frozenset(
    {"total", "totals", "grand total", "subtotal", "sum", "sums", "average", "mean", "median"}
    | {"gesamt", "gesamtsumme", "summe", "totale", "somme"}
)
"""In lower case, what stands in a line below the rows that sums them up."""


def is_mark(text: str) -> bool:
    """Whether a text says that there is no value, whatever its case."""
    return text.strip().casefold() in _MARKS


def is_sum(text: str) -> bool:
    """Whether a text says that its line sums up others, whatever its case."""
    return text.strip().rstrip(":").casefold() in _SUMS


def kept_line(mark: str) -> str:
    """The line of settings by which a default mark is a value like any other."""
    return list_line("missing_values", (), (text for text in MISSING_VALUES if text != mark))


def missing_line(mark: str, settings: DatasetSettings) -> str:
    """The line of settings by which a mark surely is a missing value."""
    return list_line("also_missing", settings.also_missing, [mark])
