"""The training job's hyperparameters: texts from ``hyperparameters.json`` in, checked values out.

SageMaker hands every hyperparameter over as text. Those of the job itself have defaults; further ones are
passed on to XGBoost, but only if they are in :data:`_TREE_PARAMETERS`: XGBoost itself ignores a misspelt
name.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


class InputError(Exception):
    """Something about the job's input: what, where, and what to do, as one line."""


@dataclass(frozen=True)
class Hyperparameters:
    """``booster`` holds what goes to XGBoost by XGBoost's names; 0 early stopping rounds means none."""

    num_round: int
    early_stopping_rounds: int
    class_weights: str
    booster: Mapping[str, Any]


@dataclass(frozen=True)
class _Range:
    """Which values a number may have: ``above`` and ``below`` are not themselves allowed."""

    type: type[int] | type[float]
    at_least: float = -math.inf
    at_most: float = math.inf
    above: float = -math.inf
    below: float = math.inf

    def __call__(self, text: str) -> int | float:
        try:
            value = self.type(text)
        except ValueError:
            raise ValueError(f"it must be {self}") from None
        if not (self.at_least <= value <= self.at_most and self.above < value < self.below):
            raise ValueError(f"it must be {self}")
        return value

    def __str__(self) -> str:
        limits = [
            f"{word} {limit:g}"
            for word, limit in (
                ("at least", self.at_least),
                ("above", self.above),
                ("at most", self.at_most),
                ("below", self.below),
            )
            if math.isfinite(limit)
        ]
        name = "a whole number" if self.type is int else "a number"
        return " ".join([name, " and ".join(limits)]).strip()


def _one_of(*names: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if text not in names:
            raise ValueError(f"it must be {' or '.join(names)}")
        return text

    return check


_JOB: dict[str, tuple[Callable[[str], Any], str]] = {
    "max_depth": (_Range(int, at_least=1, at_most=64), "6"),
    "eta": (_Range(float, above=0, at_most=1), "0.3"),
    "num_round": (_Range(int, at_least=1), "100"),
    "subsample": (_Range(float, above=0, at_most=1), "1"),
    "min_child_weight": (_Range(float, at_least=0, below=math.inf), "1"),
    "early_stopping_rounds": (_Range(int, at_least=0), "10"),
    "seed": (_Range(int, at_least=0, at_most=2**31 - 1), "0"),
    "class_weights": (_one_of("none", "balanced"), "none"),
}
_SHARE = _Range(float, above=0, at_most=1)
_NOT_NEGATIVE = _Range(float, at_least=0, below=math.inf)
_COUNT = _Range(int, at_least=1)
_TREE_PARAMETERS: dict[str, Callable[[str], Any]] = {
    "alpha": _NOT_NEGATIVE,
    "base_score": _Range(float, above=0, below=1),
    "colsample_bylevel": _SHARE,
    "colsample_bynode": _SHARE,
    "colsample_bytree": _SHARE,
    "gamma": _NOT_NEGATIVE,
    "grow_policy": _one_of("depthwise", "lossguide"),
    "lambda": _NOT_NEGATIVE,
    "max_bin": _Range(int, at_least=2),
    "max_cat_threshold": _COUNT,
    "max_cat_to_onehot": _COUNT,
    "max_delta_step": _NOT_NEGATIVE,
    "max_leaves": _Range(int, at_least=0),
    "num_parallel_tree": _COUNT,
    "scale_pos_weight": _Range(float, above=0, below=math.inf),
}


def parse(texts: Mapping[str, Any]) -> Hyperparameters:
    """Check every hyperparameter and fill in the defaults.

    Names that begin with ``sagemaker_`` are SageMaker's own and are passed over. A value in double quotes is
    taken without them, because some clients write every value as JSON.

    Raises:
        InputError: a name is unknown, or a value is of the wrong type or out of range.
    """
    known = {**{name: check for name, (check, _) in _JOB.items()}, **_TREE_PARAMETERS}
    values: dict[str, Any] = {name: check(default) for name, (check, default) in _JOB.items()}
    for name, given in texts.items():
        if name.startswith("sagemaker_"):
            continue
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            remedy = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(sorted(known))}"
            raise InputError(f"hyperparameters: there is no hyperparameter {name!r}. {remedy}")
        text = given if isinstance(given, str) else json.dumps(given)
        if len(text) > 1 and text[0] == text[-1] == '"':
            text = text[1:-1]
        try:
            values[name] = known[name](text.strip())
        except ValueError as error:
            raise InputError(f"hyperparameters: {name} is {text!r}; {error}. Correct it") from None
    own = ("num_round", "early_stopping_rounds", "class_weights")
    booster = {name: value for name, value in values.items() if name not in own}
    return Hyperparameters(
        values["num_round"], values["early_stopping_rounds"], values["class_weights"], booster
    )
