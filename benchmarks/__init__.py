"""How fast, as ratios: each figure compares two ways of doing the same work in one run on one machine.

`python -m benchmarks` runs all of them, `python -m benchmarks NAME` one. Absolute times are printed
for orientation only; what is claimed anywhere is a ratio and names the command that prints it.
"""
