"""Environments in the settings: their place, their size, and what is wrong with them."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import boto3
import botocore.client
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from registered_models import SETTINGS, Registry

from aws_formats.errors import GatehouseError
from pipelines.settings.environments import all_environments, resolve_environment
from pipelines.settings.project import Project
from pipelines.settings.projects_file import load_settings
from pipelines.settings.target import resolve_target
from registry.clients import AssumedRole
from registry.deployment_history import deployed_versions
from registry.deployments import model_of
from registry.endpoint_requests import config_request, creation_request
from registry.environments import Environment

AWS = {"SAGEMAKER_PIPELINE_ROLE_ARN": "arn:aws:iam::111122223333:role/pipelines"}


def project_with(folder: Path, text: str) -> Project:
    (folder / "projects.toml").write_text(SETTINGS.format(name="fraud-detection") + text)
    return load_settings(folder / "projects.toml").project("rc-fraud-detection")


def test_without_any_there_are_dev_test_and_prod(tmp_path: Path) -> None:
    project = project_with(tmp_path, "")
    found = all_environments(project, resolve_target(project, "aws", AWS))
    assert [environment.endpoint for environment in found] == [
        "rc-fraud-detection-dev",
        "rc-fraud-detection-test",
        "rc-fraud-detection-prod",
    ]
    assert found[0].parameter == "/gatehouse/rc-fraud-detection/dev/model-package"
    assert found[0].own_tags["gatehouse:environment"] == "dev"


def test_an_environment_in_another_account_is_reached_under_a_role_there(tmp_path: Path) -> None:
    project = project_with(
        tmp_path,
        """
[projects.rc.fraud-detection.environments.prod]
account = "444455556666"
role = "arn:aws:iam::444455556666:role/serving"
assume_role = "arn:aws:iam::444455556666:role/gatehouse"
alarms = ["latency"]
canary_percent = 10
""",
    )
    prod = resolve_environment(project, resolve_target(project, "aws", AWS), "prod")
    assert isinstance(prod.clients, AssumedRole)
    assert prod.clients.role_arn == "arn:aws:iam::444455556666:role/gatehouse"
    assert prod.role_arn == "arn:aws:iam::444455556666:role/serving"
    assert (prod.alarms, prod.canary_percent) == (("latency",), 10)


def test_a_deployment_to_another_account_goes_under_the_assumed_role_and_outlives_its_hour(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As far as this machine can show it: target aws, with every client led to the local SageMaker."""
    registry.register(approved=True)
    registry.settings(
        f"""
[projects.rc.{registry.project.removeprefix("rc-")}.environments.prod]
account = "444455556666"
role = "arn:aws:iam::444455556666:role/serving"
assume_role = "arn:aws:iam::444455556666:role/gatehouse"
"""
    )
    for name, value in {
        "AWS_ENDPOINT_URL": registry.url,
        "AWS_ACCESS_KEY_ID": "mine",
        "AWS_SECRET_ACCESS_KEY": "mine",
        "AWS_EC2_METADATA_DISABLED": "true",
        "SAGEMAKER_PIPELINE_ROLE_ARN": "arn:aws:iam::000000000000:role/pipelines",
    }.items():
        monkeypatch.setenv(name, value)
    made: list[tuple[str, str]] = []
    real = botocore.client.BaseClient._make_api_call

    def spy(client: botocore.client.BaseClient, operation: str, parameters: object) -> object:
        made.append((operation, client._request_signer._credentials.access_key))
        return real(client, operation, parameters)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", spy)
    registry.done("deploy", "--env", "prod", "--target", "aws")
    mine = {operation for operation, key in made if key == "mine"}
    assert mine == {
        "AssumeRole",
        "DescribeModelPackageGroup",
        "ListModelPackages",
        "DescribeModelPackage",
        "GetObject",
        "HeadObject",  # of the artifact, which is compared with the one that was approved
        "UpdateModelPackage",  # the stage of the version
    }
    theirs = {operation for operation, key in made if key != "mine"}
    assert theirs >= {"CreateModel", "CreateEndpoint", "InvokeEndpoint", "PutParameter"}
    assert [operation for operation, _ in made].count("AssumeRole") == 1
    model = registry.client("sagemaker").list_models(NameContains=registry.project)["Models"][0]["ModelName"]
    described = registry.client("sagemaker").describe_model(ModelName=model)
    assert described["ExecutionRoleArn"] == "arn:aws:iam::444455556666:role/serving"

    project = load_settings().project()
    prod = resolve_environment(project, resolve_target(project, "aws"), "prod")
    sagemaker = prod.clients.client("sagemaker")
    assert sagemaker is prod.clients.client("sagemaker")
    sagemaker._request_signer._credentials._expiry_time = datetime.now(UTC)
    sagemaker.describe_model(ModelName=model)
    assert [operation for operation, _ in made].count("AssumeRole") == 2


