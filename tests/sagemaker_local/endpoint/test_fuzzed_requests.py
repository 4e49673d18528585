"""Requests that nobody would write, to every operation: each gets an answer, and none is a failure of ours.

The values are drawn from botocore's shapes with a fixed seed: good ones, so that a request gets past the
checks; none at all, for each member; and odd ones: too long, with control characters, halves of surrogate
pairs, numbers of thousands of digits. Names are drawn from a few, so that requests meet what earlier ones
made. botocore writes the requests and nobody checks them: they go over a plain socket.
"""

from __future__ import annotations

import http.client
import io
import itertools
import json
import random
import re
import socket
import sys
import time
import urllib.parse
import zipfile
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from botocore.model import OperationModel, Shape
from botocore.serialize import create_serializer
from wire_clients import REGION, S3_OPERATIONS, SIGNED, client_of

from aws_formats import shapes
from aws_formats.service_models import service_model
from sagemaker_local import endpoint
from sagemaker_local.services.table import operations

SEED = 20240229
SECONDS = 5.0
"""For one service: what was not asked by then is left out."""
FEWEST = 100
"""Requests for one service that are made however long they take."""
ODDITIES, AT_RANDOM = 120, 60
"""Requests for each operation, at most."""
_DEEPEST = 6

NAME = "fuzz-1"
_ARN = f"arn:aws:%s:{REGION}:000000000000:%s"
_IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.0-5"
_DEFINITION = json.dumps(
    {
        "Version": "2020-12-01",
        "Parameters": [],
        "Steps": [{"Name": "a", "Type": "Fail", "Arguments": {"ErrorMessage": "a"}}],
    }
)
TEXTS = (
    *(NAME, "a", "abc", "/fuzz/1", "1", "0", f"{NAME}.fifo"),
    *(_ARN % ("sagemaker", f"{kind}/{NAME}") for kind in ("pipeline", "model-package-group", "endpoint")),
    *(
        _ARN % ("sagemaker", f"model-package/{NAME}/1"),
        _ARN % ("sagemaker", f"pipeline/{NAME}/execution/abc"),
    ),
    *(_ARN % ("sns", NAME), _ARN % ("sqs", NAME), _ARN % ("lambda", f"function:{NAME}")),
    *(_ARN % ("events", f"rule/{NAME}"), f"s3://{NAME}/a", _IMAGE),
    *(
        "rate(1 hour)",
        "cron(0 3 * * ? *)",
        "at(2030-01-01T00:00:00)",
        "UTC",
        "NOW",
        "-PT1H",
        "ml.m5.large",
        "text/csv",
    ),
    *(
        "{}",
        "[]",
        '{"a": [1]}',
        _DEFINITION,
        '{"source": ["a"]}',
        "/opt/ml/processing/a",
        "python3.12",
        "a.b",
    ),
    *("/aws/sagemaker/TrainingJobs", "2020-01-01T00:00:00Z", "a@b.cd", "sqs"),
)
"""A good text is one of those that its shape takes."""


