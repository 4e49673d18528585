"""What the XGBoost and scikit-learn images serve by themselves: a built-in model, and functions left out."""

from __future__ import annotations

import io
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost as xgb
from botocore.exceptions import ClientError
from hosting_place import BUCKET, SCIKIT_LEARN, SCRIPT, Place, pack
from wire_clients import wait_for

from sagemaker_local.programs.aws_images import xgboost_serving

ROWS = np.random.default_rng(2).normal(size=(30, 3)).astype(np.float32)
CSV = "".join(",".join(map(str, row)) + "\n" for row in ROWS.tolist()).encode()
LIBSVM = "".join(
    " ".join(["0", *(f"{i}:{x}" for i, x in enumerate(row))]) + "\n" for row in ROWS.tolist()
).encode()
OLD_IMAGE = "246618743249.dkr.ecr.us-west-2.amazonaws.com/sagemaker-xgboost:1.0-1-cpu-py3"


def booster(objective: str = "reg:squarederror", **parameters: Any) -> xgb.Booster:
    labels = (ROWS[:, 0] > 0).astype(int) + (ROWS[:, 1] > 0) * ("num_class" in parameters)
    given = {"objective": objective, "nthread": 1, **parameters}
    return xgb.train(given, xgb.DMatrix(ROWS, label=labels), 3)


@pytest.fixture(scope="module")
def regressor() -> xgb.Booster:
    return booster()


@pytest.fixture(scope="module")
def served(place: Place, regressor: xgb.Booster) -> str:
    artifact = pack({"xgboost-model": bytes(regressor.save_raw("ubj"))})
    place.serve("builtin", place.container(place.put("builtin/model.tar.gz", artifact), {}))
    return "builtin"


def asked(place: Place, name: str, body: bytes, content_type: str = "text/csv", **members: Any) -> Any:
    return place.runtime.invoke_endpoint(EndpointName=name, Body=body, ContentType=content_type, **members)


def test_an_endpoint_answers_what_xgboost_answers(place: Place, served: str, regressor: xgb.Booster) -> None:
    expected = regressor.predict(xgb.DMatrix(ROWS))
    answer = asked(place, served, CSV)
    assert answer["ContentType"].startswith("text/csv")
    text = answer["Body"].read().decode()
    assert text.count("\n") == len(ROWS)
    assert np.array_equal(np.array(text.split(), dtype=np.float32), expected)
    for content_type in ("text/libsvm", "text/x-libsvm; charset=utf-8"):
        assert asked(place, served, LIBSVM, content_type)["Body"].read().decode() == text
    predictions = json.loads(asked(place, served, CSV, Accept="application/json")["Body"].read())
    scores = [one["score"] for one in predictions["predictions"]]
    assert np.array_equal(np.array(scores, dtype=np.float32), expected)


@pytest.mark.parametrize(
    ("body", "members", "says"),
    [
        (b"a,b,c", {}, "Loading text/csv data failed"),
        (b"1,2\n1,2,3", {}, "Loading text/csv data failed"),
        (b"{}", {"content_type": "application/json"}, "Content-type application/json is not supported"),
        (b"1,2,3,4,5", {}, "Unable to evaluate payload provided"),
        (b"1,2,3", {"Accept": "image/png"}, "Accept type image/png is not supported"),
    ],
)
def test_what_cannot_be_answered_is_refused_with_the_reason(
    place: Place, served: str, body: bytes, members: Any, says: str
) -> None:
    with pytest.raises(ClientError, match=says):
        asked(place, served, body, **members)


