"""Endpoints outlive the process that serves them: in the store, and wherever they are served next."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from hosting_place import ECHO, Place, model_servers
from wire_clients import server_process, wait_for

from sagemaker_local import endpoint

SLOW = "import time\ntime.sleep(600)\n" + ECHO


def test_endpoints_come_back_when_the_local_sagemaker_was_killed_and_is_kept_up_again(tmp_path: Path) -> None:
    with server_process(tmp_path / "home") as (process, url):
        place = Place(url)
        place.serve("back", place.echo("back"), instances=2)
        servers = model_servers(tmp_path / "home")
        assert len(servers) == 2
        process.kill()
        process.wait()
        wait_for(lambda: True if model_servers(tmp_path / "home") == [] else None)
    with server_process(tmp_path / "home") as (_, url):
        wait_for(lambda: True if len(model_servers(tmp_path / "home")) == 2 else None)
        place = Place(url)
        assert place.describe("back")["EndpointStatus"] == "InService"
        assert place.invoke("back", b"x")["model"] == "back"


def test_an_endpoint_that_is_not_kept_up_starts_with_its_first_request(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with endpoint.start(home) as running:
        place = Place(running.url)
        place.serve("later", place.echo("later"))
    assert model_servers(home) == []
    with endpoint.start(home) as running:
        place = Place(running.url)
        assert place.describe("later")["EndpointStatus"] == "InService"
        assert model_servers(home) == []
        assert place.invoke("later", b"x")["model"] == "later"
        assert len(model_servers(home)) == 1
    assert model_servers(home) == []


def test_what_another_process_changes_is_served_here_as_well(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with endpoint.start(home) as first, endpoint.start(home) as second:
        here, there = Place(first.url), Place(second.url)
        here.serve("shared", here.echo("old"))
        here.config("new", (here.model("new", here.echo("new")), 1, 1.0))
        there.sagemaker.update_endpoint(EndpointName="shared", EndpointConfigName="new")
        there.after_change("shared")
        assert there.invoke("shared", b"x")["model"] == "new"
        wait_for(lambda: True if here.invoke("shared", b"x")["model"] == "new" else None)
        there.sagemaker.delete_endpoint(EndpointName="shared")
        wait_for(lambda: True if model_servers(home) == [] else None)


def test_a_creation_and_an_update_that_a_kill_interrupted_are_ended(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with server_process(home) as (process, url):
        place = Place(url)
        place.serve("standing", place.echo("standing"))
        place.config("slow", (place.model("slow", place.echo("slow", SLOW)), 1, 1.0))
        place.sagemaker.create_endpoint(EndpointName="unborn", EndpointConfigName="slow")
        place.sagemaker.update_endpoint(EndpointName="standing", EndpointConfigName="slow")
        wait_for(lambda: True if len(model_servers(home)) == 3 else None)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    with endpoint.start(home) as running:
        place = Place(running.url)
        unborn, standing = place.describe("unborn"), place.describe("standing")
        assert unborn["EndpointStatus"] == "Failed"
        assert "ended before" in unborn["FailureReason"]
        assert standing["EndpointStatus"] == "InService"
        assert standing["EndpointConfigName"] == "standing"
        assert "as it was before" in standing["FailureReason"]
        assert place.invoke("standing", b"x")["model"] == "standing"


def test_an_endpoint_whose_artifact_has_gone_says_so_and_serves_once_it_is_back(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with endpoint.start(home) as running:
        place = Place(running.url)
        place.serve("gone", place.echo("gone"))
        place.s3.delete_object(Bucket="hosting", Key="gone/model.tar.gz")
    with endpoint.start(home, advertise=True) as running:
        place = Place(running.url)
        found = wait_for(
            lambda: one if (one := place.describe("gone"))["EndpointStatus"] == "OutOfService" else None
        )
        assert "could not find model data" in found["FailureReason"]
        place.echo("gone")
        assert place.invoke("gone", b"x")["model"] == "gone"
        assert place.describe("gone")["EndpointStatus"] == "InService"


def test_closing_does_not_wait_for_an_endpoint_that_is_still_coming_up(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with endpoint.start(home) as running:
        place = Place(running.url)
        place.config("slow", (place.model("slow", place.echo("slow", SLOW)), 1, 1.0))
        place.sagemaker.create_endpoint(EndpointName="slow", EndpointConfigName="slow")
        wait_for(lambda: True if model_servers(home) else None)
        started = time.monotonic()
    assert time.monotonic() - started < 300
    assert model_servers(home) == []
    with endpoint.start(home) as running:
        found = Place(running.url).describe("slow")
    assert found["EndpointStatus"] == "Failed"
    assert "ended before that was done" in found["FailureReason"]


def test_a_failed_update_of_an_endpoint_that_cannot_serve_does_not_make_it_serve(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with endpoint.start(home) as running:
        place = Place(running.url)
        place.serve("away", place.echo("away"))
        place.s3.delete_object(Bucket="hosting", Key="away/model.tar.gz")
    with endpoint.start(home, advertise=True) as running:
        place = Place(running.url)
        wait_for(lambda: True if place.describe("away")["EndpointStatus"] == "OutOfService" else None)
        place.sagemaker.update_endpoint(EndpointName="away", EndpointConfigName="away")
        assert place.after_change("away")["EndpointStatus"] == "OutOfService"


def test_a_mark_that_a_full_disk_left_empty_does_not_keep_the_next_start_from_coming_up(
    tmp_path: Path,
) -> None:
    instance = tmp_path / "home/jobs/hosting/i-1"
    (instance / "primary/ml/model").mkdir(parents=True)
    (instance / "owner").touch()
    with endpoint.start(tmp_path / "home"):
        assert list(instance.iterdir()) == [instance / "primary"]
        assert list((instance / "primary").iterdir()) == []


def test_an_instance_that_cannot_be_made_ends_the_change_and_leaves_what_serves(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with endpoint.start(home) as running:
        place = Place(running.url)
        place.serve("grown", place.echo("grown"))
        folder = home / "jobs/hosting"
        folder.rename(home / "elsewhere")
        folder.touch()
        place.sagemaker.update_endpoint_weights_and_capacities(
            EndpointName="grown",
            DesiredWeightsAndCapacities=[{"VariantName": "grown", "DesiredInstanceCount": 2}],
        )
        found = place.after_change("grown")
        assert found["EndpointStatus"] == "InService"
        assert "while starting a model server" in found["FailureReason"]
        assert found["ProductionVariants"][0]["DesiredInstanceCount"] == 1
        assert place.invoke("grown", b"x")["model"] == "grown"
