"""Endpoints over the wire: what a client of SageMaker is answered."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hosting_place import ECHO, SCIKIT_LEARN, SCRIPT, Place, pack
from wire_clients import aws_cli, client_of, wait_for


def refused(place: Place, name: str, body: bytes, content_type: str = "text/csv", **members: Any) -> Any:
    """The error that an invocation is answered with."""
    with pytest.raises(ClientError) as error:
        place.invoke(name, body, content_type, **members)
    return error.value.response


def failure(place: Place, name: str, *containers: dict[str, Any]) -> str:
    """Why an endpoint of these containers does not come up."""
    place.config(name, (place.model(name, *containers), 1, 1.0))
    place.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    found = place.after_change(name)
    assert found["EndpointStatus"] == "Failed"
    return str(found["FailureReason"])


@pytest.fixture(scope="module")
def echo(place: Place) -> Place:
    place.serve("echo", place.echo("echo"))
    return place


@pytest.fixture(scope="module")
def trained(place: Place, artifact: bytes) -> Place:
    place.serve("trained", place.container(place.put("trained/model.tar.gz", artifact)))
    return place


def test_a_trained_model_answers_through_the_script_in_its_artifact(trained: Place) -> None:
    both = trained.invoke("trained", b"0.9,red\n0.1,blue\n")["predictions"]
    assert [row["class"] for row in both] == ["yes", "no"]
    record = json.dumps([{"size": 0.9, "colour": None}]).encode()
    assert trained.invoke("trained", record, "application/json")["predictions"][0]["class"] == "yes"


def test_an_answer_has_the_content_type_that_was_accepted_and_names_its_variant(trained: Place) -> None:
    answer = trained.runtime.invoke_endpoint(
        EndpointName="trained", Body=b"0.9,red\n", ContentType="text/csv", Accept="text/csv"
    )
    assert answer["ContentType"] == "text/csv; charset=utf-8"
    assert answer["InvokedProductionVariant"] == "trained"
    assert answer["Body"].read().startswith(b"yes,0.")


@pytest.mark.parametrize(
    ("body", "content_type", "complaint"),
    [
        (b"0.9\n", "text/csv", "row 1: 1 values"),
        (b"0.9,red,yes,1\n", "text/csv", "row 1: 4 values"),
        (b"big,red\n", "text/csv", "column 'size': 'big' is not a number"),
        (b"", "text/csv", "no rows"),
        (b"{", "application/json", "no JSON"),
        (b"<rows/>", "application/xml", "is not served"),
    ],
)
def test_a_payload_that_the_script_refuses_is_a_client_error_in_its_words(
    trained: Place, body: bytes, content_type: str, complaint: str
) -> None:
    answer = refused(trained, "trained", body, content_type)
    assert answer["Error"]["Code"] == "ModelError"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert answer["OriginalStatusCode"] == 400
    assert complaint in answer["OriginalMessage"]
    assert complaint in answer["Error"]["Message"]


def test_a_script_that_breaks_is_a_server_error_with_the_images_page_and_serves_on(echo: Place) -> None:
    """Whatever it raises: in the image, a ValueError is no more the client's mistake than any other."""
    for body, error in ((b"break", "KeyError: 'it broke'"), (b"value", "ValueError: it is wrong")):
        answer = refused(echo, "echo", body)
        assert answer["OriginalStatusCode"] == 500
        assert answer["OriginalMessage"].startswith("<!doctype html>\n")
        assert "500 Internal Server Error" in answer["OriginalMessage"]
        assert error not in answer["OriginalMessage"]
        wait_for(lambda error=error: error in log(echo, "echo") or None)
    assert echo.invoke("echo", b"again")["sent"] == "again"


def log(place: Place, name: str) -> str:
    """All that the endpoint's model servers printed."""
    group = f"/aws/sagemaker/Endpoints/{name}"
    events = place.logs.filter_log_events(logGroupName=group)["events"]
    return "\n".join(event["message"] for event in events)


