from __future__ import annotations

import datetime
import json

import pytest
from botocore.exceptions import ClientError
from wire_clients import Client, definition

ROLE = "arn:aws:iam::000000000000:role/pipeline"


def create(sagemaker: Client, name: str, **members: object) -> str:
    request = {"PipelineName": name, "RoleArn": ROLE, "PipelineDefinition": definition(), **members}
    return sagemaker.create_pipeline(**request)["PipelineArn"]


def test_a_pipeline_is_described_as_it_was_created(sagemaker: Client, name: str) -> None:
    arn = create(
        sagemaker,
        name,
        PipelineDisplayName="Shown",
        PipelineDescription="why",
        ParallelismConfiguration={"MaxParallelExecutionSteps": 2},
    )
    found = sagemaker.describe_pipeline(PipelineName=arn)
    assert arn == f"arn:aws:sagemaker:eu-west-1:000000000000:pipeline/{name}"
    assert found["PipelineName"] == name
    assert found["PipelineDefinition"] == definition()
    assert found["PipelineDisplayName"] == "Shown"
    assert found["PipelineDescription"] == "why"
    assert found["RoleArn"] == ROLE
    assert found["PipelineStatus"] == "Active"
    assert found["ParallelismConfiguration"] == {"MaxParallelExecutionSteps": 2}
    assert abs(found["CreationTime"] - datetime.datetime.now(datetime.UTC)) < datetime.timedelta(minutes=1)
    assert "IamIdentity" in found["CreatedBy"]


def test_creation_is_idempotent_by_its_token_and_refused_without_it(sagemaker: Client, name: str) -> None:
    token = "t" * 32
    arn = create(sagemaker, name, ClientRequestToken=token)
    assert create(sagemaker, name, ClientRequestToken=token) == arn
    with pytest.raises(ClientError, match="Pipeline names must be unique within") as caught:
        create(sagemaker, name)
    assert caught.value.response["Error"]["Code"] == "ValidationException"


def test_a_definition_is_read_from_s3(sagemaker: Client, s3: Client, bucket: str, name: str) -> None:
    s3.put_object(Bucket=bucket, Key="definition.json", Body=definition("from s3"))
    location = {"Bucket": bucket, "ObjectKey": "definition.json"}
    sagemaker.create_pipeline(PipelineName=name, RoleArn=ROLE, PipelineDefinitionS3Location=location)
    assert sagemaker.describe_pipeline(PipelineName=name)["PipelineDefinition"] == definition("from s3")
    with pytest.raises(ClientError, match="There is no pipeline definition at s3://"):
        sagemaker.update_pipeline(
            PipelineName=name, PipelineDefinitionS3Location={"Bucket": bucket, "ObjectKey": "absent"}
        )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "JSON object"),
        ('{"Version": NaN}', "not JSON: it holds NaN"),
        (json.dumps({**json.loads(definition()), "PipelineExperimentConfig": "x"}), "must be an object"),
        (json.dumps({**json.loads(definition()), "MlflowConfig": "x"}), "MlflowConfig: it must be an object"),
        (
            json.dumps({**json.loads(definition()), "MlflowConfig": {"MlflowExperimentName": "x"}}),
            "MlflowConfig without MlflowResourceArn is not implemented",
        ),
        (json.dumps({"Version": "2019", "Steps": []}), "Version"),
        (json.dumps({"Version": "2020-12-01", "Steps": []}), "at least one step"),
        ('"' + "x" * (1 << 20) + '"', "less than or equal to 1048576"),
    ],
)
def test_a_definition_that_cannot_run_is_refused_at_once(
    sagemaker: Client, name: str, text: str, why: str
) -> None:
    with pytest.raises(ClientError, match=why):
        create(sagemaker, name, PipelineDefinition=text)
    with pytest.raises(ClientError, match="does not exist"):
        sagemaker.describe_pipeline(PipelineName=name)


def test_every_update_makes_a_version_that_never_changes(sagemaker: Client, name: str) -> None:
    arn = create(sagemaker, name)
    updated = sagemaker.update_pipeline(PipelineName=name, PipelineDefinition=definition("second"))
    assert updated == {**updated, "PipelineArn": arn, "PipelineVersionId": 2}
    assert sagemaker.update_pipeline(PipelineName=name, PipelineDescription="third")["PipelineVersionId"] == 3
    now = sagemaker.describe_pipeline(PipelineName=name)
    first = sagemaker.describe_pipeline(PipelineName=name, PipelineVersionId=1)
    assert (now["PipelineDefinition"], now["PipelineDescription"]) == (definition("second"), "third")
    assert first["PipelineDefinition"] == definition()
    assert "PipelineDescription" not in first
    assert first["CreationTime"] == now["CreationTime"]
    with pytest.raises(ClientError, match=f"'{name}/4' does not exist"):
        sagemaker.describe_pipeline(PipelineName=name, PipelineVersionId=4)