def test_a_batch_has_a_line_for_each_row(place: Place, served: str, regressor: xgb.Booster) -> None:
    place.put("rows/in/rows.csv", CSV)
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/rows/in"}}
    place.sagemaker.create_transform_job(
        TransformJobName="rows",
        ModelName=served,
        TransformInput={"DataSource": source, "ContentType": "text/csv", "SplitType": "Line"},
        TransformOutput={"S3OutputPath": f"s3://{BUCKET}/rows/out"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
    )

    def ended() -> Any:
        found = place.sagemaker.describe_transform_job(TransformJobName="rows")
        return found if found["TransformJobStatus"] != "InProgress" else None

    assert wait_for(ended)["TransformJobStatus"] == "Completed"
    answers = place.s3.get_object(Bucket=BUCKET, Key="rows/out/rows.csv.out")["Body"].read().decode()
    assert answers == "".join(f"{x}\n" for x in regressor.predict(xgb.DMatrix(ROWS)).tolist())


def test_a_pickled_model_of_an_old_image_answers_on_one_line(place: Place, regressor: xgb.Booster) -> None:
    artifact = pack({"xgboost-model": pickle.dumps(regressor)})
    container = {**place.container(place.put("old/model.tar.gz", artifact), {}), "Image": OLD_IMAGE}
    place.serve("old", container)
    text = asked(place, "old", CSV)["Body"].read().decode()
    assert np.array_equal(np.array(text.split(","), dtype=np.float32), regressor.predict(xgb.DMatrix(ROWS)))


@pytest.mark.parametrize(
    ("model", "keys", "expected"),
    [
        (
            booster("binary:logistic"),
            "predicted_label,probabilities,predicted_score",
            lambda p: [int(p > 0.5), [1.0 - p, p], None],
        ),
        (booster("reg:squarederror"), "predicted_score", lambda p: [p]),
        (
            booster("multi:softprob", num_class=3),
            "predicted_label,labels,probability",
            lambda p: [p.index(max(p)), [0, 1, 2], max(p)],
        ),
    ],
)
def test_an_answer_holds_what_is_selected(
    monkeypatch: pytest.MonkeyPatch, model: xgb.Booster, keys: str, expected: Any
) -> None:
    monkeypatch.setattr(xgboost_serving, "_SELECTED", keys)
    answers = [expected(p) for p in model.predict(xgb.DMatrix(ROWS)).tolist()]
    text, _ = xgboost_serving.transform_fn(model, CSV.decode(), "text/csv", "application/jsonlines")
    rows = [json.loads(line) for line in str(text).splitlines()]
    assert [list(row) for row in rows] == [keys.split(",")] * len(ROWS)
    assert [[None if x != x else x for x in row.values()] for row in rows] == answers
    text, _ = xgboost_serving.transform_fn(model, CSV.decode(), "text/csv", "text/csv")
    first = ",".join("nan" if x is None else f'"{x}"' if isinstance(x, list) else str(x) for x in answers[0])
    assert str(text).splitlines()[0] == first


ONLY_MODEL = """
import os, pickle
def model_fn(folder):
    with open(os.path.join(folder, "model"), "rb") as content:
        return pickle.load(content)
"""


def scripted(place: Place, name: str, model: Any, image: str | None = None) -> None:
    artifact = pack({"model": pickle.dumps(model), "code/inference.py": ONLY_MODEL.encode()})
    container = place.container(place.put(f"{name}/model.tar.gz", artifact), SCRIPT)
    place.serve(name, {**container, **({"Image": image} if image else {})})


def test_a_script_that_gives_only_model_fn_has_the_xgboost_images_other_functions(
    place: Place, regressor: xgb.Booster
) -> None:
    scripted(place, "only-model", regressor)
    expected = regressor.predict(xgb.DMatrix(ROWS))
    answer = json.loads(asked(place, "only-model", LIBSVM, "text/libsvm")["Body"].read())
    assert np.array_equal(np.array(answer, dtype=np.float32), expected)
    text = asked(place, "only-model", CSV, Accept="text/csv")["Body"].read().decode()
    assert np.array_equal(np.array(text.split(), dtype=np.float32), expected)
    with pytest.raises(ClientError, match="Content type image/png is not supported by this framework"):
        asked(place, "only-model", b"x", "image/png")


def test_a_script_that_gives_only_model_fn_has_the_scikit_learn_images_other_functions(place: Place) -> None:
    from sklearn.linear_model import LinearRegression

    model = LinearRegression().fit(ROWS, ROWS[:, 0] * 2 + 1)
    scripted(place, "only-model-sklearn", model, SCIKIT_LEARN)
    expected = model.predict(ROWS).tolist()
    array = io.BytesIO()
    np.save(array, ROWS)
    for content_type, body in (
        ("text/csv", CSV),
        ("application/json", json.dumps(ROWS.tolist()).encode()),
        ("application/x-npy", array.getvalue()),
    ):
        answer = json.loads(asked(place, "only-model-sklearn", body, content_type)["Body"].read())
        assert answer == pytest.approx(expected)
    answer = asked(place, "only-model-sklearn", CSV, Accept="application/x-npy")["Body"].read()
    assert np.load(io.BytesIO(answer)).tolist() == pytest.approx(expected)


def test_an_artifact_of_several_files_needs_one_of_the_name(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).touch()
    with pytest.raises(FileNotFoundError, match="the artifact holds a, b; it has to hold xgboost-model"):
        xgboost_serving.model_fn(str(tmp_path))


def test_a_model_in_a_format_that_is_not_read_any_more_is_said_to_be_so(tmp_path: Path) -> None:
    (tmp_path / "xgboost-model").write_bytes(b"\0\0\0\x3f" + bytes(200))
    with pytest.raises(ValueError, match=r"xgboost-model is no model that XGBoost .* reads"):
        xgboost_serving.model_fn(str(tmp_path))
