"""Local data is found, named by its content, and refused where there is none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from aws_formats.errors import GatehouseError
from pipelines.definition.dataset import UNVERSIONED, find_dataset, local_files
from pipelines.settings.project import Project
from pipelines.settings.target import Target

MakeProject = Callable[..., Project]


def test_a_file_lies_under_a_prefix_named_by_its_content(
    tmp_path: Path, make_project: MakeProject, local: Target
) -> None:
    dataset = find_dataset(make_project(tmp_path), local)
    assert dataset.uri == f"s3://gatehouse-local/rc-fraud-detection/data/{dataset.version}/"
    assert [file.key for file in dataset.files] == [f"rc-fraud-detection/data/{dataset.version}/payments.csv"]


def test_the_same_content_elsewhere_and_later_has_the_same_name(
    tmp_path: Path, make_project: MakeProject, local: Target
) -> None:
    first, second = make_project(tmp_path / "a"), make_project(tmp_path / "b")
    os.utime(second.root / "payments.csv", (1, 1))
    assert find_dataset(first, local).uri == find_dataset(second, local).uri
    (second.root / "payments.csv").write_text("amount,fraud\n9,yes\n2,no\n")
    assert find_dataset(first, local).uri != find_dataset(second, local).uri


def test_a_folder_is_taken_with_all_its_files_but_hidden_ones(
    tmp_path: Path, make_project: MakeProject, local: Target
) -> None:
    project = make_project(tmp_path, ('source = "payments.csv"', 'source = "parts"'))
    for name in ("parts/b.csv", "parts/2026/a.csv", "parts/.hidden"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("amount,fraud\n")
    dataset = find_dataset(project, local)
    assert [file.key.split("/", 3)[3] for file in dataset.files] == ["2026/a.csv", "b.csv"]


def test_the_settings_version_names_the_data_for_people(
    tmp_path: Path, make_project: MakeProject, local: Target
) -> None:
    project = make_project(tmp_path, ('target = "fraud"', 'target = "fraud"\nversion = "2026-10"'))
    assert find_dataset(project, local).version == "2026-10"


def test_data_in_s3_without_a_version_says_so(
    tmp_path: Path, make_project: MakeProject, local: Target
) -> None:
    project = make_project(tmp_path, ('version = "2026-10"\n', ""), name="rc-card-types")
    dataset = find_dataset(project, local)
    assert (dataset.uri, dataset.version) == ("s3://shared-data/cards/", UNVERSIONED)


@pytest.mark.parametrize(
    ("source", "content", "message"),
    [
        ("nothing.csv", None, "nothing.csv: the data does not exist. Put it there, or correct source"),
        ("~nobody-of-this-name/a.csv", None, "the data cannot be found: Could not determine home directory"),
        ("x" * 300, None, "the data cannot be found: File name too long"),
        ("/dev/null", None, "/dev/null: this is neither a file nor a folder"),
        ("empty.csv", {"empty.csv": ""}, "empty.csv: the data is empty"),
        ("_a.csv", {"_a.csv": "x"}, "_a.csv: files whose name, or whose folder's name, begins with _ or ."),
        ("folder", {"folder/.hidden": "x"}, "folder: the folder holds no data"),
        ("folder", {"folder/a.csv": "", "folder/b.csv": ""}, "folder: the data is empty"),
    ],
)
def test_missing_or_empty_data_is_an_error_with_a_remedy(
    tmp_path: Path,
    make_project: MakeProject,
    local: Target,
    source: str,
    content: dict[str, str] | None,
    message: str,
) -> None:
    project = make_project(tmp_path, ('source = "payments.csv"', f'source = "{source}"'))
    for name, text in (content or {}).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    with pytest.raises(GatehouseError) as caught:
        find_dataset(project, local)
    assert message in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0 and shutil.which("setpriv") is None, reason="root may read anything")
@pytest.mark.parametrize("closed", ["parts/2026/a.csv", "parts/2026", "parts"])
def test_a_part_of_the_data_that_may_not_be_read_is_an_error(
    tmp_path: Path, make_project: MakeProject, closed: str
) -> None:
    make_project(tmp_path, ('source = "payments.csv"', 'source = "parts"'))
    (tmp_path / "parts/2026").mkdir(parents=True)
    for name in ("parts/b.csv", "parts/2026/a.csv"):
        (tmp_path / name).write_text("amount,fraud\n1,yes\n")
    (tmp_path / closed).chmod(0)
    bound = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--inh-caps", "-all"]
    command = [*(bound if os.geteuid() == 0 else []), sys.executable, "-m", "pipelines", "plan"]
    try:
        done = subprocess.run(
            [*command, "rc-fraud-detection"],
            env={**os.environ, "GATEHOUSE_SETTINGS": str(tmp_path / "projects.toml")},
            capture_output=True,
            text=True,
            timeout=60,
        )
    finally:
        (tmp_path / closed).chmod(0o700)
    assert done.returncode == 1
    assert (
        f"{tmp_path / closed}: it cannot be read: Permission denied. Give yourself the right" in done.stderr
    )
    assert done.stderr.count("\n") == 1


def test_a_file_whose_name_is_no_utf_8_is_an_error(tmp_path: Path, make_project: MakeProject) -> None:
    project = make_project(tmp_path, ('source = "payments.csv"', 'source = "parts"'))
    (tmp_path / "parts/year=2024").mkdir(parents=True)
    odd = tmp_path / "parts/year=2024" / os.fsdecode("größe.csv".encode("latin-1"))
    odd.write_text("amount,fraud\n1,yes\n")
    with pytest.raises(GatehouseError, match="the file's name is not UTF-8") as refused:
        local_files(project)
    assert refused.value.where == str(odd)


def test_a_link_to_a_folder_of_data_is_an_error_and_one_to_a_file_is_read(
    tmp_path: Path, make_project: MakeProject
) -> None:
    project = make_project(tmp_path, ('source = "payments.csv"', 'source = "parts"'))
    for folder in ("parts", "elsewhere"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.csv").write_text("amount,fraud\n1,yes\n")
    (tmp_path / "parts/b.csv").symlink_to(tmp_path / "elsewhere/a.csv")
    assert [file.path.name for file in local_files(project)] == ["a.csv", "b.csv"]
    link = tmp_path / "parts/more"
    for place, what in (("elsewhere", "a link to a folder"), ("nowhere", "a link to a file that is gone")):
        link.unlink(missing_ok=True)
        link.symlink_to(tmp_path / place)
        with pytest.raises(GatehouseError, match=f"parts/more: this is {what}"):
            local_files(project)
