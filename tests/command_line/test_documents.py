"""What ``--json`` prints has the keys that docs/json.md promises."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from promised_documents import promised

from pipelines.commands import main

Printed = pytest.CaptureFixture[str]


def kept(document: Any, command: str, section: str = "The pipeline") -> bool:
    """Whether a document is what the page promises of a command."""
    kind, keys = promised(section)[command]
    entries = document if kind == "list" else [document]
    return isinstance(document, list if kind == "list" else dict) and all(
        set(entry) == keys for entry in entries
    )


def test_documents_about_executions_have_the_promised_keys(
    local: Any, workplace: Path, capsys: Printed
) -> None:
    def printed(*words: str) -> Any:
        main([*words, "--json"])
        return json.loads(capsys.readouterr().out)

    waiting = f"test -e {workplace}/go || exec sleep 600\n{local.scores(0.75)}"
    local.upsert(local.gated(waiting))
    assert kept(printed("start"), "start")
    assert kept(printed("stop"), "stop")
    (workplace / "go").touch()
    assert kept(printed("retry"), "retry")
    assert kept(printed("start", "--wait"), "start --wait")
    shut = printed("start", "--wait", "-p", "AccuracyThreshold=0.9")
    assert kept(shut, "start --wait")
    assert shut["gate_shut"] is True
    assert kept(printed("executions"), "executions")
    lines = printed("logs")
    assert lines
    assert kept(lines, "logs")


@pytest.mark.usefixtures("local")
def test_documents_about_this_machine_have_the_promised_keys(capsys: Printed) -> None:
    for command in ("local status", "doctor", "inbox"):
        main([*command.split(), "--json"])
        assert kept(json.loads(capsys.readouterr().out), command, "The rest"), command


def test_the_documents_of_a_plan_and_of_a_run_have_the_promised_keys(gatehouse: Any) -> None:
    planned = gatehouse("plan", "--json")
    assert kept(json.loads(planned.out), "plan"), planned.err
    upserted = json.loads(gatehouse("upsert", "--json").out)
    assert set(upserted) == {*promised("The pipeline")["plan"][1], "pipeline_arn"} - {"estimates"}
    ran = gatehouse("run", "-p", "NumRound=5", "--json")
    assert kept(json.loads(ran.out), "run"), ran.err
    again = gatehouse("schedule", "--rate", "1 day", "--json")
    assert kept(json.loads(again.out), "schedule"), again.err
