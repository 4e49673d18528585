"""Data capture over the wire: which requests become lines, where, and what is lost when something breaks."""

from __future__ import annotations

import base64
import contextlib
import json
import random
import re
import sqlite3
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from hosting_place import BUCKET, Place
from small_disk import run_on_small_disk
from wire_clients import client_of, server_process, wait_for

from sagemaker_local import endpoint
from sagemaker_local.home import Home, Owner
from sagemaker_local.hosting import capture_writer
from sagemaker_local.hosting.capture import CaptureConfig, Captured
from sagemaker_local.hosting.capture_writer import Captures
from sagemaker_local.metrics import Metrics, Series
from sagemaker_local.s3.objects import ObjectStore
from sagemaker_local.store import Store

SUPPORT = Path(__file__).resolve().parents[2] / "support"
INTERVAL = capture_writer.INTERVAL
"""Of a process that nobody hurries."""

TEXTS = {"CsvContentTypes": ["text/csv"], "JsonContentTypes": ["application/json"]}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """An endpoint that writes captures often, so that no test has to wait for them."""
    capture_writer.INTERVAL = 0.1
    with endpoint.start(tmp_path_factory.mktemp("capture") / "home") as running:
        yield Place(running.url)
    capture_writer.INTERVAL = INTERVAL


def config(
    place: Place, name: str, *models: str, variants: dict[str, float] | None = None, **members: Any
) -> str:
    """An endpoint configuration that captures everything to ``NAME/`` unless `members` say otherwise."""
    weights = variants or dict.fromkeys(models or (name,), 1.0)
    given = {
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": f"s3://{BUCKET}/{name}/",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        "CaptureContentTypeHeader": TEXTS,
    } | members
    place.sagemaker.create_endpoint_config(
        EndpointConfigName=name,
        ProductionVariants=[
            {
                "VariantName": model,
                "ModelName": model,
                "InitialInstanceCount": 1,
                "InstanceType": "ml.m5.large",
                "InitialVariantWeight": weight,
            }
            for model, weight in weights.items()
        ],
        DataCaptureConfig={key: value for key, value in given.items() if value is not None},
    )
    return name


def serve(place: Place, name: str, **members: Any) -> str:
    """An endpoint of one echoing model that captures, in service."""
    place.model(name, place.echo(name))
    config(place, name, **members)
    place.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    assert place.after_change(name)["EndpointStatus"] == "InService"
    return name


def objects(place: Place, prefix: str) -> dict[str, list[dict[str, Any]]]:
    """Every captured line below a prefix, by the object's key."""
    found = {}
    pages = place.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
    for page in pages:
        for item in page.get("Contents", ()):
            content = place.s3.get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read()
            assert content.endswith(b"\n")
            found[item["Key"]] = [json.loads(line) for line in content.splitlines()]
    return found


def records(place: Place, prefix: str) -> list[dict[str, Any]]:
    return [line for lines in objects(place, prefix).values() for line in lines]


def captured(place: Place, prefix: str, count: int) -> list[dict[str, Any]]:
    """That many lines, as soon as they are there."""
    return wait_for(lambda: found if len(found := records(place, prefix)) >= count else None)


def inference_ids(found: list[dict[str, Any]]) -> list[str]:
    return [record["eventMetadata"]["inferenceId"] for record in found]


def total(place: Place, namespace: str, metric: str, name: str) -> float:
    """The sum of an endpoint's metric."""
    now = datetime.now(UTC)
    answer = client_of(place.url, "cloudwatch").get_metric_statistics(
        Namespace=namespace,
        MetricName=metric,
        Dimensions=[{"Name": "EndpointName", "Value": name}, {"Name": "VariantName", "Value": name}],
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(hours=1),
        Period=3600,
        Statistics=["Sum"],
    )
    return float(sum(point["Sum"] for point in answer["Datapoints"]))