RESPONSES = """
import json
class Created:
    def __call__(self, environ, start_response):
        assert environ["REQUEST_METHOD"] == "POST"
        write = start_response("200 OK", [("X-More", "1"), ("Content-Type", "application/x-mine")])
        write(b"one ")
        return [b"two", environ["wsgi.input"].read()]
class Teapot:
    def __call__(self, environ, start_response):
        start_response("418 I'M A TEAPOT", [("Content-Type", "text/plain; charset=utf-8")])
        return ["kettles only".encode()]
ANSWERS = {
    "wsgi": lambda: Created(),
    "teapot": lambda: Teapot(),
    "text": lambda: "a text",
    "document": lambda: {"b": 1, "a": [2, None]},
    "parts": lambda: (iter(["a", b"b"]), "text/plain"),
    "typeless": lambda: ("[]", None),
    "xml": lambda: (b"<a/>", "application/xml"),
    "binary": lambda: (b"a\\0b", "application/octet-stream"),
    "nothing": lambda: None,
    "number": lambda: (3, "text/plain"),
    "bytearray": lambda: (bytearray(b"ab"), "text/plain"),
}
def model_fn(folder):
    return folder
def transform_fn(model, body, content_type, accept):
    return ANSWERS[body]()
"""


def test_what_a_script_returns_is_answered_as_the_image_answers_it(place: Place) -> None:
    place.serve("responses", place.echo("responses", RESPONSES))

    def answer(body: str) -> tuple[str, bytes]:
        found = place.runtime.invoke_endpoint(
            EndpointName="responses", Body=body.encode(), ContentType="text/csv"
        )
        return found["ContentType"], found["Body"].read()

    assert answer("wsgi") == ("application/x-mine", b"one two")
    assert answer("text") == ("text/html; charset=utf-8", b"a text")
    assert answer("document") == ("application/json", b'{"a":[2,null],"b":1}\n')
    assert answer("parts") == ("text/plain; charset=utf-8", b"ab")
    assert answer("typeless") == ("application/json", b"[]")
    assert answer("xml") == ("application/xml; charset=utf-8", b"<a/>")
    assert answer("binary") == ("application/octet-stream", b"a\0b")
    teapot = refused(place, "responses", b"teapot")
    assert (teapot["OriginalStatusCode"], teapot["OriginalMessage"]) == (418, "kettles only")
    for body in (b"nothing", b"number", b"bytearray"):
        assert refused(place, "responses", body)["OriginalStatusCode"] == 500


def test_each_request_is_counted_among_the_endpoints_metrics(place: Place) -> None:
    place.serve("counted", place.echo("counted", RESPONSES))
    for body in (b"text", b"text", b"teapot", b"nothing"):
        with contextlib.suppress(ClientError):
            place.runtime.invoke_endpoint(EndpointName="counted", Body=body, ContentType="text/csv")
    dimensions = [
        {"Name": "EndpointName", "Value": "counted"},
        {"Name": "VariantName", "Value": "counted"},
    ]

    def sums(name: str, stat: str = "Sum") -> float:
        answer = client_of(place.url, "cloudwatch").get_metric_statistics(
            Namespace="AWS/SageMaker",
            MetricName=name,
            Dimensions=dimensions,
            StartTime=datetime.now(UTC) - timedelta(hours=1),
            EndTime=datetime.now(UTC) + timedelta(minutes=1),
            Period=60,
            Statistics=[stat],
        )
        return sum(point[stat] for point in answer["Datapoints"])

    assert sums("Invocations") == sums("ModelLatency", "SampleCount") == 4
    assert (sums("Invocation4XXErrors"), sums("Invocation5XXErrors")) == (1, 1)
    assert sums("InvocationModelErrors") == 2
    assert 0 < sums("ModelLatency") < 60e6


def test_text_types_reach_the_script_as_text_and_others_as_bytes(echo: Place) -> None:
    assert echo.invoke("echo", b"x", "text/csv")["sent"] == "x"
    assert echo.invoke("echo", b"x\xff", "text/csv")["sent"] == "x\ufffd"
    assert echo.invoke("echo", b"x\xff", "text/csv; charset=utf-8")["sent"] == repr(b"x\xff")
    assert echo.invoke("echo", b"x", "application/x-parquet")["sent"] == "b'x'"
    assert echo.invoke("echo", b"x")["accept"] == "application/json"
    assert echo.invoke("echo", b"x", Accept="text/plain")["accept"] == "text/plain"