def test_another_account_without_roles_is_refused(tmp_path: Path) -> None:
    project = project_with(
        tmp_path, '[projects.rc.fraud-detection.environments.prod]\naccount = "444455556666"\n'
    )
    with pytest.raises(GatehouseError, match="no role there is known"):
        resolve_environment(project, resolve_target(project, "aws", AWS), "prod")


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('account = "12"', "twelve digits"),
        ("instance_count = 0", "instance_count"),
        ('instance_typ = "ml.m5.large"', "Did you mean 'instance_type'"),
        ("canary_percent = 80", "canary_percent"),
    ],
)
def test_a_wrong_key_of_an_environment_is_named(tmp_path: Path, line: str, complaint: str) -> None:
    with pytest.raises(GatehouseError, match=complaint):
        project_with(tmp_path, f"[projects.rc.fraud-detection.environments.dev]\n{line}\n")


def test_an_endpoint_name_that_sagemaker_would_refuse_is_found_early(tmp_path: Path) -> None:
    project = project_with(tmp_path, f"[projects.rc.fraud-detection.environments.{'x' * 50}]\n")
    with pytest.raises(GatehouseError, match="SageMaker allows 63"):
        all_environments(project, resolve_target(project, "local", {}))


def test_names_follow_the_content_and_fit_sagemakers_limit(tmp_path: Path) -> None:
    project = project_with(tmp_path, "")
    dev = resolve_environment(project, resolve_target(project, "local", {}).at("http://127.0.0.1:1"), "dev")
    names, group = set(), "arn:aws:sagemaker:eu-west-1:000000000000:model-package/rc-fraud-detection"
    for number, second in ((1, 0), (2, 0), (2, 1)):
        version = {
            "ModelPackageArn": f"{group}/{number}",
            "CreationTime": datetime(2026, 1, 31, 12, 0, second, tzinfo=UTC),
        }
        model = model_of(dev, version)
        assert model == model_of(dev, version)
        names |= {model["ModelName"], config_request(dev, model["ModelName"])["EndpointConfigName"]}
    assert len(names) == 6, "a version that has the ARN of one that was deleted has another name"
    assert max(len(name) for name in names) <= 63


def test_an_account_that_we_may_not_look_into_hides_no_version(tmp_path: Path) -> None:
    """AWS itself denies nothing here: botocore's own stub answers as it would."""
    project = project_with(tmp_path, "")
    target = resolve_target(project, "local", {}).at("http://127.0.0.1:1")
    ssm = boto3.client("ssm", region_name="eu-west-1", aws_access_key_id="test", aws_secret_access_key="test")
    dev, prod = (
        replace(resolve_environment(project, target, name), clients=SimpleNamespace(client=lambda _: ssm))
        for name in ("dev", "prod")
    )
    arn = "arn:aws:sagemaker:eu-west-1:000000000000:model-package/rc-fraud-detection/1"
    denied: list[Environment] = []
    with Stubber(ssm) as stub:
        stub.add_client_error("get_parameter", "AccessDeniedException")
        stub.add_response("get_parameter", {"Parameter": {"Value": arn}}, {"Name": prod.parameter})
        assert deployed_versions((dev, prod), denied=denied.append) == {arn: ("prod",)}
        assert denied == [dev]
        stub.add_client_error("get_parameter", "AccessDeniedException")
        with pytest.raises(ClientError, match="AccessDenied"):
            deployed_versions((dev, prod))


