"""Lays out one container of an endpoint: the artifact unpacked, the script in its place, what to run.

    <folder>/ml/model       the unpacked artifact, `/opt/ml/model`
    <folder>/ml/code        the script's folder, `/opt/ml/code`
    <folder>/ml/server.sock where the model server listens
    <folder>/log            its output

What can be served is what the XGBoost and scikit-learn images serve in script mode: the container's
environment names a script and its folder (``SAGEMAKER_PROGRAM`` and ``SAGEMAKER_SUBMIT_DIRECTORY``), which
lies in the artifact or in S3. For functions that the script leaves out there are the image's own
(``programs``). The XGBoost image also serves, without a script, what it has trained as a built-in algorithm.
No other image's own program is here.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from sagemaker_local.hosting import SERVER
from sagemaker_local.hosting.fleet_spec import Container
from sagemaker_local.jobs import archive, images, transfer
from sagemaker_local.jobs.failure import client_error, disk_failure
from sagemaker_local.jobs.job import Command, JobContext, base_environment
from sagemaker_local.jobs.places import OPT_ML, Host
from sagemaker_local.programs import PROGRAMS

SOCKET = "server.sock"
_MODEL, _CODE = f"{OPT_ML}/model", f"{OPT_ML}/code"
_XGBOOST_PROGRAM = "aws_images/xgboost_serving.py"
_DEFAULTS = {
    "sagemaker-xgboost:": "aws_images.xgboost_defaults",
    "sagemaker-scikit-learn:": "aws_images.scikit_learn_defaults",
}


def stage(
    container: Container,
    host: Host,
    *,
    region: str,
    rewrite: bool,
    context: JobContext,
    check: Callable[[], None],
    note: Callable[[str], None],
) -> Command:
    """Make the container's folder and say what runs in it.

    Args:
        rewrite: the paths in the command are real ones, because ``/opt/ml`` cannot be given.
        check: raises when it is no longer wanted.
        note: takes a line for the container's log.

    Raises:
        JobFailure: the artifact or the script is not there or not usable; its text says which.
    """
    try:
        host.ml.mkdir(parents=True, exist_ok=True)
        _fetch_model(container, host, context, region, check)
        own = _own_program(container)
        program = own or _place_code(container, host, context, region, check)
    except OSError as problem:
        raise disk_failure(f"preparing the container {container.name}", problem) from problem
    interpreter = images.interpreter_for(container.image, context.interpreters)
    for warning in interpreter.warnings:
        note(warning)
    environment = base_environment(interpreter, host, region, context)
    if own:
        environment["SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT"] = "text/csv"
        environment["XGBOOST_IMAGE_VERSION"] = images.xgboost_version(container.image) or ""
    environment |= container.environment
    folder = str(PROGRAMS) if own else _CODE
    argv = [str(interpreter.python), str(SERVER), f"{OPT_ML}/{SOCKET}", folder, program, _MODEL]
    defaults = next((module for name, module in _DEFAULTS.items() if name in container.image), None)
    if defaults and not own:
        argv += [str(PROGRAMS), defaults]
    command = Command(argv, environment)
    return command.rewritten(host.ml) if rewrite else command


def _own_program(container: Container) -> str:
    """The image's own program, for a container that names no script; empty where there is none here."""
    names = container.environment.keys() & {"SAGEMAKER_PROGRAM", "SAGEMAKER_SUBMIT_DIRECTORY"}
    is_xgboost = images.xgboost_version(container.image) is not None
    return _XGBOOST_PROGRAM if is_xgboost and not any(container.environment[name] for name in names) else ""


def _fetch_model(
    container: Container, host: Host, context: JobContext, region: str, check: Callable[[], None]
) -> None:
    folder = host.path(_MODEL, "the model's folder")
    folder.mkdir(exist_ok=True)
    if container.model_data is not None:
        _unpack(container.model_data, folder, context, region, check, container.etag)


def _unpack(
    uri: str,
    folder: Path,
    context: JobContext,
    region: str,
    check: Callable[[], None],
    etag: str | None = None,
) -> None:
    parsed = transfer.parse_uri(uri)
    found = context.objects.open(parsed.bucket, parsed.key)
    if found is None:
        raise client_error(f"could not find model data at {uri}. Is it there, in region {region}?")
    check()
    with found[1]:
        if etag not in (None, found[0].etag):
            raise client_error(f"the ETag of {uri} is {found[0].etag}, and the model names {etag}.")
        try:
            archive.unpack(found[0].path, folder)
        except archive.UnsafeArchive as unsafe:
            raise client_error(f"{uri} is no usable archive: {unsafe}.") from unsafe
        except FileNotFoundError as gone:
            raise client_error(f"{uri} was replaced while it was read; try again.") from gone


def _place_code(
    container: Container, host: Host, context: JobContext, region: str, check: Callable[[], None]
) -> str:
    """Put the script's folder at /opt/ml/code, as the images do; returns the script's path in it."""
    program = container.environment.get("SAGEMAKER_PROGRAM", "")
    source = container.environment.get("SAGEMAKER_SUBMIT_DIRECTORY", "")
    if not program or not source:
        raise client_error(
            f"the environment of container {container.name} names no script (SAGEMAKER_PROGRAM and"
            " SAGEMAKER_SUBMIT_DIRECTORY). The local SageMaker serves an artifact through its own script, or"
            f" as the XGBoost image does: what the image {container.image} does without a script is not"
            " implemented."
        )
    code = host.path(_CODE, "the script's folder")
    if source.startswith("s3://"):
        code.mkdir(exist_ok=True)
        _unpack(source, code, context, region, check)
    elif host.path(source, "SAGEMAKER_SUBMIT_DIRECTORY") != code:
        given = host.path(source, "SAGEMAKER_SUBMIT_DIRECTORY")
        if given.is_dir():
            shutil.copytree(given, code, dirs_exist_ok=True)
    if ".." in PurePosixPath(program).parts or not (code / program).is_file():
        where = source if source.startswith("s3://") else container.model_data or "the model"
        inside = "" if source.startswith("s3://") else f"{source.removeprefix(_MODEL).strip('/')}/"
        raise client_error(
            f"{where} has no {inside}{program}, which SAGEMAKER_PROGRAM and SAGEMAKER_SUBMIT_DIRECTORY name."
            " Pack the script into the artifact, or name the one that is there."
        )
    return program