def test_a_payload_up_to_6_mb_passes_and_7_mb_is_refused(echo: Place) -> None:
    assert len(echo.invoke("echo", b"x" * (5 << 20), "text/csv")["sent"]) == 5 << 20
    answer = refused(echo, "echo", b"x" * (7 << 20))
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 413
    assert "exceeded 6291456 bytes" in answer["Error"]["Message"]
    assert echo.invoke("echo", b"x")["sent"] == "x"


def test_what_is_not_there_and_what_is_not_implemented_is_said(echo: Place) -> None:
    unknown = refused(echo, "nobody", b"x")["Error"]
    assert unknown["Code"] == "ValidationError"
    assert "nobody" in unknown["Message"]
    assert "Variant other not found" in refused(echo, "echo", b"x", TargetVariant="other")["Error"]["Message"]
    target = refused(echo, "echo", b"x", TargetModel="a.tar.gz")["Error"]
    assert "not implemented" in target["Message"]
    with pytest.raises(ClientError, match="not implemented"):
        echo.runtime.invoke_endpoint_with_response_stream(EndpointName="echo", Body=b"x")
    with pytest.raises(ClientError, match="not implemented"):
        echo.runtime.invoke_endpoint_async(EndpointName="echo", InputLocation="s3://hosting/x")


def test_an_endpoint_describes_what_it_serves(echo: Place) -> None:
    found = echo.describe("echo")
    assert found["EndpointStatus"] == "InService"
    assert found["EndpointConfigName"] == "echo"
    variant = found["ProductionVariants"][0]
    assert (variant["CurrentInstanceCount"], variant["DesiredInstanceCount"]) == (1, 1)
    assert variant["DeployedImages"][0]["SpecifiedImage"].endswith("sagemaker-xgboost:3.2-0")


def test_the_aws_cli_lists_and_describes_endpoints(echo: Place) -> None:
    listed = aws_cli(
        echo.url,
        "sagemaker",
        "list-endpoints",
        "--name-contains",
        "echo",
        "--query",
        "Endpoints[].EndpointName",
    )
    assert json.loads(listed.stdout) == ["echo"]
    described = aws_cli(echo.url, "sagemaker", "describe-endpoint", "--endpoint-name", "echo")
    assert json.loads(described.stdout)["EndpointStatus"] == "InService"


def test_endpoints_are_listed_by_status_and_name(echo: Place) -> None:
    def names(**filters: Any) -> list[str]:
        found = echo.sagemaker.list_endpoints(**filters)["Endpoints"]
        return [one["EndpointName"] for one in found]

    assert "echo" in names(StatusEquals="InService")
    assert "echo" not in names(StatusEquals="Failed")
    assert names(NameContains="echo", SortBy="Name", SortOrder="Ascending") == ["echo"]


def test_a_model_servers_output_is_in_the_endpoints_log_group(echo: Place) -> None:
    echo.invoke("echo", b"x")
    group = "/aws/sagemaker/Endpoints/echo"
    assert group in [one["logGroupName"] for one in echo.logs.describe_log_groups()["logGroups"]]
    stream = echo.logs.describe_log_streams(logGroupName=group)["logStreams"][0]["logStreamName"]
    assert stream.startswith("echo/i-")
    events = echo.logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True)["events"]
    assert any("inference.py serves" in event["message"] for event in events)


def test_several_containers_are_chained_in_order(place: Place) -> None:
    place.serve("chain", place.echo("first"), place.echo("second"))
    answer = place.invoke("chain", b"x")
    assert answer["model"] == "second"
    assert json.loads(answer["sent"]) == {"model": "first", "sent": "x", "accept": "application/json"}


def test_traffic_is_split_by_weight_and_weights_can_be_changed(place: Place) -> None:
    place.model("left", place.echo("left"))
    place.model("right", place.echo("right"))
    place.config("split", ("left", 1, 1.0), ("right", 1, 0.0))
    place.sagemaker.create_endpoint(EndpointName="split", EndpointConfigName="split")
    place.after_change("split")
    assert {place.invoke("split", b"x")["model"] for _ in range(20)} == {"left"}
    assert place.invoke("split", b"x", TargetVariant="right")["model"] == "right"
    place.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName="split",
        DesiredWeightsAndCapacities=[
            {"VariantName": "left", "DesiredWeight": 0.0, "DesiredInstanceCount": 2},
            {"VariantName": "right", "DesiredWeight": 1.0},
        ],
    )
    left, right = place.after_change("split")["ProductionVariants"]
    assert (left["CurrentWeight"], left["CurrentInstanceCount"]) == (0.0, 2)
    assert (right["CurrentWeight"], right["CurrentInstanceCount"]) == (1.0, 1)
    assert {place.invoke("split", b"x")["model"] for _ in range(20)} == {"right"}


