"""`python -m pipelines` is the `gatehouse` command, for a machine where the script is not on PATH."""

from __future__ import annotations

import sys

from pipelines.commands import main

if __name__ == "__main__":
    sys.exit(main())
