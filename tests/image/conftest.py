"""The folders of the tests' own modules on the path."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
for _folder in (HERE, HERE.parent / "programs"):
    if str(_folder) not in sys.path:
        sys.path.append(str(_folder))
