"""On what XGBoost trains: the processor, or a GPU.

XGBoost that is told to use a GPU and finds none trains on the processor and only warns of it: an expensive
instance, or hours in place of minutes, by a mistake that nobody sees. So it is asked first what it finds.
"""

from __future__ import annotations

import json
import re
import warnings

import numpy as np
import xgboost as xgb
from hyperparameters import InputError


def device(asked: str, instance_type: str) -> tuple[str, str]:
    """XGBoost's ``device``, and a line for the log; empty where there is nothing to say.

    Args:
        asked: the hyperparameter: auto, cpu or cuda.
        instance_type: such as ``ml.g5.xlarge``; empty if it is not known.

    Raises:
        InputError: cuda is asked for and XGBoost finds no GPU.
    """
    has_gpu = re.match(r"ml\.[gp]\d", instance_type) is not None
    if asked == "cpu" or (asked == "auto" and not has_gpu):
        return "cpu", ""
    if _gpu_is_found():
        return "cuda", f"device: cuda ({instance_type})"
    if asked == "auto":
        return (
            "cpu",
            f"device: cpu, because XGBoost finds no GPU here, although this is to be {instance_type}",
        )
    raise InputError(
        f"hyperparameters: device is 'cuda', but XGBoost finds no GPU on {instance_type or 'this machine'}."
        " Choose an instance type that has one (ml.g..., ml.p...), or device = 'auto'"
    )


def _gpu_is_found() -> bool:
    """XGBoost's own answer: without a GPU it takes the processor in its place."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = xgb.DMatrix(np.zeros((2, 1)), [0.0, 1.0])
        booster = xgb.train({"device": "cuda", "verbosity": 0}, rows, num_boost_round=1)
    config = json.loads(booster.save_config())
    taken: str = config["learner"]["generic_param"]["device"]
    return taken.startswith("cuda")
