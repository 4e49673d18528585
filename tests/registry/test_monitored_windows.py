"""Which captured requests belong to a window."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

import pytest

from aws_formats.errors import GatehouseError
from registry.monitored_windows import end_of_now, window_of
from sagemaker_local.hosting.capture import utc


def test_a_window_until_now_holds_what_was_just_answered() -> None:
    """Captures say whole seconds, so that the answer of a moment ago and its end can be the same second."""
    answered = datetime.fromisoformat(utc(time.time()))
    end = end_of_now()
    window = window_of(1, end, end)
    assert window.start <= answered < window.end


def test_a_window_that_ends_in_the_future_is_refused_since_it_would_stay_the_newest() -> None:
    now = end_of_now()
    with pytest.raises(GatehouseError, match="cannot end at 2999-01-01T00:00Z, which has not come yet"):
        window_of(24, now, "2999-01-01T00:00Z")
    # The machine that names an end and the one that knows when the execution began have clocks of their own.
    ahead = datetime.fromisoformat(now) + timedelta(minutes=1)
    assert window_of(24, now, ahead.isoformat()).end == ahead
