"""What `gatehouse plan` says a start takes and costs: from jobs that ran here, calculated, or not at all."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aws_formats.errors import GatehouseError
from pipelines.definition.dataset import DataFile, Dataset
from pipelines.executions import lifecycle as executions
from pipelines.executions import watching
from pipelines.settings.target import LOCAL_ROLE, Target
from pipelines.upsert import calculated
from pipelines.upsert.calculated import Data
from pipelines.upsert.estimate import Estimate, Span, StepEstimate, estimate_start
from pipelines.upsert.prices import FILE, read_prices
from pipelines.upsert.step_cache import StepForecast

NAME = "bank-churn"
EXPECTED = sorted((Path(__file__).parents[1] / "definition/expected").glob("*.json"))
PRICES = read_prices(Path("/nowhere"))


def definition(local: Any, instance_type: str = "ml.m5.large", script: str = "true") -> str:
    """Upsert a pipeline of one job that reads the data; its definition."""
    step = local.processing_step("PreprocessData", script)
    step["Arguments"]["ProcessingResources"]["ClusterConfig"]["InstanceType"] = instance_type
    raw = {
        "S3Uri": {"Get": "Parameters.InputDataUri"},
        "LocalPath": "/opt/ml/processing/input/raw",
        "S3DataType": "S3Prefix",
        "S3InputMode": "File",
    }
    step["Arguments"]["ProcessingInputs"] = [{"InputName": "raw", "S3Input": raw}]
    local.upsert([step])
    return str(local.client("sagemaker").describe_pipeline(PipelineName=NAME)["PipelineDefinition"])


def put(local: Any, name: str, megabytes: float) -> str:
    uri = f"s3://tests/{name}/"
    local.client("s3").put_object(Bucket="tests", Key=f"{name}/rows.csv", Body=b"x" * round(megabytes * 1e6))
    return uri


def run(local: Any, uri: str) -> float:
    """Start the pipeline and follow it; what its job was billed for."""
    arn = executions.start(local.target, NAME, {"InputDataUri": uri})
    *_, last = watching.follow(local.target, arn)
    assert last.status == "Succeeded"
    job = local.client("sagemaker").describe_processing_job(ProcessingJobName=last.steps[0].job.name)
    return float((job["ProcessingEndTime"] - job["ProcessingStartTime"]).total_seconds())


def estimates(local: Any, document: str, uri: str, **more: Any) -> tuple[Estimate, ...]:
    forecasts = more.pop("forecasts", ())
    return estimate_start(document, Dataset(uri, "1"), NAME, forecasts, local.target, PRICES)


def one_step(estimate: Estimate) -> StepEstimate:
    (step,) = estimate.steps
    return step


def test_earlier_executions_give_their_median_lowest_and_highest(local: Any) -> None:
    document = definition(local)
    uri = put(local, "data", 0.01)
    billed = sorted(run(local, uri) for _ in range(3))

    here, in_aws = estimates(local, document, uri)
    step = one_step(here)
    assert (step.executions, step.why) == (3, "from 3 earlier executions")
    assert step.billed == Span(*map(pytest.approx, billed))
    assert step.seconds is not None
    assert step.seconds.low >= billed[0]
    assert (here.cost, here.prices, step.cost) == (None, None, None)
    # What ran on this machine says nothing of AWS.
    assert (one_step(in_aws).executions, one_step(in_aws).why) == (0, "calculated from 10 KB of data")


def test_in_aws_the_billed_seconds_cost_what_the_list_says(
    local: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "of-nobody")
    monkeypatch.setenv("AWS_ENDPOINT_URL", local.url)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    document = definition(local)
    uri = put(local, "data", 0.01)
    billed = run(local, uri)

    target = replace(local.target, name="aws")
    (estimate,) = estimate_start(document, Dataset(uri, "1"), NAME, (), target, PRICES)
    assert one_step(estimate).why == "from the one earlier execution"
    assert estimate.cost is not None
    assert estimate.cost.expected == pytest.approx(billed * PRICES.per_hour["ml.m5.large"] / 3600)
    assert "one execution says little: the next may differ" in estimate.sureness
    assert f"the list is of us-east-1: {target.region} has prices of its own" in estimate.sureness


def test_an_execution_on_other_instances_is_no_evidence(local: Any) -> None:
    definition(local)
    run(local, put(local, "data", 0.01))
    other = definition(local, "ml.m5.2xlarge")
    here, _ = estimates(local, other, "s3://tests/data/")
    assert one_step(here).executions == 0


def test_an_execution_on_other_data_counts_in_proportion_to_the_calculation(local: Any) -> None:
    document = definition(local, script="sleep 0.3")
    billed = run(local, put(local, "small", 0.5))
    step = one_step(estimates(local, document, put(local, "large", 50))[0])
    small, large = (
        calculated.working_seconds(calculated.Job("preprocess", Data(gigabytes), 2, whole=True))
        for gigabytes in (0.0005, 0.05)
    )
    assert step.billed is not None
    assert step.billed.expected == pytest.approx(billed * large / small)
    assert step.why == "from the one earlier execution of other data or rounds"


def test_a_step_from_the_cache_takes_no_part(local: Any) -> None:
    document = definition(local)
    cached = StepForecast("PreprocessData", "arn:aws:an-execution")
    assert estimates(local, document, put(local, "data", 0.01), forecasts=[cached])[0].steps == ()


def test_where_nothing_is_known_the_plan_says_why(local: Any) -> None:
    document = definition(local, "ml.g5.xlarge")
    here, in_aws = estimates(local, document, "s3://tests/not-there/")
    assert one_step(here).why == "nothing is known of the size of the data"
    assert (here.seconds, here.gigabytes) == (None, None)
    assert "nothing is said of all of it, since some steps are not known" in here.sureness
    assert one_step(estimates(local, document, put(local, "data", 1))[1]).why == (
        "nothing was measured that tells what ml.g5.xlarge takes"
    )
    assert in_aws.cost is None


def test_the_command_prints_estimates_in_all_three_forms(gatehouse: Any, workplace: Path) -> None:
    in_words = gatehouse("plan")
    assert in_words.code == 0, in_words.err
    assert "Estimated on this machine:\n  PreprocessData, 1 x ml.m5.xlarge: about " in in_words.out
    assert "Estimated in AWS:" in in_words.out
    here, in_aws = json.loads(gatehouse("plan", "--json").out)["estimates"]
    assert (here["place"], here["cost"], here["currency"]) == ("local", None, None)
    assert [step["step"] for step in in_aws["steps"]] == ["PreprocessData", "TrainModel", "EvaluateModel"]
    assert in_aws["cost"]["low"] < in_aws["cost"]["expected"] < in_aws["cost"]["high"]
    for step in in_aws["steps"]:
        assert step["cost"]["expected"] == pytest.approx(
            step["billed_seconds"]["expected"] * 0.23 / 3600, 0.02
        )
    assert "| all steps | | about " in gatehouse("plan", "--markdown").out

    own = FILE.read_text(encoding="utf-8").replace('"ml.m5.xlarge" = 0.23\n', "").replace("USD", "EUR")
    (workplace / "prices.toml").write_text(own, encoding="utf-8")
    missing = "no price for ml.m5.xlarge: add it to prices.toml"
    assert missing in gatehouse("plan").out
    in_aws = json.loads(gatehouse("plan", "--json").out)["estimates"][1]
    assert (in_aws["cost"], in_aws["currency"]) == (None, "EUR")
    assert in_aws["prices"]["file"] == str(workplace / "prices.toml")


@pytest.mark.parametrize(
    ("was", "instead", "what"),
    [
        ('currency = "USD"', "", "currency is missing"),
        ('"2026-11-27"', '"today"', "date is 'today', which is no day like 2026-11-27"),
        ("= 0.23\n", "= -1\n", "the price of ml.m5.xlarge is -1, which is no amount above 0"),
        ("[per_hour]", "[hours]", "the table per_hour is missing or empty"),
        ("[per_hour]", "[per_hour", "this is no TOML"),
    ],
)
def test_a_wrong_price_list_is_an_error_that_names_it(
    was: str, instead: str, what: str, tmp_path: Path
) -> None:
    own = FILE.read_text(encoding="utf-8")
    assert was in own
    (tmp_path / "prices.toml").write_text(own.replace(was, instead), encoding="utf-8")
    with pytest.raises(GatehouseError) as raised:
        read_prices(tmp_path)
    assert what in str(raised.value)
    assert str(tmp_path / "prices.toml") in str(raised.value)


@pytest.mark.parametrize("document", EXPECTED, ids=lambda path: path.stem)
def test_every_step_of_the_projects_definitions_is_calculated(document: Path, tmp_path: Path) -> None:
    target = Target("aws", "us-east-1", "1", "arn:aws:iam::111122223333:role/r", "bucket")
    rows = DataFile("rows.csv", tmp_path, 10**9, 0)
    dataset = Dataset("s3://bucket/data/", "1", files=(rows,))
    (estimate,) = estimate_start(document.read_text(), dataset, None, (), target, PRICES)
    assert estimate.cost is not None
    assert estimate.seconds is not None
    assert estimate.gigabytes == 1


def test_several_instances_and_trainings_are_counted(gatehouse: Any, workplace: Path) -> None:
    settings = workplace / "projects.toml"
    plain = settings.read_text(encoding="utf-8")
    fleet = 'processing = "sharded"\nprocessing_instance_count = 5\ntraining_instance_count = 2\n'
    tuning = """