def test_an_answered_request_becomes_a_line_of_awss_form_at_awss_place(place: Place) -> None:
    serve(place, "form")
    place.invoke("form", b"1,2", InferenceId="order-7", CustomAttributes="from=web")
    [(key, [record])] = wait_for(lambda: list(objects(place, "form/form/").items()) or None)
    hour = datetime.now(UTC)
    hours = {f"{moment:%Y/%m/%d/%H}" for moment in (hour, hour - timedelta(minutes=1))}
    where = re.fullmatch(
        r"form/form/form/(\d{4}/\d\d/\d\d/\d\d)/\d\d-\d\d-\d{3}-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.jsonl",
        key,
    )
    assert where is not None, key
    assert where[1] in hours
    answer = json.dumps({"model": "form", "sent": "1,2", "accept": "application/json"})
    assert record["captureData"] == {
        "endpointInput": {
            "observedContentType": "text/csv",
            "mode": "INPUT",
            "data": "1,2",
            "encoding": "CSV",
        },
        "endpointOutput": {
            "observedContentType": "application/json",
            "mode": "OUTPUT",
            "data": answer,
            "encoding": "JSON",
        },
    }
    metadata = record["eventMetadata"]
    assert metadata["inferenceId"] == "order-7"
    assert metadata["customAttributes"] == ["from=web"]
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", metadata["eventId"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", metadata["inferenceTime"])
    assert record["eventVersion"] == "0"
    assert list(record) == ["captureData", "eventMetadata", "eventVersion"]


def test_without_an_inference_id_a_line_has_none(place: Place) -> None:
    serve(place, "plain")
    place.invoke("plain", b"1")
    [record] = captured(place, "plain/plain/", 1)
    assert set(record["eventMetadata"]) == {"eventId", "inferenceTime"}


@pytest.mark.parametrize(
    ("name", "body", "content_type", "encoding", "data"),
    [
        ("csv", b"a,b", "text/csv", "CSV", "a,b"),
        ("csv-utf8", b"a,b", "Text/CSV; charset=utf-8", "CSV", "a,b"),
        ("csv-lines", "é\u2028,b\n".encode(), "text/csv", "CSV", "é\u2028,b\n"),
        ("json", b"[1]", "application/json", "JSON", "[1]"),
        ("json-x", b"[1]", "application/json; x=1", "JSON", "[1]"),
        ("plain-text", b"a,b", "text/plain", "BASE64", base64.b64encode(b"a,b").decode()),
        ("parquet", b"PAR1\xff", "application/x-parquet", "BASE64", base64.b64encode(b"PAR1\xff").decode()),
        ("no-utf8", b"\xff,b", "text/csv", "BASE64", base64.b64encode(b"\xff,b").decode()),
    ],
)
def test_the_content_type_decides_the_encoding(
    place: Place, name: str, body: bytes, content_type: str, encoding: str, data: str
) -> None:
    name = f"coded-{name}"
    serve(place, name)
    place.invoke(name, body, content_type)
    [record] = captured(place, f"{name}/{name}/", 1)
    assert record["captureData"]["endpointInput"] == {
        "observedContentType": content_type,
        "mode": "INPUT",
        "data": data,
        "encoding": encoding,
    }


def test_without_listed_content_types_everything_is_base64(place: Place) -> None:
    serve(place, "based", CaptureContentTypeHeader=None)
    place.invoke("based", b"1,2")
    [record] = captured(place, "based/based/", 1)
    assert {side["encoding"] for side in record["captureData"].values()} == {"BASE64"}


@pytest.mark.parametrize(
    ("mode", "sides"),
    [
        ("Input", ["endpointInput"]),
        ("Output", ["endpointOutput"]),
        ("InputAndOutput", ["endpointInput", "endpointOutput"]),
    ],
)
def test_the_options_say_which_sides_are_captured(place: Place, mode: str, sides: list[str]) -> None:
    name = f"sides-{mode.lower()}"
    serve(place, name, CaptureOptions=[{"CaptureMode": mode}])
    place.invoke(name, b"1")
    [record] = captured(place, f"{name}/{name}/", 1)
    assert list(record["captureData"]) == sides


def test_the_endpoint_says_what_it_captures(place: Place) -> None:
    key = "arn:aws:kms:eu-west-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    serve(place, "shown", InitialSamplingPercentage=40, KmsKeyId=key)
    assert place.describe("shown")["DataCaptureConfig"] == {
        "EnableCapture": True,
        "CaptureStatus": "Started",
        "CurrentSamplingPercentage": 40,
        "DestinationS3Uri": f"s3://{BUCKET}/shown/",
        "KmsKeyId": key,
    }
    kept = place.sagemaker.describe_endpoint_config(EndpointConfigName="shown")["DataCaptureConfig"]
    assert kept["CaptureContentTypeHeader"] == TEXTS
    assert kept["KmsKeyId"] == key
    config(place, "shown-off", "shown", EnableCapture=False)
    place.sagemaker.update_endpoint(EndpointName="shown", EndpointConfigName="shown-off")
    found = place.after_change("shown")["DataCaptureConfig"]
    assert (found["EnableCapture"], found["CaptureStatus"]) == (False, "Stopped")
    place.config("shown-none", ("shown", 1, 1.0))
    place.sagemaker.update_endpoint(EndpointName="shown", EndpointConfigName="shown-none")
    assert "DataCaptureConfig" not in place.after_change("shown")


