"""The SageMaker SDK with nothing but `gatehouse local env`: functions as steps, no other host asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from installed_command import GATEHOUSE

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


def test_functions_run_as_steps_and_nothing_is_asked_elsewhere(tmp_path: Path) -> None:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "GATEHOUSE_"))}
    own["GATEHOUSE_HOME"] = str(tmp_path / "home")

    def done(*command: str, **variables: str) -> str:
        environment = {**own, **variables}
        ended = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stderr[-3000:]
        return ended.stdout

    gatehouse = str(GATEHOUSE)
    done(gatehouse, "local", "up")
    try:
        variables = json.loads(done(gatehouse, "local", "env", "--json"))
        printed = done(sys.executable, "-c", PIPELINE, **variables)
    finally:
        done(gatehouse, "local", "down")
    assert json.loads(printed.splitlines()[-1]) == {
        "bucket": f"sagemaker-{variables['AWS_REGION']}-000000000000",
        "result": "accuracy 0.9",
        "hosts": ["127.0.0.1"],
    }
