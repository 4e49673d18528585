"""One endpoint of the local SageMaker for each module, and an artifact with a really trained model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hosting_place import Place, pack

from sagemaker_local import endpoint

TRAINING = Path(__file__).resolve().parents[3] / "training"


@pytest.fixture(scope="session")
def artifact() -> bytes:
    """A model on two columns, with the project's own inference script: positive for what is above 0.5."""
    import numpy as np
    import xgboost as xgb

    numbers = np.linspace(0, 1, 200, dtype=np.float32)
    matrix = np.column_stack((numbers, np.arange(200, dtype=np.float32) % 2))
    data = xgb.DMatrix(matrix, label=(numbers > 0.5).astype(np.float32), feature_names=["size", "colour"])
    booster = xgb.train({"objective": "binary:logistic", "max_depth": 2}, data, num_boost_round=5)
    schema = {
        "version": 1,
        "task": "binary",
        "target": "label",
        "classes": ["no", "yes"],
        "positive_class": "yes",
        "source_columns": ["size", "colour", "label"],
        "header": True,
        "delimiter": ",",
        "missing_values": ["", "NA"],
        "features": [
            {"name": "size", "kind": "number"},
            {"name": "colour", "kind": "category", "categories": ["blue", "red"]},
        ],
        "rows": {"train": 200, "validation": 0, "test": 0},
    }
    return pack(
        {
            "model.ubj": bytes(booster.save_raw("ubj")),
            "schema.json": json.dumps(schema).encode(),
            **{
                f"code/{name}": (TRAINING / name).read_bytes()
                for name in (
                    "inference.py",
                    "explanations.py",
                    "request_rows.py",
                    "csv_rows.py",
                    "feature_encoding.py",
                    "notation.py",
                    "dates.py",
                    "scale.py",
                )
            },
        }
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hosting") / "home"


@pytest.fixture(scope="module")
def place(home: Path) -> Iterator[Place]:
    """Every test uses names of its own."""
    with endpoint.start(home) as running:
        yield Place(running.url)
