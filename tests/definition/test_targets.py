"""Where a project runs, what the environment overrides, and that a local client never reaches AWS."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from aws_formats.errors import GatehouseError
from pipelines.settings.project import Project
from pipelines.settings.target import resolve_target

ROLE = "arn:aws:iam::111122223333:role/pipelines"
CI = {
    "AWS_REGION": "us-east-2",
    "SAGEMAKER_PIPELINE_ROLE_ARN": ROLE,
    "ARTIFACT_BUCKET": "artifacts",
    "SAGEMAKER_PROJECT_NAME": "cards",
    "SAGEMAKER_PROJECT_ID": "p-1234",
}


def test_in_aws_the_environment_beats_the_settings(project: Project) -> None:
    target = resolve_target(project, "aws", CI)
    assert (target.region, target.role_arn, target.bucket) == ("us-east-2", ROLE, "artifacts")
    assert target.account == "111122223333"


def test_in_aws_the_settings_count_where_the_environment_says_nothing(project: Project) -> None:
    own = project.model_copy(update={"role": ROLE, "bucket": "own-bucket"})
    target = resolve_target(own, "aws", {"AWS_REGION": ""})
    assert (target.region, target.role_arn, target.bucket) == ("eu-west-1", ROLE, "own-bucket")


def test_without_a_bucket_it_is_the_one_that_sagemaker_makes(project: Project) -> None:
    target = resolve_target(project, "aws", {"SAGEMAKER_PIPELINE_ROLE_ARN": ROLE})
    assert target.bucket == "sagemaker-eu-west-1-111122223333"


def test_locally_only_the_region_comes_from_the_settings(project: Project) -> None:
    target = resolve_target(project, "local", CI)
    assert (target.region, target.account) == ("eu-west-1", "000000000000")
    assert "111122223333" not in target.role_arn
    assert target.bucket != "artifacts"


def test_a_sagemaker_project_becomes_the_tags_that_studio_looks_for(project: Project) -> None:
    assert resolve_target(project, "aws", CI).tags == {
        "sagemaker:project-name": "cards",
        "sagemaker:project-id": "p-1234",
    }
    assert resolve_target(project, "local", {}).tags == {}


def test_aws_without_a_role_says_where_to_set_it(project: Project) -> None:
    with pytest.raises(GatehouseError, match=r"needs a role.*SAGEMAKER_PIPELINE_ROLE_ARN"):
        resolve_target(project, "aws", {})


def test_a_role_that_is_no_arn_is_refused(project: Project) -> None:
    with pytest.raises(GatehouseError, match="'admin' is not the full ARN of a role"):
        resolve_target(project, "aws", {"SAGEMAKER_PIPELINE_ROLE_ARN": "admin"})


def test_an_unknown_target_is_refused(project: Project) -> None:
    with pytest.raises(GatehouseError, match=r"no target 'gcp'\. The targets are: local, aws"):
        resolve_target(project, "gcp", {})


def test_a_local_client_needs_the_endpoint(project: Project) -> None:
    with pytest.raises(GatehouseError, match="local SageMaker is not up"):
        resolve_target(project, "local", {}).client("s3")


def test_a_local_client_ignores_the_users_aws_configuration(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text("[profile work]\nregion = us-west-2\nendpoint_url = http://elsewhere\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAREAL")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://elsewhere")
    client = resolve_target(project, "local", {}).at("http://127.0.0.1:4711").client("s3")
    assert client.meta.endpoint_url == "http://127.0.0.1:4711"
    assert client.meta.region_name == "eu-west-1"
    assert client._request_signer._credentials.access_key == "local"
    assert client.meta.config.proxies == {}


def test_a_target_gives_the_same_client_again(project: Project) -> None:
    target = resolve_target(project, "local", {}).at("http://127.0.0.1:4711")
    assert target.client("sagemaker") is target.client("sagemaker")


def test_a_throttled_call_is_repeated_and_said(project: Project, caplog: pytest.LogCaptureFixture) -> None:
    """AWS itself does not throttle on demand, so a server that answers as it would stands in for it."""
    asked = []

    class Throttling(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.headers["X-Amz-Target"])
            busy = len(asked) == 1
            body = b'{"__type": "ThrottlingException", "message": "Rate exceeded"}' if busy else b"{}"
            self.send_response(400 if busy else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Silent."""

    with HTTPServer(("127.0.0.1", 0), Throttling) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        target = resolve_target(project, "local", {}).at(f"http://127.0.0.1:{server.server_port}")
        target.client("sagemaker").list_pipelines()
        server.shutdown()
    assert asked == ["SageMaker.ListPipelines"] * 2
    assert caplog.messages == ["AWS throttles ListPipelines; waiting, then trying again (2 of 5)"]
