"""A project whose data is an Athena query: what its settings may say, and what its definition makes of it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aws_formats.errors import GatehouseError
from pipelines.definition.compile import compile_pipeline
from pipelines.definition.dataset import UNVERSIONED, find_dataset
from pipelines.definition.sources import Sources, gather_sources
from pipelines.executions.outline import read_outline
from pipelines.executions.overrides import with_dataset
from pipelines.settings.project import Project
from pipelines.settings.query import LIMIT, one_select
from pipelines.settings.target import Target, resolve_target
from pipelines.upsert.changes import describe_changes
from tests.definition.test_definition_document import by_name, step

AWS = {
    "SAGEMAKER_PIPELINE_ROLE_ARN": "arn:aws:iam::111122223333:role/pipeline",
    "ARTIFACT_BUCKET": "artifacts",
}
TARGET = 'target = "fraud"\npositive_class = "yes"\n'


def queried(make_project: Callable[..., Project], folder: Path, *lines: str, more: str = "") -> Project:
    """The project, with these lines in the table of its query, and more in that of its data."""
    table = "\n".join([f"{TARGET}{more}", "[projects.rc.fraud-detection.data.query]", *lines, ""])
    return make_project(folder, (TARGET, table))


BANK = ('database = "bank"', 'sql = "SELECT amount, fraud FROM payments"')


@pytest.fixture
def asking(make_project: Callable[..., Project], tmp_path: Path) -> Project:
    return queried(make_project, tmp_path, *BANK)


def compiled_for(project: Project, target: str, sources: Sources) -> tuple[dict[str, Any], Target]:
    where = resolve_target(project, target, AWS if target == "aws" else {})
    found = gather_sources(project, where, environ={"GATEHOUSE_GIT_COMMIT": "c0ffee"})
    programs = {name: getattr(sources, name) for name in ("processing", "training", "evaluation")}
    text = compile_pipeline(project, where, replace(found, **programs)).definition
    document: dict[str, Any] = json.loads(text)
    return document, where


DATA_URI = {"Get": "Steps.QueryData.OutputParameters['DataUri']"}


def test_the_query_comes_first_and_what_it_gives_is_what_everything_reads_and_names(
    asking: Project, sources: Sources
) -> None:
    document, target = compiled_for(asking, "aws", sources)
    query = document["Steps"][0]
    assert (query["Name"], query["Type"]) == ("QueryData", "Lambda")
    assert query["FunctionArn"].endswith(":function:rc-fraud-detection-query-data")
    assert "CacheConfig" not in query, "the tables may hold other rows every time"
    asked = query["Arguments"]
    assert asked["Sql"] == "SELECT amount, fraud FROM payments"
    assert (asked["Database"], asked["Workgroup"], asked["Catalog"]) == ("bank", "primary", "")
    assert asked["OutputUri"]["Std:Join"]["Values"] == [
        "s3://artifacts/rc-fraud-detection/queries",
        {"Get": "Execution.PipelineExecutionId"},
    ]
    inputs = by_name(step(document, "PreprocessData")["Arguments"]["ProcessingInputs"], "InputName")
    assert inputs["raw"]["S3Input"]["S3Uri"] == DATA_URI
    properties = step(document, "RegisterModel")["Arguments"]["CustomerMetadataProperties"]
    assert properties["dataset_uri"] == DATA_URI
    arguments = step(document, "EvaluateModel")["Arguments"]["AppSpecification"]["ContainerArguments"]
    assert arguments[arguments.index("--data-source") + 1]["Std:Join"]["Values"] == [DATA_URI]
    assert target.name == "aws"


def test_instances_that_divide_the_data_read_what_the_query_gives(
    make_project: Callable[..., Project], tmp_path: Path, sources: Sources
) -> None:
    project = queried(make_project, tmp_path, *BANK).model_copy(update={"processing": "sharded"})
    document, _ = compiled_for(project, "aws", sources)
    for name in ("ProfileData", "SplitData"):
        inputs = by_name(step(document, name)["Arguments"]["ProcessingInputs"], "InputName")
        assert inputs["raw"]["S3Input"]["S3Uri"] == DATA_URI


def test_on_this_machine_the_source_stands_in_the_querys_place_and_in_aws_it_is_not_looked_at(
    asking: Project, sources: Sources
) -> None:
    here, local = compiled_for(asking, "local", sources)
    there, aws = compiled_for(asking, "aws", sources)
    assert [one["Name"] for one in here["Steps"]] == [one["Name"] for one in there["Steps"]]
    (asking.root / "payments.csv").unlink()
    dataset = find_dataset(asking, aws)
    assert (dataset.uri, dataset.version, dataset.files) == ("", UNVERSIONED, ())
    assert with_dataset({}, dataset) == {"InputDataUri": "", "DatasetVersion": UNVERSIONED}
    defaults = [by_name(one["Parameters"], "Name")["InputDataUri"]["DefaultValue"] for one in (here, there)]
    assert defaults[0].startswith(f"s3://{local.bucket}/rc-fraud-detection/data/")
    assert defaults[1] == ""
    with pytest.raises(GatehouseError, match="the data does not exist"):
        find_dataset(asking, local)


def test_a_plan_shows_another_query(
    asking: Project, make_project: Callable[..., Project], tmp_path: Path, sources: Sources
) -> None:
    other = queried(make_project, tmp_path / "other", BANK[0], 'sql = "SELECT fraud FROM payments"')
    before, after = (compiled_for(one, "aws", sources)[0] for one in (asking, other))
    [change] = describe_changes(before, after)
    assert "QueryData" in change
    assert "SELECT fraud FROM payments" in change
    assert read_outline(json.dumps(after)).steps[0].function is not None, "a start looks for it"


def test_a_file_beside_the_settings_holds_the_query(
    make_project: Callable[..., Project], tmp_path: Path, sources: Sources
) -> None:
    project = queried(make_project, tmp_path, BANK[0], 'file = "queries/payments.sql"')
    with pytest.raises(GatehouseError, match=r"payments\.sql: the query cannot be read: No such file"):
        gather_sources(project, resolve_target(project, "aws", AWS))
    file = tmp_path / "queries" / "payments.sql"
    file.parent.mkdir()
    file.write_text("-- all of them\nSELECT amount, fraud FROM payments;\n")
    document, _ = compiled_for(project, "aws", sources)
    assert document["Steps"][0]["Arguments"]["Sql"] == "-- all of them\nSELECT amount, fraud FROM payments"
    file.write_text("SELECT 1", encoding="utf-8-sig")  # as editors of Windows write it
    document, _ = compiled_for(project, "aws", sources)
    assert document["Steps"][0]["Arguments"]["Sql"] == "SELECT 1"
    file.write_text("SELECT 1; SELECT 2")
    with pytest.raises(GatehouseError, match=r"payments\.sql: the query holds several statements; give one"):
        gather_sources(project, resolve_target(project, "aws", AWS))


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("  select 1 ;\n", "select 1"),
        ("SELECT ';' FROM a -- ;\n; -- the end ;", "SELECT ';' FROM a -- ;"),
        (
            "/* why */ WITH a AS (SELECT 'it''s') SELECT * FROM a;;",
            "/* why */ WITH a AS (SELECT 'it''s') SELECT * FROM a",
        ),
        ('SELECT "a;""b)" FROM c', 'SELECT "a;""b)" FROM c'),
    ],
)
def test_a_query_is_kept_to_its_last_word(text: str, kept: str) -> None:
    assert one_select(text) == kept


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("-- nothing\n ;", "is empty"),
        ("SELECT 1; SELECT 2", "several statements"),
        ("UNLOAD (SELECT 1) TO 's3://b/' WITH (format = 'PARQUET')", "begins with UNLOAD"),
        ("DROP TABLE payments", "begins with DROP"),
        ("SELECT 1) TO 's3://elsewhere/' WITH (format = 'ORC') --", "closed that none has opened"),
        ("SELECT (1", "opened and never closed"),
        ("SELECT 'it''s", "a ' is opened and never closed"),
        ("SELECT 1 /* why", "a /* is opened and never closed"),
        (f"SELECT '{'x' * LIMIT}'", "260,009 bytes, of at most 260,000"),
    ],
)
def test_what_unload_cannot_hold_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        one_select(text)


@pytest.mark.parametrize(
    ("lines", "more", "words"),
    [
        (BANK[:1], "", "data.query]: a query needs sql or file, and one of them only"),
        ((*BANK, 'file = "a.sql"'), "", "data.query]: a query needs sql or file, and one of them only"),
        (BANK[1:], "", "data.query] database: this key is missing"),
        (('database = "Bank"', BANK[1]), "", "data.query] database: 'Bank' has the wrong form. Write the"),
        ((*BANK, 'tables_at = ["lake"]'), "", "tables_at: 'lake' has the wrong form. Write S3 prefixes"),
        ((*BANK, 'engine = "3"'), "", "data.query] engine: unknown key"),
        ((BANK[0], 'sql = "DELETE FROM a"'), "", "data.query] sql: the query begins with DELETE"),
        (
            BANK,
            'drop = ["Note"]',
            "data] drop: 'Note' has capitals, and Athena gives all columns in lower case",
        ),
        (BANK, 'kinds = { Amount = "number" }', "data.kinds]: 'Amount' has capitals"),
    ],
)
def test_a_wrong_table_is_refused_in_one_line(
    make_project: Callable[..., Project], tmp_path: Path, lines: tuple[str, ...], more: str, words: str
) -> None:
    with pytest.raises(GatehouseError) as raised:
        queried(make_project, tmp_path, *lines, more=more)
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)
