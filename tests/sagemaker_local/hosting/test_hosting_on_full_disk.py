"""What ends while the disk is full is known to have ended, however it ends."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_disk import run_on_small_disk

SUPPORT = Path(__file__).resolve().parents[2] / "support"

PROGRAM = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from hosting_place import BUCKET, Place
from sagemaker_local import endpoint
from wire_clients import wait_for

home, what = Path(sys.argv[2]), sys.argv[3]
FILLING = f'''
import os, signal, sys, threading, time
def fill():
    with open("{home}/filling", "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
def fill_when_stopped():
    signal.sigwait([signal.SIGTERM])
    fill()
    os._exit(0)
def model_fn(folder):
    if "{what}" == "endpoint":
        fill()
        raise RuntimeError("no such model")
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    threading.Thread(target=fill_when_stopped, daemon=True).start()
def transform_fn(model, body, content_type, accept):
    time.sleep(600)
'''

def transform_job(place):
    place.put("in/a.csv", b"x")
    place.sagemaker.create_transform_job(
        TransformJobName="job",
        ModelName="model",
        TransformInput={"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/in"}}},
        TransformOutput={"S3OutputPath": f"s3://{BUCKET}/out"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
    )
    describe = lambda: place.sagemaker.describe_transform_job(TransformJobName="job")
    wait_for(lambda: describe().get("TransformStartTime"))
    place.sagemaker.stop_transform_job(TransformJobName="job")
    return lambda: status if (status := describe()["TransformJobStatus"]) != "Stopping" else None

def hosted_endpoint(place):
    place.config("config", ("model", 1, 1.0))
    place.sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="config")
    describe = lambda: place.describe("e")["EndpointStatus"]
    return lambda: status if (status := describe()) != "Creating" else None

with endpoint.start(home) as running:
    place = Place(running.url)
    container = place.echo("model", FILLING)
    # A large document: what the ended model server gives back to the disk is not enough for it.
    container["Environment"] |= {f"PADDING_{number}": "x" * 1024 for number in range(90)}
    place.model("model", container)
    ended = {"transform": transform_job, "endpoint": hosted_endpoint}[what](place)
    print(wait_for(ended))
"""


@pytest.mark.parametrize(("what", "status"), [("transform", "Stopped"), ("endpoint", "Failed")])
def test_what_ends_on_a_full_disk_reaches_its_last_status(tmp_path: Path, what: str, status: str) -> None:
    done = run_on_small_disk(tmp_path / "home", "16m", PROGRAM, str(SUPPORT), str(tmp_path / "home"), what)
    if done is None:
        pytest.skip("this machine can give a program no disk of its own")
    assert done.stdout.split() == [status], done.stdout + done.stderr
