"""What the data or the settings of an analysis say wrongly: its text becomes the job's FailureReason."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager


class InputError(Exception):
    """In one line: what is wrong, where, and what to do."""


@contextmanager
def of_the_form(what: str) -> Iterator[None]:
    """For reading a baseline's document, which people edit: what it lacks is an :class:`InputError`.

    The log has the traceback, too.
    """
    try:
        yield
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as problem:
        traceback.print_exc()
        raise InputError(f"{what} is not of Model Monitor's form: {problem!r}") from problem
