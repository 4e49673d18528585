"""Lambda: functions, their asynchronous invocations' settings, and calls of them.

There is one version of each function, ``$LATEST``. Where its code lies: ``events.function_documents``.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import stat
import uuid
import zipfile
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from aws_formats.arns import LATEST, LOCAL_ACCOUNT, FunctionName, parse_function_name
from sagemaker_local import clocks
from sagemaker_local.errors import AwsError, not_implemented
from sagemaker_local.events import outbox
from sagemaker_local.events.execution_environment import Answer, Closing
from sagemaker_local.events.function_documents import (
    FUNCTION,
    MEMORY,
    TIMEOUT,
    code_folder,
    delete_function,
    put_function,
)
from sagemaker_local.events.functions import TooManyCalls
from sagemaker_local.services import paging
from sagemaker_local.services.call import Call, Handler, Waiting
from sagemaker_local.store import Document
from sagemaker_local.store.listing import NAME, Listing

_FUNCTIONS = Listing(FUNCTION, {"Name": (NAME,)})
_LARGEST_CODE = 250 << 20
_LARGEST_EVENT = {"RequestResponse": 6 << 20, "Event": 1 << 20}
_NOT_HERE = ("VpcConfig", "Layers", "FileSystemConfigs", "ImageConfig", "KMSKeyArn", "SnapStart", "PublishTo")
_KEPT = (
    "Description",
    "Timeout",
    "MemorySize",
    "Environment",
    "DeadLetterConfig",
    "Handler",
    "Runtime",
    "Role",
)


def create(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """CreateFunction from a zip file, in the request or in S3."""
    name = _named(call, parameters["FunctionName"]).name
    _check({"Runtime": "", "Handler": "", **parameters})
    if call.store.get(FUNCTION, call.region, name) is not None:
        raise AwsError("ResourceConflictException", f"Function already exist: {name}", 409)
    content = _zip(call, parameters["Code"])
    folder = _unpacked(call, name, content)
    configuration = {key: parameters[key] for key in _KEPT if key in parameters} | {
        "FunctionName": name,
        "Timeout": parameters.get("Timeout", TIMEOUT),
        "MemorySize": parameters.get("MemorySize", MEMORY),
        **_of_code(content),
    }
    return put_function(call.store, call.region, configuration, folder)


def update_code(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """UpdateFunctionCode from a zip file; calls that are under way go on with the code that they have."""
    document = _load(call, parameters)
    content = _zip(call, parameters)
    if parameters.get("DryRun"):
        return {**document, **_of_code(content)}
    folder = _unpacked(call, document["FunctionName"], content)
    return _updated(call, document, {**_of_code(content), "_Code": str(folder.absolute())})


def update_configuration(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """UpdateFunctionConfiguration: what is not named stays."""
    document = _load(call, parameters)
    changed = {key: parameters[key] for key in _KEPT if key in parameters}
    _check({**document, **parameters})
    return _updated(call, document, changed)


def _updated(call: Call, document: Document, changed: Document) -> Document:
    modified = clocks.utc_now().isoformat(timespec="milliseconds")
    changed = {**changed, "LastModified": modified, "RevisionId": str(uuid.uuid4())}
    found = call.store.update(
        FUNCTION, call.region, document["FunctionName"], lambda stored: stored.update(changed)
    )
    if found is None:
        raise _not_found(f"Function not found: {document['FunctionArn']}")
    return found


def _check(members: Document) -> None:
    for member in _NOT_HERE:
        if members.get(member):
            raise not_implemented(f"{member} of a function")
    if not members["Runtime"].startswith("python") or not members["Handler"]:
        raise not_implemented(f"A function without a Handler in Python (Runtime '{members['Runtime']}')")


def _of_code(content: bytes) -> Document:
    digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
    return {"CodeSize": len(content), "CodeSha256": digest}


def get(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """GetFunction"""
    document = _load(call, parameters)
    return {"Configuration": document, "Code": {"RepositoryType": "local", "Location": document["_Code"]}}


def get_configuration(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """GetFunctionConfiguration"""
    return _load(call, parameters)


def list_functions(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """ListFunctions, by name."""
    limits = {"MaxResults": parameters.get("MaxItems", 50), "NextToken": parameters.get("Marker")}
    page, token = paging.stored_page(call, _FUNCTIONS, limits, descending=False)
    return {"Functions": page, "NextMarker": token}


def delete(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """DeleteFunction"""
    name = _load(call, parameters)["FunctionName"]
    delete_function(call.components.home, call.store, call.region, name)
    return {}


def invoke(call: Call, parameters: dict[str, Any]) -> dict[str, Any] | Waiting:
    """Invoke: waits for the answer without a worker; an InvocationType Event is left to the dispatcher."""
    document = _load(call, parameters)
    kind, payload = parameters.get("InvocationType", "RequestResponse"), parameters.get("Payload") or b"null"
    try:
        text = payload.decode()
        json.loads(text)
    except ValueError as error:
        raise AwsError(
            "InvalidRequestContentException", f"Could not parse request body into json: {error}"
        ) from error
    if kind == "DryRun":
        return {"StatusCode": 204}
    if len(payload) > _LARGEST_EVENT[kind]:
        raise AwsError(
            "RequestTooLargeException", f"The event has more than {_LARGEST_EVENT[kind]} bytes.", 413
        )
    if kind == "Event":
        arn = document["FunctionArn"]
        outbox.put_delivery(call.store, call.region, arn, {"Id": "invocation", "Arn": arn}, text)
        return {"StatusCode": 202}
    try:
        running = call.components.functions.begin(document, text)
    except TooManyCalls as error:
        raise AwsError("TooManyRequestsException", "Rate Exceeded.", 429) from error
    except OSError as error:
        raise _not_run(error) from error
    with_log = parameters.get("LogType") == "Tail"
    return Waiting(running, lambda: _answered(running, with_log=with_log))


def put_invoke_config(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """PutFunctionEventInvokeConfig: how asynchronous invocations are retried, and where they end."""
    name = _load(call, parameters)["FunctionName"]
    members = ("MaximumRetryAttempts", "MaximumEventAgeInSeconds", "DestinationConfig")
    config = {key: parameters[key] for key in members if key in parameters}
    if config.get("DestinationConfig", {}).get("OnSuccess"):
        raise not_implemented("OnSuccess of a DestinationConfig")
    document = call.store.update(
        FUNCTION, call.region, name, lambda doc: doc.update(_EventInvokeConfig=config)
    )
    assert document is not None
    return {**config, "FunctionArn": f"{document['FunctionArn']}:$LATEST", "LastModified": clocks.now()}


def get_invoke_config(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """GetFunctionEventInvokeConfig"""
    document = _load(call, parameters)
    config = document.get("_EventInvokeConfig")
    if config is None:
        raise _not_found(f"The function {document['FunctionArn']} doesn't have an EventInvokeConfig")
    return {**config, "FunctionArn": f"{document['FunctionArn']}:$LATEST"}


SERVICE = "lambda"
LISTINGS = (_FUNCTIONS,)
OPERATIONS: dict[str, Handler] = {
    "CreateFunction": create,
    "GetFunction": get,
    "GetFunctionConfiguration": get_configuration,
    "ListFunctions": list_functions,
    "UpdateFunctionCode": update_code,
    "UpdateFunctionConfiguration": update_configuration,
    "DeleteFunction": delete,
    "Invoke": invoke,
    "PutFunctionEventInvokeConfig": put_invoke_config,
    "GetFunctionEventInvokeConfig": get_invoke_config,
}


def _answered(ended: Future[Answer], *, with_log: bool) -> dict[str, Any]:
    try:
        answer = ended.result()
    except (OSError, Closing) as error:
        raise _not_run(error) from error
    return {
        "StatusCode": 200,
        "Payload": answer.payload.encode(),
        "FunctionError": answer.error,
        "ExecutedVersion": "$LATEST",
        "LogResult": base64.b64encode(answer.log.encode()).decode() if with_log else None,
    }


def _not_run(error: Exception) -> AwsError:
    return AwsError("ServiceException", f"The function could not be run: {error or 'closing'}.", 500)


def _named(call: Call, given: str) -> FunctionName:
    """What a function's name or ARN says.

    Raises:
        AwsError: ResourceNotFoundException, it is that of another region or account.
    """
    found = parse_function_name(given)
    if found is None or found.account not in (None, LOCAL_ACCOUNT):
        raise _not_found(f"Function not found: {given}")
    if found.region not in (None, call.region):
        raise _not_found(
            f"Functions from '{found.region}' are not reachable in this region ('{call.region}')"
        )
    return found


def _load(call: Call, parameters: dict[str, Any]) -> Document:
    named = _named(call, parameters["FunctionName"])
    if parameters.get("Qualifier", named.qualifier) != LATEST:
        raise not_implemented(f"A Qualifier other than {LATEST}")
    document = call.store.get(FUNCTION, call.region, named.name)
    if document is None:
        raise _not_found(f"Function not found: {call.arn(f'function:{named.name}', 'lambda')}")
    return document


def _not_found(message: str) -> AwsError:
    return AwsError("ResourceNotFoundException", message, 404)


def _zip(call: Call, code: Document) -> bytes:
    if "ZipFile" in code:
        return bytes(code["ZipFile"])
    if "S3Bucket" not in code or "S3Key" not in code:
        raise not_implemented("A function's code that is neither a zip file nor an object")
    opened = call.components.objects.open(code["S3Bucket"], code["S3Key"])
    if opened is None:
        raise _invalid(f"There is no object s3://{code['S3Bucket']}/{code['S3Key']}.")
    with opened[1] as content:
        return content.read()


def _unpacked(call: Call, name: str, content: bytes) -> Path:
    """The folder with a zip file's content; files only, and only below the folder."""
    folder = code_folder(call.components.home, call.region, name, content)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            if not entries:
                raise _invalid("Uploaded file must be a non-empty zip")
            if sum(entry.file_size for entry in entries) > _LARGEST_CODE:
                raise _invalid(f"Unzipped size must be smaller than {_LARGEST_CODE} bytes")
            for entry in entries:
                path, mode = Path(entry.filename), entry.external_attr >> 16
                if path.is_absolute() or ".." in path.parts or stat.S_ISLNK(mode):
                    raise _invalid(f"Could not unzip uploaded file: {entry.filename} is not a file below it.")
            archive.extractall(folder)
    except zipfile.BadZipFile as error:
        raise _invalid(
            "Could not unzip uploaded file. Please check your file, then try to upload again."
        ) from error
    return folder


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterValueException", message)
