"""A real local SageMaker, a model trained once with the real programs, and the command line, in this process.

Versions are registered by hand over boto3, as anybody's pipeline could. Every test has a project of its own,
so tests share one endpoint and its home folder and never see each other's versions.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from registered_models import BUCKET, NUMBERS, REGION, SETTINGS, Model, Registry, client_of, train_model

from sagemaker_local import endpoint


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Trained and evaluated by the real programs, once for each test process."""
    return train_model(tmp_path_factory.mktemp("opt-ml"))


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The URL and the home folder of a local SageMaker that the commands find."""
    home = tmp_path_factory.mktemp("home")
    started = endpoint.start(home, advertise=True)
    client_of(started.url, "s3").create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    yield started.url, home
    started.close()


@pytest.fixture
def registry(
    running: tuple[str, Path], model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Registry:
    """A project without a version yet, and commands that work in its folder."""
    return _new_project(running, model, tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def serving(
    running: tuple[str, Path], model: Model, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Registry]:
    """A project whose first version serves in dev, for the tests of one module that only ask it."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        made = _new_project(running, model, tmp_path_factory.mktemp("serving"), monkeypatch)
        made.register(approved=True)
        made.done("deploy", "--env", "dev")
        yield made


def _new_project(
    running: tuple[str, Path], model: Model, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Registry:
    url, home = running
    name = f"churn-{next(NUMBERS)}x"
    (folder / "projects.toml").write_text(SETTINGS.format(name=name))
    (folder / "rows.csv").write_text("\n".join(model.rows[:6]) + "\n")
    monkeypatch.chdir(folder)
    for variable in list(os.environ):
        if variable.startswith(("AWS_", "GATEHOUSE_", "SAGEMAKER_")) or variable == "TEAMS":
            monkeypatch.delenv(variable)
    monkeypatch.setenv("GATEHOUSE_HOME", str(home))
    return Registry(url, folder, f"rc-{name}", model)
