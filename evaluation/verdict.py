"""The gate's verdict: every check with its number, its interval, its bound and one sentence.

The condition step lets a model pass if this verdict is ``passed``; people read the same sentences wherever
they decide. Checks:

    threshold   the chosen metric against the threshold: its value, or by evidence = "bound" the one-sided
                bound of its 95 % interval
    worth       the model has learnt something, and is better than the best constant answer
    floor       further metrics that must hold, those of single classes too
    slices      no value of a column has a share of right answers below a floor, judged together
    champion    not worse than the version that serves, on the same rows

``docs/gate.md`` has how often each errs, by simulation.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import intervals
import numpy as np
import significance
from intervals import Interval
from metric_table import METRICS, MetricKind
from metrics import F_SCORES, binary_values, confusion, constant_answers, multiclass_values
from slices import Slices

PASSED, REFUSED = "passed", "refused"
_FEWEST_IN_SLICE = 30
_LEVEL = significance.LEVEL


@dataclass(frozen=True)
class Gate:
    """``gate.json``: what the project asks of a model (the ``gate`` table of ``projects.toml``).

    Attributes:
        floors: by metric, or ``metric.class``.
        evidence: ``estimate`` or ``bound``.
        slice_floor: the least share of right answers in each value of each column of ``slices``.
        champion: the environment whose version the model has to match (``champion``).
    """

    metric: str
    threshold: float
    floors: Mapping[str, float] = field(default_factory=dict)
    worth: bool = True
    evidence: str = "estimate"
    slices: tuple[str, ...] = ()
    slice_floor: float | None = None
    champion: str | None = None

    @property
    def kind(self) -> MetricKind:
        return METRICS[self.metric]


def read_gate(path: Path, threshold: float | None = None) -> Gate:
    """The settings in a ``gate.json``, which the compiler has checked; another threshold replaces its own."""
    told = json.loads(path.read_text(encoding="utf-8"))
    given = {} if threshold is None else {"threshold": threshold}
    return Gate(**{**told, **given, "slices": tuple(told.get("slices", ()))})


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        limit: what the value is held against, where it is a number.
        low, high: of the value's 95 % interval, where it has one.
        champion: the number of the version that it compares with.
    """

    name: str
    passed: bool
    sentence: str
    metric: str | None = None
    value: float | None = None
    limit: float | None = None
    low: float | None = None
    high: float | None = None
    champion: int | None = None


@dataclass(frozen=True)
class Answers:
    """What a model of a classification answered on the test part.

    Attributes:
        actual, predicted: the class of each row as an index into ``classes``, of any integer type.
        scores: of a binary task, the probability of ``classes[1]`` for each row.
        metrics: those of ``statistics.json``, by name.
        usual: the class that is most frequent in the training part, an index.
        groups: the columns of ``gate.slices``, by name.
    """

    classes: Sequence[str]
    actual: np.ndarray
    predicted: np.ndarray
    scores: np.ndarray | None
    metrics: Mapping[str, float]
    usual: int
    groups: Mapping[str, Slices] = field(default_factory=dict)

    @cached_property
    def matrix(self) -> np.ndarray:
        """Rows by actual and predicted class, int64."""
        count = len(self.classes)
        return confusion(self.actual, self.predicted, count)

    @cached_property
    def resampled(self) -> Mapping[str, Interval]:
        """The intervals of metrics that have no method of their own, by name, from one set of draws."""
        measure = binary_values if len(self.classes) == 2 else multiclass_values
        return intervals.of_confusion(self.matrix, measure)

    @cached_property
    def shuffled(self) -> significance.Shuffled:
        """The same answers shuffled over the rows, of several classes."""
        return significance.Shuffled(self.matrix, multiclass_values)

    @property
    def rows(self) -> int:
        return len(self.actual)

    def value(self, metric: str) -> float:
        """The metric; NaN, which no bound lets pass, where it is absent or no finite number."""
        found = self.metrics.get(metric)
        is_number = isinstance(found, int | float) and not isinstance(found, bool) and math.isfinite(found)
        return float(found) if is_number else math.nan


