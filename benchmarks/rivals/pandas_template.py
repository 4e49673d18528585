"""Preprocessing as the common pipeline template does it: pandas, scikit-learn's ColumnTransformer, to_csv.

usage: python pandas_template.py CSV OUTPUT_FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

source, output = sys.argv[1], Path(sys.argv[2])
frame = pd.read_csv(source)
label = (frame.pop("label") == "yes").astype(int)
numeric = list(frame.select_dtypes(include="number").columns)
text = [name for name in frame.columns if name not in numeric]
transform = ColumnTransformer(
    [
        ("number", Pipeline([("fill", SimpleImputer()), ("scale", StandardScaler())]), numeric),
        (
            "text",
            Pipeline(
                [
                    ("fill", SimpleImputer(strategy="most_frequent")),
                    ("encode", OneHotEncoder(handle_unknown="ignore", sparse_output=False)),
                ]
            ),
            text,
        ),
    ]
)
rows = np.concatenate([label.to_numpy()[:, None], transform.fit_transform(frame)], axis=1)
np.random.default_rng(0).shuffle(rows)
train, validation, test = np.split(rows, [int(0.7 * len(rows)), int(0.85 * len(rows))])
output.mkdir(parents=True, exist_ok=True)
for name, part in (("train", train), ("validation", validation), ("test", test)):
    pd.DataFrame(part).to_csv(output / f"{name}.csv", header=False, index=False)
