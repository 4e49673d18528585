"""The same settings compile to the same bytes in every process, offline and without credentials."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from pipelines.definition.compile import Compiled, compile_pipeline
from pipelines.definition.sources import Sources
from pipelines.settings.project import Project
from pipelines.settings.target import Target

COMPILE = """
import os, sys
from pathlib import Path

touched = []

def refuse(event, arguments):
    # Not bind: urllib3 binds to ::1 at import, to see whether there is IPv6.
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.sendmsg"):
        touched.append((event, arguments[1:]))
        raise PermissionError(f"the network is off: {event}")

sys.addaudithook(refuse)

from pipelines.definition.compile import compile_pipeline
from pipelines.settings.projects_file import load_settings
from pipelines.definition.sources import gather_sources
from pipelines.settings.target import resolve_target

settings, programs = Path(sys.argv[1]), Path(sys.argv[2])
before = dict(os.environ)
project = load_settings(settings).project("rc-fraud-detection")
target = resolve_target(project, "local", {})
sources = gather_sources(project, target, programs=programs, environ={"GATEHOUSE_GIT_COMMIT": "c0ffee"})
sys.stdout.write(compile_pipeline(project, target, sources).definition)
assert not touched, touched
assert dict(os.environ) == before, "compiling left something in the environment"
"""


def test_two_processes_with_nothing_in_common_compile_the_same_bytes(
    tmp_path: Path, compiled: Compiled, project: Project, programs: Path
) -> None:
    repository = Path(__file__).resolve().parents[2]
    bare = {"PATH": os.environ["PATH"], "PYTHONPATH": str(repository), "PYTHONHASHSEED": "1"}
    home = tmp_path / "home"
    (home / ".config" / "sagemaker").mkdir(parents=True)
    # The SDK would take defaults from here, and a project's tags from the working directory.
    (home / ".config" / "sagemaker" / "config.yaml").write_text("SchemaVersion: '9'\nnonsense: 1\n")
    (home / ".sagemaker-code-config").write_text('{"sagemakerProjectId": "p-9", "sagemakerProjectName": "x"}')
    full = {
        **bare,
        "PYTHONHASHSEED": "2",
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "TZ": "Asia/Tokyo",
        "LC_ALL": "C",
        "AWS_PROFILE": "no-such-profile",
        "AWS_REGION": "us-west-2",
        "AWS_DEFAULT_REGION": "us-west-2",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_CONFIG_FILE": str(home / "no-such-file"),
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/credentials",
        "SAGEMAKER_USER_CONFIG_OVERRIDE": str(home / ".config" / "sagemaker"),
        "HTTPS_PROXY": "http://127.0.0.1:1",
    }
    places = [(bare, tmp_path), (full, home)]
    running = [
        subprocess.Popen(
            [sys.executable, "-c", COMPILE, str(project.file), str(programs)],
            cwd=cwd,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for environment, cwd in places
    ]
    for process in running:
        output, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        assert errors == ""
        assert output == compiled.definition


def test_compiling_again_in_one_process_gives_the_same_bytes(
    compiled: Compiled, project: Project, local: Target, sources: Sources
) -> None:
    assert compile_pipeline(project, local, sources).definition == compiled.definition
