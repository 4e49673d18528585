"""The hyperparameters of the built-in XGBoost: which there are, of what type, in what range.

Names, types and ranges are those of "XGBoost Hyperparameters" in the SageMaker developer guide, and, where it
is silent, of github.com/aws/sagemaker-xgboost-container. What XGBoost checks itself is left to it.
"""

from __future__ import annotations

import ast
import difflib
import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from .xgboost_metrics import TO_MAXIMIZE, TO_MINIMIZE

Parser = Callable[[str], Any]
"""From a hyperparameter's text to its value; a ValueError's text says what it has to be."""

_LAST_WITH_SILENT = (1, 1)
_NOT_HERE = ("_kfold", "_num_cv_round")
_ALIASES = {
    "learning_rate": "eta",
    "min_split_loss": "gamma",
    "reg_lambda": "lambda",
    "reg_alpha": "alpha",
}
_WITH_THRESHOLD = ("error", "ndcg", "map")


class InputError(Exception):
    """A mistake in the hyperparameters or the data; its text says what, and what to do."""


def parsed(given: Mapping[str, str], version: tuple[int, int]) -> dict[str, Any]:
    """The values of a job's hyperparameters, under XGBoost's own names.

    Args:
        given: as ``hyperparameters.json`` holds them.
        version: of the image; those before 1.2 have one hyperparameter more.

    Raises:
        InputError: one is missing, unknown, of another type, out of range, or does not go with another one.
    """
    texts = {
        _ALIASES.get(name, name): _text(value)
        for name, value in given.items()
        if not name.startswith("sagemaker_")
    }
    table = {**_TABLE, **({"silent": _integer(0, 1)} if version <= _LAST_WITH_SILENT else {})}
    if "num_round" not in texts:
        raise InputError("Missing required hyperparameter: num_round")
    values = {}
    for name, text in texts.items():
        if name in _NOT_HERE:
            raise InputError(f"Hyperparameter {name}: cross-validation is not implemented here")
        if name not in table:
            near = difflib.get_close_matches(name, table, 1)
            hint = f". Did you mean {near[0]}?" if near else ""
            raise InputError(f"Extraneous hyperparameter found: {name} (its value: {text!r}){hint}")
        try:
            values[name] = table[name](text)
        except ValueError as problem:
            raise InputError(f"Hyperparameter {name}: {text!r} is not {problem}") from problem
    _check_together(values)
    return values


def _text(value: str) -> str:
    """The SDK writes some texts as JSON, with quotes."""
    try:
        decoded = json.loads(value)
    except ValueError:
        return value
    return decoded if isinstance(decoded, str) else value


def _check_together(values: Mapping[str, Any]) -> None:
    """What one hyperparameter asks of another."""
    objective = values.get("objective", "")
    if objective.startswith("multi:") and "num_class" not in values:
        raise InputError(f"Hyperparameter objective: {objective!r} needs the hyperparameter num_class")
    if "num_class" in values and not objective:
        raise InputError(
            f"Hyperparameter num_class: {values['num_class']} needs an objective of many classes"
        )
    metrics = values.get("eval_metric", [])
    if "auc" in metrics and not objective.startswith(("binary:", "rank:")):
        raise InputError("Hyperparameter eval_metric: 'auc' needs an objective binary:... or rank:...")
    if "aft-nloglik" in metrics and objective != "survival:aft":
        raise InputError("Hyperparameter eval_metric: 'aft-nloglik' needs the objective survival:aft")
    for name, methods in (
        ("monotone_constraints", ("exact", "hist")),
        ("interaction_constraints", ("exact", "hist", "approx")),
    ):
        if name in values and values.get("tree_method") not in methods:
            raise InputError(
                f"Hyperparameter {name}: {values[name]} needs the tree_method {' or '.join(methods)}"
            )


def _integer(least: int, most: float = math.inf) -> Parser:
    wanted = f"a whole number of at least {least}" + (f" and at most {most}" if most < math.inf else "")

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise ValueError(wanted) from None
        if not least <= value <= most:
            raise ValueError(wanted)
        return value

    return parse


def _number(least: float = 0, most: float = math.inf, *, above: bool = False, below: bool = False) -> Parser:
    """``above`` and ``below``: the bound itself is not in the range."""
    wanted = f"a number {'above' if above else 'of at least'} {least:g}"
    if most < math.inf:
        wanted += f" and {'below' if below else 'at most'} {most:g}"

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise ValueError(wanted) from None
        if not least <= value <= most or (above and value == least) or (below and value == most):
            raise ValueError(wanted)
        return value

    return parse


def _one_of(*choices: str) -> Parser:
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"one of {', '.join(choices)}")
        return text

    return parse


def _updaters(text: str) -> str:
    for name in text.split(","):
        try:
            _UPDATER(name)
        except ValueError as problem:
            raise ValueError(f"a list with commas between them, of {problem}") from None
    return text


