"""docs/permissions.md against the calls that the commands really make."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import click
import pytest
from permissions_page import PAGE, on_the_key, recorded, rows
from registered_models import Registry

from pipelines.commands import gatehouse
from pipelines.settings.target import LOCAL_ROLE

NOT_A_CALL = {"iam:PassRole"}
"""Asked for by SageMaker when it is given a role."""


def leaves(command: click.Command, path: str = "") -> Iterator[str]:
    if not isinstance(command, click.Group):
        yield path
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        child = command.get_command(context, name)
        assert child is not None
        yield from leaves(child, f"{path} {name}".strip())


DEFINITION = {
    "Version": "2020-12-01",
    "Metadata": {},
    "Parameters": [
        {"Name": "InputDataUri", "Type": "String", "DefaultValue": "s3://nowhere/data"},
        {"Name": "DatasetVersion", "Type": "String", "DefaultValue": "1"},
    ],
    "Steps": [
        {
            "Name": "Greet",
            "Type": "Processing",
            "Arguments": {
                "ProcessingResources": {
                    "ClusterConfig": {
                        "InstanceType": "ml.m5.large",
                        "InstanceCount": 1,
                        "VolumeSizeInGB": 30,
                    }
                },
                "AppSpecification": {
                    "ImageUri": "000000000000.dkr.ecr.eu-west-1.amazonaws.com/shell:1",
                    "ContainerEntrypoint": ["/bin/sh", "-c"],
                    "ContainerArguments": ["echo hello; exit 1"],
                },
                "RoleArn": LOCAL_ROLE,
            },
        }
    ],
}
"""A pipeline that needs no program of this project: its execution fails, so that it can be retried."""


@pytest.fixture(scope="module")
def calls(serving: Registry) -> dict[str, frozenset[str]]:
    """What each command called, on a project with everything that a command could ask for."""
    serving.register(approved=True)
    serving.register()
    serving.register()
    (serving.folder / "labels.csv").write_text("inference_id,label\na,yes\n")
    (serving.folder / "churn.csv").write_text("\n".join(serving.model.rows))
    serving.client("sagemaker").create_pipeline(
        PipelineName=serving.project,
        PipelineDefinition=json.dumps(DEFINITION),
        RoleArn=LOCAL_ROLE,
        ClientRequestToken="for-the-table-of-permissions-0001",
    )
    made: dict[str, set[str]] = {}
    for line in (
        "start",
        "start --wait",
        "start --only Greet",
        "executions",
        "executions --json",
        "retry",
        "stop",
        "logs",
        "report",
        "report 1",
        "studio --save page.html",
        "studio 1 --save page.html",
        f"studio http://127.0.0.1/studio/p/{serving.project}/automation --save page.html",
        "projects",
        "models",
        "model 1 --set ticket=RC-1 --request-review",
        "compare 1 2",
        "approve 3",
        "reject 4",
        "share --account 111122223333",
        "share --account 111122223333 --revoke",
        "deploy --env dev --version 2",
        "environments",
        "environments --env dev",
        "invoke --env dev --data rows.csv",
        "promote --from dev --to test",
        "rollback --env dev",
        "transform --input rows.csv --output scored.csv",
        "labels labels.csv --env dev",
        "monitor --env dev --show",
        "replay 3 --env dev",
        "groups setup",
        "groups verify",
        "groups cleanup --yes",
        "groups setup",
    ):
        words = line.split()
        path = " ".join(words[:2]) if words[0] == "groups" else words[0]
        with recorded(made.setdefault(path, set())):
            ended = serving.gatehouse(*words)
        assert "Traceback" not in ended.err
        print(line, ended.code, ended.err)
    return {path: frozenset(actions) for path, actions in made.items()}


PATHS = sorted(leaves(gatehouse))


def test_every_command_has_a_row_and_no_row_is_of_another() -> None:
    assert sorted(rows()) == PATHS


def test_every_row_names_permissions_only() -> None:
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("| `"):
            for cell in line.strip().removeprefix("|").removesuffix("|").split("|")[1:]:
                assert re.fullmatch(r"(none|—|`[\w-]+:\w+`(, `[\w-]+:\w+`)*)?", cell.strip()), cell


def test_a_key_is_asked_for_what_the_calls_of_the_row_need() -> None:
    for command, row in rows().items():
        assert row.on_the_key == on_the_key(row.actions), command
    everything = {"kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"}
    assert {action for row in rows().values() for action in row.on_the_key} == everything


def test_the_calls_that_commands_make_are_those_of_their_rows(calls: dict[str, frozenset[str]]) -> None:
    wrong = {}
    for path, made in calls.items():
        row = rows()[path]
        missing, never = made - row.actions, row.always - made - NOT_A_CALL
        if missing or never:
            wrong[path] = {"not in the table": sorted(missing), "never called": sorted(never)}
    assert not wrong, json.dumps(wrong, indent=2)
