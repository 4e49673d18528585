"""The first step: from the source's files, as they are, to Parquet parts for training, validation and test.

    python preprocess.py [--opt-ml /opt/ml]

Reads ``processing/input/raw/`` as ``processing/input/settings/dataset.json`` says (``settings_file``):
``reading`` gives typed batches, ``rows`` makes one streaming pass over them, in which ``splitting`` decides
on each row's part and writes it and ``quality`` counts what the training part holds; ``fitness`` checks what
was counted. Memory does not grow with the data. Under ``processing/output/`` come ``train/``,
``validation/`` and ``test/`` (the features in their natural types, and the target: the name of its class, or
the number of a regression) and what ``results`` writes: ``schema/schema.json`` (what serving needs to know),
``quality/statistics.json`` (Model Monitor's format), ``quality/findings.json`` (what a person should know of
the data) and ``sample/payload.tar.gz`` (some rows as a client would send them).

With several instances every one is given all files and reads them all, so that all agree on the types; each
writes some of the batches, and the first one does the counting. The split is the same for any number.
"""

from __future__ import annotations

import argparse
import errno
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

if __name__ == "__main__":
    from unneeded_libraries import keep_out

    keep_out("pandas")  # before Arrow makes an array

from column_roles import check_columns
from column_types import KIND_OF, UNSUPPORTED
from count_findings import findings_of_counts
from dataset_settings import DatasetSettings, InputError
from doubts import examine
from findings import Finding, print_findings
from fitness import check_counts
from leaks import find_leaks
from process_exit import run_and_exit
from reading import find_files, folders_without_column, types_of_all_values, types_of_first_blocks
from results import write_results
from row_numbers import find_row_numbers, row_number_findings
from rows import Counts, Instances, Plan, split_rows
from settings_file import SETTINGS_FILE, read_settings
from source_file import SourceFile, TypesContradicted

_MESSAGE_BYTES = 1024


def prepare(opt_ml: Path) -> str:
    """Do the whole step and return its message; the first paragraph of this module says what is read and
    written.

    Raises:
        InputError: the data or the settings are not fit for training.
    """
    inputs = opt_ml / "processing" / "input"
    settings = read_settings(inputs / "settings" / SETTINGS_FILE)
    instances = _read_instances(opt_ml)
    plan, counts = _split(inputs / "raw", opt_ml / "processing" / "output", settings, instances)
    if instances.rank:
        return f"{counts.written:,} rows written by {instances.current}"
    findings = findings_of(plan, counts)
    print_findings(findings)
    classes = check_counts(plan, counts)
    write_results(plan, counts, classes, findings)
    rows = counts.rows
    target = "a number as the target" if settings.is_regression else f"{len(classes)} classes"
    return (
        f"{sum(rows.values())} rows: {rows['train']} train, {rows['validation']} validation, "
        f"{rows['test']} test; {len(plan.features)} features, {target}"
    )


def findings_of(plan: Plan, counts: Counts) -> list[Finding]:
    """All that was noticed of the data.

    Raises:
        InputError: a column is most probably misread; or gives the target away, and the settings say
            ``leaks = "error"``.
    """
    noticed = [*plan.findings, *examine(plan, counts)]
    noticed += findings_of_counts(plan, counts, {finding.column for finding in noticed})
    return [*find_leaks(plan, counts), *noticed]


def _split(raw: Path, output: Path, settings: DatasetSettings, instances: Instances) -> tuple[Plan, Counts]:
    """Make the plan and carry it out; a second time where the first blocks suggested a wrong type."""
    files, found = find_files(raw, settings)
    source = files[0].name if len(files) == 1 else f"{files[0].name} and {len(files) - 1} more"
    folders = folders_without_column(files)
    check_columns(settings, files[0].columns, source, files[0].values_in_header, folders)
    row_numbers = find_row_numbers(files, settings)
    found += row_number_findings(row_numbers, files, settings)
    settings = replace(settings, drop=(*settings.drop, *row_numbers))
    features = check_columns(settings, files[0].columns, source)

    def split(types: Mapping[str, str], files: list[SourceFile]) -> tuple[Plan, Counts]:
        check_supported(types, settings, features)
        plan = Plan(settings, files, types, features, instances, output, tuple(row_numbers), tuple(found))
        return plan, split_rows(plan)

    try:
        return split(*types_of_first_blocks(files, settings))
    except TypesContradicted as contradiction:
        _print(f"{contradiction}: reading everything once to determine the types, then starting again")
    return split(*types_of_all_values(files, settings))


def check_supported(types: Mapping[str, str], settings: DatasetSettings, features: Sequence[str]) -> None:
    """Refuse a column that cannot be used for what the settings want of it."""
    for name in (settings.target, *([settings.key] if settings.key else []), *settings.slices, *features):
        if types[name] == UNSUPPORTED:
            raise InputError(
                f"column {name!r} holds lists, structures, bytes or times of day",
                remedy="Convert it to numbers, texts, booleans or timestamps, or add it to drop",
            )
    if KIND_OF[types[settings.target]] == "timestamp":
        raise InputError(
            f"the target {settings.target!r} holds timestamps", remedy="Name a column with classes"
        )


def _read_instances(opt_ml: Path) -> Instances:
    path = opt_ml / "config" / "resourceconfig.json"
    if not path.is_file():
        return Instances("algo-1", ("algo-1",))
    document = json.loads(path.read_text(encoding="utf-8"))
    return Instances(document["current_host"], tuple(sorted(document["hosts"], key=_host_order)))


def _host_order(host: str) -> tuple[int, str]:
    return len(host), host  # algo-2 before algo-10


def _print(line: str) -> None:
    print(line, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the step; 0, or 1 after an error that the data or the settings caused."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--opt-ml", type=Path, default=Path("/opt/ml"), help="the container's folder")
    opt_ml = parser.parse_args(arguments).opt_ml
    message = opt_ml / "output" / "message"
    message.parent.mkdir(parents=True, exist_ok=True)
    try:
        text = prepare(opt_ml)
    except (InputError, OSError) as error:
        if isinstance(error, OSError) and not _disk_is_full(error):
            raise
        text = str(error)
        if isinstance(error, OSError):
            text = f"{opt_ml}: the disk is full. Give the job a larger volume, or free space on this one"
        print(f"error: {text}", file=sys.stderr, flush=True)
        _write_message(message, text)
        return 1
    _print(text)
    _write_message(message, text)
    return 0


def _disk_is_full(error: OSError) -> bool:
    return error.errno == errno.ENOSPC or "No space left on device" in str(error)


def _write_message(path: Path, text: str) -> None:
    try:
        path.write_bytes(text.encode()[:_MESSAGE_BYTES].decode(errors="ignore").encode())
    except OSError as error:
        if not _disk_is_full(error):
            raise


if __name__ == "__main__":
    run_and_exit(main)
