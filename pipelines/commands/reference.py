"""Writes docs/commands.md from the commands themselves: `python -m pipelines.commands.reference`.

A test fails when the file is not what this would write.
"""

from __future__ import annotations

from collections.abc import Iterator

import click

from pipelines import ROOT
from pipelines.commands import gatehouse

FILE = ROOT / "docs" / "commands.md"

_HEAD = """\
# Commands

Written by `python -m pipelines.commands.reference` from the commands' own help; do not edit.

The shell completes commands, options and the names of projects, after one of these lines in its start file:

| shell | line |
| --- | --- |
| bash (`~/.bashrc`) | `eval "$(_GATEHOUSE_COMPLETE=bash_source gatehouse)"` |
| zsh (`~/.zshrc`, behind `compinit`) | `eval "$(_GATEHOUSE_COMPLETE=zsh_source gatehouse)"` |
| fish (`~/.config/fish/config.fish`) | `_GATEHOUSE_COMPLETE=fish_source gatehouse \\| source` |

Progress is redrawn on a terminal, also on one of 20 columns; in a pipe, a file or a terminal that cannot be
redrawn (`TERM=dumb`) it is a line for each change. With `NO_COLOR` nothing is coloured.

"""


def reference() -> str:
    """The whole page: every command's help, as `--help` prints it at 100 columns."""
    return _HEAD + "\n".join(_sections(gatehouse, "gatehouse", None))


def _sections(command: click.Command, path: str, parent: click.Context | None) -> Iterator[str]:
    context = click.Context(
        command,
        info_name=path.rpartition(" ")[2],
        parent=parent,
        terminal_width=100,
        max_content_width=100,
        help_option_names=["-h", "--help"],
    )
    yield f"## {path}\n\n```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child is not None:
                yield from _sections(child, f"{path} {name}", context)


if __name__ == "__main__":
    FILE.write_text(reference(), encoding="utf-8")
