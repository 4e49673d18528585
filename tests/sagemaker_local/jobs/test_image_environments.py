"""Environments that stand for images: built whole or not at all, by one process at a time, and then used."""

from __future__ import annotations

import json
import os
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hosting_place import pack

from sagemaker_local.jobs import image_environments, images
from sagemaker_local.jobs.image_environments import (
    CannotBuild,
    ImageEnvironment,
    build,
    image_of,
    known_images,
)

URI = "1.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels, which is all that pip finds, and an empty cache of environments."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    with zipfile.ZipFile(folder / "tiny-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny.py", "SAYS = 'tiny'\n")
        wheel.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        wheel.writestr(
            "tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr("tiny-1.0.dist-info/RECORD", "")
    for variable in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(variable)
    (tmp_path / "pip.conf").write_text(f"[global]\nno-index = true\nfind-links = {folder}\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    monkeypatch.setenv("SAGEMAKER_LOCAL_IMAGES", str(tmp_path / "cache"))
    return folder


def image(
    *wanted: str, python: str = f"{sys.version_info.major}.{sys.version_info.minor}"
) -> ImageEnvironment:
    return ImageEnvironment("sagemaker-scikit-learn:1.2-1", python, wanted)


def test_the_table_names_each_image_with_exact_versions() -> None:
    for one in known_images().values():
        assert image_of(f"1.dkr.ecr.eu-west-1.amazonaws.com/{one.name}-cpu-py3") is one
        assert all("==" in package for package in one.packages)
        assert one.packages[0].startswith(one.name.partition(":")[0].removeprefix("sagemaker-"))
    assert image_of(URI) is known_images()["sagemaker-scikit-learn:1.2-1"]
    assert image_of("any:1") is None
    assert image_of("x/sagemaker-scikit-learn:../../1.2-1") is None


@pytest.mark.usefixtures("packages")
def test_an_environment_is_built_once_and_jobs_of_its_image_then_use_it() -> None:
    said: list[str] = []
    assert images.interpreter_for(URI, {}).python == Path(sys.executable)
    unfinished = image().folder / "bin"
    unfinished.mkdir(parents=True)  # of a build that was killed
    (unfinished / "python").touch()
    with ThreadPoolExecutor(2) as pool:
        built = list(
            pool.map(lambda _: build(image("tiny==1.0"), said.append, Path(sys.executable)), range(2))
        )
    assert built[0] == built[1]
    assert sum(line.startswith("Installing") for line in said) == 1
    chosen = images.interpreter_for(URI, {})
    assert chosen.python == built[0]
    stands_for = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert chosen.warnings == (
        f"sagemaker-scikit-learn:1.2-1 has Python 3.10; its environment has {stands_for}.",
    )
    assert images.interpreter_for(URI, {"scikit": sys.executable}).python == Path(sys.executable)


@pytest.mark.usefixtures("packages")
def test_what_cannot_be_built_is_not_used() -> None:
    with pytest.raises(CannotBuild, match=r"Python 3\.99, and there is none here"):
        build(image(python="3.99"), print)
    with pytest.raises(CannotBuild, match="ended with 1"):
        build(image("tiny==1.0"), print, Path("/bin/false"))
    assert images.interpreter_for(URI, {}).python == Path(sys.executable)


@pytest.mark.usefixtures("packages")
def test_requirements_are_installed_above_the_environment_only_where_that_is_allowed(bench: Any) -> None:
    program = "import tiny, os; open(os.environ['SM_MODEL_DIR'] + '/said', 'w').write(tiny.SAYS)"
    files = {"train.py": program.encode(), "requirements.txt": b"tiny==1.0\n"}
    bench.put("code/tiny.tar.gz", pack(files))
    given = {"sagemaker_program": "train.py", "sagemaker_submit_directory": "s3://bucket/code/tiny.tar.gz"}

    def trained() -> tuple[str, str]:
        job = bench.training(
            None, image=URI, hyperparameters={key: json.dumps(it) for key, it in given.items()}
        )
        ended = bench.trained(job)
        return ended["TrainingJobStatus"], ended.get("FailureReason") or bench.log(job, "training-job")

    status, log = trained()
    assert status == "Failed"
    assert "missing: tiny==1.0. To have it installed" in log
    image_environments.allow_install(True)
    status, log = trained()
    assert status == "Completed", log
    assert "Successfully installed tiny-1.0" in log
    status, log = trained()
    assert status == "Completed", log
    assert "Successfully installed" not in log
    image_environments.allow_install(False)
    assert trained()[0] == "Failed"
