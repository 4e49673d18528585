"""What an hour of an instance costs: a dated list, which a team's own file replaces.

No price is asked of AWS: a plan reads nothing that it need not, and a list that is dated and lies beside the
settings says what was believed when money was spent.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from aws_formats.errors import GatehouseError

FILE = Path(__file__).with_name("prices.toml")
OWN = "prices.toml"
"""The name of a team's own list, beside its settings file."""


@dataclass(frozen=True)
class Prices:
    """A price list.

    Attributes:
        per_hour: by instance type, of one instance, in `currency`.
        region: whose prices these are; those of others differ.
        date: of the list, as ISO 8601.
        file: where it stands.
    """

    per_hour: Mapping[str, float]
    currency: str
    region: str
    date: str
    source: str
    file: Path


def read_prices(folder: Path) -> Prices:
    """The list in a folder, where that has one, else the one that comes with the package.

    Raises:
        GatehouseError: the file is no price list.
    """
    own = folder / OWN
    file = own if own.is_file() else FILE
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _wrong(file, f"this is no TOML: {error}") from None
    texts = {}
    for key in ("date", "currency", "region", "source"):
        text = str(found.get(key, ""))
        if not text:
            raise _wrong(file, f"{key} is missing")
        texts[key] = text
    try:
        date.fromisoformat(texts["date"])
    except ValueError:
        raise _wrong(file, f"date is {texts['date']!r}, which is no day like 2026-11-27") from None
    prices = found.get("per_hour")
    if not isinstance(prices, dict) or not prices:
        raise _wrong(file, "the table per_hour is missing or empty")
    for name, price in prices.items():
        if not isinstance(price, int | float) or isinstance(price, bool) or not 0 < price < float("inf"):
            raise _wrong(file, f"the price of {name} is {price!r}, which is no amount above 0")
    return Prices({name: float(price) for name, price in prices.items()}, file=file, **texts)


def _wrong(file: Path, what: str) -> GatehouseError:
    return GatehouseError(what, where=str(file), remedy=f"Write it like {FILE}, or remove it")
