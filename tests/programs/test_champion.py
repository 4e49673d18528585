"""The check against the version that serves: by the program, with real artifacts, and the test behind it."""

from __future__ import annotations

import io
import json
import math
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from program_runs import ROOT, Finished, hand_over_to_evaluation, hand_over_to_training, run_program
from scipy import stats

# --- The test ----------------------------------------------------------------------------------------


def tango(better: int, worse: int, rows: int, margin: float) -> float:
    """The closed form of Tango 1998: the p-value of "worse by the margin"."""
    a = 2.0 * rows
    b = -(better + worse) - (2.0 * rows - better + worse) * margin
    c = worse * margin * (1 + margin)
    share = (math.sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a)
    variance = rows * (2 * share - margin * (1 + margin))
    return float(stats.norm.sf((better - worse + rows * margin) / math.sqrt(variance)))


@pytest.mark.parametrize("rows", [10, 90, 515, 2000, 100_000])
@pytest.mark.parametrize(("better", "worse"), [(0, 0), (1, 0), (0, 1), (5, 3), (3, 5), (5, 5)])
def test_for_right_answers_it_is_tangos(rows: int, better: int, worse: int) -> None:
    from metrics import binary_values
    from non_inferiority import MARGIN, chance_of_worse, of_answers, of_right_answers

    champion, challenger = np.zeros((2, rows), dtype=bool)
    challenger[:better] = True
    champion[better : better + worse] = True
    expected = tango(better, worse, rows, MARGIN)
    found = chance_of_worse(of_right_answers(champion, challenger))
    by_slopes = chance_of_worse(
        of_answers(
            np.ones(rows, dtype=int),
            champion.astype(int),
            challenger.astype(int),
            2,
            lambda counts: binary_values(counts)["accuracy"],
        )
    )
    if expected < 0.5:  # "not worse" is not out of the question
        assert found == pytest.approx(expected, abs=1e-6)
        assert by_slopes == pytest.approx(expected, abs=2e-4)
    else:
        assert found >= 0.5
        assert by_slopes >= 0.499


def test_no_rows_and_no_difference_at_all() -> None:
    from non_inferiority import chance_of_worse, of_errors, of_right_answers

    none = np.zeros(0, dtype=bool)
    assert chance_of_worse(of_right_answers(none, none)) == 1.0
    few, many = np.ones(90, dtype=bool), np.ones(1000, dtype=bool)
    assert chance_of_worse(of_right_answers(few, few)) > 0.05, "90 rows cannot show half a point"
    assert chance_of_worse(of_right_answers(many, many)) < 0.05
    errors = np.linspace(0, 1, 50)
    assert chance_of_worse(of_errors(errors, errors, errors + 1)) == 0.0


KINDS = ("accuracy", "f1", "recall", "false_positive_rate", "auc", "weighted_f1", "mse")


@pytest.mark.parametrize("metric", KINDS)
def test_models_that_are_worse_by_the_margin_pass_rarely(metric: str) -> None:
    """1 000 challengers whose true metric is lower by half a point; benchmarks/champion.py has more."""
    from non_inferiority import MARGIN

    from benchmarks.champion import passing

    outcomes = [passed for rows in (200, 1000) for passed in passing(metric, rows, MARGIN, 500, seed=rows)]
    assert len(outcomes) == 1000
    allowed = 0.05 + 2 * math.sqrt(0.05 * 0.95 / len(outcomes))
    assert np.mean(outcomes) <= allowed


# --- The program -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Evaluated:
    code: int
    output: str
    error: str
    verdict: dict[str, Any]

    @property
    def check(self) -> dict[str, Any]:
        return next(one for one in self.verdict["checks"] if one["name"] == "champion")


def trained_again(finished: Finished, folder: Path, **hyperparameters: str) -> Path:
    """Another artifact of the same data; the path of its model.tar.gz."""
    shutil.copytree(finished.folder / "processing" / "output", folder / "processing" / "output")
    hand_over_to_training(folder, {"num_round": "60", "max_depth": "3", **hyperparameters})
    done = run_program("training/train.py", folder)
    assert done.returncode == 0, done.stderr
    (folder / "processing" / "input").mkdir()
    hand_over_to_evaluation(folder)
    return folder / "processing" / "input" / "model" / "model.tar.gz"


