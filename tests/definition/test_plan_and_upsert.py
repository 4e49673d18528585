"""Plan and upsert against the real local endpoint: what is said is what is done, and nothing else."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aws_formats.errors import GatehouseError
from pipelines.commands.plan_report import PLANNED, plan_document, plan_in_words
from pipelines.definition.bucket import ensure_bucket, stored_sizes
from pipelines.definition.bundles import code_bundle, missing_files, publish_bundles
from pipelines.definition.compile import Compiled, compile_pipeline
from pipelines.definition.dataset import find_dataset, missing_data, publish, publish_data
from pipelines.definition.sources import Sources
from pipelines.settings.project import Project
from pipelines.settings.target import Target
from pipelines.upsert.apply import INLINE_LIMIT, apply_upsert
from pipelines.upsert.plan import forecast_next_start, plan_upsert
from sagemaker_local import endpoint


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    running = endpoint.start(tmp_path_factory.mktemp("home"))
    yield running.url
    running.close()


@pytest.fixture
def target(local: Target, url: str, request: pytest.FixtureRequest) -> Target:
    """The endpoint, with a bucket of the test's own."""
    name = request.node.name.replace("_", "-").replace("[", "-").replace("]", "")[:50].strip("-")
    return replace(local.at(url), bucket=f"t-{name}")


@pytest.fixture
def mine(compiled: Compiled, request: pytest.FixtureRequest) -> Compiled:
    """The compiled pipeline under a name of the test's own."""
    return replace(compiled, name=request.node.name.replace("_", "-")[:60].strip("-"))


def with_default(compiled: Compiled, name: str, value: Any) -> Compiled:
    document = json.loads(compiled.definition)
    next(item for item in document["Parameters"] if item["Name"] == name)["DefaultValue"] = value
    return replace(compiled, definition=json.dumps(document))


def describe(target: Target, name: str) -> dict[str, Any]:
    found: dict[str, Any] = target.client("sagemaker").describe_pipeline(PipelineName=name)
    return found


def tags_of(target: Target, arn: str) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in target.client("sagemaker").list_tags(ResourceArn=arn)["Tags"]}


def test_a_new_pipeline_is_created_with_all_that_it_refers_to(target: Target, mine: Compiled) -> None:
    plan = plan_upsert(mine, target)
    assert (plan.action, plan.changes, plan.live) == ("create", (), None)
    code = ("processing code", "training code", "evaluation code")
    assert plan.missing_bundles == (*code, "data settings", "gate settings")
    assert [file.path.name for file in plan.missing_data] == ["payments.csv"]
    assert [(one.step, one.cached_from) for one in forecast_next_start(plan, target)] == [
        ("PreprocessData", None),
        ("TrainModel", None),
        ("EvaluateModel", None),
    ]

    arn = apply_upsert(plan, target)
    found = describe(target, mine.name)
    assert found["PipelineArn"] == arn
    assert found["PipelineDefinition"] == mine.definition
    assert found["PipelineDescription"] == mine.description
    assert tags_of(target, arn) == mine.tags
    s3 = target.client("s3")
    for bundle in mine.bundles:
        for name, content in bundle.files:
            stored = s3.get_object(Bucket=target.bucket, Key=bundle.prefix + name)["Body"].read()
            assert stored == content


def test_planning_changes_nothing(target: Target, mine: Compiled) -> None:
    first = plan_upsert(mine, target)
    assert plan_upsert(mine, target) == first
    assert stored_sizes(target.bucket, "", target.client("s3")) == {}


def test_nothing_is_done_when_nothing_changed(target: Target, mine: Compiled) -> None:
    arn = apply_upsert(plan_upsert(mine, target), target)
    before = describe(target, mine.name)["LastModifiedTime"]
    plan = plan_upsert(mine, target)
    assert (plan.action, plan.changes) == ("none", ())
    assert not plan.changes_something
    assert apply_upsert(plan, target) == arn
    assert describe(target, mine.name)["LastModifiedTime"] == before


