"""Every role may do what its part asks for: derived from the definition, the documentation, real calls."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from automated_project import BROKEN, AutomatedProject
from permissions_page import on_the_key, recorded, rows
from policies import (
    ACCOUNT,
    BUCKET,
    EXECUTION_ROLE,
    KEY,
    PROJECT,
    REGION,
    allows,
    listed,
    resources,
    statements,
)
from registered_models import packed

from automation.context import read_context
from aws_formats.definition_language import all_steps
from pipelines.definition.compile import compile_pipeline
from pipelines.definition.limits import OPERATIONS
from pipelines.infra.stacks import Kind, build_stack, site_of
from pipelines.settings.projects_file import load_settings
from pipelines.settings.target import Target

ROOT = Path(__file__).resolve().parents[2]
SAGEMAKER = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}"
SETTINGS = f"""
[projects.rc.fraud-detection]
description = "Finds fraudulent card payments"
owner = "rc-ml"
task = "binary"
accuracy_threshold = 0.9
region = "{REGION}"

[projects.rc.fraud-detection.data]
source = "s3://raw-data/payments/"
version = "1"
target = "fraud"

[projects.rc.fraud-detection.network]
subnets = ["subnet-0a1b2c3d"]
security_groups = ["sg-0a1b2c3d"]
isolation = true
kms_key = "{KEY}"
"""
BESIDE_THE_STEPS = {
    "cloudwatch:PutMetricData",
    "ec2:CreateNetworkInterface",
    "ec2:CreateNetworkInterfacePermission",
    "ec2:DeleteNetworkInterface",
    "ec2:DeleteNetworkInterfacePermission",
    "ec2:DescribeDhcpOptions",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
    "ecr:GetAuthorizationToken",
    "kms:CreateGrant",  # volumes
    "kms:DescribeKey",
    "logs:CreateLogGroup",
    "logs:CreateLogStream",
    "logs:DescribeLogStreams",
    "logs:PutLogEvents",
    "s3:AbortMultipartUpload",
    "s3:GetBucketLocation",
    "sagemaker:CreateModelPackageGroup",  # RegisterModel makes the group that is missing
    "sagemaker:DescribeModelPackage",
    "sagemaker:DescribeModelPackageGroup",
}
"""What no step names; AWS's page on execution roles lists it for jobs, VPC, KMS and versions."""

BESIDE_THE_COMMANDS = {
    "codebuild:BatchPutTestCases",
    "codebuild:CreateReport",
    "codebuild:CreateReportGroup",
    "codebuild:UpdateReport",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "s3:AbortMultipartUpload",
    "s3:GetBucketLocation",
}
"""What CodeBuild itself does under CI's role, and what S3 asks for besides."""

ONLY_SOMETIMES = {
    "logs:CreateLogStream",
    "logs:DescribeLogStreams",
    "logs:GetLogEvents",
    "logs:PutLogEvents",
    "s3:ListBucket",
    "sagemaker:ListPipelineExecutionSteps",
    "sqs:SendMessage",
    "sts:AssumeRole",
}
"""The functions': of an endpoint that failed, by Lambda itself, where an object is missing, of a
version that a pipeline registered, in another account."""

_PERMISSION = {"HeadObject": "GetObject"}
"""Calls whose permission has another name."""

BY_HAND_IN_CI = {"run", "logs", "stop", "retry"}
"""Commands that the build does not run today and that people add to it."""


