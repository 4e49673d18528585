"""docs/permissions.md against the calls that the commands really make."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import botocore.client
import click
import pytest
from registered_models import Registry

from pipelines.commands import gatehouse
from pipelines.settings.target import LOCAL_ROLE

PAGE = Path(__file__).resolve().parents[2] / "docs" / "permissions.md"
ACTIONS = {
    "s3:HeadObject": "s3:GetObject",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:CreateMultipartUpload": "s3:PutObject",
    "s3:UploadPart": "s3:PutObject",
    "s3:CompleteMultipartUpload": "s3:PutObject",
    "sagemaker-runtime:InvokeEndpoint": "sagemaker:InvokeEndpoint",
}
"""API calls whose permission has another name."""

LOCAL_ONLY = {"s3:CreateBucket"}
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


def rows() -> dict[str, tuple[frozenset[str], frozenset[str]]]:
    """Command -> (what it always needs, what it needs in some cases), as the page says."""
    found = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) == 3 and cells[0].startswith("`"):
            always, sometimes = (frozenset(re.findall(r"`([\w-]+:\w+)`", cell)) for cell in cells[1:])
            found[cells[0].strip("`")] = (always, sometimes)
    return found


@contextmanager
def recorded(into: set[str]) -> Iterator[None]:
    """The permissions of every API call that any boto3 client makes meanwhile."""
    real = botocore.client.BaseClient._make_api_call

    def spy(client: botocore.client.BaseClient, operation: str, parameters: object) -> object:
        call = f"{client.meta.service_model.service_name}:{operation}"
        if call not in LOCAL_ONLY:
            into.add(ACTIONS.get(call, call))
        return real(client, operation, parameters)

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", spy)
        yield


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
        "executions",
        "retry",
        "stop",
        "logs",
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
            for cell in line.strip().strip("|").split("|")[1:]:
                assert re.fullmatch(r"(none|—|`[\w-]+:\w+`(, `[\w-]+:\w+`)*)?", cell.strip()), cell


def test_the_calls_that_commands_make_are_those_of_their_rows(calls: dict[str, frozenset[str]]) -> None:
    wrong = {}
    for path, made in calls.items():
        always, sometimes = rows().get(path, (frozenset(), frozenset()))
        missing, never = made - always - sometimes, always - made - NOT_A_CALL
        if missing or never:
            wrong[path] = {"not in the table": sorted(missing), "never called": sorted(never)}
    assert not wrong, json.dumps(wrong, indent=2)