[projects.bank.churn.tuning]
jobs = 6
parallel = 3
strategy = "random"
[projects.bank.churn.tuning.ranges]
max_depth = [2, 4]
"""

    def billed(text: str) -> dict[str, float]:
        settings.write_text(text, encoding="utf-8")
        finished = gatehouse("plan", "--json")
        assert finished.code == 0, finished.err
        in_aws = json.loads(finished.out)["estimates"][1]
        return {step["step"]: step["billed_seconds"]["expected"] for step in in_aws["steps"]}

    one = billed(plain)
    warm = plain.replace(
        "[projects.bank.fraud-detection]",
        "[projects.bank.churn.training]\nkeep_alive_minutes = 30\n[projects.bank.fraud-detection]",
    )
    assert billed(warm) == one
    assert "not counted: its warm pool, up to 30 minutes more" in gatehouse("plan").out
    shared = billed(plain.replace('description = "Who leaves"\n', f'description = "Who leaves"\n{fleet}'))
    assert set(shared) == {"ProfileData", "SplitData", "PreprocessData", "TrainModel", "EvaluateModel"}
    # So little data takes no time: each instance is billed for its start.
    assert shared["SplitData"] == pytest.approx(5 * one["PreprocessData"], 0.01)
    assert shared["TrainModel"] == pytest.approx(2 * one["TrainModel"], 0.01)
    tuned = billed(
        plain.replace("[projects.bank.fraud-detection]", f"{tuning}[projects.bank.fraud-detection]")
    )
    assert tuned["TuneModel"] == pytest.approx(6 * one["TrainModel"], 0.01)


def test_calculated_times_follow_data_cores_instances_rounds_and_depth() -> None:
    job = calculated.Job("train", Data(10), 4, rounds=100, max_depth=6)
    seconds = calculated.working_seconds(job)
    start = calculated.figures()["train"]["seconds"]
    for more in (replace(job, data=Data(20)), replace(job, rounds=200), replace(job, max_depth=12)):
        assert calculated.working_seconds(more) - start == pytest.approx(2 * (seconds - start))
    assert calculated.working_seconds(replace(job, instances=2)) - start == pytest.approx(
        (seconds - start) / 2
    )
    assert calculated.working_seconds(replace(job, instances=2, whole=True)) == seconds
    serial = 1 - calculated.figures()["train"]["parallel"]
    fewer = calculated.working_seconds(replace(job, cores=1)) - start
    assert seconds - start == pytest.approx(fewer * (serial + (1 - serial) / 4))


def test_cores_are_read_off_an_instance_types_size() -> None:
    found = {name: calculated.cores_of(f"ml.{name}") for name in ("m5.large", "m5.xlarge", "m5.4xlarge")}
    assert found == {"m5.large": 2, "m5.xlarge": 4, "m5.4xlarge": 16}
    assert [calculated.cores_of(f"ml.{name}") for name in ("g5.xlarge", "p4d.24xlarge", "m5.metal")] == [
        None
    ] * 3


def test_packed_files_and_parquet_count_as_the_csv_in_them() -> None:
    sizes = dict.fromkeys(("a.csv", "b.csv.gz", "c.parquet", "_hidden.csv", "d.ZIP"), 10**9)
    assumed = calculated.figures()["assumed"]
    data = calculated.csv_data(sizes)
    assert data.gigabytes == 1 + 2 * assumed["packed"] + assumed["parquet"]
    assert data.largest == assumed["packed"]


def test_one_file_is_read_by_one_instance_and_the_split_says_what_each_program_reads() -> None:
    def seconds(program: calculated.Program, data: Data, instances: int = 1) -> float:
        return calculated.working_seconds(calculated.Job(program, data, 4, instances, rounds=9, max_depth=4))

    one_file, many = calculated.csv_data({"a.csv": 10**10}), Data(10, largest=1)
    assert seconds("preprocess", one_file, 5) == seconds("preprocess", one_file)
    assert seconds("preprocess", many, 5) < seconds("preprocess", many)
    assert seconds("train", one_file, 5) == seconds("train", many, 5)
    few = Data(10, test=0.01)
    assert seconds("evaluate", few) == pytest.approx(seconds("evaluate", Data(10 * 0.01 / 0.15)))
    assert seconds("train", few) == pytest.approx(seconds("train", Data(10 * 0.99 / 0.85)))


def test_an_execution_on_demand_is_no_evidence_of_what_spot_instances_take(local: Any) -> None:
    def upserted(spot: bool) -> str:
        training = {
            "AlgorithmSpecification": {
                "TrainingImage": "000000000000.dkr.ecr.eu-west-1.amazonaws.com/shell:1",
                "TrainingInputMode": "File",
                "ContainerEntrypoint": ["/bin/sh", "-c", "true"],
            },
            "OutputDataConfig": {"S3OutputPath": "s3://tests/models"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30},
            "RoleArn": LOCAL_ROLE,
            "StoppingCondition": {
                "MaxRuntimeInSeconds": 60,
                **({"MaxWaitTimeInSeconds": 60} if spot else {}),
            },
            "EnableManagedSpotTraining": spot,
        }
        local.upsert([{"Name": "TrainModel", "Type": "Training", "Arguments": training}])
        return str(local.client("sagemaker").describe_pipeline(PipelineName=NAME)["PipelineDefinition"])

    on_demand = upserted(spot=False)
    uri = put(local, "data", 0.01)
    *_, last = watching.follow(local.target, executions.start(local.target, NAME, {"InputDataUri": uri}))
    assert last.status == "Succeeded"
    assert one_step(estimates(local, on_demand, uri)[0]).executions == 1
    assert one_step(estimates(local, upserted(spot=True), uri)[0]).executions == 0
