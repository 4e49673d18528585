from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

MEET = """
(SHARED / NAME).touch()
end = time.monotonic() + 20
while not (SHARED / OTHER).exists():
    if time.monotonic() > end:
        raise SystemExit("the other step never came")
    time.sleep(0.005)
"""
ALONE = """
mark = SHARED / "busy"
mark.touch(exist_ok=False)
time.sleep(0.05)
mark.unlink()
"""
HOLD = """
(SHARED / "holding").touch()
end = time.monotonic() + 600
while not (SHARED / "go").exists() and time.monotonic() < end:
    time.sleep(0.005)
"""
COUNT = """
with (SHARED / "runs").open("a") as runs:
    runs.write("x")
OUT.mkdir(parents=True, exist_ok=True)
(OUT / "result.txt").write_text("done")
"""
EVALUATE = """
OUT.mkdir(parents=True, exist_ok=True)
(OUT / "statistics.json").write_text(os.environ["STATISTICS"])
"""
IN_PEACE = {"MaxParallelExecutionSteps": 1}


def runs(workshop: Any) -> int:
    path = workshop.folder / "runs"
    return len(path.read_text()) if path.exists() else 0


def output_of(step: str, output: str = "out") -> dict[str, str]:
    return {"Get": f"Steps.{step}.ProcessingOutputConfig.Outputs['{output}'].S3Output.S3Uri"}


def fail(name: str, message: Any) -> dict[str, Any]:
    return {"Name": name, "Type": "Fail", "Arguments": {"ErrorMessage": message}}


def test_a_fail_step_without_a_message_has_no_reason(workshop: Any) -> None:
    arn, status = workshop.run(workshop.create("silent", {"Name": "End", "Type": "Fail"}, parameters=[]))
    assert status == "Failed"
    step = workshop.steps(arn)["End"]
    assert "FailureReason" not in step
    assert step["Metadata"]["Fail"]["ErrorMessage"] == ""
    assert (
        workshop.describe(arn)["FailureReason"] == "Step failure: One or multiple steps failed. End: failed"
    )


def test_a_message_that_is_longer_than_any_answer_may_hold_is_cut(workshop: Any) -> None:
    message = f"begins {'x' * 4000} ends"
    arn, _ = workshop.run(workshop.create("talkative", fail("End", message), parameters=[]))
    shown = workshop.steps(arn)["End"]["Metadata"]["Fail"]["ErrorMessage"]
    assert len(shown) == 3072
    assert (shown[:6], shown[-4:]) == ("begins", "ends")


def test_independent_steps_run_side_by_side(workshop: Any) -> None:
    name = workshop.create(
        "meeting",
        workshop.processing("A", f"NAME, OTHER = 'a', 'b'\n{MEET}"),
        workshop.processing("B", f"NAME, OTHER = 'b', 'a'\n{MEET}"),
    )
    arn, status = workshop.run(name)
    assert status == "Succeeded", workshop.steps(arn)


def test_parallelism_is_kept_within_what_was_asked(workshop: Any) -> None:
    steps = [workshop.processing(letter, ALONE) for letter in "ABC"]
    workshop.create("alone", *steps, ParallelismConfiguration=IN_PEACE)
    workshop.create("crowd", *steps)
    assert workshop.run("alone")[1] == "Succeeded"
    assert workshop.run("crowd", ParallelismConfiguration=IN_PEACE)[1] == "Succeeded"


def test_data_flows_along_references_and_jobs_are_named_as_on_aws(workshop: Any) -> None:
    name = workshop.create(
        "flow",
        workshop.processing("Prepare_it", COUNT, DisplayName="Prepare", Description="first"),
        workshop.processing(
            "Use",
            "text = pathlib.Path('/opt/ml/processing/input/data/result.txt').read_text()\n"
            "(SHARED / 'seen').write_text(text + os.environ['JOB'])\n",
            inputs={"data": output_of("Prepare_it")},
            environment={"JOB": {"Get": "Execution.ProcessingJobName"}},
        ),
    )
    arn, status = workshop.run(name)
    assert status == "Succeeded", workshop.steps(arn)
    steps = workshop.steps(arn)
    job = steps["Use"]["Metadata"]["ProcessingJob"]["Arn"].rsplit("/", 1)[-1]
    execution_id = arn.rsplit("/", 1)[-1]
    assert (workshop.folder / "seen").read_text() == "done" + job
    assert job.startswith(f"pipelines-{execution_id}-Use-")
    assert len(job.rsplit("-", 1)[-1]) == 10
    assert len(execution_id) == 12
    first = steps["Prepare_it"]
    assert (first["StepDisplayName"], first["StepDescription"], first["AttemptCount"]) == (
        "Prepare",
        "first",
        1,
    )
    assert f"pipelines-{execution_id}-Prepare-it-" in first["Metadata"]["ProcessingJob"]["Arn"]
    assert first["StartTime"] <= first["EndTime"] <= steps["Use"]["StartTime"]


