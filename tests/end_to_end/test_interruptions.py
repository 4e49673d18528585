"""Ctrl-C and `kill -9` of the whole program while it runs: nothing acknowledged is lost, nothing lies."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing

from installed_command import Shell, jobs_of, until


def _training(shell: Shell) -> bool:
    return any("train.py" in command for command in jobs_of(shell.home))


def test_ctrl_c_stops_the_jobs_and_the_execution_is_stopped(own_shell: Callable[..., Shell]) -> None:
    shell = own_shell()
    run = shell.begin("run", "-p", "NumRound=100000", "-p", "EarlyStoppingRounds=100000")
    until(lambda: _training(shell), what="the training job to run")
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=60)
    assert run.returncode == 130, err
    assert not jobs_of(shell.home)
    newest = shell.run("executions", "--json").document[0]
    assert newest["status"] == "Stopped"
    assert newest["execution_arn"] in err


def test_after_kill_9_the_next_start_says_what_was_under_way_and_a_retry_completes_it(
    own_shell: Callable[..., Shell],
) -> None:
    shell = own_shell()
    run = shell.begin("run", "-p", "NumRound=800", "-p", "EarlyStoppingRounds=800")
    until(lambda: _training(shell), what="the training job to run")
    os.killpg(run.pid, signal.SIGKILL)
    run.communicate()
    until(lambda: not jobs_of(shell.home), what="the jobs to end with the program that ran them")
    assert _statuses(shell) == ["Executing"], "nobody was left to write the end"
    listed = shell.run("executions", "--json")
    newest = listed.document[0]
    assert newest["status"] == "Failed"
    assert "TrainModel" in listed.err
    assert newest["execution_arn"] in listed.err
    retried = shell.run("retry", newest["execution_arn"], "--wait", "--json")
    assert retried.code == 0, retried.err
    steps = {step["name"]: step for step in retried.document["steps"]}
    assert steps["PreprocessData"]["status"] == steps["TrainModel"]["status"] == "Succeeded"
    assert shell.run("models", "--json").document[0]["arn"] == retried.document["model_package_arn"]


def _statuses(shell: Shell) -> list[str]:
    """What is written of the executions, read past the program."""
    query = "SELECT json_extract(doc, '$.PipelineExecutionStatus') FROM resource WHERE kind = 'execution'"
    with closing(sqlite3.connect(shell.home / "state.db")) as database:
        return [row[0] for row in database.execute(query)]
