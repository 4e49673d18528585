"""Does what Model Monitor's image sagemaker-model-monitor-analyzer does in a processing job.

    python analyze.py /opt/ml

Its settings are environment variables: ``dataset_format``, ``dataset_source``, ``output_path`` and so on, as
in https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-byoc-contract-inputs.html; those of model
quality are the ones that the SageMaker SDK sets. It writes ``statistics.json``, ``constraints.json`` and,
where it is given a baseline, ``constraint_violations.json``, and says in the job's message whether there are
violations. ``ground_truth_source`` is this program's own: the labels of captured requests, which AWS merges
in a job before.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import captures
import cloudwatch
import data_quality
import datasets
import pyarrow as pa
import scripts
from input_error import InputError, of_the_form


def main(arguments: Sequence[str], variables: Mapping[str, str]) -> None:
    message = Path(arguments[0]) / "output" / "message"
    message.parent.mkdir(parents=True, exist_ok=True)
    try:
        message.write_text(analyze(variables))
    except InputError as problem:
        message.write_text(f"Error: {problem}")
        sys.exit(f"Error: {problem}.")
    print(message.read_text(), flush=True)


def analyze(variables: Mapping[str, str]) -> str:
    """Write the documents; the job's message.

    Raises:
        InputError: the data or the variables are wrong.
    """
    kind = variables.get("analysis_type") or "DATA_QUALITY"
    if kind not in ("DATA_QUALITY", "MODEL_QUALITY"):
        raise InputError(f"analysis_type {kind} is not implemented by the local SageMaker")
    output = Path(_required(variables, "output_path"))
    output.mkdir(parents=True, exist_ok=True)
    constraints = _document(variables.get("baseline_constraints"), "constraints.json")
    run = _model_quality if kind == "MODEL_QUALITY" else _data_quality
    violations = run(variables, output, constraints)
    if constraints is not None:
        _write(output / "constraint_violations.json", {"version": 0.0, "violations": violations})
    if script := variables.get("post_analytics_processor_script"):
        scripts.postprocess(script)
    if constraints is None:
        return "Completed: Job completed successfully."
    for violation in violations:
        print(violation["description"], flush=True)
    if violations:
        return f"CompletedWithViolations: Job completed successfully with {len(violations)} violations."
    return "Completed: Job completed successfully with no violations."


def _data_quality(
    variables: Mapping[str, str], output: Path, constraints: Mapping[str, Any] | None
) -> list[dict[str, str]]:
    with of_the_form("the baseline"):
        names = [feature["name"] for feature in (constraints or {}).get("features") or []]
    table = _without(_table(variables, names), variables.get("exclude_features_attribute", ""))
    columns = data_quality.columns_of(table)
    scientific = [column.name for column in columns if column.scientific]
    if scientific:
        print(f"Numbers with an exponent, which AWS's image takes for texts: {', '.join(scientific)}")
    _write(output / "statistics.json", data_quality.statistics(columns, table.num_rows))
    suggested = data_quality.suggested_constraints(columns)
    method = variables.get("categorical_drift_method")
    if method:
        suggested["monitoring_config"] = data_quality.with_drift_method(method)
    _write(output / "constraints.json", suggested)
    baseline = _document(variables.get("baseline_statistics"), "statistics.json")
    checked = data_quality.check(columns, constraints or {}, baseline or {})
    if cloudwatch.is_asked_for(variables, constraints):
        cloudwatch.publish(variables, "data-metrics", cloudwatch.of_columns(columns, checked.drift))
    return checked.violations


def _model_quality(
    variables: Mapping[str, str], output: Path, constraints: Mapping[str, Any] | None
) -> list[dict[str, str]]:
    import model_quality  # with scikit-learn, which the quality of data does without

    labels = variables.get("ground_truth_source")
    if labels:
        requests = captures.read(Path(_required(variables, "dataset_source")), captures.window(variables))
        table, without = model_quality.merged(requests, Path(labels))
        print(f"{table.num_rows} answers have a label, {without} have none", flush=True)
    else:
        table = _table(variables, ())
    time = variables.get("end_time") or datetime.now(UTC).isoformat(timespec="seconds")
    found = model_quality.statistics(table, variables, time)
    _write(output / "statistics.json", found)
    _write(output / "constraints.json", model_quality.suggested_constraints(found))
    if cloudwatch.is_asked_for(variables, constraints):
        cloudwatch.publish(variables, "model-metrics", cloudwatch.of_values(model_quality.values(found)))
    return model_quality.check(found, constraints) if constraints is not None else []


def _table(variables: Mapping[str, str], names: Sequence[str]) -> pa.Table:
    """The dataset. Captured rows of CSV have no header: they get the baseline's names, by their place."""
    form = _dataset_format(_required(variables, "dataset_format"))
    source = Path(_required(variables, "dataset_source"))
    script = variables.get("record_preprocessor_script")
    if "sagemakerCaptureJson" in form:
        wanted = form["sagemakerCaptureJson"].get("captureIndexNames") or [captures.INPUT, captures.OUTPUT]
        found = captures.documents(source, captures.window(variables))

        def rows_of(document: Mapping[str, Any], where: str) -> Iterator[datasets.Record]:
            for row in captures.rows(captures.parsed(document, where), wanted):
                yield row if isinstance(row, dict) else datasets.named(row)

        if script:
            records = scripts.requests(script, found, rows_of)
        else:
            records = (row for document, where in found for row in rows_of(document, where))
        table = datasets.of_records(records)
    elif script:
        table = datasets.of_records(scripts.lines(script, datasets.lines(source)))
    else:
        table = datasets.read(source, form)
    unnamed = table.column_names == [datasets.unnamed(place) for place in range(table.num_columns)]
    if unnamed and names:
        both = zip(table.column_names, [*names, *table.column_names[len(names) :]], strict=False)
        table = table.rename_columns([name or own for own, name in both])
    print(f"{table.num_rows} rows, {table.num_columns} columns", flush=True)
    return table


def _dataset_format(text: str) -> dict[str, Any]:
    try:
        form = json.loads(text)
    except ValueError:
        form = None
    if not isinstance(form, dict):
        raise InputError(f"dataset_format is no JSON object: {text}")
    return form


def _without(table: pa.Table, excluded: str) -> pa.Table:
    """``exclude_features_attribute``: names or numbers of columns, with commas between them."""
    names = table.column_names
    left_out = []
    for wanted in filter(None, (part.strip() for part in excluded.split(","))):
        if wanted in names:
            left_out.append(wanted)
        elif wanted.isdecimal() and int(wanted) < len(names):
            left_out.append(names[int(wanted)])
    return table.drop_columns(left_out) if left_out else table


def _required(variables: Mapping[str, str], name: str) -> str:
    value = variables.get(name)
    if not value:
        raise InputError(f"the environment variable {name} is missing")
    return value


def _document(path: str | None, name: str) -> dict[str, Any] | None:
    """A baseline's document, given its path or that of the folder that it lies in."""
    if not path:
        return None
    file = Path(path) / name if Path(path).is_dir() else Path(path)
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise InputError(f"the baseline's {name} cannot be read: {problem}") from problem
    if not isinstance(found, dict):
        raise InputError(f"the baseline's {name} is no JSON object")
    return found


def _write(path: Path, document: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:], os.environ)
