"""The SageMaker SDK with nothing but `gatehouse local env`: functions as steps, no other host asked."""

from __future__ import annotations

from typing import Any

PIPELINE = """
import json
import sys

asked = set()

def note(event, arguments):
    if event == "socket.getaddrinfo":
        asked.add(arguments[0])
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        asked.add(arguments[1][0])

sys.addaudithook(note)

from sagemaker.core.helper.session_helper import get_execution_role
from sagemaker.core.workflow.conditions import ConditionGreaterThan
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.mlops.workflow.condition_step import ConditionStep
from sagemaker.mlops.workflow.fail_step import FailStep
from sagemaker.mlops.workflow.function_step import step
from sagemaker.mlops.workflow.pipeline import Pipeline

session = PipelineSession()
bucket = session.default_bucket()

@step(name="Score", instance_type="ml.m5.large")
def score():
    return {"accuracy": 0.9}

@step(name="Tell", instance_type="ml.m5.large")
def tell(found):
    return f"accuracy {found['accuracy']}"

scored = score()
gate = ConditionStep(
    name="Gate",
    conditions=[ConditionGreaterThan(left=scored["accuracy"], right=0.8)],
    if_steps=[tell(scored)],
    else_steps=[FailStep(name="TooLow", error_message="not accurate enough")],
)
pipeline = Pipeline(name="functions", steps=[scored, gate], sagemaker_session=session)
pipeline.upsert(role_arn=get_execution_role())
execution = pipeline.start()
execution.wait(delay=1, max_attempts=300)
print(json.dumps({"bucket": bucket, "result": execution.result("Tell"), "hosts": sorted(asked)}))
"""


def test_functions_run_as_steps_and_nothing_is_asked_elsewhere(kept_up: Any) -> None:
    assert kept_up.run(PIPELINE) == {
        "bucket": f"sagemaker-{kept_up.variables['AWS_REGION']}-000000000000",
        "result": "accuracy 0.9",
        "hosts": ["127.0.0.1"],
    }
