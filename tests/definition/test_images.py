"""The table of AWS's XGBoost images: what the programs cannot run on is refused before anything is paid for.

What the programs use of Python's library is checked against each version's own list of it, which the type
checker carries; `make test-image` runs them on the image's Python.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from aws_formats.errors import GatehouseError
from aws_formats.xgboost_images import IMAGES, version_key
from pipelines.definition.compile import compile_pipeline
from pipelines.definition.image import OLDEST_PYTHON, RUN_ON, check_image, end_of_patches
from pipelines.settings.project import Project
from pipelines.settings.target import Target

ROOT = Path(__file__).resolve().parents[2]
ITS_OWN_TABLE = ('owner = "rc-ml"\ntask = "binary"', 'owner = "rc-ml"\nimage_version = "{}"\ntask = "binary"')
DEFAULTS = ('region = "eu-west-1"', 'region = "eu-west-1"\nimage_version = "{}"')


@pytest.mark.parametrize(
    ("place", "table"), [(ITS_OWN_TABLE, "[projects.rc.fraud-detection]"), (DEFAULTS, "[defaults]")]
)
def test_an_image_that_the_programs_cannot_run_on_is_refused_with_table_and_key(
    make_project: Callable[..., Project], local: Target, tmp_path: Path, place: tuple[str, str], table: str
) -> None:
    project = make_project(tmp_path, (place[0], place[1].format("3.0-5")))
    with pytest.raises(GatehouseError) as caught:
        compile_pipeline(project, local)
    error = caught.value
    assert error.what == "image 3.0-5 has Python 3.10; the programs need 3.11 or newer"
    assert error.where == f"{project.file}: {table} image_version"
    assert error.remedy == "Write image_version = '3.2-0'"


@pytest.mark.parametrize(
    ("version", "what"),
    [
        ("1.7-1", "image 1.7-1 has Python 3.10"),
        ("0.90-2", "image 0.90-2 has Python 3.6"),
        ("2.1-0", "image 2.1-0 is none that the programs are known to run on; those are 3.2-0"),
    ],
)
def test_an_older_image_is_refused_whether_it_is_known_or_not(
    project: Project, version: str, what: str
) -> None:
    with pytest.raises(GatehouseError, match=re.escape(what)):
        check_image(project.model_copy(update={"image_version": version}))


def test_an_image_newer_than_all_known_passes(project: Project) -> None:
    newer = project.model_copy(update={"image_version": "4.10-0"})
    check_image(newer)
    found, remedy = end_of_patches("4.10-0", date(2026, 11, 26))
    assert found == "4.10-0; nothing is known of its end"
    assert remedy is not None


def test_the_end_of_patches_is_told_half_a_year_ahead() -> None:
    found, remedy = end_of_patches("3.2-0", date(2026, 11, 10))
    assert (found, remedy) == ("3.2-0, Python 3.12, patched until 2027-05-13", None)
    found, remedy = end_of_patches("3.2-0", date(2026, 11, 11))
    assert found == "3.2-0 is patched until 2027-05-13 only"
    assert remedy == "A newer version of this package may know a newer image"
    found, remedy = end_of_patches("3.0-5", date(2026, 11, 26))
    assert found == "3.0-5 has been patched until 2026-11-17 only"
    assert remedy == "Write image_version = '3.2-0'"


def test_the_table_is_in_order_and_the_default_runs() -> None:
    assert list(IMAGES) == sorted(IMAGES, key=version_key, reverse=True)
    default = Project.model_fields["image_version"].default
    assert default == RUN_ON[0]


def test_pins_and_the_images_environment_for_tests_hold_the_versions_of_the_table() -> None:
    tree = ast.parse((ROOT / "setup.py").read_text(encoding="utf-8"))
    pins = next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id == "IMAGE"
    )
    expected = {f"{name}=={version}" for name, version in IMAGES[RUN_ON[0]].libraries.items()}
    assert set(pins) == expected
    assert expected <= set((ROOT / "tests/image/requirements.txt").read_text(encoding="utf-8").splitlines())
    assert f'python_requires=">={OLDEST_PYTHON[0]}.{OLDEST_PYTHON[1]}"' in (ROOT / "setup.py").read_text()


def unknown_names(python: tuple[int, int]) -> list[str]:
    """What the programs ask of Python's library that it does not have in a version."""
    found = []
    for folder in ("processing", "training", "evaluation", "monitoring"):
        options = ["--config-file", "", "--no-site-packages", "--ignore-missing-imports"]
        # One for all folders: most of it is Python's library.
        options += ["--cache-dir", str(ROOT / ".mypy_cache/programs")]
        version = ".".join(map(str, python))
        done = subprocess.run(
            [sys.executable, "-m", "mypy", *options, "--python-version", version, "."],
            cwd=ROOT / folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode in (0, 1), done.stderr
        found += [line for line in done.stdout.splitlines() if "[attr-defined]" in line or "[syntax]" in line]
    return found


@pytest.mark.parametrize("python", sorted({OLDEST_PYTHON, *(IMAGES[version].python for version in RUN_ON)}))
def test_the_programs_use_nothing_that_a_supported_python_lacks(python: tuple[int, int]) -> None:
    assert unknown_names(python) == []


def test_the_check_of_pythons_library_finds_what_the_image_3_0_5_lacks() -> None:
    found = "\n".join(unknown_names(IMAGES["3.0-5"].python))
    assert '"datetime" has no attribute "UTC"' in found
    assert '"file_digest"' in found
