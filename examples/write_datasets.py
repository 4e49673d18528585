"""Writes the example data sets out of scikit-learn, which carries them: run it to get the same bytes.

    python examples/write_datasets.py

The CSVs are committed, so nobody needs this to run the pipeline; it is here to show where they come
from. Columns are renamed to plain identifiers and classes to words; no value is changed.
"""

from __future__ import annotations

import csv
from pathlib import Path

from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits

HERE = Path(__file__).resolve().parent
PLAIN_NAMES = {
    "bmi": "body_mass_index",
    "bp": "blood_pressure",
    "s1": "total_cholesterol",
    "s2": "low_density_lipoproteins",
    "s3": "high_density_lipoproteins",
    "s4": "cholesterol_ratio",
    "s5": "log_triglycerides",
    "s6": "blood_sugar",
}


def write(path: Path, header: list[str], rows: list[list[object]]) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
    print(f"{path.relative_to(HERE)}: {len(rows)} rows, {len(header)} columns")


def main() -> None:
    tumors = load_breast_cancer()
    write(
        HERE / "tumor-diagnosis" / "wdbc.csv",
        [str(name).replace(" ", "_") for name in tumors.feature_names] + ["diagnosis"],
        [
            [*map(float, features), str(tumors.target_names[target])]
            for features, target in zip(tumors.data, tumors.target, strict=True)
        ],
    )
    digits = load_digits()
    write(
        HERE / "handwritten-digits" / "digits.csv",
        [*map(str, digits.feature_names), "digit"],
        [
            [*map(int, features), int(target)]
            for features, target in zip(digits.data, digits.target, strict=True)
        ],
    )
    diabetes = load_diabetes(scaled=False)
    write(
        HERE / "diabetes-progression" / "diabetes.csv",
        [*(PLAIN_NAMES.get(name, name) for name in diabetes.feature_names), "progression"],
        [
            [*map(float, features), int(target)]
            for features, target in zip(diabetes.data, diabetes.target, strict=True)
        ],
    )


if __name__ == "__main__":
    main()
