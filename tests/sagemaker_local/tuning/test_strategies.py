"""What is tried next: ranges, and the three ways through them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from typing import Any

import pytest

from sagemaker_local.errors import AwsError
from sagemaker_local.tuning.gaussian import GaussianProcess
from sagemaker_local.tuning.ranges import CATEGORICAL, CONTINUOUS, INTEGER, Parameter, read_ranges
from sagemaker_local.tuning.strategies import Tried, make_strategy

ETA = Parameter("eta", CONTINUOUS, 0.001, 1.0, "Logarithmic")
DEPTH = Parameter("depth", INTEGER, 2, 9)
KIND = Parameter("kind", CATEGORICAL, values=("a", "b"))


@pytest.mark.parametrize(
    ("parameter", "values"),
    [
        (DEPTH, ("2", "6", "9")),
        (KIND, ("a", "b", "b")),
        (ETA, ("0.001", "0.0316", "1.0")),
        (Parameter("x", CONTINUOUS, -1.0, 3.0), ("-1.0", "1.0", "3.0")),
        (Parameter("n", INTEGER, 1, 10000, "Logarithmic"), ("1", "100", "10000")),
        (Parameter("m", CONTINUOUS, 0.0, 0.999, "ReverseLogarithmic"), ("0.0", "0.9684", "0.999")),
    ],
)
def test_a_range_has_its_ends_and_what_lies_between(parameter: Parameter, values: tuple[str, ...]) -> None:
    for place, value in zip((0.0, 0.5, 1.0), values, strict=True):
        found = parameter.value(place)
        if parameter.kind == CONTINUOUS:
            assert float(found) == pytest.approx(float(value), rel=0.001)
        else:
            assert found == value


def test_every_integer_is_as_likely_as_any_other() -> None:
    found = [DEPTH.value((place + 0.5) / 800) for place in range(800)]
    assert {value: found.count(value) for value in found} == {str(depth): 100 for depth in range(2, 10)}


@pytest.mark.parametrize(
    ("ranges", "what"),
    [
        ({}, "a range for one"),
        ({"AutoParameters": [{"Name": "a", "ValueHint": "1"}]}, "AutoParameters"),
        ({"IntegerParameterRanges": [{"Name": "a", "MinValue": "1.5", "MaxValue": "2"}]}, "numbers"),
        ({"ContinuousParameterRanges": [{"Name": "a", "MinValue": "nan", "MaxValue": "2"}]}, "go up"),
        ({"ContinuousParameterRanges": [{"Name": "a", "MinValue": "3", "MaxValue": "2"}]}, "go up"),
        (
            {
                "ContinuousParameterRanges": [
                    {"Name": "a", "MinValue": "0", "MaxValue": "2", "ScalingType": "Logarithmic"}
                ]
            },
            "above 0",
        ),
        (
            {
                "ContinuousParameterRanges": [
                    {"Name": "a", "MinValue": "0", "MaxValue": "1", "ScalingType": "ReverseLogarithmic"}
                ]
            },
            "below 1",
        ),
        (
            {
                "IntegerParameterRanges": [{"Name": "a", "MinValue": "1", "MaxValue": "2"}],
                "CategoricalParameterRanges": [{"Name": "a", "Values": ["x"]}],
            },
            "a has two ranges",
        ),
    ],
)
def test_what_is_no_range_is_refused(ranges: dict[str, Any], what: str) -> None:
    with pytest.raises(AwsError, match=what):
        read_ranges(ranges)


def tried_by(
    name: str, parameters: list[Parameter], seed: int, most: int, result: Callable[[dict[str, str]], float]
) -> list[Tried]:
    strategy, tried = make_strategy(name, parameters, seed), list[Tried]()
    while len(tried) < most:
        values = strategy(tried)
        if values is None:
            break
        tried.append(Tried(values, result(values), pending=False))
    return tried


def test_a_grid_tries_every_combination_once() -> None:
    two = Parameter("two", CATEGORICAL, values=("x", "y", "z"))
    found = tried_by("Grid", [KIND, two], 0, 100, lambda _: 0.0)
    assert sorted(tuple(one.values.values()) for one in found) == [(a, b) for a in "ab" for b in "xyz"]


@pytest.mark.parametrize("name", ["Random", "Bayesian"])
def test_what_can_be_counted_is_tried_once_and_then_there_is_nothing_left(name: str) -> None:
    found = tried_by(name, [DEPTH, KIND], 1, 100, lambda values: float(values["depth"]))
    assert len({tuple(one.values.items()) for one in found}) == len(found) == 16


@pytest.mark.parametrize("name", ["Random", "Bayesian"])
def test_a_seed_tries_the_same_again(name: str) -> None:
    runs = [
        tried_by(name, [ETA, KIND], 7, 8, lambda values: -abs(float(values["eta"]) - 0.1)) for _ in range(2)
    ]
    assert runs[0] == runs[1]


def test_a_gaussian_process_goes_through_its_results_and_doubts_what_is_far_from_them() -> None:
    points = [(place / 6,) for place in range(7)]
    model = GaussianProcess(points, [math.sin(4 * place) for (place,) in points])
    for place in (0.25, 0.5, 0.7):
        mean, deviation = model.predict((place,))
        assert model.result(mean) == pytest.approx(math.sin(4 * place), abs=0.05)
        assert deviation < 0.2
    assert model.predict((3.0,))[1] > 0.9


def test_a_training_that_diverged_does_not_end_the_search() -> None:
    """Its result may be as great as a float can be."""
    found = tried_by("Bayesian", [ETA, KIND], 3, 8, lambda values: -1e300 if values["kind"] == "a" else -0.5)
    assert len(found) == 8
    assert {one.values["kind"] for one in found} == {"a", "b"}


def test_bayesian_comes_nearer_to_the_best_than_drawing_does() -> None:
    """The median, over 20 seeds, of what the best of 16 jobs lacks to the best of a smooth function."""

    def result(values: dict[str, str]) -> float:
        distance = (math.log10(float(values["eta"])) + 1.2) ** 2 + ((float(values["depth"]) - 7) / 4) ** 2
        return -distance - (values["kind"] == "a")

    lack = {
        name: statistics.median(
            -max(one.result or 0.0 for one in tried_by(name, [ETA, DEPTH, KIND], seed, 16, result))
            for seed in range(20)
        )
        for name in ("Random", "Bayesian")
    }
    assert lack["Bayesian"] < 0.5 * lack["Random"]


def test_jobs_at_the_same_time_try_different_values() -> None:
    strategy = make_strategy("Bayesian", [ETA], 3)
    done = [Tried({"eta": repr(eta)}, -abs(eta - 0.1), pending=False) for eta in (0.01, 0.05, 0.5, 0.9)]
    first = strategy(done)
    assert first is not None
    second = strategy([*done, Tried(first, None, pending=True)])
    assert second is not None
    assert abs(math.log(float(first["eta"]) / float(second["eta"]))) > 0.05