def test_two_projects_never_take_the_same_endpoint_from_each_other(registry: Registry) -> None:
    registry.register(approved=True)
    registry.done("deploy", "--env", "dev")
    shorter, _, rest = registry.project.rpartition("-")
    registry.settings(
        f"""
[projects.rc.{shorter.removeprefix("rc-")}]
description = "Its name and its environment's make the same endpoint"
data = {{ source = "churn.csv", target = "left", positive_class = "yes" }}
environments.{rest}-dev = {{}}
"""
    )
    registry.done("groups", "setup", shorter)
    other = Registry(registry.url, registry.folder, shorter, registry.model, registry.clients)
    other.register(approved=True)
    ended = registry.gatehouse("deploy", shorter, "--env", f"{rest}-dev")
    assert ended.code == 1
    assert f"{registry.project}-dev: the endpoint serves model {registry.project}" in ended.err
    assert registry.done("environments", "--json").document[0]["serves"] is True


def test_a_version_of_another_region_is_not_deployed(registry: Registry) -> None:
    registry.register(approved=True)
    project = registry.project.removeprefix("rc-")
    registry.settings(f'\n[projects.rc.{project}.environments.far]\nregion = "us-east-1"\n')
    ended = registry.gatehouse("deploy", "--env", "far")
    assert ended.code == 1
    assert "registered in eu-west-1" in ended.err
    assert "us-east-1" in ended.err


def test_without_local_up_a_deployment_is_served_by_whichever_command_asks_next(
    registry: Registry, tmp_path: Path
) -> None:
    """Each command in a process and with an endpoint of its own, over a home folder of its own."""
    home = tmp_path / "own-home"
    environment = {**os.environ, "GATEHOUSE_HOME": str(home)}

    def gatehouse(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pipelines", *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)

    from sagemaker_local import endpoint

    with endpoint.start(home) as own:
        there = Registry(own.url, registry.folder, registry.project, registry.model)
        there.client("s3").create_bucket(
            Bucket="registry-tests", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        there.register(approved=True)
    deployed = gatehouse("deploy", "--env", "dev")
    assert deployed.returncode == 0, deployed.stderr
    asked = gatehouse("invoke", "--env", "dev", "--data", "rows.csv", "--json")
    assert asked.returncode == 0, asked.stderr
    assert asked.stdout.count('"class"') == 5


def test_a_model_that_serves_in_several_environments_is_tagged_with_none(tmp_path: Path) -> None:
    project = project_with(tmp_path, "")
    dev, test, _ = all_environments(project, resolve_target(project, "aws", AWS))
    version = {
        "ModelPackageArn": "arn:aws:sagemaker:eu-west-1:111122223333:model-package/rc-fraud-detection/1",
        "CreationTime": datetime(2026, 1, 31, tzinfo=UTC),
    }
    assert model_of(dev, version) == model_of(test, version)
    name = model_of(dev, version)["ModelName"]
    for environment in (dev, test):
        for request in (config_request(environment, name), creation_request(environment, "config")):
            assert {"Key": "gatehouse:environment", "Value": environment.name} in request["Tags"]
            assert {"Key": "gatehouse:project", "Value": "fraud-detection"} in request["Tags"]


def test_an_instance_type_that_no_endpoint_can_have_is_said_before_anything_is_begun(
    registry: Registry,
) -> None:
    registry.register(approved=True)
    table = f"[projects.rc.{registry.project.removeprefix('rc-')}.environments.dev]"
    registry.settings(f'{table}\ninstance_type = "ml.m5.largee"\n')
    for words in (["deploy", "--env", "dev", "--plan"], ["infra", "plan"]):
        refused = registry.gatehouse(*words)
        assert refused.code == 1
        said = "instance_type: 'ml.m5.largee' is not a value that AWS knows for an endpoint"
        where = f"environment dev of {registry.project}"
        assert refused.err == f"Error: {where}: {said}. Did you mean ml.m5.large?\n"
    checks = {check["check"]: check for check in registry.gatehouse("doctor", "--json").document}
    assert checks["environments"]["found"] == f"{where}: {said}"
    assert checks["environments"]["remedy"] == "Did you mean ml.m5.large?"
    assert registry.gatehouse("models").code == 0, "who deploys nothing is not concerned"