@pytest.fixture(scope="session")
def weak_tumors(tumors: Finished, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained_again(tumors, tmp_path_factory.mktemp("weak"), num_round="1", max_depth="1", eta="0.01")


def artifact_of(finished: Finished) -> Path:
    return finished.folder / "processing" / "input" / "model" / "model.tar.gz"


@pytest.fixture
def evaluated(tmp_path: Path) -> Callable[..., Evaluated]:
    def run(
        finished: Finished, model: Path, champion: Path | None, *arguments: str, **gate: Any
    ) -> Evaluated:
        folder = tmp_path / "evaluated"
        inputs = folder / "processing" / "input"
        shutil.copytree(finished.folder / "processing" / "input" / "test", inputs / "test")
        for name, archive in (("model", model), ("champion", champion)):
            (inputs / name).mkdir()
            if archive is not None:
                shutil.copy(archive, inputs / name / "model.tar.gz")
        (inputs / "gate").mkdir()
        settings = {"metric": "accuracy", "threshold": 0.1, "worth": False, "champion": "prod", **gate}
        (inputs / "gate" / "gate.json").write_text(json.dumps(settings))
        done = subprocess.run(
            [sys.executable, str(ROOT / "evaluation/evaluate.py"), "--opt-ml", str(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        verdict = folder / "processing" / "output" / "evaluation" / "verdict.json"
        found = json.loads(verdict.read_text()) if done.returncode == 0 else {}
        return Evaluated(done.returncode, done.stdout, done.stderr, found)

    return run


def changed(archive: Path, path: Path, schema: dict[str, Any]) -> Path:
    """The artifact with other members in its schema.json."""
    with tarfile.open(archive) as source, tarfile.open(path, "w:gz") as packed:
        for member in source:
            content = source.extractfile(member).read() if member.isfile() else b""
            if member.name.removeprefix("./") == "schema.json":
                content = json.dumps({**json.loads(content), **schema}).encode()
                member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    return path


def test_without_a_champion_yet_the_check_passes_and_says_so(
    tumors: Finished, evaluated: Callable[..., Evaluated]
) -> None:
    done = evaluated(tumors, artifact_of(tumors), None, "--champion-version", "none")
    assert done.verdict["verdict"] == "passed"
    assert done.check["sentence"] == "no version serves in prod yet, so there is none to compare with"
    assert "champion" not in done.check
    assert "passed: no version serves in prod yet" in done.output


def test_a_better_champion_keeps_the_challenger_out(
    tumors: Finished, weak_tumors: Path, evaluated: Callable[..., Evaluated]
) -> None:
    done = evaluated(tumors, weak_tumors, artifact_of(tumors), "--champion-version", "4")
    assert done.verdict["verdict"] == "refused"
    check = done.check
    assert not check["passed"]
    assert check["value"] < check["limit"]
    assert check["champion"] == 4
    assert "not shown to be as good as version 4, which serves in prod, accuracy" in check["sentence"]
    assert check["sentence"] in done.verdict["sentence"], "the message names the check that failed"


@pytest.mark.parametrize("metric", ["accuracy", "f1", "false_negative_rate"])
def test_a_better_challenger_passes(
    tumors: Finished, weak_tumors: Path, evaluated: Callable[..., Evaluated], metric: str
) -> None:
    threshold = {"threshold": 0.99} if metric == "false_negative_rate" else {}
    arguments = (artifact_of(tumors), weak_tumors, "--champion-version", "4")
    done = evaluated(tumors, *arguments, metric=metric, **threshold)
    assert done.verdict["verdict"] == "passed", done.verdict["sentence"]
    assert done.check["metric"] == metric
    assert "not worse than version 4, which serves in prod" in done.check["sentence"]
    assert " on the same 86 rows" in done.check["sentence"]


def test_few_rows_cannot_show_that_a_better_area_is_no_worse(
    tumors: Finished, weak_tumors: Path, evaluated: Callable[..., Evaluated]
) -> None:
    done = evaluated(tumors, artifact_of(tumors), weak_tumors, "--champion-version", "4", metric="auc")
    assert not done.check["passed"]
    assert done.check["value"] > done.check["limit"]
    assert "more rows would show a model that is better" in done.check["sentence"]


def test_the_very_model_that_serves_passes_though_few_rows_could_not_show_it(
    tumors: Finished, evaluated: Callable[..., Evaluated]
) -> None:
    done = evaluated(tumors, artifact_of(tumors), artifact_of(tumors), "--champion-version", "4")
    assert done.verdict["verdict"] == "passed"
    assert done.check["sentence"] == "this is the very model of version 4, which serves in prod"


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"task": "regression"}, "its task is 'regression', today's is 'binary'"),
        ({"target": "outcome"}, "its target is 'outcome', today's is 'diagnosis'"),
        ({"classes": ["no", "yes"]}, "its classes are no, yes, today's are benign, malignant"),
        ({"features": [{"name": "ferritin", "kind": "number"}]}, "ferritin"),
        ({"features": 5}, "its own code fails with"),
    ],
)
def test_a_champion_that_cannot_be_scored_today_shuts_the_gate_in_words(
    tumors: Finished,
    weak_tumors: Path,
    tmp_path: Path,
    evaluated: Callable[..., Evaluated],
    schema: dict[str, Any],
    words: str,
) -> None:
    champion = changed(weak_tumors, tmp_path / "changed.tar.gz", schema)
    done = evaluated(tumors, artifact_of(tumors), champion, "--champion-version", "4")
    assert done.verdict["verdict"] == "refused"
    assert "cannot be scored on today's test part" in done.check["sentence"]
    assert words in done.check["sentence"]
    assert "from one run" not in done.check["sentence"], "a champion is of another run"
    assert "leave champion out of the gate's settings" in done.check["sentence"]


