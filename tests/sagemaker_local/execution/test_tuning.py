"""Tuning jobs, and tuning as a step: several training jobs at once, the best of them, faults and stops."""

from __future__ import annotations

import fcntl
import uuid
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hosting_place import pack
from wire_clients import server_process

from sagemaker_local import endpoint
from tests.sagemaker_local.execution.conftest import BUCKET, ROLE, Workshop

IMAGE = "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-scikit-learn:1.4-2-cpu-py3"
TRAIN = """
import argparse, pathlib, time
parser = argparse.ArgumentParser()
parser.add_argument("--place", type=float)
parser.add_argument("--kind", default="a")
parser.add_argument("--base", type=float, default=0.0)
given = parser.parse_args()
pathlib.Path("/opt/ml/model/x").write_text(str(given.place))
if given.kind == "wait":
    time.sleep(600)
if given.kind == "break":
    raise ValueError("it broke")
print(f"loss: {given.base + (given.place - 2) ** 2};")
"""


@pytest.fixture
def name() -> str:
    return f"tuned-{uuid.uuid4().hex[:8]}"


def request(shop: Any, *, strategy: str = "Random", jobs: int | None = 8, **config: Any) -> dict[str, Any]:
    """A tuning job's request without its name: the smaller the loss, the better; 2 is the best place."""
    shop.s3.put_object(Bucket=BUCKET, Key="tuned/source.tar.gz", Body=pack({"train.py": TRAIN.encode()}))
    limit = {} if jobs is None else {"MaxNumberOfTrainingJobs": jobs}
    numbers = {"ContinuousParameterRanges": [{"Name": "place", "MinValue": "0", "MaxValue": "4"}]}
    return {
        "HyperParameterTuningJobConfig": {
            "Strategy": strategy,
            "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "loss"},
            "ResourceLimits": {**limit, "MaxParallelTrainingJobs": 2},
            "ParameterRanges": numbers,
            "RandomSeed": 5,
            **config,
        },
        "TrainingJobDefinition": {
            "StaticHyperParameters": {
                "sagemaker_program": "train.py",
                "sagemaker_submit_directory": f"s3://{BUCKET}/tuned/source.tar.gz",
                "base": "1.5",
            },
            "AlgorithmSpecification": {
                "TrainingImage": IMAGE,
                "TrainingInputMode": "File",
                "MetricDefinitions": [{"Name": "loss", "Regex": "loss: ([0-9.e-]+);"}],
            },
            "RoleArn": ROLE,
            "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/tuned/out"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        },
    }


def of_kind(*kinds: str) -> dict[str, Any]:
    return {"ParameterRanges": {"CategoricalParameterRanges": [{"Name": "kind", "Values": list(kinds)}]}}


def start(shop: Any, name: str, asked: dict[str, Any]) -> None:
    shop.sagemaker.create_hyper_parameter_tuning_job(HyperParameterTuningJobName=name, **asked)


def described(shop: Any, name: str) -> dict[str, Any]:
    found: dict[str, Any] = shop.sagemaker.describe_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=name
    )
    return found


