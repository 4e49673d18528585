"""What import-linter cannot see: what runs in a container imports nothing of this project."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MODEL_MONITOR = "sagemaker_local/programs/model_monitor"
IN_THE_IMAGE = {"numpy", "pandas", "pyarrow", "scipy", "sklearn", "xgboost"}
PROGRAMS = sorted(
    path
    for name in ("processing", "training", "evaluation", MODEL_MONITOR)
    for path in (ROOT / name).glob("*.py")
)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_container_program_imports_the_image_and_its_own_folder_only(program: Path) -> None:
    siblings = {path.stem for path in program.parent.glob("*.py")}
    imported = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(program.read_text(encoding="utf-8")))
        for name in _names(node)
    }
    for_its_metrics = {"boto3"} if program.name == "cloudwatch.py" else set()
    assert imported <= IN_THE_IMAGE | for_its_metrics | siblings | set(sys.stdlib_module_names)


def _names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "a program runs as a script: it has no package to import from"
        return [str(node.module)]
    return []


@pytest.mark.parametrize("folder", ["evaluation", "monitoring", "training", "processing"])
def test_no_program_loads_what_takes_a_second_to_import(folder: str) -> None:
    imported = {
        f"{node.module}.{alias.name}"
        for path in (ROOT / folder).glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert not {name for name in imported if name.startswith(("scipy.stats", "scipy.optimize"))}


def test_container_folders_hold_plain_files_that_are_uploaded_as_they_stand() -> None:
    assert PROGRAMS
    assert not [path for path in PROGRAMS if path.name == "__init__.py"]


def test_evaluation_and_the_layer_of_formats_read_archives_by_the_same_file() -> None:
    of_evaluation, of_formats = (ROOT / folder / "tar_members.py" for folder in ("evaluation", "aws_formats"))
    assert of_evaluation.read_bytes() == of_formats.read_bytes()


@pytest.mark.parametrize(
    "file", ["evaluation/metrics.py", "evaluation/curves.py", "monitoring/column_statistics.py"]
)
def test_the_program_for_model_monitors_image_computes_by_the_same_file(file: str) -> None:
    assert (ROOT / MODEL_MONITOR / Path(file).name).read_bytes() == (ROOT / file).read_bytes()
