"""The least work that splits a CSV into Parquet: read, hash, filter, write. It checks and reports nothing.

usage: python pyarrow_loop.py CSV OUTPUT_FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

source, output = sys.argv[1], Path(sys.argv[2])
reader = pa.csv.open_csv(source, pa.csv.ReadOptions(block_size=4 << 20))
parts = (("train", 0.0, 0.70), ("validation", 0.70, 0.85), ("test", 0.85, 1.0))
writers = {}
for name, _, _ in parts:
    (output / name).mkdir(parents=True)
    writers[name] = pa.parquet.ParquetWriter(output / name / "part.parquet", reader.schema)
for batch in reader:
    # One multiplicative hash over two numeric columns: enough to cost what a split by hash must cost.
    key = np.nan_to_num(batch.column("n1").to_numpy(zero_copy_only=False)).view(np.uint64)
    key = key ^ np.nan_to_num(batch.column("n2").to_numpy(zero_copy_only=False)).view(np.uint64)
    key = (key ^ (key >> np.uint64(32))) * np.uint64(0x9E3779B97F4A7C15)
    place = (key >> np.uint64(11)) / float(1 << 53)
    for name, low, high in parts:
        writers[name].write_batch(batch.filter(pa.array((place >= low) & (place < high))))
for writer in writers.values():
    writer.close()
