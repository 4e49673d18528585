"""What preprocessing noticed of the data: ``findings.json``, beside the data-quality statistics.

The preprocessing step writes it (``processing/findings.py`` says in which form), and it is shown wherever a
person decides: at the end of a run and with a registered version. A version may lack the file, because it was
registered by hand or before there were findings; what in it cannot be read is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from aws_formats.service_errors import is_denied
from registry.clients import read_document

FILE = "findings.json"
WARNING, NOTE = "warning", "note"


@dataclass(frozen=True)
class DataFinding:
    """One of them.

    Attributes:
        level: ``warning`` or ``note``.
        kind: a fixed word for machines.
        text: what was noticed, in a sentence.
        count: how many rows or values it concerns.
        remedy: what to set, in a sentence.
    """

    level: str
    kind: str
    text: str
    column: str | None = None
    count: int | None = None
    remedy: str | None = None

    @property
    def sentence(self) -> str:
        """The text, and the remedy where there is one."""
        return f"{self.text}. {self.remedy}" if self.remedy else self.text

    def document(self) -> dict[str, object]:
        """For --json."""
        return dict(vars(self))


@dataclass(frozen=True)
class DataFindings:
    """All of them that the file lists, and in ``more`` how many of each kind it only counts."""

    listed: tuple[DataFinding, ...] = ()
    more: Mapping[str, int] = field(default_factory=dict)

    def rows(self) -> list[tuple[str, str]]:
        """Level and sentence of each; the last one counts those that are not listed."""
        found = [(one.level, one.sentence) for one in self.listed]
        if self.more:
            kinds = ", ".join(f"{count} of {kind}" for kind, count in self.more.items())
            found.append((NOTE, f"not listed: {kinds}"))
        return found

    @property
    def headline(self) -> str:
        """``2 warnings, 1 note``; empty where nothing was noticed."""
        words = []
        for level in (WARNING, NOTE):
            count = sum(one.level == level for one in self.listed)
            words += [f"{count} {level}{'' if count == 1 else 's'}"] if count else []
        return ", ".join(words) + (f", and {sum(self.more.values())} more" if self.more else "")

    def document(self) -> list[dict[str, object]]:
        """For --json."""
        return [one.document() for one in self.listed]


NOTHING_NOTICED = DataFindings()


def read_findings(s3: Any, data_statistics: str | None) -> DataFindings:
    """Those beside a version's data-quality statistics; none where there are none, or it cannot be told."""
    try:
        return findings_in(read_document(s3, findings_uri(data_statistics)))
    except ClientError as error:
        # A version from before there were findings, read without the permission to list the bucket.
        if is_denied(error):
            return NOTHING_NOTICED
        raise


def findings_uri(data_statistics: str | None) -> str | None:
    """Where the findings lie, by where the data-quality statistics do; None where it cannot be told."""
    if data_statistics is None or not data_statistics.endswith("/statistics.json"):
        return None
    return data_statistics.removesuffix("statistics.json") + FILE


def findings_in(document: Any) -> DataFindings:
    """What can be read of ``findings.json``; nothing where it is missing or broken."""
    if not isinstance(document, dict):
        return NOTHING_NOTICED
    listed, more = document.get("findings"), document.get("more")
    return DataFindings(
        tuple(_finding(found) for found in _objects(listed) if isinstance(found.get("text"), str)),
        {str(kind): count for kind, count in more.items() if _is_count(count)}
        if isinstance(more, dict)
        else {},
    )


def _finding(found: Mapping[str, Any]) -> DataFinding:
    texts = {name: found[name] for name in ("column", "remedy") if isinstance(found.get(name), str)}
    count = found.get("count")
    return DataFinding(
        level=NOTE if found.get("level") == NOTE else WARNING,
        kind=str(found.get("kind")),
        text=found["text"],
        count=count if _is_count(count) else None,
        **texts,
    )


def _objects(value: Any) -> Sequence[Mapping[str, Any]]:
    return [found for found in value if isinstance(found, dict)] if isinstance(value, list) else []


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