def test_a_destination_that_is_no_s3_uri_is_refused(place: Place) -> None:
    place.model("nowhere", place.echo("nowhere"))
    with pytest.raises(ClientError, match=r"DestinationS3Uri.*is no S3 URI"):
        config(place, "nowhere", DestinationS3Uri="https://example.com/captures")


def test_what_the_model_refuses_or_fails_at_is_counted_and_not_captured(place: Place) -> None:
    script = """
class Refused:
    def __call__(self, environ, start_response):
        start_response("400 Bad Request", [("Content-Type", "text/plain")])
        return [b"row 1: refused"]
def model_fn(model_dir):
    return "refusing"
def transform_fn(model, body, content_type, accept):
    if body == "refuse":
        return Refused()
    if body == "break":
        raise KeyError("it broke")
    return "fine", "text/csv"
"""
    place.model("refusing", place.echo("refusing", script))
    config(place, "refusing")
    place.sagemaker.create_endpoint(EndpointName="refusing", EndpointConfigName="refusing")
    place.after_change("refusing")
    for number, (body, status) in enumerate([(b"refuse", 400), (b"break", 500), (b"refuse", 400)]):
        with pytest.raises(ClientError) as refused:
            place.runtime.invoke_endpoint(
                EndpointName="refusing", Body=body, ContentType="text/csv", InferenceId=f"bad-{number}"
            )
        assert refused.value.response["OriginalStatusCode"] == status
    place.runtime.invoke_endpoint(
        EndpointName="refusing", Body=b"good", ContentType="text/csv", InferenceId="good"
    )
    # One writer writes in order: with the last one everything before it would be there.
    assert inference_ids(captured(place, "refusing/refusing/", 1)) == ["good"]
    for metric, count in (
        ("Invocations", 4.0),
        ("Invocation4XXErrors", 2.0),
        ("Invocation5XXErrors", 1.0),
        ("InvocationModelErrors", 3.0),
    ):
        assert total(place, "AWS/SageMaker", metric, "refusing") == count, metric


def test_a_share_of_the_requests_is_captured_each_drawn_by_itself(place: Place) -> None:
    serve(place, "share", InitialSamplingPercentage=25)
    place.sagemaker.describe_endpoint(EndpointName="share")
    for number in range(400):
        place.invoke("share", b"1", InferenceId=f"n-{number}")
    config(place, "share-all", "share", DestinationS3Uri=f"s3://{BUCKET}/share/")
    place.sagemaker.update_endpoint(EndpointName="share", EndpointConfigName="share-all")
    place.after_change("share")
    place.invoke("share", b"1", InferenceId="last")
    found = wait_for(
        lambda: ids if "last" in (ids := inference_ids(records(place, "share/share/"))) else None
    )
    assert len(set(found)) == len(found)
    # Of 400 at 25 %, fewer than 45 or more than 155 come once in 10^10 runs.
    assert 45 <= len(found) - 1 <= 155


@pytest.mark.parametrize(("percent", "count"), [(0, 0), (1, 103), (50, 5000), (100, 10_000)])
def test_the_draw_has_the_share_that_is_asked_for(percent: int, count: int) -> None:
    drawn = CaptureConfig("bucket", "", percent, ("Input",))
    chance = random.Random(7)
    found = sum(drawn.draw(chance) for _ in range(10_000))
    assert abs(found - count) <= 5 * (10_000 * percent / 100 * (1 - percent / 100)) ** 0.5


def test_variants_have_folders_of_their_own(place: Place) -> None:
    for model in ("left", "right"):
        place.model(model, place.echo(model))
    config(place, "two", variants={"left": 1.0, "right": 1.0})
    place.sagemaker.create_endpoint(EndpointName="two", EndpointConfigName="two")
    place.after_change("two")
    for number, variant in enumerate(("left", "right", "right")):
        place.invoke("two", b"1", TargetVariant=variant, InferenceId=f"{variant}-{number}")
    assert inference_ids(captured(place, "two/two/left/", 1)) == ["left-0"]
    assert sorted(inference_ids(captured(place, "two/two/right/", 2))) == ["right-1", "right-2"]


