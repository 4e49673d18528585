"""The function that runs a project's query: real boto3 against Athena's shapes, results in a real S3."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from athena_place import FILES, Athena, Plan, athena_place
from automated_project import AutomatedProject
from policies import ACCOUNT, BUCKET, KEY, PROJECT, REGION, allows, resources, statements
from registered_models import BUCKET as STORED_IN

from automation import context
from automation.handlers import query_data
from aws_formats.errors import GatehouseError
from pipelines.infra.stacks import build_stack, site_of
from pipelines.settings.projects_file import load_settings
from sagemaker_local.events.function_process import Context
from tests.automation.test_least_privilege import actions_of

RIGHTS = (
    "Its role is gatehouse-{project}-query: `gatehouse infra deploy {project} --only pipeline` gives it what"
    " the settings name by now, and -p QueryPolicyArns=ARN what else the query needs."
)
SQL = "SELECT age, \"left\" FROM customers WHERE note <> ';' -- all of them"


@pytest.fixture
def athena(automated: AutomatedProject, monkeypatch: pytest.MonkeyPatch) -> Iterator[Athena]:
    """The function's Athena; its S3 is the local SageMaker's."""
    with athena_place(automated.registry.client("s3")) as service:
        monkeypatch.setenv("AWS_ENDPOINT_URL_ATHENA", service.url)
        context._client.cache_clear()
        yield service
    context._client.cache_clear()


def call(automated: AutomatedProject, seconds: float = 600, **members: str) -> dict[str, str]:
    """The function's answer to the step, with so many seconds of its time left."""
    event = {
        "Sql": SQL,
        "Database": "bank",
        "Workgroup": "primary",
        "Catalog": "",
        "OutputUri": f"s3://{STORED_IN}/{automated.registry.project}/queries/abc123",
        "InputDataUri": "",
    }
    members_of_call = {
        "function_name": "f",
        "arn": "a",
        "request_id": "r",
        "memory": 512,
        "timeout": seconds,
    }
    return query_data.handle({**event, **members}, Context(members_of_call))


def read(athena: Athena, uri: str) -> list[dict[str, Any]]:
    """The rows of the Parquet files below a prefix, each of which has to be one."""
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    objects = athena.s3.list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]
    assert len(objects) == FILES
    bodies = [athena.s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read() for one in objects]
    rows: list[dict[str, Any]] = pa.concat_tables(pq.read_table(io.BytesIO(b)) for b in bodies).to_pylist()
    return sorted(rows, key=lambda row: row["age"])


def test_the_query_is_unloaded_as_parquet_and_the_step_says_where_and_how_much_was_read(
    automated: AutomatedProject, athena: Athena
) -> None:
    athena.plans = [Plan()]
    outputs = call(automated)
    place = f"s3://{STORED_IN}/{automated.registry.project}/queries/abc123/1"
    [(query, started)] = athena.queries.items()
    assert outputs == {
        "DataUri": f"{place}/rows/",
        "QueryExecutionId": query,
        "BytesScanned": "12345678",
        "Sentence": f"query {query} scanned 12.3 MB and wrote {place}/rows/",
    }
    assert read(athena, outputs["DataUri"]) == [{"age": 1, "left": "no"}, {"age": 2, "left": "yes"}]
    assert started.request["QueryString"] == (
        f"UNLOAD (\n{SQL}\n) TO '{place}/rows/' WITH (format = 'PARQUET', compression = 'SNAPPY')"
    )
    assert started.request["QueryExecutionContext"] == {"Database": "bank"}
    assert started.request["WorkGroup"] == "primary"
    assert started.request["ResultConfiguration"] == {"OutputLocation": f"{place}/athena/"}, "not the rows'"


def test_a_catalog_is_named_where_the_settings_name_one(automated: AutomatedProject, athena: Athena) -> None:
    athena.plans, athena.workgroups = [Plan()], ("ml",)
    call(automated, Catalog="lake", Workgroup="ml")
    [request] = athena.requests()
    assert request["QueryExecutionContext"] == {"Database": "bank", "Catalog": "lake"}


