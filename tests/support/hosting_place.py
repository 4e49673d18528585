"""An endpoint of the local SageMaker to host models at, and artifacts for it."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wire_clients import REGION, client_of, wait_for

IMAGE = "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:3.2-0"
SCIKIT_LEARN = "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-scikit-learn:1.8-0-cpu-py3"
ROLE = "arn:aws:iam::000000000000:role/local"
BUCKET = "hosting"
SCRIPT = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}

ECHO = """
import json, os
def model_fn(model_dir):
    return open(os.path.join(model_dir, "name")).read()
def input_fn(body, content_type):
    if body == "break":
        raise KeyError("it broke")
    if body == "value":
        raise ValueError("it is wrong")
    if body == "die":
        os._exit(3)
    return body
def predict_fn(data, model):
    return {"model": model, "sent": data if isinstance(data, str) else repr(data)}
def output_fn(prediction, accept):
    return json.dumps({**prediction, "accept": accept}), "application/json"
"""
"""A script that says who it is, and misbehaves when it is told to."""


def pack(files: Mapping[str, bytes]) -> bytes:
    """The bytes of an artifact."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@dataclass
class Place:
    """What the tests do with one endpoint of the local SageMaker."""

    url: str

    def __post_init__(self) -> None:
        self.sagemaker = client_of(self.url, "sagemaker")
        self.runtime = client_of(self.url, "sagemaker-runtime")
        self.s3 = client_of(self.url, "s3")
        self.ssm = client_of(self.url, "ssm")
        self.logs = client_of(self.url, "logs")
        if BUCKET not in [bucket["Name"] for bucket in self.s3.list_buckets()["Buckets"]]:
            self.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})

    def put(self, key: str, content: bytes) -> str:
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=content)
        return f"s3://{BUCKET}/{key}"

    def echo(self, name: str, script: str = ECHO) -> dict[str, Any]:
        """A container that says who it is."""
        artifact = pack({"name": name.encode(), "code/inference.py": script.encode()})
        return self.container(self.put(f"{name}/model.tar.gz", artifact))

    def container(self, uri: str, environment: Mapping[str, str] = SCRIPT) -> dict[str, Any]:
        return {"Image": IMAGE, "ModelDataUrl": uri, "Environment": dict(environment)}

    def model(self, name: str, *containers: dict[str, Any]) -> str:
        shape: dict[str, Any] = (
            {"PrimaryContainer": containers[0]} if len(containers) == 1 else {"Containers": list(containers)}
        )
        self.sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, **shape)
        return name

    def config(self, name: str, *variants: tuple[str, int, float]) -> str:
        """Variants as (model, instances, weight), named after their models."""
        self.sagemaker.create_endpoint_config(
            EndpointConfigName=name,
            ProductionVariants=[
                {
                    "VariantName": model,
                    "ModelName": model,
                    "InitialInstanceCount": instances,
                    "InstanceType": "ml.m5.large",
                    "InitialVariantWeight": weight,
                }
                for model, instances, weight in variants
            ],
        )
        return name

    def serve(self, name: str, *containers: dict[str, Any], instances: int = 1) -> None:
        """An endpoint, its configuration and its model, all of one name, in service."""
        self.config(name, (self.model(name, *containers), instances, 1.0))
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
        assert self.after_change(name)["EndpointStatus"] == "InService", self.describe(name)

    def describe(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.sagemaker.describe_endpoint(EndpointName=name)
        return found

    def after_change(self, name: str) -> dict[str, Any]:
        """The endpoint once no change of it is under way."""

        def look() -> dict[str, Any] | None:
            found = self.describe(name)
            return found if found["EndpointStatus"] not in ("Creating", "Updating", "Deleting") else None

        found: dict[str, Any] = wait_for(look)
        return found

    def invoke(self, name: str, body: bytes, content_type: str = "text/csv", **members: Any) -> Any:
        answer = self.runtime.invoke_endpoint(
            EndpointName=name, Body=body, ContentType=content_type, **members
        )
        return json.loads(answer["Body"].read())


def model_servers(home: Path) -> list[int]:
    """The model server processes of a home, by the folder that is their /opt/ml."""
    folder = "/".join((*home.parts[-4:], "jobs", "hosting"))
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_text()
            where = command + (entry / "mountinfo").read_text() if "/hosting/server.py" in command else ""
        except OSError:  # it has ended meanwhile
            continue
        if folder in where:
            found.append(int(entry.name))
    return sorted(found)