@pytest.fixture(scope="module")
def definition(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The compiled pipeline of a project that uses its own network and key."""
    file = tmp_path_factory.mktemp("settings") / "projects.toml"
    file.write_text(SETTINGS)
    target = Target("aws", REGION, ACCOUNT, EXECUTION_ROLE, BUCKET)
    document: dict[str, Any] = json.loads(
        compile_pipeline(load_settings(file).project(PROJECT), target).definition
    )
    return document


def jobs(definition: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for step in all_steps(definition["Steps"]):
        if step["Type"] in ("Processing", "Training"):
            yield step


def strings(value: Any) -> Iterator[str]:
    """Every text in a value; a join of texts and references counts with what it begins with."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from strings(item)


def test_the_pipelines_role_may_do_what_its_definition_asks_for_and_nothing_else(
    definition: dict[str, Any],
) -> None:
    policy = statements(
        resources("foundation", KmsKeyArn=KEY, InVpc="true", DataBucket="raw-data"), "ExecutionRole"
    )
    asked: set[tuple[str, str]] = {("iam:PassRole", EXECUTION_ROLE)}
    for step in all_steps(definition["Steps"]):
        if step["Type"] == "Lambda":
            asked.add(("lambda:InvokeFunction", step["FunctionArn"]))
        operation = OPERATIONS.get(step["Type"])
        if operation == "CreateModelPackage":
            for action in (operation, "AddTags"):  # Pipelines tags what it makes
                asked.add((f"sagemaker:{action}", f"{SAGEMAKER}:model-package-group/{PROJECT}"))
        elif operation:
            kind = step["Type"]
            prefix = step["Arguments"][f"{kind}JobName"]
            job = f"{SAGEMAKER}:{kind.lower()}-job/{prefix}-abc123"
            for verb in ("Create", "Describe", "Stop"):
                asked.add((f"sagemaker:{operation.replace('Create', verb)}", job))
            asked.add(("sagemaker:AddTags", job))
    prefixes = {text for text in strings(definition) if text.startswith("s3://")}
    assert any(text.startswith("s3://raw-data/") for text in prefixes)
    for text in prefixes:
        key = f"{text.removeprefix('s3://').rstrip('/')}/file"
        asked.add(("s3:GetObject", f"arn:aws:s3:::{key}"))
        asked.add(("s3:ListBucket", f"arn:aws:s3:::{key.partition('/')[0]}"))
        if "/executions" in text:
            asked.add(("s3:PutObject", f"arn:aws:s3:::{key}"))
    image = next(text for text in strings(definition) if ".dkr.ecr." in text)
    registry, name = image.split(":")[0].split("/")
    repository = f"arn:aws:ecr:{REGION}:{registry.split('.')[0]}:repository/{name}"
    for action in ("BatchGetImage", "GetDownloadUrlForLayer", "BatchCheckLayerAvailability"):
        asked.add((f"ecr:{action}", repository))
    for action in ("Encrypt", "Decrypt", "GenerateDataKey"):
        asked.add((f"kms:{action}", KEY))
    assert {one for one in asked if not allows(policy, *one)} == set()
    assert actions_of(policy) == {action for action, _ in asked} | BESIDE_THE_STEPS


def test_a_given_role_gets_no_permissions_from_us_and_a_given_bucket_no_policy() -> None:
    given = "arn:aws:iam::000000000000:role/theirs"
    found = resources("foundation", ExecutionRoleArn=given, CreateBucket="false")
    assert not {"ExecutionRole", "ExecutionPolicy", "ArtifactBucket", "ArtifactBucketPolicy"} & found.keys()
    policy = statements(found, "CiRole")
    assert allows(policy, "iam:PassRole", given)
    assert not allows(policy, "iam:PassRole", EXECUTION_ROLE)
    assert allows(policy, "s3:PutObject", f"arn:aws:s3:::{BUCKET}/{PROJECT}/code/0a1b/train.py")


def test_the_pipelines_role_watches_the_alarms_of_its_environments_and_no_others(tmp_path: Path) -> None:
    environments = """
[projects.rc.fraud-detection.environments.dev]
[projects.rc.fraud-detection.environments.prod]
alarms = ["errors of prod", "slow, or down"]
[projects.rc.fraud-detection.environments.canada]
region = "ca-central-1"
alarms = ["errors of prod"]
[projects.rc.fraud-detection.environments.theirs]
role = "arn:aws:iam::000000000000:role/models"
alarms = ["theirs"]
"""
    (tmp_path / "projects.toml").write_text(SETTINGS + environments)
    project = load_settings(tmp_path / "projects.toml").project(PROJECT)
    parameters = build_stack(
        project, site_of(project, ACCOUNT, REGION), "foundation", code_key="x"
    ).parameters
    policy = statements(resources("foundation", AlarmArns=parameters["AlarmArns"]), "ExecutionRole")

    def watches(name: str, region: str = REGION) -> bool:
        return allows(
            policy, "cloudwatch:DescribeAlarms", f"arn:aws:cloudwatch:{region}:{ACCOUNT}:alarm:{name}"
        )

    assert watches("errors of prod")
    assert watches("slow, or down")
    assert watches("errors of prod", "ca-central-1")
    assert not watches("theirs"), "that environment's models run under a role of their own"
    assert not watches("errors of test")
    assert not watches("slow, or down", "ca-central-1")
    assert not allows(statements(resources("foundation"), "ExecutionRole"), "cloudwatch:DescribeAlarms")


def test_the_pipelines_role_writes_what_its_environments_capture_and_nothing_else(tmp_path: Path) -> None:
    environments = """
[projects.rc.fraud-detection.environments.dev]
[projects.rc.fraud-detection.environments.prod]
capture.percent = 10
[projects.rc.fraud-detection.environments.kept]
capture.destination = "s3://captures/of-rc"
[projects.rc.fraud-detection.environments.theirs]
role = "arn:aws:iam::000000000000:role/models"
capture = {}
"""
    (tmp_path / "projects.toml").write_text(SETTINGS + environments)
    project = load_settings(tmp_path / "projects.toml").project(PROJECT)
    site = site_of(project, ACCOUNT, REGION)
    given = build_stack(project, site, "foundation", code_key="x").parameters
    policy = statements(resources("foundation", CaptureArns=given["CaptureArns"]), "ExecutionRole")

    def writes(place: str) -> bool:
        return allows(policy, "s3:PutObject", f"arn:aws:s3:::{place}/AllTraffic/2026/01/01/00/x.jsonl")

    own = f"{site.target.bucket}/{PROJECT}/capture/{PROJECT}"
    assert writes(f"{own}-prod")
    assert writes(f"captures/of-rc/{PROJECT}-kept")
    assert not writes(f"{own}-theirs"), "that environment's models run under a role of their own"
    assert not writes(f"{own}-dev"), "nothing is captured there"
    assert not writes("captures/of-rc/another-endpoint")
    without = statements(resources("foundation"), "ExecutionRole")
    assert not allows(without, "s3:PutObject", f"arn:aws:s3:::{BUCKET}/{PROJECT}/capture/{PROJECT}-prod/x")


TRACKED_BY = {
    "mlflow-app/app-ABC123": {"sagemaker:CallMlflowAppApi", "sagemaker:DescribeMlflowApp"},
    "mlflow-tracking-server/team": {
        "sagemaker:DescribeMlflowTrackingServer",
        *(
            f"sagemaker-mlflow:{operation}{what}"
            for operation, kinds in {
                "Create": ("Experiment", "Run"),
                "Get": ("Experiment", "ExperimentByName", "Run"),
                "Log": ("Batch", "Inputs", "Metric", "Param"),
                "Search": ("Experiments", "Runs"),
                "Set": ("Tag",),
                "Update": ("Run",),
            }.items()
            for what in kinds
        ),
    },
}
"""What the pipeline's role may do with an MLflow server: log runs, not register models, delete nothing."""


@pytest.mark.parametrize("server", TRACKED_BY)
def test_the_pipelines_role_logs_runs_to_the_mlflow_server_of_the_settings_and_to_no_other(
    server: str, tmp_path: Path
) -> None:
    place = "arn:aws:sagemaker:eu-west-1:111122223333"  # another account may share its app
    settings = SETTINGS.replace('owner = "rc-ml"', f'owner = "rc-ml"\nmlflow = "{place}:{server}"', 1)
    (tmp_path / "projects.toml").write_text(settings)
    project = load_settings(tmp_path / "projects.toml").project(PROJECT)
    given = build_stack(project, site_of(project, ACCOUNT, REGION), "foundation", code_key="x").parameters
    mlflow = {name: value for name, value in given.items() if name.startswith("Mlflow")}
    policy = statements(resources("foundation", **mlflow), "ExecutionRole")
    without = actions_of(statements(resources("foundation"), "ExecutionRole"))
    assert actions_of(policy) - without == TRACKED_BY[server]
    for action in TRACKED_BY[server]:
        assert allows(policy, action, f"{place}:{server}")
        assert not allows(policy, action, f"{place}:{server}2")
    assert not any("mlflow" in action.lower() for action in without)


TUNING = """
[projects.rc.fraud-detection.tuning]
jobs = 4
ranges.max_depth = { low = 2, high = 6 }
"""


def test_the_roles_may_do_what_a_tuning_step_asks_for_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "projects.toml").write_text(SETTINGS + TUNING)
    project = load_settings(tmp_path / "projects.toml").project(PROJECT)
    target = Target("aws", REGION, ACCOUNT, EXECUTION_ROLE, BUCKET)
    steps = list(all_steps(json.loads(compile_pipeline(project, target).definition)["Steps"]))
    [step] = [step for step in steps if step["Type"] == "Tuning"]
    assert not [step for step in steps if step["Type"] == "Training"]
    prefix, output = step["Arguments"]["HyperParameterTuningJobName"], f"{PROJECT}/executions/tuning"
    definition = step["Arguments"]["TrainingJobDefinition"]
    assert definition["OutputDataConfig"]["S3OutputPath"] == f"s3://{BUCKET}/{output}"
    given = build_stack(project, site_of(project, ACCOUNT, REGION), "foundation", code_key="x").parameters
    found = resources("foundation", TuningJobs=given["TuningJobs"])
    role, ci = statements(found, "ExecutionRole"), statements(found, "CiRole")
    jobs, trial = f"{SAGEMAKER}:hyper-parameter-tuning-job", f"{SAGEMAKER}:training-job/{prefix}-abc-001-0a1b"
    kind = "HyperParameterTuningJob"
    asked = {f"sagemaker:{verb}{kind}" for verb in ("Create", "Describe", "Stop", "ListTrainingJobsFor")}
    for action in asked:
        assert allows(role, action, f"{jobs}/{prefix}-abc")
        assert not allows(role, action, f"{jobs}/abcdef01-abc"), "another project's"
    assert allows(role, "sagemaker:AddTags", f"{jobs}/{prefix}-abc")
    assert allows(role, "sagemaker:AddTags", trial)
    assert allows(role, "s3:PutObject", f"arn:aws:s3:::{BUCKET}/{output}/job/output/model.tar.gz")
    without = resources("foundation")
    assert actions_of(role) - actions_of(statements(without, "ExecutionRole")) == asked
    see = f"sagemaker:ListTrainingJobsFor{kind}"
    assert actions_of(ci) - actions_of(statements(without, "CiRole")) == {see}
    assert allows(ci, see, f"{jobs}/{prefix}-abc")
    assert not allows(ci, see, f"{jobs}/abcdef01-abc")
    stream = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/sagemaker/TrainingJobs:log-stream"
    assert allows(ci, "logs:GetLogEvents", f"{stream}:{prefix}-abc-001-0a1b/algo-1-1")
    assert not allows(ci, "logs:GetLogEvents", f"{stream}:abcdef01-abc-001-0a1b/algo-1-1")
    # What a training step is told, in a tuning step's words.
    assert definition["EnableNetworkIsolation"] is True
    assert definition["VpcConfig"] == {"SecurityGroupIds": ["sg-0a1b2c3d"], "Subnets": ["subnet-0a1b2c3d"]}
    assert definition["OutputDataConfig"]["KmsKeyId"] == definition["ResourceConfig"]["VolumeKmsKeyId"] == KEY
    assert {"Key": "gatehouse:owner", "Value": "rc-ml"} in step["Arguments"]["Tags"]


