"""`gatehouse infra`, against a stand-in for CloudFormation, S3 and the rest of AWS, over a real socket."""

from __future__ import annotations

import json
import os
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import boto3
import pytest
from registered_models import REGION, SETTINGS, Registry

from automation.context import SESSION_NAME, Region
from aws_formats.errors import GatehouseError
from pipelines.infra import stacks
from pipelines.infra.stacks import automation_settings, site_of
from pipelines.settings.projects_file import load_settings
from registry.clients import AssumedRole

KEYS = {"region_name": REGION, "aws_access_key_id": "local", "aws_secret_access_key": "local"}


class Account:
    """A project's account, with nothing in it yet."""

    def __init__(self, url: str, commands: Registry) -> None:
        self.url = url
        self.commands = commands

    def client(self, service: str) -> Any:
        return boto3.client(service, endpoint_url=self.url, **KEYS)

    def infra(self, *words: str) -> Any:
        return self.commands.done("infra", *words, "--target", "aws", "--json").document["stacks"]


@pytest.fixture
def account(aws: str, tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Account:
    for variable in list(os.environ):
        if variable.startswith(("AWS_", "GATEHOUSE_", "SAGEMAKER_")):
            monkeypatch.delenv(variable)
    (tmp_path / "projects.toml").write_text(SETTINGS.format(name="churn"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
    return Account(aws, Registry(aws, tmp_path, "rc-churn", tiny))


# The stand-in does not make policies and alarms, and says so.
@pytest.mark.filterwarnings("ignore:Tried to parse AWS:UserWarning")
def test_the_stacks_are_planned_made_left_alone_changed_and_removed(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = account.infra("plan", "--only", "foundation")
    assert planned[0]["action"] == "create"
    assert "add AWS::S3::Bucket ArtifactBucket" in planned[0]["changes"]
    assert account.client("cloudformation").list_stacks()["StackSummaries"] == [], "a plan makes nothing"

    [foundation] = account.infra("deploy", "--only", "foundation")
    outputs = foundation["outputs"]
    assert outputs["Bucket"] == f"rc-churn-123456789012-{REGION}"
    assert outputs["ExecutionRoleArn"].endswith(":role/gatehouse-rc-churn-execution")

    [automation] = account.infra("deploy", "--only", "automation", "--notify", "ml@example.org")
    assert automation["action"] == "create"
    keys = [
        item["Key"] for item in account.client("s3").list_objects_v2(Bucket=outputs["Bucket"])["Contents"]
    ]
    assert len(keys) == 1
    assert keys[0].startswith("rc-churn/automation/")
    told = account.client("lambda").get_function_configuration(FunctionName="rc-churn-version-decided")
    settings = json.loads(told["Environment"]["Variables"]["GATEHOUSE_AUTOMATION"])
    assert [(one["name"], one["promotion"]) for one in settings["environments"]] == [
        ("dev", "automatic"),
        ("test", "automatic"),
        ("prod", "manual"),
    ]
    topic = automation["outputs"]["TopicArn"]
    subscribed = account.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert [entry["Endpoint"] for entry in subscribed] == ["ml@example.org"]

    [again] = account.infra("deploy", "--only", "automation")
    assert (again["action"], again["changes"]) == ("none", [])

    more = tmp_path / "templates"
    shutil.copytree(stacks.TEMPLATES, more)
    template = more / "automation.yaml"
    extra = "Resources:\n  Second: {Type: AWS::SNS::Topic, Properties: {TopicName: second}}\n"
    template.write_text(template.read_text().replace("Resources:\n", extra, 1))
    monkeypatch.setattr(stacks, "TEMPLATES", more)
    [planned] = account.infra("plan", "--only", "automation")
    assert planned["action"] == "update"
    assert "add AWS::SNS::Topic Second" in planned["changes"]
    summaries = account.client("cloudformation").list_change_sets(StackName="gatehouse-rc-churn-automation")
    assert summaries["Summaries"] == [], "the change set of a plan is deleted"
    account.infra("deploy", "--only", "automation")
    topics = account.client("sns").list_topics()["Topics"]
    assert any(topic["TopicArn"].endswith(":second") for topic in topics)

    removed = account.commands.done("infra", "remove", "--yes", "--target", "aws")
    assert "The bucket" in removed.out
    assert "stays" in removed.out
    left = account.client("cloudformation").describe_stacks()["Stacks"]
    assert left == []


# The stand-in does not make policies, and says so.
@pytest.mark.filterwarnings("ignore:Tried to parse AWS:UserWarning")
def test_a_role_and_a_bucket_that_exist_are_used_and_left_as_they_are(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a SageMaker Project gives them to its build."""
    (tmp_path / "projects.toml").write_text(SETTINGS.format(name="given"))
    role = "arn:aws:iam::123456789012:role/service-role/ProductsUseRole"
    account.client("s3").create_bucket(
        Bucket="sagemaker-project-p-abc", CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    before = account.client("s3").list_buckets()["Buckets"]
    monkeypatch.setenv("SAGEMAKER_PIPELINE_ROLE_ARN", role)
    monkeypatch.setenv("ARTIFACT_BUCKET", "sagemaker-project-p-abc")
    [foundation] = account.infra("deploy", "--only", "foundation")
    assert foundation["outputs"]["Bucket"] == "sagemaker-project-p-abc"
    assert foundation["outputs"]["ExecutionRoleArn"] == role
    roles = {one["RoleName"] for one in account.client("iam").list_roles()["Roles"]}
    assert roles >= {"gatehouse-rc-given-ci", "gatehouse-rc-given-scheduler"}
    assert "gatehouse-rc-given-execution" not in roles
    assert account.client("s3").list_buckets()["Buckets"] == before
    account.infra("deploy", "--only", "automation")
    functions = account.client("lambda")
    settings = functions.get_function_configuration(FunctionName="rc-given-version-decided")
    told = json.loads(settings["Environment"]["Variables"]["GATEHOUSE_AUTOMATION"])
    assert {one["role_arn"] for one in told["environments"]} == {role}

    # Written into the settings, as docs/aws.md says: nothing is made anew.
    monkeypatch.delenv("SAGEMAKER_PIPELINE_ROLE_ARN")
    monkeypatch.delenv("ARTIFACT_BUCKET")
    written = f'[projects.rc.given]\nrole = "{role}"\nbucket = "sagemaker-project-p-abc"'
    file = tmp_path / "projects.toml"
    file.write_text(file.read_text().replace("[projects.rc.given]", written, 1))
    for kind in ("foundation", "automation"):
        [planned] = account.infra("plan", "--only", kind)
        assert (planned["action"], planned["changes"]) == ("none", []), kind
    account.commands.done("infra", "remove", "--yes", "--target", "aws")
    assert account.client("s3").list_objects_v2(Bucket="sagemaker-project-p-abc")["KeyCount"] == 1


def test_locally_the_templates_are_checked_and_nothing_is_claimed(account: Account) -> None:
    checked = account.commands.done("infra", "plan")
    assert "CloudFormation is not part of the local SageMaker" in checked.out
    assert "needs -p Repository=..." in checked.out
    assert account.commands.gatehouse("infra", "deploy").code == 2
    assert account.commands.gatehouse("infra", "plan", "-p", "Nonsense=1").code == 2
    for kind in ("foundation", "ci", "automation"):
        wrong = account.commands.gatehouse("infra", "plan", "--only", kind, "-p", "ExecutionRoleArn=admin")
        assert "'admin' is not allowed for ExecutionRoleArn" in wrong.err
    notify = ("--only", "foundation", "--notify", "ml@example.org", "--target", "aws")
    assert account.commands.gatehouse("infra", "deploy", *notify).code == 2
    wrong = account.commands.gatehouse("infra", "plan", "-p", "CreateKey=maybe")
    assert wrong.code == 1
    assert "Use one of: true, false" in wrong.err
    wrong = account.commands.gatehouse("infra", "plan", "-p", "Repository=git@github.com:rc/churn")
    assert wrong.code == 1
    assert "It has to match https://.+" in wrong.err
    wrong = account.commands.gatehouse("infra", "plan", "-p", "Project=RC-churn")
    assert wrong.code == 1
    assert "It has to be lower-case letters, digits and hyphens" in wrong.err


def test_offline_an_environment_may_spell_out_an_account_where_no_role_says_which_it_is(
    account: Account,
) -> None:
    account.commands.settings('[projects.rc.churn.environments.dev]\naccount = "111122223333"\n')
    assert "the template is complete" in account.commands.done("infra", "plan").out
    account.commands.settings('[projects.rc.churn.environments.test]\naccount = "444455556666"\n')
    refused = account.commands.gatehouse("infra", "plan")
    assert "environment 'test' is in account 444455556666, and no role there is known" in refused.err


def test_offline_an_environment_may_spell_out_the_account_of_the_projects_role(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.commands.settings('[projects.rc.churn.environments.dev]\naccount = "111122223333"\n')
    monkeypatch.setenv("SAGEMAKER_PIPELINE_ROLE_ARN", "arn:aws:iam::111122223333:role/pipelines")
    assert "the template is complete" in account.commands.done("infra", "plan").out


def test_where_codebuild_does_not_exist_only_ci_is_refused_with_what_to_do(account: Account) -> None:
    file = account.commands.folder / "projects.toml"
    file.write_text(file.read_text().replace('region = "eu-west-1"', 'region = "ca-west-1"'))
    planned = account.commands.done("infra", "plan").out
    assert "gatehouse-rc-churn-automation: the template is complete" in planned
    assert "gatehouse-rc-churn-ci:" not in planned
    refused = account.commands.gatehouse("infra", "plan", "--only", "ci")
    assert refused.code == 1
    assert "CodeBuild does not exist in ca-west-1" in refused.err
    assert "`start --wait` in another CI system" in refused.err


def test_the_regions_without_codebuild_are_those_whose_schemas_lack_its_project() -> None:
    [package] = find_spec("cfnlint").submodule_search_locations  # to import it takes a second
    folder = Path(package) / "data/schemas/providers"
    regions = {file.stem.replace("_", "-"): json.loads(file.read_text()) for file in folder.glob("*-*.json")}
    assert len(regions) > 25
    for region, types in regions.items():
        if "-iso" in region:  # nothing public says what the isolated regions have
            continue
        assert ("ci" in stacks.kinds_in(region)) == ("AWS::CodeBuild::Project" in types), region


def test_a_new_ci_needs_its_repository_once(account: Account) -> None:
    refused = account.commands.gatehouse("infra", "deploy", "--only", "ci", "--target", "aws")
    assert refused.code == 1
    assert "--parameter Repository=VALUE" in refused.err


def test_what_does_not_fit_is_said_before_anything_is_made(account: Account) -> None:
    project = load_settings(account.commands.folder / "projects.toml").project()
    long = project.model_copy(update={"short_name": "x" * 50})
    with pytest.raises(GatehouseError, match="at most 39"):
        site_of(long, "123456789012", REGION)
    dev = project.environments["dev"]
    many = project.model_copy(update={"environments": {f"stage-{number}": dev for number in range(40)}})
    with pytest.raises(GatehouseError, match="characters, of 3500"):
        automation_settings(many, site_of(many, "123456789012", REGION).target)


def test_subnets_and_security_groups_belong_together(account: Account) -> None:
    account.commands.settings('[defaults.network]\nsubnets = ["subnet-0a1b2c3d"]\n')
    with pytest.raises(GatehouseError, match="belong together"):
        load_settings(account.commands.folder / "projects.toml")


def test_an_environment_in_another_account_is_reached_under_a_role_there(account: Account) -> None:
    role = "arn:aws:iam::444455556666:role/Gatehouse"
    there = AssumedRole(Region("eu-central-1"), role, "eu-central-1", SESSION_NAME)
    caller = there.client("sts").get_caller_identity()["Arn"]
    assert caller == "arn:aws:sts::444455556666:assumed-role/Gatehouse/gatehouse-automation"
    assert there.client("ssm").meta.region_name == "eu-central-1"
    assert account.client("sts").get_caller_identity()["Account"] == "123456789012"
