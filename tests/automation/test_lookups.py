"""The functions that the pipeline calls: what they find in a real registry, and that they only read."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from automated_project import AutomatedProject
from policies import KEY, PROJECT, of_type, resources, statements

from automation.context import read_context
from automation.handlers import find_champion, find_same_version
from aws_formats.errors import GatehouseError
from pipelines.infra.stacks import build_stack, site_of
from pipelines.settings.projects_file import load_settings
from registry.artifacts import ArtifactChanged
from tests.automation.test_least_privilege import actions_of

NOWHERE = "s3://somewhere/gate/"


def champion(environment: str = "prod") -> dict[str, str]:
    return find_champion.handle({"Environment": environment, "WithoutChampionUri": NOWHERE}, None)


def served(automated: AutomatedProject, environment: str, *versions: int, action: str = "deploy") -> None:
    """As the commands leave it when these versions were deployed one after another."""
    ssm = automated.registry.client("ssm")
    for version in versions:
        ssm.put_parameter(
            Name=f"/gatehouse/{automated.registry.project}/{environment}/model-package",
            Value=automated.registry.arn(version),
            Type="String",
            Overwrite=True,
            Description=action,
        )


# --- The champion ------------------------------------------------------------------------------------


def test_without_a_deployment_there_is_no_champion(automated: AutomatedProject) -> None:
    automated.registry.register()
    assert champion() == {
        "Version": "none",
        "ArtifactUri": NOWHERE,
        "Sha256": "",
        "Sentence": "no version serves in prod yet",
    }


def test_the_champion_is_what_serves_there_and_after_a_rollback_the_older_one(
    automated: AutomatedProject,
) -> None:
    registry = automated.registry
    first, second = registry.register(), registry.register()
    for version in (first, second):
        registry.done("approve", version)
    served(automated, "prod", first)
    served(automated, "dev", second)
    found = champion()
    artifact = registry.describe(first)["InferenceSpecification"]["Containers"][0]["ModelDataUrl"]
    assert found["Version"] == str(first)
    assert found["ArtifactUri"] == artifact
    assert found["Sha256"] == hashlib.sha256(registry.model.artifact).hexdigest()
    assert found["Sentence"] == f"version {first} serves in prod"
    assert champion("dev")["Version"] == str(second)
    served(automated, "prod", second)
    assert champion()["Version"] == str(second)
    served(automated, "prod", first, action="rollback")
    assert champion()["Version"] == str(first)


def test_a_champion_with_other_bytes_than_those_approved_is_an_error(automated: AutomatedProject) -> None:
    registry = automated.registry
    version = registry.register()
    registry.done("approve", version)
    served(automated, "prod", version)
    uri = champion()["ArtifactUri"]
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    registry.client("s3").put_object(Bucket=bucket, Key=key, Body=b"other bytes")
    with pytest.raises(ArtifactChanged, match="is not the one that was decided on"):
        champion()


def test_what_cannot_be_compared_is_an_error_and_no_free_pass(automated: AutomatedProject) -> None:
    registry = automated.registry
    with pytest.raises(GatehouseError, match="know no environment 'production'"):
        champion("production")
    name = f"/gatehouse/{registry.project}/prod/model-package"
    registry.client("ssm").put_parameter(Name=name, Value="nothing", Type="String")
    with pytest.raises(GatehouseError, match="should serve 'nothing', which is no version"):
        champion()
    served(automated, "prod", 4711)
    with pytest.raises(GatehouseError):
        champion()


# --- The same model again ----------------------------------------------------------------------------

VERDICT: dict[str, Any] = {
    "version": 1,
    "verdict": "passed",
    "sentence": "accuracy 0.9000 is above the threshold 0.6",
    "metric": "accuracy",
    "rows": 90,
    "checks": [{"name": "threshold", "passed": True, "sentence": "accuracy 0.9", "value": 0.9}],
    "metrics": {"accuracy": {"value": 0.9, "low": 0.8, "high": 0.95}},
    "artifact_sha256": "a1",
    "test_sha256": "b2",
}
QUALITY = b'{"features": []}'


def registered(automated: AutomatedProject, verdict: dict[str, Any] | None = None, **members: Any) -> int:
    registry = automated.registry
    quality = registry.put("quality/statistics.json", QUALITY)
    found: int = registry.register(
        verdict=VERDICT if verdict is None else verdict,
        ModelMetrics={
            "ModelDataQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": quality}}
        },
        **members,
    )
    return found


def again(automated: AutomatedProject, verdict: Any = None, **members: str) -> dict[str, str]:
    registry = automated.registry
    event = {
        "VerdictUri": registry.put("candidate/verdict.json", json.dumps(verdict or VERDICT).encode()),
        "DataStatisticsUri": registry.put("candidate/statistics.json", QUALITY),
        "DatasetVersion": "1",
        "RegisterAgain": "false",
    }
    return find_same_version.handle({**event, **members}, None)


def test_the_first_model_is_new(automated: AutomatedProject) -> None:
    assert again(automated) == {"Version": "none", "Sentence": "the first version"}


def test_the_same_artifact_data_and_evaluation_is_the_newest_version_again(
    automated: AutomatedProject,
) -> None:
    number = registered(automated)
    found = again(automated)
    assert found["Version"] == str(number)
    assert found["Sentence"] == f"this is version {number} again, which is PendingManualApproval"
    automated.registry.done("reject", number)
    assert again(automated)["Sentence"] == f"this is version {number} again, which is Rejected"
    asked = again(automated, RegisterAgain="true")
    assert asked["Version"] == "none"
    newer = registered(automated, {**VERDICT, "artifact_sha256": "c3"})
    assert again(automated) == {
        "Version": "none",
        "Sentence": f"not version {newer} again: another artifact",
    }, "only the newest counts"


def test_what_was_said_of_the_champion_is_no_difference(automated: AutomatedProject) -> None:
    number = registered(automated)
    check = {"name": "champion", "passed": True, "sentence": f"this is the very model of version {number}"}
    assert again(automated, {**VERDICT, "checks": [*VERDICT["checks"], check]})["Version"] == str(number)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"artifact_sha256": "c3"}, "another artifact"),
        ({"artifact_sha256": None}, "another artifact"),
        ({"test_sha256": "c3"}, "another test part"),
        ({"metrics": {"accuracy": {"value": 0.9}}}, "another evaluation"),
        ({"checks": []}, "another evaluation"),
        ({"checks": "none"}, "one of the two has no verdict"),
    ],
)
def test_any_other_difference_makes_a_new_version(
    automated: AutomatedProject, changed: dict[str, Any], words: str
) -> None:
    number = registered(automated)
    found = again(automated, {**VERDICT, **changed})
    assert found == {"Version": "none", "Sentence": f"not version {number} again: {words}"}


def test_other_data_makes_a_new_version(automated: AutomatedProject) -> None:
    registered(automated)
    assert again(automated, DatasetVersion="2")["Sentence"].endswith("the data set has another version")
    other = automated.registry.put("other/statistics.json", b'{"features": [1]}')
    assert again(automated, DataStatisticsUri=other)["Sentence"].endswith("statistics of the training part")
    missing = again(automated, DataStatisticsUri=other.replace("other", "missing"))
    assert missing["Version"] == "none"


def test_a_version_without_a_verdict_is_never_the_same(automated: AutomatedProject) -> None:
    automated.registry.register()
    assert again(automated)["Sentence"].endswith("one of the two has no verdict")


# --- Their role --------------------------------------------------------------------------------------

ONLY_SOMETIMES = {
    "kms:Decrypt",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "s3:ListBucket",
    "sts:AssumeRole",
}
"""With a key, by Lambda itself, where an object is missing, in another account."""


def test_their_role_may_do_what_they_do_and_nothing_else(automated: AutomatedProject) -> None:
    calls: set[str] = set()

    def record(model: Any, **_: Any) -> None:
        name = {"HeadObject": "GetObject"}.get(model.name, model.name)
        calls.add(f"{model.service_model.service_name}:{name}")

    clients = read_context().clients
    for service in ("sagemaker", "ssm", "s3"):
        clients.client(service).meta.events.register("before-call", record)
    number = registered(automated)
    served(automated, "prod", number)
    with pytest.raises(ArtifactChanged):  # the verdict's digest is made up; the whole artifact was read
        champion()
    again(automated)
    found = resources("pipeline", KmsKeyArn=KEY, AssumedRoleArns="arn:aws:iam::444455556666:role/there")
    assert actions_of(statements(found, "LookupRole")) == calls | ONLY_SOMETIMES
    names = [function["FunctionName"] for function in of_type(found, "AWS::Lambda::Function").values()]
    assert [name for name in names if not name.startswith(f"{PROJECT}-find-")] == [
        f"{PROJECT}-announce-window"
    ]


def test_they_reach_another_account_only_if_the_champion_serves_there(tmp_path: Any) -> None:
    settings = """
[projects.a.b]
description = "x"
owner = "x"
task = "binary"
accuracy_threshold = 0.6
region = "eu-west-1"
role = "arn:aws:iam::000000000000:role/gatehouse-a-b-execution"
[projects.a.b.data]
source = "s3://raw/x.csv"
target = "y"
[projects.a.b.gate]
{gate}
[projects.a.b.environments.dev]
[projects.a.b.environments.prod]
account = "444455556666"
role = "arn:aws:iam::444455556666:role/models"
assume_role = "arn:aws:iam::444455556666:role/there"
"""
    reached = {}
    for name in ("", "dev", "prod"):
        file = tmp_path / "projects.toml"
        file.write_text(settings.replace("{gate}", f'champion = "{name}"' if name else ""))
        project = load_settings(file).project("a-b")
        site = site_of(project, "000000000000", "eu-west-1")
        stack = build_stack(project, site, "pipeline", code_key="code.zip")
        reached[name] = stack.parameters["AssumedRoleArns"]
    assert reached == {"": "", "dev": "", "prod": "arn:aws:iam::444455556666:role/there"}
