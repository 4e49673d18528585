"""The SageMaker SDK's own way from a model package to an endpoint, with nothing of the SDK changed.

The SDK runs in a process of its own, as it would for a person: it takes the endpoint, the region and the
credentials from the environment, and importing it leaves nothing behind in the tests' process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from hosting_place import ROLE, Place
from wire_clients import REGION

ROUTE = """
import json, pathlib, sys

from sagemaker.core.resources import Endpoint, EndpointConfig, Model, ModelPackage
from sagemaker.core.shapes import ContainerDefinition, ProductionVariant

package, role, report = sys.argv[1:]
version = ModelPackage.get(model_package_name=package)
container = ContainerDefinition(model_package_name=version.model_package_arn)
model = Model.create(model_name="by-sdk", containers=[container], execution_role_arn=role)
variant = ProductionVariant(
    variant_name="all", model_name=model.model_name, initial_instance_count=1, instance_type="ml.m5.large"
)
config = EndpointConfig.create(endpoint_config_name="by-sdk", production_variants=[variant])
endpoint = Endpoint.create(endpoint_name="by-sdk", endpoint_config_name=config.endpoint_config_name)
endpoint.wait_for_status("InService", poll=1, timeout=60)
answer = endpoint.invoke(body="0.9,red\\n0.1,blue\\n", content_type="text/csv", accept="application/json")
classes = [row["class"] for row in json.loads(answer.body.read())["predictions"]]
status = endpoint.endpoint_status
endpoint.delete()
endpoint.wait_for_delete(poll=1, timeout=60)
config.delete()
model.delete()
found = {
    "version": version.model_package_version,
    "approval": version.model_approval_status,
    "containers": [container.model_package_name for container in model.containers],
    "status": status,
    "classes": classes,
    "left": [endpoint.endpoint_name for endpoint in Endpoint.get_all(name_contains="by-sdk")],
}
pathlib.Path(report).write_text(json.dumps(found))
"""


def approved_version(place: Place, artifact: bytes) -> str:
    place.sagemaker.create_model_package_group(ModelPackageGroupName="sdk-route")
    container = place.container(place.put("sdk-route/model.tar.gz", artifact))
    created = place.sagemaker.create_model_package(
        ModelPackageGroupName="sdk-route",
        ModelApprovalStatus="Approved",
        InferenceSpecification={
            "Containers": [container],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["application/json"],
        },
    )
    return str(created["ModelPackageArn"])


def run_with_the_sdk(place: Place, folder: Path, *arguments: str) -> Any:
    """What the script reports, once the SDK has gone its way without an error."""
    report = folder / "report.json"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "AWS_ENDPOINT_URL": place.url,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    done = subprocess.run(
        [sys.executable, "-c", ROUTE, *arguments, str(report)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(report.read_text())


def test_the_sdk_takes_a_model_package_to_an_endpoint_that_answers(
    place: Place, artifact: bytes, tmp_path: Path
) -> None:
    package = approved_version(place, artifact)
    assert run_with_the_sdk(place, tmp_path, package, ROLE) == {
        "version": 1,
        "approval": "Approved",
        "containers": [package],
        "status": "InService",
        "classes": ["yes", "no"],
        "left": [],
    }
