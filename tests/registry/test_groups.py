"""Model package groups for all teams and projects: setup, verify, cleanup."""

from __future__ import annotations

import itertools
import json
import shlex
from dataclasses import replace

import pytest
from registered_models import Registry

from aws_formats.errors import GatehouseError
from pipelines.settings.team_variables import read_env_file, read_teams

_teams = itertools.count(1)


@pytest.fixture
def teams(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two teams with three projects in the environment; the groups' full names."""
    n = next(_teams)
    monkeypatch.setenv("TEAMS", f"rc{n} algo{n}")
    monkeypatch.setenv(f"RC{n}_PROJECTS", "fraud-detection anti-money-laundering")
    monkeypatch.setenv(f"ALGO{n}_PROJECTS", "recommendation-engine")
    monkeypatch.setenv("ENABLE_MODEL_REGISTRY", "true")
    return [f"rc{n}-fraud-detection", f"rc{n}-anti-money-laundering", f"algo{n}-recommendation-engine"]


def test_setup_makes_a_group_for_every_project_with_description_and_tags(registry: Registry) -> None:
    done = registry.done("groups", "setup", "--json").document
    assert done == [{"group": registry.project, "done": "created"}]
    sagemaker = registry.client("sagemaker")
    found = sagemaker.describe_model_package_group(ModelPackageGroupName=registry.project)
    assert found["ModelPackageGroupDescription"] == "Finds customers who are about to leave"
    tags = sagemaker.list_tags(ResourceArn=found["ModelPackageGroupArn"])["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {
        "gatehouse:team": "rc",
        "gatehouse:project": registry.project.removeprefix("rc-"),
        "gatehouse:owner": "rc-ml",
    }


def test_setup_again_does_nothing(registry: Registry) -> None:
    registry.done("groups", "setup")
    assert "nothing to do" in registry.done("groups", "setup").out


def test_a_group_that_somebody_makes_meanwhile_is_no_error(registry: Registry, monkeypatch) -> None:
    from pipelines.commands import groups

    def compare_before_another_makes_it(*words):
        states = compare_groups(*words)
        registry.client("sagemaker").create_model_package_group(ModelPackageGroupName=registry.project)
        return states

    compare_groups = groups.compare_groups
    monkeypatch.setattr(groups, "compare_groups", compare_before_another_makes_it)
    registry.done("groups", "setup")


def test_verify_exits_with_1_on_a_difference_and_says_how_to_mend_it(registry: Registry) -> None:
    ended = registry.gatehouse("groups", "verify")
    assert ended.code == 1
    assert "there is no such group" in ended.out
    assert f"gatehouse groups setup {registry.project}" in ended.err
    registry.done("groups", "setup")
    registry.done("groups", "verify")


def test_a_wrong_tag_is_found_and_mended_and_others_are_left_alone(registry: Registry) -> None:
    registry.done("groups", "setup")
    sagemaker = registry.client("sagemaker")
    arn = registry.arn(1).replace("model-package/", "model-package-group/").rpartition("/")[0]
    wrong = [{"Key": "gatehouse:owner", "Value": "nobody"}, {"Key": "cost", "Value": "7"}]
    sagemaker.add_tags(ResourceArn=arn, Tags=wrong)
    ended = registry.gatehouse("groups", "verify", "--json")
    assert ended.code == 1
    assert ended.document[0]["differences"] == ["tag gatehouse:owner is not 'rc-ml'"]
    assert "tags corrected" in registry.done("groups", "setup").out
    tags = {tag["Key"]: tag["Value"] for tag in sagemaker.list_tags(ResourceArn=arn)["Tags"]}
    assert (tags["gatehouse:owner"], tags["cost"]) == ("rc-ml", "7")


def test_cleanup_lists_first_and_deletes_only_after_the_name_is_typed(registry: Registry) -> None:
    registry.register()
    registry.register()
    ended = registry.done("groups", "cleanup", registry.project, typed=b"something else\n")
    assert "version 2\n  version 1\n" in ended.err
    assert "Nothing was deleted." in ended.err
    ended = registry.gatehouse("groups", "cleanup")
    assert ended.code == 130
    assert ended.err.endswith(": \nNothing is done without a yes; --yes does not ask.\nInterrupted.\n")
    ended = registry.done("groups", "cleanup", typed=registry.project.encode() + b"\n")
    assert f"Deleted {registry.project}" in ended.out
    assert registry.gatehouse("groups", "verify").code == 1


def test_cleanup_with_yes_does_not_ask(registry: Registry) -> None:
    registry.register()
    deleted = registry.done("groups", "cleanup", "--yes", "--json").document
    assert deleted == [{"group": registry.project, "versions": [registry.arn(1)]}]
    assert registry.done("groups", "cleanup", "--yes", "--json").document == []


def test_a_project_can_switch_its_registry_off(registry: Registry) -> None:
    file = registry.folder / "projects.toml"
    file.write_text(file.read_text().replace("description =", "registry = false\ndescription ="))
    assert registry.done("groups", "setup", "--json").out.strip() in ("", "[]")
    ended = registry.gatehouse("groups", "setup", registry.project)
    assert ended.code == 1
    assert "whose registry is on" in ended.err


def test_teams_and_projects_may_come_from_variables(registry: Registry, teams) -> None:
    done = registry.done("groups", "setup", "--json").document
    assert [entry["group"] for entry in done] == teams
    registry.done("groups", "verify")
    registry.done("groups", "cleanup", "--yes")


def test_the_variables_can_switch_the_whole_registry_off(registry: Registry, teams, monkeypatch) -> None:
    monkeypatch.setenv("ENABLE_MODEL_REGISTRY", "false")
    ended = registry.done("groups", "setup")
    assert "no project whose registry is on" in ended.err
    assert teams


def test_the_registry_of_the_projects_in_the_settings_is_switched_off_as_well(
    registry: Registry, monkeypatch
) -> None:
    monkeypatch.setenv("ENABLE_MODEL_REGISTRY", "false")
    assert registry.done("groups", "setup", "--json").document == []


def test_an_env_file_without_teams_never_stands_for_the_projects_of_the_settings(registry: Registry) -> None:
    registry.register()
    (registry.folder / "teams.env").write_text("RC_PROJECTS=fraud-detection\n")
    ended = registry.gatehouse("groups", "cleanup", "--env-file", "teams.env", "--yes")
    assert ended.code == 1
    assert "teams.env: the file names no teams" in ended.err
    assert len(registry.done("models", "--json").document) == 1


def test_a_difference_is_mended_by_the_command_that_verify_prints(registry: Registry) -> None:
    n = next(_teams)
    (registry.folder / "our teams.env").write_text(f"TEAMS=ops{n}\nOPS{n}_PROJECTS=tickets\n")
    ended = registry.gatehouse("groups", "verify", "--env-file", "our teams.env")
    assert ended.code == 1
    command = ended.err.strip().rpartition("gatehouse ")[2]
    registry.done(*shlex.split(command))
    registry.done("groups", "verify", "--env-file", "our teams.env")


def test_a_group_with_a_typing_error_gets_a_suggestion(registry: Registry) -> None:
    ended = registry.gatehouse("groups", "setup", registry.project.replace("churn", "chrun"))
    assert ended.code == 1
    assert f"Did you mean '{registry.project}'?" in ended.err


def test_teams_and_projects_may_come_from_an_env_file(registry: Registry) -> None:
    n = next(_teams)
    (registry.folder / "teams.env").write_text(
        f"# the teams\nexport TEAMS='eng{n}'\n\nENG{n}_PROJECTS=\"search ranking\"  # two\n"
    )
    done = registry.done("groups", "setup", "--env-file", "teams.env", "--json").document
    assert [entry["group"] for entry in done] == [f"eng{n}-search", f"eng{n}-ranking"]


def test_models_of_an_env_file_can_be_looked_at_and_decided_on(registry: Registry) -> None:
    n = next(_teams)
    (registry.folder / "teams.env").write_text(f"TEAMS=sea{n}\nSEA{n}_PROJECTS=freight\n")
    name = f"sea{n}-freight"
    unknown = registry.gatehouse("models", name)
    assert (unknown.code, f"there is no project '{name}'" in unknown.err) == (1, True)
    registry.done("groups", "setup", "--env-file", "teams.env")
    assert f"model {name} has no registered version" in registry.done("models", name).err.lower()
    replace(registry, project=name).register()
    [version] = registry.done("models", name, "--json").document
    assert (version["version"], version["environments"]) == (1, [])
    assert registry.done("model", name, 1, "--json").document["project"] == name
    assert registry.done("approve", name, 1, "--json").document["approval"] == "Approved"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("TEAMS", "line 1"),
        ("A=1\nTEAMS=rc algo", "line 2"),
        ('TEAMS="rc', "line 1"),
        ("export 1=2", "line 1"),
    ],
)
def test_an_env_file_that_is_none_names_the_line(tmp_path, text, complaint) -> None:
    (tmp_path / "e").write_text(text)
    with pytest.raises(GatehouseError, match=complaint):
        read_env_file(tmp_path / "e")