def test_an_update_in_the_middle_of_requests_loses_no_capture(place: Place) -> None:
    serve(place, "moving")
    place.model("moved", place.echo("moved"))
    config(place, "moved", DestinationS3Uri=f"s3://{BUCKET}/moving/")
    answered: list[str] = []
    updated = threading.Event()

    def load(who: int) -> None:
        client = client_of(place.url, "sagemaker-runtime")
        number = 0
        while not updated.is_set() or number < 50:
            name = f"{who}-{number}"
            client.invoke_endpoint(EndpointName="moving", Body=b"1", ContentType="text/csv", InferenceId=name)
            answered.append(name)
            number += 1

    threads = [threading.Thread(target=load, args=(who,)) for who in range(3)]
    for thread in threads:
        thread.start()
    place.sagemaker.update_endpoint(EndpointName="moving", EndpointConfigName="moved")
    assert place.after_change("moving")["EndpointStatus"] == "InService"
    updated.set()
    for thread in threads:
        thread.join()
    place.invoke("moving", b"1", InferenceId="last")
    found = captured(place, "moving/moving/", len(answered) + 1)
    assert sorted(inference_ids(found)) == sorted([*answered, "last"])
    assert objects(place, "moving/moving/moving/")
    assert objects(place, "moving/moving/moved/")


def test_a_new_configuration_decides_what_is_captured_whatever_is_retained(place: Place) -> None:
    serve(place, "retained")
    place.config("retained-none", ("retained", 1, 1.0))
    place.sagemaker.update_endpoint(
        EndpointName="retained",
        EndpointConfigName="retained-none",
        RetainAllVariantProperties=True,
        ExcludeRetainedVariantProperties=[{"VariantPropertyType": "DataCaptureConfig"}],
    )
    assert "DataCaptureConfig" not in place.after_change("retained")
    place.invoke("retained", b"1", InferenceId="not kept")
    place.sagemaker.update_endpoint(
        EndpointName="retained", EndpointConfigName="retained", RetainAllVariantProperties=True
    )
    assert place.after_change("retained")["DataCaptureConfig"]["CaptureStatus"] == "Started"
    place.invoke("retained", b"1", InferenceId="kept")
    assert inference_ids(captured(place, "retained/retained/", 1)) == ["kept"]


def test_a_change_of_weights_goes_on_capturing(place: Place) -> None:
    serve(place, "weighed")
    place.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName="weighed",
        DesiredWeightsAndCapacities=[{"VariantName": "weighed", "DesiredInstanceCount": 2}],
    )
    assert place.after_change("weighed")["DataCaptureConfig"]["CaptureStatus"] == "Started"
    place.invoke("weighed", b"1")
    captured(place, "weighed/weighed/", 1)


def test_where_nothing_can_be_written_answers_come_and_the_log_and_a_metric_say_what_was_lost(
    place: Place,
) -> None:
    serve(place, "lost", DestinationS3Uri="s3://no-such-bucket-here/x")
    for _ in range(3):
        place.invoke("lost", b"1")
    wait_for(lambda: True if total(place, "SageMakerLocal", "CapturesDropped", "lost") == 3 else None)

    def said() -> str | None:
        events = place.logs.filter_log_events(
            logGroupName="/aws/sagemaker/Endpoints/lost", logStreamNamePrefix="lost/data-capture-"
        )["events"]
        return "\n".join(event["message"] for event in events) or None

    assert re.search(r"\d captured requests? .*dropped.*no-such-bucket-here", wait_for(said))


def test_what_was_captured_is_written_before_a_clean_end(tmp_path: Path) -> None:
    with endpoint.start(tmp_path / "home") as running:
        place = Place(running.url)
        serve(place, "ended")
        for number in range(20):
            place.invoke("ended", b"1", InferenceId=f"n-{number}")
    with endpoint.start(tmp_path / "home") as running:
        found = inference_ids(records(Place(running.url), "ended/ended/"))
    assert sorted(found) == sorted(f"n-{number}" for number in range(20))


