"""The tuning step, in the place of the training step where a project has a ``tuning`` table.

It tries values of hyperparameters, and what follows goes on with the model of the best ones. Its training
jobs are those of the training step in everything that a tuning job can be told (``sagemaker_sdk``). An entry
point is none of that, so the image's script mode starts ``training/trial.py`` from the same channel of code.
"""

from __future__ import annotations

from typing import Any

from pipelines.definition import sagemaker_sdk as sdk
from pipelines.settings.hyperparameters import as_text
from pipelines.settings.project import Project
from pipelines.settings.tuning import Tuning, is_whole, job_prefix

_CODE = "/opt/ml/input/data/code"
_SCALES = {"linear": "Linear", "log": "Logarithmic"}


def tuning_step(project: Project, bucket: str, training: sdk.ProgramTrainingStep) -> sdk.ProgramTuningStep:
    """The step that tunes what the training step trains; the project has a ``tuning`` table."""
    tuning = project.tuning
    assert tuning is not None
    metric = tuning.metric_of(project.task)
    hours = tuning.max_runtime_hours
    return sdk.ProgramTuningStep(
        name="TuneModel",
        job_prefix=job_prefix(project.name),
        display_name="Tune model",
        description="Trains XGBoost with several values of its hyperparameters, and goes on with the model"
        " that is best on the validation part",
        training=training,
        ranges={name: _range(tuning, name) for name in tuning.ranges},
        settings={
            "tuning_metric": metric,
            "sagemaker_program": "trial.py",
            "sagemaker_submit_directory": _CODE,
        },
        metrics=[{"Name": objective(metric), "Regex": f"best-{metric}:([0-9.eE+-]+)"}],
        seed=tuning.seed,
        bucket=bucket,
        prefix=f"{project.name}/executions/tuning",
        tuning={
            "objective_metric_name": objective(metric),
            "objective_type": "Maximize" if tuning.greater_is_better(project.task) else "Minimize",
            "strategy": tuning.strategy.capitalize(),
            "max_jobs": tuning.most_jobs,
            "max_parallel_jobs": tuning.parallel,
            "max_runtime_in_seconds": hours and hours * 3600,
            "early_stopping_type": "Auto" if tuning.stop_early else "Off",
        },
        cache_config=training.cache_config,
        retry_policies=training.retry_policies,
    )


def objective(metric: str) -> str:
    """SageMaker's name of what models are compared by: the last value is that of the trees that are kept."""
    return f"best:{metric}"


def _range(tuning: Tuning, name: str) -> Any:
    values, given = tuning.choices(name), tuning.ranges[name]
    if values:
        return sdk.CategoricalParameter([as_text(value) for value in values])
    kind = sdk.IntegerParameter if is_whole(name) else sdk.ContinuousParameter
    return kind(given.low, given.high, _SCALES[given.scale])
