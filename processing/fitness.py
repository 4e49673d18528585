"""Whether what was counted is fit for training: the target, and a value for every feature.

The counts of the one pass over the rows (``rows``) come in, the class names in the order of ``schema.json``
or an :class:`InputError` goes out. Only for the remedy of an error are the rows read again (``seeds``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from column_types import KIND_OF
from dataset_settings import PARTS, DatasetSettings, InputError, columns_in_words, which_one
from rows import Counts, Plan
from seeds import deciding_sums, seed_for_all
from settings_lines import list_line, table_line
from small_classes import MOST_ROWS
from target_quantity import likely_quantity

_CLASSES_SHOWN = 10
_FEW_CLASSES = 10
_FEWEST_ROWS_OF_A_CLASS = 5  # on average
_YEAR_1, _YEAR_9999 = -62_135_596_800, 253_402_300_799  # in seconds since 1970


def check_counts(plan: Plan, counts: Counts) -> list[str]:
    """The names of the classes; for a binary task the negative one, then the positive one; none for a
    regression.

    Raises:
        InputError: the classes are not those of the task, one of them is absent from a part, one that the
            gate has a floor for is absent altogether, the target of a regression never varies, a part is
            empty, or a feature has no value in the training part.
    """
    settings = plan.settings
    if not sum(counts.rows.values()):
        raise InputError(f"no row has a value in the target {settings.target!r}", remedy="Give labelled rows")
    classes: list[str] = []
    if settings.is_regression:
        _check_numbers(plan, counts)
    else:
        classes = _class_names(settings, counts)
        _check_floors(settings, classes)
        _check_every_part(plan, counts, classes)
    valueless = [name for name in plan.features if not counts.quality.present(name)]
    if valueless:
        raise InputError(
            f"{columns_in_words(valueless, 'has', 'have')} no value in any row of the training part",
            remedy=f"Set {list_line('drop', settings.drop, valueless)}, or correct missing_values",
        )
    beyond = [name for name in plan.features if not _in_the_calendar(name, plan, counts)]
    if beyond:
        raise InputError(
            f"{columns_in_words(beyond, 'holds', 'hold')} times outside the years 1 to 9999, probably "
            "written in another unit",
            remedy=f"Write {'them' if len(beyond) > 1 else 'it'} again, "
            f"or set {list_line('drop', settings.drop, beyond)}",
        )
    return classes


def _in_the_calendar(name: str, plan: Plan, counts: Counts) -> bool:
    """Parquet's times reach further than any calendar; one that does, too, was written in another unit."""
    if KIND_OF[plan.types[name]] != "timestamp":
        return True
    column = counts.quality.numbers[name]
    return _YEAR_1 <= column.lowest <= column.highest <= _YEAR_9999


def _check_numbers(plan: Plan, counts: Counts) -> None:
    settings = plan.settings
    empty = [part for part, rows in counts.rows.items() if not rows]
    if empty:
        rows, seed = sum(counts.rows.values()), seed_for_all(plan, deciding_sums(plan, counts), {})
        raise InputError(
            f"of {rows} rows none fell into {' and '.join(empty)} ({_together(settings)} share a part)",
            remedy="Give more rows"
            if seed is None
            else f"Give more rows, or set seed = {seed} in the data table",
        )
    target = counts.quality.numbers[settings.target]
    if target.lowest == target.highest:
        raise InputError(
            f"the target {settings.target!r} is {target.lowest:g} in every row of the training part",
            remedy="Give rows with other values, or name another target",
        )


def _class_names(settings: DatasetSettings, counts: Counts) -> list[str]:
    target = settings.target
    names = _in_order({name for part in counts.classes.values() for name in part})
    if len(names) == 1:
        raise InputError(
            f"the target {target!r} has one class only, {names[0]!r}",
            remedy="Give rows of another class, too",
        )
    if settings.task != "binary":
        return names
    shown = ", ".join(map(repr, names[:_CLASSES_SHOWN])) + (", ..." if len(names) > _CLASSES_SHOWN else "")
    if len(names) > 2:
        raise likely_quantity(settings, names, sum(counts.rows.values())) or InputError(
            f"the task is binary, but the target {target!r} has {len(names)} classes: {shown}",
            remedy='Set task = "multiclass", or leave out the rows of all but two',
        )
    if settings.positive_class is None:
        return names
    positive = next((name for name in names if _same_class(name, settings.positive_class)), None)
    if positive is None:
        raise InputError(
            f"positive_class is {settings.positive_class!r}, but the target {target!r} has {shown}",
            remedy="Set positive_class to one of them",
            key="positive_class",
            value=settings.positive_class,
        )
    return [name for name in names if name != positive] + [positive]


