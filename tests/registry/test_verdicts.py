"""The gate's verdict on a version, worded the same wherever a person decides."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from typing import Any

import pytest
from registered_models import Registry

from evaluation.metric_table import METRICS
from pipelines.commands import main
from registry.verdicts import Measured, verdict_in

BROKEN = [
    b"",
    b"no JSON",
    b"\xff\xfe",
    b"[]",
    b"null",
    b'{"verdict": "maybe", "metric": "accuracy", "checks": []}',
    b'{"verdict": true, "metric": "accuracy", "checks": []}',
    b'{"verdict": "passed"}',
    b'{"verdict": "passed", "metric": 7}',
    b"[" * 100_000,
    b'{"verdict": "passed", "metric": "auc", "checks": []}' + b" " * (64 << 20),
]


def test_every_check_is_shown_in_the_verdicts_own_words(registry: Registry) -> None:
    verdict = registry.model.verdict
    registry.register(verdict=verdict)
    shown = registry.done("model", 1)
    document = registry.done("model", 1, "--json").document["verdict"]
    card, page = registry.done("model", 1, "--card").out, registry.done("model", 1, "--card", "--html").out
    assert len(verdict["checks"]) == 2
    for check in verdict["checks"]:
        assert check["sentence"] in shown.out
        assert f"| {check['name']} | passed | {check['sentence']} |" in card
        assert f"<td>{check['sentence']}</td>" in page
    assert [entry["sentence"] for entry in document["checks"]] == [
        check["sentence"] for check in verdict["checks"]
    ]
    assert (document["verdict"], document["sentence"]) == ("passed", verdict["sentence"])
    accuracy = document["metrics"]["accuracy"]
    assert accuracy["low"] < accuracy["value"] < accuracy["high"]
    assert accuracy["constant"] == verdict["constant"]
    assert f"{accuracy['low']:.4f} to {accuracy['high']:.4f}" in shown.out
    assert "Standard deviation" not in shown.out


def test_a_list_shows_the_gates_metric_with_its_interval_and_its_constant(registry: Registry) -> None:
    registry.register()
    metrics = registry.model.verdict["metrics"]
    registry.register(verdict={**registry.model.verdict, "metric": "auc"})
    listed = registry.done("models").out.splitlines()
    assert " ".join(listed[0].split()) == ("Version Created AUC 95 % interval Constant Approval Serves in")
    auc = metrics["auc"]
    words = " ".join(listed[2].split())
    assert f"{auc['value']:.4f} {auc['low']:.3f} to {auc['high']:.3f} - Pending" in words
    newest, oldest = registry.done("models", "--json").document
    assert (newest["metric"], newest["verdict"]) == ("auc", "passed")
    assert (newest["value"], newest["low"], newest["high"]) == (auc["value"], auc["low"], auc["high"])
    assert newest["constant"] is None, "no constant answer is there to beat by AUC"
    assert (oldest["metric"], oldest["verdict"], oldest["low"]) == (None, None, None)


class Terminal(io.StringIO):
    """A terminal to those who ask."""

    def isatty(self) -> bool:
        return True


def test_a_list_is_readable_on_a_terminal_of_80_columns(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdict = registry.model.verdict
    registry.register(verdict=verdict, approved=True)
    registry.register(verdict=verdict)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    terminal = Terminal()
    with redirect_stdout(terminal):
        assert main(["models"]) == 0
    lines = terminal.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    words = terminal.getvalue().split()
    accuracy = verdict["metrics"]["accuracy"]
    for number in (f"{accuracy['value']:.4f}", f"{accuracy['constant']:.4f}", f"{accuracy['low']:.3f}"):
        assert number in words, "a number is broken"
    for word in ("Version", "Accuracy", "Constant", "Approval", "Serves", "Pending", "Approved"):
        assert word in words


@pytest.mark.parametrize("content", BROKEN)
def test_a_version_whose_verdict_cannot_be_read_is_shown_as_one_without(
    registry: Registry, content: bytes
) -> None:
    registry.register()
    before, listed = registry.done("model", 1).out, registry.done("models").out
    registry.register(verdict=content)
    shown = registry.done("model", 2).out
    assert "Gate" not in shown
    assert ("Standard deviation" in shown) is ("Standard deviation" in before) is True
    assert registry.done("models").out.splitlines()[0] == listed.splitlines()[0]
    assert registry.done("model", 2, "--json").document["verdict"] is None


@pytest.mark.parametrize("uri", ["https://example.com/verdict.json", "s3://registry-tests/gone.json", "x"])
def test_a_verdict_that_is_not_there_hides_nothing_else(registry: Registry, uri: str) -> None:
    registry.register(CustomerMetadataProperties={"verdict_uri": uri})
    assert registry.done("model", 1, "--json").document["verdict"] is None
    assert registry.done("models", "--json").document[0]["accuracy"] is not None


def test_what_cannot_be_read_of_a_verdict_is_left_out() -> None:
    entries: list[Any] = [
        7,
        {"name": "worth", "passed": "yes", "sentence": "it is"},
        {"name": "worth", "passed": True},
        {"name": "threshold", "passed": True, "sentence": "all is\nwell", "value": "0.9", "low": 1e400},
        {"name": "floor", "passed": False, "sentence": "too low", "value": True, "limit": 10**400},
    ]
    metrics = {"accuracy": {"value": 0.9, "low": "NaN", "high": None}, "auc": {"low": 0.1}, "f1": 3}
    found = verdict_in({"verdict": "refused", "metric": "accuracy", "checks": entries, "metrics": metrics})
    assert found is not None
    assert [(check.name, check.sentence, check.value) for check in found.checks] == [
        ("threshold", "all is well", None),
        ("floor", "too low", None),
    ]
    assert list(found.metrics) == ["accuracy"]
    assert found.metrics["accuracy"].interval(METRICS["accuracy"]) is None
    assert (found.passed, found.rows, found.sentence) == (False, None, "")
    assert json.loads(json.dumps(found.document()))["checks"][1]["passed"] is False


def test_a_verdict_without_metrics_still_tells_the_gates_own() -> None:
    check = {"name": "threshold", "passed": True, "sentence": "good", "metric": "accuracy", "value": 0.9}
    found = verdict_in(
        {
            "verdict": "passed",
            "metric": "accuracy",
            "constant": 0.6,
            "checks": [{**check, "low": 0.8, "high": 0.95}],
        }
    )
    assert found is not None
    assert found.measured is not None
    assert found.measured.in_words(found.kind) == (
        "0.9000, 95 % interval 0.8000 to 0.9500; the best constant answer has 0.6000"
    )


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1.25e-7, "1.25e-07, 95 % interval 1.125e-07 to 1.5e-07; the best constant answer has 2.5e-07"),
        (1.25e6, "1,250,000, 95 % interval 1,125,000 to 1,500,000; the best constant answer has 2,500,000"),
    ],
)
def test_an_error_has_significant_digits_because_it_is_in_a_unit(value: float, shown: str) -> None:
    """With four decimals the error of a small target would be 0.0000, and so would its interval."""
    found = Measured(value, 0.9 * value, 1.2 * value, 2 * value)
    assert found.in_words(METRICS["mse"]) == shown


def test_every_command_shows_a_small_error_with_its_digits(registry: Registry) -> None:
    measured = {"value": 1.25e-7, "low": 1.125e-7, "high": 1.5e-7, "constant": 2.5e-7}
    verdict = {"verdict": "passed", "metric": "mse", "checks": [], "metrics": {"mse": measured}}
    statistics = {"regression_metrics": {"mse": {"value": 1.25e-7, "standard_deviation": 2e-8}}}
    for _ in range(2):
        registry.register(verdict=verdict, statistics=statistics)
    for words in (("models",), ("model", 1), ("model", 1, "--card"), ("compare", 1, 2, "--no-rescore")):
        shown = registry.done(*words).out
        assert "1.25e-07" in shown, words
        assert "0.0000" not in shown, words
    assert "1.125e-07 to 1.5e-07" in registry.done("model", 1).out


@pytest.mark.parametrize(
    ("check", "number"),
    [
        ({"name": "champion", "sentence": "as good as the one before", "champion": 3}, 3),
        ({"name": "champion", "sentence": "not worse than version 2, which serves in prod, accuracy"}, 2),
        ({"name": "champion", "sentence": "version 2, which serves in prod, is", "champion": 3}, 3),
        ({"name": "champion", "sentence": "no version serves in prod yet"}, None),
        ({"name": "champion", "sentence": "as good as the one before", "champion": "<b>"}, None),
        ({"name": "slices text", "sentence": "where text = version 2, which serves in"}, None),
    ],
)
def test_a_check_names_its_champion_by_a_field_and_before_there_was_one_by_its_sentence(
    check: dict[str, object], number: int | None
) -> None:
    found = verdict_in({"verdict": "passed", "metric": "accuracy", "checks": [{**check, "passed": True}]})
    assert found is not None
    assert [one.champion for one in found.checks] == [number]
