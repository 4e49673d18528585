"""Which captured requests belong to a window."""

from __future__ import annotations

import time
from datetime import datetime

from registry.monitored_windows import end_of_now, window_of
from sagemaker_local.hosting.capture import utc


def test_a_window_until_now_holds_what_was_just_answered() -> None:
    """Captures say whole seconds, so that the answer of a moment ago and its end can be the same second."""
    answered = datetime.fromisoformat(utc(time.time()))
    end = end_of_now()
    window = window_of(1, end, end)
    assert window.start <= answered < window.end
