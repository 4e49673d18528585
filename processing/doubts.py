"""What the data may mean otherwise: it stops the run with the settings that decide, or is noted.

Preprocessing has read every row when it comes here, so what is decided rests on all distinct texts of the
training part and on all marks of missing values, and does not depend on the order of rows. A column that
``kinds`` names, or a notation of its own, is as the project wants it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc
from column_types import KIND_OF
from dataset_settings import InputError
from date_doubts import notable_dates
from dates import timestamps
from evidence import UNKNOWN
from findings import Finding
from marks import FEW_ROWS, MOST_MARKS, WORDS_OF_PEOPLE, is_mark, is_sum, kept_line, missing_line
from notation import numbers
from number_doubts import notable_numbers
from origins import close_values
from quality import TextColumn
from reading import texts_of
from recognition import FEWEST, Recognised, recognise, surrounded
from rows import Counts, Plan
from settings_lines import list_line, table_line, toml_key, toml_text
from target_doubts import absent_targets, target_texts
from text_edges import quotes, spaces
from unread_notation import Unread, unread

_MOST_TEXTS = 400_000
_MANY = 20  # distinct numbers that no category has
_ROWS_OF_AN_IDENTIFIER = 50
_SHARE_OF_AN_IDENTIFIER, _SHARE_TO_NOTE = 0.9, 0.5
_FREQUENT_IN_CATEGORY = 0.05
_COLUMNS_SHOWN = 8
_MOST_OTHERS = 1000
_OTHERS_SHOWN = 3
_ALSO_CLOSE = frozenset({"days_as_numbers", "large_whole_numbers"})
"""Findings with a remedy for values that are too close to each other, too."""


@dataclass(frozen=True)
class _Doubt:
    """``readings`` are alternatives: for each, keys of the settings with this column's value. ``advice`` is
    what to do in the source, where no setting reads the column."""

    column: str
    what: str
    shown: tuple[str, ...]
    readings: tuple[Mapping[str, str], ...]
    meanings: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    advice: str | None = None


def examine(plan: Plan, counts: Counts) -> list[Finding]:
    """What a person should know of the data.

    Raises:
        InputError: a column is most probably misread, or a default mark of missing values is so frequent
            that it may be a value; the error says by which settings the data is read.
    """
    if not sum(counts.rows.values()):
        return []
    findings = [*absent_targets(plan, counts), *_frequent_marks(plan, counts)]
    doubts: list[_Doubt] = []
    for name in plan.features:
        if name in counts.quality.texts and name not in plan.settings.demanded_kinds:
            _look_at(name, plan, counts, doubts, findings)
    findings += target_texts(plan, counts)
    if doubts:
        raise _stop(doubts, plan)
    _check_units(counts)
    numbers_and_dates = [*notable_numbers(plan, counts), *notable_dates(plan, counts)]
    named = {one.column for one in numbers_and_dates if one.kind in _ALSO_CLOSE}
    return [
        *findings,
        *spaces(plan, counts),
        *quotes(plan, counts),
        *numbers_and_dates,
        *(one for one in close_values(plan, counts) if one.column not in named),
    ]


def _frequent_marks(plan: Plan, counts: Counts) -> list[Finding]:
    rows = sum(counts.rows.values()) + counts.without_target
    findings, asked = [], []
    for name in plan.features:
        for mark, count in sorted(counts.noticed.marks.get(name, {}).items()):
            is_category = KIND_OF[plan.types[name]] == "category"
            if mark == UNKNOWN and mark not in plan.settings.missing_values:
                text = f"column {name!r} holds '?' in {count:,} of {rows:,} rows; it counts as missing, since"
                text += f" all other values are {KIND_OF[plan.types[name]]}s"
                confirmed = missing_line(mark, plan.settings)
                remedy = f'Set {confirmed} if so, kinds.{toml_key(name)} = "category" if not'
                findings.append(Finding("mark_understood", text, column=name, count=count, remedy=remedy))
            elif is_category and mark in plan.settings.doubtful_marks and name not in plan.settings.kinds:
                frequent = count >= FEW_ROWS and count > _FREQUENT_IN_CATEGORY * rows
                if frequent and mark in WORDS_OF_PEOPLE:
                    asked.append((name, mark, count))
                    continue
                text = f"{count:,} of {rows:,} rows have {mark!r} in column {name!r}; it counts as missing"
                findings.append(
                    Finding(
                        "default_mark",
                        text,
                        column=name,
                        count=count,
                        remedy=f"If it is a category, set {kept_line(mark)}",
                    )
                )
    if asked:
        name, mark, count = asked[0]
        others = [other for other, same, _ in asked[1:] if same == mark]
        more = f" (and column {', '.join(map(repr, others[:_COLUMNS_SHOWN]))})" if others else ""
        raise InputError(
            f"{count:,} of {rows:,} rows have {mark!r} in column {name!r}{more}: is it a category, or a "
            "missing value?",
            remedy=f"If it is a category, set {kept_line(mark)}; if it is missing, set "
            f"{missing_line(mark, plan.settings)}",
        )
    return findings


def _look_at(name: str, plan: Plan, counts: Counts, doubts: list[_Doubt], findings: list[Finding]) -> None:
    column = counts.quality.texts[name]
    texts, _ = column.most_frequent(_MOST_TEXTS)
    mark = surrounded(texts)
    notation = plan.settings.notation(name)
    if mark and recognise([text[1:-1] for text in texts], notation):
        doubts.append(_Doubt(name, "numbers between quotes", tuple(texts[:2]), ({"quote": mark},)))
        return
    found = recognise(texts, notation)
    if found is None and name in texts:
        found = recognise([text for text in texts if text != name], notation)
    if found:
        found = replace(found, others=_others(plan, counts, name, found))
        _check_lines(name, found)
        others = [text for text in found.others if not is_mark(text)]
        if others and recognise(others, notation):
            what = f"{found.what.removesuffix(' in another notation')} in several notations"
            doubts.append(_unread_doubt(name, what, (found.fits[0], others[0]), "Write them in one"))
            return
    if found and _is_sure(found, len(texts)):
        zeros = [text for text in texts if re.fullmatch("0[0-9]+", text)]
        if zeros and found.what == "numbers" and not found.others:
            doubts.append(_doubt_of_zeros(name, zeros[0]))
        else:
            doubts.append(_doubt(name, found, plan))
        return
    if found is None:
        found = _numbers_and_marks(texts, plan, name)
        if found:
            doubts.append(_doubt(name, found, plan))
            return
    else:
        shown = ", ".join(map(repr, found.fits))
        read = _doubt(name, found, plan)
        lines = _lines([(name, read.readings[0], read.marks)], plan)
        findings.append(
            Finding(
                "text_like_numbers",
                f"column {name!r} counts as a category, though its {len(texts)} texts look like {found.what} "
                f"({shown})",
                column=name,
                count=len(texts),
                remedy=f"If so, set {' and '.join(lines)}",
            )
        )
    quantity = unread(texts, notation) if found is None else None
    if quantity and _is_identifier(column):
        what = f"{quantity.what}, {column.distinct():,} different ones in {column.present:,} rows"
        doubts.append(_unread_doubt(name, what, quantity.shown, quantity.advice))
    elif quantity:
        findings.append(_unread_finding(name, quantity, texts))
    else:
        _identifiers(name, column, texts, plan.settings.drop, doubts, findings)


def _check_lines(name: str, found: Recognised) -> None:
    """Lines that are no rows, by what they hold in a column of numbers or dates."""
    if name in [text.removeprefix("\ufeff") for text in found.others]:
        raise InputError(
            f"column {name!r} holds its own name among {found.what}: the header stands among the rows again, "
            "as where files were joined",
            remedy="Delete those lines",
        )
    sums = [text for text in found.others if is_sum(text)]
    if sums:
        raise InputError(
            f"column {name!r} holds {sums[0]!r} among {found.what}: that line sums up others and is no row",
            remedy="Delete such lines",
        )


def _unread_doubt(name: str, what: str, shown: tuple[str, ...], advice: str) -> _Doubt:
    return _Doubt(name, what, shown, ({"drop": name}, {"kinds": "category"}), advice=advice)


def _unread_finding(name: str, quantity: Unread, texts: Sequence[str]) -> Finding:
    return Finding(
        "unread_notation",
        f"column {name!r} holds {quantity.what} ({', '.join(map(repr, quantity.shown))}), which no setting "
        f"reads: they count as {len(texts):,} categories without an order",
        column=name,
        count=len(texts),
        remedy=f'{quantity.advice}; if categories are meant, set kinds.{toml_key(name)} = "category"',
    )


def _others(plan: Plan, counts: Counts, name: str, found: Recognised) -> tuple[str, ...]:
    """All texts of the column, in every part, that the settings which are recommended do not read; of very
    many the first in order."""
    wanted = found.readings[0].settings
    notation = plan.settings.notation(name)
    notation = replace(
        notation,
        decimal=wanted.get("decimal", notation.decimal),
        thousands=wanted.get("thousands", notation.thousands),
        amounts="kinds" in wanted,
    )
    others: set[str] = set()
    for texts in _all_texts(plan, counts, name):
        distinct = texts.unique().drop_null()
        if "date_format" in wanted:
            values = timestamps(distinct, wanted["date_format"])
        else:
            values = numbers(distinct, notation).plain
        others |= {*distinct.filter(pc.is_null(values)).to_pylist()}
        if len(others) > _MOST_OTHERS:  # the first in order, so that the order of the rows does not matter
            others = {*sorted(others)[: _MOST_OTHERS + 1]}
    return tuple(sorted(others))


def _all_texts(plan: Plan, counts: Counts, name: str) -> Iterable[pa.StringArray]:
    """The column's texts in every part, whether a row has a target or not."""
    if plan.is_share:
        return (pa.array(counts.texts[name].most_frequent(_MOST_TEXTS)[0], pa.string()),)
    return texts_of(plan.files, name, plan.settings)


