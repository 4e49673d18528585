"""What a plan says of the step cache is what the next start then does, in every case tried here."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.executions import lifecycle as executions
from pipelines.executions import watching
from pipelines.upsert.step_cache import StepForecast, forecast_steps

NAME = "bank-churn"
CACHE = {"Enabled": True, "ExpireAfter": "P30D"}
WRITES = "touch /opt/ml/processing/output/evaluation/done"


def pipeline(
    local: Any, *, first: str = WRITES, second: str = WRITES, mark: str = "0.5", cache: Any = None
) -> str:
    """Upsert two jobs, the second of which reads the first one's output; the definition."""
    prepare = local.processing_step("Prepare", first, CacheConfig=cache or CACHE)
    prepare["Arguments"]["Environment"] = {
        "MARK": {"Std:Join": {"On": "", "Values": [{"Get": "Parameters.AccuracyThreshold"}]}},
        "FIXED": mark,
    }
    score = local.processing_step("Score", second, CacheConfig=cache or CACHE)
    score["Arguments"]["ProcessingInputs"] = [
        {
            "InputName": "prepared",
            "S3Input": {
                "S3Uri": {"Get": "Steps.Prepare.ProcessingOutputConfig.Outputs['evaluation'].S3Output.S3Uri"},
                "LocalPath": "/opt/ml/processing/input/prepared",
                "S3DataType": "S3Prefix",
                "S3InputMode": "File",
            },
        }
    ]
    local.upsert([prepare, score])
    described = local.client("sagemaker").describe_pipeline(PipelineName=NAME)
    return str(described["PipelineDefinition"])


def run(local: Any, **parameters: str) -> dict[str, str | None]:
    """Start the pipeline and follow it; where each step that succeeded came from."""
    arn = executions.start(local.target, NAME, parameters)
    *_, last = watching.follow(local.target, arn)
    return {step.name: step.cached_from for step in last.steps if step.status == "Succeeded"}


def forecasts(local: Any, definition: str) -> dict[str, StepForecast]:
    return {forecast.step: forecast for forecast in forecast_steps(definition, NAME, local.target)}


def newest(local: Any) -> str:
    return executions.find(local.target, NAME)


def test_everything_runs_the_first_time(local: Any) -> None:
    said = forecasts(local, pipeline(local))
    assert said["Prepare"] == StepForecast("Prepare", None, "it has not run yet")
    assert said["Score"] == StepForecast("Score", None, "after Prepare")
    assert run(local) == {"Prepare": None, "Score": None}


@pytest.mark.parametrize(
    ("change", "reasons"),
    [
        ({}, {"Prepare": "", "Score": ""}),
        (
            {"second": "true"},
            {"Prepare": "", "Score": f"AppSpecification.ContainerArguments[0] {WRITES} -> true"},
        ),
        ({"mark": "0.7"}, {"Prepare": "Environment.FIXED 0.5 -> 0.7", "Score": "after Prepare"}),
        (
            {"cache": {"Enabled": True, "ExpireAfter": "PT0M"}},
            {"Prepare": "its last result is older than PT0M", "Score": "after Prepare"},
        ),
    ],
    ids=["nothing changed", "the second script", "an environment variable", "it has expired"],
)
def test_what_is_said_is_what_happens(local: Any, change: dict[str, Any], reasons: dict[str, str]) -> None:
    pipeline(local)
    assert set(run(local)) == {"Prepare", "Score"}
    said = forecasts(local, pipeline(local, **change))
    assert {name: one.reason for name, one in said.items()} == reasons
    assert run(local) == {name: one.cached_from for name, one in said.items()}


def test_a_result_is_found_behind_executions_that_do_not_answer(local: Any) -> None:
    """The newest execution had another parameter, one failed, and one was itself served by the cache."""
    pipeline(local)
    run(local)
    first = newest(local)
    run(local)  # all from the cache: its results are the first one's
    run(local, AccuracyThreshold="0.75")
    broken = pipeline(local, first="exit 3")
    assert run(local) == {}
    assert forecasts(local, broken)["Prepare"].reason == (
        f"AppSpecification.ContainerArguments[0] {WRITES} -> exit 3; Environment.MARK 0.75 -> 0.6"
    )
    said = forecasts(local, pipeline(local))
    assert {one.cached_from for one in said.values()} == {first}
    assert run(local) == {"Prepare": first, "Score": first}


def test_a_parameter_spelled_otherwise_is_the_same_number(local: Any) -> None:
    definition = pipeline(local)
    run(local, AccuracyThreshold="0.60")
    said = forecasts(local, definition)
    assert run(local) == {name: one.cached_from for name, one in said.items()}


def test_a_step_whose_inputs_are_of_another_execution_runs(local: Any) -> None:
    """Score succeeded on the second Prepare only; the cache answers with the newest, which is a third."""
    pipeline(local, mark="0.7")
    run(local)
    pipeline(local, second="exit 1")
    run(local)  # a new Prepare, and Score fails on it
    said = forecasts(local, pipeline(local))
    assert said["Prepare"].cached_from == newest(local)
    assert said["Score"].cached_from is None
    assert run(local) == {name: one.cached_from for name, one in said.items()}


def test_planning_starts_and_writes_nothing(local: Any) -> None:
    definition = pipeline(local)
    run(local)
    before = local.client("sagemaker").list_pipeline_executions(PipelineName=NAME)
    forecast_steps(definition, NAME, local.target)
    after = local.client("sagemaker").list_pipeline_executions(PipelineName=NAME)
    assert before["PipelineExecutionSummaries"] == after["PipelineExecutionSummaries"]
