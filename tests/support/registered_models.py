"""A model made by the real programs, versions of it registered by hand, and the commands that work on it."""

from __future__ import annotations

import io
import itertools
import json
import random
import subprocess
import sys
import tarfile
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import boto3

from pipelines.commands import main

ROOT = Path(__file__).resolve().parents[2]
REGION = "eu-west-1"
BUCKET = "registry-tests"
IMAGE = "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:3.2-0"
SERVING = {
    "SAGEMAKER_PROGRAM": "inference.py",
    "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
}
NUMBERS = itertools.count(1)

SETTINGS = """
default_project = "rc-{name}"

[defaults]
owner = "rc-ml"
task = "binary"
accuracy_threshold = 0.6
region = "eu-west-1"

[projects.rc.{name}]
description = "Finds customers who are about to leave"
[projects.rc.{name}.data]
source = "churn.csv"
target = "left"
positive_class = "yes"
[projects.rc.{name}.card]
purpose = "Warns before a customer leaves"
limits = "One bank, one year"
risk = "low"
"""


@dataclass(frozen=True)
class Finished:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output as the one JSON document that --json promises."""
        return json.loads(self.out)


@dataclass
class Registry:
    """One project of its own, with the commands and the clients that work on it."""

    url: str
    folder: Path
    project: str
    model: Model
    clients: dict[str, Any] = field(default_factory=dict)

    def gatehouse(self, *arguments: object, typed: bytes = b"") -> Finished:
        """Run a command line in this process; `typed` is its standard input."""
        out, err, keyboard = io.StringIO(), io.StringIO(), sys.stdin
        sys.stdin = io.TextIOWrapper(io.BytesIO(typed))
        try:
            with redirect_stdout(out), redirect_stderr(err):
                code = main([str(argument) for argument in arguments])
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else 1
        finally:
            sys.stdin = keyboard
        return Finished(code, out.getvalue(), err.getvalue())

    def done(self, *arguments: object, typed: bytes = b"") -> Finished:
        """Run a command line that is expected to succeed."""
        finished = self.gatehouse(*arguments, typed=typed)
        assert finished.code == 0, finished.err
        return finished

    def client(self, service: str) -> Any:
        if service not in self.clients:
            self.clients[service] = client_of(self.url, service)
        return self.clients[service]

    def put(self, key: str, content: bytes) -> str:
        self.client("s3").put_object(Bucket=BUCKET, Key=f"{self.project}/{key}", Body=content)
        return f"s3://{BUCKET}/{self.project}/{key}"

    def register(
        self,
        *,
        accuracy: float | None = None,
        artifact: bytes | None = None,
        statistics: dict[str, Any] | None = None,
        verdict: dict[str, Any] | bytes | None = None,
        sample: bytes | None = None,
        containers: list[dict[str, Any]] | None = None,
        approved: bool = False,
        **more: Any,
    ) -> int:
        """Register a version by hand; returns its number.

        Args:
            verdict: of the gate, put beside the statistics and named in the customer metadata.
            more: further members of the request; customer metadata is added to that of the verdict.
        """
        sagemaker, number = self.client("sagemaker"), next(NUMBERS)
        groups = sagemaker.list_model_package_groups(NameContains=self.project)
        if not groups["ModelPackageGroupSummaryList"]:
            sagemaker.create_model_package_group(ModelPackageGroupName=self.project)
        found = statistics or self.model.statistics
        if accuracy is not None:
            found = {
                **found,
                KIND: {**found[KIND], "accuracy": {"value": accuracy, "standard_deviation": 0.01}},
            }
        uri = self.put(f"{number}/evaluation/statistics.json", json.dumps(found).encode())
        model = self.put(f"{number}/model.tar.gz", artifact or self.model.artifact)
        payload = self.put(f"{number}/payload.tar.gz", sample or self.model.sample)
        properties = more.pop("CustomerMetadataProperties", {"owner": "rc-ml", "dataset_version": "1"})
        if verdict is not None:
            content = verdict if isinstance(verdict, bytes) else json.dumps(verdict).encode()
            place = self.put(f"{number}/evaluation/verdict.json", content)
            properties = {"gate_metric": "accuracy", "verdict_uri": place, **properties}
        made = sagemaker.create_model_package(
            ModelPackageGroupName=self.project,
            ModelApprovalStatus="Approved" if approved else "PendingManualApproval",
            InferenceSpecification={
                "Containers": containers or [{"Image": IMAGE, "ModelDataUrl": model, "Environment": SERVING}],
                "SupportedContentTypes": ["text/csv", "application/json", "application/x-parquet"],
                "SupportedResponseMIMETypes": ["application/json", "text/csv"],
                "SupportedRealtimeInferenceInstanceTypes": ["ml.m5.large"],
                "SupportedTransformInstanceTypes": ["ml.m5.large"],
            },
            SamplePayloadUrl=payload,
            **{
                "CustomerMetadataProperties": properties,
                "ModelMetrics": {
                    "ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": uri}}
                },
                **more,
            },
        )
        return int(made["ModelPackageArn"].rpartition("/")[2])

    def arn(self, version: int) -> str:
        return f"arn:aws:sagemaker:{REGION}:000000000000:model-package/{self.project}/{version}"

    def describe(self, version: int) -> dict[str, Any]:
        return dict(self.client("sagemaker").describe_model_package(ModelPackageName=self.arn(version)))

    def parameter(self, environment: str) -> str | None:
        ssm = self.client("ssm")
        name = f"/gatehouse/{self.project}/{environment}/model-package"
        try:
            return str(ssm.get_parameter(Name=name)["Parameter"]["Value"])
        except ssm.exceptions.ParameterNotFound:
            return None

    def settings(self, text: str) -> None:
        """Add to the settings file."""
        file = self.folder / "projects.toml"
        file.write_text(file.read_text() + text)


KIND = "binary_classification_metrics"


@dataclass(frozen=True)
class Model:
    """What the three programs made of a small data set.

    Attributes:
        rows: of the source, header first, as the model's clients would send them.
    """

    artifact: bytes
    statistics: dict[str, Any]
    sample: bytes
    rows: tuple[str, ...]
    verdict: dict[str, Any] = field(default_factory=dict)

    def changed(self, **files: bytes | None) -> bytes:
        """The artifact with files replaced (or, by None, left out); `code_inference` is code/inference.py."""
        names = {"schema": "schema.json", "inference": "code/inference.py", "booster": "model.ubj"}
        replaced = {names[key]: content for key, content in files.items()}
        written = io.BytesIO()
        with (
            tarfile.open(fileobj=io.BytesIO(self.artifact)) as old,
            tarfile.open(fileobj=written, mode="w:gz") as new,
        ):
            for member in old.getmembers():
                name = member.name.removeprefix("./")
                source = old.extractfile(member)
                content = replaced.get(name, source.read() if source else None)
                if member.isfile() and content is not None:
                    member.size = len(content)
                    new.addfile(member, io.BytesIO(content))
        return written.getvalue()

    def speaking(self, *classes: str) -> bytes:
        """The artifact with other names for its classes, which shows who answers."""
        with tarfile.open(fileobj=io.BytesIO(self.artifact)) as archive:
            names = [name for name in archive.getnames() if name.endswith("schema.json")]
            member = archive.extractfile(names[0])
            assert member is not None
            schema = json.load(member)
        return self.changed(schema=json.dumps({**schema, "classes": list(classes)}).encode())


def packed(name: str, content: bytes) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w:gz") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return written.getvalue()


def train_model(at: Path) -> Model:
    """Preprocess, train and evaluate with the real programs, in a folder that stands for /opt/ml."""
    inputs, outputs, data = at / "processing/input", at / "processing/output", at / "input/data"
    values = random.Random(1)
    rows = ["age,plan,calls,left"]
    for _ in range(2000):
        age, calls = values.randint(18, 80), values.randint(0, 9)
        leaves = values.random() < (0.9 if calls > 5 and age < 50 else 0.1)
        rows.append(f"{age},{values.choice(['basic', 'gold', 'free'])},{calls},{'yes' if leaves else 'no'}")
    (inputs / "raw").mkdir(parents=True)
    (inputs / "raw/churn.csv").write_text("\n".join(rows) + "\n")
    (inputs / "settings").mkdir()
    (inputs / "settings/dataset.json").write_text(json.dumps(DATASET))
    program("processing/preprocess.py", at)
    for channel in ("train", "validation", "schema"):
        (data / channel).parent.mkdir(parents=True, exist_ok=True)
        (data / channel).symlink_to(outputs / channel)
    (at / "input/config").mkdir()
    (at / "input/config/hyperparameters.json").write_text('{"num_round": "20", "max_depth": "3"}')
    program("training/train.py", at)
    (inputs / "model").mkdir()
    artifact = inputs / "model/model.tar.gz"
    with tarfile.open(artifact, "w:gz") as archive:
        for path in sorted((at / "model").iterdir()):
            archive.add(path, path.name)
    (inputs / "test").symlink_to(outputs / "test")
    (inputs / "gate").mkdir()
    (inputs / "gate/gate.json").write_text('{"metric": "accuracy", "threshold": 0.5}')
    program("evaluation/evaluate.py", at)
    return Model(
        artifact=artifact.read_bytes(),
        statistics=json.loads((outputs / "evaluation/statistics.json").read_text()),
        verdict=json.loads((outputs / "evaluation/verdict.json").read_text()),
        sample=(outputs / "sample/payload.tar.gz").read_bytes(),
        rows=tuple(rows),
    )


DATASET = {
    "task": "binary",
    "target": "left",
    "positive_class": "yes",
    "features": None,
    "drop": [],
    "columns": None,
    "header": True,
    "delimiter": ",",
    "missing_values": [""],
    "kinds": {},
    "key": None,
    "split": {"train": 0.7, "validation": 0.15, "test": 0.15},
    "seed": 0,
}


def program(path: str, opt_ml: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / path), "--opt-ml", str(opt_ml)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


@cache
def client_of(url: str, service: str) -> Any:
    """One for all tests of an endpoint: to make one takes longer than most of its requests."""
    return boto3.client(
        service,
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