def _is_sure(found: Recognised, distinct: int) -> bool:
    if found.what == "numbers" and found.others:
        few = len(found.others) <= max(1, distinct // _MANY)
        return all(map(is_mark, found.others)) or (few and distinct > _MANY)
    return distinct - len(found.others) >= FEWEST


def _numbers_and_marks(texts: Sequence[str], plan: Plan, name: str) -> Recognised | None:
    """Some numbers, and otherwise only what people write where they have no number."""
    others = [text for text in texts if is_mark(text) or text.strip() in plan.settings.missing_values]
    if not others or len(others) > FEWEST:
        return None
    found = recognise([text for text in texts if text not in others], plan.settings.notation(name))
    if found is None or found.others or len(texts) - len(others) < 3:
        return None
    return Recognised(found.what, found.readings, found.fits, tuple(others))


def _doubt(name: str, found: Recognised, plan: Plan) -> _Doubt:
    readings = []
    is_csv = not plan.profile.is_parquet
    for reading in found.readings:
        settings = dict(reading.settings)
        if settings.get("kinds") and found.what == "numbers" and found.others and is_csv:
            del settings["kinds"]  # without the marks the column is one of numbers
        readings.append(settings)
    known = [text for text in found.others if text.strip() in (*plan.settings.missing_values, UNKNOWN)]
    marks = found.others[:MOST_MARKS]
    if found.others and len(known) == len(found.others):
        readings = [{**settings, "strip": "true"} for settings in readings]
        marks = tuple(sorted({text.strip() for text in known} - {*plan.settings.missing_values, UNKNOWN}))
    more = len(found.others) - _OTHERS_SHOWN
    what = found.what + (f" and {', '.join(map(repr, found.others[:_OTHERS_SHOWN]))}" if found.others else "")
    many = len(found.others) > _MOST_OTHERS
    what += " and many more" if many else f" and {more:,} more" if more > 0 else ""
    return _Doubt(
        name, what, found.fits, tuple(readings), tuple(one.example for one in found.readings), marks
    )


def _is_identifier(column: TextColumn) -> bool:
    enough = column.present >= _ROWS_OF_AN_IDENTIFIER
    return enough and column.distinct() >= _SHARE_OF_AN_IDENTIFIER * column.present


def _doubt_of_zeros(name: str, text: str) -> _Doubt:
    """Texts of digits, of which a number would lose the zeros before them."""
    readings = ({"kinds": "category"}, {"kinds": "number"})
    return _Doubt(name, "digits, some with zeros before them", (text,), readings, ("a code", str(int(text))))


def _identifiers(
    name: str,
    column: TextColumn,
    texts: Sequence[str],
    dropped: Sequence[str],
    doubts: list[_Doubt],
    findings: list[Finding],
) -> None:
    present, distinct = column.present, column.distinct()
    if present < _ROWS_OF_AN_IDENTIFIER or distinct < _SHARE_TO_NOTE * present:
        return
    what = f"{distinct:,} different texts in {present:,} rows"
    if _is_identifier(column):
        readings = ({"drop": name}, {"kinds": "category"})
        doubts.append(_Doubt(name, what, tuple(texts[:2]), readings))
        return
    findings.append(
        Finding(
            "many_texts",
            f"column {name!r} has {what} of the training part, as categories",
            column=name,
            count=distinct,
            remedy=f"Set {list_line('drop', dropped, [name])} if they name single rows",
        )
    )


def _check_units(counts: Counts) -> None:
    for name, units in counts.noticed.units.items():
        written = sorted(unit for unit in units if unit)
        if len(written) > 1 or (written == ["%"] and "" in units):
            shown = " and ".join([*map(repr, written), *(["no sign"] if "" in units else [])])
            raise InputError(
                f"column {name!r} is to be read as numbers, but beside them stand {shown}",
                remedy=f'Bring them to one unit, or set kinds.{toml_key(name)} = "category"',
            )


def _stop(doubts: Sequence[_Doubt], plan: Plan) -> InputError:
    """One error for all of them, with the lines that read the data right."""
    parts = []
    groups: dict[tuple[str, int], list[_Doubt]] = {}
    for doubt in doubts[:_COLUMNS_SHOWN]:
        groups.setdefault((doubt.what, len(doubt.readings)), []).append(doubt)
    for (what, _), group in groups.items():
        columns = ", ".join(repr(doubt.column) for doubt in group)
        shown = ", ".join(map(repr, group[0].shown))
        parts.append(f"column{'s' if len(group) > 1 else ''} {columns} {_hold(group)} {what} ({shown})")
    more = len(doubts) - _COLUMNS_SHOWN
    text = "; ".join(parts) + (f"; and {more} more columns" if more > 0 else "")
    sure = [doubt for doubt in doubts if len(doubt.readings) == 1]
    lines = _lines([(doubt.column, doubt.readings[0], doubt.marks) for doubt in sure], plan)
    remedies = [f"Set {' and '.join(lines)}"] if lines else []
    for doubt in doubts[:_COLUMNS_SHOWN]:
        if len(doubt.readings) > 1:
            remedies.append(_alternatives(doubt, plan))
    kinds = [f'kinds.{toml_key(doubt.column)} = "category"' for doubt in sure[:2]]
    if kinds:
        remedies.append(f"Where such texts are categories after all, set {kinds[0]}")
    first = [(doubt.column, doubt.readings[0], doubt.marks) for doubt in doubts]
    return InputError(text, remedy=". ".join(remedies), lines=_lines(first, plan))


def _hold(group: Sequence[_Doubt]) -> str:
    return "hold" if len(group) > 1 else "holds"


def _alternatives(doubt: _Doubt, plan: Plan) -> str:
    choices = []
    for place, settings in enumerate(doubt.readings):
        line = " and ".join(_lines([(doubt.column, settings, doubt.marks)], plan))
        if doubt.meanings:
            choices.append(f"{line} if {doubt.shown[0]!r} is {doubt.meanings[place]}")
        else:
            choices.append(line)
    if doubt.advice:
        return f"{doubt.advice}, or set {', or '.join(choices)}"
    if not doubt.meanings:
        return f"Set {choices[0]} if they name single rows, {choices[1]} if not"
    return f"Set {', or '.join(choices)}"


def _lines(wanted: Iterable[tuple[str, Mapping[str, str], Sequence[str]]], plan: Plan) -> list[str]:
    """The settings of several columns as lines of the project's data table."""
    tables: dict[str, dict[str, str]] = {}
    marks: list[str] = []
    for column, settings, its_marks in wanted:
        for key, value in settings.items():
            tables.setdefault(key, {})[column] = value
        marks += [mark for mark in its_marks if mark not in marks]
    lines = []
    for key, values in tables.items():
        if key == "drop":
            lines.append(list_line(key, plan.settings.drop, values))
        elif key == "strip":
            lines.append("strip = true")
        elif key == "quote":
            lines.append(f"quote = {toml_text(next(iter(values.values())))}")
        elif key == "kinds":
            lines += [f"kinds.{toml_key(name)} = {toml_text(value)}" for name, value in values.items()]
        else:
            lines.append(_notation_line(key, values, plan))
    if marks:
        lines.append(list_line("also_missing", plan.settings.also_missing, marks))
    return lines


def _notation_line(key: str, values: Mapping[str, str], plan: Plan) -> str:
    """For all columns at once where no other column could be misread by it, else column by column."""
    said: Mapping[str, str] = getattr(plan.settings, key)
    points = {*values.values()} <= {",", " ", "'"} or "number" not in plan.types.values()
    if key == "thousands":
        everywhere = points and not said
    else:
        everywhere = key == "decimal" and "number" not in plan.types.values() and not said
    if everywhere and len({*values.values()}) == 1:
        return f"{key} = {toml_text(next(iter(values.values())))}"
    return table_line(key, said, values)
