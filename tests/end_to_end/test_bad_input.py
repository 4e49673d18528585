"""What a person gets wrong ends with exit code 1 and a line that says what, where and what to do."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from installed_command import Shell

HEADER = "a,b,diagnosis\n"
ROWS = "".join(f"{i},{i * i % 7},{'malignant' if i % 2 else 'benign'}\n" for i in range(60))


def _failed(shell: Shell, *arguments: str) -> str:
    run = shell.run("run", *arguments)
    assert run.code == 1, run.out + run.err
    assert "Traceback" not in run.out + run.err
    return run.out + run.err


def test_bad_data_is_named_with_its_place_and_remedy(own_shell: Callable[..., Shell]) -> None:
    """One case of many, all the way up; what the programs say of each is tested where they are."""
    shell = own_shell(data=HEADER + ROWS + "1,2\n")
    said = _failed(shell)
    assert "PreprocessData" not in said  # nothing is started for it
    for words in ("tumors.csv", "line 62", "3"):
        assert words in said
    listed = shell.run("executions", "--json")
    assert listed.code == 1 or listed.document == []


def test_bad_data_beyond_what_is_looked_at_first_is_named_by_the_job(
    own_shell: Callable[..., Shell],
) -> None:
    said = _failed(own_shell(data=HEADER + ROWS * 12_000 + "1,2\n"))
    assert "PreprocessData" in said
    for words in ("tumors.csv", "line 720002", "3"):
        assert words in said


def test_missing_data_is_found_before_anything_runs(own_shell: Callable[..., Shell]) -> None:
    shell = own_shell(source='"nowhere.csv"')
    said = _failed(shell)
    assert "nowhere.csv" in said
    assert "executions" not in said


def test_a_gate_that_the_data_or_the_task_cannot_have_is_found_before_anything_runs(
    own_shell: Callable[..., Shell],
) -> None:
    shell = own_shell(gate='slices = ["ages"]\nslice_floor = 0.5', data=HEADER.replace("a", "age", 1) + ROWS)
    said = _failed(shell)
    assert "[projects.test.tumors.gate] slices: tumors.csv has no column 'ages'. Did you mean 'age'?" in said
    said = _failed(own_shell(gate="floors.recall.malign = 0.9"))
    assert "[projects.test.tumors.gate.floors.recall] malign: " in said
    assert "Did you mean 'malignant'?" in said
    said = _failed(own_shell(gate="floors = { recall = 1.5, rmse = 3 }"))
    assert "(1) [projects.test.tumors.gate.floors] recall: 1.5 is no possible value of recall." in said
    assert "(2) [projects.test.tumors.gate.floors] rmse: 'rmse' is no metric of a binary task." in said
    listed = own_shell().run("executions", "--json")
    assert listed.code == 1 or listed.document == []


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("MaxDept=5", "MaxDepth"),
        ("AccuracyThreshold=1.5", "0 to 1"),
    ],
)
def test_a_wrong_parameter_starts_nothing(
    own_shell: Callable[..., Shell], override: str, expected: str
) -> None:
    shell = own_shell()
    assert expected in _failed(shell, "-p", override)
    listed = shell.run("executions", "--json")
    assert listed.code == 1 or listed.document == []


def test_an_unknown_project_gets_a_suggestion(shell: Shell) -> None:
    assert "Did you mean 'health-tumor-diagnosis'?" in _failed(shell, "health-tumour-diagnosis")


def test_an_unknown_command_is_wrong_usage(shell: Shell) -> None:
    run = shell.run("rum")
    assert run.code == 2
    assert "run" in run.err