def test_an_execution_that_names_its_data_is_given_that_and_nothing_is_run(
    automated: AutomatedProject, athena: Athena
) -> None:
    outputs = call(automated, InputDataUri="s3://elsewhere/rows/")
    assert outputs["DataUri"] == "s3://elsewhere/rows/"
    assert outputs["Sentence"] == "the query is not run: this execution was given s3://elsewhere/rows/"
    assert not athena.queries


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (
            Plan(
                ["QUEUED", "FAILED"], reason="COLUMN_NOT_FOUND: line 1:8:\n Column 'aeg' cannot be resolved"
            ),
            "the query failed ({}): COLUMN_NOT_FOUND: line 1:8: Column 'aeg' cannot be resolved.",
        ),
        (
            Plan(
                ["FAILED"],
                reason="Query exhausted resources",
                error={"ErrorCategory": 1, "ErrorType": 233, "Retryable": True, "ErrorMessage": "exhausted"},
            ),
            "the query failed ({}): Query exhausted resources. Athena says that it may succeed:"
            " `gatehouse retry {project}`.",
        ),
        (
            Plan(["RUNNING", "CANCELLED"], reason="Bytes scanned limit was exceeded"),
            "the query was cancelled ({}): Bytes scanned limit was exceeded.",
        ),
        (Plan(["FAILED"]), "the query failed ({}): Athena gives no reason."),
        (
            Plan(["FAILED"], reason="HIVE_WRITER_OPEN_ERROR: it may not be written. \n"),
            "the query failed ({}): HIVE_WRITER_OPEN_ERROR: it may not be written.",
        ),
        (
            Plan(["FAILED"], reason="Insufficient permissions to execute the query. User: arn:aws:sts::1:x"),
            "the query failed ({}): Insufficient permissions to execute the query. User: arn:aws:sts::1:x. "
            + RIGHTS,
        ),
        (
            Plan(["FAILED"], reason="Access Denied (Service: Amazon S3; Status Code: 403)"),
            "the query failed ({}): Access Denied (Service: Amazon S3; Status Code: 403). " + RIGHTS,
        ),
        (Plan(rows=()), "the query gave no rows ({}). Look at its conditions, and at the tables."),
    ],
)
def test_a_query_without_a_result_fails_the_step_in_one_line(
    automated: AutomatedProject, athena: Athena, plan: Plan, words: str
) -> None:
    athena.plans = [plan]
    with pytest.raises(GatehouseError) as raised:
        call(automated)
    assert str(raised.value) == words.format(*athena.queries, project=automated.registry.project)
    assert len(athena.queries) == 1, "a query that just failed is not run again"


def test_a_query_that_takes_longer_than_a_step_may_is_stopped(
    automated: AutomatedProject, athena: Athena
) -> None:
    athena.plans = [Plan(["RUNNING"])]
    with pytest.raises(GatehouseError, match=r"was stopped, because a Lambda step may take no more than 10"):
        call(automated, seconds=30.5)
    assert athena.stopped == list(athena.queries)


def test_calls_that_are_throttled_are_made_again(automated: AutomatedProject, athena: Athena) -> None:
    athena.plans, athena.throttled = [Plan(["SUCCEEDED"])], 2
    assert len(read(athena, call(automated)["DataUri"])) == 2
    assert len(athena.queries) == 1


def test_a_step_that_is_tried_again_takes_up_the_query_of_the_try_before(
    automated: AutomatedProject, athena: Athena
) -> None:
    athena.plans = [Plan(["SUCCEEDED"])]
    first = call(automated)
    athena.later(minutes=20)
    assert call(automated) == first
    assert len(athena.queries) == 1, "it was run, and paid for, once"