def _code() -> bytes:
    """A function's code: a zip file with one module."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("a.py", "def b(event, context): return event")
    return content.getvalue()


_ROLE = "arn:aws:iam::000000000000:role/fuzz"
_CONTAINER = {"Image": _IMAGE, "ModelDataUrl": f"s3://{NAME}/a"}
_SPECIFICATION = {
    "Containers": [_CONTAINER],
    "SupportedContentTypes": ["text/csv"],
    "SupportedResponseMIMETypes": ["text/csv"],
}
_CLUSTER = {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
_EXECUTION = _ARN % ("sagemaker", f"pipeline/{NAME}/execution/abc")
_VARIANT = {
    "VariantName": "a",
    "ModelName": NAME,
    "InitialInstanceCount": 1,
    "InstanceType": "ml.m5.large",
    "InitialVariantWeight": 1,
}
_TRANSFORM_SOURCE = {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{NAME}/a"}}}
_SCHEDULE = {
    "Name": NAME,
    "ScheduleExpression": "rate(1 hour)",
    "FlexibleTimeWindow": {"Mode": "OFF"},
    "Target": {"Arn": _ARN % ("sagemaker", f"pipeline/{NAME}"), "RoleArn": _ROLE},
}
_ANALYZER = {"ImageUri": "468650794304.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-model-monitor-analyzer"}
_OUTPUT = {
    "MonitoringOutputs": [
        {"S3Output": {"S3Uri": f"s3://{NAME}/out", "LocalPath": "/opt/ml/processing/output"}}
    ]
}
_WATCHED = {"EndpointInput": {"EndpointName": NAME, "LocalPath": "/opt/ml/processing/input"}}
_MONITORED = {
    "MonitoringScheduleName": NAME,
    "MonitoringScheduleConfig": {
        "ScheduleConfig": {"ScheduleExpression": "cron(0 * ? * * *)"},
        "MonitoringJobDefinition": {
            "MonitoringInputs": [_WATCHED],
            "MonitoringOutputConfig": _OUTPUT,
            "MonitoringResources": {"ClusterConfig": _CLUSTER},
            "MonitoringAppSpecification": _ANALYZER,
            "RoleArn": _ROLE,
        },
    },
}


def _job_definition(kind: str, specification: dict[str, str], source: dict[str, Any]) -> dict[str, Any]:
    return {
        "JobDefinitionName": NAME,
        f"{kind}QualityAppSpecification": {**_ANALYZER, **specification},
        f"{kind}QualityJobInput": {**_WATCHED, **source},
        f"{kind}QualityJobOutputConfig": _OUTPUT,
        "JobResources": {"ClusterConfig": _CLUSTER},
        "RoleArn": _ROLE,
    }


_QUEUE = {"QueueUrl": f"http://127.0.0.1/000000000000/{NAME}"}
_TOPIC = {"TopicArn": _ARN % ("sns", NAME)}
_FUNCTION = {"FunctionName": NAME}
_OBJECT = {"Bucket": NAME, "Key": "a"}
GOOD: dict[str, dict[str, Any]] = {
    "CreatePipeline": {"PipelineName": "a", "PipelineDefinition": _DEFINITION, "RoleArn": _ROLE},
    "StartPipelineExecution": {"PipelineName": NAME},
    **{
        name: {"PipelineExecutionArn": _EXECUTION}
        for name in ("DescribePipelineExecution", "RetryPipelineExecution", "ListPipelineExecutionSteps")
    },
    "CreateProcessingJob": {
        "ProcessingJobName": NAME,
        "ProcessingResources": {"ClusterConfig": _CLUSTER},
        "AppSpecification": {"ImageUri": "elsewhere/a:1", "ContainerEntrypoint": ["python3", "-V"]},
        "RoleArn": _ROLE,
    },
    "CreateTrainingJob": {
        "TrainingJobName": NAME,
        "AlgorithmSpecification": {
            "TrainingImage": "elsewhere/a:1",
            "TrainingInputMode": "File",
            "ContainerEntrypoint": ["python3", "-V"],
        },
        "OutputDataConfig": {"S3OutputPath": f"s3://{NAME}/out"},
        "ResourceConfig": _CLUSTER,
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        "RoleArn": _ROLE,
    },
    "CreateTransformJob": {
        "TransformJobName": NAME,
        "ModelName": NAME,
        "TransformInput": _TRANSFORM_SOURCE,
        "TransformOutput": {"S3OutputPath": f"s3://{NAME}/out"},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
    },
    "CreateModel": {"ModelName": NAME, "PrimaryContainer": _CONTAINER, "ExecutionRoleArn": _ROLE},
    "CreateEndpointConfig": {"EndpointConfigName": NAME, "ProductionVariants": [_VARIANT]},
    "CreateEndpoint": {"EndpointName": NAME, "EndpointConfigName": NAME},
    "UpdateEndpoint": {"EndpointName": NAME, "EndpointConfigName": NAME},
    "UpdateEndpointWeightsAndCapacities": {
        "EndpointName": NAME,
        "DesiredWeightsAndCapacities": [{"VariantName": "a", "DesiredWeight": 1}],
    },
    "CreateModelPackage": {"ModelPackageGroupName": NAME, "InferenceSpecification": _SPECIFICATION},
    "UpdateModelPackage": {"ModelPackageArn": _ARN % ("sagemaker", f"model-package/{NAME}/1")},
    "PutModelPackageGroupPolicy": {"ModelPackageGroupName": NAME, "ResourcePolicy": "{}"},
    "InvokeEndpoint": {"EndpointName": NAME, "Body": b"1,2\n"},
    "CreateDataQualityJobDefinition": _job_definition("Data", {}, {}),
    "CreateModelQualityJobDefinition": _job_definition(
        "Model", {"ProblemType": "Regression"}, {"GroundTruthS3Input": {"S3Uri": f"s3://{NAME}/a"}}
    ),
    "CreateMonitoringSchedule": _MONITORED,
    "UpdateMonitoringSchedule": _MONITORED,
    "CreateSchedule": _SCHEDULE,
    "UpdateSchedule": _SCHEDULE,
    "GetSchedule": {"Name": NAME},
    "GetScheduleGroup": {"Name": "default"},
    "PutRule": {"Name": NAME, "EventPattern": '{"source": ["a"]}'},
    "PutTargets": {"Rule": NAME, "Targets": [{"Id": "a", "Arn": _ARN % ("sqs", NAME)}]},
    "PutEvents": {"Entries": [{"Source": "a", "DetailType": "a", "Detail": "{}"}]},
    "TestEventPattern": {
        "EventPattern": '{"source": ["a"]}',
        "Event": json.dumps(
            {
                **dict.fromkeys(("id", "account", "source", "region", "detail-type"), "a"),
                **{"time": "2020-01-01T00:00:00Z", "resources": [], "detail": {}},
            }
        ),
    },
    "CreateFunction": {
        **_FUNCTION,
        "Runtime": "python3.12",
        "Role": _ROLE,
        "Handler": "a.b",
        "Code": {"ZipFile": _code()},
    },
    **dict.fromkeys(
        ("GetFunction", "GetFunctionConfiguration", "GetFunctionEventInvokeConfig", "Invoke"), _FUNCTION
    ),
    "PutFunctionEventInvokeConfig": {**_FUNCTION, "MaximumRetryAttempts": 1},
    "Publish": {**_TOPIC, "Message": "a"},
    "Subscribe": {**_TOPIC, "Protocol": "sqs", "Endpoint": _ARN % ("sqs", NAME)},
    "GetTopicAttributes": _TOPIC,
    "ListSubscriptionsByTopic": _TOPIC,
    "SendMessage": {**_QUEUE, "MessageBody": "a"},
    "ReceiveMessage": {**_QUEUE, "WaitTimeSeconds": 0},
    "ChangeMessageVisibility": {**_QUEUE, "ReceiptHandle": "a", "VisibilityTimeout": 1},
    "PutParameter": {"Name": "/fuzz/1", "Value": "a", "Type": "String", "Overwrite": True},
    "GetLogEvents": {"logGroupName": f"/aws/lambda/{NAME}", "logStreamName": "a"},
    "CreateBucket": {"Bucket": "fuzz-2"},
    "CopyObject": {**_OBJECT, "CopySource": f"{NAME}/b"},
    "UploadPart": {**_OBJECT, "UploadId": "u", "PartNumber": 1},
    "UploadPartCopy": {**_OBJECT, "UploadId": "u", "PartNumber": 1, "CopySource": f"{NAME}/b"},
    "DeleteObjects": {"Bucket": NAME, "Delete": {"Objects": [{"Key": "a"}]}},
    "CompleteMultipartUpload": {**_OBJECT, "UploadId": "u", "MultipartUpload": {"Parts": []}},
    "AbortMultipartUpload": {**_OBJECT, "UploadId": "u"},
    "ListParts": {**_OBJECT, "UploadId": "u"},
    **dict.fromkeys(
        ("PutObject", "GetObject", "HeadObject", "DeleteObject", "CreateMultipartUpload"), _OBJECT
    ),
}
"""What most requests to these operations have: names alone would not get past their checks."""

ODD_TEXTS = (
    *(
        "",
        " ",
        "\x00",
        "\x1b]0;x\x07",
        "\n",
        "\ud800",
        "\u202e",
        "\ufffe",
        "{",
        "$",
        "../..",
        "%00",
        "x" * 70_000,
    ),
    *("1" * 5000, "9" * 19, "-1", "1_0", "1e400", "NaN", "٣", "[" * 2000, '{"a":' * 2000, "é" * 300),
    *("rate(0 hours)", "rate(99999999999 days)", "cron(* * * * ? 1970)", "at(0000-00-00T00:00:00)"),
    *(
        "arn:aws:sqs",
        "arn:" + ":" * 20,
        "s3://",
        "bytes=0-" + "9" * 5000,
        "bytes=" + "9" * 5000 + "-",
        "bytes=-9",
    ),
    *("Wed, 21 Oct 99999 07:28:00 GMT", "Wed, 21 Oct 0001 07:28:00 -2359", "0001-01-01T00:00:00+23:59"),
    *(
        '{"detail": {"a": [{"numeric": ["<", 1e999]}]}}',
        '{"source": [{"prefix": 1}]}',
        "STREAMING-",
        "abc/\ud800",
    ),
)
ODD_NUMBERS = (
    *(
        0,
        -1,
        1,
        2**31,
        2**63,
        -(2**63),
        10**30,
        int("9" * 4000),
        1e308,
        -1e308,
        0.5,
        253402300800,
        -62135596801,
    ),
)
ODD_VALUES = (None, True, [], {}, [None], {"a": None}, [[]], "x", 7)

_LINE_ENDS = re.compile(r"[\r\n\0]")


@cache
def fitting_texts(shape: Shape) -> list[str]:
    """Of TEXTS those that a shape allows."""
    return [text for text in TEXTS if not shapes.check(shape, text)[1]]


class Requests:
    """Requests to one operation, the same for the same seed."""

    def __init__(self, operation: OperationModel, known: dict[str, Any]) -> None:
        self._name, self._shape = operation.name, operation.input_shape
        self._known = known
        self._draw = random.Random(f"{SEED} {operation.name}")

    def all(self) -> Iterator[dict[str, Any]]:
        odd = list(self._with_each_oddity())
        self._draw.shuffle(odd)
        yield from self._without_each_member()
        yield from odd[:ODDITIES]
        yield from (self._odd(self._shape, self.good()) for _ in range(AT_RANDOM))

    def good(self) -> dict[str, Any]:
        found: dict[str, Any] = self._good(self._shape, 0)
        if self._draw.random() < 0.2:
            return found
        found |= GOOD.get(self._name, {})
        return found | {name: value for name, value in self._known.items() if name in found}

    def _without_each_member(self) -> Iterator[dict[str, Any]]:
        for member in self._shape.members:
            yield {name: value for name, value in self.good().items() if name != member}

    def _with_each_oddity(self) -> Iterator[dict[str, Any]]:
        for member, shape in self._shape.members.items():
            for value in self._odd_values(shape):
                yield self.good() | {member: value}

    def _good(self, shape: Shape, depth: int) -> Any:
        draw = self._draw
        match shape.type_name:
            case "structure":
                share = 0.02 if self._name in S3_OPERATIONS else 0.2
                chosen = [
                    name
                    for name in shape.members
                    if name in shape.required_members or (depth < _DEEPEST and draw.random() < share)
                ]
                return {
                    name: self._good(shape.members[name], depth + 1)
                    for name in chosen
                    if not name.endswith("BucketOwner")  # all that this would try is another account
                }
            case "list":
                least = shape.metadata.get("min", 0)
                size = max(least, 0 if depth >= _DEEPEST else draw.choice((0, 1, 1, 2)))
                return [self._good(shape.member, depth + 1) for _ in range(min(size, 3))]
            case "map":
                keys = [self._good(shape.key, depth + 1)] if depth < _DEEPEST else []
                return {key: self._good(shape.value, depth + 1) for key in keys}
            case "string" | "character":
                if enum := shape.metadata.get("enum"):
                    return draw.choice(enum)
                fitting = fitting_texts(shape)
                return draw.choice([*fitting, *fitting[:1] * len(fitting)]) if fitting else "a"
            case "blob":
                return draw.choice((b"", b"a,b\n", b"{}", b"PK\x03\x04", b"\xff\xfe"))
            case "boolean":
                return draw.random() < 0.5
            case "timestamp":
                return draw.choice((0, 1_700_000_000, 4_000_000_000))
        least, most = shape.metadata.get("min", 0), shape.metadata.get("max", 100)
        return draw.choice((least, most, min(max(1, least), most)))

    def _odd_values(self, shape: Shape) -> Iterator[Any]:
        match shape.type_name:
            case "string" | "character":
                yield from ODD_TEXTS
            case "integer" | "long" | "float" | "double" | "timestamp":
                yield from ODD_NUMBERS
            case "blob":
                yield from (b"", b"\x00" * 100, b"{" * 5000, b"[" * 100_000)
            case "list":
                yield from ([value] for value in self._odd_values(shape.member))
            case "map":
                yield from ({text: self._good(shape.value, _DEEPEST)} for text in ODD_TEXTS)
                yield from ({"a": value} for value in self._odd_values(shape.value))
        yield from ODD_VALUES

    def _odd(self, shape: Shape, value: Any) -> Any:
        """The same value with one oddity somewhere in it."""
        draw = self._draw
        if shape.type_name == "structure" and isinstance(value, dict) and shape.members:
            name = draw.choice(list(shape.members))
            inner = shape.members[name]
            return {**value, name: self._odd(inner, value.get(name, self._good(inner, 2)))}
        if shape.type_name == "list" and isinstance(value, list) and value:
            place = draw.randrange(len(value))
            return [self._odd(shape.member, one) if i == place else one for i, one in enumerate(value)]
        if shape.type_name == "map" and isinstance(value, dict) and value:
            name = draw.choice(list(value))
            return {**value, name: self._odd(shape.value, value[name])}
        return draw.choice(list(self._odd_values(shape)))


class Wire:
    """One connection to the endpoint, opened again where the endpoint has closed it after an answer.

    Attributes:
        known: members of good requests whose values the endpoint itself has chosen.
    """

    def __init__(self, url: str, known: dict[str, Any]) -> None:
        self.known = known
        host, _, port = url.removeprefix("http://").partition(":")
        self._address = (host, int(port))
        self._socket: socket.socket | None = None

    def ask(self, service: str, serialized: dict[str, Any]) -> tuple[int, bytes]:
        """Status and body of the answer. Raises OSError or http.client.HTTPException if there is none."""
        if self._socket is None:
            self._socket = socket.create_connection(self._address, timeout=120)
        self._socket.sendall(self._bytes(service, serialized))
        answer = http.client.HTTPResponse(self._socket, method=serialized["method"])
        try:
            answer.begin()
            body = answer.read()
        except (OSError, http.client.HTTPException):
            self._close()
            raise
        if answer.will_close:
            self._close()
        return answer.status, body

    def _bytes(self, service: str, serialized: dict[str, Any]) -> bytes:
        body, query = serialized["body"], serialized["query_string"]
        if isinstance(body, dict):  # of the protocol whose requests are forms
            body = urllib.parse.urlencode(_encodable(body))
        if isinstance(body, str):
            body = body.encode("utf-8", "surrogatepass")
        query = query if isinstance(query, str) else urllib.parse.urlencode(_encodable(query), doseq=True)
        path = urllib.parse.quote(serialized["url_path"].encode("utf-8", "surrogatepass"), safe="/%:?&=~")
        target = path + ("&" if "?" in path else "?") + query if query else path
        signed = SIGNED.replace("/s3/", f"/{service_model(service).signing_name}/")
        headers = {
            **serialized["headers"],
            "Host": ":".join(map(str, self._address)),
            "Authorization": signed,
            "Content-Length": str(len(body)),
        }
        # A line end in a header would end the header: what follows it is another one, not an odd value.
        lines = [f"{name}: {_LINE_ENDS.sub(' ', str(value))}" for name, value in headers.items()]
        head = "\r\n".join([f"{serialized['method']} {target} HTTP/1.1", *lines])
        return head.encode("utf-8", "surrogatepass") + b"\r\n\r\n" + body

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None


def _encodable(members: Any) -> list[tuple[str, Any]]:
    pairs = members.items() if isinstance(members, dict) else members
    return [
        (name, value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value)
        for name, value in pairs
    ]


def serialized(operation: OperationModel, parameters: dict[str, Any]) -> dict[str, Any] | None:
    """A request as botocore would write it; None where it cannot write such a value at all."""
    serializer = create_serializer(operation.service_model.metadata["protocol"], include_validation=False)
    try:
        found: dict[str, Any] = serializer.serialize_to_request(dict(parameters), operation)
    except (AttributeError, KeyError, OverflowError, RuntimeError, TypeError, ValueError):
        return None
    return found if isinstance(found["body"], bytes | bytearray | str | dict) else None


def requests_of(
    service: str, names: list[str], known: dict[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Everything that is sent to a service: the operations take turns, those that delete things come last."""
    model = service_model(service)
    for deletes in (False, True):
        chosen = [
            model.operation_model(name) for name in names if name.startswith(("Delete", "Abort")) == deletes
        ]
        rows = [Requests(one, known).all() for one in chosen if one.input_shape is not None]
        for turn in itertools.zip_longest(*rows):
            for operation, parameters in zip(chosen, turn, strict=False):
                if parameters is not None and (found := serialized(operation, parameters)) is not None:
                    yield operation.name, found


