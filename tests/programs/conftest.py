"""The programs' folders on the path, as each has its own inside a container, and runs that tests share."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

HERE = Path(__file__).resolve().parent
for _folder in (
    HERE,
    *(HERE.parents[1] / name for name in ("processing", "training", "evaluation", "monitoring")),
):
    if str(_folder) not in sys.path:
        sys.path.append(str(_folder))

from program_runs import Finished, Prepared, as_csv, lay_out, mixed_rows, run_all_once  # noqa: E402


@pytest.fixture(autouse=True)
def _nothing_compiled_in_shared_artifacts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests import the serving code of artifacts that others compare file by file."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)


@pytest.fixture
def prepare(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Prepared]:
    """Runs preprocess.py's `main` in this process over the data and settings given."""
    import preprocess

    def run(
        data: Mapping[str, bytes | str | pa.Table] | bytes | str | pa.Table,
        *,
        folder: str = "opt-ml",
        hosts: Sequence[str] = (),
        current: str = "",
        **settings: Any,
    ) -> Prepared:
        if not isinstance(data, Mapping):
            data = {"data.parquet" if isinstance(data, pa.Table) else "data.csv": data}
        settings = {"task": "binary", "target": "y", **settings}
        opt_ml = lay_out(tmp_path / folder, data, settings)
        if hosts:
            config = opt_ml / "config" / "resourceconfig.json"
            config.parent.mkdir(exist_ok=True)
            config.write_text(json.dumps({"current_host": current, "hosts": list(hosts)}))
        capsys.readouterr()
        code = preprocess.main(["--opt-ml", str(opt_ml)])
        printed = capsys.readouterr()
        message = (opt_ml / "output" / "message").read_text()
        return Prepared(code, message, printed.out, printed.err, opt_ml)

    return run


@pytest.fixture(scope="session")
def tumors(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """The binary task end to end: the breast cancer data that scikit-learn carries."""
    data = load_breast_cancer()
    rows = [[*values, data.target_names[label]] for values, label in zip(data.data, data.target, strict=True)]
    text = as_csv([*map(str, data.feature_names), "diagnosis"], rows)
    settings = {"task": "binary", "target": "diagnosis", "positive_class": "malignant"}
    hyperparameters = {"num_round": "60", "eta": "0.2", "max_depth": "3", "early_stopping_rounds": "10"}
    return run_all_once(tmp_path_factory, "tumors", text, settings, hyperparameters)


@pytest.fixture(scope="session")
def wines(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """The multiclass task end to end: the wine data that scikit-learn carries, three cultivars."""
    data = load_wine()
    rows = [[*values, int(label)] for values, label in zip(data.data, data.target, strict=True)]
    text = as_csv([*map(str, data.feature_names), "cultivar"], rows)
    hyperparameters = {"num_round": "20", "eta": "0.3", "max_depth": "3", "class_weights": "balanced"}
    return run_all_once(
        tmp_path_factory, "wines", text, {"task": "multiclass", "target": "cultivar"}, hyperparameters
    )


@pytest.fixture(scope="session")
def progression(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A regression end to end: the progression of diabetes that scikit-learn carries."""
    data = load_diabetes(scaled=False)
    rows = [[*values, target] for values, target in zip(data.data, data.target, strict=True)]
    text = as_csv([*data.feature_names, "progression"], rows)
    hyperparameters = {"num_round": "200", "eta": "0.05", "max_depth": "3", "early_stopping_rounds": "10"}
    return run_all_once(
        tmp_path_factory,
        "progression",
        text,
        {"task": "regression", "target": "progression"},
        hyperparameters,
        {"metric": "rmse", "threshold": 1000.0},
    )


@pytest.fixture(scope="session")
def shops(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A binary task with every kind of column, and one that is dropped."""
    header, rows = mixed_rows(1500)
    text = as_csv(["row", *header], [[n, *row] for n, row in enumerate(rows)])
    settings = {"task": "binary", "target": "y", "positive_class": "yes", "drop": ["row"]}
    return run_all_once(tmp_path_factory, "shops", text, settings, {"num_round": "30", "max_depth": "4"})
