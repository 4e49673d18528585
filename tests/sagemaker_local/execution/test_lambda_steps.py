"""Lambda steps: a real function is called with the step's arguments, and its answer feeds later steps."""

from __future__ import annotations

import io
import uuid
import zipfile
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from wire_clients import server_process

from sagemaker_local import endpoint
from tests.sagemaker_local.execution.conftest import ROLE, client


def function(workshop: Any, code: str, **variables: str) -> str:
    """A new function with these environment variables; its ARN."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("look.py", code)
    created = client("lambda", workshop.url).create_function(
        FunctionName=name("look-up"),
        Runtime="python3.12",
        Role=ROLE,
        Handler="look.up",
        Code={"ZipFile": packed.getvalue()},
        Environment={"Variables": variables},
        Timeout=20,
    )
    return str(created["FunctionArn"])


def name(head: str) -> str:
    return f"{head}-{uuid.uuid4().hex[:8]}"


def step(arn: str | None, arguments: dict[str, Any], *outputs: tuple[str, str]) -> dict[str, Any]:
    return {
        "Name": "Look",
        "Type": "Lambda",
        "FunctionArn": arn,
        "Arguments": arguments,
        "OutputParameters": [{"OutputName": output, "OutputType": kind} for output, kind in outputs],
    }


def output(wanted: str) -> dict[str, str]:
    return {"Get": f"Steps.Look.OutputParameters['{wanted}']"}


def check(left: Any, right: Any) -> dict[str, Any]:
    conditions = [{"Type": "Equals", "LeftValue": left, "RightValue": right}]
    return {
        "Name": "Check",
        "Type": "Condition",
        "Arguments": {"Conditions": conditions, "IfSteps": [], "ElseSteps": []},
    }


def test_a_function_gets_the_arguments_and_its_answer_reaches_later_steps(workshop: Any) -> None:
    arn = function(
        workshop,
        "def up(event, context):\n    return {"
        "'Text': event['who'] + '!', 'Whole': event['number'] + 1, 'Part': 1, 'Yes': True, 'More': 0}\n",
    )
    outputs = ("Text", "String"), ("Whole", "Integer"), ("Part", "Float"), ("Yes", "Boolean")
    later = workshop.processing(
        "Later", "(OUT / 'seen').write_text(os.environ['SEEN'])", environment={"SEEN": output("Text")}
    )
    pipeline = workshop.create(
        name("look"),
        step(arn, {"who": {"Get": "Parameters.Who"}, "number": 4}, *outputs),
        check(output("Whole"), 5),
        later,
        parameters=[{"Name": "Who", "Type": "String", "DefaultValue": "me"}],
    )
    execution, status = workshop.run(pipeline, {"Who": "you"})
    assert status == "Succeeded"
    steps = workshop.steps(execution)
    assert steps["Look"]["Metadata"]["Lambda"] == {
        "Arn": arn,
        "OutputParameters": [
            {"Name": "Text", "Value": "you!"},
            {"Name": "Whole", "Value": "5"},
            {"Name": "Part", "Value": "1"},
            {"Name": "Yes", "Value": "true"},
        ],
    }
    key = f"runs/{execution.rpartition('/')[2]}/Later/out/seen"
    seen = workshop.s3.get_object(Bucket=workshop.bucket, Key=key)
    assert seen["Body"].read() == b"you!"
    assert steps["Check"]["Metadata"]["Condition"]["Outcome"] == "True"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("raise ValueError('no such thing')", "ValueError: no such thing"),
        ("return {}", "has to return Text as String; it returned None"),
        ("return {'Text': 5}", "has to return Text as String; it returned 5"),
        ("return 'text'", "has to return an object"),
        ("return {'Text': 'x' * 1025}", "more than 1024 characters"),
    ],
)
def test_a_function_that_fails_or_answers_otherwise_fails_its_step(
    workshop: Any, body: str, words: str
) -> None:
    arn = function(workshop, f"def up(event, context):\n    {body}\n")
    execution, status = workshop.run(workshop.create(name("look"), step(arn, {}, ("Text", "String"))))
    assert status == "Failed"
    assert words in workshop.steps(execution)["Look"]["FailureReason"]


LOADED = """
import os, pathlib

pathlib.Path(os.environ["MARK"]).write_text(str(os.getpid()))
print("loaded")

def up(event, context):
    return {"Text": f"{os.getpid()} %s"}
"""
"""Code that leaves a mark where it is loaded, and answers with its process and a word."""

AWAITS = """
mark = pathlib.Path(os.environ["MARK"])
begin = time.monotonic()
while not (mark.exists() and mark.read_text()):
    assert time.monotonic() - begin < 20, "nobody loaded the function"
    time.sleep(0.02)
