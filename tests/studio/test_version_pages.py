"""A version's page and two versions beside each other: what is drawn is what the version's own files say."""

from __future__ import annotations

import html
import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from bank_churn import PROJECT
from studio_versions import Registered, registered, verdict
from wire_clients import wait_for

from aws_formats.errors import GatehouseError
from studio.pages import versions as pages
from studio.pages.answers import Asked, Redirect
from studio.views.versions import VersionPage, read_page
from studio.views.versions_compare import compare_versions

HOSTILE = "<b>yes</b>\x1b[31m"
SCORES = {"found": [10, 9, 6, 0], "false_alarms": [30, 4, 1, 0]}
CHAMPION = {
    "name": "champion",
    "passed": True,
    "sentence": "not worse than version 1, which serves in prod, accuracy 0.9 against 0.8 on the same rows",
}


def text_of(page: str) -> str:
    body = page.split("</head>")[1]
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())


def binary(accuracy: float) -> dict[str, Any]:
    return {
        "dataset": {"item_count": 40},
        "binary_classification_metrics": {
            "accuracy": {"value": accuracy, "standard_deviation": "NaN"},
            "receiver_operating_characteristic_curve": {
                "false_positive_rates": [0, 0, accuracy / 2, 1],
                "true_positive_rates": [0, accuracy, accuracy, 1],
            },
            "precision_recall_curve": {"recalls": [0, 0.5, 1], "precisions": [1, 0.8, 0.4]},
        },
    }


def data(kind: str, **numbers: Any) -> dict[str, Any]:
    feature = {"name": "age", "inferred_type": kind, **numbers}
    return {"dataset": {"item_count": 100}, "features": [feature]}


def ages(*edges: float) -> dict[str, Any]:
    ends = itertools.pairwise(edges)
    buckets = [{"lower_bound": low, "upper_bound": high, "count": 5} for low, high in ends]
    common = {"num_present": 90, "num_missing": 10}
    statistics = {"common": common, "mean": 3, "min": edges[0], "max": edges[-1]}
    return {"numerical_statistics": {**statistics, "distribution": {"kll": {"buckets": buckets}}}}


REPORT: dict[str, Any] = {
    "task": "binary",
    "classes": ["no", HOSTILE],
    "features": [{"name": HOSTILE, "gain": 0.75}, {"name": "age", "gain": 0.25}],
    "thresholds": {"cuts": [0, 0.25, 0.5, 1], **SCORES, "positives": 10, "negatives": 30},
    "calibration": {"predicted": [0.1, 0.9], "observed": [0.2, 0.8], "rows": [20, 20], "brier": 0.11},
}
CLASSES: dict[str, Any] = {
    "statistics": {
        "multiclass_classification_metrics": {
            "confusion_matrix": {
                "a": {"a": 8, "b": 2, "c": 0},
                "b": {"a": 0, "b": 5, "c": 0},
                "c": {"a": 0, "b": 0, "c": 0},
            }
        }
    },
    "report": {"task": "multiclass", "classes": ["a", "b", "c"], "areas": {"a": 0.875}},
}
NUMBERS: dict[str, Any] = {
    "statistics": {"regression_metrics": {"rmse": {"value": 2.0}}},
    "report": {
        "task": "regression",
        "sample": {"actual": [1, 2, 3], "predicted": [1, 4, 1]},
        "residuals": {"edges": [-2, 0, 2], "counts": [1, 2]},
        "within": [[0.5, 2.0]],
    },
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registered]:
    """1 and 2 have two classes, 3 many, 4 is a regression, 5 is without a report, 6 without anything."""
    with registered(tmp_path_factory.mktemp("versions")) as made:
        first = {"hyperparameters": "max_depth=3 eta=0.1", "git_commit": "abc"}
        second = {"hyperparameters": "max_depth=5 eta=0.1", "git_commit": "abc"}
        young = {"verdict": verdict(0.8), "data": data("Integral", **ages(0, 5, 10)), "metadata": first}
        old = {
            "verdict": verdict(0.9, CHAMPION),
            "data": data("Fractional", **ages(0, 20)),
            "metadata": second,
        }
        made.register(statistics=binary(0.8), report=REPORT, **young)
        made.register(statistics=binary(0.9), report=REPORT, **old)
        made.register(**CLASSES)
        made.register(**NUMBERS)
        made.register(statistics=binary(0.7))
        made.register()
        yield made


