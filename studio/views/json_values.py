"""Values of a JSON document that anybody can have written: what is of another kind counts as absent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from registry.model_quality import finite_number


def table(value: Any) -> Mapping[str, Any]:
    """An object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    """A list; an empty one for anything else."""
    return value if isinstance(value, list) else []


def numbers(value: Any) -> tuple[float, ...] | None:
    """A list of finite numbers; None for anything else."""
    found = [finite_number(one) for one in value] if isinstance(value, list) else [None]
    known = tuple(one for one in found if one is not None)
    return known if len(known) == len(found) else None


def counts(value: Any) -> tuple[int, ...] | None:
    """A list of whole numbers that are not negative; None for anything else."""
    found = numbers(value)
    if found is None or not all(one >= 0 and one == int(one) for one in found):
        return None
    return tuple(int(one) for one in found)
