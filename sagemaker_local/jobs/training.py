"""A training job's layout: channels, configuration files, the model and what else is left.

AWS's contract is in "How Amazon SageMaker AI Provides Training Information" of the developer guide.
A job that is stopped keeps the model that it had until then. Where several instances leave files of
one name, the first instance's is kept.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

from sagemaker_local.errors import not_implemented, validation_error
from sagemaker_local.jobs import (
    archive,
    builtin_xgboost,
    checkpoints,
    image_environments,
    images,
    script_mode,
    transfer,
)
from sagemaker_local.jobs.failure import client_error, disk_failure
from sagemaker_local.jobs.images import Interpreter
from sagemaker_local.jobs.job import DEFAULT_RUNTIME, Command, Document, JobKind, JobRun, check_names
from sagemaker_local.jobs.job_log import LogReader
from sagemaker_local.jobs.places import Host, OutputFile, first_kilobyte, regular_files

_CONFIG = "/opt/ml/input/config"
_DATA = "/opt/ml/input/data"
_MODEL = "/opt/ml/model"
_OUTPUT_DATA = "/opt/ml/output/data"
_FAILURE = "/opt/ml/output/failure"
_REFUSED = (
    "ServerlessJobConfig",
    "MlflowConfig",
    "ModelPackageConfig",
    "SessionChainingConfig",
)


def _channels(document: Document) -> list[Document]:
    channels: list[Document] = document.get("InputDataConfig") or []
    return channels


def _instances(document: Document) -> int:
    count: int = document["ResourceConfig"]["InstanceCount"]
    return count


def _check(request: Document) -> None:
    """Refuse what is not done here before anything is created."""
    for member in _REFUSED:
        if request.get(member):
            raise not_implemented(f"{member} of a training job")
    resources = request.get("ResourceConfig") or {}
    if resources.get("InstanceGroups"):
        raise not_implemented("ResourceConfig.InstanceGroups (heterogeneous clusters)")
    if "InstanceCount" not in resources or "InstanceType" not in resources:
        raise validation_error("ResourceConfig needs InstanceType and InstanceCount.")
    if resources["InstanceCount"] == 0:
        raise validation_error("ResourceConfig needs an InstanceCount of 1 at least.")
    _check_spot_and_warm_pool(request)
    specification = request.get("AlgorithmSpecification") or {}
    image = specification.get("TrainingImage")
    if specification.get("AlgorithmName"):
        raise not_implemented("AlgorithmSpecification.AlgorithmName")
    if not image:
        raise validation_error("AlgorithmSpecification needs a TrainingImage.")
    hyperparameters = request.get("HyperParameters") or {}
    if builtin_xgboost.is_asked_for(request):
        builtin_xgboost.check(request)
    elif not specification.get("ContainerEntrypoint") and script_mode.script_of(hyperparameters) is None:
        raise not_implemented(
            f"the entry point of the image {image} itself: give AlgorithmSpecification.ContainerEntrypoint,"
            " or a script by the hyperparameters sagemaker_program and sagemaker_submit_directory; without"
            " either, the training job"
        )
    for definition in specification.get("MetricDefinitions") or []:
        try:
            re.compile(definition["Regex"])
        except re.error as problem:
            raise validation_error(
                f"MetricDefinition '{definition['Name']}': {definition['Regex']!r} is no regular"
                f" expression: {problem}."
            ) from problem
    check_names("ChannelName", (channel["ChannelName"] for channel in _channels(request)))
    for channel in _channels(request):
        _check_channel(channel, specification["TrainingInputMode"])


def _check_spot_and_warm_pool(request: Document) -> None:
    """What the API's reference says of these members; both cost and save nothing here."""
    condition = request.get("StoppingCondition") or {}
    longest = condition.get("MaxRuntimeInSeconds", DEFAULT_RUNTIME)
    waits = condition.get("MaxWaitTimeInSeconds")
    is_spot = request.get("EnableManagedSpotTraining")
    if is_spot and (waits is None or waits < longest):
        raise validation_error(
            "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to"
            " MaxRuntimeInSeconds."
        )
    if not is_spot and waits is not None:
        raise validation_error("Invalid MaxWaitTimeInSeconds. It is for managed spot training only.")
    if is_spot and request["ResourceConfig"].get("KeepAlivePeriodInSeconds"):
        raise validation_error(
            "KeepAlivePeriodInSeconds cannot be used with EnableManagedSpotTraining: a warm pool keeps"
            " instances, and spot instances cannot be kept."
        )