def test_an_update_is_told_before_and_keeps_the_tags_of_others(target: Target, mine: Compiled) -> None:
    arn = apply_upsert(plan_upsert(mine, target), target)
    target.client("sagemaker").add_tags(ResourceArn=arn, Tags=[{"Key": "cost-center", "Value": "17"}])
    changed = replace(with_default(mine, "MaxDepth", 6), description="Now deeper")
    changed = replace(changed, tags={**mine.tags, "owner": "me"})
    plan = plan_upsert(changed, target)
    assert plan.action == "update"
    assert plan.changes == (
        "TrainModel, RegisterModel: MaxDepth default 4 -> 6",
        "the pipeline: description 'Finds fraudulent card payments' -> 'Now deeper'",
        "the pipeline: tag owner nothing -> me",
    )
    assert apply_upsert(plan, target) == arn
    assert describe(target, mine.name)["PipelineDescription"] == "Now deeper"
    assert tags_of(target, arn) == {**mine.tags, "cost-center": "17", "owner": "me"}
    assert plan_upsert(changed, target).action == "none"


def test_each_version_of_the_pipeline_says_what_made_it(target: Target, mine: Compiled) -> None:
    apply_upsert(plan_upsert(mine, target), target)
    apply_upsert(plan_upsert(with_default(mine, "MaxDepth", 9), target), target)
    versions = target.client("sagemaker").list_pipeline_versions(PipelineName=mine.name)
    second, first = [one["PipelineVersionDescription"] for one in versions["PipelineVersionSummaries"]]
    assert first == "commit c0ffee"
    assert second == "commit c0ffee; TrainModel, RegisterModel: MaxDepth default 4 -> 9"


def test_a_pipeline_updated_since_the_plan_is_left_alone(target: Target, mine: Compiled) -> None:
    apply_upsert(plan_upsert(mine, target), target)
    plan = plan_upsert(with_default(mine, "MaxDepth", 6), target)
    apply_upsert(plan_upsert(with_default(mine, "MaxDepth", 7), target), target)
    with pytest.raises(GatehouseError, match=r"changed since the plan was made.*Make a new plan"):
        apply_upsert(plan, target)
    assert (
        '"MaxDepth", "Type": "Integer", "DefaultValue": 7'
        in describe(target, mine.name)["PipelineDefinition"]
    )


def test_a_pipeline_created_or_deleted_since_the_plan_is_noticed(target: Target, mine: Compiled) -> None:
    creation = plan_upsert(mine, target)
    apply_upsert(plan_upsert(with_default(mine, "MaxDepth", 7), target), target)
    with pytest.raises(GatehouseError, match="it was created"):
        apply_upsert(creation, target)
    update = plan_upsert(with_default(mine, "MaxDepth", 6), target)
    target.client("sagemaker").delete_pipeline(PipelineName=mine.name)
    with pytest.raises(GatehouseError, match="it was updated or deleted"):
        apply_upsert(update, target)


def test_what_somebody_else_has_done_just_as_planned_is_done(target: Target, mine: Compiled) -> None:
    """As two runs that begin at once do."""
    creation = plan_upsert(mine, target)
    arn = apply_upsert(creation, target)
    assert apply_upsert(creation, target) == arn
    update = plan_upsert(with_default(mine, "MaxDepth", 6), target)
    apply_upsert(update, target)
    changed = describe(target, mine.name)["LastModifiedTime"]
    assert apply_upsert(update, target) == arn
    assert describe(target, mine.name)["LastModifiedTime"] == changed


def test_a_name_in_use_by_something_else_is_refused_and_left_as_it_is(target: Target, mine: Compiled) -> None:
    sagemaker = target.client("sagemaker")
    theirs = json.dumps({"Version": "2020-12-01", "Steps": [{"Name": "No", "Type": "Fail", "Arguments": {}}]})
    made = sagemaker.create_pipeline(
        PipelineName=mine.name, RoleArn=target.role_arn, PipelineDefinition=theirs
    )
    with pytest.raises(GatehouseError, match="is in use by a pipeline that is not this project's") as refused:
        plan_upsert(mine, target)
    assert describe(target, mine.name)["PipelineDefinition"] == theirs
    # The remedy, as it is printed.
    pairs = re.findall(r"Key=([^,]+),Value=([\w-]+)", str(refused.value))
    sagemaker.add_tags(
        ResourceArn=made["PipelineArn"], Tags=[{"Key": key, "Value": value} for key, value in pairs]
    )
    assert plan_upsert(mine, target).action == "update"


def test_a_long_definition_goes_by_way_of_s3(target: Target, mine: Compiled) -> None:
    document = json.loads(mine.definition)
    document["Metadata"] = {"padding": "x" * INLINE_LIMIT}
    long = replace(mine, definition=json.dumps(document))
    apply_upsert(plan_upsert(long, target), target)
    assert describe(target, mine.name)["PipelineDefinition"] == long.definition
    assert any("/definitions/" in key for key in stored_sizes(target.bucket, "", target.client("s3")))
    assert plan_upsert(long, target).action == "none"