def ended(shop: Any, name: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found = described(shop, name)
        return found if found["HyperParameterTuningJobStatus"] in ("Completed", "Failed", "Stopped") else None

    found: dict[str, Any] = Workshop.until(look, f"the end of {name}")
    return found


def trained(shop: Any, name: str, **members: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = shop.sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=name, MaxResults=100, **members
    )["TrainingJobSummaries"]
    return found


def at_once(jobs: list[dict[str, Any]]) -> int:
    """The most that ran at one moment."""
    times = [(job["TrainingStartTime"], job["TrainingEndTime"]) for job in jobs]
    return max(sum(begin <= when < end for begin, end in times) for when, _ in times)


def test_eight_jobs_two_at_a_time_and_the_best_of_them(workshop: Any, name: str) -> None:
    start(workshop, name, request(workshop, strategy="Bayesian"))
    found = ended(workshop, name)
    assert found["HyperParameterTuningJobStatus"] == "Completed", found.get("FailureReason")
    assert (
        found["TrainingJobStatusCounters"]["Completed"] == found["ObjectiveStatusCounters"]["Succeeded"] == 8
    )
    jobs = trained(workshop, name)
    assert [job["TrainingJobName"].rpartition("-")[0] for job in jobs] == [
        f"{name}-{number:03d}" for number in range(1, 9)
    ]
    losses = [job["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] for job in jobs]
    assert losses == [
        pytest.approx(1.5 + (float(job["TunedHyperParameters"]["place"]) - 2) ** 2) for job in jobs
    ]
    best = found["BestTrainingJob"]
    assert best["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] == min(losses) < 1.7
    by_loss = trained(workshop, name, SortBy="FinalObjectiveMetricValue", SortOrder="Ascending")
    assert by_loss[0]["TrainingJobName"] == best["TrainingJobName"]
    assert at_once(jobs) <= 2
    job = workshop.sagemaker.describe_training_job(TrainingJobName=best["TrainingJobName"])
    assert job["TuningJobArn"] == found["HyperParameterTuningJobArn"]
    assert job["HyperParameters"]["base"] == "1.5"
    listed = workshop.sagemaker.list_hyper_parameter_tuning_jobs(NameContains=name, StatusEquals="Completed")
    [summary] = listed["HyperParameterTuningJobSummaries"]
    assert (summary["Strategy"], summary["TrainingJobStatusCounters"]["Completed"]) == ("Bayesian", 8)
    workshop.sagemaker.delete_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    with pytest.raises(ClientError, match="ResourceNotFound"):
        described(workshop, name)


def test_where_more_are_asked_for_at_once_than_run_here_ten_do(workshop: Any, name: str) -> None:
    limits = {"MaxNumberOfTrainingJobs": 12, "MaxParallelTrainingJobs": 100}
    start(workshop, name, request(workshop, ResourceLimits=limits))
    found = ended(workshop, name)
    assert found["TrainingJobStatusCounters"]["Completed"] == 12, found.get("FailureReason")
    assert at_once(trained(workshop, name)) <= 10


def test_several_definitions_are_tried_in_turn_each_with_its_own_ranges(workshop: Any, name: str) -> None:
    asked = request(workshop, jobs=4)
    config = asked["HyperParameterTuningJobConfig"]
    objective, ranges = config.pop("HyperParameterTuningJobObjective"), config.pop("ParameterRanges")
    one = {**asked.pop("TrainingJobDefinition"), "TuningObjective": objective, "HyperParameterRanges": ranges}
    static = {**one["StaticHyperParameters"], "base": "0"}
    asked["TrainingJobDefinitions"] = [
        {**one, "DefinitionName": "high"},
        {**one, "DefinitionName": "low", "StaticHyperParameters": static},
    ]
    start(workshop, name, asked)
    found = ended(workshop, name)
    assert found["HyperParameterTuningJobStatus"] == "Completed"
    names = [job["TrainingJobDefinitionName"] for job in trained(workshop, name)]
    assert sorted(names) == ["high", "high", "low", "low"]


def test_it_ends_when_a_target_is_reached(workshop: Any, name: str) -> None:
    criteria = {"TargetObjectiveMetricValue": 1000.0}
    start(workshop, name, request(workshop, jobs=50, TuningJobCompletionCriteria=criteria))
    found = ended(workshop, name)
    assert found["HyperParameterTuningJobStatus"] == "Completed"
    assert found["TrainingJobStatusCounters"]["Completed"] <= 3


def test_a_grid_fails_where_no_training_job_succeeds_and_says_what_the_last_one_said(
    workshop: Any, name: str
) -> None:
    asked = request(workshop, strategy="Grid", jobs=None, **of_kind("break"))
    asked["TrainingJobDefinition"]["StaticHyperParameters"]["place"] = "1"
    start(workshop, name, asked)
    found = ended(workshop, name)
    assert found["HyperParameterTuningJobStatus"] == "Failed"
    assert "No training job succeeded after 1 attempts" in found["FailureReason"]
    assert "it broke" in found["FailureReason"]
    assert found["TrainingJobStatusCounters"]["NonRetryableError"] == 1
    assert "BestTrainingJob" not in found


def test_an_objective_that_is_not_in_the_log_is_said_to_be_missing(workshop: Any, name: str) -> None:
    asked = request(workshop, jobs=1)
    asked["TrainingJobDefinition"]["AlgorithmSpecification"]["MetricDefinitions"][0]["Regex"] = "gain: (.*)"
    start(workshop, name, asked)
    found = ended(workshop, name)
    assert (found["HyperParameterTuningJobStatus"], found["ObjectiveStatusCounters"]["Failed"]) == (
        "Failed",
        1,
    )
    assert "No objective metrics found after running 1 training jobs" in found["FailureReason"]


def test_training_jobs_that_were_all_stopped_at_their_limit_are_said_to_be(workshop: Any, name: str) -> None:
    asked = request(workshop, jobs=2)
    definition = asked["TrainingJobDefinition"]
    definition["StaticHyperParameters"]["kind"] = "wait"
    definition["StoppingCondition"] = {"MaxRuntimeInSeconds": 1}
    start(workshop, name, asked)
    found = ended(workshop, name)
    assert found["HyperParameterTuningJobStatus"] == "Failed"
    assert found["FailureReason"].startswith(
        "No training job was completed after 2 attempts: each was stopped"
    )


def test_a_stop_ends_the_training_jobs_too(workshop: Any, name: str) -> None:
    asked = request(workshop, strategy="Grid", jobs=None, **of_kind("wait", "a"))
    asked["TrainingJobDefinition"]["StaticHyperParameters"]["place"] = "1"
    start(workshop, name, asked)

    def waits() -> bool:
        return any(
            job["TunedHyperParameters"] == {"kind": "wait"} and "TrainingStartTime" in job
            for job in trained(workshop, name)
        )

    workshop.until(waits, "the training job's start")
    workshop.sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    found = ended(workshop, name)
    assert found["HyperParameterTuningJobStatus"] == "Stopped"
    assert found["TrainingJobStatusCounters"]["InProgress"] == 0
    with pytest.raises(ClientError, match="is in status Stopped"):
        workshop.sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"Strategy": "Hyperband"}, "Strategy Hyperband"),
        ({"TuningJobCompletionCriteria": {"ConvergenceDetected": {}}}, None),
        ({"ResourceLimits": {"MaxParallelTrainingJobs": 2}}, "MaxNumberOfTrainingJobs"),
        (
            {"ResourceLimits": {"MaxNumberOfTrainingJobs": 99, "MaxParallelTrainingJobs": 101}},
            "at most 100 training jobs",
        ),
        (
            {"ResourceLimits": {"MaxNumberOfTrainingJobs": 751, "MaxParallelTrainingJobs": 1}},
            "at most 750 training jobs",
        ),
        ({"Strategy": "Grid"}, "CategoricalParameterRanges only"),
        (
            {"ParameterRanges": {"CategoricalParameterRanges": [{"Name": "base", "Values": ["1"]}]}},
            "base is static",
        ),
    ],
)
def test_what_cannot_be_done_is_refused(
    workshop: Any, name: str, change: dict[str, Any], what: str | None
) -> None:
    asked = request(workshop, **change)
    if what is None:
        what = "WarmStartConfig"
        parents = [{"HyperParameterTuningJobName": "other"}]
        asked["WarmStartConfig"] = {
            "ParentHyperParameterTuningJobs": parents,
            "WarmStartType": "TransferLearning",
        }
    with pytest.raises(ClientError, match=what):
        start(workshop, name, asked)
    with pytest.raises(ClientError, match="ResourceNotFound"):
        described(workshop, name)