def test_an_artifact_without_a_script_fails_the_endpoint_and_says_what_is_missing(place: Place) -> None:
    bare = place.container(place.put("bare/model.tar.gz", pack({"model.ubj": b""})))
    assert "has no code/inference.py" in failure(place, "bare", bare)
    nameless = {**place.container(bare["ModelDataUrl"], {}), "Image": SCIKIT_LEARN}
    assert "names no script" in failure(place, "nameless", nameless)
    nowhere = place.container("s3://hosting/nowhere.tar.gz")
    assert "could not find model data at s3://hosting/nowhere.tar.gz" in failure(place, "nowhere", nowhere)
    broken = place.container(place.put("broken.tar.gz", b"no archive"))
    assert "is no usable archive" in failure(place, "broken", broken)


def test_a_model_that_cannot_be_loaded_fails_the_endpoint_with_the_end_of_its_log(place: Place) -> None:
    script = ECHO.replace("return open", "raise RuntimeError('the model is damaged'); return open", 1)
    reason = failure(place, "damaged", place.echo("damaged", script))
    assert "RuntimeError: the model is damaged" in reason
    with pytest.raises(ClientError, match="Delete it and create it anew"):
        place.sagemaker.update_endpoint(EndpointName="damaged", EndpointConfigName="damaged")
    assert "is Failed" in refused(place, "damaged", b"x")["Error"]["Message"]
    place.sagemaker.delete_endpoint(EndpointName="damaged")
    wait_for(lambda: None if "damaged" in str(place.sagemaker.list_endpoints()) else True)


def test_a_script_without_the_functions_fails_the_endpoint(place: Place) -> None:
    only_model = place.echo("functions", "def model_fn(folder): return 1")
    reason = failure(place, "functions", {**only_model, "Image": "example.com/own:1"})
    assert "has no input_fn, predict_fn, output_fn" in reason
    reason = failure(place, "modelless", place.echo("modelless", "def input_fn(body, kind): return 1"))
    assert "has no model_fn, predict_fn, output_fn" in reason
    script = f"{ECHO}\ndef transform_fn(model, body, content_type, accept): return body"
    reason = failure(place, "both", place.echo("both", script))
    assert "has transform_fn, which takes the place of input_fn, predict_fn, output_fn" in reason


def test_a_script_may_answer_with_transform_fn_alone(place: Place) -> None:
    script = """
def model_fn(folder):
    return folder
def transform_fn(model, body, content_type, accept):
    return '"%s %s"' % (model, body), accept
"""
    place.serve("transform-fn", place.echo("transform-fn", script))
    assert place.invoke("transform-fn", b"x") == "/opt/ml/model x"


def test_a_script_may_lie_in_s3_beside_the_artifact(place: Place) -> None:
    code = place.put("code/sourcedir.tar.gz", pack({"inference.py": ECHO.encode()}))
    model = place.put("code/model.tar.gz", pack({"name": b"apart"}))
    place.serve("apart", place.container(model, {**SCRIPT, "SAGEMAKER_SUBMIT_DIRECTORY": code}))
    assert place.invoke("apart", b"x")["model"] == "apart"


def test_a_deleted_endpoint_is_gone_and_its_name_is_free(place: Place) -> None:
    place.serve("short", place.echo("short"))
    place.sagemaker.delete_endpoint(EndpointName="short")
    wait_for(lambda: None if "short" in str(place.sagemaker.list_endpoints()) else True)
    with pytest.raises(ClientError, match="Could not find endpoint"):
        place.describe("short")
    assert refused(place, "short", b"x")["Error"]["Code"] == "ValidationError"
    place.sagemaker.create_endpoint(EndpointName="short", EndpointConfigName="short")
    assert place.after_change("short")["EndpointStatus"] == "InService"
