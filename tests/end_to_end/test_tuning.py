"""A project that tunes, from its settings to a registered version: run, interrupted, killed, retried."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from installed_command import Shell, jobs_of, until

TUNING = """
num_round = {rounds}
early_stopping_rounds = {rounds}
[projects.test.tumors.tuning]
jobs = {jobs}
parallel = 2
strategy = "random"
[projects.test.tumors.tuning.ranges]
max_depth = {{ low = 2, high = 6 }}
eta = {{ low = 0.02, high = 0.4, scale = "log" }}
lambda = [0.5, 2.0, 8.0]
"""


def _trials(shell: Shell) -> int:
    return sum("trial.py" in command for command in jobs_of(shell.home))


def test_six_trainings_two_at_once_and_the_best_values_are_the_registered_versions(
    own_shell: Callable[..., Shell],
) -> None:
    shell = own_shell(training=TUNING.format(rounds=40, jobs=6))
    run = shell.run("run", "--json")
    assert run.code == 0, run.err
    tuning = run.document["tuning"]
    results = {trial["number"]: trial["result"] for trial in tuning["trials"]}
    assert sorted(results) == [1, 2, 3, 4, 5, 6]
    assert tuning["best"] == min(results, key=lambda number: results[number])
    best = tuning["trials"][tuning["best"] - 1]["values"]
    for number, result in results.items():
        assert f"trial {number} of 6" in run.err
        assert f"logloss {result:.4}" in run.err
    version = shell.run("model", "1", "--json").document
    assert {name: version["hyperparameters"][name] for name in best} == best
    assert version["hyperparameters"]["num_round"] == "40"
    assert version["metadata"]["tuned"] == "max_depth eta lambda"
    job = version["metadata"]["training_job"]
    assert version["containers"][0]["artifact"].endswith(f"/{job.rpartition('/')[2]}/output/model.tar.gz")
    card = version["card"]["content"]["training_details"]["training_job_details"]
    assert card["training_arn"] == job
    assert {"name": "eta", "value": best["eta"]} in card["hyper_parameters"]
    shown = shell.run("model", "1").out
    assert f"{best['max_depth']} (tuned)" in shown
    log = shell.run("logs", "--step", "TuneModel", "--trial", str(tuning["best"])).out
    assert f"best-logloss:{results[tuning['best']]:.5g}"[:16] in log
    assert "best_iteration=" in log
    execution = run.document["execution_arn"].rpartition("/")[2]
    address = f"http://127.0.0.1/studio/p/test-tumors/executions/{execution}/steps/TuneModel"
    saved = shell.settings.parent / "step.html"
    assert shell.run("studio", address, "--save", str(saved)).code == 0
    page = saved.read_text()
    for name in best:
        assert f"logloss against {name}" in page
    assert page.count('<circle class="trial" r="5" cx="') == 3 * 5
    assert page.count(f"trial {tuning['best']}: logloss") == 3, "one diamond in each square"
    assert f"Log of trial {tuning['best']}" in page
    again = shell.run("run", "--json")
    steps = {step["name"]: step["cached"] for step in again.document["steps"]}
    assert steps["TuneModel"], "nothing changed"
    assert steps["EvaluateModel"]
    assert again.document["same_version"] == 1


def test_ctrl_c_stops_the_trials_and_the_execution_is_stopped(own_shell: Callable[..., Shell]) -> None:
    shell = own_shell(training=TUNING.format(rounds=100000, jobs=6))
    run = shell.begin("run")
    until(lambda: _trials(shell) == 2, what="two trials at once")
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=60)
    assert run.returncode == 130, err
    assert not jobs_of(shell.home)
    assert shell.run("executions", "--json").document[0]["status"] == "Stopped"


def test_killed_in_the_middle_and_retried_it_goes_on_to_a_registered_version(
    own_shell: Callable[..., Shell],
) -> None:
    shell = own_shell(training=TUNING.format(rounds=400, jobs=3))
    run = shell.begin("run")
    until(lambda: _trials(shell) > 0, what="a trial to run")
    os.killpg(run.pid, signal.SIGKILL)
    run.communicate()
    until(lambda: not jobs_of(shell.home), what="the jobs to end with the program that ran them")
    newest = shell.run("executions", "--json").document[0]
    assert newest["status"] == "Failed"
    retried = shell.run("retry", newest["execution_arn"], "--wait", "--json")
    assert retried.code == 0, retried.err
    steps = {step["name"]: step for step in retried.document["steps"]}
    assert steps["PreprocessData"]["status"] == steps["TuneModel"]["status"] == "Succeeded"
    assert len(retried.document["tuning"]["trials"]) == 3
    assert shell.run("models", "--json").document[0]["arn"] == retried.document["model_package_arn"]
