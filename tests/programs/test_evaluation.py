"""evaluate.py: its metrics against scikit-learn, its errors, and archives that are not to be trusted."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from program_runs import Finished
from sklearn import metrics as scikit

TIME = "2026-01-31T12:00:00Z"
RATES = ["true_positive_rate", "true_negative_rate", "false_positive_rate", "false_negative_rate"]
WITH_TWINS = ["recall", "precision", "accuracy", "f0_5", "f1", "f2"]
BINARY = [*WITH_TWINS, *RATES, "auc"]
TWINS = [f"{name}_best_constant_classifier" for name in WITH_TWINS]


def labels_and_scores(rows: int, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    actual = (generator.random(rows) < 0.3).astype(np.int64)
    scores = np.round((actual * 0.4 + generator.random(rows)) / 1.4, 2)  # rounded: ties
    return actual, scores


def test_binary_metrics_are_those_of_scikit_learn() -> None:
    import metrics

    actual, scores = labels_and_scores(3000)
    predicted = (scores > 0.5).astype(np.int64)
    document = metrics.statistics(actual, predicted, scores, ["no", "yes"], TIME)
    assert document["version"] == 0
    assert document["dataset"] == {"item_count": 3000, "evaluation_time": TIME}
    found = document["binary_classification_metrics"]
    curves = ["receiver_operating_characteristic_curve", "precision_recall_curve"]
    assert sorted(found) == sorted(["confusion_matrix", *BINARY, *TWINS, *curves])
    expected = {
        "recall": scikit.recall_score(actual, predicted),
        "precision": scikit.precision_score(actual, predicted),
        "accuracy": scikit.accuracy_score(actual, predicted),
        "true_negative_rate": scikit.recall_score(actual, predicted, pos_label=0),
        "auc": scikit.roc_auc_score(actual, scores),
        "f0_5": scikit.fbeta_score(actual, predicted, beta=0.5),
        "f1": scikit.f1_score(actual, predicted),
        "f2": scikit.fbeta_score(actual, predicted, beta=2),
    }
    for name, value in expected.items():
        assert found[name]["value"] == pytest.approx(value, rel=1e-12), name
        assert 0 < found[name]["standard_deviation"] < 0.05
    matrix = scikit.confusion_matrix(actual, predicted)
    assert found["confusion_matrix"] == {str(a): {str(p): int(matrix[a][p]) for p in (0, 1)} for a in (0, 1)}
    majority = max(np.mean(actual), 1 - np.mean(actual))
    assert found["accuracy_best_constant_classifier"]["value"] == pytest.approx(majority)
    assert found["recall_best_constant_classifier"]["value"] == 1.0
    assert found["precision_best_constant_classifier"]["value"] == pytest.approx(np.mean(actual))
    json.dumps(document, allow_nan=False)


def test_several_classes_metrics_are_those_of_scikit_learn() -> None:
    import metrics

    generator = np.random.default_rng(5)
    actual = generator.choice(4, 2000, p=[0.5, 0.3, 0.15, 0.05])
    predicted = np.where(generator.random(2000) < 0.7, actual, generator.integers(0, 3, 2000))
    names = ["a", "b", "c", "d"]
    document = metrics.statistics(actual, predicted, None, names, TIME)
    found = document["multiclass_classification_metrics"]
    values = ["accuracy", *(f"weighted_{name}" for name in ("recall", "precision", "f0_5", "f1", "f2"))]
    assert sorted(found) == sorted(
        ["confusion_matrix", *values, *(f"{name}_best_constant_classifier" for name in values)]
    )
    options: dict[str, Any] = {"average": "weighted", "zero_division": 0}
    expected = {
        "accuracy": scikit.accuracy_score(actual, predicted),
        "weighted_recall": scikit.recall_score(actual, predicted, **options),
        "weighted_precision": scikit.precision_score(actual, predicted, **options),
        "weighted_f0_5": scikit.fbeta_score(actual, predicted, beta=0.5, **options),
        "weighted_f1": scikit.f1_score(actual, predicted, **options),
        "weighted_f2": scikit.fbeta_score(actual, predicted, beta=2, **options),
    }
    for name, value in expected.items():
        assert found[name]["value"] == pytest.approx(value, rel=1e-12), name
    constant = np.zeros_like(actual)
    assert found["weighted_f1_best_constant_classifier"]["value"] == pytest.approx(
        scikit.f1_score(actual, constant, **options)
    )
    assert found["confusion_matrix"]["b"]["a"] == int(((actual == 1) & (predicted == 0)).sum())


def test_no_deviation_below_200_rows_and_no_bare_nan_anywhere() -> None:
    import metrics

    for rows, expected in ((199, str), (200, float)):
        actual, scores = labels_and_scores(rows)
        document = metrics.statistics(actual, (scores > 0.5).astype(np.int64), scores, ["0", "1"], TIME)
        found = document["binary_classification_metrics"]
        for name in (*BINARY, *TWINS):
            assert isinstance(found[name]["standard_deviation"], expected), name
        assert "NaN" not in json.dumps(document, allow_nan=False) or rows == 199


def test_quotients_without_denominator_are_zero() -> None:
    import metrics

    actual, scores = labels_and_scores(500)
    document = metrics.statistics(actual, np.zeros_like(actual), scores, ["0", "1"], TIME)
    found = document["binary_classification_metrics"]
    assert [found[name]["value"] for name in ("precision", "recall", "f1")] == [0.0, 0.0, 0.0]


def archive_of(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for entry, data in members:
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return path


def entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.linkname = kind, target
    return found


@pytest.mark.parametrize(
    ("member", "text"),
    [
        (entry("../evil"), "lies outside"),
        (entry("a/../../evil"), "lies outside"),
        (entry("/tmp/gatehouse-evil"), "lies outside"),
        (entry("link", tarfile.SYMTYPE, "/etc/passwd"), "neither a file nor a folder"),
        (entry("hard", tarfile.LNKTYPE, "model.ubj"), "neither a file nor a folder"),
        (entry("pipe", tarfile.FIFOTYPE), "neither a file nor a folder"),
        (entry("device", tarfile.CHRTYPE), "neither a file nor a folder"),
        (entry("./model.ubj"), "twice"),
        (entry("model.ubj/x"), "below a file"),
    ],
)
def test_an_archive_that_reaches_outside_is_refused_before_anything_is_written(
    tmp_path: Path, member: tarfile.TarInfo, text: str
) -> None:
    import evaluate

    archive = archive_of(tmp_path / "model.tar.gz", (entry("model.ubj"), b"x"), (member, b""))
    folder = tmp_path / "unpacked"
    folder.mkdir()
    with pytest.raises(evaluate.InputError, match=text):
        evaluate.unpack(archive, folder)
    assert list(folder.iterdir()) == []


def test_an_archive_is_unpacked_as_plain_files_by_any_python_3_11(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debian 12 has 3.11.2, whose tarfile knows no filter."""
    import evaluate

    def without_filter(_archive: tarfile.TarFile, _path: str = ".", _members: Any = None) -> None:
        raise AssertionError("sets owners and modes as the archive says")

    monkeypatch.setattr(tarfile.TarFile, "extractall", without_filter)
    folder, odd = entry("code", tarfile.DIRTYPE), entry("code/inference.py")
    folder.mode = odd.mode = 0
    archive = archive_of(tmp_path / "model.tar.gz", (folder, b""), (odd, b"x"), (entry("./a/b/c"), b"y"))
    unpacked = tmp_path / "unpacked"
    unpacked.mkdir()
    evaluate.unpack(archive, unpacked)
    assert (unpacked / "code/inference.py").read_bytes() == b"x"
    assert (unpacked / "a/b/c").read_bytes() == b"y"
    assert (unpacked / "code/inference.py").stat().st_mode & 0o600