def judge(gate: Gate, answers: Answers, more: Sequence[Check] = ()) -> dict[str, Any]:
    """The verdict on a classification, as ``verdict.json`` holds it.

    Args:
        more: checks that need more than the model's own answers.
    """
    checks = [_threshold(gate, answers)]
    if gate.worth:
        checks.append(worth(gate, answers))
    checks += [_floor(name, least, answers) for name, least in gate.floors.items()]
    for column in gate.slices:
        checks.append(_slices(gate, column, answers))
    return document(gate, answers.rows, [*checks, *more], _constant(gate.metric, answers))


def document(gate: Gate, rows: int, checks: Sequence[Check], constant: float | None) -> dict[str, Any]:
    """``verdict.json``: what came out, the sentence that says why, and every check.

    The sentence is that of the first check that failed, or of the threshold, with what was not checked.
    """
    failed = [check for check in checks if not check.passed]
    sentence = "; ".join(check.sentence for check in (failed or checks[:1]))
    if not failed and not gate.worth:
        sentence += "; whether the model has learnt anything was not checked (worth = false)"
    return {
        "version": 1,
        "verdict": REFUSED if failed else PASSED,
        "sentence": sentence,
        "metric": gate.metric,
        "label": gate.kind.label,
        "rows": rows,
        "constant": None if constant is None or math.isnan(constant) else constant,
        "evidence": gate.evidence,
        "checks": [_present(asdict(check)) for check in checks],
    }


def _present(check: dict[str, Any]) -> dict[str, Any]:
    """What is known of a check; JSON has no NaN."""
    return {key: value for key, value in check.items() if value is not None and value == value}


# --- The threshold ---------------------------------------------------------------------------------


def _threshold(gate: Gate, answers: Answers) -> Check:
    value = answers.value(gate.metric)
    return against_threshold(gate, value, interval_of(gate.metric, answers), answers.rows)


def against_threshold(gate: Gate, value: float, interval: Interval | None, rows: int) -> Check:
    """The chosen metric against its threshold; strictly better, as the condition step compares."""
    kind, limit = gate.kind, gate.threshold
    decides = value
    if gate.evidence == "bound":
        decides = interval.bound if interval else math.nan
    better = decides > limit if kind.higher_is_better else decides < limit
    passed = better and not math.isnan(value)
    side = "above" if kind.higher_is_better else "below"
    shown = f"{kind.label} {kind.shown(value)}"
    edge = "lower" if kind.higher_is_better else "upper"
    if gate.evidence == "bound":
        shown = (
            f"the {edge} 95 % bound of {kind.label}, {kind.shown(decides)} (measured {kind.shown(value)}),"
        )
    sentence = f"{shown} is {'' if passed else 'not '}{side} the threshold {limit:g}"
    if math.isnan(decides) and not math.isnan(value):
        sentence = f"{rows:,} rows give no {edge} 95 % bound of {kind.label} (measured {kind.shown(value)})"
    if passed and interval and interval.low <= limit <= interval.high:
        sentence += (
            f"; {rows:,} rows cannot show {limit:g}: the {'approximate ' if interval.approximate else ''}"
            f"95 % interval is {kind.between(interval.low, interval.high)}"
        )
    return Check("threshold", passed, sentence, gate.metric, value, limit, *_ends(interval))


def _ends(interval: Interval | None) -> tuple[float, ...]:
    return (interval.low, interval.high) if interval else ()


# --- Worth -----------------------------------------------------------------------------------------


def worth(gate: Gate, answers: Answers) -> Check:
    """Has it learnt something, and does it beat the best constant answer where that means something?"""
    kind, value, constant = gate.kind, answers.value(gate.metric), _constant(gate.metric, answers)
    given = np.flatnonzero(answers.matrix.sum(axis=0))
    if len(given) == 1 and gate.metric != "auc":
        name = answers.classes[given[0]]
        sentence = f"the model has not learnt anything: it answers {name!r} to all {answers.rows:,} rows"
        return Check("worth", False, sentence, gate.metric, value, constant)
    chance = _chance(gate, answers)
    if chance > _LEVEL:
        sentence = (
            f"the model has not learnt anything that {answers.rows:,} rows can show: answers as good as these"
            f" come about by chance in {100 * chance:.0f} % of cases"
        )
        if constant is not None:
            sentence += f" ({kind.label} {kind.shown(value)}; a constant answer has {kind.shown(constant)})"
        return Check("worth", False, sentence, gate.metric, value, constant)
    if constant is None:
        return Check(
            "worth", True, f"the answers are no product of chance (p {chance:.2g})", gate.metric, value
        )
    if not value > constant:
        return Check("worth", False, _advice(kind, value, constant, answers), gate.metric, value, constant)
    if gate.evidence == "bound":
        return _superior(gate, answers, constant)
    sentence = f"better than the best constant answer, whose {kind.label} is {kind.shown(constant)}"
    return Check("worth", True, sentence, gate.metric, value, constant)


