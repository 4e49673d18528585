"""Instances that divide the files of the data give the model that one gives, through the local SageMaker."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import random
import tarfile
from pathlib import Path
from typing import Any

import pytest
from installed_command import ShellHere

SETTINGS = """
default_project = "rc-churn"
[projects.rc.churn]
description = "A test"
owner = "me"
task = "multiclass"
accuracy_threshold = 0.3
region = "eu-west-1"
processing = "{processing}"
processing_instance_count = {instances}
data = {{ source = "customers", target = "plan" }}
training = {{ num_round = 5 }}
"""


def write_data(folder: Path) -> None:
    """Files in folders that name a column, one of them packed; codes are numbers in all but one, and a class
    is in that one alone."""
    draw = random.Random(1)
    for place in range(5):
        lines = ["tenure,code,plan"]
        for n in range(300):
            tenure = draw.random()
            code = f"A{n % 37}" if place == 3 and n % 2 else str(n % 37)
            plan = "rare" if place == 3 and n < 9 else "abc"[int(3 * tenure)]
            lines.append(f"{tenure:.4f},{code},{plan}")
        text = "\n".join(lines) + "\n"
        path = folder / f"country={'ch' if place % 2 else 'de'}" / f"{place}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        if place == 4:
            path.with_suffix(".csv.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
        else:
            path.write_text(text)


def ran(folder: Path, processing: str, instances: int) -> tuple[ShellHere, dict[str, Any], dict[str, bytes]]:
    """The shell, what `run --json` says, and the files of the model artifact."""
    folder.mkdir()
    write_data(folder / "customers")
    settings = folder / "projects.toml"
    settings.write_text(SETTINGS.format(processing=processing, instances=instances))
    shell = ShellHere(settings, folder / "home")
    finished = shell.run("run", "--json")
    assert finished.code == 0, finished.err
    (artifact,) = (folder / "home").rglob("model.tar.gz")
    with tarfile.open(fileobj=io.BytesIO(artifact.read_bytes())) as archive:
        content = {
            member.name: archive.extractfile(member).read()  # type: ignore[union-attr]
            for member in archive
            if member.isfile()
        }
    return shell, finished.document, content


def test_the_same_model_comes_of_files_that_instances_divide(tmp_path: Path) -> None:
    _, whole, expected = ran(tmp_path / "whole", "replicated", 1)
    shell, divided, content = ran(tmp_path / "divided", "sharded", 3)
    digests = [
        {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
        for files in (expected, content)
    ]
    assert digests[0] == digests[1]
    assert divided["accuracy"] == whole["accuracy"]
    assert divided["findings"] == whole["findings"]
    assert "rare" in json.dumps(
        json.loads(content["./schema.json" if "./schema.json" in content else "schema.json"])
    )
    names = [step["name"] for step in divided["steps"]]
    assert names[:4] == ["ProfileData", "SplitData", "PreprocessData", "TrainModel"]

    # All three come from the step cache, with what they left in the first execution's place.
    again = shell.run("run", "-p", "NumRound=6", "--json")
    assert again.code == 0, again.err
    assert [step["cached"] for step in again.document["steps"]][:4] == [True, True, True, False]


@pytest.mark.parametrize(("instances", "said"), [(5, False), (6, True)])
def test_a_plan_says_where_there_are_fewer_files_than_instances(
    tmp_path: Path, instances: int, said: bool
) -> None:
    write_data(tmp_path / "customers")
    (tmp_path / "customers" / "_SUCCESS").write_text("not read")
    settings = tmp_path / "projects.toml"
    settings.write_text(SETTINGS.format(processing="sharded", instances=instances))
    finished = ShellHere(settings, tmp_path / "home").run("plan")
    assert finished.code == 0, finished.err
    assert ("5 files cannot be shared by 6 instances" in finished.err) == said
