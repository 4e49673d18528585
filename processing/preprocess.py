"""The first step: from the source's files, as they are, to Parquet parts for training, validation and test.

    python preprocess.py [--opt-ml /opt/ml] [--step profile|split|merge]

Reads ``processing/input/raw/`` as ``processing/input/settings/dataset.json`` says (``settings_file``):
``source_files`` describes the files and ``source_profile`` what is known of all of them, ``reading`` gives
typed batches, ``rows`` makes one streaming pass over them, in which ``splitting`` decides on each row's part
and writes it and ``quality`` counts what the training part holds; ``fitness`` checks what was counted. Memory
does not grow with the data. Under ``processing/output/`` come ``train/``, ``validation/`` and ``test/`` (the
features in their natural types, and the target: the name of its class, or the number of a regression) and
what ``results`` writes: ``schema/schema.json`` (what serving needs to know), ``quality/statistics.json``
(Model Monitor's format), ``quality/findings.json`` (what a person should know of the data) and
``sample/payload.tar.gz`` (some rows as a client would send them).

Without a step, one host does all of this; several share the writing alone, since every one is given all
files and reads them all, so that all agree on the types; the first one does the counting.

With steps the files themselves are spread over hosts, which cannot talk but through what a job leaves for the
next. A row's part follows from its values and these from the types of the columns, which no host knows by its
own files; the statistics follow from the parts. So there are three jobs, and what one host does in one go is
the same functions with nothing between them:

- ``profile``, on each host: a profile of its files, with the evidence of all values, to ``output/profile/``.
- ``split``, on each host: all profiles joined (``input/profile/``), which gives the plan; then the pass over
  its files, and what it counted to ``output/counts/``.
- ``merge``, on one host: all profiles, and the counts of all (``input/counts/``); the rows of classes that
  were too small for a host to place (``small_classes``), and the results.

The split, the schema and the statistics are the same for any number of hosts.
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

if __name__ == "__main__":
    from unneeded_libraries import keep_out

    keep_out("pandas")  # before Arrow makes an array
    if sys.platform == "linux":  # where Arrow's wheels have it
        # Batches are made by one thread and dropped by another: Arrow's default, mimalloc, keeps half as much
        # again as is in use, jemalloc gives it back.
        os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "jemalloc")  # before Arrow is imported

from column_roles import check_columns
from column_types import KIND_OF, UNSUPPORTED
from count_findings import findings_of_counts
from dataset_settings import DatasetSettings, InputError, columns_in_words
from doubts import examine
from findings import Finding, print_findings
from fitness import check_counts
from leaks import find_leaks
from process_exit import run_and_exit
from reading import evidence_of_all_values, types_by
from results import write_results
from row_numbers import find_row_numbers, row_number_findings
from rows import Counts, Instances, Plan, check_classes, no_counts, no_rows, place_small_classes, split_rows
from settings_file import SETTINGS_FILE, read_settings
from settings_lines import list_line
from source_file import Evidence, SourceFile, TypesContradicted
from source_files import find_files
from source_profile import Profile, joined, profile_of, read_profile, write_profile
from state_file import read_state, write_state

_MESSAGE_BYTES = 1024


def prepare(opt_ml: Path) -> str:
    """Do the whole step and return its message; the first paragraph of this module says what is read and
    written.

    Raises:
        InputError: the data or the settings are not fit for training.
    """
    inputs, output, settings = _places(opt_ml)
    instances = _read_instances(opt_ml)
    files, noticed = find_files(inputs / "raw", settings)
    profile = joined([profile_of(files, noticed, settings)], settings)
    try:
        plan = make_plan(profile, profile.first_blocks, files, settings, instances, output)
        counts = split_rows(plan)
    except TypesContradicted as contradiction:
        _print(f"{contradiction}: reading everything once to determine the types, then starting again")
        evidence = evidence_of_all_values(files, settings)
        plan = make_plan(profile, evidence, files, settings, instances, output)
        counts = split_rows(plan)
    if instances.rank:
        return f"{counts.written:,} rows written by {instances.current}"
    return _finish(plan, counts)


def profile_share(opt_ml: Path) -> str:
    """Read this host's files once, write their profile to ``output/profile/`` and return the message.

    Raises:
        InputError: a file is broken, or its values are not of the kind that the settings say.
    """
    inputs, output, settings = _places(opt_ml)
    host = _read_instances(opt_ml).current
    files, noticed = find_files(inputs / "raw", settings, share=True)
    evidence = evidence_of_all_values(files, settings)
    types_by(evidence, files, settings)  # refuses what is in these files, with the line that it is in
    write_profile(output / "profile" / f"{host}.json", profile_of(files, noticed, settings, evidence))
    return f"{host} read {_size(files)}"


def split_share(opt_ml: Path) -> str:
    """Write the rows of this host's files into the parts, by the profiles of all hosts, and what was counted
    to ``output/counts/``; return the message.

    Raises:
        InputError: the settings do not go with the data, or a file is broken.
    """
    inputs, output, settings = _places(opt_ml)
    host = _read_instances(opt_ml).current
    files, _ = find_files(inputs / "raw", settings, share=True)
    plan = _plan_of_all(inputs, files, settings, host, output)
    counts = split_rows(plan)
    write_state(output / "counts" / f"{host}.zip", counts.state())
    return f"{host} read {_size(files)} and wrote {counts.written:,} rows"


def merge_shares(opt_ml: Path) -> str:
    """Write the rows of small classes, which needed all hosts' counts, and the results; return the message.

    Raises:
        InputError: the data or the settings are not fit for training.
    """
    inputs, output, settings = _places(opt_ml)
    plan = _plan_of_all(inputs, [], settings, "small-classes", output)
    counts = no_counts(plan)
    paths = sorted((inputs / "counts").glob("*.zip"))
    for path in paths:
        counts.absorb(read_state(path))
        check_classes(plan, counts)
    for path in paths:
        counts.absorb_samples(read_state(path))
    place_small_classes(plan, counts)
    if not sum(counts.rows.values()) + counts.without_target:
        raise no_rows(plan)
    return _finish(plan, counts)


STEPS = {"profile": profile_share, "split": split_share, "merge": merge_shares}


def _finish(plan: Plan, counts: Counts) -> str:
    """Say what was noticed, write the results, and return the step's message."""
    findings = findings_of(plan, counts)
    print_findings(findings)
    classes = check_counts(plan, counts)
    write_results(plan, counts, classes, findings)
    rows = counts.rows
    target = "a number as the target" if plan.settings.is_regression else f"{len(classes)} classes"
    return (
        f"{sum(rows.values())} rows: {rows['train']} train, {rows['validation']} validation, "
        f"{rows['test']} test; {len(plan.features)} features, {target}"
    )


