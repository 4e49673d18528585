"""A small project with small programs; compiled once for each test process, because the SDK is slow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.definition.compile import Compiled, compile_pipeline
from pipelines.definition.sources import Sources, gather_sources
from pipelines.settings.project import Project
from pipelines.settings.projects_file import load_settings
from pipelines.settings.target import Target, resolve_target

SETTINGS = """
[defaults]
region = "eu-west-1"

[projects.rc.fraud-detection]
description = "Finds fraudulent card payments"
owner = "rc-ml"
task = "binary"
accuracy_threshold = 0.9

[projects.rc.fraud-detection.data]
source = "payments.csv"
target = "fraud"
positive_class = "yes"

[projects.rc.fraud-detection.training]
class_weights = "balanced"
extra = { lambda = 2.0, grow_policy = "lossguide" }

[projects.rc.fraud-detection.card]
purpose = "Stops payments for a second look"
risk = "medium"
ethical_considerations = "A stopped payment costs its owner time"

[projects.rc.card-types]
description = "Tells card types apart"
owner = "rc-ml"
task = "multiclass"
accuracy_threshold = 0.8

[projects.rc.card-types.data]
source = "s3://shared-data/cards/"
version = "2026-10"
target = "type"
"""


@pytest.fixture(scope="session")
def make_project() -> Callable[..., Project]:
    """Write the settings, with pieces of text replaced, and the data into a folder; give a project."""

    def make(folder: Path, *replacements: tuple[str, str], name: str = "rc-fraud-detection") -> Project:
        text = SETTINGS
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        folder.mkdir(exist_ok=True)
        (folder / "projects.toml").write_text(text)
        (folder / "payments.csv").write_text("amount,fraud\n1,yes\n2,no\n")
        return load_settings(folder / "projects.toml").project(name)

    return make


@pytest.fixture(scope="session")
def make_programs() -> Callable[[Path], Path]:
    """The three container folders, each with a program of one line."""

    def make(folder: Path) -> Path:
        for name in ("processing/preprocess", "training/train", "evaluation/evaluate"):
            path = folder / f"{name}.py"
            path.parent.mkdir(parents=True)
            path.write_text(f"print({name!r})\n")
        return folder

    return make


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory, make_project: Callable[..., Project]) -> Project:
    return make_project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="session")
def local(project: Project) -> Target:
    return resolve_target(project, "local", {})


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory, make_programs: Callable[[Path], Path]) -> Path:
    return make_programs(tmp_path_factory.mktemp("programs"))


@pytest.fixture(scope="session")
def sources(project: Project, local: Target, programs: Path) -> Sources:
    return gather_sources(project, local, programs=programs, environ={"GATEHOUSE_GIT_COMMIT": "c0ffee"})


@pytest.fixture(scope="session")
def compiled(project: Project, local: Target, sources: Sources) -> Compiled:
    return compile_pipeline(project, local, sources)


@pytest.fixture(scope="session")
def compiled_multiclass(
    tmp_path_factory: pytest.TempPathFactory, make_project: Callable[..., Project], sources: Sources
) -> Compiled:
    """The other project, in AWS, inside of a SageMaker Project."""
    from pipelines.definition.dataset import find_dataset

    project = make_project(tmp_path_factory.mktemp("multiclass"), name="rc-card-types")
    target = resolve_target(
        project,
        "aws",
        {
            "SAGEMAKER_PIPELINE_ROLE_ARN": "arn:aws:iam::111122223333:role/pipelines",
            "ARTIFACT_BUCKET": "artifacts",
            "SAGEMAKER_PROJECT_NAME": "cards",
            "SAGEMAKER_PROJECT_ID": "p-1234",
        },
    )
    return compile_pipeline(project, target, replace(sources, dataset=find_dataset(project, target)))


@pytest.fixture(scope="session")
def compiled_regression(
    tmp_path_factory: pytest.TempPathFactory, make_project: Callable[..., Project], sources: Sources
) -> Compiled:
    """The first project with a number as its target."""
    project = make_project(
        tmp_path_factory.mktemp("regression"),
        (
            'task = "binary"\naccuracy_threshold = 0.9',
            'task = "regression"\ngate = { metric = "rmse", threshold = 9.0 }',
        ),
        ('positive_class = "yes"\n', ""),
        ('class_weights = "balanced"\n', ""),
    )
    return compile_pipeline(project, resolve_target(project, "local", {}), sources)
