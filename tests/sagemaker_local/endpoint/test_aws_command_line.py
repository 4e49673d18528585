from __future__ import annotations

import json
from pathlib import Path

import pytest
from wire_clients import aws_cli, definition

from sagemaker_local import endpoint

ROLE = "arn:aws:iam::000000000000:role/pipeline"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data" / "deep").mkdir(parents=True)
    (tmp_path / "data" / "a b.csv").write_text("1,2\n")
    (tmp_path / "data" / "deep" / "ü.csv").write_text("3,4\n")
    return tmp_path


def test_the_aws_cli_copies_lists_and_removes_objects(
    local: endpoint.Endpoint, name: str, folder: Path
) -> None:
    def aws(*arguments: str) -> str:
        finished = aws_cli(local.url, *arguments)
        assert finished.returncode == 0, finished.stderr
        return finished.stdout

    aws("s3", "mb", f"s3://{name}")
    aws("s3", "cp", "--recursive", str(folder / "data"), f"s3://{name}/data/")
    listed = aws("s3", "ls", "--recursive", f"s3://{name}/data")
    assert [line.split(maxsplit=3)[3] for line in listed.splitlines()] == ["data/a b.csv", "data/deep/ü.csv"]
    aws("s3", "sync", f"s3://{name}/data", str(folder / "back"))
    assert (folder / "back" / "deep" / "ü.csv").read_text() == "3,4\n"
    aws("s3", "rb", "--force", f"s3://{name}")


def test_the_aws_cli_creates_and_describes_a_pipeline(local: endpoint.Endpoint, name: str) -> None:
    created = aws_cli(
        local.url,
        *("sagemaker", "create-pipeline", "--pipeline-name", name, "--role-arn", ROLE),
        *("--pipeline-definition", definition(), "--tags", "Key=team,Value=risk"),
    )
    assert created.returncode == 0, created.stderr
    arn = json.loads(created.stdout)["PipelineArn"]
    tags = aws_cli(local.url, "sagemaker", "list-tags", "--resource-arn", arn)
    assert json.loads(tags.stdout)["Tags"] == [{"Key": "team", "Value": "risk"}]


def test_the_aws_cli_shows_an_error_as_it_would_on_aws(local: endpoint.Endpoint) -> None:
    refused = aws_cli(local.url, "sagemaker", "describe-pipeline", "--pipeline-name", "absent")
    assert refused.returncode in (254, 255)
    assert "(ResourceNotFound) when calling the DescribePipeline operation" in refused.stderr


def test_the_aws_cli_says_who_it_is(local: endpoint.Endpoint) -> None:
    answered = aws_cli(local.url, "sts", "get-caller-identity")
    assert json.loads(answered.stdout)["Account"] == "000000000000"
