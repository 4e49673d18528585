"""What all tables of the settings file share: their strictness, the types of their texts and lists, and the
remedy for a name that does not exist.

The modules of the large tables have no ``from __future__ import annotations``: pydantic would compile and
evaluate the text of each annotation again, a fifth of what these classes cost at every start.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from aws_formats.errors import GatehouseError


class Table(BaseModel):
    """A table of the settings file."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def text_of(file: Path, what: str, remedy: str) -> str:
    """A file's text, which is UTF-8.

    Args:
        what: is in it, for errors; ``remedy`` is for a file that cannot be read at all.

    Raises:
        GatehouseError: it cannot be read, or is no UTF-8; the line says where.
    """
    try:
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise GatehouseError(f"{what} cannot be read: {error.strerror}", str(file), remedy) from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        where = f"{file}, line {line}"
        raise GatehouseError(
            f"{what} cannot be read: this is not UTF-8", where, "Save it as UTF-8"
        ) from error


class Local(Table):
    """How the local SageMaker runs jobs on this machine."""

    interpreters: dict[str, str] = Field(default_factory=dict)
    """Image pattern -> Python interpreter, relative to the settings file or absolute."""


def _listed(value: object) -> object:
    """TOML has lists only; the settings keep them as tuples, which cannot be changed later."""
    return tuple(value) if isinstance(value, list) else value


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"names {', '.join(map(repr, twice))} more than once")
    return names


def _description(text: str) -> str:
    """In one line, since AWS allows a description no other; of several lines the ends are spaces."""
    line = " ".join(text.split())
    hidden = [character for character in line if unicodedata.category(character).startswith("C")]
    if not line or len(line) > DESCRIPTION_LIMIT:
        raise ValueError(f"it has {len(line):,} characters, which must be 1 to {DESCRIPTION_LIMIT:,}")
    if hidden:
        raise ValueError(f"it has the character {hidden[0]!a}, which AWS allows in no description")
    return line


Listed = BeforeValidator(_listed)
Text = Annotated[str, Field(min_length=1)]
DESCRIPTION_LIMIT = 1024
Description = Annotated[str, AfterValidator(_description)]
Names = Annotated[tuple[str, ...], Listed, AfterValidator(_distinct)]
S3_PREFIX = r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[a-zA-Z0-9!_.=-]+)*/?$"
"""No character in it means anything in a policy, where the prefix stands as well."""


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """The known name that is most like a wrong one, if one is."""
    return difflib.get_close_matches(name, sorted(known), n=1)


def which_one(name: str, known: Iterable[str], kind: str = "projects") -> str:
    """A remedy for a name that does not exist: the one most like it, or all there are."""
    folded = {one.lower(): one for one in sorted(known)}
    close = nearest(name.lower(), folded)
    return f"Did you mean {folded[close[0]]!r}?" if close else f"The {kind} are: {', '.join(sorted(known))}"