def read(place: Registered, number: int) -> VersionPage:
    return read_page(place.source, place.source.project(PROJECT), number)


def test_two_classes_are_counted_at_the_endpoints_threshold(place: Registered) -> None:
    found = read(place, 1).thresholds
    assert found is not None
    assert (found.cuts[found.served], found.positive) == (0.5, HOSTILE)
    now = found.at_served
    assert (now.found, now.missed, now.false_alarms, now.right_negatives) == (6, 4, 1, 29)
    assert now.rates["Precision"] == pytest.approx(6 / 7)
    assert now.rates["F1"] == pytest.approx(12 / 17)
    assert json.loads(found.document)["falseAlarms"] == SCORES["false_alarms"]
    page = place.page("/versions/1")
    assert "cost 5, with 1 false alarm and 4 misses" in text_of(page)
    assert HOSTILE not in page
    assert "75.0 %" in text_of(page)
    assert "Brier score 0.1100" in text_of(page)


def test_precision_is_drawn_in_steps(place: Registered) -> None:
    [points] = [curve.points for curve in read(place, 1).curves if curve.name == "precision"]
    corners = list(dict.fromkeys(points.split()))
    assert corners == ["0.0,0.0", "0.0,44.0", "110.0,44.0", "110.0,132.0", "220.0,132.0"]


def test_each_of_several_classes_has_its_rates(place: Registered) -> None:
    found = read(place, 3).classes
    assert found is not None
    told = [(line.name, line.rows, line.precision, line.recall, line.area) for line in found.lines]
    assert told == [("a", 10, 1.0, 0.8, 0.875), ("b", 5, 5 / 7, 1.0, None), ("c", 0, None, None, None)]
    assert found.lines[0].taken_for == ("b", 2)
    assert found.matrix[0] == ("a", ((8, 8), (2, 2), (0, 0)))


def test_a_regression_is_drawn_from_its_sample(place: Registered) -> None:
    found = read(place, 4).numbers
    assert found is not None
    assert [len(plot.dots.split("M")) - 1 for plot in found.plots] == [3, 3]
    assert [height for _, _, height in found.residuals] == [110.0, 220.0]
    assert "50 % 2" in text_of(place.page("/versions/4"))


def test_a_version_without_a_report_says_so(place: Registered) -> None:
    assert "wrote no report.json" in text_of(place.page("/versions/5"))
    assert "its threshold cannot be moved here" in text_of(place.page("/versions/5"))
    assert "report.json" not in text_of(place.page("/versions/6"))


@pytest.mark.parametrize(
    "report",
    [
        [],
        {"thresholds": 3, "classes": 4, "calibration": [], "features": {"a": 1}},
        {"thresholds": {**REPORT["thresholds"], "found": [1]}},
        {"thresholds": {**REPORT["thresholds"], "positives": -1}},
        {"sample": {"actual": [1, None], "predicted": [1, 2]}},
        b"{",
    ],
)
def test_a_report_of_another_kind_is_not_drawn(place: Registered, report: Any) -> None:
    columns = {"features": [3, {"numerical_statistics": {"distribution": 4}, "string_statistics": []}]}
    number = place.register(statistics=binary(0.7), report=report, data=columns)
    shown = read(place, number)
    assert (shown.thresholds, shown.calibration, shown.features, shown.numbers) == (None, None, (), None)
    assert "cannot be moved here" in text_of(place.page(f"/versions/{number}"))


