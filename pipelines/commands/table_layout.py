"""Lays a table out in lines: as wide as its content, or fitted to the width of a terminal.

On a terminal a row is one line, so that a list can be read from top to bottom. Where that is too long, the
columns move together; then one that is optional is left out; then the longest columns, which hold reasons and
notes, are cut and end with an ellipsis, and the columns move together if others would be cut as well. A table
of one thing's details continues them in further lines instead. Where there is no terminal nothing is cut and
every row is one line, for `grep` and the like.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

_GAPS = (2, 1)
"""Cells between two columns, and where that is too wide."""

_SHORTEST = 8
"""Columns are not cut to fewer cells than these, or than their heading has."""

_LONGEST_KEPT = 19
"""Cells of a column that is left alone while a longer one can be cut: a time, a status, a number."""


def lay_out(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    width: int | None,
    *,
    wrapped: bool = False,
    optional: str | None = None,
) -> Iterator[str]:
    """The table line by line, without spaces at their ends.

    Args:
        headings, rows: text of one line each.
        width: of the terminal, in cells; None leaves everything as long as it is.
        wrapped: continue what is too long in further lines, where it would be cut.
        optional: the heading of a column that is left out where the table is too wide.
    """
    from rich.cells import cell_len  # a Chinese character takes two cells

    table = [list(headings), *map(list, rows)]
    natural = [max(map(cell_len, column)) for column in zip(*table, strict=True)]
    gaps = len(natural) - 1
    fitting = [gap for gap in _GAPS if width is None or sum(natural) + gap * gaps <= width]
    if not fitting and optional in headings:
        place = headings.index(optional)
        shorter = [[*row[:place], *row[place + 1 :]] for row in table]
        yield from lay_out(shorter[0], shorter[1:], width, wrapped=wrapped)
        return
    gap, widths = (fitting or _GAPS)[0], natural
    if width is not None and not fitting:
        least = [max(cell_len(one), _SHORTEST) for one in headings]
        ways = [(one, _fitted(natural, least, width - one * gaps)) for one in _GAPS]
        gap, widths = next((way for way in ways if _whole_where_short(way[1], natural)), ways[-1])
    for number, row in enumerate(table):
        cells = [_lines(cell, limit, wrapped) for cell, limit in zip(row, widths, strict=True)]
        for line in range(max(map(len, cells))):
            parts = [cell[line] if line < len(cell) else "" for cell in cells]
            padded = (
                part + " " * (limit - cell_len(part)) for part, limit in zip(parts, widths, strict=True)
            )
            yield (" " * gap).join(padded).rstrip()
        if number == 0:
            yield "─" * (sum(widths) + gap * gaps)


def _whole_where_short(widths: Sequence[int], natural: Sequence[int]) -> bool:
    """Whether only long columns, such as those of reasons, are cut."""
    return all(width == whole or whole > _LONGEST_KEPT for width, whole in zip(widths, natural, strict=True))


def _fitted(natural: Sequence[int], least: Sequence[int], available: int) -> list[int]:
    """The columns' widths: long ones are made narrower, to the same width, until all fit; else the last."""
    widths = list(natural)
    while sum(widths) > available:
        candidates = [place for place, width in enumerate(widths) if width > least[place]]
        if not candidates:
            return widths
        longest = max(candidates, key=lambda place: widths[place])
        widths[longest if widths[longest] > _LONGEST_KEPT else candidates[-1]] -= 1
    return widths


def _lines(cell: str, width: int, wrapped: bool) -> list[str]:
    from rich.cells import cell_len

    if cell_len(cell) <= width:
        return [cell]
    from rich.console import Console
    from rich.text import Text

    text = Text(cell)
    if wrapped:
        return [line.plain.rstrip() for line in text.wrap(Console(width=width), width, overflow="fold")]
    text.truncate(width, overflow="ellipsis")
    return [text.plain]
