"""A processing job's layout: inputs under their local paths, two configuration files, outputs.

AWS's contract is in "Build Your Own Processing Container" of the SageMaker developer guide. Outputs
whose mode is ``Continuous`` are uploaded at the end, like the others. Where several instances leave
files of one name, the first instance's is kept.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from sagemaker_local.errors import not_implemented, validation_error
from sagemaker_local.jobs import images, model_monitor, transfer
from sagemaker_local.jobs.job import Command, Document, JobKind, JobRun, check_names
from sagemaker_local.jobs.places import Host, OutputFile, first_kilobyte

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
    check_names("InputName", (item["InputName"] for item in _inputs(request)))
    check_names("OutputName", (item["OutputName"] for item in _outputs(request)))
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
    if model_monitor.is_asked_for(request["AppSpecification"]):
        model_monitor.check(request)
    elif not request["AppSpecification"].get("ContainerEntrypoint"):
        image = request["AppSpecification"]["ImageUri"]
        raise not_implemented(f"the entry point of the image {image} itself: give a ContainerEntrypoint;")


def _stage(job: JobRun) -> list[Command]:
    document = job.document
    specification = document["AppSpecification"]
    interpreter = images.interpreter_for(specification["ImageUri"], job.context.interpreters)
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
        if model_monitor.is_asked_for(specification):
            commands.append(model_monitor.command(environment))
            continue
        argv = [*specification["ContainerEntrypoint"], *specification.get("ContainerArguments", [])]
        commands.append(Command(argv, environment))
    return commands


def _stage_inputs(job: JobRun) -> None:
    inputs = [item for item in _inputs(job.document) if not item.get("AppManaged")]
    paths = [item["S3Input"]["LocalPath"] for item in inputs]
    written = [item["S3Output"]["LocalPath"] for item in _outputs(job.document) if not item.get("AppManaged")]
    for number, item in enumerate(inputs):
        others = [*written, *paths[:number], *paths[number + 1 :]]
        what = f"input '{item['InputName']}'"
        transfer.stage_source(job, item["S3Input"], paths[number], what, others)


def _collect(job: JobRun, stopped: bool) -> Document:
    outputs = [] if stopped else [item for item in _outputs(job.document) if not item.get("AppManaged")]
    found = [(item, _files_of_output(job, item)) for item in outputs]
    # One output's folder may lie within another's; only a file that is wanted once is moved away.
    wanted = Counter(file.path for _, files in found for file in files)
    for moved in (False, True):
        for item, files in found:
            shared = [replace(file, shared=file.shared or wanted[file.path] > 1) for file in files]
            now = [file for file in shared if file.shared is not moved]
            what = f"output '{item['OutputName']}'"
            transfer.upload(job.objects, now, item["S3Output"]["S3Uri"], what, job.check)
    message = _message(job.hosts[0])
    return {"ExitMessage": message} if message else {}


def _files_of_output(job: JobRun, item: Document) -> list[OutputFile]:
    what, local_path = f"output '{item['OutputName']}'", item["S3Output"]["LocalPath"]
    files = transfer.files_of_all_hosts(job, local_path, what)
    if not files:
        job.note(f"{what}: {local_path} is empty, so nothing was uploaded.")
    return files


def _message(host: Host) -> str:
    return first_kilobyte(host.path(_MESSAGE, "the exit message"), host.ml)


KIND = JobKind(
    kind="processing-job",
    prefix="ProcessingJob",
    verb="Processing",
    log_group="/aws/sagemaker/ProcessingJobs",
    has_phases=False,
    message_member="ExitMessage",
    check=_check,
    instances=_instances,
    stage=_stage,
    collect=_collect,
    message=_message,
)
