"""codebuild-buildspec.yml: its own commands, run in order against an endpoint on this machine.

Only two are left out, the installation and the tests themselves: both have been done where this runs.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from packaging.utils import canonicalize_name
from wire_clients import client_of

from pipelines.commands.local_automation import pipeline_templates
from pipelines.settings.projects_file import load_settings
from sagemaker_local import endpoint
from sagemaker_local.stacks.templates import parse

ROOT = Path(__file__).resolve().parents[2]
NAME = "health-tumor-diagnosis"
ROLE = "arn:aws:iam::000000000000:role/pipeline"


@dataclass(frozen=True)
class Built:
    """How a build ended: the exit code of the command that failed, if one did, and all that was printed."""

    code: int
    out: str


Build = Callable[..., Built]


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[endpoint.Endpoint]:
    """With the functions of the stack `pipeline`, which is deployed before the first build."""
    functions = pipeline_templates(load_settings(ROOT / "projects.toml"))
    templates = [parse(text) for text in functions.values()]
    with endpoint.start(tmp_path_factory.mktemp("state"), templates=templates) as started:
        client_of(started.url, "s3").create_bucket(
            Bucket="artifacts", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        yield started


@pytest.fixture
def build(local: endpoint.Endpoint, tmp_path: Path) -> Build:
    """Runs the build in a folder with the settings and the data; ends where a command fails."""
    for folder in ("examples", "processing", "training", "evaluation"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shutil.copy(ROOT / "projects.toml", tmp_path)
    specification = yaml.safe_load((ROOT / "codebuild-buildspec.yml").read_text(encoding="utf-8"))
    environment = {
        **specification["env"]["variables"],
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "GATEHOUSE_PROJECT": NAME,
        "AWS_ENDPOINT_URL": local.url,
        "AWS_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "ARTIFACT_BUCKET": "artifacts",
        "SAGEMAKER_PIPELINE_ROLE_ARN": ROLE,
    }
    phases = specification["phases"]

    def run(threshold: str = "0.90", **more: str) -> Built:
        settings = tmp_path / "projects.toml"
        text = settings.read_text(encoding="utf-8")
        settings.write_text(text.replace("accuracy_threshold = 0.90", f"accuracy_threshold = {threshold}"))
        out, code = "", 0
        for name in ("pre_build", "build", "post_build"):
            commands = [line for line in phases[name]["commands"] if "pytest" not in line]
            done = subprocess.run(
                ["bash", "-ec", "\n".join(commands)],
                cwd=tmp_path,
                env=environment | more | {"CODEBUILD_BUILD_SUCCEEDING": str(int(code == 0))},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=180,
            )
            out, code = out + done.stdout, code or done.returncode
            # As CodeBuild has it: the last phase runs after a build that failed, unless that aborted.
            if done.returncode and (name == "pre_build" or phases[name].get("on-failure") == "ABORT"):
                break
        return Built(code, out)

    return run


def test_ci_installs_the_pins_and_each_has_its_hashes() -> None:
    def pins(file: str) -> dict[str, str]:
        lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
        found = (re.match(r"([A-Za-z0-9._-]+)==(\S+)", line) for line in lines)
        return {canonicalize_name(one[1]): one[2] for one in found if one}

    locked = (ROOT / "requirements-ci.txt").read_text(encoding="utf-8")
    assert pins("requirements-ci.txt") == {**pins("constraints.txt"), **pins("requirements-ci.in")}
    packages = re.split(
        r"^(?=[A-Za-z0-9])", re.sub(r"^#.*\n", "", locked, flags=re.MULTILINE), flags=re.MULTILINE
    )
    for package in filter(None, packages):
        assert re.fullmatch(r"\S+ \\\n( +--hash=sha256:[0-9a-f]{64}( \\)?\n)+", package), package[:80]
    build = yaml.safe_load((ROOT / "codebuild-buildspec.yml").read_text(encoding="utf-8"))
    *packages_by_hash, own = build["phases"]["install"]["commands"]
    for command in packages_by_hash:
        assert "--require-hashes" in command
    assert "--no-deps --no-build-isolation ." in own, "nothing else is fetched for it"


def versions(local: endpoint.Endpoint) -> int:
    listed = client_of(local.url, "sagemaker").list_model_packages(ModelPackageGroupName=NAME)
    return len(listed["ModelPackageSummaryList"])


def test_a_pull_request_stops_after_the_plan(local: endpoint.Endpoint, build: Build) -> None:
    done = build(CODEBUILD_WEBHOOK_EVENT="PULL_REQUEST_UPDATED")
    assert done.code == 0, done.out
    assert "would be created" in done.out
    assert client_of(local.url, "sagemaker").list_pipelines()["PipelineSummaries"] == []


def test_a_push_registers_a_version_and_a_shut_gate_ends_the_build_with_3(
    local: endpoint.Endpoint, build: Build
) -> None:
    done = build(CODEBUILD_WEBHOOK_EVENT="PUSH")
    assert done.code == 0, done.out
    assert versions(local) == 1
    assert f"Registered  {NAME} version 1" in done.out
    shut = build("0.9999", CODEBUILD_WEBHOOK_EVENT="PUSH")
    assert shut.code == 3, shut.out
    assert "The gate stayed shut" in shut.out
    assert "threshold 0.9999" in shut.out
    assert versions(local) == 1


def test_a_build_that_nobody_can_run_ends_with_one_line_of_what_and_where(build: Build) -> None:
    done = build(CODEBUILD_WEBHOOK_EVENT="PUSH", GATEHOUSE_PROJECT="health-tumour-diagnosis")
    assert done.code == 1, done.out
    assert done.out.count("Error: ") == 1
    assert "health-tumor-diagnosis" in done.out
    assert "Traceback" not in done.out
