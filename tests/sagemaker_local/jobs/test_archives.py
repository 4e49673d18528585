"""Archives: hostile ones write nothing outside the folder; packing the same files gives the same bytes."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagemaker_local.jobs.archive import UnsafeArchive, pack, unpack


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
    "absolute": lambda: [_file("/tmp/evil")],
    "absolute hard link": lambda: [_link("h", "/etc/passwd", tarfile.LNKTYPE)],
    "through a link that stays inside": lambda: [_folder("a"), _link("l", "a"), _file("l/evil")],
    "a file in a link's place": lambda: [_file("a"), _link("l", "a"), _file("l")],
    "a link in a file's place": lambda: [_file("a"), _file("l"), _link("l", "a")],
    "a file below a file": lambda: [_file("a"), _file("a/b")],
    "outside over two links": lambda: [_folder("a/b"), _link("a/b/up", "../.."), _link("out", "a/b/up/..")],
    "over links too long to follow": lambda: _too_long_to_follow(),
    "in a circle": lambda: [_link("l", "m"), _link("m", "l")],
    "a link to nothing": lambda: [_link("l", "later")],
    "a name with NUL": lambda: [_pax("a", path="in\0side")],
    "a name too long": lambda: [_file("x" * 5000)],
    "a size below zero": lambda: [_pax("a", size="-512")],
    "sparse": lambda: [_pax("a", **{"GNU.sparse.map": "0,1", "GNU.sparse.size": "1000000000000"})],
}


def _folder(name: str) -> tarfile.TarInfo:
    return _link(name, "", tarfile.DIRTYPE)


def _pax(name: str, **headers: str) -> tarfile.TarInfo:
    member = _file(name)
    member.pax_headers = headers
    return member


def _too_long_to_follow() -> list[tarfile.TarInfo]:
    """CVE-2025-4517: what a path leads to is not found out once it has more than 4096 characters."""
    members, at = [], ""
    for letter in "abcdefghijklmnop":
        long = letter * 247
        members += [_folder(at + long), _link(at + letter, long)]
        at += f"{letter}/"
    climb = "/".join("abcdefghijklmnop") + "/" + "x" * 254
    return [*members, _link(climb, "../" * 16), _link("out", f"{climb}/.."), _file("out/evil")]


@pytest.mark.parametrize("kind", NASTY)
def test_a_hostile_archive_is_refused_and_writes_nothing_outside(tmp_path: Path, kind: str) -> None:
    (tmp_path / "victim").write_text("mine")
    inside = tmp_path / "inside"
    inside.mkdir()
    with pytest.raises(UnsafeArchive, match="nasty"):
        unpack(_tar(tmp_path, *NASTY[kind]()), inside)
    assert {path.name for path in tmp_path.iterdir()} == {"victim", "inside", "nasty.tar"}
    assert (tmp_path / "victim").read_text() == "mine"


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


def test_a_damaged_archive_is_refused_at_its_end(tmp_path: Path) -> None:
    """One flipped bit in stored bytes: it is unpacked without complaint, and only the checksum tells."""
    (tmp_path / "weights").write_bytes(os.urandom(200_000))
    pack([("weights", tmp_path / "weights")], tmp_path / "sound.tar.gz")
    content = bytearray((tmp_path / "sound.tar.gz").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "damaged.tar.gz").write_bytes(content)
    (tmp_path / "out").mkdir()
    with pytest.raises(UnsafeArchive, match=r"damaged.*no intact tar file"):
        unpack(tmp_path / "damaged.tar.gz", tmp_path / "out")


@pytest.mark.parametrize("at", [1024, 1024 + 200], ids=["a header is damaged", "cut after a header"])
def test_a_member_that_cannot_be_read_is_not_the_end(tmp_path: Path, at: int) -> None:
    path = _tar(tmp_path, _file("one"), _file("two"), _file("three"))
    content = path.read_bytes()
    path.write_bytes(content[:at] + (b"?" * 512 + content[at + 512 :] if at == 1024 else b""))
    (tmp_path / "out").mkdir()
    with pytest.raises(UnsafeArchive, match="no intact tar file"):
        unpack(path, tmp_path / "out")


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_of_200_megabytes_costs_no_memory(tmp_path: Path, kind: bytes) -> None:
    header = tarfile.TarInfo("x")
    header.type, header.size = kind, 200 << 20
    path = tmp_path / "nasty.tar.gz"
    with gzip.open(path, "wb", compresslevel=1) as written:
        written.write(header.tobuf())
        for _ in range(200):
            written.write(b"a" * (1 << 20))
        written.write(bytes(1024))
    tracemalloc.start()
    try:
        with pytest.raises(UnsafeArchive, match="bytes of headers"):
            unpack(path, tmp_path)
        assert tracemalloc.get_traced_memory()[1] < 20 << 20
    finally:
        tracemalloc.stop()


def test_links_inside_are_kept_and_of_two_files_the_later_counts(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    members = [
        _link("link", "./deep/file"),
        _file("deep/file", 3),
        _link("deep/hard", "deep/file", tarfile.LNKTYPE),
        _file("twice", 1),
        _file("./twice", 2),
    ]
    unpack(_tar(tmp_path, *members), inside)
    assert (inside / "link").is_symlink()
    assert (inside / "link").read_bytes() == b"xxx"
    assert (inside / "deep/hard").stat().st_nlink == 1, "a copy: what writes into one leaves the other"
    assert (inside / "deep/hard").read_bytes() == b"xxx"
    assert (inside / "twice").read_bytes() == b"xx"


def test_many_hard_links_count_as_the_files_that_they_become(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    copies = [_link(f"copy-{number}", "big", tarfile.LNKTYPE) for number in range(5)]
    with pytest.raises(UnsafeArchive, match="more than 350 bytes"):
        unpack(_tar(tmp_path, _file("big", 100), *copies), inside, max_bytes=350)


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


def test_headers_for_all_members_are_not_collected(tmp_path: Path) -> None:
    path = tmp_path / "global.tar"
    with path.open("wb") as file:
        for number in range(60):
            file.write(tarfile.TarInfo.create_pax_global_header({f"key{number}": "x" * 900_000}))
            file.write(_file(str(number), 0).tobuf(tarfile.USTAR_FORMAT))
        file.write(bytes(2 * tarfile.BLOCKSIZE))
    (tmp_path / "out").mkdir()
    tracemalloc.start()
    try:
        unpack(path, tmp_path / "out")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16 << 20
