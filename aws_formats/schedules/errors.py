"""The error of this package, apart so that each of its modules can raise it."""

from __future__ import annotations


class ExpressionError(ValueError):
    """What is wrong with an expression and what is allowed: a phrase without a full stop."""
