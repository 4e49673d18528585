"""A command gives its output in parts, and one place prints them: for people, or as one document."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest

from aws_formats.visible_text import make_log_visible
from pipelines.commands import _system_error, main
from pipelines.commands.output import (
    Document,
    JsonText,
    Lines,
    Output,
    Remark,
    Table,
    notice,
    with_json,
    with_json_excluding,
)
from pipelines.commands.uploading import UploadProgress

Printed = pytest.CaptureFixture[str]


@click.command()
@with_json
def everything() -> Output:
    notice("starting")
    yield "first"
    yield Document({"at": datetime(2026, 5, 1, tzinfo=UTC)}, exit_code=3)
    yield Lines(["second", "third"])
    yield Table(("Name", "Value"), [("[a]", "1")])
    yield Remark("next")


def run(command: click.Command, *words: str) -> int:
    code: int = command.main(words, standalone_mode=False)
    return code


def test_people_get_everything_but_the_document(capsys: Printed) -> None:
    assert run(everything) == 3
    printed = capsys.readouterr()
    lines = [line.split() for line in printed.out.splitlines() if "─" not in line]
    assert lines == [["first"], ["second"], ["third"], ["Name", "Value"], ["[a]", "1"]]
    assert printed.err == "starting\nnext\n"


def test_no_color_is_obeyed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Printed) -> None:
    monkeypatch.chdir(tmp_path)  # where no settings are, and so the marks are few
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    for value, is_coloured in (("", True), ("1", False)):
        monkeypatch.setenv("NO_COLOR", value)
        main(["doctor"])
        printed = capsys.readouterr().out
        assert "ok  " in printed
        assert ("\x1b[" in printed) == is_coloured


def test_machines_get_the_document_and_the_same_exit_code(capsys: Printed) -> None:
    assert run(everything, "--json") == 3
    printed = capsys.readouterr()
    assert json.loads(printed.out) == {"at": "2026-05-01T00:00:00+00:00"}
    assert printed.err == "starting\n"


HOSTILE = "a\x1b]0;owned\x07\x1b[2J\nRegistered  b\r\x9b1A\u202e\ud800\u2028"
SHOWN = r"a\x1b]0;owned\x07\x1b[2J\nRegistered  b\r\x9b1A\u202e\ud800\u2028"


@click.command()
@with_json
def hostile() -> Output:
    notice(HOSTILE)
    yield HOSTILE
    yield Document([HOSTILE])
    yield Lines([HOSTILE])
    yield Table((HOSTILE, "Value"), [(HOSTILE, "1")])
    yield Remark(HOSTILE)


def test_what_a_terminal_would_obey_is_shown_and_not_sent(capsys: Printed) -> None:
    assert run(hostile) == 0
    printed = capsys.readouterr()
    assert printed.err.splitlines() == [SHOWN, SHOWN]
    lines = printed.out.splitlines()
    assert lines[:2] == [SHOWN, SHOWN]
    assert [line.split("  ")[0] for line in lines[2:] if "─" not in line] == [SHOWN.split("  ")[0]] * 2
    assert not [char for char in printed.out + printed.err if not char.isprintable() and char != "\n"]


def test_a_document_holds_hostile_text_as_it_is_in_plain_characters(capsys: Printed) -> None:
    assert run(hostile, "--json") == 0
    printed = capsys.readouterr().out
    assert json.loads(printed) == [HOSTILE]
    assert not [char for char in printed if not char.isprintable() and char != "\n"]


def test_an_error_is_one_line_whatever_it_quotes(
    monkeypatch: pytest.MonkeyPatch, capsys: Printed, tmp_path: Path
) -> None:
    (tmp_path / "projects.toml").write_text('["\\u001b[2J\\u009b"]\na = 1\n')
    monkeypatch.chdir(tmp_path)
    for words in (["plan"], ["plan", HOSTILE], ["\x1b[2J"], ["plan", "--target", "\x1b[2J"]):
        assert main(words) in (1, 2)
        said = capsys.readouterr().err
        assert "\\x1b[2J" in said
        assert not [char for char in said if not char.isprintable() and char != "\n"]


WITHOUT_OPEN_FILES = """
import resource, sys
from pipelines.commands import main
main(["init", sys.argv[1]])  # it opens the files of the modules
resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
sys.exit(main(["init", sys.argv[1]]))
"""


def test_a_machine_without_space_is_an_error_in_one_line() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        with pytest.raises(OSError, match="No space left") as raised:
            os.write(full, b"a page of the database")
    finally:
        os.close(full)
    said = str(_system_error(raised.value))
    assert said.startswith("No space left on device. Free some space; temporary files lie in ")


def test_a_process_without_open_files_is_an_error_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    command = [sys.executable, "-c", WITHOUT_OPEN_FILES, str(tmp_path / "a.csv")]
    done = subprocess.run(command, capture_output=True, cwd=tmp_path, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith(
        "Too many open files. Let programs of this shell have more open files: ulimit -n 1024."
    )
    assert "Traceback" not in done.stderr


def test_a_warning_in_the_log_is_one_line(capsys: Printed) -> None:
    make_log_visible()
    record = logging.LogRecord("a", logging.WARNING, "a.py", 1, "quotes %s", (HOSTILE,), None)
    logging.lastResort.handle(record)  # type: ignore[union-attr]
    assert capsys.readouterr().err == f"quotes {SHOWN}\n"


def test_what_is_json_already_is_printed_byte_for_byte(capsys: Printed) -> None:
    command = click.command()(with_json(lambda: [Document(JsonText('{"a":  1}'))]))
    assert run(command, "--json") == 0
    assert capsys.readouterr().out == '{"a":  1}\n'


def test_lines_that_are_not_printed_are_not_read() -> None:
    def lines() -> Iterator[str]:
        raise AssertionError
        yield ""

    command = click.command()(with_json(lambda: [Document({}), Lines(lines())]))
    assert run(command, "--json") == 0


def test_a_line_is_printed_before_the_command_goes_on(capsys: Printed) -> None:
    seen = []

    @click.command()
    @with_json
    def command() -> Output:
        yield "would change"
        seen.append(capsys.readouterr().out)
        yield "changed"

    assert run(command) == 0
    assert seen == ["would change\n"]


def test_an_option_that_excludes_json_is_wrong_usage_beside_it() -> None:
    @click.command()
    @with_json_excluding(html="no --html with --json")
    @click.option("--html", is_flag=True)
    def command(html: bool) -> Output:
        return [Document(None), f"html is {html}"]

    assert run(command, "--html") == 0
    with pytest.raises(click.UsageError, match="no --html with --json"):
        run(command, "--html", "--json")


def test_what_a_command_holds_open_is_closed_where_printing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed(io.StringIO):
        def write(self, _text: str) -> int:
            raise BrokenPipeError

    ended = []

    @contextmanager
    def held() -> Iterator[None]:
        try:
            yield
        finally:
            ended.append(True)

    @click.command()
    @with_json
    def command() -> Output:
        with held():
            yield "a line"

    monkeypatch.setattr(sys, "stdout", Closed())
    with pytest.raises(BrokenPipeError) as failed:
        run(command)
    assert failed.value.__traceback__ is not None  # which keeps the command's frames, so only closing ends it
    assert ended == [True]


def test_a_long_upload_says_how_far_it_is(capsys: Printed) -> None:
    told = UploadProgress(silence=0)
    told(1_500_000, 3_000_000_000)
    told(3_000_000_000, 3_000_000_000)
    out, err = capsys.readouterr()
    assert (out, err) == ("", "  uploading the data: 1.5 MB of 3 GB\n")
    UploadProgress()(1, 2)
    assert capsys.readouterr().err == ""
