"""A replay: one processing job that sends captured requests through two versions. No pipeline is needed.

Its request is that of the monitoring pipeline's job with another program; ``monitoring/replay.py`` says what
it finds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aws_formats.errors import GatehouseError
from pipelines.definition.bucket import ensure_bucket
from pipelines.definition.bundles import monitoring_code, publish_bundles
from pipelines.settings.project import Project
from pipelines.settings.tags import resource_tags
from pipelines.settings.target import Target
from registry.clients import read_document, tag_list
from registry.environments import Environment
from registry.model_packages import describe
from registry.monitored_windows import Found, Window, artifact_of, monitoring_prefix, prepare_window

_PROCESSING = "/opt/ml/processing"
_LISTED_SLICES = 3
_UNDER_WAY = ("InProgress", "Stopping")


class NothingToReplay(GatehouseError):
    """No version serves, nothing is captured, or no request came."""


@dataclass(frozen=True)
class Replay:
    """A replay's job, ready to be started.

    Attributes:
        served: the number of the version that serves.
        request: CreateProcessingJob's.
        output: the S3 folder of ``replay.json`` and ``report.html``.
    """

    served: int
    request: Mapping[str, Any]
    output: str

    @property
    def name(self) -> str:
        return str(self.request["ProcessingJobName"])


def prepare_replay(
    project: Project, target: Target, environment: Environment, version: int, window: Window
) -> Replay:
    """Publish the program, write which requests are meant, and say what the job would be.

    Raises:
        NothingToReplay: nothing serves, nothing is captured, or no request was.
        GatehouseError: there is no such version, or it is the one that serves.
    """
    candidate = describe(target, project.name, version)
    found = prepare_window(environment, target, target.bucket, project.gate.metric, window, candidate=version)
    if not isinstance(found, Found):
        raise NothingToReplay(found, where=project.name)
    if not found.captured:
        raise NothingToReplay(
            f"no request to {environment.endpoint} was captured from {window.start:%Y-%m-%d %H:%M} to"
            f" {window.end:%Y-%m-%d %H:%M} UTC, or since the endpoint was last changed",
            remedy="Take a longer window with --hours; what was just sent is written within some seconds",
        )
    if found.version == version:
        raise GatehouseError(f"version {version} is the one that serves in {environment.name}")
    s3 = target.client("s3")
    ensure_bucket(target, s3)
    bundle = monitoring_code(project)
    publish_bundles([bundle], target.bucket, s3)
    output = (
        f"s3://{target.bucket}/{monitoring_prefix(project.name, environment.name)}replays/"
        f"{found.name}-{version}"
    )
    inputs = {
        "code": (bundle.uri(target.bucket), "S3Prefix"),
        "model": (found.model, "S3Prefix"),
        "candidate": (artifact_of(candidate, version), "S3Prefix"),
        "window": (found.window, "ManifestFile"),
        "captures": (found.captures, "ManifestFile"),
    }
    return Replay(found.version, _request(project, target, candidate, inputs, output), output)


def _request(
    project: Project,
    target: Target,
    candidate: Mapping[str, Any],
    inputs: Mapping[str, tuple[str, str]],
    output: str,
) -> dict[str, Any]:
    network, key = project.network, project.network.kms_key
    cluster: dict[str, Any] = {
        "InstanceCount": 1,
        "InstanceType": project.processing_instance_type,
        "VolumeSizeInGB": project.volume_size_gb,
        **({"VolumeKmsKeyId": key} if key else {}),
    }
    placed: dict[str, Any] = {"EnableNetworkIsolation": network.isolation}
    if network.subnets:
        placed["VpcConfig"] = {
            "SecurityGroupIds": list(network.security_groups),
            "Subnets": list(network.subnets),
        }
    upload = {"S3Uri": output, "LocalPath": f"{_PROCESSING}/output/replay", "S3UploadMode": "EndOfJob"}
    return {
        "ProcessingJobName": f"{project.name}-replay-{time.strftime('%Y%m%d%H%M%S', time.gmtime())}",
        "RoleArn": target.role_arn,
        "AppSpecification": {
            "ImageUri": candidate["InferenceSpecification"]["Containers"][0]["Image"],
            "ContainerEntrypoint": ["python3", f"{_PROCESSING}/input/code/replay.py"],
            "ContainerArguments": ["--opt-ml", "/opt/ml"],
        },
        "Environment": {"PYTHONUNBUFFERED": "1"},
        "ProcessingInputs": [
            {
                "InputName": name,
                "S3Input": {
                    "S3Uri": uri,
                    "LocalPath": f"{_PROCESSING}/input/{name}",
                    "S3DataType": kind,
                    "S3InputMode": "File",
                    "S3DataDistributionType": "FullyReplicated",
                },
            }
            for name, (uri, kind) in inputs.items()
        ],
        "ProcessingOutputConfig": {
            "Outputs": [{"OutputName": "replay", "S3Output": upload}],
            **({"KmsKeyId": key} if key else {}),
        },
        "ProcessingResources": {"ClusterConfig": cluster},
        "StoppingCondition": {"MaxRuntimeInSeconds": project.max_runtime_hours * 3600},
        "NetworkConfig": placed,
        "Tags": tag_list(resource_tags(project, target)),
    }


@dataclass(frozen=True)
class Outcome:
    """What a replay found: the job's last words, ``replay.json`` and where the report lies."""

    said: str
    document: Mapping[str, Any]
    report: str

    def lines(self) -> Iterator[str]:
        """For people."""
        yield f"{self.said[:1].upper()}{self.said[1:]}."
        for one in self.document.get("becomes", ()):
            yield f"  {one['from']} would be {one['to']}: {one['rows']:,} rows"
        for one in self.document.get("slices", ())[:_LISTED_SLICES]:
            yield (
                f"  where {one['column']} is {one['value']}: {one['flips']:,} of {one['rows']:,} flip"
                f" ({100 * one['flips'] / one['rows']:.1f} %)"
            )
        yield f"Report: {self.report}"


def carry_out(replay: Replay, target: Target, tell: Callable[[str], None]) -> Outcome:
    """Start the job and wait for its end.

    Raises:
        GatehouseError: it failed or was stopped.
        KeyboardInterrupt: the user interrupted it; the job has been asked to stop.
    """
    sagemaker = target.client("sagemaker")
    sagemaker.create_processing_job(**replay.request)
    try:
        described = _wait(sagemaker, replay.name, tell)
    except KeyboardInterrupt:
        sagemaker.stop_processing_job(ProcessingJobName=replay.name)
        raise
    if described["ProcessingJobStatus"] != "Completed":
        reason = described.get("FailureReason") or described.get("ExitMessage") or "no reason is given"
        raise GatehouseError(
            f"the replay is {described['ProcessingJobStatus']}: {reason}",
            where=replay.name,
            remedy="Its log is in the group /aws/sagemaker/ProcessingJobs",
        )
    document = read_document(target.client("s3"), f"{replay.output}/replay.json")
    return Outcome(str(described.get("ExitMessage", "")), document or {}, f"{replay.output}/report.html")


def _wait(sagemaker: Any, name: str, tell: Callable[[str], None]) -> dict[str, Any]:
    reported, pause = "", 0.05
    while True:
        described: dict[str, Any] = sagemaker.describe_processing_job(ProcessingJobName=name)
        status = described["ProcessingJobStatus"]
        if status != reported:
            tell(f"job {name}: {status}")
            reported = status
        if status not in _UNDER_WAY:
            return described
        time.sleep(pause)
        pause = min(pause * 1.2, 10.0)
