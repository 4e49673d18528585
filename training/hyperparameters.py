"""The training job's hyperparameters: texts from ``hyperparameters.json`` in, checked values out.

SageMaker gives every hyperparameter as text. All of them are in one table, :data:`PARAMETERS`, because
XGBoost itself ignores a misspelt name: a further one is one more line there. It goes to XGBoost by its name,
unless :class:`Hyperparameters` has a field for it: then the program itself uses it.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any


class InputError(Exception):
    """Something about the job's input: what, where, and what to do, as one line."""


@dataclass(frozen=True)
class Hyperparameters:
    """``booster`` holds what goes to XGBoost, by XGBoost's names; the program itself uses the other fields.
    0 early stopping rounds means none; ``tuning_metric`` is None outside of a tuning job."""

    num_round: int
    early_stopping_rounds: int
    class_weights: str
    device: str
    external_memory: str
    booster: Mapping[str, Any]
    tuning_metric: str | None = None


TUNING_METRICS: dict[str, dict[str, bool]] = {
    "binary": {"logloss": False, "error": False, "auc": True, "aucpr": True},
    "multiclass": {"mlogloss": False, "merror": False, "auc": True},
    "regression": {"rmse": False, "mae": False, "mape": False},
}
"""Task -> XGBoost's metrics by which a tuning job can compare models, and whether the greater is the better.

The first of each is the loss that stops a training, and the default."""

ONLY_ON_THE_PROCESSOR = (
    "external_memory = always is for the processor: what a GPU trains on is in its own memory",
    "Set device = cpu, or external_memory = auto",
)
"""What is wrong where a GPU is asked for, or found, and what to do."""


_SMALLEST, _GREATEST = 1.2e-38, 3.4e38
"""Of the numbers that XGBoost takes, which have 32 bits."""


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
        if self.type is float and value and not _SMALLEST <= abs(value) <= _GREATEST:
            size = "near to 0" if abs(value) < 1 else "far from 0"
            raise ValueError(f"it is too {size} for XGBoost, whose numbers have 32 bits")
        return value

    def __str__(self) -> str:
        limits = [
            f"{word} {limit:.10g}"
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


@dataclass(frozen=True)
class _Parameter:
    """How the text of a hyperparameter becomes a value, and its default; None leaves it to XGBoost."""

    check: Callable[[str], Any]
    default: str | None = None

    @property
    def number(self) -> type[int] | type[float] | None:
        """The type of its numbers; None where it is a word."""
        return self.check.type if isinstance(self.check, _Range) else None


_FRACTION = _Range(float, above=0, at_most=1)
_NOT_NEGATIVE = _Range(float, at_least=0, below=math.inf)
_LARGEST = 2**31 - 1  # XGBoost's whole numbers have 32 bits
_COUNT = _Range(int, at_least=1, at_most=_LARGEST)
PARAMETERS: dict[str, _Parameter] = {
    "max_depth": _Parameter(_Range(int, at_least=1, at_most=64), "6"),
    "eta": _Parameter(_FRACTION, "0.3"),
    "num_round": _Parameter(_COUNT, "100"),
    "subsample": _Parameter(_FRACTION, "1"),
    "min_child_weight": _Parameter(_NOT_NEGATIVE, "1"),
    "early_stopping_rounds": _Parameter(_Range(int, at_least=0, at_most=_LARGEST), "10"),
    "seed": _Parameter(_Range(int, at_least=0, at_most=_LARGEST), "0"),
    "class_weights": _Parameter(_one_of("none", "balanced"), "none"),
    "device": _Parameter(_one_of("auto", "cpu", "cuda"), "auto"),
    "external_memory": _Parameter(_one_of("auto", "always", "never"), "auto"),
    "alpha": _Parameter(_NOT_NEGATIVE),
    "base_score": _Parameter(_Range(float, above=-math.inf, below=math.inf)),
    "colsample_bylevel": _Parameter(_FRACTION),
    "colsample_bynode": _Parameter(_FRACTION),
    "colsample_bytree": _Parameter(_FRACTION),
    "gamma": _Parameter(_NOT_NEGATIVE),
    "grow_policy": _Parameter(_one_of("depthwise", "lossguide")),
    "lambda": _Parameter(_NOT_NEGATIVE),
    "max_bin": _Parameter(_Range(int, at_least=2, at_most=_LARGEST)),
    "max_cat_threshold": _Parameter(_COUNT),
    "max_cat_to_onehot": _Parameter(_COUNT),
    "max_delta_step": _Parameter(_NOT_NEGATIVE),
    "max_leaves": _Parameter(_Range(int, at_least=0, at_most=_LARGEST)),
    "num_parallel_tree": _Parameter(_COUNT),
    "scale_pos_weight": _Parameter(_Range(float, above=0, below=math.inf)),
    "tuning_metric": _Parameter(_one_of(*{name: None for of in TUNING_METRICS.values() for name in of})),
}


def parse(texts: Mapping[str, Any]) -> Hyperparameters:
    """Check every hyperparameter and fill in the defaults.

    Names that begin with ``sagemaker_`` are SageMaker's own and are ignored, as is the one by which a tuning
    job says what it looks for. A value in double quotes is taken without them, because some clients write
    every value as JSON.

    Raises:
        InputError: a name is unknown, or a value is of the wrong type or out of range.
    """
    values: dict[str, Any] = {
        name: parameter.check(parameter.default)
        for name, parameter in PARAMETERS.items()
        if parameter.default is not None
    }
    for name, given in texts.items():
        if name.startswith("sagemaker_") or name == "_tuning_objective_metric":
            continue
        if name not in PARAMETERS:
            near = difflib.get_close_matches(name, PARAMETERS, n=1)
            remedy = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(sorted(PARAMETERS))}"
            raise InputError(f"hyperparameters: there is no hyperparameter {name!r}. {remedy}")
        text = given if isinstance(given, str) else json.dumps(given)
        if len(text) > 1 and text[0] == text[-1] == '"':
            text = text[1:-1]
        try:
            values[name] = PARAMETERS[name].check(text.strip())
        except ValueError as error:
            raise InputError(f"hyperparameters: {name} is {text!r}; {error}. Correct it") from None
    own = {entry.name: values.pop(entry.name) for entry in fields(Hyperparameters) if entry.name in values}
    return Hyperparameters(**own, booster=values)


def unfit(given: Hyperparameters, task: str) -> Iterator[tuple[str, str, str]]:
    """What does not go with the task, or with another one: its name, what is wrong, and what to do."""
    if task == "regression" and given.class_weights != "none":
        yield "class_weights", "class_weights is for classes, which a regression has not", "Take it out"
    if task != "binary" and "scale_pos_weight" in given.booster:
        instead = "Take it out" if task == "regression" else "Use class_weights = balanced instead"
        yield "scale_pos_weight", "scale_pos_weight is for binary tasks", instead
    if given.tuning_metric not in (None, *TUNING_METRICS[task]):
        what = f"a {task} task has no tuning_metric {given.tuning_metric}"
        yield "tuning_metric", what, f"Use one of: {', '.join(TUNING_METRICS[task])}"
    base_score = given.booster.get("base_score")
    if task != "regression" and base_score is not None and not 0 < base_score < 1:
        what = f"base_score is {base_score}; of classes it is a probability, above 0 and below 1"
        yield "base_score", what, "Correct it"
    if given.device == "cuda" and given.external_memory == "always":
        yield "external_memory", *ONLY_ON_THE_PROCESSOR
