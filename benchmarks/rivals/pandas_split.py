"""The split in pandas: all of the file in memory, with pyarrow's reader, and a Parquet file for each part.

usage: python pandas_split.py CSV OUTPUT_FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

source, output = sys.argv[1], Path(sys.argv[2])
frame = pd.read_csv(source, engine="pyarrow")
place = (frame["n17"] * 69621 + frame["n18"] * 48271 + frame["n19"] * 16807) % 1000
texts = list(frame.select_dtypes(exclude="number").columns)
for name, low, high in (("train", 0, 700), ("validation", 700, 850), ("test", 850, 1000)):
    (output / name).mkdir(parents=True)
    part = frame[(place >= low) & (place < high)]
    part.to_parquet(output / name / "part.parquet", index=False, use_dictionary=texts)
