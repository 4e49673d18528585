"""What the preprocessing program makes of some data, before anybody runs it: one JSON document.

    python describe.py

It answers each line of standard input, ``{"raw": FOLDER, "settings": {...}, "first_parts": false,
"columns_only": false}``, by one line, the document: what to start costs is paid once for several looks.

It goes the way of ``preprocess`` with the same functions, so kinds, errors and findings are the same, and
writes no parts. An error does not end it: what is wrong is left out of the settings and the rest is looked at
again, so that all mistakes are known at once. The folder is laid out as the job's input is, and the settings
are those of ``dataset.json``.

With ``first_parts`` each file may be the beginning of a longer one; what is then wrong with the counts,
such as a class that is too rare, is a finding, because the rest of the data may mend it. ``columns_only``
does not look for the target. Progress goes to standard error. :func:`describe` says what is in the document.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

if __name__ == "__main__":
    from unneeded_libraries import keep_out

    keep_out("pandas")  # before Arrow makes an array

from column_counts import ColumnCounts, count_columns
from column_roles import choose_features, column_errors, no_feature_left
from column_types import KIND_OF, UNSUPPORTED
from conversion import Noticed
from dataset_settings import PARTS, DatasetSettings, InputError
from findings import Finding
from fitness import check_counts
from preprocess import check_supported, findings_of
from process_exit import run_and_exit
from reading import batches, evidence_of_all_values, types_by
from row_numbers import find_row_numbers, numbering_of, row_number_findings
from rows import Counts, Instances, Plan, split_rows
from settings_file import checked
from source_file import SourceFile, TypesContradicted, joint
from source_files import find_files
from source_profile import Profile, joined, profile_of
from target_quantity import marks_among_numbers

Found = TypeVar("Found")

_BY_COLUMN = ("decimal", "thousands", "date_format", "class_names", "kinds")


class Description:
    """What is found out step by step; ``settings`` loses what is wrong in it on the way."""

    def __init__(self, settings: DatasetSettings, *, first_parts: bool) -> None:
        self.settings = settings
        self.first_parts = first_parts
        self.errors: list[InputError] = []
        self.findings: list[Finding] = []
        self.document: dict[str, Any] = {}

    def attempt(self, step: Callable[[DatasetSettings], Found]) -> Found | None:
        """The step's result by the settings; where one value of them is wrong, by those without it."""
        while True:
            try:
                return step(self.settings)
            except InputError as error:
                if str(error) not in map(str, self.errors):
                    self.errors.append(error)
                if error.key is None or error.key == "target":
                    return None
                rest = _without(self.settings, error.key, error.value)
                if rest == self.settings:  # the step would say the same again, for ever
                    return None
                self.settings = rest


def describe(
    raw: Path, settings: DatasetSettings, *, first_parts: bool = False, columns_only: bool = False
) -> dict[str, Any]:
    """The document, a JSON object:

    - ``files``: the names of those with rows; ``names`` of the columns; ``columns_may_come``: whether rows
      that were not looked at may have others; ``folders`` that may be classes; ``rows``: how many there are
    - ``columns``, in source order: ``name``, ``kind`` (number, category, boolean, timestamp, unsupported),
      ``marks`` (of a category that would be a number without them),
      ``role`` (target, key, feature, slice, dropped), ``missing``, ``distinct``, ``all_distinct`` (false
      where there are more), ``examples`` (texts), ``values`` (``[text, rows]`` where there are few)
    - ``split``: rows of ``train``, ``validation`` and ``test``, and ``without_target``
    - ``classes``, in the schema's order: ``name``, ``rows``, and each part's; null for a regression
    - ``positive_class``, and ``numbers``: ``lowest``, ``highest`` and ``mean`` of a regression's target in
      the training part
    - ``findings``: the fields of each :class:`findings.Finding`
    - ``errors``: ``what``, ``where``, ``remedy``, ``key``, ``value``, ``lines``: all for which the job would
      fail

    What could not be found out, because of an error, is not there.
    """
    found = Description(settings, first_parts=first_parts)
    files = found.attempt(lambda settings: find_files(raw, settings)[0])
    if files:
        _describe_files(found, files, columns_only)
    found.document["findings"] = [asdict(finding) for finding in found.findings]
    found.document["errors"] = [
        {name: getattr(error, name) for name in ("what", "where", "remedy", "key", "value", "lines")}
        for error in found.errors
    ]
    return found.document


def _describe_files(found: Description, files: list[SourceFile], columns_only: bool) -> None:
    profile = joined([profile_of(files, (), found.settings)], found.settings)
    columns, folders = profile.columns, profile.folders_without_column
    has_target = found.settings.target in columns and not columns_only
    for error in column_errors(found.settings, columns, profile.source, profile.values_in_header, folders):
        if error.key != "target" or not columns_only:
            found.errors.append(error)
        if error.key not in (None, "target"):
            found.settings = _without(found.settings, error.key, error.value)
    row_numbers = find_row_numbers(numbering_of(files, found.settings))
    found.findings += row_number_findings(row_numbers, profile.first_blocks, found.settings)
    found.settings = replace(found.settings, drop=(*found.settings.drop, *row_numbers))
    found.document["files"] = [file.name for file in files]
    found.document["names"] = list(columns)
    found.document["folders"] = folders
    found.document["columns_may_come"] = found.first_parts and any(
        file.kind.format == "json" for file in files
    )
    counted = found.attempt(lambda settings: _count(files, settings)) if has_target else None
    if counted is None:
        # The target is absent or of the wrong kind; the columns are described all the same.
        has_target = False
        try:
            counted = _count(files, _demanding_nothing(found.settings))
        except InputError as error:
            if not found.errors:
                found.errors.append(error)
            return
    files, types, by_column = counted
    found.document["rows"] = max((column.rows for column in by_column.values()), default=0)
    if has_target:
        _describe_split(found, profile, files, types, tuple(row_numbers))
    found.document["columns"] = [
        _column(name, types[name], by_column[name], found.settings, columns) for name in columns
    ]


