"""How fast, as ratios: each figure compares two ways of doing the same work in one run on one machine.

`python -m benchmarks` runs all of them, `python -m benchmarks NAME` one. Absolute times are printed
for orientation only; what is claimed anywhere is a ratio and names the command that prints it.
"""

import sys
from pathlib import Path

# The programs of the containers import each other by their bare names, as they do there.
sys.path.extend(str(Path(__file__).resolve().parents[1] / name) for name in ("evaluation", "monitoring"))
