"""One module for each Lambda function; ``handle(event, context)`` is the entry point of every one.

Those of events return what they did as one line. They print it and which event they were given, since Lambda
logs what is printed and drops what is returned. An exception makes Lambda try again, and then puts the event
into the dead-letter queue, which raises the alarm. ``query_data`` and those whose names begin with
``find`` are called by the pipeline itself and return the outputs of its step; an exception fails the step.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

Result = TypeVar("Result", str, dict[str, str])


def logged(handle: Callable[[dict[str, Any], object], Result]) -> Callable[[dict[str, Any], object], Result]:
    """The handler, made to print its event's type and subject and what it did as well."""

    @functools.wraps(handle)
    def handle_and_print(event: dict[str, Any], context: object) -> Result:
        if "detail-type" in event:
            subjects = [arn.split(":", 5)[-1] for arn in event.get("resources", ())]
            print(f"Event: {event['detail-type']}; {', '.join(subjects)}")
        done = handle(event, context)
        print(done)
        return done

    return handle_and_print
