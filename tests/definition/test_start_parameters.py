"""A setting that is marked for the start is a pipeline parameter, complete, by that one mark."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from aws_formats.definition_language import all_steps
from aws_formats.errors import GatehouseError
from pipelines.definition.compile import Compiled
from pipelines.executions.outline import read_outline
from pipelines.executions.overrides import check_overrides
from pipelines.settings.project import AtStart, Project, Training

PROGRAM = Path(__file__).resolve().parents[2] / "training" / "hyperparameters.py"
HYPERPARAMETERS = AtStart.keys(Training)


def arguments(compiled: Compiled, step: str) -> dict[str, Any]:
    steps = {found["Name"]: found for found in all_steps(json.loads(compiled.definition)["Steps"])}
    found: dict[str, Any] = steps[step]["Arguments"]
    return found


@pytest.fixture(scope="module")
def hyperparameters() -> ModuleType:
    """The training program's own check of what it is given."""
    spec = importlib.util.spec_from_file_location("hyperparameters_of_the_program", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("name", "key"), HYPERPARAMETERS.items())
def test_a_hyperparameter_reaches_the_training_job_and_the_versions_metadata(
    name: str, key: str, compiled: Compiled
) -> None:
    given = arguments(compiled, "TrainModel")["HyperParameters"][key]
    assert given == {"Std:Join": {"On": "", "Values": [{"Get": f"Parameters.{name}"}]}}
    metadata = arguments(compiled, "RegisterModel")["CustomerMetadataProperties"]
    words = metadata["hyperparameters"]["Std:Join"]["Values"]
    assert words[words.index(f" {key}=") + 1] == {"Get": f"Parameters.{name}"}


@pytest.mark.parametrize("key", HYPERPARAMETERS.values())
def test_the_training_program_knows_it_and_takes_the_settings_default(
    key: str, hyperparameters: ModuleType
) -> None:
    taken = hyperparameters.parse({key: str(getattr(Training(), key))})
    assert {**vars(taken), **taken.booster}[key] == getattr(Training(), key)


@pytest.mark.parametrize("name", [*AtStart.keys(Project), *HYPERPARAMETERS])
def test_a_start_refuses_what_the_settings_refuse(name: str, compiled: Compiled) -> None:
    outline = read_outline(compiled.definition)
    bad = "large" if outline.parameters[name].type == "String" else "-1"
    with pytest.raises(GatehouseError, match=f"parameter {name}: "):
        check_overrides(outline, {name: bad}, "p")
    default = outline.parameters[name].default
    assert default is not None
    assert check_overrides(outline, {name: default}, "p") == {name: default}