def _metrics(text: str) -> list[str]:
    return [_metric(name.strip()) for name in text.split(",")]


def _metric(text: str) -> str:
    name, at, threshold = text.partition("@")
    if at:
        try:
            float(threshold.removesuffix("-"))
        except ValueError:
            raise ValueError(f"a list of metrics: {threshold!r} in {text!r} is no number") from None
        if name not in _WITH_THRESHOLD:
            raise ValueError(f"a list of metrics: only {', '.join(_WITH_THRESHOLD)} take an @")
    elif name not in TO_MAXIMIZE | TO_MINIMIZE:
        raise ValueError(
            f"a list, with commas between them, of {', '.join(sorted(TO_MAXIMIZE | TO_MINIMIZE))}"
        )
    return text


def _objective_metric(text: str) -> str:
    """``validation:rmse``, as a tuning job writes it; the metric's own name."""
    channel, _, name = text.partition(":")
    if channel != "validation":
        raise ValueError("validation: and the name of a metric")
    return _metric(name)


def _monotone(text: str) -> str:
    value = _literal(text)
    numbers = value if isinstance(value, (tuple, list)) else (value,)
    if any(number not in (-1, 0, 1) for number in numbers):
        raise ValueError("a tuple of -1, 0 and 1")
    return f"({','.join(map(str, numbers))})"


def _interactions(text: str) -> str:
    value = _literal(text)
    if not isinstance(value, list) or not all(isinstance(group, list) for group in value):
        raise ValueError("a list of lists of columns' numbers")
    return json.dumps(value)


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        raise ValueError("a tuple or list of numbers") from None


_UPDATER = _one_of(
    *("grow_colmaker", "distcol", "grow_histmaker", "grow_skmaker", "grow_quantile_histmaker"),
    *("sync", "refresh", "prune", "shotgun", "coord_descent"),
)
_BOOLEAN = _one_of("true", "false")
_TABLE: Mapping[str, Parser] = {
    "num_round": _integer(1),
    "csv_weights": _integer(0, 1),
    "early_stopping_rounds": _integer(1),
    "booster": _one_of("gbtree", "gblinear", "dart"),
    "verbosity": _integer(0, 3),
    "nthread": _integer(1),
    "eta": _number(0, 1),
    "gamma": _number(),
    "max_depth": _integer(0),
    "min_child_weight": _number(),
    "max_delta_step": _number(),
    "subsample": _number(0, 1, above=True),
    "colsample_bytree": _number(0, 1, above=True),
    "colsample_bylevel": _number(0, 1, above=True),
    "colsample_bynode": _number(0, 1, above=True),
    "lambda": _number(),
    "alpha": _number(),
    "tree_method": _one_of("auto", "exact", "approx", "hist", "gpu_hist"),
    "sketch_eps": _number(0, 1, above=True, below=True),
    "scale_pos_weight": _number(above=True),
    "updater": _updaters,
    "dsplit": _one_of("row", "col"),
    "refresh_leaf": _integer(0, 1),
    "process_type": _one_of("default", "update"),
    "grow_policy": _one_of("depthwise", "lossguide"),
    "max_leaves": _integer(0),
    "max_bin": _integer(0),
    "predictor": _one_of("auto", "cpu_predictor", "gpu_predictor"),
    "monotone_constraints": _monotone,
    "interaction_constraints": _interactions,
    "sample_type": _one_of("uniform", "weighted"),
    "normalize_type": _one_of("tree", "forest"),
    "rate_drop": _number(0, 1),
    "one_drop": _integer(0, 1),
    "skip_drop": _number(0, 1),
    "lambda_bias": _number(0, 1),
    "tweedie_variance_power": _number(1, 2, above=True, below=True),
    "objective": _one_of(
        *("binary:logistic", "binary:logitraw", "binary:hinge", "count:poisson"),
        *("multi:softmax", "multi:softprob", "rank:pairwise", "rank:ndcg", "rank:map"),
        *("reg:linear", "reg:squarederror", "reg:logistic", "reg:gamma", "reg:pseudohubererror"),
        *("reg:squaredlogerror", "reg:absoluteerror", "reg:tweedie", "survival:aft", "survival:cox"),
    ),
    "num_class": _integer(2),
    "base_score": _number(),
    "_tuning_objective_metric": _objective_metric,
    "eval_metric": _metrics,
    "seed": _integer(-(2**31) + 1, 2**31 - 2),
    "num_parallel_tree": _integer(1),
    "save_model_on_termination": _BOOLEAN,
    "aft_loss_distribution": _one_of("normal", "logistic", "extreme"),
    "aft_loss_distribution_scale": _number(),
    "deterministic_histogram": _BOOLEAN,
    "sampling_method": _one_of("uniform", "gradient_based"),
    "use_dask_gpu_training": _one_of("false"),
}