def odd_headers_of_s3(known: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each header and each query parameter of S3, with each odd text that botocore would refuse to write."""
    model = service_model("s3")
    for name in S3_OPERATIONS:
        operation = model.operation_model(name)
        if operation.input_shape is None:
            continue
        good = GOOD.get(name, {"Bucket": NAME} if name != "ListBuckets" else {})
        plain = serialized(operation, good | {key: known[key] for key in known.keys() & good.keys()})
        assert plain is not None, name
        for member in operation.input_shape.members.values():
            place = member.serialization.get("location")
            key = member.serialization.get("name", "")
            for text in ODD_TEXTS:
                text = text[:2000] if place == "header" and "bytes" not in text else text
                if place == "header":
                    yield name, {**plain, "headers": {**plain["headers"], key: text}}
                elif place == "querystring":
                    yield name, {**plain, "query_string": {**dict(plain["query_string"]), key: text}}


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    home, interpreters = tmp_path_factory.mktemp("fuzz") / "home", {"elsewhere/*": sys.executable}
    with endpoint.start(home, interpreters=interpreters, advertise=True) as started:
        yield Wire(started.url, _populate(started.url))


def _populate(url: str) -> dict[str, Any]:
    """Make one of each thing that its name is nearly enough for; members that only the endpoint can know."""
    s3, sagemaker = client_of(url, "s3"), client_of(url, "sagemaker")
    s3.create_bucket(Bucket=NAME, CreateBucketConfiguration={"LocationConstraint": REGION})
    for key in ("a", "b"):
        s3.put_object(Bucket=NAME, Key=key, Body=b"0123456789")
    sagemaker.create_pipeline(
        PipelineName=NAME, PipelineDefinition=_DEFINITION, ClientRequestToken="t" * 32, RoleArn=_ROLE
    )
    sagemaker.create_model_package_group(ModelPackageGroupName=NAME)
    sagemaker.create_model_package(
        ModelPackageGroupName=NAME,
        InferenceSpecification=_SPECIFICATION,
    )
    client_of(url, "sqs").create_queue(QueueName=NAME)
    client_of(url, "sns").create_topic(Name=NAME)
    client_of(url, "ssm").put_parameter(Name="/fuzz/1", Value="a", Type="String")
    client_of(url, "events").put_rule(Name=NAME, ScheduleExpression="rate(1 hour)")
    execution = sagemaker.start_pipeline_execution(PipelineName=NAME, ClientRequestToken="t" * 32)
    return {
        "PipelineExecutionArn": execution["PipelineExecutionArn"],
        "UploadId": s3.create_multipart_upload(Bucket=NAME, Key="a")["UploadId"],
    }


def _faults(wire: Wire, service: str, requests: Iterator[tuple[str, dict[str, Any]]]) -> list[str]:
    """What was answered with a failure of ours, or not at all."""
    faults: list[str] = []
    asked = 0
    until = time.monotonic() + SECONDS
    for operation, request in requests:
        if asked >= FEWEST and time.monotonic() > until:
            break
        asked += 1
        shown = f"{operation}: {str(request)[:600]}"
        try:
            status, body = wire.ask(service, request)
        except (OSError, http.client.HTTPException) as error:
            faults.append(f"no answer ({error!r}) to {shown}")
        else:
            if status == 500 or b"InternalFailure" in body:
                faults.append(f"{status} {body[:300]!r} to {shown}")
    assert asked >= FEWEST
    return faults


@pytest.mark.parametrize("service", sorted({service for service, _ in operations()}))
def test_no_request_ends_in_an_internal_failure(wire: Wire, service: str) -> None:
    names = [name for known, name in operations() if known == service]
    assert _faults(wire, service, requests_of(service, names, wire.known)) == []


def test_no_request_of_s3_ends_in_an_internal_failure(wire: Wire) -> None:
    assert _faults(wire, "s3", requests_of("s3", list(S3_OPERATIONS), wire.known)) == []


def test_no_header_and_no_query_parameter_of_s3_ends_in_an_internal_failure(wire: Wire) -> None:
    requests = list(odd_headers_of_s3(wire.known))
    random.Random(SEED).shuffle(requests)
    assert _faults(wire, "s3", iter(requests)) == []