def _check_channel(channel: Document, default_mode: str) -> None:
    name, source = channel["ChannelName"], channel["DataSource"].get("S3DataSource")
    if source is None:
        raise not_implemented(f"a data source other than S3 for channel '{name}'")
    if source["S3DataType"] not in ("S3Prefix", "ManifestFile"):
        raise not_implemented(f"S3DataType {source['S3DataType']} of channel '{name}'")
    if channel.get("InputMode", default_mode) == "Pipe":
        raise not_implemented(f"input mode Pipe of channel '{name}'")
    if channel.get("CompressionType", "None") != "None":
        raise validation_error(f"channel '{name}': CompressionType Gzip goes with input mode Pipe only.")
    if channel.get("RecordWrapperType", "None") != "None":
        raise not_implemented(f"RecordWrapperType of channel '{name}'")


def _stage(job: JobRun) -> list[Command]:
    document = job.document
    specification = document["AlgorithmSpecification"]
    image = specification["TrainingImage"]
    interpreter = images.interpreter_for(image, job.context.interpreters)
    for warning in interpreter.warnings:
        job.note(warning)
    transfer.require_bucket(job.objects, document["OutputDataConfig"]["S3OutputPath"], "the model")
    _stage_channels(job)
    checkpoints.restore(job)
    hyperparameters: dict[str, str] = document.get("HyperParameters") or {}
    input_data_config = {
        channel["ChannelName"]: {
            "TrainingInputMode": channel.get("InputMode", specification["TrainingInputMode"]),
            "S3DistributionType": channel["DataSource"]["S3DataSource"].get(
                "S3DataDistributionType", "FullyReplicated"
            ),
            "RecordWrapperType": "None",
            **({"ContentType": channel["ContentType"]} if "ContentType" in channel else {}),
        }
        for channel in _channels(document)
    }
    instance_type = document["ResourceConfig"]["InstanceType"]
    commands = []
    for host in job.hosts:
        for folder in (_DATA, _MODEL, _OUTPUT_DATA):
            host.path(folder, "a folder").mkdir(parents=True, exist_ok=True)
        resource_config = job.resource_config(host, instance_type)
        job.write_config(host, f"{_CONFIG}/hyperparameters.json", hyperparameters)
        job.write_config(host, f"{_CONFIG}/inputdataconfig.json", input_data_config)
        job.write_config(host, f"{_CONFIG}/resourceconfig.json", resource_config)
        environment = job.environment(interpreter, host) | {
            "TRAINING_JOB_NAME": job.name,
            "TRAINING_JOB_ARN": document["TrainingJobArn"],
        }
        if specification.get("ContainerEntrypoint"):
            argv = [*specification["ContainerEntrypoint"], *specification.get("ContainerArguments", [])]
            command = Command(argv, environment)
        elif builtin_xgboost.is_asked_for(document):
            command = builtin_xgboost.command(image, environment)
        else:
            command = _script_command(
                job, host, interpreter, environment, hyperparameters, input_data_config, resource_config
            )
        command.environment.update(document.get("Environment") or {})
        commands.append(command)
    return commands


def _stage_channels(job: JobRun) -> None:
    others = [(job.document.get("CheckpointConfig") or {}).get("LocalPath") or checkpoints.FOLDER]
    if script := script_mode.script_of(job.document.get("HyperParameters") or {}):
        others.append(script.submit_directory)  # it may lie in a channel, and is unpacked
    for channel in _channels(job.document):
        source, name = channel["DataSource"]["S3DataSource"], channel["ChannelName"]
        transfer.stage_source(job, source, f"{_DATA}/{name}", f"channel '{name}'", others)


def _script_command(
    job: JobRun,
    host: Host,
    interpreter: Interpreter,
    environment: dict[str, str],
    hyperparameters: dict[str, str],
    input_data_config: dict[str, Any],
    resource_config: dict[str, Any],
) -> Command:
    """Unpack the user's code and run its script the way the image's toolkit does."""
    script = script_mode.script_of(hyperparameters)
    assert script is not None, "checked when the job was created"
    code = host.path(script_mode.CODE, "the code")
    _unpack_code(job, host, script.submit_directory, code)
    if not (code / script.program).is_file():
        raise client_error(f"{script.submit_directory} holds no {script.program} (sagemaker_program).")
    script_mode.make_runnable(code / script.program)
    installed = _installed(job, interpreter, code / "requirements.txt")
    values = script_mode.user_hyperparameters(hyperparameters)
    variables = script_mode.variables(
        job=job.name,
        image=job.document["AlgorithmSpecification"]["TrainingImage"],
        script=script,
        hyperparameters=hyperparameters,
        input_data_config=input_data_config,
        resource_config=resource_config,
    )
    places = (variables["PYTHONPATH"], installed, environment.get("PYTHONPATH"))
    variables["PYTHONPATH"] = ":".join(filter(None, places))
    argv = script_mode.command(script.program, values)
    return Command(argv, environment | variables, script_mode.CODE)


