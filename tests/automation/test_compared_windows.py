"""What people are told of compared windows, one after the other, and when a training starts by itself."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence

import pytest
from automated_project import AutomatedProject
from wire_clients import definition

from automation.handlers import window_compared

ROLE = "arn:aws:iam::000000000000:role/gatehouse-local"
Window = Callable[..., str]


@pytest.fixture
def window(automated: AutomatedProject) -> Window:
    """Hand a window's event to the function; it gives what the function says."""

    def window(day: int, differs: Sequence[str], *, version: int = 1, worse: bool = False) -> str:
        detail = {
            "project": automated.registry.project,
            "environment": "dev",
            "version": version,
            "end": f"2030-01-{day:02d}T00:00:00+00:00",
            "status": "changed" if differs else "as before",
            "quality": "worse" if worse else "as before",
            "history": {"windows": 28, "needed": 28},
            "sentence": f"version {version} in dev, 1,000 rows",
            "differences": [
                {"column": column, "question": "spread", "size": 1.0, "sentence": f"{column} differs"}
                for column in differs
            ],
            "reportUri": "s3://bucket/report.html",
        }
        # The later the window, the sooner its comparison is done.
        time = f"2030-01-{day:02d}T00:{59 - day:02d}:00Z"
        return window_compared.handle({"time": time, "detail": detail}, None)

    return window


def trains(automated: AutomatedProject, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = json.loads(os.environ["GATEHOUSE_AUTOMATION"])
    settings["monitoring"] = {"hours": 24, "retrain": "automatic", "cool_down_days": 7}
    monkeypatch.setenv("GATEHOUSE_AUTOMATION", json.dumps(settings))
    automated.registry.client("sagemaker").create_pipeline(
        PipelineName=automated.registry.project,
        PipelineDefinition=definition(),
        RoleArn=ROLE,
        ClientRequestToken="t" * 32,
    )


def started(automated: AutomatedProject) -> int:
    sagemaker = automated.registry.client("sagemaker")
    found = sagemaker.list_pipeline_executions(PipelineName=automated.registry.project)
    return len(found["PipelineExecutionSummaries"])


def test_people_are_told_of_what_is_new_and_when_it_is_over(
    automated: AutomatedProject, window: Window
) -> None:
    assert window(1, []) == "nothing differs"
    assert window(2, ["amount", "country"]).startswith("told: ")
    assert automated.subjects() == ["the traffic in dev changed"]
    # At the edge of what is told: there and not there again.
    for day, differs in ((3, ["amount"]), (4, ["amount", "country"]), (5, ["country"])):
        assert window(day, differs) == "it differs as was told"
    assert window(6, ["amount", "age"]).startswith("told: ")
    assert window(7, ["amount"], worse=True).startswith("told: ")
    assert automated.subjects() == ["the traffic in dev changed", "version 1 got worse in dev"]
    assert window(8, []).startswith("told: ")
    assert automated.subjects() == ["the traffic in dev is as it was again"]
    assert window(9, []) == "nothing differs"
    assert automated.subjects() == []


def test_a_new_version_ends_what_was_told_of_the_one_before_or_has_it_told_again(
    automated: AutomatedProject, window: Window
) -> None:
    window(1, ["amount"])
    assert window(2, ["amount"], version=2).startswith("told: "), "it did not help"
    assert automated.subjects() == ["the traffic in dev changed"] * 2
    assert window(3, ["amount"], version=2) == "it differs as was told"
    assert window(4, [], version=3).startswith("told: "), "it helped"
    assert automated.subjects() == ["the traffic in dev is as it was again"]


def test_while_something_differs_a_training_starts_after_each_cool_down(
    automated: AutomatedProject, window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    trains(automated, monkeypatch)
    assert "A training was started" in window(1, ["amount"])
    assert "another one is not for 7 days" in window(2, ["amount", "country"])
    for day in (3, 7):
        assert window(day, ["amount"]) == "it differs as was told"
    assert started(automated) == 1
    assert "A training was started" in window(8, ["amount"])
    assert started(automated) == 2
    automated.messages()
    assert window(9, []).startswith("told: ")
    assert window(16, []) == "nothing differs"
    assert started(automated) == 2
