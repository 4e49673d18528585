"""Whether two versions differ by more than chance, from what both answer to the same rows.

    python paired_metrics.py FIRST SECOND

FIRST and SECOND are files of ``answers.py``. Prints one JSON document: each metric of both, and its p-value,
which is how often two versions that are equally good by this metric differ at least as much. Accuracy is
compared by McNemar's exact test. Every other metric is compared by the mean of what each row contributes to
the difference (``non_inferiority``, here with a margin of 0 and in both directions): AUC by DeLong's
components, what follows from the confusion matrix by a score test, and the errors of a regression by a
paired t test. RMSE and R2 rise and fall with the squared errors of the same rows, so they have the same test.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    from unneeded_libraries import keep_out, keep_out_parts_of_numpy

    keep_out("pandas", "sklearn")  # before Arrow makes an array
    keep_out_parts_of_numpy()

import numpy as np
from answers import GivenAnswers
from curves import area_under_roc
from input_error import InputError
from metrics import ClassCounts, binary_values, confusion, multiclass_values, regression_values
from non_inferiority import MOST_CLASSES, Differences, chance_of_worse, of_answers, of_ranks
from numerics import at_least
from process_exit import run_and_exit


def compare(first: GivenAnswers, second: GivenAnswers) -> dict[str, Any]:
    """Both versions' metrics on their common rows.

    Returns:
        ``rows``; ``right``, how many rows each has right, and how many only it has right (null of a
        regression); ``metrics``: ``first``, ``second`` and ``p_value`` of each, by name. Of versions with
        other classes, only accuracy.

    Raises:
        InputError: the versions did not answer the same rows, or only one of them is a regression.
    """
    same_classes = np.array_equal(first.classes, second.classes)
    if (len(first.classes) == 0) != (len(second.classes) == 0):
        raise InputError("one of the two versions predicts a number, the other one a class")
    rows = len(first.actual)
    if not rows or rows != len(second.actual):
        raise InputError("the two versions did not answer the same rows")
    if same_classes and not np.array_equal(first.actual, second.actual):
        raise InputError("the two versions did not answer the same rows")
    if not len(first.classes):
        return {"rows": rows, "right": None, "metrics": _of_numbers(first, second)}
    ours, theirs = first.predicted == first.actual, second.predicted == second.actual
    right = {
        "first": int(ours.sum()),
        "second": int(theirs.sum()),
        "only_first": int((ours & ~theirs).sum()),
        "only_second": int((theirs & ~ours).sum()),
    }
    chance = mcnemar(right["only_first"], right["only_second"])
    metrics = {"accuracy": _metric(right["first"] / rows, right["second"] / rows, chance)}
    if same_classes and len(first.classes) <= MOST_CLASSES:
        metrics |= _of_classes(first, second, chance)
    return {"rows": rows, "right": right, "metrics": metrics}


def mcnemar(only_first: int, only_second: int) -> float:
    """The two-sided p-value of McNemar's exact test (McNemar 1947): does each have about half?"""
    rows = only_first + only_second
    return min(1.0, 2 * at_least(max(only_first, only_second), rows)) if rows else 1.0


def chance_of_difference(differences: Differences) -> float:
    """The two-sided p-value of "equally good"."""
    turned = replace(differences, values=-differences.values, estimate=-differences.estimate)
    return min(1.0, 2 * min(chance_of_worse(one, margin=0.0) for one in (differences, turned)))


def _of_classes(first: GivenAnswers, second: GivenAnswers, of_accuracy: float) -> dict[str, Any]:
    """What follows from the confusion matrix, and AUC where there are scores."""
    classes, actual = len(first.classes), first.actual
    measure = binary_values if len(first.scores) else multiclass_values
    values = [measure(ClassCounts.of(confusion(actual, one.predicted, classes))) for one in (first, second)]

    def named(name: str) -> Callable[[ClassCounts], np.ndarray]:
        return lambda counts: measure(counts)[name]

    found = {}
    for name, ours in values[0].items():
        if name in ("accuracy", "weighted_recall"):  # the same number, so the same test
            chance = of_accuracy
        else:
            chance = chance_of_difference(
                of_answers(actual, first.predicted, second.predicted, classes, named(name))
            )
        found[name] = _metric(float(ours), float(values[1][name]), chance)
    if len(first.scores):
        areas = [area_under_roc(actual, one.scores) for one in (first, second)]
        found["auc"] = _metric(*areas, chance_of_difference(of_ranks(actual, first.scores, second.scores)))
    return found


def _of_numbers(first: GivenAnswers, second: GivenAnswers) -> dict[str, Any]:
    values = [regression_values(one.actual, one.predicted) for one in (first, second)]
    errors = [one.actual - one.predicted for one in (first, second)]
    squared, absolute = (_by_errors(*map(measure, errors)) for measure in (np.square, np.abs))
    return {
        name: _metric(ours, values[1][name], absolute if name == "mae" else squared)
        for name, ours in values[0].items()
    }


def _by_errors(first: np.ndarray, second: np.ndarray) -> float:
    better = first - second
    ones = np.ones(len(better), dtype=np.int64)
    return chance_of_difference(Differences(better, ones, None, float(better.mean())))


def _metric(first: float, second: float, p_value: float) -> dict[str, float]:
    return {"first": first, "second": second, "p_value": p_value}


def main(arguments: Sequence[str] | None = None) -> int:
    """0, or 1 with one line on standard error after an error that its input caused."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    options = parser.parse_args(arguments)
    try:
        found = compare(GivenAnswers.read(options.first), GivenAnswers.read(options.second))
    except InputError as error:
        print(error, file=sys.stderr, flush=True)
        return 1
    print(json.dumps(found, allow_nan=False), flush=True)
    return 0


if __name__ == "__main__":
    run_and_exit(main)
