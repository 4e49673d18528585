"""What the compiled document says: asserted by meaning, not compared as a whole."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from aws_formats.definition_language import all_steps
from pipelines.definition.compile import Compiled, compile_pipeline
from pipelines.definition.sources import Sources, gather_sources
from pipelines.infra.stacks import NAME_LIMIT
from pipelines.settings.project import Project
from pipelines.settings.target import Target, resolve_target
from pipelines.upsert.changes import describe_changes

JOBS = ("PreprocessData", "TrainModel", "EvaluateModel")


@pytest.fixture(scope="module")
def document(compiled: Compiled) -> dict[str, Any]:
    return json.loads(compiled.definition)


@pytest.fixture(scope="module")
def regression(compiled_regression: Compiled) -> dict[str, Any]:
    return json.loads(compiled_regression.definition)


@pytest.fixture(scope="module")
def multiclass(compiled_multiclass: Compiled) -> dict[str, Any]:
    return json.loads(compiled_multiclass.definition)


def step(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    return next(found for found in all_steps(document["Steps"]) if found["Name"] == name)


def by_name(entries: list[dict[str, Any]], key: str) -> dict[str, dict[str, Any]]:
    return {entry[key]: entry for entry in entries}


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from strings(item)


def test_parameters_have_the_names_and_types_that_people_set(document: dict[str, Any]) -> None:
    declared = {item["Name"]: item["Type"] for item in document["Parameters"]}
    assert declared == {
        "InputDataUri": "String",
        "DatasetVersion": "String",
        "ProcessingInstanceType": "String",
        "ProcessingInstanceCount": "Integer",
        "TrainingInstanceType": "String",
        "TrainingInstanceCount": "Integer",
        "AccuracyThreshold": "Float",
        "ModelApprovalStatus": "String",
        "RegisterAgain": "String",
        "MaxDepth": "Integer",
        "Eta": "Float",
        "NumRound": "Integer",
        "Subsample": "Float",
        "MinChildWeight": "Float",
        "EarlyStoppingRounds": "Integer",
    }


def test_defaults_come_from_the_settings(compiled: Compiled, project: Project) -> None:
    assert compiled.parameters["AccuracyThreshold"] == project.accuracy_threshold
    assert compiled.parameters["MaxDepth"] == project.training.max_depth
    assert compiled.parameters["InputDataUri"] == compiled.dataset.uri
    assert compiled.parameters["DatasetVersion"] == compiled.dataset.version


def test_a_new_version_waits_for_approval_unless_a_start_says_otherwise(document: dict[str, Any]) -> None:
    status = by_name(document["Parameters"], "Name")["ModelApprovalStatus"]
    assert status["DefaultValue"] == "PendingManualApproval"
    assert set(status["EnumValues"]) == {"PendingManualApproval", "Approved", "Rejected"}
    assert step(document, "RegisterModel")["Arguments"]["ModelApprovalStatus"] == {
        "Get": "Parameters.ModelApprovalStatus"
    }


def test_the_steps_stand_in_their_order_and_the_model_is_registered_behind_the_gate(
    document: dict[str, Any],
) -> None:
    assert document["Version"] == "2020-12-01"
    assert [(item["Name"], item["Type"]) for item in document["Steps"]] == [
        ("PreprocessData", "Processing"),
        ("TrainModel", "Training"),
        ("EvaluateModel", "Processing"),
        ("CheckAccuracy", "Condition"),
    ]
    gate = step(document, "CheckAccuracy")["Arguments"]
    assert [item["Type"] for item in gate["IfSteps"]] == ["Lambda", "Condition"]
    is_new = step(document, "CheckIfNew")["Arguments"]
    assert [item["Type"] for item in is_new["IfSteps"]] == ["RegisterModel"]
    assert is_new["ElseSteps"] == []
    assert [item["Type"] for item in gate["ElseSteps"]] == ["Fail"]


def test_every_jobs_name_begins_with_the_project_and_leaves_sagemaker_room_for_its_own(
    document: dict[str, Any], project: Project, local: Target, sources: Sources
) -> None:
    names = {name: job_name(step(document, name)) for name in JOBS}
    assert names == {name: f"{project.name}-{name.lower()}" for name in JOBS}
    longest = project.model_copy(update={"short_name": "x" * 36})
    assert len(longest.name) == NAME_LIMIT
    for found in json.loads(compile_pipeline(longest, local, sources).definition)["Steps"][: len(JOBS)]:
        assert job_name(found) == longest.name


def job_name(found: dict[str, Any]) -> str:
    return str(found["Arguments"][f"{found['Type']}JobName"])


def test_no_experiment_is_asked_for(document: dict[str, Any]) -> None:
    assert document["PipelineExperimentConfig"] is None


@pytest.mark.parametrize("server", ["mlflow-app/app-ABC123DEF456", "mlflow-tracking-server/team"])
def test_an_mlflow_server_is_named_where_the_settings_name_one_and_changes_nothing_else(
    server: str,
    document: dict[str, Any],
    tmp_path: Path,
    make_project: Callable[..., Project],
    sources: Sources,
) -> None:
    arn = f"arn:aws:sagemaker:eu-west-1:111122223333:{server}"
    tracked = make_project(tmp_path / "tracked", ('owner = "rc-ml"', f'owner = "rc-ml"\nmlflow = "{arn}"'))
    found = json.loads(compile_pipeline(tracked, resolve_target(tracked, "local", {}), sources).definition)
    assert document["MlflowConfig"] is None
    assert found["MlflowConfig"] == {"MlflowResourceArn": arn, "MlflowExperimentName": "rc-fraud-detection"}
    assert {**found, "MlflowConfig": None} == document
    assert list(describe_changes(document, found)) == [
        f"the pipeline: MlflowConfig.MlflowResourceArn nothing -> {arn}",
        "the pipeline: MlflowConfig.MlflowExperimentName nothing -> rc-fraud-detection",
    ]


def test_every_step_reads_well_in_studio(document: dict[str, Any]) -> None:
    for found in all_steps(document["Steps"]):
        assert found["DisplayName"] != found["Name"]
        assert len(found["Description"]) > 40


def test_steps_are_retried_when_waiting_helps_and_jobs_are_cached(document: dict[str, Any]) -> None:
    for name in (*JOBS, "RegisterModel"):
        kinds = {kind for policy in step(document, name)["RetryPolicies"] for kind in policy["ExceptionType"]}
        assert {"Step.THROTTLING", "Step.SERVICE_FAULT"} <= kinds
    for name in JOBS:
        kinds = {kind for policy in step(document, name)["RetryPolicies"] for kind in policy["ExceptionType"]}
        assert {"SageMaker.CAPACITY_ERROR", "SageMaker.JOB_INTERNAL_ERROR"} <= kinds
        assert step(document, name)["CacheConfig"] == {"Enabled": True, "ExpireAfter": "P30D"}


def test_the_gate_of_an_error_opens_only_strictly_below_its_threshold(regression: dict[str, Any]) -> None:
    condition, _ = step(regression, "CheckRmse")["Arguments"]["Conditions"]
    assert condition["Type"] == "LessThan"
    assert condition["RightValue"] == {"Get": "Parameters.RmseThreshold"}
    assert condition["LeftValue"]["Std:JsonGet"]["Path"] == "regression_metrics.rmse.value"
    (parameter,) = (one for one in regression["Parameters"] if one["Name"] == "RmseThreshold")
    assert parameter["DefaultValue"] == 9.0
    assert step(regression, "RegisterModel")["Arguments"]["Task"] == "REGRESSION"


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_the_gate_opens_only_strictly_above_the_threshold(request: Any, task: str) -> None:
    document = request.getfixturevalue("document" if task == "binary" else "multiclass")
    condition, verdict = step(document, "CheckAccuracy")["Arguments"]["Conditions"]
    assert condition["Type"] == "GreaterThan"
    assert condition["RightValue"] == {"Get": "Parameters.AccuracyThreshold"}
    assert condition["LeftValue"]["Std:JsonGet"] == {
        "PropertyFile": {"Get": "Steps.EvaluateModel.PropertyFiles.Statistics"},
        "Path": f"{task}_classification_metrics.accuracy.value",
    }
    assert verdict["Type"] == "Equals"
    assert verdict["RightValue"] == "passed"
    assert verdict["LeftValue"]["Std:JsonGet"] == {
        "PropertyFile": {"Get": "Steps.EvaluateModel.PropertyFiles.Verdict"},
        "Path": "verdict",
    }
    assert step(document, "EvaluateModel")["PropertyFiles"] == [
        {"PropertyFileName": "Statistics", "OutputName": "evaluation", "FilePath": "statistics.json"},
        {"PropertyFileName": "Verdict", "OutputName": "evaluation", "FilePath": "verdict.json"},
    ]


def test_the_failure_gives_the_evaluations_own_last_words(document: dict[str, Any]) -> None:
    message = step(document, "ModelRefused")["Arguments"]["ErrorMessage"]["Std:Join"]["Values"]
    assert message == ["The model is not registered: ", {"Get": "Steps.EvaluateModel.ExitMessage"}]


def test_the_evaluation_is_told_the_threshold_of_each_start(document: dict[str, Any]) -> None:
    arguments = step(document, "EvaluateModel")["Arguments"]["AppSpecification"]["ContainerArguments"]
    assert arguments[2:4] == [
        "--threshold",
        {"Std:Join": {"On": "", "Values": [{"Get": "Parameters.AccuracyThreshold"}]}},
    ]


def test_the_evaluation_is_told_whose_data_it_is_and_nothing_that_each_execution_has_anew(
    document: dict[str, Any],
) -> None:
    specification = step(document, "EvaluateModel")["Arguments"]["AppSpecification"]
    assert specification["ContainerArguments"][4:] == [
        "--project",
        "rc-fraud-detection",
        "--data-source",
        {"Get": "Parameters.InputDataUri"},
        {"Std:Join": {"On": "=", "Values": ["--data-version", {"Get": "Parameters.DatasetVersion"}]}},
    ]
    assert "Execution." not in json.dumps(specification)


def test_every_program_is_told_where_opt_ml_is(document: dict[str, Any]) -> None:
    programs = {
        "PreprocessData": ("AppSpecification", "/opt/ml/processing/input/code/preprocess.py"),
        "TrainModel": ("AlgorithmSpecification", "/opt/ml/input/data/code/train.py"),
        "EvaluateModel": ("AppSpecification", "/opt/ml/processing/input/code/evaluate.py"),
    }
    for name, (member, program) in programs.items():
        specification = step(document, name)["Arguments"][member]
        assert specification["ContainerEntrypoint"] == ["python3", program]
        assert specification["ContainerArguments"][:2] == ["--opt-ml", "/opt/ml"]
        image = specification.get("ImageUri") or specification["TrainingImage"]
        assert image.endswith("sagemaker-xgboost:3.2-0")


def test_code_and_settings_are_inputs_named_by_content(document: dict[str, Any], sources: Sources) -> None:
    inputs = by_name(step(document, "PreprocessData")["Arguments"]["ProcessingInputs"], "InputName")
    assert inputs["code"]["S3Input"]["S3Uri"] == sources.processing.uri("gatehouse-local")
    assert inputs["settings"]["S3Input"]["S3Uri"] == sources.settings.uri("gatehouse-local")
    assert inputs["raw"]["S3Input"]["S3Uri"] == {"Get": "Parameters.InputDataUri"}
    channels = by_name(step(document, "TrainModel")["Arguments"]["InputDataConfig"], "ChannelName")
    assert set(channels) == {"train", "validation", "schema", "code"}
    code = channels["code"]["DataSource"]["S3DataSource"]["S3Uri"]
    assert code == sources.training.uri("gatehouse-local")


def test_each_execution_has_outputs_of_its_own(document: dict[str, Any]) -> None:
    outputs = by_name(
        step(document, "PreprocessData")["Arguments"]["ProcessingOutputConfig"]["Outputs"], "OutputName"
    )
    assert set(outputs) == {"train", "validation", "test", "schema", "quality", "sample"}
    assert outputs["train"]["S3Output"]["S3Uri"]["Std:Join"]["Values"] == [
        "s3://gatehouse-local/rc-fraud-detection/executions",
        {"Get": "Execution.PipelineExecutionId"},
        "PreprocessData",
        "train",
    ]


def test_evaluation_runs_on_one_instance(document: dict[str, Any]) -> None:
    def count(name: str) -> Any:
        return step(document, name)["Arguments"]["ProcessingResources"]["ClusterConfig"]["InstanceCount"]

    assert count("EvaluateModel") == 1
    assert count("PreprocessData") == {"Get": "Parameters.ProcessingInstanceCount"}


def test_hyperparameters_are_strings_and_the_tunable_ones_parameters(document: dict[str, Any]) -> None:
    given = step(document, "TrainModel")["Arguments"]["HyperParameters"]
    assert given["max_depth"] == {"Std:Join": {"On": "", "Values": [{"Get": "Parameters.MaxDepth"}]}}
    fixed = {name: value for name, value in given.items() if isinstance(value, str)}
    assert fixed == {
        "seed": "0",
        "class_weights": "balanced",
        "device": "auto",
        "external_memory": "auto",
        "lambda": "2.0",
        "grow_policy": "lossguide",
    }


def test_checkpoints_lie_where_a_retry_finds_them_and_the_step_cache_still_hits(
    document: dict[str, Any], project: Project, local: Target
) -> None:
    """The prefix follows from the preprocessing job, not the execution; only the role may write there."""
    uri = step(document, "TrainModel")["Arguments"]["CheckpointConfig"]["S3Uri"]["Std:Join"]
    root = f"s3://{local.bucket}/{project.name}/executions/checkpoints"
    assert uri == {"On": "/", "Values": [root, {"Get": "Steps.PreprocessData.ProcessingJobName"}]}


def test_each_training_instance_gets_files_of_its_own(document: dict[str, Any]) -> None:
    channels = step(document, "TrainModel")["Arguments"]["InputDataConfig"]
    given = {
        channel["ChannelName"]: channel["DataSource"]["S3DataSource"]["S3DataDistributionType"]
        for channel in channels
    }
    whole, shared = "FullyReplicated", "ShardedByS3Key"
    assert given == {"train": shared, "validation": shared, "schema": whole, "code": whole}


def test_what_a_training_runs_on_is_in_its_request(
    make_project: Callable[..., Project], tmp_path: Path, programs: Path, document: dict[str, Any]
) -> None:
    def arguments(settings: str) -> dict[str, Any]:
        table = "[projects.rc.fraud-detection.training]\n"
        project = make_project(tmp_path / settings.split()[0], (table, f"{table}{settings}\n"))
        target = resolve_target(project, "local", {})
        compiled = compile_pipeline(
            project, target, gather_sources(project, target, programs=programs, environ={})
        )
        found: dict[str, Any] = step(json.loads(compiled.definition), "TrainModel")["Arguments"]
        return found

    usual = step(document, "TrainModel")["Arguments"]
    assert "EnableManagedSpotTraining" not in usual
    assert usual["StoppingCondition"] == {"MaxRuntimeInSeconds": 4 * 3600}
    assert {"device": "auto", "external_memory": "auto"}.items() <= usual["HyperParameters"].items()
    spot = arguments("spot = true")
    assert spot["EnableManagedSpotTraining"] is True
    hours = {"MaxRuntimeInSeconds": 4 * 3600, "MaxWaitTimeInSeconds": 8 * 3600}
    assert spot["StoppingCondition"] == hours
    waiting = arguments("max_wait_hours = 5\nspot = true")
    assert waiting["StoppingCondition"] == hours | {"MaxWaitTimeInSeconds": 5 * 3600}
    kept = arguments('keep_alive_minutes = 60\ndevice = "cuda"\nexternal_memory = "never"')
    assert kept["ResourceConfig"]["KeepAlivePeriodInSeconds"] == 3600
    assert {"device": "cuda", "external_memory": "never"}.items() <= kept["HyperParameters"].items()


@pytest.mark.parametrize(
    ("fixture", "loss"), [("document", "logloss"), ("multiclass", "mlogloss"), ("regression", "rmse")]
)
def test_metric_definitions_catch_what_training_prints(request: Any, fixture: str, loss: str) -> None:
    import re

    document = request.getfixturevalue(fixture)
    log = f"[12]\ttrain-{loss}:0.1\tvalidation-{loss}:9.12e-02\nbest_iteration=37 validation-{loss}=0.0912\n"
    caught = {
        metric["Name"]: re.findall(metric["Regex"], log)
        for metric in step(document, "TrainModel")["Arguments"]["AlgorithmSpecification"]["MetricDefinitions"]
    }
    assert caught == {f"train:{loss}": ["0.1"], f"validation:{loss}": ["9.12e-02"], "best:iteration": ["37"]}


def test_a_version_carries_its_metrics_its_data_report_and_a_sample(document: dict[str, Any]) -> None:
    arguments = step(document, "RegisterModel")["Arguments"]
    metrics = arguments["ModelMetrics"]
    for metric, output in (("ModelQuality", "EvaluateModel"), ("ModelDataQuality", "PreprocessData")):
        reference, name = metrics[metric]["Statistics"]["S3Uri"]["Std:Join"]["Values"]
        assert reference["Get"].startswith(f"Steps.{output}.ProcessingOutputConfig.Outputs[")
        assert name == "statistics.json"
    assert "payload.tar.gz" in strings(arguments["SamplePayloadUrl"])
    assert (arguments["Domain"], arguments["Task"]) == ("MACHINE_LEARNING", "CLASSIFICATION")
    assert arguments["ModelPackageGroupName"] == "rc-fraud-detection"


def test_a_version_can_be_deployed_as_it_is(document: dict[str, Any]) -> None:
    specification = step(document, "RegisterModel")["Arguments"]["InferenceSpecification"]
    (container,) = specification["Containers"]
    assert container["Environment"] == {
        "SAGEMAKER_PROGRAM": "inference.py",
        "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
    }
    assert container["ModelDataUrl"] == {"Get": "Steps.TrainModel.ModelArtifacts.S3ModelArtifacts"}
    types = ["text/csv", "application/json", "application/x-parquet"]
    assert specification["SupportedContentTypes"] == types


def test_a_version_says_where_it_comes_from(document: dict[str, Any], sources: Sources) -> None:
    metadata = step(document, "RegisterModel")["Arguments"]["CustomerMetadataProperties"]
    assert metadata["git_commit"] == "c0ffee"
    assert metadata["owner"] == "rc-ml"
    assert metadata["algorithm"] == "xgboost 3.2-0"
    assert metadata["training_code"] == sources.training.digest
    assert metadata["dataset_uri"] == {"Get": "Parameters.InputDataUri"}
    assert metadata["dataset_version"] == {"Get": "Parameters.DatasetVersion"}
    assert metadata["execution_arn"] == {"Get": "Execution.PipelineExecutionArn"}
    assert "Std:Join" in metadata["accuracy_threshold"]
    assert {"Get": "Parameters.Eta"} in metadata["hyperparameters"]["Std:Join"]["Values"]
    assert metadata["hyperparameter.lambda"] == "2.0"
    assert "created_by" in metadata


def test_the_model_card_is_a_draft_of_what_the_settings_say(document: dict[str, Any]) -> None:
    card = step(document, "RegisterModel")["Arguments"]["ModelCard"]
    assert card["ModelCardStatus"] == "Draft"
    assert json.loads(card["ModelCardContent"]) == {
        "model_overview": {"model_creator": "rc-ml"},
        "intended_uses": {"purpose_of_model": "Stops payments for a second look", "risk_rating": "Medium"},
        "additional_information": {"ethical_considerations": "A stopped payment costs its owner time"},
    }


def test_a_sagemaker_projects_tags_are_on_the_pipeline_and_its_jobs(
    compiled_multiclass: Compiled, multiclass: dict[str, Any]
) -> None:
    assert compiled_multiclass.tags["sagemaker:project-name"] == "cards"
    for name in JOBS:
        tags = {tag["Key"]: tag["Value"] for tag in step(multiclass, name)["Arguments"]["Tags"]}
        assert tags == compiled_multiclass.tags
        assert tags["sagemaker:project-id"] == "p-1234"


def test_data_in_s3_is_used_where_it_is(compiled_multiclass: Compiled) -> None:
    assert compiled_multiclass.parameters["InputDataUri"] == "s3://shared-data/cards/"
    assert compiled_multiclass.parameters["DatasetVersion"] == "2026-10"
    assert compiled_multiclass.dataset.files == ()


def test_in_aws_role_and_bucket_are_the_targets(multiclass: dict[str, Any]) -> None:
    for name in JOBS:
        assert step(multiclass, name)["Arguments"]["RoleArn"] == "arn:aws:iam::111122223333:role/pipelines"
    assert "gatehouse-local" not in json.dumps(multiclass)


@pytest.fixture(scope="module")
def with_champion(
    tmp_path_factory: pytest.TempPathFactory, make_project: Callable[..., Project], programs: Path
) -> Compiled:
    gate = ("accuracy_threshold = 0.9\n", 'accuracy_threshold = 0.9\ngate.champion = "prod"\n')
    project = make_project(tmp_path_factory.mktemp("champion"), gate)
    target = resolve_target(project, "local", {})
    return compile_pipeline(project, target, gather_sources(project, target, programs=programs))


def test_a_champion_is_found_after_the_training_and_given_to_the_evaluation(with_champion: Compiled) -> None:
    document = json.loads(with_champion.definition)
    names = [item["Name"] for item in document["Steps"]]
    assert names == ["PreprocessData", "TrainModel", "FindChampion", "EvaluateModel", "CheckAccuracy"]
    find = step(document, "FindChampion")
    assert find["DependsOn"] == ["TrainModel"]
    assert find["Arguments"]["Environment"] == "prod"
    assert "CacheConfig" not in find, "what serves may be another every time"
    assert find["FunctionArn"].endswith(":function:rc-fraud-detection-find-champion")
    evaluate = step(document, "EvaluateModel")["Arguments"]
    inputs = by_name(evaluate["ProcessingInputs"], "InputName")
    found = "Steps.FindChampion.OutputParameters['{}']"
    assert inputs["champion"]["S3Input"]["S3Uri"] == {"Get": found.format("ArtifactUri")}
    arguments = evaluate["AppSpecification"]["ContainerArguments"]
    assert arguments[4:8:2] == ["--champion-version", "--champion-sha256"]
    assert [one["Std:Join"]["Values"] for one in arguments[5:8:2]] == [
        [{"Get": found.format("Version")}],
        [{"Get": found.format("Sha256")}],
    ]


def test_without_a_network_the_jobs_need_no_subnets(
    tmp_path: Path, make_project: Callable[..., Project], programs: Path
) -> None:
    isolated = ("accuracy_threshold = 0.9\n", "accuracy_threshold = 0.9\nnetwork.isolation = true\n")
    project = make_project(tmp_path / "isolated", isolated)
    target = resolve_target(project, "local", {})
    compiled = compile_pipeline(project, target, gather_sources(project, target, programs=programs))
    document = json.loads(compiled.definition)
    train = step(document, "TrainModel")["Arguments"]
    assert train["EnableNetworkIsolation"] is True
    assert "VpcConfig" not in train
    assert step(document, "EvaluateModel")["Arguments"]["NetworkConfig"] == {"EnableNetworkIsolation": True}