@pytest.mark.parametrize(
    ("failing", "words"),
    [
        (Plan(["FAILED"], reason="lost"), r"failed \(.*\): lost"),
        (Plan(["CANCELLED"], reason="lost"), r"was cancelled \(.*\): lost"),
        (Plan(rows=()), "gave no rows"),
    ],
)
def test_after_a_failed_try_the_query_is_run_anew_in_a_place_of_its_own(
    automated: AutomatedProject, athena: Athena, failing: Plan, words: str
) -> None:
    athena.plans = [failing, failing, Plan()]
    for _ in range(2):
        with pytest.raises(GatehouseError, match=words):
            call(automated)
        if failing.states[-1] == "FAILED":  # what it may have left
            key = f"{automated.registry.project}/queries/abc123/{len(athena.queries)}/rows/orphan"
            athena.s3.put_object(Bucket=STORED_IN, Key=key, Body=b"half a file")
        athena.later(minutes=5)
    outputs = call(automated)
    assert outputs["DataUri"].endswith("/queries/abc123/3/rows/")
    assert len(read(athena, outputs["DataUri"])) == 2
    assert len({request["ClientRequestToken"] for request in athena.requests()}) == 3


@pytest.mark.usefixtures("athena")
def test_what_athena_refuses_is_said_with_where(automated: AutomatedProject) -> None:
    with pytest.raises(GatehouseError) as raised:
        call(automated, Workgroup="ml")
    assert str(raised.value).startswith(
        "Athena, database bank, workgroup ml: StartQueryExecution is refused: WorkGroup ml is not found."
    )


