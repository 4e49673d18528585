"""The columns that the settings name, checked against those that the data has, and what each is for.

A target that the data does not have is often there all the same, between quotes of another kind, or the file
has no header: the remedy says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from dataset_settings import EVERY_COLUMN, DatasetSettings, InputError, which_one
from settings_lines import toml_text

_FOLDERS_SHOWN = 4
_QUOTES = ("''", "``", '""', "\u201c\u201d", "\u2018\u2019")  # each an opening and a closing one
VALUE = re.compile(
    r"[+-]?[0-9]*[.,]?[0-9]+([eE][+-]?[0-9]+)?|[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}([ T].*)?|"
    r"NA|N/A|NaN|nan|null|NULL|None|\?|true|false|True|False|TRUE|FALSE"
)
"""A name of a column that is rather a value."""


def check_columns(
    settings: DatasetSettings,
    source_columns: Sequence[str],
    where: str,
    values_in_header: Sequence[str] = (),
    folders: Sequence[str] = (),
) -> tuple[str, ...]:
    """Check every column that the settings name, and choose the features, in source order.

    Without ``features`` in the settings these are all columns but the target, the key and the dropped ones.

    Raises:
        InputError: a named column is not in the data, or no feature is left.
    """
    for error in column_errors(settings, source_columns, where, values_in_header, folders):
        raise error
    features = choose_features(settings, source_columns)
    if not features:
        raise no_feature_left(settings, source_columns, where)
    return features


def no_feature_left(settings: DatasetSettings, source_columns: Sequence[str], where: str) -> InputError:
    """The error for data in which nothing but the target, the key and dropped columns is found."""
    if set(source_columns) <= {settings.target, settings.key}:
        remedy = "Give a file with other columns, too, or name the delimiter"
        return InputError("no feature is left", where=where, remedy=remedy)
    remedy = "Drop fewer columns, or give a file with others"
    return InputError("no feature is left", where=where, remedy=remedy, key="drop")


def choose_features(settings: DatasetSettings, source_columns: Sequence[str]) -> tuple[str, ...]:
    """The columns that the model sees, in source order."""
    left_out = {settings.target, *settings.drop}
    if settings.features is None:
        left_out.add(settings.key or settings.target)
    wanted = source_columns if settings.features is None else settings.features
    return tuple(name for name in source_columns if name in wanted and name not in left_out)


def column_errors(
    settings: DatasetSettings,
    source_columns: Sequence[str],
    where: str,
    values_in_header: Sequence[str] = (),
    folders: Sequence[str] = (),
) -> Iterator[InputError]:
    """An error for each column that the settings name and the data does not have, or that they give two
    roles.

    Args:
        values_in_header: texts of the first line that are values of their columns, too.
        folders: the names of folders that may be the classes.
    """
    if settings.target not in source_columns:
        yield _no_target(
            settings.target, where, _which_target(settings, source_columns, values_in_header), folders
        )
    named = {
        "key": (settings.key,) if settings.key else (),
        "features": settings.features or (),
        "drop": settings.drop,
        "kinds": tuple(settings.kinds),
        **{
            key: tuple(name for name in notation if name != EVERY_COLUMN)
            for key, notation in (
                ("decimal", settings.decimal),
                ("thousands", settings.thousands),
                ("date_format", settings.date_format),
            )
        },
        "slices": settings.slices,
    }
    for key, names in named.items():
        for name in names:
            if name not in source_columns:
                yield InputError(
                    f"{key} names a column {name!r} that the data does not have",
                    where=where,
                    remedy=which_one(name, source_columns),
                    key=key,
                    value=name,
                )
    for key in ("key", "features", "drop"):
        if settings.target in named[key]:
            yield InputError(
                f"{key} names the target {settings.target!r}",
                remedy="Take it out",
                key=key,
                value=settings.target,
            )


def _no_target(target: str, where: str, remedy: str, folders: Sequence[str]) -> InputError:
    what = f"there is no target column {target!r}"
    if not folders or not remedy.startswith("There are"):
        return InputError(what, where=where, remedy=remedy, key="target", value=target)
    shown = folders[:_FOLDERS_SHOWN]
    more = " and so on" if len(folders) > len(shown) else ""
    return InputError(
        f"{what}, and the files lie in folders named {', '.join(map(repr, shown))}{more}",
        remedy="If the folders are the classes, rename them to "
        f"{', '.join(f'{target}={name}' for name in shown)}{more}",
        key="target",
    )


def _which_target(settings: DatasetSettings, columns: Sequence[str], values_in_header: Sequence[str]) -> str:
    """The remedy for a target that is no column: it may stand between quotes, or the file has no header."""
    for opening, closing in _QUOTES:
        if opening + settings.target + closing not in columns:
            continue
        if opening != closing:
            return f"Its names stand between {opening} and {closing}: write simple quotation marks"
        return f"Its names stand between {opening}: set quote = {toml_text(opening)}"
    remedy = which_one(settings.target, columns)
    values = [name for name in columns if VALUE.fullmatch(name)] or values_in_header
    if not values or not remedy.startswith("There are"):
        return remedy
    return (
        f"Its first line holds {values[0]!r}: if that is a value, the file has no header; set header = "
        f"false and give all {len(columns)} names in columns. If these are names: there{remedy[5:]}"
    )