def _superior(gate: Gate, answers: Answers, constant: float) -> Check:
    """By evidence: more often right than the training part's most frequent class, by McNemar's test."""
    right = answers.predicted == answers.actual
    usual = answers.actual == answers.usual
    chance = significance.more_often_right(int((right & ~usual).sum()), int((usual & ~right).sum()))
    name = answers.classes[answers.usual]
    passed = chance <= _LEVEL
    sentence = (
        f"{'more often right than' if passed else 'not shown to be more often right than'} always answering"
        f" {name!r} (p {chance:.2g})"
    )
    return Check("worth", passed, sentence, gate.metric, answers.value(gate.metric), constant)


def _advice(kind: MetricKind, value: float, constant: float, answers: Answers) -> str:
    constants = constant_answers(answers.matrix, binary="multiclass" not in kind.tasks)[kind.name]
    always = answers.classes[int(constants.argmax())]
    sentence = (
        f"{kind.label} {kind.shown(value)} is no better than the {kind.shown(constant)} of always answering"
        f" {always!r}, though the model has learnt something"
    )
    suits = "auc" if answers.scores is not None else "weighted_f1"
    if kind.name != suits and suits in answers.metrics:
        suited = METRICS[suits]
        sentence += (
            f": with rare classes choose another metric for the gate, such as {suits}"
            f" ({suited.label} {suited.shown(answers.metrics[suits])} here)"
        )
    return sentence


def _chance(gate: Gate, answers: Answers) -> float:
    """The p-value of "it has learnt nothing", by the test that suits the metric."""
    if gate.metric == "auc":
        assert answers.scores is not None
        return significance.ranks_positives_higher(answers.actual, answers.scores)
    if len(answers.classes) == 2:
        return significance.association(answers.matrix)
    return answers.shuffled.chance(gate.metric)


def _constant(metric: str, answers: Answers) -> float | None:
    """What the best constant answer has; None where there is none to beat, NaN where it is not known."""
    return answers.value(f"{metric}_best_constant_classifier") if METRICS[metric].constant_counts else None


# --- Floors ----------------------------------------------------------------------------------------


def _floor(name: str, least: float, answers: Answers) -> Check:
    metric, _, label = name.partition(".")
    kind = METRICS[metric]
    if label:
        value, interval = of_class(metric, answers.classes.index(label), answers.matrix)
        called = f"{kind.label} of {label!r}"
    else:
        value, interval, called = answers.value(metric), interval_of(metric, answers), kind.label
    return against_floor(name, called, value, interval, least)


def against_floor(name: str, called: str, value: float, interval: Interval | None, least: float) -> Check:
    """A further metric against its floor, or against its limit where lower is better; at it is good enough.

    Args:
        name: ``metric`` or ``metric.class``, as the settings have it.
        called: what the sentence calls it.
    """
    kind = METRICS[name.partition(".")[0]]
    passed = value >= least if kind.higher_is_better else value <= least
    side = "below" if kind.higher_is_better else "above"
    word = "floor" if kind.higher_is_better else "limit"
    sentence = f"{called} {kind.shown(value)} is {'not ' if passed else ''}{side} the {word} {least:g}"
    return Check(f"floor {name}", passed, sentence, name, value, least, *_ends(interval))


# --- Slices ----------------------------------------------------------------------------------------