def gate(workshop: Any, name: str) -> str:
    metric = {
        "Std:JsonGet": {"PropertyFile": {"Get": "Steps.Evaluate.PropertyFiles.Report"}, "Path": "m.accuracy"}
    }
    package = {
        "ModelPackageGroupName": f"{name}-models",
        "ModelApprovalStatus": "PendingManualApproval",
        "InferenceSpecification": {
            "Containers": [{"Image": "000000000000.dkr.ecr.eu-west-1.amazonaws.com/any:1",
                            "ModelDataUrl": f"s3://{workshop.bucket}/model.tar.gz"}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
        "CustomerMetadataProperties": {
            "threshold": {"Std:Join": {"On": "", "Values": [{"Get": "Parameters.T"}]}}
        },
    }  # fmt: skip
    return workshop.create(
        name,
        workshop.processing(
            "Evaluate",
            EVALUATE,
            environment={"STATISTICS": {"Get": "Parameters.Statistics"}},
            PropertyFiles=[
                {"PropertyFileName": "Report", "OutputName": "out", "FilePath": "statistics.json"}
            ],
        ),
        {
            "Name": "Check",
            "Type": "Condition",
            "Arguments": {
                "Conditions": [
                    {"Type": "GreaterThan", "LeftValue": metric, "RightValue": {"Get": "Parameters.T"}}
                ],
                "IfSteps": [{"Name": "Register", "Type": "RegisterModel", "Arguments": package}],
                "ElseSteps": [
                    fail(
                        "TooLow",
                        {"Std:Join": {"On": " ", "Values": ["accuracy under", {"Get": "Parameters.T"}]}},
                    )
                ],
            },
        },
        parameters=[
            {"Name": "Statistics", "Type": "String"},
            {"Name": "T", "Type": "Float", "DefaultValue": 0.9},
        ],
    )


def test_the_gate_is_shut_below_and_at_the_threshold_and_opens_above(workshop: Any) -> None:
    name = gate(workshop, "gate")
    for accuracy in ("0.89", "0.9"):
        arn, status = workshop.run(name, {"Statistics": f'{{"m": {{"accuracy": {accuracy}}}}}'})
        assert status == "Failed"
        assert workshop.statuses(arn) == {"Evaluate": "Succeeded", "Check": "Succeeded", "TooLow": "Failed"}
        steps = workshop.steps(arn)
        assert steps["Check"]["Metadata"]["Condition"]["Outcome"] == "False"
        assert steps["TooLow"]["FailureReason"] == "accuracy under 0.9"
        assert steps["TooLow"]["Metadata"]["Fail"]["ErrorMessage"] == "accuracy under 0.9"
        reason = workshop.describe(arn)["FailureReason"]
        assert reason == "Step failure: One or multiple steps failed. TooLow: accuracy under 0.9"
    arn, status = workshop.run(name, {"Statistics": '{"m": {"accuracy": 0.91}}'})
    assert status == "Succeeded", workshop.steps(arn)
    assert workshop.statuses(arn) == {"Evaluate": "Succeeded", "Check": "Succeeded", "Register": "Succeeded"}
    package = workshop.steps(arn)["Register"]["Metadata"]["RegisterModel"]["Arn"]
    registered = workshop.sagemaker.describe_model_package(ModelPackageName=package)
    assert registered["ModelApprovalStatus"] == "PendingManualApproval"
    assert registered["CustomerMetadataProperties"] == {"threshold": "0.9"}
    group = workshop.sagemaker.list_model_packages(ModelPackageGroupName="gate-models")
    assert len(group["ModelPackageSummaryList"]) == 1


@pytest.mark.parametrize(
    ("name", "statistics", "found"),
    [
        ("nan", '{"m": {"accuracy": NaN}}', "nan"),
        ("text", '{"m": {"accuracy": "high"}}', 'the text "high"'),
        ("missing", '{"m": {}}', "no m.accuracy"),
        ("no-json", "not json", "is not JSON"),
    ],
)
def test_a_broken_metric_fails_the_condition_and_registers_nothing(
    workshop: Any, name: str, statistics: str, found: str
) -> None:
    gate(workshop, f"broken-{name}")
    arn, status = workshop.run(f"broken-{name}", {"Statistics": statistics})
    assert status == "Failed"
    assert workshop.statuses(arn) == {"Evaluate": "Succeeded", "Check": "Failed"}
    reason = workshop.steps(arn)["Check"]["FailureReason"]
    assert found in reason
    assert f"s3://{workshop.bucket}/runs/{arn.rsplit('/', 1)[-1]}/Evaluate/out/statistics.json" in reason
    assert "Check: " in workshop.describe(arn)["FailureReason"]


def cached(workshop: Any, code: str = COUNT, expire_after: str = "P30D") -> dict[str, Any]:
    return workshop.processing("Work", code, CacheConfig={"Enabled": True, "ExpireAfter": expire_after})


def hit(workshop: Any, arn: str) -> str | None:
    found = workshop.steps(arn)["Work"].get("CacheHitResult")
    return found["SourcePipelineExecutionArn"] if found else None


def test_the_same_work_is_taken_from_the_cache_within_one_pipeline(workshop: Any) -> None:
    after = workshop.processing(
        "After",
        "assert pathlib.Path('/opt/ml/processing/input/data/result.txt').read_text() == 'done'\n",
        inputs={"data": output_of("Work")},
    )
    workshop.create("one", cached(workshop), after)
    first, _ = workshop.run("one")
    again, status = workshop.run("one")
    third, _ = workshop.run("one")
    assert status == "Succeeded"
    assert [hit(workshop, arn) for arn in (first, again, third)] == [None, first, first]
    assert runs(workshop) == 1
    steps = workshop.steps(again)
    assert steps["Work"]["Metadata"] == workshop.steps(first)["Work"]["Metadata"]
    workshop.create("two", cached(workshop))
    assert hit(workshop, workshop.run("two")[0]) is None
    assert runs(workshop) == 2


def test_changed_code_and_an_expired_result_run_again(workshop: Any) -> None:
    workshop.create("changing", cached(workshop))
    workshop.run("changing")
    workshop.update("changing", cached(workshop, COUNT + "# changed\n"))
    assert hit(workshop, workshop.run("changing")[0]) is None
    workshop.update("changing", cached(workshop, expire_after="PT0S"))
    assert hit(workshop, workshop.run("changing")[0]) is None
    workshop.update("changing", cached(workshop))
    newest, _ = workshop.run("changing")
    assert hit(workshop, newest) is not None
    assert runs(workshop) == 3


def test_a_failed_run_is_no_cache_entry(workshop: Any) -> None:
    code = COUNT + "if not (SHARED / 'go').exists(): raise SystemExit('not yet')\n"
    workshop.create("failing", cached(workshop, code))
    assert workshop.run("failing")[1] == "Failed"
    (workshop.folder / "go").touch()
    arn, status = workshop.run("failing")
    assert (status, hit(workshop, arn), runs(workshop)) == ("Succeeded", None, 2)


def test_a_crash_names_the_step_and_the_end_of_its_log(workshop: Any) -> None:
    name = workshop.create(
        "crash",
        workshop.processing("Boom", "raise ValueError('the data is upside down')\n"),
        workshop.processing("Never", COUNT, DependsOn=["Boom"]),
    )
    arn, status = workshop.run(name)
    assert status == "Failed"
    assert workshop.statuses(arn) == {"Boom": "Failed"}
    of_step = workshop.steps(arn)["Boom"]["FailureReason"]
    assert of_step.startswith("ClientError: AlgorithmError: ")
    assert "the data is upside down" in of_step
    reason = workshop.describe(arn)["FailureReason"]
    assert reason.startswith("Step failure: One or multiple steps failed. Boom: ")
    assert "the data is upside down" in reason


def test_arguments_are_checked_like_a_clients_request(workshop: Any) -> None:
    step = workshop.processing("Bad", COUNT)
    step["Arguments"]["ProcessingResources"]["ClusterConfig"]["InstanceCount"] = {"Get": "Parameters.Count"}
    name = workshop.create("bad", step, parameters=[{"Name": "Count", "Type": "Integer", "DefaultValue": 0}])
    arn, status = workshop.run(name)
    assert status == "Failed"
    assert "instanceCount" in workshop.steps(arn)["Bad"]["FailureReason"]


def test_a_failed_steps_siblings_finish_and_nothing_new_starts(workshop: Any) -> None:
    name = workshop.create(
        "siblings",
        workshop.processing("Slow", HOLD),
        workshop.processing("Boom", "raise SystemExit('boom')\n"),
        workshop.processing("Later", COUNT, DependsOn=["Slow"]),
    )
    arn = workshop.start(name)
    workshop.until(lambda: workshop.statuses(arn).get("Boom") == "Failed", "the failure")
    assert workshop.describe(arn)["PipelineExecutionStatus"] == "Executing"
    (workshop.folder / "go").touch()
    assert workshop.end(arn)["PipelineExecutionStatus"] == "Failed"
    assert workshop.statuses(arn) == {"Slow": "Succeeded", "Boom": "Failed"}


def test_a_retry_keeps_what_succeeded_and_runs_the_rest_under_the_same_arn(workshop: Any) -> None:
    name = workshop.create(
        "again",
        workshop.processing("Work", COUNT),
        workshop.processing(
            "Fragile",
            "if not (SHARED / 'go').exists(): raise SystemExit('not yet')\n",
            inputs={"d": output_of("Work")},
        ),
        workshop.processing("Last", COUNT, DependsOn=["Fragile"]),
    )
    arn, status = workshop.run(name)
    assert status == "Failed"
    (workshop.folder / "go").touch()
    token = uuid.uuid4().hex
    for _ in range(2):
        workshop.sagemaker.retry_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken=token)
    ended = workshop.end(arn)
    assert ended["PipelineExecutionStatus"] == "Succeeded"
    assert "FailureReason" not in ended
    assert runs(workshop) == 2
    assert workshop.steps(arn)["Fragile"]["AttemptCount"] == 2
    with pytest.raises(ClientError, match="failed or stopped"):
        workshop.sagemaker.retry_pipeline_execution(PipelineExecutionArn=arn)


def test_stop_ends_the_jobs_and_the_execution_and_a_retry_continues(workshop: Any) -> None:
    name = workshop.create(
        "stop",
        workshop.processing("First", COUNT),
        workshop.processing("Hold", HOLD, DependsOn=["First"]),
        workshop.processing("Last", COUNT, DependsOn=["Hold"]),
    )
    arn = workshop.start(name)
    workshop.left("holding")
    workshop.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    assert workshop.describe(arn)["PipelineExecutionStatus"] in ("Stopping", "Stopped")
    assert workshop.end(arn)["PipelineExecutionStatus"] == "Stopped"
    steps = workshop.steps(arn)
    assert {one: step["StepStatus"] for one, step in steps.items()} == {
        "First": "Succeeded",
        "Hold": "Stopped",
    }
    job = steps["Hold"]["Metadata"]["ProcessingJob"]["Arn"].rsplit("/", 1)[-1]
    stopped = workshop.sagemaker.describe_processing_job(ProcessingJobName=job)
    assert stopped["ProcessingJobStatus"] == "Stopped"
    with pytest.raises(ClientError, match="can be stopped"):
        workshop.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    (workshop.folder / "go").touch()
    workshop.sagemaker.retry_pipeline_execution(PipelineExecutionArn=arn)
    assert workshop.end(arn)["PipelineExecutionStatus"] == "Succeeded"
    assert runs(workshop) == 2


def test_a_step_that_waits_for_a_failure_runs_after_it(workshop: Any) -> None:
    name = workshop.create(
        "handled",
        workshop.processing("Boom", "raise SystemExit('boom')\n"),
        workshop.processing("Tidy", COUNT, DependsOn=[{"Step": "Boom", "Trigger": "Failed"}]),
    )
    arn, status = workshop.run(name)
    assert status == "CompletedWithFailures"
    assert workshop.statuses(arn) == {"Boom": "Failed", "Tidy": "Succeeded"}


def test_selected_steps_run_on_the_results_of_an_earlier_execution(workshop: Any) -> None:
    name = workshop.create(
        "select",
        workshop.processing("Work", COUNT),
        workshop.processing("Use", COUNT, inputs={"data": output_of("Work")}),
        workshop.processing("Last", COUNT, inputs={"data": output_of("Use")}),
    )
    source, _ = workshop.run(name)
    config = {"SelectedSteps": [{"StepName": "Use"}], "SourcePipelineExecutionArn": source}
    arn, status = workshop.run(name, SelectiveExecutionConfig=config)
    assert status == "Succeeded", workshop.steps(arn)
    steps = workshop.steps(arn)
    assert set(steps) == {"Work", "Use"}
    assert steps["Work"]["SelectiveExecutionResult"]["SourcePipelineExecutionArn"] == source
    assert "SelectiveExecutionResult" not in steps["Use"]
    assert runs(workshop) == 4
    assert workshop.describe(arn)["SelectiveExecutionConfig"] == config
    with pytest.raises(ClientError, match="Invalid SourcePipelineExecutionArn: null"):
        workshop.start(name, SelectiveExecutionConfig={"SelectedSteps": [{"StepName": "Use"}]})


def test_parameters_are_checked_when_an_execution_starts(workshop: Any) -> None:
    name = workshop.create(
        "typed",
        fail("Stop", {"Std:Join": {"On": "", "Values": [{"Get": "Parameters.Depth"}]}}),
        parameters=[
            {"Name": "Depth", "Type": "Integer", "DefaultValue": 5},
            {"Name": "Rate", "Type": "Float", "DefaultValue": 0.5},
        ],
    )
    for given, words in (
        ({"Depht": "6"}, "no parameter 'Depht'.*Depth.*Depth, Rate"),
        ({"Depth": "deep"}, "'Depth' is declared Integer"),
        ({"Rate": "NaN"}, "'Rate' is declared Float"),
    ):
        with pytest.raises(ClientError, match=words) as error:
            workshop.start(name, given)
        assert error.value.response["Error"]["Code"] == "ValidationException"
    assert workshop.sagemaker.list_pipeline_executions(PipelineName=name)["PipelineExecutionSummaries"] == []
    arn, _ = workshop.run(name, {"Depth": "7"})
    listed = workshop.sagemaker.list_pipeline_parameters_for_execution(PipelineExecutionArn=arn)
    assert listed["PipelineParameters"] == [{"Name": "Depth", "Value": "7"}, {"Name": "Rate", "Value": "0.5"}]
    assert workshop.steps(arn)["Stop"]["FailureReason"] == "7"


def test_one_request_token_starts_one_execution_however_often_it_is_sent(workshop: Any) -> None:
    name = workshop.create("once", workshop.processing("Work", COUNT))
    token = uuid.uuid4().hex
    with ThreadPoolExecutor(4) as threads:
        arns = set(threads.map(lambda _: workshop.start(name, ClientRequestToken=token), range(4)))
    assert len(arns) == 1
    workshop.end(arns.pop())
    assert runs(workshop) == 1


def test_an_execution_keeps_the_definition_it_started_with(workshop: Any) -> None:
    name = workshop.create("kept", fail("Old", "old"))
    arn, _ = workshop.run(name)
    workshop.update(name, fail("New", "new"))
    kept = workshop.sagemaker.describe_pipeline_definition_for_execution(PipelineExecutionArn=arn)
    assert json.loads(kept["PipelineDefinition"])["Steps"][0]["Name"] == "Old"
    workshop.sagemaker.retry_pipeline_execution(PipelineExecutionArn=arn)
    workshop.end(arn)
    assert set(workshop.steps(arn)) == {"Old"}
    first = workshop.start(name, PipelineVersionId=1)
    workshop.end(first)
    assert set(workshop.steps(first)) == {"Old"}


def test_executions_and_steps_are_listed_in_pages_and_orders(workshop: Any) -> None:
    name = workshop.create("pages", fail("A", "a"), parameters=[])
    arns = [workshop.run(name)[0] for _ in range(3)]
    pages = workshop.sagemaker.get_paginator("list_pipeline_executions").paginate(
        PipelineName=name, PaginationConfig={"PageSize": 1}
    )
    listed = [one for page in pages for one in page["PipelineExecutionSummaries"]]
    assert [one["PipelineExecutionArn"] for one in listed] == arns[::-1]
    assert {one["PipelineExecutionStatus"] for one in listed} == {"Failed"}
    assert "A: a" in listed[0]["PipelineExecutionFailureReason"]
    by_arn = workshop.sagemaker.list_pipeline_executions(
        PipelineName=name, SortBy="PipelineExecutionArn", SortOrder="Ascending"
    )
    assert [one["PipelineExecutionArn"] for one in by_arn["PipelineExecutionSummaries"]] == sorted(arns)
    # boto3 sends whole seconds.
    day = timedelta(days=1)
    created = workshop.describe(arns[0])["CreationTime"]
    for bounds, count in (
        ({"CreatedBefore": created + day}, 3),
        ({"CreatedBefore": created - day}, 0),
        ({"CreatedAfter": created - day}, 3),
        ({"CreatedAfter": created + day}, 0),
    ):
        found = workshop.sagemaker.list_pipeline_executions(PipelineName=name, **bounds)
        assert len(found["PipelineExecutionSummaries"]) == count


def test_an_execution_can_be_renamed_and_an_unknown_one_is_not_found(workshop: Any) -> None:
    arn, _ = workshop.run(workshop.create("named", fail("A", "a")))
    workshop.sagemaker.update_pipeline_execution(
        PipelineExecutionArn=arn, PipelineExecutionDisplayName="nightly", PipelineExecutionDescription="why"
    )
    described = workshop.describe(arn)
    assert (described["PipelineExecutionDisplayName"], described["PipelineExecutionDescription"]) == (
        "nightly",
        "why",
    )
    unknown = arn[:-12] + "aaaaaaaaaaaa"
    client = workshop.sagemaker
    for operation in (
        client.describe_pipeline_execution,
        client.stop_pipeline_execution,
        client.retry_pipeline_execution,
        client.update_pipeline_execution,
        client.list_pipeline_execution_steps,
        client.list_pipeline_parameters_for_execution,
        client.describe_pipeline_definition_for_execution,
    ):
        with pytest.raises(ClientError) as error:
            operation(PipelineExecutionArn=unknown)
        assert error.value.response["Error"]["Code"] == "ResourceNotFound"


def test_an_internal_error_is_retried_by_policy_until_it_passes(workshop: Any) -> None:
    policy = {
        "ExceptionType": ["SageMaker.JOB_INTERNAL_ERROR"],
        "IntervalSeconds": 1,
        "BackoffRate": 1.0,
        "MaxAttempts": 10,
    }
    step = workshop.processing("Work", COUNT + "# kept on a bad disk\n", RetryPolicies=[policy])
    stored = workshop.stored(b"# kept on a bad disk")
    hidden = stored.rename(workshop.folder / "hidden")
    stored.symlink_to(stored)  # an error of the disk when the job's input is read
    arn = workshop.start(workshop.create("retried", step))
    workshop.until(
        lambda: workshop.steps(arn).get("Work", {}).get("AttemptCount", 0) >= 2, "a second attempt"
    )
    hidden.replace(stored)
    assert workshop.end(arn)["PipelineExecutionStatus"] == "Succeeded"
    work = workshop.steps(arn)["Work"]
    assert work["AttemptCount"] >= 2
    assert "FailureReason" not in work
    assert runs(workshop) == 1


def test_a_failure_of_the_scripts_own_making_is_not_retried(workshop: Any) -> None:
    policy = {"ExceptionType": ["SageMaker.JOB_INTERNAL_ERROR"], "IntervalSeconds": 1, "MaxAttempts": 3}
    code = COUNT + "raise SystemExit('my own fault')\n"
    arn, status = workshop.run(
        workshop.create("own", workshop.processing("Work", code, RetryPolicies=[policy]))
    )
    assert (status, runs(workshop), workshop.steps(arn)["Work"]["AttemptCount"]) == ("Failed", 1, 1)


def registration(group: str, **members: Any) -> dict[str, Any]:
    specification = {
        "Containers": [{"Image": "any:1", "ModelDataUrl": "s3://b/m.tar.gz"}],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }
    package = {"ModelPackageGroupName": group, "InferenceSpecification": specification, **members}
    return {"Name": "Register", "Type": "RegisterModel", "Arguments": package}


def test_a_registration_that_is_retried_registers_once(workshop: Any) -> None:
    arn = {"Get": "Steps.Register.ModelPackageArn"}
    name = workshop.create(
        "registering",
        registration("once"),
        fail("After", {"Std:Join": {"On": " ", "Values": ["registered", arn]}}),
    )
    execution, _ = workshop.run(name)
    workshop.sagemaker.retry_pipeline_execution(PipelineExecutionArn=execution)
    workshop.end(execution)
    listed = workshop.sagemaker.list_model_packages(ModelPackageGroupName="once")["ModelPackageSummaryList"]
    assert len(listed) == 1
    reason = workshop.steps(execution)["After"]["FailureReason"]
    assert reason == f"registered {listed[0]['ModelPackageArn']}"
    workshop.run(name)
    listed = workshop.sagemaker.list_model_packages(ModelPackageGroupName="once")["ModelPackageSummaryList"]
    assert len(listed) == 2


def test_executions_that_register_at_once_into_a_new_group_all_succeed(workshop: Any) -> None:
    names = [workshop.create(f"at-once-{number}", registration("at-once")) for number in range(6)]
    executions = [workshop.start(name) for name in names]
    ends = [workshop.end(execution)["PipelineExecutionStatus"] for execution in executions]
    assert ends == ["Succeeded"] * 6, [workshop.steps(execution) for execution in executions]
    listed = workshop.sagemaker.list_model_packages(ModelPackageGroupName="at-once")
    versions = [package["ModelPackageVersion"] for package in listed["ModelPackageSummaryList"]]
    assert sorted(versions) == [1, 2, 3, 4, 5, 6]


def test_the_tags_of_a_registration_are_those_of_the_group_that_it_creates(workshop: Any) -> None:
    def tags_of(group: str) -> list[dict[str, str]]:
        arn = workshop.sagemaker.describe_model_package_group(ModelPackageGroupName=group)[
            "ModelPackageGroupArn"
        ]
        found: list[dict[str, str]] = workshop.sagemaker.list_tags(ResourceArn=arn)["Tags"]
        return found

    first, other = {"Key": "team", "Value": "rc"}, {"Key": "team", "Value": "algo"}
    _, status = workshop.run(workshop.create("tagging", registration("tagged", Tags=[first])))
    assert (status, tags_of("tagged")) == ("Succeeded", [first])
    _, status = workshop.run(workshop.create("tagging-again", registration("tagged", Tags=[other])))
    assert (status, tags_of("tagged")) == ("Succeeded", [first])


TRAIN = """
import json
given = json.loads(pathlib.Path("/opt/ml/input/config/hyperparameters.json").read_text())
MODEL.mkdir(parents=True, exist_ok=True)
(MODEL / "weights").write_text(given["depth"])
with (SHARED / "runs").open("a") as runs:
    runs.write("x")
"""
OPEN = """
import tarfile
with tarfile.open("/opt/ml/processing/input/model/model.tar.gz") as archive:
    (SHARED / "weights").write_bytes(archive.extractfile("weights").read())
"""


def test_a_training_steps_model_is_what_the_next_step_is_given(workshop: Any) -> None:
    depth = {"Std:Join": {"On": "", "Values": [{"Get": "Parameters.Depth"}]}}
    caching = {"Enabled": True, "ExpireAfter": "P1D"}
    artifact = {"Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"}
    name = workshop.create(
        "training",
        workshop.training("Train", TRAIN, {"depth": depth}, CacheConfig=caching),
        workshop.processing("Open", OPEN, inputs={"model": artifact}),
        parameters=[{"Name": "Depth", "Type": "Integer", "DefaultValue": 6}],
    )
    for given, trained in (({}, 1), ({"Depth": "7"}, 2), ({"Depth": "6"}, 2)):
        arn, status = workshop.run(name, given)
        assert status == "Succeeded", workshop.steps(arn)
        assert (workshop.folder / "weights").read_text() == given.get("Depth", "6")
        assert runs(workshop) == trained
    assert "training-job/pipelines-" in workshop.steps(arn)["Train"]["Metadata"]["TrainingJob"]["Arn"]


def test_a_number_where_the_api_wants_text_fails_the_step_by_name(workshop: Any) -> None:
    name = workshop.create(
        "untexted",
        workshop.training("Train", TRAIN, {"depth": {"Get": "Parameters.Depth"}}),
        parameters=[{"Name": "Depth", "Type": "Integer", "DefaultValue": 6}],
    )
    arn, status = workshop.run(name)
    assert status == "Failed"
    assert "hyperParameters.depth" in workshop.steps(arn)["Train"]["FailureReason"]


def test_parallelism_can_be_changed_while_an_execution_runs(workshop: Any) -> None:
    name = workshop.create(
        "widened",
        workshop.processing("A", f"NAME, OTHER = 'a', 'b'\n{MEET}"),
        workshop.processing("B", f"NAME, OTHER = 'b', 'a'\n{MEET}"),
    )
    arn = workshop.start(name, ParallelismConfiguration=IN_PEACE)
    workshop.left("a")
    workshop.sagemaker.update_pipeline_execution(
        PipelineExecutionArn=arn, ParallelismConfiguration={"MaxParallelExecutionSteps": 2}
    )
    assert workshop.end(arn)["PipelineExecutionStatus"] == "Succeeded"


def test_a_reason_that_quotes_half_a_character_does_not_hide_the_steps(workshop: Any) -> None:
    fail = {"Name": "Half", "Type": "Fail", "Arguments": {"ErrorMessage": "no \ud800"}}
    arn, status = workshop.run(workshop.create("half-a-character", fail))
    assert status == "Failed"
    assert workshop.steps(arn)["Half"]["FailureReason"].startswith("no ")


def test_a_message_that_is_no_text_is_shown_as_one(workshop: Any) -> None:
    workshop.s3.put_object(Bucket=workshop.bucket, Key="metrics/odd.json", Body=b'{"accuracy": NaN}')
    accuracy = {"Std:JsonGet": {"S3Uri": f"s3://{workshop.bucket}/metrics/odd.json", "Path": "accuracy"}}
    fail = {"Name": "Odd", "Type": "Fail", "Arguments": {"ErrorMessage": accuracy}}
    arn, status = workshop.run(workshop.create("odd-message", fail))
    assert status == "Failed"
    assert workshop.steps(arn)["Odd"]["Metadata"]["Fail"]["ErrorMessage"] == "nan"


def test_an_experiment_that_cannot_be_one_is_refused_at_the_start(workshop: Any) -> None:
    name = workshop.create("odd-experiment", workshop.processing("A", "pass"))
    steps = [{"Name": "F", "Type": "Fail", "Arguments": {}}]
    experiment = {"ExperimentName": {"Get": "Parameters.Name"}}
    parameters = [{"Name": "Name", "Type": "String", "DefaultValue": "no such name!"}]
    definition = {
        "Version": "2020-12-01",
        "Parameters": parameters,
        "PipelineExperimentConfig": experiment,
        "Steps": steps,
    }
    workshop.sagemaker.update_pipeline(PipelineName=name, PipelineDefinition=json.dumps(definition))
    with pytest.raises(ClientError, match="'no such name!' at 'experimentName'"):
        workshop.start(name)
    arn = workshop.start(name, {"Name": "good"})
    assert workshop.describe(arn)["PipelineExperimentConfig"] == {"ExperimentName": "good"}


def test_the_mlflow_server_and_experiment_are_shown_and_a_start_can_name_another_experiment(
    workshop: Any,
) -> None:
    name = workshop.create("tracked", workshop.processing("A", "pass"))
    server = "arn:aws:sagemaker:eu-west-1:111122223333:mlflow-app/app-ABC123"
    definition = {
        "Version": "2020-12-01",
        "Steps": [{"Name": "F", "Type": "Fail", "Arguments": {}}],
        "MlflowConfig": {
            "MlflowResourceArn": server,
            "MlflowExperimentName": {"Get": "Execution.PipelineName"},
        },
    }
    with pytest.raises(
        ClientError, match="MlflowExperimentName for a definition without MlflowConfig is not"
    ):
        workshop.start(name, MlflowExperimentName="other")
    workshop.sagemaker.update_pipeline(PipelineName=name, PipelineDefinition=json.dumps(definition))
    shown = workshop.describe(workshop.start(name))["MLflowConfig"]
    assert shown == {"MlflowResourceArn": server, "MlflowExperimentName": name}
    shown = workshop.describe(workshop.start(name, MlflowExperimentName="other"))["MLflowConfig"]
    assert shown == {"MlflowResourceArn": server, "MlflowExperimentName": "other"}
    definition["MlflowConfig"] = {"MlflowResourceArn": server, "MlflowExperimentName": None}
    workshop.sagemaker.update_pipeline(PipelineName=name, PipelineDefinition=json.dumps(definition))
    assert workshop.describe(workshop.start(name))["MLflowConfig"] == {"MlflowResourceArn": server}
    definition["MlflowConfig"] = {"MlflowResourceArn": "http://127.0.0.1:5000"}
    workshop.sagemaker.update_pipeline(PipelineName=name, PipelineDefinition=json.dumps(definition))
    with pytest.raises(ClientError, match="5000' at 'mlflowResourceArn'"):
        workshop.start(name)
