"""The split in DuckDB: one pass over the file, a folder for each part, in whatever order its threads write.

usage: python duckdb_split.py CSV OUTPUT_FOLDER
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import duckdb

source, output = sys.argv[1], Path(sys.argv[2])
output.parent.mkdir(parents=True, exist_ok=True)
connection = duckdb.connect(
    config={"threads": len(os.sched_getaffinity(0)), "preserve_insertion_order": False}
)
connection.read_csv(source).create_view("source")
connection.execute(
    f"""
    COPY (
        SELECT * EXCLUDE (place),
            CASE WHEN place < 700 THEN 'train' WHEN place < 850 THEN 'validation' ELSE 'test' END AS part
        FROM (SELECT *, (n17 * 69621 + n18 * 48271 + n19 * 16807) % 1000 AS place FROM source)
    ) TO '{output}' (FORMAT parquet, PARTITION_BY (part))
    """
)
