"""One module for each Lambda function; ``handle(event, context)`` is the entry point of every one.

Each returns what it did as one line, and prints it, since Lambda logs what is printed and drops what is
returned. An exception makes Lambda try again, and then puts the event into the dead-letter queue, which
raises the alarm.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

Handler = Callable[[dict[str, Any], object], str]


def logged(handle: Handler) -> Handler:
    """The handler, made to print what it did as well."""

    @functools.wraps(handle)
    def handle_and_print(event: dict[str, Any], context: object) -> str:
        done = handle(event, context)
        print(done)
        return done

    return handle_and_print