@pytest.mark.parametrize(
    ("variables", "complaint"),
    [
        ({"TEAMS": "rc"}, "RC_PROJECTS"),
        ({"TEAMS": "rc_x", "RC_X_PROJECTS": "a"}, "rc_x"),
        ({"TEAMS": "rc", "RC_PROJECTS": "fraud_detection"}, "fraud_detection"),
    ],
)
def test_variables_that_name_no_group_are_refused(variables, complaint) -> None:
    with pytest.raises(GatehouseError, match=complaint):
        read_teams(variables)


def test_a_team_with_a_hyphen_has_a_variable_with_an_underscore() -> None:
    teams = read_teams({"TEAMS": "risk-control", "RISK_CONTROL_PROJECTS": "fraud"})
    assert teams is not None
    assert teams.projects == (("risk-control", "fraud"),)


def test_a_group_is_shared_and_unshared_and_foreign_statements_stay(registry: Registry) -> None:
    registry.register()
    sagemaker = registry.client("sagemaker")
    foreign = {"Sid": "Theirs", "Effect": "Deny", "Principal": "*", "Action": "sagemaker:*", "Resource": "*"}
    sagemaker.put_model_package_group_policy(
        ModelPackageGroupName=registry.project,
        ResourcePolicy=json.dumps({"Version": "2012-10-17", "Statement": [foreign]}),
    )
    shown = registry.done("share", "--account", "111122223333")
    assert "111122223333" in shown.out
    policy = json.loads(
        sagemaker.get_model_package_group_policy(ModelPackageGroupName=registry.project)["ResourcePolicy"]
    )
    assert policy["Statement"][0] == foreign
    assert "sagemaker:CreateModel" in policy["Statement"][2]["Action"]
    assert policy["Statement"][2]["Resource"].endswith(f"model-package/{registry.project}/*")
    registry.done("share", "--account", "111122223333", "--read-only")
    narrower = registry.done("share", "--account", "111122223333", "--read-only", "--json").document
    assert narrower["changed"] is False
    assert "sagemaker:CreateModel" not in json.dumps(narrower["policy"])
    revoked = registry.done("share", "--account", "111122223333", "--revoke", "--json").document
    assert revoked["policy"]["Statement"] == [foreign]