def _count(
    files: list[SourceFile], settings: DatasetSettings
) -> tuple[list[SourceFile], Mapping[str, str], Mapping[str, ColumnCounts]]:
    """The files and the types of the columns, as the job ends up with them, and what the columns hold."""
    columns = files[0].columns
    first_blocks = {name: joint([file.evidence[name] for file in files]) for name in columns}
    for evidence in (lambda: first_blocks, lambda: evidence_of_all_values(files, settings)):
        types, typed = types_by(evidence(), files, settings)
        try:
            return typed, types, count_columns(columns, batches(typed, types, settings, Noticed()))
        except TypesContradicted:
            continue
    raise AssertionError("the types of all values fit all values")


def _describe_split(
    found: Description,
    profile: Profile,
    files: list[SourceFile],
    types: Mapping[str, str],
    row_numbers: tuple[str, ...],
) -> None:
    columns = profile.columns

    def counted(settings: DatasetSettings) -> tuple[Plan, Counts]:
        features = choose_features(settings, columns)
        if not features:
            raise no_feature_left(settings, columns, profile.names[0])
        check_supported(types, settings, features)
        plan = Plan(
            settings, profile, files, types, features, Instances("here", ("here",)), None, row_numbers
        )
        return plan, split_rows(plan)

    outcome = found.attempt(counted)
    if outcome is None:
        return
    plan, counts = outcome
    document, errors = found.document, len(found.errors)
    document["split"] = {**counts.rows, "without_target": counts.without_target}
    found.findings += (
        found.attempt(lambda settings: findings_of(replace(plan, settings=settings), counts)) or []
    )
    classes = found.attempt(lambda settings: check_counts(replace(plan, settings=settings), counts))
    if found.first_parts:
        # Rows that were not read may have what is missing here.
        found.findings += [
            Finding("first_part", f"of what was read: {error.what}", remedy=error.remedy)
            for error in found.errors[errors:]
        ]
        del found.errors[errors:]
    if found.settings.is_regression:
        target = counts.quality.numbers[found.settings.target]
        if target.present:
            document["numbers"] = {"lowest": target.lowest, "highest": target.highest, "mean": target.mean}
        return
    names = classes or sorted({name for part in counts.classes.values() for name in part})
    document["classes"] = [
        {
            "name": name,
            "rows": sum(counts.classes[part].get(name, 0) for part in PARTS),
            **{part: counts.classes[part].get(name, 0) for part in PARTS},
        }
        for name in names
    ]
    if classes and found.settings.task == "binary":
        document["positive_class"] = classes[1]


def _column(
    name: str, type_: str, counts: ColumnCounts, settings: DatasetSettings, columns: Sequence[str]
) -> dict[str, Any]:
    return {
        "name": name,
        "kind": KIND_OF.get(type_, UNSUPPORTED),
        "marks": marks_among_numbers(list(counts.values)) if type_ == "text" and counts.complete else [],
        "role": _role(name, settings, choose_features(settings, columns)),
        "missing": counts.missing,
        "distinct": len(counts.values),
        "all_distinct": counts.complete,
        "examples": counts.examples(),
        "values": counts.most_frequent(),
    }


def _role(name: str, settings: DatasetSettings, features: Sequence[str]) -> str:
    if name == settings.target:
        return "target"
    if name == settings.key:
        return "key"
    if name in features:
        return "feature"
    return "slice" if name in settings.slices else "dropped"


def _demanding_nothing(settings: DatasetSettings) -> DatasetSettings:
    """The settings by which every column has a type."""
    nothing: dict[str, Any] = {key: {} for key in _BY_COLUMN}
    return replace(settings, task="multiclass", key=None, **nothing)


def _without(settings: DatasetSettings, key: str, value: str | None) -> DatasetSettings:
    """The settings less one value of a key; the key's default where it has one value only."""
    given = getattr(settings, key)
    if isinstance(given, Mapping):
        rest: Any = {name: one for name, one in given.items() if name != value}
    elif isinstance(given, tuple):
        rest = tuple(name for name in given if name != value) if value is not None else ()
        rest = rest or (None if key == "features" else ())
    else:
        rest = None
    return replace(settings, **{key: rest})


def main() -> int:
    """Answer the questions on standard input until there are no more; 0, also where a document has errors."""
    for line in sys.stdin:
        question = json.loads(line)
        with contextlib.redirect_stdout(sys.stderr):
            try:
                settings = checked(question["settings"])
            except InputError as error:
                document: dict[str, Any] = {"errors": [{"what": str(error)}]}
            else:
                document = describe(
                    Path(question["raw"]),
                    settings,
                    first_parts=question["first_parts"],
                    columns_only=question["columns_only"],
                )
        print(json.dumps(document), flush=True)
    return 0


if __name__ == "__main__":
    run_and_exit(main)