def test_a_half_uploaded_bundle_is_completed(target: Target, tmp_path: Path) -> None:
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text(name)
    bundle, s3 = code_bundle("training code", "p", tmp_path), target.client("s3")
    ensure_bucket(target, s3)
    s3.put_object(Bucket=target.bucket, Key=f"{bundle.prefix}a.py", Body=b"a.py")
    s3.put_object(Bucket=target.bucket, Key=f"{bundle.prefix}b.py", Body=b"b.")
    assert missing_files(bundle, target.bucket, s3) == ("b.py",)
    publish_bundles([bundle], target.bucket, s3)
    assert missing_files(bundle, target.bucket, s3) == ()
    assert s3.get_object(Bucket=target.bucket, Key=f"{bundle.prefix}b.py")["Body"].read() == b"b.py"


def test_two_uploads_at_once_do_no_harm(target: Target, compiled: Compiled) -> None:
    s3 = target.client("s3")
    ensure_bucket(target, s3)
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(publish_bundles, compiled.bundles, target.bucket, s3) for _ in range(4)]:
            done.result()
    assert not any(missing_files(bundle, target.bucket, s3) for bundle in compiled.bundles)


def test_data_is_published_once(target: Target, project: Project) -> None:
    uri = publish(project, target)
    s3 = target.client("s3")
    key = uri.removeprefix(f"s3://{target.bucket}/") + "payments.csv"
    first = s3.head_object(Bucket=target.bucket, Key=key)["LastModified"]
    assert publish(project, target) == uri
    assert s3.head_object(Bucket=target.bucket, Key=key)["LastModified"] == first
    content = s3.get_object(Bucket=target.bucket, Key=key)["Body"].read()
    assert content == (project.root / "payments.csv").read_bytes()


def test_large_data_is_not_cut_into_parts_on_its_way_to_this_machine(
    target: Target, tmp_path: Path, make_project: Callable[..., Project]
) -> None:
    """They would be written twice. boto3 cuts from 8 MB on, and the ETag then says into how many."""
    project = make_project(tmp_path)
    content = b"amount,fraud\n" + b"1.25,yes\n-3.5,no\n" * 600_000
    (tmp_path / "payments.csv").write_bytes(content)
    key = publish(project, target).removeprefix(f"s3://{target.bucket}/") + "payments.csv"
    found = target.client("s3").get_object(Bucket=target.bucket, Key=key)
    assert found["Body"].read() == content
    assert found["ETag"].strip('"') == hashlib.md5(content).hexdigest()


def test_data_that_changes_while_it_is_uploaded_is_not_taken_for_what_it_was(
    target: Target, tmp_path: Path, make_project: Callable[..., Project]
) -> None:
    project = make_project(tmp_path)
    dataset, s3 = find_dataset(project, target), target.client("s3")
    ensure_bucket(target, s3)
    (tmp_path / "payments.csv").write_text("amount,fraud\n1,yes\n2,no\n3,no\n")
    with pytest.raises(GatehouseError, match="the data changed while it was read"):
        publish_data(dataset, target, s3)
    assert stored_sizes(target.bucket, "", s3) == {}


def folder_of_files(make_project: Callable[..., Project], tmp_path: Path, count: int) -> Project:
    """A project whose data is a folder of Hive folders with a file of the same name in each."""
    for number in range(count):
        place = tmp_path / "rows" / f"day={number}"
        place.mkdir(parents=True)
        (place / "part.csv").write_text(f"amount,fraud\n{number},yes\n{number}.5,no\n")
    project = make_project(tmp_path)
    return project.model_copy(update={"data": project.data.model_copy(update={"source": "rows"})})


def test_of_many_data_files_a_plan_says_how_many_and_its_document_names_each(
    target: Target, tmp_path: Path, make_project: Callable[..., Project]
) -> None:
    project = folder_of_files(make_project, tmp_path, 5)
    plan = plan_upsert(replace(compile_pipeline(project, target), name="many-files"), target)
    (line,) = [line for line in plan_in_words(plan, PLANNED) if "would be uploaded" in line]
    assert line.endswith("gate settings, 5 data files, 130 bytes")
    assert plan_document(plan, ())["missing_data"] == [f"day={number}/part.csv" for number in range(5)]
    told: list[tuple[int, int]] = []
    apply_upsert(plan, target, lambda sent, total: told.append((sent, total)))
    assert told[-1] == (130, 130)
    assert not missing_data(plan.compiled.dataset, target.bucket, target.client("s3"))


