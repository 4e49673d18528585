"""The rounds of a training: each prints its metrics, may stop the training, and may leave a checkpoint.

Not ``xgboost.train``: a training that goes on from a checkpoint has to end with the same model, byte for
byte, as one that was not interrupted. So what a round draws must not depend on the rounds before it.
``seed_per_iteration`` starts XGBoost's generator anew in each round, from the seed and the round's number,
which ``xgboost.train`` would count from 0 again. The columns' sampler has a generator of its own, seeded at
its first use, which lives as long as the algorithm that grows trees: changing ``tree_method`` to and fro
makes a new one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import xgboost as xgb
from checkpoints import Checkpoints, Found
from hyperparameters import InputError

_DRAWS = ("subsample", "colsample_bytree", "colsample_bylevel", "colsample_bynode")


@dataclass(frozen=True)
class Boosted:
    """The trees up to the best round, that round (from 0), and the validation part's metric there."""

    booster: xgb.Booster
    best_round: int
    best: float


def boost(
    parameters: Mapping[str, Any],
    parts: Mapping[str, xgb.DMatrix],
    rounds: int,
    *,
    loss: str,
    compared: str | None,
    early_stopping_rounds: int,
    found: Found | None,
    checkpoints: Checkpoints | None,
    prints: bool,
) -> Boosted:
    """Train, the metrics of every round printed in XGBoost's own form.

    Args:
        parameters: XGBoost's, without ``eval_metric``.
        parts: the matrices that are evaluated; trained on is the first, and the last one stops the training.
        loss: the metric, which is to become small, that stops the training.
        compared: the metric by which a tuning job compares models: each round's line then ends with its value
            for the trees that would be kept if the training ended there; None outside of one.
        early_stopping_rounds: how many rounds without a better metric are enough; 0: never stop.
        found: the checkpoint to go on from.
        checkpoints: where to keep the state; None on all hosts but the first.
        prints: whether this host prints the metrics.

    Raises:
        InputError: the metric that models are compared by is no number on these rows.
    """
    metrics = list(dict.fromkeys([loss, compared or loss]))
    parameters = {**parameters, "eval_metric": metrics, "seed_per_iteration": True}
    evaluated = [(matrix, name) for name, matrix in parts.items()]
    matrix, last = evaluated[0][0], evaluated[-1][1]
    model = bytearray(found.model) if found else None
    booster = xgb.Booster(parameters, list(parts.values()), model_file=model)
    # XGBoost does not take them from a matrix without rows, and the first host's are the model's.
    booster.feature_names, booster.feature_types = matrix.feature_names, matrix.feature_types
    names = [f"{name}-{metric}" for name in parts for metric in metrics]  # as XGBoost orders them
    history = {name: list(found.history[name]) if found else [] for name in names}
    scores = history[f"{last}-{loss}"]

    def say(number: int) -> None:
        if not prints:
            return
        values = [f"{name}:{values[number]:.5f}" for name, values in history.items()]
        if compared is not None:
            kept = _lowest(scores[: number + 1]) if early_stopping_rounds else number
            values.append(f"best-{compared}:{history[f'{last}-{compared}'][kept]:.8g}")
        print("\t".join([f"[{number}]", *values]), flush=True)

    for number in range(len(scores)):  # so that the job's log holds all rounds
        say(number)
    best_round = _lowest(scores)
    draws = any(parameters.get(name, 1) < 1 for name in _DRAWS)
    for number in range(len(scores), rounds):
        if draws:
            _forget_draws(booster)
        booster.update(matrix, number)
        for name, value in zip(names, _values(booster.eval_set(evaluated, number)), strict=True):
            history[name].append(value)
        say(number)
        if compared is not None:
            _check_comparable(compared, history[f"{last}-{compared}"][number])
        if scores[number] < scores[best_round]:
            best_round = number
        if early_stopping_rounds and number - best_round >= early_stopping_rounds:
            break
        if checkpoints is not None:
            checkpoints.offer(booster, history)
    if not early_stopping_rounds:
        best_round = len(scores) - 1
    return Boosted(booster[: best_round + 1], best_round, scores[best_round])


def _lowest(scores: Sequence[float]) -> int:
    """The first round with the smallest metric; one that is not a number is not smaller than any."""
    return min(range(len(scores)), key=scores.__getitem__, default=0)


def _check_comparable(metric: str, value: float) -> None:
    """Raises InputError where models cannot be compared, before they are trained to the end."""
    if math.isfinite(value):
        return
    one_class = ", as where all rows of each instance are of one class"
    reason = {"mape": ", as where the target of a row is 0", "auc": one_class, "aucpr": one_class}
    raise InputError(
        f"models cannot be compared by {metric}: it is {value} on the validation part"
        f"{reason.get(metric, '')}. Choose another metric for the tuning"
    )


def _forget_draws(booster: xgb.Booster) -> None:
    """Make XGBoost set up its tree grower anew in the next round, and with it the columns' sampler."""
    booster.set_param({"tree_method": "approx"})
    booster.num_boosted_rounds()  # applies the parameter
    booster.set_param({"tree_method": "hist"})


def _values(line: str) -> Sequence[float]:
    """The numbers of ``[7]<tab>train-rmse:1.5<tab>validation-rmse:2.5``."""
    return [float(word.rpartition(":")[2]) for word in line.split("\t")[1:]]