def _places(opt_ml: Path) -> tuple[Path, Path, DatasetSettings]:
    """The folders of inputs and outputs, and the settings."""
    inputs = opt_ml / "processing" / "input"
    return inputs, opt_ml / "processing" / "output", read_settings(inputs / "settings" / SETTINGS_FILE)


def _size(files: Sequence[SourceFile]) -> str:
    size = sum(file.path.stat().st_size for file in files)
    return f"{len(files):,} {'file' if len(files) == 1 else 'files'} of {size:,} bytes"


def findings_of(plan: Plan, counts: Counts) -> list[Finding]:
    """All that was noticed of the data.

    Raises:
        InputError: a column is most probably misread; or gives the target away, and the settings say
            ``leaks = "error"``.
    """
    noticed = [*plan.findings, *examine(plan, counts)]
    noticed += findings_of_counts(plan, counts, {finding.column for finding in noticed})
    return [*find_leaks(plan, counts), *noticed]


def _plan_of_all(
    inputs: Path, files: Sequence[SourceFile], settings: DatasetSettings, host: str, output: Path
) -> Plan:
    """The plan by all hosts' profiles, for one host's files: the same on each host but for these."""
    profiles = [read_profile(path) for path in sorted((inputs / "profile").glob("*.json"))]
    profile = joined(profiles, settings)
    alone = Instances(host, (host,))
    return make_plan(profile, profile.all_values, files, settings, alone, output, is_share=True)


def make_plan(
    profile: Profile,
    evidence: Mapping[str, Evidence],
    files: Sequence[SourceFile],
    settings: DatasetSettings,
    instances: Instances,
    output: Path | None,
    *,
    is_share: bool = False,
) -> Plan:
    """What to do with the rows of some files, with the types that follow from the evidence.

    Raises:
        InputError: the settings do not go with the data.
    """
    check_columns(
        settings,
        profile.columns,
        profile.source,
        profile.values_in_header,
        profile.folders_without_column,
    )
    row_numbers = find_row_numbers(profile.numbering)
    found = row_number_findings(row_numbers, profile.first_blocks, settings)
    noticed = (*profile.findings, *found)
    settings = replace(settings, drop=(*settings.drop, *row_numbers))
    features = check_columns(settings, profile.columns, profile.source)
    types, files = types_by(evidence, files, settings)
    check_supported(types, settings, features)
    return Plan(
        settings, profile, files, types, features, instances, output, tuple(row_numbers), noticed, is_share
    )


def check_supported(types: Mapping[str, str], settings: DatasetSettings, features: Sequence[str]) -> None:
    """Refuse columns that cannot be used for what the settings want of them."""
    needed = dict.fromkeys((settings.target, *([settings.key] if settings.key else []), *settings.slices))
    found = [name for name in dict.fromkeys((*needed, *features)) if types[name] == UNSUPPORTED]
    if found:
        can_be_dropped = [name for name in found if name not in needed]
        drop = f", or set {list_line('drop', settings.drop, can_be_dropped)}" if can_be_dropped else ""
        raise InputError(
            f"{columns_in_words(found, 'holds', 'hold')} lists, structures, bytes, durations or times of day",
            remedy=f"Convert {'them' if len(found) > 1 else 'it'} to numbers, texts, booleans or timestamps"
            f"{drop}",
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
    parser.add_argument("--step", choices=[*STEPS], help="where files are spread over hosts; else all in one")
    given = parser.parse_args(arguments)
    opt_ml, step = given.opt_ml, STEPS.get(given.step, prepare)
    message = opt_ml / "output" / "message"
    message.parent.mkdir(parents=True, exist_ok=True)
    try:
        text = step(opt_ml)
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