@pytest.mark.parametrize("operation", ["StartQueryExecution", "GetQueryExecution"])
def test_a_right_that_is_missing_is_said_with_the_role_and_what_gives_it(
    automated: AutomatedProject, athena: Athena, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    monkeypatch.setenv("GATEHOUSE_TARGET", "aws")
    athena.plans, athena.denied = [Plan()], operation
    with pytest.raises(GatehouseError) as raised:
        call(automated)
    project = automated.registry.project
    assert str(raised.value) == (
        f"Athena, database bank, workgroup primary: {operation} is refused: You are not authorized to "
        f"perform: athena:{operation} on the resource. Its role is gatehouse-{project}-query: "
        f"`gatehouse infra deploy {project} --only pipeline --target aws` gives it what the settings name by "
        "now, and -p QueryPolicyArns=ARN what else the query needs."
    )


def test_what_s3_refuses_is_said_of_s3(automated: AutomatedProject, athena: Athena) -> None:
    athena.plans = [Plan(["SUCCEEDED"], rows=())]
    athena.s3.create_bucket(Bucket="soon-gone")
    client = context.read_context().clients.client("athena")
    client.meta.events.register(
        "after-call.athena.StartQueryExecution", lambda **_: athena.s3.delete_bucket(Bucket="soon-gone")
    )
    place = "s3://soon-gone/queries/abc"
    with pytest.raises(GatehouseError, match=f"^S3, {place}: ListObjectsV2 is refused: .*bucket"):
        call(automated, OutputUri=place)


def test_on_this_machine_it_is_said_that_there_is_no_athena(automated: AutomatedProject) -> None:
    with pytest.raises(
        GatehouseError, match=r"no local service behind 'AmazonAthena'.*has no Athena; give I"
    ):
        call(automated)


# --- Its role ----------------------------------------------------------------------------------------

SETTINGS = """
[projects.rc.fraud-detection]
description = "x"
owner = "x"
task = "binary"
accuracy_threshold = 0.6
[projects.rc.fraud-detection.data]
source = "s3://samples/payments/"
target = "fraud"
[projects.rc.fraud-detection.data.query]
sql = "SELECT 1"
database = "bank"
workgroup = "ml"
catalog = "lake"
tables_at = ["s3://lake/payments/", "s3://lake/cards"]
"""
BY_ATHENA_ITSELF = {
    "glue:BatchGetPartition",
    "glue:GetDatabase",
    "glue:GetPartition",
    "glue:GetPartitions",
    "glue:GetTable",
    "glue:GetTables",
    "athena:GetDataCatalog",
    "s3:AbortMultipartUpload",
    "s3:GetBucketLocation",
    "s3:GetObject",
    "s3:ListBucketMultipartUploads",
    "s3:ListMultipartUploadParts",
    "s3:PutObject",
}
"""What Athena does in the caller's name, by its pages on fine-grained access to Glue and on access to S3."""

WITH_A_KEY = {"kms:Decrypt", "kms:GenerateDataKey"}
BY_LAMBDA_ITSELF = {"logs:CreateLogStream", "logs:PutLogEvents"}


def test_its_role_may_do_what_it_does_and_nothing_else(
    automated: AutomatedProject, athena: Athena, tmp_path: Any
) -> None:
    calls: set[str] = set()

    def record(model: Any, **_: Any) -> None:
        name = {"ListObjectsV2": "ListBucket"}.get(model.name, model.name)
        calls.add(f"{model.service_model.service_name}:{name}")

    clients = context.read_context().clients
    for service in ("athena", "s3"):
        clients.client(service).meta.events.register("before-call", record)
    athena.plans = [Plan(), Plan(["RUNNING"])]
    call(automated)
    with pytest.raises(GatehouseError):
        call(automated, seconds=30.5, OutputUri=f"s3://{STORED_IN}/{automated.registry.project}/queries/def")

    file = tmp_path / "query.toml"
    file.write_text(SETTINGS)
    project = load_settings(file).project(PROJECT)
    given = build_stack(project, site_of(project, ACCOUNT, REGION), "pipeline", code_key="x").parameters
    query = {name: value for name, value in given.items() if name.startswith("Query")}
    policy = statements(resources("pipeline", KmsKeyArn=KEY, **query), "QueryRole")
    assert actions_of(policy) == calls | BY_ATHENA_ITSELF | WITH_A_KEY | BY_LAMBDA_ITSELF

    arn, glue = f"{REGION}:{ACCOUNT}", f"arn:aws:glue:{REGION}:{ACCOUNT}"
    assert allows(policy, "athena:StartQueryExecution", f"arn:aws:athena:{arn}:workgroup/ml")
    assert not allows(policy, "athena:StartQueryExecution", f"arn:aws:athena:{arn}:workgroup/primary")
    assert allows(policy, "athena:GetDataCatalog", f"arn:aws:athena:{arn}:datacatalog/lake")
    assert allows(policy, "glue:GetTable", f"{glue}:table/bank/payments")
    assert not allows(policy, "glue:GetTable", f"{glue}:table/other/payments")
    assert allows(policy, "s3:GetObject", "arn:aws:s3:::lake/cards/2026/file")
    assert allows(policy, "s3:ListBucket", "arn:aws:s3:::lake")
    assert not allows(policy, "s3:GetObject", "arn:aws:s3:::lake/salaries/file")
    assert not allows(policy, "s3:PutObject", "arn:aws:s3:::lake/cards/file")
    assert allows(policy, "s3:PutObject", f"arn:aws:s3:::{BUCKET}/{PROJECT}/queries/abc/1/rows/file")
    for folder in ("executions", "code", "data"):
        assert not allows(policy, "s3:PutObject", f"arn:aws:s3:::{BUCKET}/{PROJECT}/{folder}/x")

    function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{PROJECT}-query-data"
    execution = statements(resources("foundation"), "ExecutionRole")
    assert allows(execution, "lambda:InvokeFunction", function)
    assert allows(execution, "s3:GetObject", f"arn:aws:s3:::{BUCKET}/{PROJECT}/queries/abc/1/rows/file")
    ci = statements(resources("foundation"), "CiRole")
    assert allows(ci, "lambda:GetFunctionConfiguration", function), "a start looks whether it is there"
    assert not allows(ci, "s3:PutObject", f"arn:aws:s3:::{BUCKET}/{PROJECT}/queries/abc/1/rows/file")
    foundation = build_stack(project, site_of(project, ACCOUNT, REGION), "foundation", code_key="x")
    assert foundation.parameters["DataBucket"] == "", "the sample is not read in AWS"


def test_more_policies_can_be_attached_to_its_role_which_only_a_project_with_a_query_has() -> None:
    policy = f"arn:aws:iam::{ACCOUNT}:policy/lake"
    found = resources("pipeline", QueryWorkgroup="ml", QueryPolicyArns=policy)
    assert found["QueryRole"]["Properties"]["ManagedPolicyArns"] == [policy]
    assert "ManagedPolicyArns" not in resources("pipeline", QueryWorkgroup="ml")["QueryRole"]["Properties"]
    assert not {"QueryRole", "QueryDataLog", "QueryDataFunction"} & resources("pipeline").keys()