def test_a_damaged_archive_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    """One flipped bit in stored bytes: only the checksum at the end of the gzip file tells."""
    import evaluate

    archive = archive_of(tmp_path / "model.tar.gz", (entry("model.ubj"), os.urandom(200_000)))
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 1
    archive.write_bytes(content)
    folder = tmp_path / "unpacked"
    folder.mkdir()
    with pytest.raises(evaluate.InputError, match="no intact tar file"):
        evaluate.unpack(archive, folder)
    assert list(folder.iterdir()) == []


def test_the_verdict_says_which_artifact_it_is_of(tumors: Finished) -> None:
    artifact = (tumors.folder / "processing/input/model/model.tar.gz").read_bytes()
    verdict = json.loads((tumors.folder / "processing/output/evaluation/verdict.json").read_text())
    assert verdict["artifact_sha256"] == hashlib.sha256(artifact).hexdigest()
    assert verdict["artifact_bytes"] == len(artifact)


@pytest.fixture
def step(tmp_path: Path, tumors: Finished) -> Path:
    """The evaluation step's input, to be spoilt."""
    inputs = tmp_path / "processing" / "input"
    for name in ("model", "test", "gate"):
        shutil.copytree(tumors.folder / "processing" / "input" / name, inputs / name)
    return tmp_path


def _no_archive(inputs: Path) -> None:
    (inputs / "model" / "model.tar.gz").unlink()


def _broken_archive(inputs: Path) -> None:
    (inputs / "model" / "model.tar.gz").write_bytes(b"\x1f\x8bnothing")


def _empty_archive(inputs: Path) -> None:
    archive_of(inputs / "model" / "model.tar.gz", (entry("model.ubj"), b"x"))