def test_versions_are_listed_newest_first_and_can_be_named(sagemaker: Client, name: str) -> None:
    arn = create(sagemaker, name)
    for number in range(4):
        sagemaker.update_pipeline(PipelineName=name, PipelineDescription=str(number))
    sagemaker.update_pipeline_version(
        PipelineArn=arn,
        PipelineVersionId=2,
        PipelineVersionDisplayName="chosen",
        PipelineVersionDescription="why",
    )
    pages = sagemaker.get_paginator("list_pipeline_versions").paginate(
        PipelineName=name, PaginationConfig={"PageSize": 2}
    )
    found = [item for page in pages for item in page["PipelineVersionSummaries"]]
    assert [item["PipelineVersionId"] for item in found] == [5, 4, 3, 2, 1]
    assert found[3]["PipelineVersionDisplayName"] == "chosen"
    described = sagemaker.describe_pipeline(PipelineName=name, PipelineVersionId=2)
    assert described["PipelineVersionDescription"] == "why"


def test_pipelines_are_listed_by_prefix_time_and_name(sagemaker: Client, name: str) -> None:
    for part in ("b", "a", "c"):
        create(sagemaker, f"{name}-{part}")
    listed = sagemaker.list_pipelines(PipelineNamePrefix=name)["PipelineSummaries"]
    assert [item["PipelineName"][-1] for item in listed] == ["c", "a", "b"]
    by_name = sagemaker.get_paginator("list_pipelines").paginate(
        PipelineNamePrefix=name, SortBy="Name", SortOrder="Ascending", PaginationConfig={"PageSize": 1}
    )
    names = [item["PipelineName"][-1] for page in by_name for item in page["PipelineSummaries"]]
    assert names == ["a", "b", "c"]
    hour = datetime.timedelta(hours=1)
    recent = {"PipelineNamePrefix": name, "CreatedAfter": listed[0]["CreationTime"] - hour}
    assert len(sagemaker.list_pipelines(**recent)["PipelineSummaries"]) == 3
    recent["CreatedBefore"] = recent["CreatedAfter"] + hour / 2
    assert sagemaker.list_pipelines(**recent)["PipelineSummaries"] == []


def test_a_deleted_pipeline_is_gone_with_its_versions(sagemaker: Client, name: str) -> None:
    arn = create(sagemaker, name)
    sagemaker.update_pipeline(PipelineName=name, PipelineDescription="x")
    assert sagemaker.delete_pipeline(PipelineName=name)["PipelineArn"] == arn
    for call in (sagemaker.describe_pipeline, sagemaker.list_pipeline_versions, sagemaker.delete_pipeline):
        with pytest.raises(ClientError) as caught:
            call(PipelineName=name)
        assert caught.value.response["Error"]["Code"] == "ResourceNotFound"
    create(sagemaker, name)
    assert sagemaker.update_pipeline(PipelineName=name, PipelineDescription="y")["PipelineVersionId"] == 2


def test_a_pipeline_of_another_region_is_not_found(sagemaker: Client, name: str) -> None:
    arn = create(sagemaker, name).replace("eu-west-1", "us-east-1")
    with pytest.raises(ClientError, match="does not exist"):
        sagemaker.describe_pipeline(PipelineName=arn)


def test_an_alias_names_one_version_and_moves(sagemaker: Client, name: str) -> None:
    arn = create(sagemaker, name, PipelineVersionAliases=["live", "first"], PipelineDescription="1")
    sagemaker.update_pipeline(PipelineName=name, PipelineDescription="2")
    sagemaker.update_pipeline(PipelineName=name, PipelineDescription="3", PipelineVersionAliases=["live"])

    def named(alias: str) -> str:
        found: str = sagemaker.describe_pipeline(PipelineName=name, PipelineVersionAlias=alias)[
            "PipelineDescription"
        ]
        return found

    assert (named("live"), named("first")) == ("3", "1")
    assert sagemaker.describe_pipeline(PipelineName=name)["PipelineVersionAliases"] == ["live"]
    change = {"PipelineArn": arn, "PipelineVersionId": 2}
    sagemaker.update_pipeline_version(**change, PipelineVersionAliasOperations={"Add": ["live", "next"]})
    listed = sagemaker.list_pipeline_versions(PipelineName=name)["PipelineVersionSummaries"]
    assert [one.get("PipelineVersionAliases", []) for one in listed] == [[], ["live", "next"], ["first"]]
    sagemaker.update_pipeline_version(**change, PipelineVersionAliasOperations={"Remove": ["live"]})
    for call, arguments in (
        (sagemaker.describe_pipeline, {"PipelineName": name, "PipelineVersionAlias": "live"}),
        (sagemaker.start_pipeline_execution, {"PipelineName": name, "PipelineVersionAlias": "live"}),
        (
            sagemaker.update_pipeline_version,
            {**change, "PipelineVersionAliasOperations": {"Remove": ["first"]}},
        ),
    ):
        with pytest.raises(ClientError, match="does not exist"):
            call(**arguments)
    with pytest.raises(ClientError, match="not both"):
        sagemaker.describe_pipeline(PipelineName=name, PipelineVersionAlias="next", PipelineVersionId=1)
    execution = sagemaker.start_pipeline_execution(PipelineName=name, PipelineVersionAlias="first")
    started = execution["PipelineExecutionArn"]
    assert sagemaker.describe_pipeline_execution(PipelineExecutionArn=started)["PipelineVersionId"] == 1
    of_first, of_next = (
        sagemaker.list_pipeline_executions(PipelineName=name, PipelineVersionAlias=alias)
        for alias in ("first", "next")
    )
    assert [one["PipelineExecutionArn"] for one in of_first["PipelineExecutionSummaries"]] == [started]
    assert of_next["PipelineExecutionSummaries"] == []