def test_of_files_that_change_while_they_are_uploaded_none_stays(
    target: Target, tmp_path: Path, make_project: Callable[..., Project]
) -> None:
    """The one that is told of is not the only one: the next upload would take the other as it is."""
    dataset = find_dataset(folder_of_files(make_project, tmp_path, 4), target)
    s3 = target.client("s3")
    ensure_bucket(target, s3)
    for number in (1, 3):
        (tmp_path / "rows" / f"day={number}" / "part.csv").write_text("amount,fraud\n7,yes\n7.5,no\n")
    with pytest.raises(GatehouseError, match=r"the data changed while it was read") as refused:
        publish_data(dataset, target, s3)
    assert refused.value.where == str(tmp_path / "rows" / "day=1" / "part.csv")
    left = {key.removeprefix(dataset.prefix) for key in stored_sizes(target.bucket, "", s3)}
    assert left <= {"day=0/part.csv", "day=2/part.csv"}


def test_a_file_that_is_gone_when_its_turn_comes_is_named(
    target: Target, tmp_path: Path, make_project: Callable[..., Project]
) -> None:
    project = folder_of_files(make_project, tmp_path, 3)
    dataset, s3 = find_dataset(project, target), target.client("s3")
    ensure_bucket(target, s3)
    gone = tmp_path / "rows" / "day=2" / "part.csv"
    gone.unlink()
    with pytest.raises(GatehouseError, match="the data changed while it was read") as refused:
        publish_data(dataset, target, s3)
    assert refused.value.where == str(gone)


def test_an_upload_that_s3_refuses_is_an_error_of_aws(
    target: Target, tmp_path: Path, make_project: Callable[..., Project]
) -> None:
    """boto3's own upload_file would make an exception of it that says nothing of permissions."""
    dataset = find_dataset(folder_of_files(make_project, tmp_path, 2), target)
    with pytest.raises(ClientError) as refused:
        publish_data(dataset, replace(target, bucket="no-such-bucket"), target.client("s3"))
    assert refused.value.response["Error"]["Code"] == "NoSuchBucket"


def test_in_aws_a_missing_bucket_is_told_by_the_plan_and_none_is_made(
    target: Target, mine: Compiled, monkeypatch: pytest.MonkeyPatch
) -> None:
    # For the target aws the clients are the user's own: these lead them to the endpoint of this test.
    assert target.endpoint_url is not None
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_ENDPOINT_URL", target.endpoint_url)
    aws = replace(target, name="aws", bucket="no-such-bucket")
    s3 = target.client("s3")
    with pytest.raises(GatehouseError, match="the bucket 'no-such-bucket' does not exist"):
        ensure_bucket(aws, s3)
    plan = plan_upsert(mine, aws)
    assert plan.missing_bucket == "no-such-bucket"
    assert any("the bucket no-such-bucket does not exist" in line for line in plan_in_words(plan, PLANNED))
    with pytest.raises(GatehouseError, match="the bucket 'no-such-bucket' does not exist"):
        apply_upsert(plan, aws)
    assert "no-such-bucket" not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]


def test_a_notebook_upserts_starts_and_watches_the_sdks_pipeline(
    target: Target, project: Project, sources: Sources
) -> None:
    from pipelines.definition.pipeline import build

    own = project.model_copy(update={"short_name": "notebook"})
    pipeline = build(own, target, sources=replace(sources, dataset=find_dataset(own, target)))
    arn = pipeline.upsert()["PipelineArn"]
    assert describe(target, "rc-notebook")["PipelineDefinition"] == pipeline.definition()
    assert tags_of(target, arn)["gatehouse:team"] == "rc"
    s3 = target.client("s3")
    assert all(not missing_files(bundle, target.bucket, s3) for bundle in sources.bundles)
    assert pipeline.upsert(role_arn=target.role_arn)["PipelineArn"] == arn

    execution = pipeline.start({"MaxDepth": 3})
    # The programs of these tests only print, so training finds no model to pack.
    with pytest.raises(Exception, match="Failed"):
        execution.wait(delay=1, max_attempts=60)
    steps = {step["StepName"]: step["StepStatus"] for step in execution.list_steps()}
    assert steps["PreprocessData"] in ("Succeeded", "Failed")
    assert "RegisterModel" not in steps