def _check_floors(settings: DatasetSettings, classes: Sequence[str]) -> None:
    absent = [name for name in settings.floor_classes if name not in classes]
    if absent:
        raise InputError(
            f"the gate has floors for {', '.join(map(repr, absent))}, no class of the target "
            f"{settings.target!r}",
            remedy=which_one(absent[0], classes),
            key="floor_classes",
        )


def _check_every_part(plan: Plan, counts: Counts, classes: Sequence[str]) -> None:
    settings = plan.settings
    totals = {name: sum(part.get(name, 0) for part in counts.classes.values()) for name in classes}
    lacking = {
        name: parts
        for name in classes
        if (parts := [part for part in PARTS if name not in counts.classes[part]])
    }
    if not lacking:
        return
    error = likely_quantity(settings, classes, sum(totals.values())) or _names_rows(settings, totals, lacking)
    if error:
        raise error
    name, parts = next(iter(lacking.items()))
    more = f"; {len(lacking)} classes are absent from a part" if len(lacking) > 1 else ""
    raise InputError(
        f"class {name!r} of the target {settings.target!r} is too rare: of its {totals[name]:,} rows "
        f"none fell into {' and '.join(parts)} ({_together(settings)} share a part){more}",
        remedy=_more_of_a_class(plan, counts, list(lacking), totals),
    )


def _names_rows(
    settings: DatasetSettings, totals: Mapping[str, int], lacking: Collection[str]
) -> InputError | None:
    """The error for a target most of whose many classes have hardly any rows."""
    rows = sum(totals.values())
    if len(lacking) <= _FEW_CLASSES or rows >= _FEWEST_ROWS_OF_A_CLASS * len(totals):
        return None
    return InputError(
        f"the target {settings.target!r} holds {len(totals):,} different texts in {rows:,} rows, most of "
        "them too rare to be classes",
        remedy="Name another target, or group its values into classes",
    )


def _more_of_a_class(plan: Plan, counts: Counts, lacking: Sequence[str], totals: Mapping[str, int]) -> str:
    """What brings the classes that a part is without into every part."""
    settings, sums = plan.settings, deciding_sums(plan, counts)
    few = [name for name in lacking if len(sums[name]) < len(PARTS)]
    merged = _merged(settings, lacking, totals)
    if few:
        wanted = "rows of three different keys" if settings.key else "three different rows"
        return f"Give {wanted} of {'it' if len(lacking) == 1 else repr(few[0])} at least{merged}"
    if (
        settings.stratify is False
        and settings.key is None
        and all(totals[one] <= MOST_ROWS for one in lacking)
    ):
        return f"Take stratify = false out{merged}"
    seed = seed_for_all(plan, sums, totals)
    if seed is not None:
        return f"Set seed = {seed} in the data table, by which every class is in every part{merged}"
    return f"Give more {'keys' if settings.key else 'different rows'} of {lacking[0]!r}{merged}"


def _merged(settings: DatasetSettings, lacking: Sequence[str], totals: Mapping[str, int]) -> str:
    """The line that merges these classes with another one, where two remain."""
    others = [name for name in totals if name not in lacking]
    if len(others) < 2:
        return ""
    into = max(others, key=lambda other: (totals[other], other))
    already = {old: into if new in lacking else new for old, new in settings.class_names.items()}
    line = table_line("class_names", already, dict.fromkeys(lacking, into))
    return f", or merge {'it' if len(lacking) == 1 else 'them'} with another class, as {line} does"


def _together(settings: DatasetSettings) -> str:
    return "rows of one key" if settings.key else "identical rows"


def _in_order(names: set[str]) -> list[str]:
    """By number where all are numbers, else by the alphabet."""
    try:
        return sorted(names, key=lambda name: (float(name), name))
    except ValueError:
        return sorted(names)


def _same_class(name: str, wanted: str) -> bool:
    if name == wanted:
        return True
    try:
        return float(name) == float(wanted)
    except ValueError:
        return wanted.lower() == name and name in ("true", "false")
