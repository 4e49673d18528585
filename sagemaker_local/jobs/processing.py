"""A processing job's layout: inputs under their local paths, two configuration files, outputs.

AWS's contract is in "Build Your Own Processing Container" of the SageMaker developer guide. Outputs
whose mode is ``Continuous`` are uploaded at the end, like the others. Where several instances leave
files of one name, the first instance's is kept.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from sagemaker_local.errors import not_implemented, validation_error
from sagemaker_local.jobs import images, transfer
from sagemaker_local.jobs.failure import client_error, disk_failure
from sagemaker_local.jobs.job import Command, Document, Job, JobKind
from sagemaker_local.jobs.places import Host, Left, first_kilobyte, regular_files

_CONFIG = "/opt/ml/config"
_MESSAGE = "/opt/ml/output/message"
_COPIED = (
    "ProcessingJobName",
    "ProcessingJobArn",
    "ProcessingInputs",
    "ProcessingOutputConfig",
    "ProcessingResources",
    "AppSpecification",
    "Environment",
    "NetworkConfig",
    "RoleArn",
    "StoppingCondition",
    "ExperimentConfig",
)


def _inputs(document: Document) -> list[Document]:
    inputs: list[Document] = document.get("ProcessingInputs") or []
    return inputs


def _outputs(document: Document) -> list[Document]:
    outputs: list[Document] = (document.get("ProcessingOutputConfig") or {}).get("Outputs") or []
    return outputs


def _instances(document: Document) -> int:
    count: int = document["ProcessingResources"]["ClusterConfig"]["InstanceCount"]
    return count


def _check(request: Document) -> None:
    """Refuse what is not done here before anything is created."""
    for item in _inputs(request):
        name, source = item["InputName"], item.get("S3Input")
        if "DatasetDefinition" in item:
            raise not_implemented(f"DatasetDefinition of ProcessingInput '{name}'")
        if source is None:
            raise validation_error(f"ProcessingInput '{name}' has no S3Input.")
        if item.get("AppManaged"):
            continue
        if not source.get("LocalPath"):
            raise validation_error(f"ProcessingInput '{name}' has no LocalPath.")
        if source["S3DataType"] != "S3Prefix":
            raise not_implemented(f"S3DataType {source['S3DataType']} of ProcessingInput '{name}'")
        if source.get("S3InputMode", "File") != "File":
            raise not_implemented(f"S3InputMode {source['S3InputMode']} of ProcessingInput '{name}'")
        if source.get("S3CompressionType", "None") != "None":
            raise validation_error(
                f"ProcessingInput '{name}': S3CompressionType Gzip goes with S3InputMode Pipe only."
            )
    for item in _outputs(request):
        name = item["OutputName"]
        if "FeatureStoreOutput" in item:
            raise not_implemented(f"FeatureStoreOutput of ProcessingOutput '{name}'")
        if not item.get("AppManaged") and not (item.get("S3Output") or {}).get("LocalPath"):
            raise validation_error(f"ProcessingOutput '{name}' has no S3Output with a LocalPath.")
    if not request["AppSpecification"].get("ContainerEntrypoint"):
        image = request["AppSpecification"]["ImageUri"]
        raise not_implemented(f"the entry point of the image {image} itself: give a ContainerEntrypoint;")


def _stage(job: Job) -> list[Command]:
    document = job.document
    specification = document["AppSpecification"]
    interpreter = images.interpreter_for(specification["ImageUri"], job.surroundings.interpreters)
    for warning in interpreter.warnings:
        job.note(warning)
    outputs = [item for item in _outputs(document) if not item.get("AppManaged")]
    for item in outputs:
        transfer.require_bucket(job.objects, item["S3Output"]["S3Uri"], f"output '{item['OutputName']}'")
    _stage_inputs(job)
    config = {name: document[name] for name in _COPIED if name in document}
    instance_type = document["ProcessingResources"]["ClusterConfig"]["InstanceType"]
    commands = []
    for host in job.hosts:
        host.path("/opt/ml/output", "a folder").mkdir(parents=True, exist_ok=True)
        for item in outputs:
            path = host.path(item["S3Output"]["LocalPath"], f"output '{item['OutputName']}'")
            path.mkdir(parents=True, exist_ok=True)
        job.write_config(host, f"{_CONFIG}/processingjobconfig.json", config)
        job.write_config(host, f"{_CONFIG}/resourceconfig.json", job.resource_config(host, instance_type))
        environment = job.environment(interpreter, host) | (document.get("Environment") or {})
        argv = [*specification["ContainerEntrypoint"], *specification.get("ContainerArguments", [])]
        commands.append(Command(argv, environment))
    return commands


def _stage_inputs(job: Job) -> None:
    for item in _inputs(job.document):
        if item.get("AppManaged"):
            continue
        source, what = item["S3Input"], f"input '{item['InputName']}'"
        found = transfer.sources(job.objects, source["S3Uri"], job.region, job.document["RoleArn"])
        sharded = source.get("S3DataDistributionType") == "ShardedByS3Key"
        for number, host in enumerate(job.hosts):
            share = found[number :: len(job.hosts)] if sharded else found
            transfer.stage(share, host.path(source["LocalPath"], what), job.check)


def _collect(job: Job, stopped: bool) -> Document:
    outputs = [] if stopped else [item for item in _outputs(job.document) if not item.get("AppManaged")]
    left = [(item, _left(job, item)) for item in outputs]
    # One output's folder may lie within another's; only a file that is wanted once is moved away.
    wanted = Counter(file.path for _, files in left for file in files)
    for moved in (False, True):
        for item, files in left:
            shared = [replace(file, shared=file.shared or wanted[file.path] > 1) for file in files]
            now = [file for file in shared if file.shared is not moved]
            what = f"output '{item['OutputName']}'"
            transfer.upload(job.objects, now, item["S3Output"]["S3Uri"], what, job.check)
    message = _explain(job.hosts[0])
    return {"ExitMessage": message} if message else {}


def _left(job: Job, item: Document) -> list[Left]:
    """What all instances left in the folder of one output."""
    what, local_path = f"output '{item['OutputName']}'", item["S3Output"]["LocalPath"]
    files: dict[str, Left] = {}
    for host in reversed(job.hosts):
        folder = host.path(local_path, what)
        if not folder.is_dir():
            raise client_error(
                f"{what}: {local_path} is no folder any more on {host.name}."
                " Leave the folder in place and write files into it."
            )
        try:
            found, left_out = regular_files(folder, host.ml)
        except OSError as problem:
            raise disk_failure(f"reading {what}", problem) from problem
        for entry in left_out:
            job.note(f"{what}: left out {entry}: not a regular file inside the job's folder.")
        files |= {file.name: file for file in found}
    if not files:
        job.note(f"{what}: {local_path} is empty, so nothing was uploaded.")
    return list(files.values())


def _explain(host: Host) -> str:
    return first_kilobyte(host.path(_MESSAGE, "the exit message"), host.ml)


KIND = JobKind(
    kind="processing-job",
    prefix="ProcessingJob",
    verb="Processing",
    log_group="/aws/sagemaker/ProcessingJobs",
    has_phases=False,
    words_member="ExitMessage",
    check=_check,
    instances=_instances,
    stage=_stage,
    collect=_collect,
    explain=_explain,
)
