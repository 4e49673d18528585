"""A project with a tuning table: what the table may say, and what becomes of it in the definition."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aws_formats.definition_language import all_steps
from aws_formats.errors import GatehouseError
from pipelines.definition.compile import compile_pipeline
from pipelines.definition.limits import check_definition
from pipelines.definition.sources import Sources
from pipelines.executions.outline import read_outline
from pipelines.executions.overrides import check_overrides
from pipelines.settings.project import Project
from pipelines.settings.target import Target
from pipelines.settings.tuning import Tuning
from pipelines.upsert.changes import describe_changes
from training.hyperparameters import PARAMETERS

MakeProject = Callable[..., Project]
RANGES = """
max_depth = { low = 2, high = 8 }
eta = { low = 0.01, high = 0.3, scale = "log" }
lambda = { low = 0.5, high = 8 }
"""
WEIGHTS = 'class_weights = ["none", "balanced"]\n'


def table(keys: str, ranges: str = RANGES) -> tuple[str, str]:
    """What `make_project` puts before the training table."""
    heading = "[projects.rc.fraud-detection.training]"
    tuning = heading.replace("training", "tuning")
    return heading, f"{tuning}\n{keys}\n{tuning[:-1]}.ranges]\n{ranges}\n{heading}"


@pytest.fixture(scope="module")
def tuned(make_project: MakeProject, tmp_path_factory: pytest.TempPathFactory) -> Project:
    keys = 'jobs = 6\nparallel = 2\nmetric = "auc"'
    return make_project(tmp_path_factory.mktemp("tuned"), table(keys, RANGES + WEIGHTS))


@pytest.fixture(scope="module")
def document(tuned: Project, local: Target, sources: Sources) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(compile_pipeline(tuned, local, sources).definition)
    return found


def steps(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {step["Name"]: step for step in all_steps(document["Steps"])}


# --- the table ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "ranges", "where", "what"),
    [
        (
            "jobs = 2",
            "max_depth = { low = 8, high = 2 }",
            "ranges.max_depth]",
            "low = 8 is not below high = 2",
        ),
        ("jobs = 2", "eta = { low = 0.1, high = 0.1 }", "ranges.eta]", "low = 0.1 is not below high = 0.1"),
        (
            "jobs = 2",
            'lambda = { low = 0, high = 1, scale = "log" }',
            "ranges.lambda]",
            "begins above 0, not at 0",
        ),
        (
            "jobs = 2",
            "eta = { low = 0.1, high = 2 }",
            "ranges.eta]",
            "2 is no eta: it must be a number above 0",
        ),
        ("jobs = 2", "max_depth = { low = 1.5, high = 4 }", "ranges.max_depth]", "must be a whole number"),
        (
            "jobs = 2",
            "base_score = { low = 0.1, high = 5 }",
            "ranges.base_score]",
            "of classes it is a probability, above",
        ),
        ("jobs = 2", "max_bin = [64, 9999999999]", "ranges] max_bin", "at most 2147483647"),
        ("jobs = 2", "eta = { low = 0.1 }", "ranges.eta]", "the range has no high"),
        ("jobs = 2", "eta = { min = 0.1, high = 1 }", "ranges.eta] min", "unknown key"),
        ("jobs = 2", "max_depth = []", "ranges] max_depth", "the range is empty"),
        ("jobs = 2", "max_depth = [3]", "ranges] max_depth", "3 is its only value"),
        (
            "jobs = 2",
            'eta = { values = [0.1, 0.2], scale = "log" }',
            "ranges.eta]",
            "a list of values has no scale, and it says 'log'",
        ),
        ("jobs = 2", "max_depth = [3, 4, 3]", "ranges] max_depth", "it names 3 more than once"),
        ("jobs = 2", "lambda = [1, 2, 1.0]", "ranges] lambda", "1 and 1.0 are the same value"),
        ("jobs = 2", 'max_depth = [4, "3", "+3"]', "ranges] max_depth", "3 and +3 are the same value"),
        (
            "jobs = 2",
            "alpha = { low = 1e-300, high = 1 }",
            "ranges.alpha]",
            "1e-300 is no alpha: it is too near to 0",
        ),
        (
            "jobs = 2",
            "alpha = { low = 1, high = 1e300 }",
            "ranges.alpha]",
            "1e+300 is no alpha: it is too far",
        ),
        ("jobs = 2", "max_depth = 3", "ranges] max_depth", "3 is no range"),
        ("jobs = 2", "max_dept = [3, 4]", "ranges] max_dept", "Did you mean 'max_depth'?"),
        ("jobs = 2", "seed = [1, 2]", "ranges] seed", "the best of several seeds is luck"),
        (
            "jobs = 2",
            "class_weights = { low = 1, high = 2 }",
            "ranges.class_weights]",
            "Give a list of values",
        ),
        ("jobs = 2", 'class_weights = ["none", "all"]', "ranges] class_weights", "must be none or balanced"),
        ("jobs = 2\nparallel = 3", RANGES, "tuning] parallel", "3 trainings at once are more than the 2"),
        ("parallel = 3", RANGES, "tuning] jobs", "the strategy bayesian has no end of its own"),
        ('strategy = "grid"', RANGES, "ranges.eta]", "eta has no end of them between low and high"),
        (
            'strategy = "grid"\njobs = 3',
            "max_depth = [2, 4]",
            "tuning] jobs",
            "every combination, which are 2",
        ),
        ('strategy = "grid"', "num_round = { low = 1, high = 99 }", "ranges.num_round]", "and these are 99"),
        (
            'strategy = "grid"',
            'max_depth = { low = 2, high = 4, scale = "log" }',
            "ranges.max_depth]",
            "so the scale 'log' says nothing",
        ),
        (
            'strategy = "grid"\nparallel = 4',
            "max_depth = [2, 4]",
            "tuning] parallel",
            "more than the grid's 2",
        ),
        (
            'jobs = 2\nmetric = "rmse"',
            RANGES,
            "tuning] metric",
            "'rmse' is no metric that models of a binary",
        ),
        ("jobs = 2", RANGES + WEIGHTS, "ranges] class_weights", "weighs the validation part as well"),
        ("jobs = 2", "", "tuning.ranges]", "there is no range"),
        ("job = 2", RANGES, "tuning] job", "Did you mean 'jobs'?"),
    ],
)
def test_a_mistake_in_the_table_is_one_clear_line_at_its_place(
    tmp_path: Path, make_project: MakeProject, keys: str, ranges: str, where: str, what: str
) -> None:
    with pytest.raises(GatehouseError) as error:
        make_project(tmp_path, table(keys, ranges))
    said = str(error.value)
    assert where in said
    assert what in said
    assert "(2)" not in said
    assert "\n" not in said


def test_every_hyperparameter_of_the_settings_is_one_of_the_program(project: Project) -> None:
    of_the_job = {"extra", "spot", "max_wait_hours", "keep_alive_minutes"}
    assert {*type(project.training).model_fields} - of_the_job <= PARAMETERS.keys()
    assert Tuning.model_validate({"ranges": {}}).metric_of("regression") == "rmse"


@pytest.mark.parametrize("name", ["seed", "device", "external_memory"])
def test_what_says_nothing_of_the_model_has_no_range(
    tmp_path: Path, make_project: MakeProject, name: str
) -> None:
    with pytest.raises(GatehouseError, match=f"{name} is not tuned: "):
        make_project(tmp_path, table("jobs = 2", f'{name} = ["1", "2"]'))


def test_a_grid_tries_every_combination_of_values_and_whole_numbers(
    tmp_path: Path, make_project: MakeProject, local: Target, sources: Sources
) -> None:
    ranges = "max_depth = { low = 2, high = 4 }\nsubsample = [0.5, 1.0]"
    project = make_project(tmp_path, table('strategy = "grid"\nstop_early = true', ranges))
    config = steps(json.loads(compile_pipeline(project, local, sources).definition))["TuneModel"][
        "Arguments"
    ]["HyperParameterTuningJobConfig"]
    assert config["ParameterRanges"] == {
        "CategoricalParameterRanges": [
            {"Name": "max_depth", "Values": ["2", "3", "4"]},
            {"Name": "subsample", "Values": ["0.5", "1.0"]},
        ]
    }
    assert config["ResourceLimits"] == {"MaxNumberOfTrainingJobs": 6, "MaxParallelTrainingJobs": 1}
    assert config["TrainingJobEarlyStoppingType"] == "Auto"


# --- the definition -------------------------------------------------------------------------------


def test_a_tuning_step_stands_in_the_place_of_the_training_step(
    document: dict[str, Any], compiled: Any
) -> None:
    before = list(steps(json.loads(compiled.definition)))
    assert list(steps(document)) == [name.replace("TrainModel", "TuneModel") for name in before]
    config = steps(document)["TuneModel"]["Arguments"]["HyperParameterTuningJobConfig"]
    assert config["HyperParameterTuningJobObjective"] == {"Type": "Maximize", "MetricName": "best:auc"}
    assert config["Strategy"] == "Bayesian"
    assert config["RandomSeed"] == 0
    assert config["ParameterRanges"]["ContinuousParameterRanges"][0] == {
        "Name": "eta",
        "MinValue": "0.01",
        "MaxValue": "0.3",
        "ScalingType": "Logarithmic",
    }


def test_its_training_jobs_are_those_of_the_training_step(document: dict[str, Any], compiled: Any) -> None:
    tuning = steps(document)["TuneModel"]["Arguments"]["TrainingJobDefinition"]
    training = steps(json.loads(compiled.definition))["TrainModel"]["Arguments"]
    for name in ("InputDataConfig", "ResourceConfig", "RoleArn", "StoppingCondition", "Environment"):
        assert tuning[name] == training[name], name
    metrics = tuning["AlgorithmSpecification"]["MetricDefinitions"]
    assert metrics[:-1] == training["AlgorithmSpecification"]["MetricDefinitions"]
    assert metrics[-1] == {"Name": "best:auc", "Regex": "best-auc:([0-9.eE+-]+)"}
    static = tuning["StaticHyperParameters"]
    left_out = {"max_depth", "eta", "lambda", "class_weights"}
    kept = {name: value for name, value in training["HyperParameters"].items() if name not in left_out}
    own = {
        "tuning_metric": "auc",
        "sagemaker_program": "trial.py",
        "sagemaker_submit_directory": "/opt/ml/input/data/code",
    }
    assert static == kept | own


def test_all_that_follows_is_about_the_best_training_job(document: dict[str, Any]) -> None:
    found = steps(document)
    best = {"Get": "Steps.TuneModel.BestTrainingJob.TrainingJobName"}
    artifact = found["EvaluateModel"]["Arguments"]["ProcessingInputs"][0]["S3Input"]["S3Uri"]
    output = found["TuneModel"]["Arguments"]["TrainingJobDefinition"]["OutputDataConfig"]["S3OutputPath"]
    assert artifact == {"Std:Join": {"On": "/", "Values": [output, best, "output/model.tar.gz"]}}
    register = found["RegisterModel"]["Arguments"]
    assert register["InferenceSpecification"]["Containers"][0]["ModelDataUrl"] == artifact
    metadata = register["CustomerMetadataProperties"]
    values = "Steps.TuneModel.BestTrainingJob.TunedHyperParameters"
    words = metadata["hyperparameters"]["Std:Join"]["Values"]
    assert words[0] == "seed=0"
    for name in ("max_depth", "eta", "class_weights"):
        assert words[words.index(f" {name}=") + 1] == {"Get": f"{values}['{name}']"}
    assert metadata["hyperparameter.lambda"] == {"Get": f"{values}['lambda']"}
    assert metadata["hyperparameter.grow_policy"] == "lossguide"
    assert metadata["tuned"] == "max_depth eta lambda class_weights"


def test_no_output_of_the_step_names_the_execution_so_that_the_cache_gives_what_is_there(
    document: dict[str, Any],
) -> None:
    assert "Execution." not in json.dumps(steps(document)["TuneModel"])


def test_a_tuned_hyperparameter_is_no_parameter_and_a_start_that_sets_it_is_told_why(
    document: dict[str, Any], compiled: Any
) -> None:
    names = {one["Name"] for one in document["Parameters"]}
    assert compiled.parameters.keys() - names == {"MaxDepth", "Eta"}
    outline = read_outline(json.dumps(document))
    assert outline.tuning["TuneModel"].metric == "auc"
    for given in ("MaxDepth", "maxdepth"):
        with pytest.raises(GatehouseError, match="MaxDepth is tuned, so a start cannot set it"):
            check_overrides(outline, {given: "6"}, "rc-fraud-detection")
    assert check_overrides(outline, {"NumRound": "6"}, "rc-fraud-detection") == {"NumRound": "6"}


def test_a_plan_says_what_the_table_changes(document: dict[str, Any], compiled: Any) -> None:
    words = describe_changes(json.loads(compiled.definition), document)
    assert "TrainModel: step removed" in words
    assert "TuneModel: step added" in words
    assert "TrainModel, RegisterModel: parameter MaxDepth removed" in words


def test_what_aws_would_refuse_of_the_step_is_found(document: dict[str, Any]) -> None:
    broken = json.loads(json.dumps(document))
    config = steps(broken)["TuneModel"]["Arguments"]["HyperParameterTuningJobConfig"]
    config["Strategy"] = "Anneal"
    with pytest.raises(GatehouseError, match=r"step TuneModel: HyperParameterTuningJobConfig\.Strategy"):
        check_definition(json.dumps(broken))


def test_the_table_of_the_defaults_holds_for_every_project(tmp_path: Path, make_project: MakeProject) -> None:
    defaults = "[defaults]\ntuning = { jobs = 4, ranges = { eta = { low = 0.1, high = 0.3 } } }"
    own = table("parallel = 2", "eta = [0.1, 0.2]")
    project = make_project(tmp_path, ("[defaults]", defaults), own)
    assert project.tuning is not None
    assert (project.tuning.jobs, project.tuning.parallel) == (4, 2)
    assert project.tuning.ranges["eta"].values == (0.1, 0.2)
