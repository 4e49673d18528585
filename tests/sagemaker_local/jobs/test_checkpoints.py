"""Checkpoints of training jobs in S3, and what spot instances and warm pools ask of a request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sagemaker_local.errors import AwsError

CONFIG = {"S3Uri": "s3://bucket/kept/here"}


def waits_for_its_end(bench: Any, job: str, until: Callable[[], bool]) -> None:
    while not until():
        assert bench.store.get("training-job", "eu-west-1", job)["TrainingJobStatus"] == "InProgress"


def test_what_is_in_s3_is_there_before_the_program_and_what_changes_is_in_s3_after_it(bench: Any) -> None:
    bench.put("kept/here/deep/state", "3 rounds")
    bench.put("kept/here-not/other", "another's")
    write = "cd /opt/ml/checkpoints && find . -type f && cat deep/state && rm deep/state && echo new > later"
    job = bench.training(write, CheckpointConfig=CONFIG)
    ended = bench.trained(job)
    assert ended["TrainingJobStatus"] == "Completed", ended
    assert ended["CheckpointConfig"] == CONFIG
    assert bench.log(job, "training-job").startswith("./deep/state\n3 rounds")
    assert bench.keys("kept/") == ["kept/here-not/other", "kept/here/deep/state", "kept/here/later"]
    assert bench.get("kept/here/later") == "new\n"


def test_a_job_that_fails_keeps_its_checkpoints_and_the_next_one_has_them(bench: Any) -> None:
    failed = bench.trained(bench.training("echo 5 > /opt/ml/checkpoints/a; exit 3", CheckpointConfig=CONFIG))
    assert failed["TrainingJobStatus"] == "Failed"
    job = bench.training("test $(cat /opt/ml/checkpoints/a) = 5", CheckpointConfig=CONFIG, instances=2)
    assert bench.trained(job)["TrainingJobStatus"] == "Completed", bench.log(job, "training-job")


def test_checkpoints_are_in_s3_while_the_program_runs(bench: Any) -> None:
    """So a local SageMaker that is killed has them: the job would wait for ever otherwise."""
    write = "echo 1 > /opt/ml/checkpoints/a; until test -e /opt/ml/goes; do sleep 0.1; done"
    job = bench.training(write, CheckpointConfig=CONFIG)
    waits_for_its_end(bench, job, lambda: bench.keys("kept/") == ["kept/here/a"])
    (bench.ml(job, "training-job") / "goes").touch()
    assert bench.trained(job)["TrainingJobStatus"] == "Completed"


def test_the_folder_may_lie_elsewhere_below_opt_ml(bench: Any) -> None:
    config = CONFIG | {"LocalPath": "/opt/ml/saved/"}
    assert bench.trained(bench.training("echo 1 > /opt/ml/saved/a", CheckpointConfig=config))
    assert bench.keys("kept/") == ["kept/here/a"]
    elsewhere = bench.trained(bench.training("true", CheckpointConfig=CONFIG | {"LocalPath": "/tmp/saved"}))
    assert "CheckpointConfig has the local path /tmp/saved" in elsewhere["FailureReason"]


def test_a_bucket_that_is_not_there_fails_the_job_before_it_runs(bench: Any) -> None:
    job = bench.training("touch /opt/ml/model/ran", CheckpointConfig={"S3Uri": "s3://nowhere/x"})
    ended = bench.trained(job)
    assert ended["FailureReason"].startswith("ClientError: a checkpoint goes to s3://nowhere/x")


def test_a_program_that_is_killed_leaves_its_checkpoints(bench: Any) -> None:
    ended = bench.trained(
        bench.training("echo 1 > /opt/ml/checkpoints/a; kill -9 $$", CheckpointConfig=CONFIG)
    )
    assert "killed by SIGKILL" in ended["FailureReason"]
    assert bench.keys("kept/") == ["kept/here/a"]


def spot(**members: Any) -> dict[str, Any]:
    return {
        "EnableManagedSpotTraining": True,
        "StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 120},
        **members,
    }


def test_managed_spot_training_and_warm_pools_are_recorded(bench: Any) -> None:
    job = bench.training("true", CheckpointConfig=CONFIG, **spot())
    described = bench.call("DescribeTrainingJob", TrainingJobName=job)
    assert described["EnableManagedSpotTraining"] is True
    assert described["StoppingCondition"] == {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 120}
    resources = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
    pool = bench.training("true", ResourceConfig=resources | {"KeepAlivePeriodInSeconds": 1800})
    described = bench.call("DescribeTrainingJob", TrainingJobName=pool)
    assert described["ResourceConfig"]["KeepAlivePeriodInSeconds"] == 1800


@pytest.mark.parametrize(
    ("members", "says"),
    [
        (
            spot(StoppingCondition={"MaxRuntimeInSeconds": 60}),
            "Invalid MaxWaitTimeInSeconds. It must be present",
        ),
        (
            spot(StoppingCondition={"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 59}),
            "greater than or equal to MaxRuntimeInSeconds",
        ),
        (
            spot(StoppingCondition={"MaxWaitTimeInSeconds": 3600}),
            "greater than or equal to MaxRuntimeInSeconds",
        ),
        (spot(EnableManagedSpotTraining=False), "It is for managed spot training only"),
        (
            spot(
                ResourceConfig={
                    "InstanceType": "ml.m5.large",
                    "InstanceCount": 1,
                    "VolumeSizeInGB": 1,
                    "KeepAlivePeriodInSeconds": 60,
                }
            ),
            "KeepAlivePeriodInSeconds cannot be used with EnableManagedSpotTraining",
        ),
    ],
)
def test_what_aws_refuses_of_spot_training_is_refused(bench: Any, members: Any, says: str) -> None:
    with pytest.raises(AwsError, match=says):
        bench.training("true", **members)
