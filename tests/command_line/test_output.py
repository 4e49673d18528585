"""A command gives its output in parts, and one place prints them: for people, or as one document."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import click
import pytest

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


def test_machines_get_the_document_and_the_same_exit_code(capsys: Printed) -> None:
    assert run(everything, "--json") == 3
    printed = capsys.readouterr()
    assert json.loads(printed.out) == {"at": "2026-05-01T00:00:00+00:00"}
    assert printed.err == "starting\n"


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
