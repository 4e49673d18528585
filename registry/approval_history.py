"""Every decision on a version, kept with the version.

SageMaker keeps only the last approval description, so each decision is also written as a customer
metadata property, in the same UpdateModelPackage call that changes the status::

    approval.20261121T033500.123456Z = Approved by arn:aws:iam::111122223333:user/kim: looks good=21

The key is the time, to the microsecond, so decisions at the same moment keep both entries. A value
allows letters, digits, spaces and ``_.:/=+-@`` and 256 characters; other characters are written as
quoted-printable (RFC 2045: ``=2C`` for a comma), and a text that is too long is cut and ends in ``...``.
A package can have 50 properties in all, so only the newest ten decisions are kept.
"""

from __future__ import annotations

import itertools
import quopri
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

PREFIX = "approval."
DECISIONS_KEPT = 10
PROPERTY_LIMIT = 50
"""Properties that one model package can have."""

VALUE_LIMIT = 256

_TIME = "%Y%m%dT%H%M%S.%fZ"
_ENTRY = re.compile(r"(?P<status>\w+) by (?P<who>\S+?)(?:: (?P<note>.*))?", re.DOTALL)
_PLAIN = frozenset(" _.:/+-@")
_CUT = "..."


@dataclass(frozen=True)
class Decision:
    """Who moved a version to which approval status, when, and why; `note` is empty where none was given."""

    status: str
    who: str
    when: datetime
    note: str


def decision_property(decision: Decision) -> tuple[str, str]:
    """The metadata property that holds a decision, as key and value."""
    key = PREFIX + decision.when.astimezone(UTC).strftime(_TIME)
    note = f": {decision.note}" if decision.note else ""
    return key, _shortened(f"{decision.status} by {decision.who}{note}")


def decisions(metadata: Mapping[str, str]) -> tuple[Decision, ...]:
    """The decisions in a version's customer metadata, newest first; other properties are left out."""
    found = []
    for key, value in metadata.items():
        matched = _ENTRY.fullmatch(value) if key.startswith(PREFIX) else None
        try:
            when = datetime.strptime(key.removeprefix(PREFIX), _TIME).replace(tzinfo=UTC)
        except ValueError:
            continue
        if matched:
            note = decode(matched["note"] or "")
            found.append(Decision(matched["status"], decode(matched["who"]), when, note))
    return tuple(sorted(found, key=lambda decision: decision.when, reverse=True))


def _shortened(text: str) -> str:
    """The text, encoded, cut between two characters where it would be too long."""
    encoded = encode(text)
    if len(encoded) <= VALUE_LIMIT:
        return encoded
    lengths = itertools.accumulate(len(encode(character)) for character in text)
    fitting = itertools.takewhile(lambda length: length <= VALUE_LIMIT - len(_CUT), lengths)
    return encoded[: max(fitting)] + _CUT


def surplus_keys(metadata: Mapping[str, str]) -> list[str]:
    """The keys of the decisions that must be removed so that one more can be kept, oldest first."""
    keys = sorted(key for key in metadata if key.startswith(PREFIX))
    return keys[: max(0, len(keys) - DECISIONS_KEPT + 1)]


def encode(text: str) -> str:
    """Text as a property's value allows it."""
    return "".join(
        character
        if character.isalpha() or character.isdecimal() or character in _PLAIN
        else "".join(f"={byte:02X}" for byte in character.encode())
        for character in text
    )


def decode(text: str) -> str:
    """The inverse of :func:`encode`."""
    escapes = re.compile(r"(?:=[0-9A-F]{2})+")
    return escapes.sub(lambda found: quopri.decodestring(found[0]).decode(errors="replace"), text)
