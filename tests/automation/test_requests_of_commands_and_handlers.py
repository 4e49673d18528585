"""For the same settings the commands and the handlers send SageMaker the same requests.

Models and endpoint configurations are named after their content. If a handler left out a subnet that
`gatehouse deploy` gives, the names would differ, and each would replace what the other has deployed.
"""

from __future__ import annotations

import urllib.parse
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from policies import KEY
from registered_models import REGION, SETTINGS

from automation.context import SESSION_NAME, read_context
from aws_formats.errors import GatehouseError
from pipelines.commands.local_automation import automation_templates
from pipelines.infra.stacks import automation_settings, build_stack, site_of
from pipelines.settings.environments import all_environments
from pipelines.settings.project import Project
from pipelines.settings.projects_file import load_settings
from pipelines.settings.target import LOCAL_ROLE, resolve_target
from registry.clients import AssumedRole
from registry.deployments import model_of
from registry.endpoint_requests import config_request, creation_request, update_request
from registry.environments import Environment

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/pipelines"
OWN_ROLE = f"arn:aws:iam::{ACCOUNT}:role/models-of-dev"
THERE = "arn:aws:iam::444455556666:role"

NETWORK = f'''
[defaults.network]
subnets = ["subnet-0a1b2c3d", "subnet-0a1b2c3e"]
security_groups = ["sg-0a1b2c3d"]
isolation = true
kms_key = "{KEY}"
'''
OTHER_ACCOUNT = f'''
account = "444455556666"
role = "{THERE}/models"
assume_role = "{THERE}/gatehouse"
'''
DEV = {
    "no keys": "",
    "own region": f'region = "{REGION}"',
    "own account": f'account = "{ACCOUNT}"',
    "own account and region": f'account = "{ACCOUNT}"\nregion = "{REGION}"',
    "other region": 'region = "eu-central-1"',
    "other account": OTHER_ACCOUNT,
    "other account and region": f'{OTHER_ACCOUNT}region = "eu-central-1"',
    "own role": f'role = "{OWN_ROLE}"',
    "assumed role": f'assume_role = "{OWN_ROLE}"',
    "instances": 'instance_type = "ml.c5.xlarge"\ninstance_count = 3\nvolume_size_gb = 40',
    "timeouts": "startup_timeout_seconds = 600\ndownload_timeout_seconds = 900",
    "canary": "canary_percent = 10\nbake_seconds = 300",
    "alarms": 'alarms = ["latency", "errors"]',
    "capture": "capture.percent = 20",
    "capture elsewhere": 'region = "eu-central-1"\ncapture.destination = "s3://captures-there/churn/"',
    "promotion": 'promotion = "manual"',
}
VARIABLES = {
    "as the settings say": {},
    "in another region": {"AWS_REGION": "eu-central-1"},
    "in a SageMaker Project": {"SAGEMAKER_PROJECT_NAME": "churn", "SAGEMAKER_PROJECT_ID": "p-abc"},
}