def _installed(job: JobRun, interpreter: Interpreter, requirements: Path) -> str | None:
    """The folder with what a requirements.txt asks for; None if there is none, or none may be installed."""
    if not requirements.is_file():
        return None
    if image_environments.install_is_allowed():
        try:
            return str(image_environments.layer(interpreter.python, requirements, job.note))
        except image_environments.CannotBuild as problem:
            raise client_error(f"requirements.txt: {problem}.") from problem
    missing = ["(not checked)"]
    if interpreter.is_ours:
        missing = script_mode.missing_requirements(requirements)
    if missing and not job.hints:  # each instance has the same code
        told = (
            f"requirements.txt is not installed here; missing: {', '.join(missing)}. To have it installed,"
            " for this and all other jobs: python -m sagemaker_local.images allow-install"
        )
        job.note(told)
        job.hints.append(told)
    return None


def _unpack_code(job: JobRun, host: Host, submit_directory: str, code: Path) -> None:
    """From S3 (one archive) or from a path inside the container (an archive, or a folder as it is)."""
    code.mkdir(parents=True, exist_ok=True)
    if submit_directory.startswith("s3://"):
        found = transfer.sources(job.objects, submit_directory, job.region, job.document["RoleArn"])
        packed = found[0].info.path
    else:
        packed = host.path(submit_directory, "sagemaker_submit_directory")
    try:
        if packed.is_dir():
            for file in regular_files(packed, host.ml)[0]:
                (code / file.name).parent.mkdir(parents=True, exist_ok=True)
                transfer.copy_file(file.path, code / file.name)
        elif packed.is_file():
            archive.unpack(packed, code)
        else:
            raise client_error(f"sagemaker_submit_directory {submit_directory} does not exist.")
    except archive.UnsafeArchive as refusal:
        raise client_error(f"sagemaker_submit_directory {submit_directory}: {refusal}") from refusal
    except OSError as problem:
        raise disk_failure("unpacking the code", problem) from problem


def _collect(job: JobRun, stopped: bool) -> Document:
    output = job.document["OutputDataConfig"]
    base = f"{output['S3OutputPath'].rstrip('/')}/{job.name}/output"
    model = transfer.files_of_all_hosts(job, _MODEL, "the model")
    if not model and not stopped:
        job.note(f"{_MODEL} is empty, so there is no model to keep.")
    if output.get("CompressionType") == "NONE":
        artifacts = f"{base}/model/"
        transfer.upload(job.objects, model, artifacts, "the model", job.check)
    else:
        artifacts = f"{base}/model.tar.gz"
        _upload_packed(job, model, base, "model.tar.gz")
    _upload_packed(
        job, transfer.files_of_all_hosts(job, _OUTPUT_DATA, "the output data"), base, "output.tar.gz"
    )
    members: Document = {"FinalMetricDataList": _final_metrics(job)}
    if model or not stopped:
        members["ModelArtifacts"] = {"S3ModelArtifacts": artifacts}
    return members


def _upload_packed(job: JobRun, files: list[OutputFile], base: str, name: str) -> None:
    if not files:
        return
    packed = job.hosts[0].folder / name
    try:
        archive.pack([(file.name, file.path) for file in files], packed)
        transfer.upload(job.objects, [OutputFile(name, packed, shared=False)], base, name, job.check)
    except OSError as problem:
        raise disk_failure(f"packing {name}", problem) from problem
    finally:
        packed.unlink(missing_ok=True)


def _final_metrics(job: JobRun) -> list[Document]:
    """The last value of each metric that its regular expression finds in the log, with its time."""
    definitions = job.document["AlgorithmSpecification"].get("MetricDefinitions") or []
    patterns = [(item["Name"], re.compile(item["Regex"])) for item in definitions]
    last: dict[str, Document] = {}
    for host in job.hosts if patterns else ():
        with LogReader(host.log, complete=True) as log:
            for line in log.forward(0):
                escaped = line.text.replace("\t", "#011")  # a tab in CloudWatch, and in AWS's own expressions
                for name, pattern in patterns:
                    for match in [*pattern.finditer(line.text)] or pattern.finditer(escaped):
                        value = _number(match)
                        if value is not None:
                            when = line.timestamp / 1000
                            last[name] = {"MetricName": name, "Value": value, "Timestamp": when}
    return list(last.values())


def _number(match: re.Match[str]) -> float | None:
    try:
        value = float(match[1] if match.re.groups else match[0])
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None


def _message(host: Host) -> str:
    return first_kilobyte(host.path(_FAILURE, "the failure file"), host.ml)


KIND = JobKind(
    kind="training-job",
    prefix="TrainingJob",
    verb="Training",
    log_group="/aws/sagemaker/TrainingJobs",
    has_phases=True,
    message_member="",
    check=_check,
    instances=_instances,
    stage=_stage,
    collect=_collect,
    message=_message,
    added=builtin_xgboost.added_members,
    running=checkpoints.kept,
)