def test_a_killed_process_loses_what_it_had_not_written_yet_and_nothing_before(tmp_path: Path) -> None:
    home = tmp_path / "home"
    answered: list[str] = []
    with server_process(home) as (process, url):
        place = Place(url)
        serve(place, "killed")

        def load() -> None:
            client = client_of(url, "sagemaker-runtime")
            with contextlib.suppress(BotoCoreError, ClientError):  # once it is killed
                while True:
                    name = f"n-{len(answered)}"
                    client.invoke_endpoint(
                        EndpointName="killed", Body=b"1", ContentType="text/csv", InferenceId=name
                    )
                    answered.append(name)

        thread = threading.Thread(target=load)
        thread.start()
        first = len(captured(place, "killed/killed/", 1))
        # While requests go on coming, what has come is written again and again.
        seen = inference_ids(captured(place, "killed/killed/", first + 1))
        count = len(answered)
        wait_for(lambda: True if len(answered) > count + 20 else None)
        process.kill()
        process.wait()
        thread.join()
    with endpoint.start(home) as running:
        found = inference_ids(records(Place(running.url), "killed/killed/"))
    assert set(seen) <= set(found)
    # They are written in their order: what survived is the beginning, without a gap or a half line.
    assert sorted(found, key=lambda name: int(name[2:])) == [f"n-{number}" for number in range(len(found))]
    assert len(found) <= len(answered) + 1  # the last answer may not have arrived


FULL = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1]); sys.path.insert(0, sys.argv[2])
from hosting_place import Place
from wire_clients import wait_for
from sagemaker_local import endpoint
from sagemaker_local.hosting import capture_writer
import test_data_capture as tests

capture_writer.INTERVAL = 0.1
home = Path(sys.argv[3])
with endpoint.start(home) as running:
    place = Place(running.url)
    tests.serve(place, "full")
    place.invoke("full", b"1", InferenceId="before")
    tests.captured(place, "full/full/", 1)
    filling = (home / "filling").open("wb", buffering=0)
    try:
        while True:
            filling.write(bytes(4096))
    except OSError:
        pass
    answers = [place.invoke("full", b"x" * 200_000)["model"] for _ in range(5)]
    wait_for(lambda: tests.total(place, "SageMakerLocal", "CapturesDropped", "full") == 5 or None)
    filling.close()
    (home / "filling").unlink()
    place.invoke("full", b"1", InferenceId="after")
    found = tests.captured(place, "full/full/", 2)
    group = "/aws/sagemaker/Endpoints/full"
    said = wait_for(lambda: place.logs.filter_log_events(
        logGroupName=group, logStreamNamePrefix="full/data-capture-")["events"] or None)
    print(json.dumps([answers, tests.inference_ids(found), said[0]["message"]]))
"""


def test_a_full_disk_loses_captures_and_no_answer(tmp_path: Path) -> None:
    paths = (str(SUPPORT), str(Path(__file__).parent), str(tmp_path / "home"))
    done = run_on_small_disk(tmp_path / "home", "8m", FULL, *paths)
    if done is None:
        pytest.skip("this machine can give a program no disk of its own")
    assert done.returncode == 0, done.stdout + done.stderr
    answers, found, said = json.loads(done.stdout)
    assert answers == ["full"] * 5
    assert found == ["before", "after"]
    assert "dropped" in said


def test_captures_that_wait_too_long_are_dropped_and_counted_and_the_others_are_written(
    tmp_path: Path,
) -> None:
    """Another process that holds the store's lock makes the writer lag."""
    home = Home(tmp_path / "home").create()
    store = Store(home.database)
    stored, metrics = ObjectStore(home, store), Metrics(store)
    stored.create_bucket("captures")
    owner = Owner(home)
    captures = Captures(home, owner, stored, metrics)
    large = CaptureConfig("captures", "all", 100, ("Input",))
    other = sqlite3.connect(home.database)
    other.execute("BEGIN IMMEDIATE")
    size = 8 << 20
    for number in range(10):
        captures.add(
            Captured(large, "eu-west-1", "e", "v", 0.0, bytes(size), None, b"", "text/csv", str(number), None)
        )
    other.rollback()
    other.close()
    captures.close()
    fitting = capture_writer.QUEUE_BYTES // size - 1
    kept = [
        json.loads(line) for one in stored.list("captures") for line in one.path.read_bytes().splitlines()
    ]
    # Files of one moment are listed by chance.
    assert sorted(record["eventMetadata"]["inferenceId"] for record in kept) == [
        str(one) for one in range(fitting)
    ]
    dropped = Series(
        "eu-west-1",
        "SageMakerLocal",
        "CapturesDropped",
        (("EndpointName", "e"), ("VariantName", "v")),
        "Count",
    )
    now = time.time()
    [(_, summary)] = metrics.summaries(dropped, now - 3600, now + 3600, 86400)
    assert summary.total == 10 - fitting
    metrics.close()
    owner.release()
    store.close()
