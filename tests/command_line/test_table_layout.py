"""A table is as wide as its content where it is piped, and never wider than a terminal."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from pipelines.commands.table_layout import lay_out

HEADINGS = ("Execution", "Status", "Reason")
LONG = "the model is not good enough: " + "accuracy 0.5 is not above the threshold 0.9; " * 5
ROWS = [("3r8no7pdkxp4", "Failed", LONG), ("a1b2c3d4e5f6", "Succeeded", "")]


def test_a_pipe_gets_every_row_in_one_line_with_all_of_its_text() -> None:
    heading, rule, failed, succeeded = lay_out(HEADINGS, ROWS, None)
    assert heading == "Execution     Status     Reason"
    assert set(rule) == {"─"}
    assert failed == f"3r8no7pdkxp4  Failed     {LONG}".rstrip()
    assert succeeded == "a1b2c3d4e5f6  Succeeded"


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_terminal_gets_rows_of_one_line_that_end_with_an_ellipsis(width: int) -> None:
    lines = list(lay_out(HEADINGS, ROWS, width))
    assert len(lines) == 4
    assert max(map(len, lines)) == width
    assert lines[2].endswith("…")
    assert lines[2].startswith("3r8no7pdkxp4  Failed     the model is not")


def test_the_widest_columns_are_cut_and_the_others_keep_their_text() -> None:
    [_, _, row] = lay_out(("Id", "Who", "Note"), [("1", "w" * 50, "n" * 90)], 80)
    assert row == f"1   {'w' * 36}…  {'n' * 36}…"


def test_a_time_is_kept_and_a_column_that_is_optional_left_out() -> None:
    headings = ("Version", "Created", "Interval", "Constant", "Serves in")
    row = ("1", "2026-11-26 08:54:37", "0.965 to 1.000", "0.5377", "dev, test, prod")
    wide = list(lay_out(headings, [row], 80, optional="Constant"))
    assert "Interval        Constant  Serves in" in wide[0]
    together = list(lay_out(headings, [row], 68, optional="Constant"))
    assert "Interval       Constant Serves in" in together[0]
    [heading, _, narrow] = lay_out(headings, [row], 64, optional="Constant")
    assert "Constant" not in heading
    assert narrow.split("  ")[-1] == "dev, test, prod"
    [_, _, cut] = lay_out(headings, [row], 56, optional="Constant")
    assert "2026-11-26 08:54:37" in cut
    assert cut.endswith(" dev, test, p…")


def test_details_are_continued_in_further_lines() -> None:
    lines = list(lay_out(HEADINGS, ROWS, 60, wrapped=True))
    assert max(map(len, lines)) <= 60
    text = " ".join(line[25:] for line in lines[2:-1])
    assert " ".join(text.split()) == LONG.strip()
    assert not any("…" in line for line in lines)


def test_columns_move_together_before_a_status_beside_a_note_is_cut() -> None:
    headings = ("Environment", "Version", "Since", "By", "How", "Endpoint")
    row = ("dev", "1", "2026-11-26 08:54:37", "user/local", "deploy: approved version 1", "InService")
    heading, _, cut = lay_out(headings, [row], 80)
    assert heading == "Environment Version Since               By         How                 Endpoint"
    assert cut == "dev         1       2026-11-26 08:54:37 user/local deploy: approved v… InService"


def test_characters_that_take_two_cells_are_counted_as_two() -> None:
    heading, _, chinese, latin = lay_out(("Class", "Rows"), [("良性肿瘤", "1"), ("benign", "20")], None)
    assert heading.index("Rows") == latin.index("20") == cell_len(chinese[: chinese.index("1")])
    [_, _, cut] = lay_out(("Class", "Note"), [("良性", "肿瘤" * 60)], 40)
    assert cell_len(cut) <= 40


def test_headings_are_never_broken() -> None:
    [heading, *_] = lay_out(("More than chance?",) * 6, [("no",) * 6], 80)
    assert heading.count("More than chance?") == 6
