"""Archives: hostile ones write nothing outside the folder; packing the same files gives the same bytes."""

from __future__ import annotations

import contextlib
import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagemaker_local.jobs import archive
from sagemaker_local.jobs.archive import UnsafeArchive, pack, unpack


@pytest.fixture(params=["the filter", "no filter"])
def _either(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python from 3.11.4 on, and before; only the latter can be had from the former."""
    if request.param == "no filter":
        monkeypatch.setattr(archive, "_DATA_FILTER", None)


def _link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def _tar(folder: Path, *members: tarfile.TarInfo) -> Path:
    path = folder / "nasty.tar"
    with tarfile.open(path, "w") as tar:
        for member in members:
            tar.addfile(member, io.BytesIO(b"x" * member.size))
    return path


def _file(name: str, size: int = 1) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size = size
    return member


NASTY: dict[str, Callable[[], list[tarfile.TarInfo]]] = {
    "parent": lambda: [_file("../evil")],
    "deep parent": lambda: [_file("a/../../evil")],
    "link outside": lambda: [_link("l", "../")],
    "absolute link": lambda: [_link("l", "/etc/passwd")],
    "through a link": lambda: [_link("d", ".."), _file("d/evil")],
    "hard link outside": lambda: [_link("h", "../victim", tarfile.LNKTYPE)],
    "device": lambda: [_link("null", "", tarfile.CHRTYPE)],
    "pipe": lambda: [_link("pipe", "", tarfile.FIFOTYPE)],
}


@pytest.mark.usefixtures("_either")
@pytest.mark.parametrize("kind", NASTY)
def test_a_hostile_archive_is_refused_and_writes_nothing_outside(tmp_path: Path, kind: str) -> None:
    (tmp_path / "victim").write_text("mine")
    inside = tmp_path / "inside"
    inside.mkdir()
    with pytest.raises(UnsafeArchive, match="nasty"):
        unpack(_tar(tmp_path, *NASTY[kind]()), inside)
    assert {path.name for path in tmp_path.iterdir()} == {"victim", "inside", "nasty.tar"}
    assert (tmp_path / "victim").read_text() == "mine"


@pytest.mark.usefixtures("_either")
def test_an_absolute_name_is_unpacked_inside_the_folder(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    unpack(_tar(tmp_path, _file("/evil-root")), inside)
    assert not Path("/evil-root").exists()
    assert (inside / "evil-root").exists()


@pytest.mark.usefixtures("_either")
def test_owners_and_odd_modes_are_dropped(tmp_path: Path) -> None:
    inside, member = tmp_path / "inside", _file("run.sh")
    inside.mkdir()
    member.mode, member.uid = 0o4777, 12345
    unpack(_tar(tmp_path, member), inside)
    found = (inside / "run.sh").stat()
    assert (found.st_mode & 0o7022, found.st_uid) == (0, os.getuid())
    assert found.st_mode & 0o100


@pytest.mark.parametrize("content", [b"", b"no tar at all", b"\x1f\x8b\x08\x00broken", b"x" * 600])
def test_what_is_no_tar_is_said_to_be_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "nasty.tar.gz"
    path.write_bytes(content)
    with pytest.raises(UnsafeArchive, match="no intact tar"):
        unpack(path, tmp_path)


@pytest.mark.usefixtures("_either")
def test_a_truncated_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(os.urandom(100_000))
    pack([("big", tmp_path / "big")], tmp_path / "whole.tar.gz")
    whole = (tmp_path / "whole.tar.gz").read_bytes()
    (tmp_path / "half.tar.gz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "out").mkdir()
    with pytest.raises(UnsafeArchive, match="half"):
        unpack(tmp_path / "half.tar.gz", tmp_path / "out")


def test_an_archive_that_grows_too_large_is_refused(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    path = _tar(tmp_path, *(_file(f"f{number}", 100) for number in range(5)))
    with pytest.raises(UnsafeArchive, match="more than 3 members"):
        unpack(path, inside, max_members=3)
    with pytest.raises(UnsafeArchive, match="more than 250 bytes"):
        unpack(path, inside, max_bytes=250)


def test_packing_depends_on_names_contents_and_modes_alone(tmp_path: Path) -> None:
    archives = []
    for number, order in enumerate((["a", "b"], ["b", "a"])):
        folder = tmp_path / str(number)
        folder.mkdir()
        for name in order:
            (folder / name).write_text(f"content of {name}")
            os.utime(folder / name, (number * 1000, number * 1000))
        (folder / "a").chmod(0o755)
        pack([(name, folder / name) for name in order], tmp_path / f"{number}.tar.gz")
        archives.append((tmp_path / f"{number}.tar.gz").read_bytes())
    assert archives[0] == archives[1]


@given(
    names=st.lists(
        st.text(st.sampled_from("ab./\\~\0\n é"), min_size=1, max_size=12),
        min_size=1,
        max_size=4,
        unique=True,
    )
)
def test_whatever_the_names_nothing_is_written_outside(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("names")
    (folder / "inside").mkdir()
    path = folder / "nasty.tar"
    with tarfile.open(path, "w") as tar:
        for name in names:
            tar.addfile(tarfile.TarInfo(name.replace("\0", "")))
    with contextlib.suppress(UnsafeArchive, OSError):
        unpack(path, folder / "inside")
    assert {entry.name for entry in folder.iterdir()} == {"inside", "nasty.tar"}