def test_sharing_can_be_planned_and_the_last_revocation_deletes_the_policy(registry: Registry) -> None:
    registry.register()
    sagemaker = registry.client("sagemaker")
    registry.done("share", "--account", "111122223333", "--plan")
    with pytest.raises(sagemaker.exceptions.ClientError):
        sagemaker.get_model_package_group_policy(ModelPackageGroupName=registry.project)
    registry.done("share", "--account", "111122223333")
    registry.done("share", "--account", "111122223333", "--revoke")
    with pytest.raises(sagemaker.exceptions.ClientError):
        sagemaker.get_model_package_group_policy(ModelPackageGroupName=registry.project)


@pytest.mark.parametrize("account", ["123", "11112222333x", "1111-2222-3333", "\uff11" * 12, "000000000000"])
def test_a_malformed_account_or_ones_own_is_refused(registry: Registry, account) -> None:
    registry.register()
    ended = registry.gatehouse("share", "--account", account)
    assert ended.code == 1
    assert account in ended.err
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize(
    ("variable", "value", "named"),
    [("TEAMS", "RC", "'RC' has upper-case letters"), ("RC_PROJECTS", "Fraud", "in lower case: 'fraud'")],
)
def test_capitals_in_a_team_or_a_project_of_the_variables_are_refused_with_one_line(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, named: str
) -> None:
    for name, given in {"TEAMS": "rc", "RC_PROJECTS": "fraud", variable: value}.items():
        monkeypatch.setenv(name, given)
    refused = registry.gatehouse("groups", "setup")
    assert refused.code == 1
    assert f"variable {variable}: " in refused.err
    assert named in refused.err
    assert refused.err.count("\n") == 1
