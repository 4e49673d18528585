"""The table of a new project, written from what a look at its data shows: each decision with its reason.

``gatehouse init`` asks for the target only. What follows from the columns is decided here: the task, the
positive class, columns to leave out, the key that keeps rows together, and a gate that suits the classes.
Each guess stands in the table with its reason as a comment, so that a person can correct it.
"""

from __future__ import annotations

import re
import textwrap
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from aws_formats.visible_text import visible
from pipelines.definition.toml_text import toml_value

_WIDTH = 100
_RARE = 0.1
"""Share of a class below which accuracy says little (docs/gate.md)."""

_RARE_OF_SEVERAL = 0.5
"""The same beside several classes, as a part of what each would have if all were as frequent."""

_MOST_NUMBERS_AS_CLASSES, _FEWEST_ROWS_OF_A_CLASS = 10, 5
_FEWEST_KEYS, _FEWEST_ROWS_OF_A_KEY = 20, 1.2

_POSITIVE = frozenset(
    {
        *("yes", "y", "true", "t", "1", "1.0", "positive", "pos", "bad", "fraud", "fraudulent", "malignant"),
        *("churn", "churned", "left", "spam", "default", "defaulted", "sick", "ill", "disease", "attack"),
        *("failure", "failed", "anomaly", "anomalous", "abnormal", "click", "clicked", "bought"),
    }
)
"""Names of the class that a binary task is usually about, in lower case."""

_TARGETS = ("target", "label", "class", "y", "outcome", "diagnosis", "response", "result", "species")
_INDEX = frozenset({"", "index", "unnamed: 0", "row", "rownum", "row_number", "__index_level_0__"})
_IDENTIFIER = re.compile(r"(?i:(^|[_\s.-])(id|uuid|guid)$)|[a-z](Id|ID)$")
_WHOSE = frozenset(
    {"account", "card", "client", "customer", "device", "household", "patient", "person", "session", "user"}
)


@dataclass(frozen=True)
class Draft:
    """A project's table before it is written.

    Attributes:
        data: keys of the data table with their values, and ``why`` some of them are so.
        gate, training: the same of the gate and of the training, in the order in which they are written.
        remarks: further comments, each for the end of the data table.
    """

    team: str
    name: str
    task: str
    data: Mapping[str, Any]
    gate: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    why: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


def first_draft(
    team: str, name: str, source: Mapping[str, Any], target: str, document: Mapping[str, Any]
) -> Draft:
    """What the columns suggest.

    Args:
        source: the keys of the data table that say where the data is and how it is written.
        target: the name of one of the columns.
        document: what ``describe.py`` printed of the columns.
    """
    columns = {column["name"]: column for column in document["columns"]}
    rows = document["rows"]
    why: dict[str, str] = {}
    predicted = _without_marks(columns[target])
    task, why["task"] = _task(predicted, rows)
    data: dict[str, Any] = {**source, "target": target}
    if predicted["marks"]:
        data["also_missing"] = predicted["marks"]
        why["also_missing"] = f"beside them, {target} holds numbers only"
    if task == "binary":
        positive, why["positive_class"] = _positive(predicted)
        data["positive_class"] = positive
    drop = {name: reason for name, column in columns.items() if (reason := _useless(column, rows))}
    drop.pop(target, None)
    if drop:
        data["drop"] = list(drop)
        why["drop"] = _why_drop(drop)
    keys = [name for name in columns if name not in drop and name != target and _is_key(columns[name], rows)]
    remarks: list[str] = []
    if keys:
        data["key"] = keys[0]
        why["key"] = _why_key(columns[keys[0]], rows)
        for other in keys[1:]:
            remarks.append(f"key = {toml_value(other)} instead, if {_why_key(columns[other], rows)}")
    gate, of_gate = _gate(task, predicted, data.get("positive_class"))
    training = {"class_weights": "balanced"} if "class_weights" in of_gate else {}
    return Draft(team, name, task, data, gate, training, {**why, **of_gate}, tuple(remarks))


def mended(draft: Draft, errors: Sequence[Mapping[str, Any]]) -> Draft | None:
    """The draft with the lines that preprocessing names for its errors; None where it names none."""
    known = [error for error in errors if error.get("lines")]
    if not known:
        return None
    remarks = [*draft.remarks]
    for error in known:
        lines = tomllib.loads("\n".join(error["lines"]))
        if lines.pop("task", draft.task) != draft.task:
            draft = _as_regression(draft)
        data = dict(draft.data)
        for key, value in lines.items():
            data[key] = _joined(data.get(key), value)
        draft = replace(draft, data=data)
        remark = f"{error['what']}. {error['remedy']}"
        remarks += [remark] if remark not in remarks else []
    return replace(draft, remarks=tuple(remarks))


