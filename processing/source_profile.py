"""What is known of the source before its rows are split: columns, evidence of their types, what was noticed.

Each host of a job makes a profile of its own files, :func:`joined` makes one of all, the same in any order;
a host that has all files is the case of one. Of the values, the first block of every file is looked at, as
``source_files`` does; all of them (``reading.evidence_of_all_values``) where the files are spread over hosts,
because none of them would learn from the others that a value contradicts what it found.

A profile is as large as the table is wide, whatever the number of files and rows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from dataset_settings import DatasetSettings, InputError
from findings import Finding
from row_numbers import Numbering, numbering_of, numberings_joined
from source_file import Evidence, SourceFile, joint
from source_files import check_same_columns

_NAMED = 3  # files in messages
_COLUMN_IS_NAMED = ""


@dataclass(frozen=True)
class Profile:
    """Of some of the source's files, or of all.

    Attributes:
        files: how many there are with rows, to our knowledge.
        names: the first of them, in the order of their paths.
        columns: those of the first file, in its order.
        is_parquet: whether the first file is; else it is read as a CSV.
        values_in_header: of the first file (``SourceFile``).
        folders: the outermost folders of the files; only the empty text where they tell nothing, because a
            file is in none or one of them names a column.
        first_blocks: by column, the evidence of the first block of each file.
        all_values: by column, the evidence of every value; empty where it was not asked for.
        numbering: the columns that may only number the rows.
        findings: what was noticed of the files.
    """

    files: int = 0
    names: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    is_parquet: bool = False
    values_in_header: tuple[str, ...] = ()
    folders: frozenset[str] = frozenset()
    first_blocks: Mapping[str, Evidence] = field(default_factory=dict)
    all_values: Mapping[str, Evidence] = field(default_factory=dict)
    numbering: Mapping[str, Numbering] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    @property
    def source(self) -> str:
        """The files in a few words."""
        return self.names[0] if self.files == 1 else f"{self.names[0]} and {self.files - 1} more"

    @property
    def folders_without_column(self) -> list[str]:
        """The names of the outermost folders, where there are several, each file is in one, and none of them
        names a column: they may be classes."""
        return sorted(self.folders) if len(self.folders) > 1 else []


def profile_of(
    files: Sequence[SourceFile],
    noticed: Sequence[Finding],
    settings: DatasetSettings,
    all_values: Mapping[str, Evidence] | None = None,
) -> Profile:
    """The profile of these files; ``noticed`` is what ``source_files.find_files`` noticed."""
    if not files:
        return Profile(findings=tuple(noticed))
    first = files[0]
    folders = frozenset(file.name.partition("/")[0] if "/" in file.name else "" for file in files)
    return Profile(
        files=len(files),
        names=tuple(file.name for file in files[:_NAMED]),
        columns=first.columns,
        is_parquet=first.is_parquet,
        values_in_header=first.values_in_header,
        folders=_telling(folders),
        first_blocks={name: joint([file.evidence[name] for file in files]) for name in first.columns},
        all_values=all_values or {},
        numbering=numbering_of(files, settings),
        findings=tuple(noticed),
    )


def joined(profiles: Sequence[Profile], settings: DatasetSettings) -> Profile:
    """The profile of all files.

    Raises:
        InputError: there are no data, or the files have different columns.
    """
    findings = tuple(sorted((one for profile in profiles for one in profile.findings), key=_in_order))
    full = sorted((profile for profile in profiles if profile.files), key=lambda one: _path(one.names[0]))
    if not full:
        raise _no_data(findings)
    first = full[0]
    model = next((profile for profile in full if settings.target in profile.columns), first)
    for profile in full:
        check_same_columns(model.names[0], model.columns, profile.names[0], profile.columns)
    return replace(
        first,
        files=sum(profile.files for profile in full),
        names=tuple(sorted((name for profile in full for name in profile.names), key=_path)[:_NAMED]),
        folders=_telling(frozenset().union(*(profile.folders for profile in full))),
        first_blocks={name: joint([one.first_blocks[name] for one in full]) for name in first.columns},
        all_values={name: joint([one.all_values[name] for one in full]) for name in first.all_values},
        numbering=numberings_joined([profile.numbering for profile in full]),
        findings=findings,
    )


def _telling(folders: frozenset[str]) -> frozenset[str]:
    tells_nothing = any(folder == _COLUMN_IS_NAMED or "=" in folder for folder in folders)
    return frozenset({_COLUMN_IS_NAMED}) if tells_nothing else folders


def _path(name: str) -> list[str]:
    return name.split("/")


def _in_order(finding: Finding) -> tuple[bool, str]:
    return finding.kind == "header_of_values", finding.text


def _no_data(passed_over: Sequence[Finding]) -> InputError:
    strays = [finding for finding in passed_over if finding.kind == "stray_file"]
    if strays:
        what, remedy = strays[0].text, "Name the data's files otherwise"
        return InputError(f"there is no data: {what}", remedy=remedy)
    if passed_over:
        return InputError("there is no data: every file is empty", remedy="Give a file with rows in it")
    return InputError("there is no data: no file was given", remedy="Check the data's URI or path")


def write_profile(path: Path, profile: Profile) -> None:
    """Write the profile as a JSON object with the fields of :class:`Profile`; sets are sorted lists."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(profile), default=sorted, allow_nan=False) + "\n", encoding="utf-8")


def read_profile(path: Path) -> Profile:
    """What ``write_profile`` wrote."""
    document = json.loads(path.read_text(encoding="utf-8"))
    for name in ("first_blocks", "all_values"):
        document[name] = {column: _evidence(found) for column, found in document[name].items()}
    return Profile(
        **{
            **document,
            **{name: tuple(document[name]) for name in ("names", "columns", "values_in_header")},
            "folders": frozenset(document["folders"]),
            "numbering": {column: Numbering(**found) for column, found in document["numbering"].items()},
            "findings": tuple(Finding(**found) for found in document["findings"]),
        }
    )


def _evidence(document: dict[str, Any]) -> Evidence:
    sets = {name: frozenset(document[name]) for name in ("fitting", "plain")}
    return Evidence(**{**document, **sets})