def test_the_pipelines_role_may_not_do_what_others_do() -> None:
    policy = statements(resources("foundation"), "ExecutionRole")
    assert not allows(policy, "s3:GetObject", "arn:aws:s3:::artifacts/other-project/data")
    for kind in ("Processing", "Training"):
        for job in ("rc-churn-trainmodel-abc123", "pipelines-abc123-TrainModel-x"):
            for verb in ("Create", "Describe", "Stop"):
                job_arn = f"{SAGEMAKER}:{kind.lower()}-job/{job}"
                assert not allows(policy, f"sagemaker:{verb}{kind}Job", job_arn), "another pipeline's job"
    assert not allows(policy, "s3:DeleteObject")
    assert not allows(policy, "sagemaker:UpdateModelPackage"), "a pipeline does not approve its own versions"
    assert not allows(policy, "sagemaker:CreateEndpoint")
    assert not allows(policy, "kms:Decrypt")
    assert not allows(policy, "ec2:CreateNetworkInterface")
    assert not allows(statements(resources("foundation"), "CiRole"), "sagemaker:UpdateModelPackage")


@pytest.mark.parametrize(
    ("kind", "role", "action"),
    [
        ("foundation", "ExecutionRole", "sagemaker:CreateModelPackage"),
        ("automation", "HandlerRole", "sagemaker:UpdateModelPackage"),
    ],
)
def test_no_role_of_a_machine_decides_on_a_version(kind: Kind, role: str, action: str) -> None:
    policy, version = statements(resources(kind), role), f"{SAGEMAKER}:model-package/{PROJECT}/1"
    for status in ("Approved", "Rejected"):
        assert not allows(policy, action, version, {"sagemaker:ModelApprovalStatus": status})
    assert allows(policy, action, version, {"sagemaker:ModelApprovalStatus": "PendingManualApproval"})
    assert allows(policy, action, version), "a note without a status"