def test_another_artifact_than_the_one_that_was_looked_up_is_an_error(
    tumors: Finished, weak_tumors: Path, evaluated: Callable[..., Evaluated]
) -> None:
    arguments = ("--champion-version", "4", "--champion-sha256", "0" * 64)
    done = evaluated(tumors, artifact_of(tumors), weak_tumors, *arguments)
    assert done.code == 1
    assert "error: the artifact of version 4, which serves in prod, has the SHA-256" in done.error


def test_a_gate_with_a_champion_has_to_be_told_which(
    tumors: Finished, evaluated: Callable[..., Evaluated]
) -> None:
    done = evaluated(tumors, artifact_of(tumors), None)
    assert done.code == 1
    assert "--champion-version" in done.error


def test_a_regression_is_compared_by_its_errors(
    progression: Finished, tmp_path: Path, evaluated: Callable[..., Evaluated]
) -> None:
    weak = trained_again(progression, tmp_path / "weak", num_round="1", eta="0.01")
    gate = {"metric": "rmse", "threshold": 1000.0}
    done = evaluated(progression, artifact_of(progression), weak, "--champion-version", "7", **gate)
    assert done.verdict["verdict"] == "passed", done.verdict["sentence"]
    assert "not worse than version 7, which serves in prod, RMSE" in done.check["sentence"]


def test_a_worse_regression_is_kept_out(
    progression: Finished, tmp_path: Path, evaluated: Callable[..., Evaluated]
) -> None:
    weak = trained_again(progression, tmp_path / "weak", num_round="1", eta="0.01")
    gate = {"metric": "mae", "threshold": 1000.0}
    done = evaluated(progression, weak, artifact_of(progression), "--champion-version", "7", **gate)
    assert done.verdict["verdict"] == "refused"
    assert "MAE" in done.check["sentence"]
    assert "5 % of a constant answer's error" in done.check["sentence"]
