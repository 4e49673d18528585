"""How many requests an endpoint refused, told by its metrics: the captures hold only those it answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from drift import Counted, Reference
from past_windows import PastWindow

REFUSED = "(refused requests)"
"""The column that stands for them; a request that was refused counts as one without a value."""


def refused_now(window: Mapping[str, Any]) -> Counted | None:
    """Of a window, by the endpoint's metrics; None where they are not known."""
    invocations, refused = window.get("invocations"), window.get("refused")
    if not invocations or refused is None:
        return None
    return Counted(np.array([max(int(invocations) - int(refused), 0)]), int(refused))


def refused_reference(past: Sequence[PastWindow]) -> Reference | None:
    """What was usual in the past windows; the version itself has no such number."""
    known = [one for one in past if one.invocations and one.refused is not None]
    if not known:
        return None
    refused = sum(one.refused or 0 for one in known)
    accepted = sum(one.invocations or 0 for one in known) - refused
    return Reference(np.array([accepted]), accepted, refused)
