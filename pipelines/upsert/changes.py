"""What differs between two definitions, in words: by step and argument.

The words are for people who decide whether to go on: a parameter's default, a piece of code by its
digest, an argument by its path.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from itertools import takewhile
from typing import Any

from aws_formats.definition_language import ParameterReference, all_steps, references

_CONTENT_NAMED = re.compile(r"s3://[^/]+/[^/]+/(code|settings|gate)/([0-9a-f]{16})/")
_CODE_OF = {
    **dict.fromkeys(("ProfileData", "SplitData", "PreprocessData"), "processing"),
    "TrainModel": "training",
    "TuneModel": "training",
    "EvaluateModel": "evaluation",
}
_ABSENT = object()
_LONGEST = 120
"""Characters of a value in a line."""

_BEFORE = 20
"""Characters that two long values share, shown before those that differ."""


def describe_changes(live: Mapping[str, Any], wanted: Mapping[str, Any]) -> tuple[str, ...]:
    """Each difference in one line, in the order of the definition.

    Args:
        live, wanted: definition documents, parsed.
    """
    return (*_parameter_changes(live, wanted), *_step_changes(live, wanted), *_other_changes(live, wanted))


def arguments_in_words(step: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Each difference between two sets of a step's arguments, in one line without the step's name."""
    return [_in_words(step, path, before, after) for path, before, after in _differences(old, new, "")]


def _parameter_changes(live: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    before = {item["Name"]: item for item in live.get("Parameters", ())}
    after = {item["Name"]: item for item in wanted.get("Parameters", ())}
    for name in _names_in_order(before, after):
        users = _steps_using(live if name not in after else wanted, name)
        if name not in after:
            yield f"{users}: parameter {name} removed"
        elif name not in before:
            yield f"{users}: parameter {name} added, default {_value_text(after[name].get('DefaultValue'))}"
        else:
            for path, old, new in _differences(before[name], after[name], ""):
                word = {"DefaultValue": "default", "EnumValues": "allowed values"}.get(path, path)
                yield f"{users}: {name} {word} {_both(old, new)}"


def _step_changes(live: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    before, after = _by_name(live), _by_name(wanted)
    for name in _names_in_order(before, after):
        if name not in after:
            yield f"{name}: step removed"
        elif name not in before:
            yield f"{name}: step added"
        else:
            for path, old, new in _differences(
                _without_inner_steps(before[name]), _without_inner_steps(after[name]), ""
            ):
                yield f"{name}: {_in_words(name, path, old, new)}"


def _other_changes(live: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    for path, old, new in _differences(_others(live, wanted), _others(wanted, live), ""):
        yield f"the pipeline: {path} {_both(old, new)}"


def _others(document: Mapping[str, Any], compared: Mapping[str, Any]) -> dict[str, Any]:
    """All but parameters and steps; null counts as an empty object where the other document has an object."""
    return {
        key: {} if value is None and isinstance(compared.get(key), dict) else value
        for key, value in document.items()
        if key not in ("Parameters", "Steps")
    }


def _in_words(step: str, path: str, old: Any, new: Any) -> str:
    olds, news = (_CONTENT_NAMED.fullmatch(value) if isinstance(value, str) else None for value in (old, new))
    if olds and news and olds[1] == news[1] and olds[2] != news[2]:
        code = f"{_CODE_OF.get(step, 'its')} code"
        what = {"code": code, "settings": "data settings", "gate": "gate settings"}[olds[1]]
        return f"{what} {olds[2][:8]} -> {news[2][:8]}"
    if old is _ABSENT:
        return f"{path} added: {_value_text(new)}"
    if new is _ABSENT:
        return f"{path} removed, was {_value_text(old)}"
    return f"{path} {_both(old, new)}"


def _differences(old: Any, new: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """The deepest places at which two values differ: (path, old, new)."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in _names_in_order(old, new):
            below = f"{path}.{key}" if path else key
            yield from _differences(old.get(key, _ABSENT), new.get(key, _ABSENT), below)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for position, (left, right) in enumerate(zip(old, new, strict=True)):
            yield from _differences(left, right, f"{path}[{_label(right) or position}]")
    elif isinstance(old, list) and isinstance(new, list) and max(map(len, map(_text, (old, new)))) > _LONGEST:
        yield from _differences_of_lists(old, new, path)
    elif old != new:
        yield path.removeprefix("Arguments."), old, new


def _differences_of_lists(old: list[Any], new: list[Any], path: str) -> Iterator[tuple[str, Any, Any]]:
    """What two long lists of different lengths do not share: by their entries' names, else side by side."""
    before, after = ({_label(item) or "": item for item in items} for items in (old, new))
    if "" not in {*before, *after} and (len(before), len(after)) == (len(old), len(new)):
        for name in _names_in_order(before, after):
            yield from _differences(before.get(name, _ABSENT), after.get(name, _ABSENT), f"{path}[{name}]")
        return
    lefts, rights = ([json.dumps(item, sort_keys=True) for item in items] for items in (old, new))
    for what, *(a, b, c, d) in SequenceMatcher(None, lefts, rights, autojunk=False).get_opcodes():
        if what != "equal":
            yield path.removeprefix("Arguments."), old[a:b] or _ABSENT, new[c:d] or _ABSENT


def _label(item: Any) -> str | None:
    """How AWS names an entry of a list, where it does."""
    if isinstance(item, dict):
        for key in ("InputName", "OutputName", "ChannelName", "Name", "Key"):
            if isinstance(item.get(key), str):
                return str(item[key])
    return None


def _without_inner_steps(step: Mapping[str, Any]) -> dict[str, Any]:
    """A step without the steps inside of it, which are compared by themselves."""
    arguments = step["Arguments"]
    if step["Type"] == "Condition":
        arguments = {
            **arguments,
            **{branch: [inner["Name"] for inner in arguments[branch]] for branch in ("IfSteps", "ElseSteps")},
        }
    return {**step, "Arguments": arguments}


def _steps_using(document: Mapping[str, Any], parameter: str) -> str:
    """The steps that a parameter goes into, for the head of a line."""
    names = [
        name
        for name, step in _by_name(document).items()
        if ParameterReference(parameter) in references(_without_inner_steps(step)["Arguments"])
    ]
    return ", ".join(names) or "the pipeline"


def _by_name(document: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {step["Name"]: step for step in all_steps(document["Steps"])}


def _names_in_order(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys([*second, *first]))


def _both(old: Any, new: Any) -> str:
    """Two values; of long ones that begin alike, from a little before they differ."""
    texts = [_text(old), _text(new)]
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(*texts, strict=False))
    shared = sum(1 for _ in alike) - _BEFORE
    if max(map(len, texts)) > _LONGEST and shared > _BEFORE:
        texts = [f"...{text[shared:]}" for text in texts]
    return " -> ".join(map(_value_text, texts))


def _value_text(value: Any) -> str:
    text = _text(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _text(value: Any) -> str:
    if value is _ABSENT:
        return "nothing"
    return value if isinstance(value, str) else json.dumps(value)