def test_ci_writes_code_settings_and_data_and_no_artifact(definition: dict[str, Any], tmp_path: Path) -> None:
    policy = statements(resources("foundation"), "CiRole")
    (tmp_path / "projects.toml").write_text(SETTINGS.replace("s3://raw-data/payments/", "payments.csv"))
    (tmp_path / "payments.csv").write_text("amount,fraud\n1,0\n")
    project = load_settings(tmp_path / "projects.toml").project(PROJECT)
    compiled = compile_pipeline(project, Target("aws", REGION, ACCOUNT, EXECUTION_ROLE, BUCKET))
    prefixes = [bundle.prefix for bundle in compiled.bundles] + [compiled.dataset.prefix]
    for prefix in prefixes:
        assert allows(policy, "s3:PutObject", f"arn:aws:s3:::{BUCKET}/{prefix}file")
    outputs = {text for text in strings(definition) if "/executions" in text}
    assert outputs
    for uri in outputs:
        key = f"arn:aws:s3:::{uri.removeprefix('s3://')}/model.tar.gz"
        assert allows(policy, "s3:GetObject", key)
        assert not allows(policy, "s3:PutObject", key)
    for folder in ("automation", "executions"):
        assert not allows(policy, "s3:PutObject", f"arn:aws:s3:::{BUCKET}/{PROJECT}/{folder}/x")
    pipelines = statements(resources("foundation"), "ExecutionRole")
    for prefix in prefixes:
        assert not allows(pipelines, "s3:PutObject", f"arn:aws:s3:::{BUCKET}/{prefix}file"), "jobs read it"