def test_one_whose_process_was_killed_is_failed_with_its_training_jobs(
    tmp_path: Path, open_workshop: Any, name: str
) -> None:
    with server_process(tmp_path / "home") as (process, url):
        shop = open_workshop(url, tmp_path / "home")
        asked = request(shop, strategy="Grid", jobs=None, **of_kind("wait"))
        asked["TrainingJobDefinition"]["StaticHyperParameters"]["place"] = "1"
        start(shop, name, asked)
        shop.until(lambda: trained(shop, name), "a training job")
        process.kill()
        process.wait()
    # As a process does that it was just starting, and that has its descriptors for a moment longer.
    (owner,) = (tmp_path / "home" / "owners").iterdir()
    with owner.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        again = endpoint.start(tmp_path / "home")
    with again:
        shop = open_workshop(again.url, tmp_path / "home")
        found = described(shop, name)
        assert found["HyperParameterTuningJobStatus"] == "Failed"
        assert "ended before the job did" in found["FailureReason"]
        assert [job["TrainingJobStatus"] for job in trained(shop, name)] == ["Failed"]


# --- as a step ------------------------------------------------------------------------------------


def tune(shop: Any, **config: Any) -> dict[str, Any]:
    members = config.pop("members", {})
    return {"Name": "Tune", "Type": "Tuning", "Arguments": request(shop, **config), **members}