"""
"""A job that ends once the code has been loaded."""


def test_a_function_is_loaded_while_the_last_job_before_it_runs(workshop: Any, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    arn = function(workshop, LOADED % "once", MARK=str(mark))
    first = workshop.processing(
        "First", "assert not pathlib.Path(os.environ['MARK']).exists()", environment=at(mark)
    )
    last = workshop.processing("Last", AWAITS, environment=at(mark), DependsOn=["First"])
    pipeline = workshop.create(name("look"), first, last, behind(step(arn, {}, ("Text", "String"))))
    execution, status = workshop.run(pipeline)
    assert status == "Succeeded", workshop.steps(execution)
    assert _answer(workshop, execution) == f"{mark.read_text()} once"
    group = f"/aws/lambda/{arn.rpartition(':')[2]}"
    logs = client("logs", workshop.url)
    (stream,) = logs.describe_log_streams(logGroupName=group)["logStreams"]
    events = logs.get_log_events(
        logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True
    )["events"]
    assert events[0]["message"] == "loaded"
    assert 0 < events[0]["timestamp"] <= events[1]["timestamp"]
    assert events[1]["message"].startswith("START RequestId: ")


def test_code_that_changed_after_it_was_loaded_ahead_is_loaded_again(workshop: Any, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    arn = function(workshop, LOADED % "before", MARK=str(mark))
    folder = client("lambda", workshop.url).get_function(FunctionName=arn)["Code"]["Location"]
    changes = f"{AWAITS}\npathlib.Path({folder!r}, 'look.py').write_text({LOADED % 'after'!r})"
    job = workshop.processing("Last", changes, environment=at(mark))
    pipeline = workshop.create(name("look"), job, behind(step(arn, {}, ("Text", "String"))))
    execution, status = workshop.run(pipeline)
    assert status == "Succeeded", workshop.steps(execution)
    assert _answer(workshop, execution) == f"{mark.read_text()} after"


def at(mark: Path) -> dict[str, str]:
    return {"MARK": str(mark)}


def behind(called: dict[str, Any]) -> dict[str, Any]:
    """A condition that holds once the step Last has ended, and then has this step run."""
    condition = check(1, 1)
    condition["Arguments"]["IfSteps"] = [called]
    return {**condition, "DependsOn": ["Last"]}


def _answer(workshop: Any, execution: str) -> str:
    (found,) = workshop.steps(execution)["Look"]["Metadata"]["Lambda"]["OutputParameters"]
    return str(found["Value"])


def test_a_function_that_does_not_exist_fails_its_step_by_name(workshop: Any) -> None:
    arn = "arn:aws:lambda:eu-west-1:000000000000:function:none"
    execution, status = workshop.run(workshop.create(name("look"), step(arn, {})))
    assert status == "Failed"
    assert f"Function not found: {arn}" in workshop.steps(execution)["Look"]["FailureReason"]


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([step(None, {})], "FunctionArn"),
        ([step("arn:aws:lambda:eu-west-1:000000000000:function:look:live", {})], "version or alias 'live'"),
        ([step("arn", {}, ("Text", "Number"))], "OutputType"),
        ([step("arn", {}), check(output("Text"), "x")], "declares no output 'Text'"),
        ([step("arn", {}), check({"Get": "Steps.Look.Arn"}, "x")], "OutputParameters"),
    ],
)
def test_a_lambda_step_that_cannot_work_is_refused(workshop: Any, steps: list[Any], words: str) -> None:
    with pytest.raises(ClientError, match="Step") as refused:
        workshop.create(name("look"), *steps)
    assert words in str(refused.value)


def started(workshop: Any, execution: str) -> bool:
    return workshop.steps(execution).get("Look", {}).get("StepStatus") == "Executing"


def test_a_function_between_two_jobs(workshop: Any) -> None:
    before = workshop.processing("Before", "(OUT / 'n').write_text('3')\n")
    uri = {"Get": "Steps.Before.ProcessingOutputConfig.Outputs['out'].S3Output.S3Uri"}
    code = """
import boto3
def up(event, context):
    bucket, _, key = event["uri"].removeprefix("s3://").partition("/")
    found = boto3.client("s3").get_object(Bucket=bucket, Key=key + "/n")["Body"].read()
    return {"Twice": str(2 * int(found))}
"""
    middle = step(function(workshop, code), {"uri": uri}, ("Twice", "String"))
    after = workshop.processing(
        "After",
        "assert os.environ['TWICE'] == '6', os.environ['TWICE']\n",
        environment={"TWICE": output("Twice")},
    )
    execution, status = workshop.run(workshop.create(name("between"), before, middle, after))
    assert status == "Succeeded", workshop.steps(execution)


def test_an_execution_that_is_stopped_waits_for_the_function_and_ends(workshop: Any) -> None:
    arn = function(workshop, "import time\ndef up(event, context):\n    time.sleep(2)\n    return {}\n")
    after = workshop.processing("After", "", DependsOn=["Look"])
    execution = workshop.start(workshop.create(name("stopped"), step(arn, {}), after))
    workshop.until(lambda: started(workshop, execution), "the call")
    workshop.sagemaker.stop_pipeline_execution(PipelineExecutionArn=execution, ClientRequestToken="x" * 32)
    assert workshop.end(execution)["PipelineExecutionStatus"] == "Stopped"
    assert "After" not in workshop.steps(execution)


def test_an_execution_whose_process_is_killed_during_a_call_is_failed(
    tmp_path: Path, open_workshop: Any
) -> None:
    with server_process(tmp_path / "home") as (process, url):
        shop = open_workshop(url, tmp_path / "home")
        arn = function(shop, "import time\ndef up(event, context):\n    time.sleep(20)\n")
        execution = shop.start(shop.create(name("killed"), step(arn, {})))
        shop.until(lambda: started(shop, execution), "the call")
        process.kill()
        process.wait()
    with endpoint.start(tmp_path / "home") as again:
        shop = open_workshop(again.url, tmp_path / "home")
        assert shop.describe(execution)["PipelineExecutionStatus"] == "Failed"
        assert shop.statuses(execution) == {"Look": "Failed"}