@pytest.fixture(params=VARIABLES)
def variables(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment variables that the commands run under."""
    for name in ("AWS_REGION", "ARTIFACT_BUCKET", "SAGEMAKER_PROJECT_NAME", "SAGEMAKER_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)
    found = {"SAGEMAKER_PIPELINE_ROLE_ARN": ROLE, **VARIABLES[request.param]}
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    return found


def project_with(folder: Path, network: str, dev: str) -> Project:
    text = (
        SETTINGS.format(name="churn").replace("[defaults]\n", '[defaults]\nbucket = "artifacts"\n') + network
    )
    (folder / "projects.toml").write_text(f"{text}[projects.rc.churn.environments.dev]\n{dev}\n")
    return load_settings(folder / "projects.toml").project()


def told_by_infra(project: Project, variables: dict[str, str]) -> str:
    """What `gatehouse infra deploy` gives the handlers in AWS."""
    region = variables.get("AWS_REGION", project.region)
    site = site_of(project, ACCOUNT, region, environ=variables)
    return build_stack(project, site, "automation", code_key="handlers").parameters["Settings"]


def told_locally(project: Project) -> str:
    """What `gatehouse local up` gives the handlers on this machine."""
    [template] = automation_templates(load_settings(project.file)).values()
    return urllib.parse.parse_qs(template.partition("?")[2])["Settings"][0]


def handlers_environment(told: str, region: str) -> Environment:
    """The one environment, as a handler reads it that runs in that region."""
    functions_variables = {"GATEHOUSE_AUTOMATION": told, "GATEHOUSE_TOPIC": "", "AWS_REGION": region}
    [stage] = read_context(functions_variables).stages
    return stage.environment


def requests(environment: Environment) -> dict[str, Any]:
    arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/rc-churn/1"
    model = model_of(environment, {"ModelPackageArn": arn, "CreationTime": datetime(2026, 1, 31, tzinfo=UTC)})
    config = config_request(environment, model["ModelName"])
    name = config["EndpointConfigName"]
    return {
        "CreateModel": model,
        "CreateEndpointConfig": config,
        "CreateEndpoint": creation_request(environment, name),
        "UpdateEndpoint": update_request(environment, name),
    }


@pytest.mark.parametrize("target", ["aws", "local"])
@pytest.mark.parametrize("network", ["", NETWORK], ids=["no network", "network"])
@pytest.mark.parametrize("dev", DEV)
def test_the_requests_are_the_same(
    tmp_path: Path, variables: dict[str, str], dev: str, network: str, target: str
) -> None:
    project = project_with(tmp_path, network, DEV[dev])
    reached = resolve_target(project, target, variables)
    [by_command] = all_environments(project, reached)
    told = told_by_infra(project, variables) if target == "aws" else told_locally(project)
    by_handler = handlers_environment(told, reached.region)
    assert requests(by_handler) == requests(by_command)
    assert by_handler == by_command, "the place and the role under which it is reached, too"


@pytest.mark.parametrize("dev", ["no keys", "own region", "own account", "own account and region"])
def test_an_environment_in_the_projects_own_place_has_its_network(tmp_path: Path, dev: str) -> None:
    """Spelled out or not."""
    project = project_with(tmp_path, NETWORK, DEV[dev])
    told = told_by_infra(project, {"SAGEMAKER_PIPELINE_ROLE_ARN": ROLE})
    sent = requests(handlers_environment(told, REGION))
    assert sent["CreateModel"]["VpcConfig"] == {
        "Subnets": ["subnet-0a1b2c3d", "subnet-0a1b2c3e"],
        "SecurityGroupIds": ["sg-0a1b2c3d"],
    }
    assert sent["CreateModel"]["EnableNetworkIsolation"] is True
    assert sent["CreateEndpointConfig"]["KmsKeyId"] == KEY


@pytest.mark.parametrize("dev", ["other region", "other account", "other account and region"])
def test_ids_of_the_projects_network_mean_nothing_elsewhere(tmp_path: Path, dev: str) -> None:
    project = project_with(tmp_path, NETWORK, DEV[dev])
    told = told_by_infra(project, {"SAGEMAKER_PIPELINE_ROLE_ARN": ROLE})
    sent = requests(handlers_environment(told, REGION))
    assert "VpcConfig" not in sent["CreateModel"]
    assert "KmsKeyId" not in sent["CreateEndpointConfig"]
    assert sent["CreateModel"]["EnableNetworkIsolation"] is True


def test_the_handlers_reach_another_account_under_the_role_there(tmp_path: Path) -> None:
    project = project_with(tmp_path, "", DEV["other account and region"])
    environment = handlers_environment(told_by_infra(project, {"SAGEMAKER_PIPELINE_ROLE_ARN": ROLE}), REGION)
    assert isinstance(environment.clients, AssumedRole)
    assert environment.clients.role_arn == f"{THERE}/gatehouse"
    assert environment.clients.region == "eu-central-1"
    assert environment.clients.session_name == SESSION_NAME
    assert environment.role_arn == f"{THERE}/models"


def test_an_environment_in_another_account_without_roles_is_refused_for_the_handlers_too(
    tmp_path: Path,
) -> None:
    """They would deploy it into the project's own account."""
    project = project_with(tmp_path, "", 'account = "444455556666"')
    with pytest.raises(GatehouseError, match="no role there is known"):
        told_by_infra(project, {"SAGEMAKER_PIPELINE_ROLE_ARN": ROLE})


def test_on_this_machine_there_is_one_account_and_one_role(tmp_path: Path) -> None:
    project = project_with(tmp_path, "", DEV["other account"])
    told = automation_settings(project, resolve_target(project, "local", {}))
    environment = handlers_environment(told, REGION)
    assert environment.role_arn == LOCAL_ROLE
    assert environment.assume_role is None
