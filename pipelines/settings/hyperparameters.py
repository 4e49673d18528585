"""Hyperparameters in the settings: what the training program would refuse is refused before anything runs.

What a hyperparameter may be is known to that program alone (``training/hyperparameters.py``). Preprocessing
may take hours, and a job of training is the last place where a person should learn of a misspelt name.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.settings.gate import Problem
from pipelines.settings.tables import which_one
from training.hyperparameters import PARAMETERS, parse, unfit

Value = bool | int | float | str

OF_TUNING = "tuning_metric"
"""A tuning job's own, which says it to its trainings."""


def as_text(value: Value) -> str:
    """A value as SageMaker hands it to the training program."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def problems_of_value(path: tuple[str, ...], text: str, task: str) -> Iterator[Problem]:
    """What is wrong with one value of the hyperparameter that the path ends with."""
    wrong = [*problems_of_text(path, text)]
    yield from wrong
    if not wrong:
        for _, what, remedy in unfit(parse({path[-1]: text}), task):
            yield Problem(path, what, remedy)


def problems_of_training(own: Mapping[str, Any], extra: Mapping[str, Value], task: str) -> Iterator[Problem]:
    """What is wrong with the hyperparameters of the table ``training``.

    Args:
        own: the table's keys, of which some are hyperparameters.
        extra: its table ``extra``.
    """
    known = [name for name in PARAMETERS if name not in own and name != OF_TUNING]
    unknown = [name for name in extra if name not in known]
    for name in unknown:
        what = f"there is no hyperparameter {name!r}"
        yield Problem(("training", "extra", name), what, which_one(name, known, "hyperparameters"))
    paths: dict[str, tuple[str, ...]] = {name: ("training", name) for name in own if name in PARAMETERS}
    paths |= {name: ("training", "extra", name) for name in extra if name in known}
    texts = {name: as_text({**own, **extra}[name]) for name in paths}
    wrong = [problem for name, path in paths.items() for problem in problems_of_text(path, texts[name])]
    yield from wrong
    if not wrong:
        for name, what, remedy in unfit(parse(texts), task):
            yield Problem(paths[name], what, remedy)


def problems_of_text(path: tuple[str, ...], text: str) -> Iterator[Problem]:
    """What the training program would refuse of one value, whatever the task."""
    try:
        PARAMETERS[path[-1]].check(text)
    except ValueError as error:
        yield Problem(path, f"{text} is no {path[-1]}: {error}", "Correct it")
