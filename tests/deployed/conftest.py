"""What programs of others find here: a local SageMaker that is kept up."""

from __future__ import annotations

from kept_up import kept_up as kept_up