def _no_test(inputs: Path) -> None:
    shutil.rmtree(inputs / "test")


def _gate_of_another_run(inputs: Path) -> None:
    gate = {"metric": "accuracy", "threshold": 0.5, "floors": {"recall.malign": 0.5}}
    (inputs / "gate" / "gate.json").write_text(json.dumps(gate))


def _with_table(change: Callable[[pa.Table], pa.Table]) -> Callable[[Path], None]:
    def spoil(inputs: Path) -> None:
        path = next((inputs / "test").glob("*.parquet"))
        pq.write_table(change(pq.read_table(path)), path)

    return spoil


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (_no_archive, "there is no"),
        (_broken_archive, "cannot be unpacked"),
        (_empty_archive, "model.tar.gz holds no schema.json"),
        (_no_test, "there is no Parquet file in"),
        (_gate_of_another_run, "the gate has a floor 'recall.malign', but 'malign' is no class"),
        (_with_table(lambda table: table.slice(0, 0)), "the test part has no rows"),
        (_with_table(lambda table: table.drop_columns(["diagnosis"])), "lacks the target column 'diagnosis'"),
        (_with_table(lambda table: table.drop_columns(["mean area"])), "column 'mean area' is not there"),
        (
            _with_table(lambda table: table.filter(pa.compute.equal(table["diagnosis"], "benign"))),
            "all rows of the test part are of class 'benign'",
        ),
    ],
)
def test_a_spoilt_input_is_one_clear_line(
    step: Path, capsys: pytest.CaptureFixture[str], spoil: Callable[[Path], None], text: str
) -> None:
    import evaluate

    spoil(step / "processing" / "input")
    assert evaluate.main(["--opt-ml", str(step)]) == 1
    message = (step / "output" / "message").read_text()
    assert capsys.readouterr().err == f"error: {message}\n"
    assert text in message
    assert "\n" not in message


def test_scores_that_are_probabilities_are_near_the_share_of_positives_in_every_group() -> None:
    import metrics

    generator = np.random.default_rng(2)
    scores = generator.random(20_000)
    actual = (generator.random(20_000) < scores).astype(np.int64)
    found = metrics.calibration(actual, scores)
    assert len(found.predicted) == len(found.observed) == 10
    assert found.predicted == sorted(found.predicted)
    assert found.observed == pytest.approx(found.predicted, abs=0.03)
    assert found.brier == pytest.approx(np.mean((scores - actual) ** 2))
    too_sure = metrics.calibration(actual, np.where(scores > 0.5, 0.99, 0.01))
    assert too_sure.predicted == pytest.approx([0.01, 0.99])
    assert too_sure.observed == pytest.approx([0.25, 0.75], abs=0.02)
    assert too_sure.brier > found.brier


@pytest.mark.parametrize(("rows", "groups"), [(2, 1), (39, 1), (60, 3), (1000, 10)])
def test_groups_of_a_calibration_curve_have_at_least_twenty_rows(rows: int, groups: int) -> None:
    import metrics

    actual = np.arange(rows) % 2
    assert len(metrics.calibration(actual, np.linspace(0, 1, rows)).predicted) == groups
    assert len(metrics.calibration(actual, np.full(rows, 0.3)).predicted) == 1


def test_an_answer_that_is_no_class_of_the_model_is_an_error_and_not_its_first_class() -> None:
    import scoring
    from input_error import InputError

    classes = pa.array(["a", "b"])
    chosen, probabilities = scoring._read_classes("b,0.75\na,0.5\n", classes)
    assert (chosen.tolist(), probabilities.tolist()) == ([1, 0], [0.75, 0.5])
    with pytest.raises(InputError, match="the model answers 'zebra', none of its classes"):
        scoring._read_classes("a,0.75\nzebra,0.5\n", classes)


def test_a_class_with_a_line_end_is_that_class_wherever_among_many_answers_it_stands() -> None:
    import scoring

    row, at = '"a\r\nb",0.5\n', 1 << 20  # where Arrow's first block ends, unless it is told another size
    before = "c,0.75\n" * ((at - 3) // 7)
    body = before + "\n" * (at - 3 - len(before)) + row
    assert body[at] == "\n"
    chosen, _ = scoring._read_classes(body, pa.array(["a\r\nb", "c"]))
    assert chosen[-1] == 0


def test_scores_that_four_bytes_do_not_hold_stay_what_they_are() -> None:
    import scoring

    exact = np.array([0.5, float(np.float32(0.1)), 1.0])
    assert scoring._in_few_bytes(exact).dtype == np.float32
    assert (scoring._in_few_bytes(exact) == exact).all()
    assert scoring._in_few_bytes(np.array([0.5, 0.1])).tolist() == [0.5, 0.1]