@pytest.mark.parametrize("given", ["", "arn:aws:iam::000000000000:role/theirs"])
def test_the_bucket_lets_the_pipelines_role_alone_write_and_delete_outputs(given: str) -> None:
    found = resources("foundation", ExecutionRoleArn=given)
    policy = found["ArtifactBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    everybody = [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}, *policy]
    artifact = f"arn:aws:s3:::{BUCKET}/{PROJECT}/executions/abc/TrainModel/model.tar.gz"
    tls = {"aws:SecureTransport": "true"}
    role = {**tls, "aws:PrincipalArn": given or EXECUTION_ROLE}
    somebody = {**tls, "aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/admin"}
    for action in ("s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion"):
        assert allows(everybody, action, artifact, role)
        assert not allows(everybody, action, artifact, somebody)
        assert not allows(everybody, action, artifact, tls), "without a principal"
    assert allows(everybody, "s3:GetObject", artifact, somebody)
    assert allows(everybody, "s3:PutObject", f"arn:aws:s3:::{BUCKET}/{PROJECT}/code/x/train.py", somebody)


def test_network_isolation_and_the_key_reach_every_job(definition: dict[str, Any]) -> None:
    vpc = {"SecurityGroupIds": ["sg-0a1b2c3d"], "Subnets": ["subnet-0a1b2c3d"]}
    for step in jobs(definition):
        arguments = step["Arguments"]
        if step["Type"] == "Processing":
            assert arguments["NetworkConfig"] == {"EnableNetworkIsolation": True, "VpcConfig": vpc}
            assert arguments["ProcessingOutputConfig"]["KmsKeyId"] == KEY
            assert arguments["ProcessingResources"]["ClusterConfig"]["VolumeKmsKeyId"] == KEY
        else:
            assert arguments["EnableNetworkIsolation"] is True
            assert arguments["VpcConfig"] == vpc
            assert arguments["OutputDataConfig"]["KmsKeyId"] == KEY
            assert arguments["ResourceConfig"]["VolumeKmsKeyId"] == KEY


def test_cis_role_may_do_what_its_commands_ask_for_and_nothing_else() -> None:
    policy = statements(resources("foundation", KmsKeyArn=KEY, TuningJobs="0a1b2c3d"), "CiRole")
    build = (ROOT / "codebuild-buildspec.yml").read_text(encoding="utf-8")
    commands = set(re.findall(r"gatehouse (\w+) \$GATEHOUSE_PROJECT", build))
    assert {"plan", "upsert", "start"} <= commands
    of_commands = [rows()[command] for command in commands | BY_HAND_IN_CI]
    asked = {action for row in of_commands for action in row.actions | row.on_the_key}
    # Environments in other accounts are theirs to show, under a role that CI must not have: it may deploy.
    assert actions_of(policy) == (asked - {"sts:AssumeRole"}) | BESIDE_THE_COMMANDS


def commands_of_a_pull_request() -> set[str]:
    """The gatehouse commands that the build of a pull request runs."""
    build = yaml.safe_load((ROOT / "codebuild-buildspec.yml").read_text(encoding="utf-8"))
    found = set()
    for line in (line for phase in build["phases"].values() for line in phase["commands"]):
        arm = re.search(r"PULL_REQUEST_\*\)(.*?);;", line)
        found |= set(re.findall(r"gatehouse (\w+) \$GATEHOUSE_PROJECT", arm[1] if arm else line))
    return found


def test_ci_reads_the_logs_of_its_own_jobs_only(definition: dict[str, Any]) -> None:
    policy = statements(resources("foundation"), "CiRole")
    logs = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/sagemaker"
    for step in jobs(definition):
        group, name = f"{step['Type']}Jobs", step["Arguments"][f"{step['Type']}JobName"]
        assert allows(policy, "logs:GetLogEvents", f"{logs}/{group}:log-stream:{name}-abc/algo-1-1")
        assert allows(policy, "logs:DescribeLogStreams", f"{logs}/{group}:log-stream:")
        assert not allows(policy, "logs:GetLogEvents", f"{logs}/{group}:log-stream:other-{name}/algo-1-1")


def test_the_build_of_a_pull_request_may_do_what_its_plan_asks_for_and_nothing_else() -> None:
    found = resources("foundation", KmsKeyArn=KEY, InVpc="true", TuningJobs="0a1b2c3d")
    policy = statements(found, "PlanRole")
    assert commands_of_a_pull_request() == {"plan"}
    # Data is not for everybody who opens a pull request: the plan says that it could not look, and goes on.
    asked = rows()["plan"].actions - {"s3:GetObject"}
    of_codebuild = {action for action in BESIDE_THE_COMMANDS if action.startswith(("codebuild:", "logs:"))}
    assert actions_of(policy) == asked | of_codebuild
    for action in asked:
        assert re.fullmatch(r"\w+:(Describe|Get|List)\w+", action), "the plan reads only"


def test_the_build_of_a_pull_request_starts_writes_and_passes_nothing() -> None:
    found = resources("foundation", KmsKeyArn=KEY, InVpc="true")
    policy, pipeline = statements(found, "PlanRole"), f"{SAGEMAKER}:pipeline/{PROJECT}"
    assert allows(policy, "sagemaker:DescribePipeline", pipeline)
    assert not allows(policy, "sagemaker:DescribePipeline", f"{pipeline}-2"), "another project's"
    for action in actions_of(statements(found, "CiRole")) | {"iam:PassRole", "sagemaker:UpdateModelPackage"}:
        if not action.startswith(("codebuild:", "logs:")):
            reads = bool(re.fullmatch(r"\w+:(Describe|List)\w+", action))
            assert reads or not allows(policy, action), action
    for key in ("code/x/train.py", "executions/abc/TrainModel/model.tar.gz", "data/payments.csv"):
        for action in ("s3:GetObject", "s3:PutObject", "s3:DeleteObject"):
            assert not allows(policy, action, f"arn:aws:s3:::{BUCKET}/{PROJECT}/{key}")
    own = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/gatehouse/{PROJECT}"
    assert allows(policy, "logs:PutLogEvents", f"{own}/pull-requests:log-stream:1")
    assert not allows(policy, "logs:PutLogEvents", f"{own}/ci:log-stream:1")
    reports = f"arn:aws:codebuild:{REGION}:{ACCOUNT}:report-group/gatehouse-{PROJECT}"
    assert allows(policy, "codebuild:CreateReport", f"{reports}-pull-requests-tests")
    assert not allows(policy, "codebuild:CreateReport", f"{reports}-tests"), "a report of the branch"


def test_the_plan_makes_the_calls_of_its_row_and_no_other(automated: AutomatedProject) -> None:
    """Of a pipeline that is not there yet, and of one that has been started, with a change."""
    registry = automated.registry
    rows_of_data = [f"{20 + row % 50},{row % 9},{'yes' if row % 3 else 'no'}" for row in range(60)]
    (registry.folder / "churn.csv").write_text("\n".join(["age,calls,left", *rows_of_data]) + "\n")
    calls: set[str] = set()
    with recorded(calls):
        assert "would be created" in registry.done("plan").out
    registry.done("upsert")
    sagemaker = registry.client("sagemaker")
    started = sagemaker.start_pipeline_execution(
        PipelineName=registry.project, ClientRequestToken="started-for-the-plan-to-look-at-it"
    )
    sagemaker.stop_pipeline_execution(
        PipelineExecutionArn=started["PipelineExecutionArn"],
        ClientRequestToken="stopped-before-it-trains-anything",
    )
    with recorded(calls):
        registry.done("plan")
    assert rows()["plan"].always <= calls <= rows()["plan"].actions
    policy = statements(resources("foundation"), "PlanRole")
    assert {action for action in calls if not allows(policy, action)} == set()


def actions_of(policy: list[dict[str, Any]]) -> set[str]:
    """Every action that is allowed to somebody's role."""
    return {
        action
        for statement in policy
        if statement["Effect"] == "Allow"
        for action in listed(statement["Action"])
    }


def test_the_schedules_role_may_start_the_projects_pipelines_and_nothing_else() -> None:
    [statement] = statements(resources("foundation"), "SchedulerRole")
    assert statement["Action"] == "sagemaker:StartPipelineExecution"
    assert statement["Resource"] == [
        f"{SAGEMAKER}:pipeline/{PROJECT}",
        f"{SAGEMAKER}:pipeline/{PROJECT}-monitoring",
    ]


def test_the_handlers_role_may_do_what_they_do_and_nothing_else(automated: AutomatedProject) -> None:
    """Recorded with a version that does not come up, one that is rejected, and one that follows it."""
    calls: set[str] = set()

    def record(model: Any, **_: Any) -> None:
        prefix = (
            "sagemaker"
            if "sagemaker" in model.service_model.service_name
            else model.service_model.service_name
        )
        calls.add(f"{prefix}:{_PERMISSION.get(model.name, model.name)}")

    clients = read_context().clients
    for service in ("sagemaker", "sagemaker-runtime", "ssm", "s3", "sns", "logs"):
        clients.client(service).meta.events.register("before-call", record)
    registry = automated.registry
    automated.decided(registry.register(artifact=packed("code/inference.py", BROKEN), approved=True))
    automated.deployed("dev")
    first, second = registry.register(), registry.register(approved=True)
    automated.registered(first)
    registry.done("approve", first)
    automated.decided(first)
    automated.deployed("dev")
    registry.done("reject", first, "--force")
    automated.decided(first)
    automated.timer()
    automated.decided(second)
    automated.deployed("dev")
    calls |= {"iam:PassRole", "sagemaker:AddTags"}  # asked for by what they make
    policy = statements(resources("automation", KmsKeyArn=KEY, AssumedRoleArns=EXECUTION_ROLE), "HandlerRole")
    assert actions_of(policy) == calls | on_the_key(calls) | ONLY_SOMETIMES


def test_the_handlers_reach_a_key_and_the_roles_of_single_environments_where_there_are_any() -> None:
    theirs = "arn:aws:iam::444455556666:role/Gatehouse"
    own = f"arn:aws:iam::{ACCOUNT}:role/models-of-prod"
    with_all = resources("automation", KmsKeyArn=KEY, AssumedRoleArns=theirs, ModelRoleArns=own)
    policy = statements(with_all, "HandlerRole")
    assert allows(policy, "kms:Decrypt", KEY), "statistics and samples lie encrypted in the bucket"
    assert allows(policy, "sts:AssumeRole", theirs)
    assert allows(policy, "iam:PassRole", own)
    plain = statements(resources("automation"), "HandlerRole")
    assert not {"kms:Decrypt", "sts:AssumeRole"} & actions_of(plain)
    assert not allows(plain, "iam:PassRole", own)
