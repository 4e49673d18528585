"""The check against the champion: the model is not worse than the version that serves, on the same rows.

Both are scored on the test part of today. The champion's artifact is an input of the step, like the model's
own; which one it is, the pipeline has looked up before. No champion yet: the check passes and says so. A
champion that cannot be scored on today's rows (other columns, other classes, another task) cannot be
compared. The check then fails and says so, because otherwise renaming a column would be a way past it.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from artifact import Artifact, unpack
from curves import area_under_roc
from input_error import DoesNotFit, InputError
from metric_table import METRICS
from metrics import ClassCounts, binary_values, confusion, multiclass_values, regression_values
from non_inferiority import (
    MARGIN,
    MOST_CLASSES,
    Differences,
    chance_of_worse,
    of_answers,
    of_errors,
    of_ranks,
    of_right_answers,
)
from regression_verdict import NumberAnswers
from scoring import score, score_numbers
from significance import LEVEL
from verdict import Answers, Check, Gate

NONE = "none"
"""In place of a version where none serves."""


@dataclass(frozen=True)
class Champion:
    """The version that serves in an environment, as the pipeline found it.

    Attributes:
        version: its number as text; ``none`` where nothing serves.
        sha256: of its artifact, in hexadecimal; empty where it is not known.
        archive: its artifact.
    """

    environment: str
    version: str
    sha256: str
    archive: Path

    @property
    def named(self) -> str:
        return f"version {self.version}, which serves in {self.environment},"


@dataclass(frozen=True)
class Tested:
    """What is evaluated: the folder of the test part, today's schema, and which artifact the model is."""

    folder: Path
    schema: dict[str, Any]
    artifact: Artifact


class _CannotBeScored(Exception):
    """Why the champion cannot be scored on today's rows, as the end of a sentence."""


def check_classes(champion: Champion, gate: Gate, answers: Answers, test: Tested) -> Check:
    """The check of a classification.

    Raises:
        InputError: the champion's artifact is not the one that was looked up.
    """

    def compare(artifact: Path) -> Check:
        theirs = score(artifact, test.folder, test.schema, ())
        metric, differences, champions_value = _compared(gate.metric, answers, theirs)
        return _judged(champion, metric, answers.value(metric), champions_value, differences)

    return _check(champion, test, compare)


def check_numbers(champion: Champion, gate: Gate, answers: NumberAnswers, test: Tested) -> Check:
    """The check of a regression; errors as in :func:`check_classes`."""

    def compare(artifact: Path) -> Check:
        theirs = score_numbers(artifact, test.folder, test.schema)
        measure = np.abs if gate.metric == "mae" else np.square
        errors = [
            measure(answers.actual - answer)
            for answer in (
                theirs.predicted,
                answers.predicted,
                np.full(len(answers.actual), answers.constant),
            )
        ]
        champions_value = regression_values(theirs.actual, theirs.predicted)[gate.metric]
        return _judged(champion, gate.metric, answers.value(gate.metric), champions_value, of_errors(*errors))

    return _check(champion, test, compare)


def _check(champion: Champion, test: Tested, compare: Callable[[Path], Check]) -> Check:
    if champion.version == NONE:
        sentence = f"no version serves in {champion.environment} yet, so there is none to compare with"
        return _named(champion, True, sentence)
    with tempfile.TemporaryDirectory(prefix="champion-") as folder:
        found = unpack(champion.archive, Path(folder))
        if champion.sha256 and found.sha256 != champion.sha256:
            raise InputError(
                f"the artifact of {champion.named} has the SHA-256 {found.sha256[:12]}..., and not"
                f" {champion.sha256[:12]}... as recorded. Find out who wrote it"
            )
        if found.sha256 == test.artifact.sha256:
            return _named(champion, True, f"this is the very model of {champion.named[:-1]}")
        try:
            _refuse_others(Path(folder), test.schema)
            return compare(Path(folder))
        except DoesNotFit as error:
            why = f"its own code refuses the rows: {error.reason}"
        except (_CannotBeScored, InputError) as error:
            why = str(error)
        except Exception as error:  # its serving code is of another time
            why = f"its own code fails with {type(error).__name__}: {error}"
    return _named(
        champion,
        False,
        f"{champion.named} cannot be scored on today's test part, so nobody can say whether this model is"
        f" worse: {' '.join(why.split())}. If the change is meant, leave champion out of the gate's settings"
        " until a version of the new kind serves",
    )


def _refuse_others(artifact: Path, schema: dict[str, Any]) -> None:
    """Whether a champion answers the same question as today's model: target, task and classes."""
    path = artifact / "schema.json"
    if not path.is_file() or not (artifact / "code" / "inference.py").is_file():
        raise _CannotBeScored("its artifact is none that train.py wrote")
    theirs = json.loads(path.read_text(encoding="utf-8"))
    for key in ("task", "target"):
        if theirs.get(key) != schema[key]:
            raise _CannotBeScored(f"its {key} is {theirs.get(key)!r}, today's is {schema[key]!r}")
    if schema["task"] == "regression":
        return
    known, today = theirs.get("classes", ()), schema["classes"]
    if set(known) != set(today):
        raise _CannotBeScored(f"its classes are {', '.join(known)}, today's are {', '.join(today)}")


def _compared(metric: str, answers: Answers, theirs: Any) -> tuple[str, Differences, float]:
    """The metric that is compared, the rows' differences in it, and the champion's value.

    It is the gate's own metric; accuracy in place of averages over very many classes.
    """
    classes = len(answers.classes)
    if metric == "auc":
        differences = of_ranks(answers.actual, theirs.scores, answers.scores)
        return metric, differences, area_under_roc(answers.actual, theirs.scores)
    if classes > MOST_CLASSES:
        metric = "accuracy"
    measure = binary_values if classes == 2 else multiclass_values
    counts = ClassCounts.of(confusion(answers.actual, theirs.predicted, classes))
    champions_value = float(measure(counts)[metric])
    if metric in ("accuracy", "weighted_recall"):
        right = theirs.predicted == answers.actual, answers.predicted == answers.actual
        return metric, of_right_answers(*right), champions_value
    sign = 1 if METRICS[metric].higher_is_better else -1
    differences = of_answers(
        answers.actual,
        theirs.predicted,
        answers.predicted,
        classes,
        lambda counts: sign * measure(counts)[metric],
    )
    return metric, differences, champions_value


def _judged(champion: Champion, metric: str, own: float, theirs: float, differences: Differences) -> Check:
    chance, kind = chance_of_worse(differences), METRICS[metric]
    values = (
        f"{kind.label} {kind.shown(own)} against {kind.shown(theirs)} on the same {differences.rows:,} rows"
    )
    points = (
        f"{100 * MARGIN:g} points" if kind.largest else f"{100 * MARGIN:g} % of a constant answer's error"
    )
    if chance <= LEVEL:
        return _named(champion, True, f"not worse than {champion.named} {values}", metric, own, theirs)
    sentence = (
        f"not shown to be as good as {champion.named} {values}: a model that is worse by {points} would look"
        f" like this in {100 * chance:.0f} % of cases, and it has to be at most {100 * LEVEL:.0f} %"
    )
    if (own > theirs) == kind.higher_is_better:
        sentence += "; more rows would show a model that is better"
    return _named(champion, False, sentence, metric, own, theirs)


def _named(
    champion: Champion,
    passed: bool,
    sentence: str,
    metric: str | None = None,
    value: float | None = None,
    limit: float | None = None,
) -> Check:
    number = int(champion.version) if champion.version.isdecimal() else None
    return Check("champion", passed, sentence, metric, value, limit, champion=number)