def _as_regression(draft: Draft) -> Draft:
    """The draft of the same project for a target that turned out to be a number."""
    gate, of_gate = _gate("regression", {}, None)
    data = {key: value for key, value in draft.data.items() if key != "positive_class"}
    why = {key: reason for key, reason in draft.why.items() if key in ("drop", "key")}
    why["task"] = "the target is a number, as said below"
    return replace(draft, task="regression", data=data, gate=gate, training={}, why={**why, **of_gate})


def without_key(draft: Draft) -> Draft:
    """The draft with its key in a comment."""
    data = {name: value for name, value in draft.data.items() if name != "key"}
    key = draft.data["key"]
    remark = f"key = {toml_value(key)} would keep rows together ({draft.why['key']}), but leaves a class out"
    return replace(draft, data=data, remarks=(*draft.remarks, remark))


def has_features(draft: Draft, names: Sequence[str]) -> bool:
    """Whether a column is left for the model of those with these names."""
    data = draft.data
    return not set(names) <= {data["target"], data.get("key"), *data.get("drop", ())}


def written(draft: Draft) -> str:
    """The project's tables as a settings file holds them."""
    place = f"projects.{draft.team}.{draft.name}"
    why = draft.why
    lines = [f"[{place}]"]
    target = draft.data["target"]
    lines.append(f"description = {toml_value(f'Predicts {visible(target)}')}  # what people read of it")
    lines.append(f"owner = {toml_value(draft.team)}  # who answers for it")
    lines += _entry("task", draft.task, why)
    lines += ["", f"[{place}.gate]"]
    for key, value in draft.gate.items():
        lines += _entry(key, value, why)
    if "floors" in why:
        lines += _comment(why["floors"])
    if draft.training:
        lines += ["", f"[{place}.training]"]
    for key, value in draft.training.items():
        lines += _entry(key, value, why)
    lines += ["", f"[{place}.data]"]
    for key, value in draft.data.items():
        lines += _entry(key, value, why)
    for remark in draft.remarks:
        lines += _comment(remark)
    return "\n".join(lines) + "\n"


def likely_targets(document: Mapping[str, Any]) -> list[str]:
    """Names of columns that may be the target, the likeliest first."""
    columns = document["columns"]
    usual = [
        column["name"]
        for wanted in _TARGETS
        for column in columns
        if column["name"].casefold() == wanted or column["name"].casefold().startswith("is_")
    ]
    few = [
        column["name"] for column in reversed(columns) if 2 <= column["distinct"] <= _MOST_NUMBERS_AS_CLASSES
    ]
    return list(dict.fromkeys([*usual, *few]))[:3]


def _without_marks(column: Mapping[str, Any]) -> Mapping[str, Any]:
    """The column less the texts in it that only mean that there is no number."""
    marks = column["marks"]
    if not marks:
        return column
    return {
        **column,
        "kind": "number",
        "distinct": column["distinct"] - len(marks),
        "examples": [text for text in column["examples"] if text not in marks],
        "values": [[text, rows] for text, rows in column["values"] if text not in marks],
    }


def _task(target: Mapping[str, Any], rows: int) -> tuple[str, str]:
    distinct = target["distinct"]
    count = f"{distinct:,}" if target["all_distinct"] else f"over {distinct - 1:,}"
    if distinct == 2:
        return "binary", "two classes"
    if target["kind"] != "number":
        return "multiclass", f"{count} classes"
    whole = all(re.fullmatch(r"-?\d+", text) for text in target["examples"])
    enough = rows >= _FEWEST_ROWS_OF_A_CLASS * distinct
    if whole and distinct <= _MOST_NUMBERS_AS_CLASSES and enough:
        return "multiclass", f'{count} different numbers; "regression" if they are a quantity'
    return "regression", f"{count} different numbers"


def _positive(target: Mapping[str, Any]) -> tuple[str, str]:
    (frequent, _), (rare, count) = target["values"]
    usual = [value for value in (frequent, rare) if value.casefold() in _POSITIVE]
    if {frequent, rare} == {"1", "2"}:
        usual = []  # codes, of which neither is the usual one
    reason = f"{frequent}: {target['values'][0][1]:,} rows, {rare}: {count:,}"
    if len(usual) == 1:
        return usual[0], f"what recall, precision and AUC are about; {reason}"
    return rare, f"the rarer one; what recall, precision and AUC are about; {reason}"


