"""What a page is asked and what it answers, without HTTP."""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aws_formats.errors import GatehouseError
from studio.source import Source


@dataclass(frozen=True)
class Asked:
    """A request: what its path and its query name, and the fields of its form."""

    path: Mapping[str, Any]
    query: Mapping[str, str]
    form: Mapping[str, str]

    @property
    def number(self) -> int:
        """The version that the path names. Raises GatehouseError: it is no number."""
        return version_number(str(self.path["version"]))


@dataclass(frozen=True)
class Shown:
    """A template and what fills it in."""

    template: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Document:
    """A whole HTML document that a job has written; it is shown as it is, and may run and load nothing."""

    text: str


@dataclass(frozen=True)
class Redirect:
    """Go on at a path below the pages' base, after a change."""

    path: str


def version_number(text: str) -> int:
    """Raises GatehouseError: it is no number of a version."""
    if not text.isdecimal() or len(text) > 9:
        raise GatehouseError(f"{text!r} is no version's number")
    return int(text)


Page = Callable[[Source, Asked], Shown | Document | Redirect]


def query_of(**values: str) -> str:
    """The query of an address, of those values that are not empty."""
    return urllib.parse.urlencode({name: value for name, value in values.items() if value})
