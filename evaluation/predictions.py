"""``predictions.json``: how the answers to the test part are spread, to compare later ones with.

``{"version": 1, "rows": n, "classes": {label: rows}, "values": [...]}``: the rows by the class that was
answered (of a regression absent), and for at most 2 048 rows a number each, in ascending order: of two
classes the probability of the positive one, of several that of the class answered (absent where there are
more than twenty classes), of a regression the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

SAMPLE_ROWS = 2048
_DIGITS = 7


def predictions_document(
    rows: int, classes: Sequence[str], predicted: np.ndarray | None, values: np.ndarray | None
) -> dict[str, Any]:
    """The document.

    Args:
        predicted: the class of each row, an index into ``classes``; None for a regression.
        values: a number for each row, float; None where there is none.
    """
    found: dict[str, Any] = {"version": 1, "rows": rows}
    if predicted is not None:
        counts = np.bincount(predicted, minlength=len(classes)).tolist()
        found["classes"] = dict(zip(classes, counts, strict=True))
    if values is not None:
        drawn = np.random.default_rng(0).permutation(rows)[:SAMPLE_ROWS]
        found["values"] = [float(f"{value:.{_DIGITS}g}") for value in np.sort(values[drawn]).tolist()]
    return found