def test_a_version_says_where_it_comes_from_and_what_people_wrote_of_it(place: Registered) -> None:
    card = {"intended_uses": {"purpose_of_model": "tells who <b>leaves</b>"}}
    number = place.register(
        statistics=binary(0.7),
        metadata={"dataset_uri": "s3://data/1", "git_commit": "abc123"},
        ModelCard={"ModelCardContent": json.dumps(card), "ModelCardStatus": "Draft"},
    )
    told = text_of(place.page(f"/versions/{number}"))
    origins = told.partition("Where it comes from")[2].partition("Model card")[0]
    assert re.search(rf"Data.*s3://data/1.*Version {number}.*commit.*abc123.*Waits for a decision", origins)
    assert re.search("Purpose of model.*tells who <b>leaves</b>", told)


def test_two_versions_lie_over_each_other(place: Registered) -> None:
    shown = compare_versions(place.source, place.source.project(PROJECT), 1, 2)
    assert shown.settings == (("max_depth", "3", "5"),)
    [column] = shown.columns
    assert column.differs == "whole number, then number"
    assert [(bar.x, bar.width) for bar in column.first_bars] == [(0.0, 39.0), (40.0, 39.0)]
    assert [(bar.x, bar.width) for bar in column.second_bars] == [(0.0, 159.0)]
    assert len({curve.first and curve.first.points for curve in shown.curves}) == 2
    told = text_of(place.page("/versions/compare?first=1&second=2"))
    assert "+0.1000" in told
    assert "The gate tried version 2: not worse than version 1, which serves in prod" in told


def test_a_verdict_that_is_not_there_is_not_invented(place: Registered) -> None:
    assert compare_versions(place.source, place.source.project(PROJECT), 2, 3).tried == ()
    assert "The gate tried" not in text_of(place.page("/versions/compare?first=3&second=6"))
    with pytest.raises(GatehouseError, match="no version 99"):
        place.page("/versions/compare?first=1&second=99")


def test_versions_that_cannot_be_scored_on_the_same_rows_say_why(place: Registered) -> None:
    form = {"first": "1", "second": "2"}
    asked = Asked({"project": PROJECT}, {}, form)
    assert pages.scored(place.source, asked) == Redirect(f"/p/{PROJECT}/versions/compare?first=1&second=2")

    def told() -> str | None:
        text = text_of(place.page("/versions/compare?first=1&second=2"))
        return text if "could not be scored" in text else None

    assert "on the same rows: no preprocessing job is known of version 2" in wait_for(told)
    with pytest.raises(GatehouseError, match="no version 99"):
        pages.scored(place.source, Asked({"project": PROJECT}, {}, {**form, "first": "99"}))


def test_two_versions_are_chosen_in_the_list(place: Registered) -> None:
    def answer(*chosen: int) -> Any:
        query = {f"version-{number}": "on" for number in chosen}
        return pages.compared(place.source, Asked({"project": PROJECT}, query, {}))

    assert answer(4, 2) == Redirect(f"/p/{PROJECT}/versions/compare?first=2&second=4")
    assert "3 of the list are chosen" in answer(1, 2, 3).values["text"]
    assert "none of the list are chosen" in answer().values["text"]
    listed = pages.listed(place.source, Asked({"project": PROJECT}, {"version-2": "on"}, {}))
    assert listed.values["chosen"] == {2}


def test_pages_of_many_columns_and_classes_stay_small(place: Registered) -> None:
    columns = [
        {**data("Integral", **ages(*range(11)))["features"][0], "name": f"column number {n}"}
        for n in range(300)
    ]
    names = [f"class {n}" for n in range(30)]
    matrix = {name: dict.fromkeys(names, 12_345) for name in names}
    statistics = {"multiclass_classification_metrics": {"confusion_matrix": matrix}}
    for _ in range(2):
        number = place.register(statistics=statistics, data={"features": columns})
    for path in (f"/versions/{number}", f"/versions/compare?first={number - 1}&second={number}"):
        page = place.page(path)
        assert "more columns are left out" in page
        assert len(page) < 200_000