def _useless(column: Mapping[str, Any], rows: int) -> str | None:
    """Why a column is left out; None for one that may be a feature."""
    name, distinct = column["name"].casefold(), column["distinct"]
    if column["kind"] == "unsupported":
        return "holds what no model here can read"
    if column["missing"] == rows:
        return "no values"
    if distinct == 1 and not column["missing"]:
        return "the same in every row"
    if not column["all_distinct"] or distinct < rows - column["missing"] or rows < _FEWEST_KEYS:
        return None
    if name in _INDEX:
        return "counts the rows"
    if _IDENTIFIER.search(column["name"]):
        return "names single rows"
    return None


def _why_drop(drop: Mapping[str, str]) -> str:
    """`payment_id: names single rows; a, b: the same in every row`."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in drop.items():
        by_reason.setdefault(reason, []).append(name or "the column without a name")
    return "; ".join(f"{', '.join(names)}: {reason}" for reason, names in by_reason.items())


def _is_key(column: Mapping[str, Any], rows: int) -> bool:
    """Whether rows that have the same value of a column are probably about the same person or thing."""
    named = _IDENTIFIER.search(column["name"]) or column["name"].casefold() in _WHOSE
    return bool(
        named
        and column["kind"] in ("number", "category")
        and column["distinct"] >= _FEWEST_KEYS
        and rows >= _FEWEST_ROWS_OF_A_KEY * column["distinct"]
    )


def _why_key(column: Mapping[str, Any], rows: int) -> str:
    several = f"{column['distinct']:,} values in {rows:,} rows"
    return f"rows of one {column['name']} belong together: never on both sides of the split; {several}"


def _gate(
    task: str, target: Mapping[str, Any], positive: str | None
) -> tuple[dict[str, Any], dict[str, str]]:
    if task == "regression":
        reason = "the share of the spread that it explains; always answering the mean has 0"
        return {"metric": "r2", "threshold": 0.1}, {"threshold": reason}
    values = target["values"]
    total = sum(count for _, count in values)
    if not total:
        return {"metric": "accuracy", "threshold": 0.5}, {"threshold": "choose what you need"}
    (frequent, most), (rare, fewest) = values[0], values[-1]
    share = round(most / total, 2)
    constant = f"always answering {frequent!r} is right in {share:.0%}; raise it to what you need"
    if fewest >= total * min(_RARE, _RARE_OF_SEVERAL / len(values)):
        return {"metric": "accuracy", "threshold": share}, {"threshold": constant}
    rarity = f"{rare!r} is rare ({fewest / total:.1%}): accuracy would praise a model that never finds it"
    if task == "binary":
        floor = f"floors.recall = 0.5  # at least every second {positive!r} is found; to be asked for later"
        chance = "chance has 0.5; raise it to what you need"
        weights = f"else nearly every answer is {frequent!r}"
        why = {"metric": rarity, "threshold": chance, "floors": floor, "class_weights": weights}
        return {"metric": "auc", "threshold": 0.6}, why
    floor = f"floors.recall.{toml_value(rare)} = 0.5  # at least every second {rare!r} is found"
    why = {"metric": rarity, "threshold": constant, "floors": floor}
    return {"metric": "weighted_f1", "threshold": share}, why


def _joined(there: Any, more: Any) -> Any:
    if isinstance(there, list) and isinstance(more, list):
        return [*there, *(one for one in more if one not in there)]
    if isinstance(there, Mapping) and isinstance(more, Mapping):
        return {**there, **more}
    return more


def _entry(key: str, value: Any, why: Mapping[str, str]) -> Iterator[str]:
    """A key with its reason: behind it where both fit into a line, else above it."""
    line = f"{key} = {toml_value(value)}"
    reason = visible(why.get(key, ""))
    if reason and len(line) + len(reason) + 4 <= _WIDTH:
        yield f"{line}  # {reason}"
        return
    if reason:
        yield from _comment(reason)
    if len(line) <= _WIDTH or not isinstance(value, list):
        yield line
        return
    yield f"{key} = ["
    yield from (f"    {toml_value(one)}," for one in value)
    yield "]"


def _comment(text: str) -> list[str]:
    return textwrap.wrap(
        visible(text), _WIDTH, initial_indent="# ", subsequent_indent="# ", break_long_words=False
    )
