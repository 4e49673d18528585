"""The split in Polars: its streaming engine reads once and writes a folder for each part, unordered.

usage: python polars_split.py CSV OUTPUT_FOLDER
"""

from __future__ import annotations

import sys

import polars as pl

source, output = sys.argv[1:]
place = (pl.col("n17") * 69621 + pl.col("n18") * 48271 + pl.col("n19") * 16807) % 1000
part = pl.when(place < 700).then(pl.lit("train"))
part = part.when(place < 850).then(pl.lit("validation")).otherwise(pl.lit("test"))
pl.scan_csv(source).with_columns(part.alias("part")).sink_parquet(
    pl.PartitionBy(output, key="part", include_key=False),
    compression="snappy",  # as the others
    maintain_order=False,
    mkdir=True,
)