def _slices(gate: Gate, column: str, answers: Answers) -> Check:
    """No value of a column may have a share of right answers below the floor, beyond doubt."""
    floor = gate.slice_floor
    assert floor is not None
    right = answers.predicted == answers.actual
    names, places = answers.groups[column].values, answers.groups[column].places
    counts = np.bincount(places, minlength=len(names))
    hits = np.bincount(places[right], minlength=len(names))
    judged = np.flatnonzero(counts >= _FEWEST_IN_SLICE)
    small = len(names) - len(judged)
    rest = f"; {small} with fewer than {_FEWEST_IN_SLICE} rows were not judged" if small else ""
    if not len(judged):
        return Check(f"slices {column}", True, f"no value of {column} has enough rows to be judged{rest}")
    values = hits[judged] / counts[judged]
    chances = significance.below(hits[judged].tolist(), counts[judged].tolist(), floor)
    bad = [place for place, chance in enumerate(chances) if chance <= _LEVEL]
    worst = min(bad, key=lambda place: chances[place]) if bad else int(values.argmin())
    share, rows = float(values[worst]), int(counts[judged[worst]])
    where = f"{column} = {names[judged[worst]]!s}"
    limit = intervals.proportion(int(hits[judged[worst]]), rows)
    if bad:
        sentence = f"accuracy {share:.4f} where {where} ({rows:,} rows) is below the floor {floor:g}"
        more = len(bad) - 1
        sentence += f"; so {'is 1 more value' if more == 1 else f'are {more} more values'}" if more else ""
    else:
        sentence = (
            f"accuracy is nowhere shown to be below {floor:g} in {len(judged)} values of {column};"
            f" lowest {share:.4f} where {where}"
        )
    return Check(f"slices {column}", not bad, sentence + rest, "accuracy", share, floor, *_ends(limit))


# --- Intervals -------------------------------------------------------------------------------------


def interval_of(metric: str, answers: Answers) -> Interval | None:
    """The 95 % interval of a metric of a classification, by the method that suits it."""
    matrix = answers.matrix
    if metric == "accuracy" or metric == "weighted_recall":
        return intervals.proportion(int(np.trace(matrix)), int(matrix.sum()))
    if len(answers.classes) > 2:
        if np.trace(matrix) in (0, matrix.sum()):  # draws of such rows are all alike, as if they were exact
            return interval_of("accuracy", answers)
        return answers.resampled.get(metric)
    if metric == "auc":
        positives = int(matrix[1].sum())
        area = answers.value(metric)
        return None if math.isnan(area) else intervals.auc(area, positives, answers.rows - positives)
    return _of_two_classes(metric, answers)


def of_class(metric: str, place: int, matrix: np.ndarray) -> tuple[float, Interval | None]:
    """Recall, precision or F1 of one class against all others, with its interval."""
    right = int(matrix[place, place])
    missed, wrong = int(matrix[place].sum()) - right, int(matrix[:, place].sum()) - right
    if metric == "f1":
        total = 2 * right + missed + wrong
        return 2 * right / total if total else 0.0, intervals.f1(right, wrong, missed)
    total = right + (missed if metric == "recall" else wrong)
    return right / total if total else 0.0, intervals.proportion(right, total)


def _of_two_classes(metric: str, answers: Answers) -> Interval | None:
    (true_negative, false_positive), (false_negative, true_positive) = answers.matrix.tolist()
    positives, negatives = true_positive + false_negative, true_negative + false_positive
    shares = {
        "recall": (true_positive, positives),
        "true_positive_rate": (true_positive, positives),
        "precision": (true_positive, true_positive + false_positive),
        "true_negative_rate": (true_negative, negatives),
        "false_positive_rate": (false_positive, negatives),
        "false_negative_rate": (false_negative, positives),
    }
    if metric in shares:
        found = intervals.proportion(*shares[metric])
        if found is None or METRICS[metric].higher_is_better:
            return found
        successes, trials = shares[metric]
        opposite = intervals.proportion(trials - successes, trials)
        assert opposite is not None
        return Interval(found.low, found.high, 1 - opposite.bound)
    errors = false_positive + false_negative
    if metric == "f1" or not true_positive or not errors:  # without either, draws are all alike
        return intervals.f_beta(F_SCORES[metric], true_positive, false_positive, false_negative)
    return answers.resampled.get(metric)