def register_best(group: str) -> dict[str, Any]:
    best = {"Get": "Steps.Tune.TrainingJobSummaries[0].TrainingJobName"}
    artifact = {"Std:Join": {"On": "/", "Values": [f"s3://{BUCKET}/tuned/out", best, "output/model.tar.gz"]}}
    specification = {"Containers": [{"Image": IMAGE, "ModelDataUrl": artifact}]}
    arguments = {"ModelPackageGroupName": group, "InferenceSpecification": specification}
    return {"Name": "Register", "Type": "RegisterModel", "Arguments": arguments}


def test_the_best_model_of_a_tuning_step_is_registered(workshop: Any, name: str) -> None:
    step = tune(workshop, members={"CacheConfig": {"Enabled": True, "ExpireAfter": "P1D"}})
    workshop.create(name, step, register_best(name))
    execution, status = workshop.run(name)
    steps = workshop.steps(execution)
    assert status == "Succeeded", steps
    tuning = steps["Tune"]["Metadata"]["TuningJob"]["Arn"].rpartition("/")[2]
    assert tuning.startswith(f"{execution.rpartition('/')[2]}-Tune-")
    best = described(workshop, tuning)["BestTrainingJob"]["TrainingJobName"]
    package = steps["Register"]["Metadata"]["RegisterModel"]["Arn"]
    found = workshop.sagemaker.describe_model_package(ModelPackageName=package)
    artifact = found["InferenceSpecification"]["Containers"][0]["ModelDataUrl"]
    assert artifact == f"s3://{BUCKET}/tuned/out/{best}/output/model.tar.gz"
    assert workshop.s3.head_object(Bucket=BUCKET, Key=artifact.partition(f"{BUCKET}/")[2])
    again, status = workshop.run(name)
    assert status == "Succeeded"
    assert workshop.steps(again)["Tune"]["CacheHitResult"] == {"SourcePipelineExecutionArn": execution}
    elsewhere = tune(workshop, members={"CacheConfig": {"Enabled": True, "ExpireAfter": "P1D"}})
    elsewhere["Arguments"]["TrainingJobDefinition"]["OutputDataConfig"]["S3OutputPath"] += "/elsewhere"
    workshop.update(name, elsewhere, register_best(name))
    moved, _ = workshop.run(name)
    hit = {"SourcePipelineExecutionArn": execution}
    assert workshop.steps(moved)["Tune"]["CacheHitResult"] == hit, "where models go is no part of AWS's key"
    workshop.update(name, tune(workshop, jobs=2), register_best(name))
    other, _ = workshop.run(name)
    assert "CacheHitResult" not in workshop.steps(other)["Tune"]


def test_a_tuning_step_that_fails_is_tried_again_as_its_policy_says(workshop: Any, name: str) -> None:
    policy = {
        "ExceptionType": ["SageMaker.JOB_INTERNAL_ERROR", "Step.SERVICE_FAULT"],
        "MaxAttempts": 2,
        "IntervalSeconds": 1,
    }
    members = {"RetryPolicies": [policy]}
    workshop.create(name, tune(workshop, strategy="Grid", jobs=None, members=members, **of_kind("break")))
    execution, status = workshop.run(name)
    step = workshop.steps(execution)["Tune"]
    assert (status, step["AttemptCount"]) == ("Failed", 1)  # an algorithm's error is none of those
    assert "No training job succeeded" in step["FailureReason"]


def test_a_stopped_execution_stops_its_tuning_job(workshop: Any, name: str) -> None:
    step = tune(workshop, strategy="Grid", jobs=None, **of_kind("wait"))
    step["Arguments"]["TrainingJobDefinition"]["StaticHyperParameters"]["place"] = "1"
    workshop.create(name, step)
    execution = workshop.start(name)
    metadata = workshop.until(
        lambda: workshop.steps(execution).get("Tune", {}).get("Metadata"), "the tuning job"
    )
    tuning = metadata["TuningJob"]["Arn"].rpartition("/")[2]
    workshop.until(lambda: trained(workshop, tuning), "a training job")
    workshop.sagemaker.stop_pipeline_execution(PipelineExecutionArn=execution, ClientRequestToken="x" * 32)
    assert workshop.end(execution)["PipelineExecutionStatus"] == "Stopped"
    assert described(workshop, tuning)["HyperParameterTuningJobStatus"] == "Stopped"


def test_a_step_that_asks_for_what_is_not_done_is_refused_with_the_pipeline(workshop: Any, name: str) -> None:
    with pytest.raises(ClientError, match=r"Step 'Tune': .*Strategy Hyperband"):
        workshop.create(name, tune(workshop, strategy="Hyperband"))
