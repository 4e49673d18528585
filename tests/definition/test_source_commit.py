"""The commit that a model's metadata names is that of what was compiled in."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pipelines.definition.source_commit import source_commit


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    (folder / "training").mkdir(parents=True)
    (folder / "training" / "train.py").write_text("1\n")
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "first")
    return folder


def commit_of(repository: Path, **environ: str) -> str:
    return source_commit(repository, [repository / "training"], environ)


def test_a_commit_elsewhere_does_not_change_it(repository: Path) -> None:
    first = git(repository, "rev-parse", "HEAD")
    (repository / "README.md").write_text("hello\n")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "-m", "second")
    assert commit_of(repository) == first


def test_files_that_differ_from_the_commit_make_it_dirty(repository: Path) -> None:
    (repository / "notes.txt").write_text("elsewhere\n")
    assert not commit_of(repository).endswith("-dirty")
    (repository / "training" / "new.py").write_text("2\n")
    assert commit_of(repository) == git(repository, "rev-parse", "HEAD") + "-dirty"


def test_neither_the_working_directory_nor_gits_variables_matter(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path))
    monkeypatch.delenv("GIT_DIR")
    expected = commit_of(repository)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    assert commit_of(repository) == expected != "unknown"


@pytest.mark.parametrize("variable", ["GATEHOUSE_GIT_COMMIT", "CODEBUILD_RESOLVED_SOURCE_VERSION"])
def test_the_environment_decides_where_it_names_a_commit(repository: Path, variable: str) -> None:
    assert commit_of(repository, **{variable: "c0ffee"}) == "c0ffee"


def test_without_a_repository_or_a_commit_it_is_unknown(tmp_path: Path) -> None:
    assert commit_of(tmp_path) == "unknown"
    git(tmp_path, "init", "--quiet")
    assert commit_of(tmp_path) == "unknown"


def test_without_git_it_is_unknown(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert commit_of(repository) == "unknown"
