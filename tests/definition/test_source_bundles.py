"""Code and settings are named by their content and by nothing else."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from aws_formats.errors import GatehouseError
from pipelines.definition.bundles import Bundle, code_bundle, settings_bundle
from pipelines.settings.project import Project


def bundle(folder: Path) -> Bundle:
    return code_bundle("training code", "rc-fraud", folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "training"
    (made / "inner").mkdir(parents=True)
    (made / "train.py").write_text("print(1)\n")
    (made / "inner" / "model.py").write_text("print(2)\n")
    return made


def test_a_bundle_is_the_folders_plain_files_under_a_prefix_with_its_digest(folder: Path) -> None:
    made = bundle(folder)
    assert made.files == (("inner/model.py", b"print(2)\n"), ("train.py", b"print(1)\n"))
    assert made.prefix == f"rc-fraud/code/{made.digest}/"
    assert made.uri("bucket") == f"s3://bucket/rc-fraud/code/{made.digest}/"


def test_caches_compiled_files_and_hidden_files_are_left_out(folder: Path) -> None:
    before = bundle(folder)
    for name in ("__pycache__/train.cpython-311.pyc", "old.pyc", ".DS_Store", ".git/config"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("x")
    assert bundle(folder) == before


def test_the_digest_depends_neither_on_times_nor_on_the_order_of_creation(
    folder: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    shutil.copy(folder / "train.py", copy)
    shutil.copytree(folder / "inner", copy / "inner")
    os.utime(copy / "train.py", (1, 1))
    assert bundle(copy) == bundle(folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "train.py").write_text("print(3)\n"),
        lambda folder: (folder / "train.py").rename(folder / "trainer.py"),
        lambda folder: (folder / "extra.py").write_text(""),
        lambda folder: (folder / "inner" / "model.py").rename(folder / "model.py"),
    ],
    ids=["content", "name", "another file", "place"],
)
def test_any_change_of_names_or_contents_changes_the_digest(
    folder: Path, change: Callable[[Path], object]
) -> None:
    before = bundle(folder)
    change(folder)
    assert bundle(folder).digest != before.digest


def test_a_folder_without_code_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(GatehouseError, match="there is no training code"):
        bundle(tmp_path / "nothing")


def test_the_data_settings_hold_what_preprocessing_reads_and_not_where_the_data_is(
    project: Project,
) -> None:
    ((name, content),) = settings_bundle(project).files
    settings = json.loads(content)
    assert name == "dataset.json"
    assert settings["task"] == "binary"
    assert settings["positive_class"] == "yes"
    assert settings["split"] == {"train": 0.7, "validation": 0.15, "test": 0.15}
    assert set(settings) == {
        *("task", "target", "positive_class", "features", "drop", "columns", "header", "delimiter"),
        *("missing_values", "kinds", "key", "split", "seed", "max_categories"),
    }
