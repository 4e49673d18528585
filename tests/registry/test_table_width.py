"""Every table fits a terminal of 80 columns, with names, notes and reasons as long as people write them."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr, redirect_stdout

import pytest
from registered_models import Registry
from rich.cells import cell_len

from aws_formats.visible_text import visible
from pipelines.commands import main
from pipelines.settings.target import LOCAL_ROLE

NOTE = "complaints from the branch office: " + "too many genuine payments are refused; " * 4
HOSTILE = "\x1b[2J\x9b1A"

LISTS = (
    "projects",
    "models",
    "models --approval Rejected",
    "executions",
    "environments",
    "environments --env dev",
    "invoke --env dev --data rows.csv",
    "groups setup",
)
"""Commands that print a table and nothing else, each row in one line."""

DETAILS = ("model 1", "model 3", "compare 1 3 --no-rescore", "groups verify")
"""Commands whose tables continue long texts in further lines."""


class Terminal(io.StringIO):
    """A terminal to those who ask."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def full(serving: Registry) -> Registry:
    """Long notes, every approval, versions that serve, an execution that failed for a long reason."""
    verdict = serving.model.verdict
    serving.register(verdict=verdict, approved=True)
    serving.register(verdict=verdict)
    serving.done("reject", 3, "--note", NOTE)
    serving.register(verdict=verdict)
    serving.done("deploy", "--env", "dev", "--version", 2, "--note", NOTE + HOSTILE)
    serving.done("promote", "--from", "dev", "--to", "test", "--note", NOTE)
    serving.done("model", 1, "--set", "ticket=" + "RC-" * 60)
    sagemaker = serving.client("sagemaker")
    fail = {"Name": "Refuse", "Type": "Fail", "Arguments": {"ErrorMessage": NOTE}}
    sagemaker.create_pipeline(
        PipelineName=serving.project,
        PipelineDefinition=json.dumps({"Version": "2020-12-01", "Metadata": {}, "Steps": [fail]}),
        RoleArn=LOCAL_ROLE,
        ClientRequestToken="for-the-width-of-tables-000000001",
    )
    sagemaker.start_pipeline_execution(PipelineName=serving.project)
    (serving.folder / "rows.csv").write_text("\n".join(serving.model.rows[:4]))
    sagemaker.add_tags(
        ResourceArn=sagemaker.describe_model_package_group(ModelPackageGroupName=serving.project)[
            "ModelPackageGroupArn"
        ],
        Tags=[{"Key": "gatehouse:owner", "Value": "somebody else " * 10}],
    )
    return serving


def on_a_terminal(line: str) -> list[str]:
    terminal = Terminal()
    with redirect_stdout(terminal), redirect_stderr(io.StringIO()):
        assert main(line.split()) in (0, 1), line
    printed = terminal.getvalue()
    assert all(visible(each) == each for each in printed.splitlines()), "a terminal would obey it"
    return printed.splitlines()


def test_every_table_fits_80_columns(full: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for line in DETAILS:
        lines, tables = on_a_terminal(line), 0
        for number, rule in enumerate(lines):
            if rule.startswith("─"):
                end = next((at for at in range(number, len(lines)) if not lines[at]), len(lines))
                assert max(map(cell_len, lines[number - 1 : end])) <= 80, line
                tables += 1
        assert tables, line
        assert not any("…" in one for one in lines), f"{line} says all"
    for line in LISTS:
        lines = on_a_terminal(line)
        assert lines[1] == "─" * len(lines[1]), f"the headings of {line} are in one line"
        assert max(map(cell_len, lines)) <= 80, line
        rows = json.loads(full.gatehouse(*line.split(), "--json").out)
        assert len(lines) == 2 + len(rows), f"{line}: a row is one line"
    history = full.done("environments", "--env", "dev").out
    piped = next(line for line in history.splitlines() if line.startswith("2 "))
    assert f"{NOTE}\\x1b[2J\\x9b1A" in piped, "a pipe gets the whole text"
