"""The metrics of the built-in XGBoost: their names, and how they are found in a job's log.

The names are those that github.com/aws/sagemaker-xgboost-container takes as ``eval_metric``. The training
program checks against them; the local SageMaker makes a training job's metric definitions of them.
"""

from __future__ import annotations

TO_MAXIMIZE = frozenset(
    {
        *("accuracy", "auc", "aucpr", "balanced_accuracy", "f1", "f1_binary", "f1_macro", "map", "ndcg"),
        *("precision", "precision_macro", "precision_micro", "r2"),
        *("recall", "recall_macro", "recall_micro"),
    }
)
TO_MINIMIZE = frozenset(
    {
        *("aft-nloglik", "cox-nloglik", "error", "gamma-deviance", "gamma-nloglik"),
        *("interval-regression-accuracy", "logloss", "mae", "mape", "merror", "mlogloss", "mphe", "mse"),
        *("poisson-nloglik", "rmse", "rmsle", "tweedie-nloglik"),
    }
)


def definitions() -> list[dict[str, str]]:
    """``MetricDefinitions`` of a training job: every metric of both channels, by name.

    XGBoost writes a line for each round, ``[0]<tab>train-rmse:9.5<tab>validation-rmse:9.6``.
    """
    return [
        {"Name": f"{channel}:{metric}", "Regex": rf"\[[0-9]+\].*\b{channel}-{metric}:(\S+)"}
        for channel in ("train", "validation")
        for metric in sorted(TO_MAXIMIZE | TO_MINIMIZE)
    ]
