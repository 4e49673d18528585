from __future__ import annotations

import contextlib
import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sagemaker_local.errors import AwsError
from sagemaker_local.execution.graph import Graph, check_definition
from sagemaker_local.execution.schedule import SKIPPED, Schedule
from sagemaker_local.execution.selection import reused_steps, select


def processing(name: str, uri: Any = "s3://b/in", **members: Any) -> dict[str, Any]:
    return {
        "Name": name,
        "Type": "Processing",
        "Arguments": {
            "ProcessingInputs": [{"InputName": "in", "S3Input": {"S3Uri": uri}}],
            "ProcessingOutputConfig": {
                "Outputs": [{"OutputName": "out", "S3Output": {"S3Uri": f"s3://b/{name}"}}]
            },
        },
        **members,
    }


def output_of(name: str) -> dict[str, str]:
    return {"Get": f"Steps.{name}.ProcessingOutputConfig.Outputs['out'].S3Output.S3Uri"}


def fail(name: str) -> dict[str, Any]:
    return {"Name": name, "Type": "Fail", "Arguments": {"ErrorMessage": "no"}}


def gate(name: str, of: str, then: list[Any], otherwise: list[Any]) -> dict[str, Any]:
    left = {"Std:JsonGet": {"PropertyFile": {"Get": f"Steps.{of}.PropertyFiles.Report"}, "Path": "a"}}
    conditions = [{"Type": "GreaterThan", "LeftValue": left, "RightValue": {"Get": "Parameters.T"}}]
    arguments = {"Conditions": conditions, "IfSteps": then, "ElseSteps": otherwise}
    return {"Name": name, "Type": "Condition", "Arguments": arguments}


REPORT = [{"PropertyFileName": "Report", "OutputName": "out", "FilePath": "r.json"}]


def definition(*steps: Any) -> dict[str, Any]:
    return {
        "Version": "2020-12-01",
        "Parameters": [{"Name": "T", "Type": "Float", "DefaultValue": 0.5}],
        "Steps": list(steps),
    }


def gated() -> dict[str, Any]:
    """A -> B -> Gate -> (Good -> After | Bad), and C beside them."""
    return definition(
        processing("A"),
        processing("B", output_of("A"), PropertyFiles=REPORT),
        processing("C"),
        gate("Gate", "B", [processing("Good")], [fail("Bad")]),
        processing("After", output_of("Good")),
    )


def graph_of(*steps: Any) -> Graph:
    return check_definition(definition(*steps))


def test_a_step_waits_for_what_it_refers_to_reads_and_names_and_for_its_condition() -> None:
    graph = check_definition(gated())
    needs = {name: set(step.needs) for name, step in graph.steps.items()}
    assert needs == {"A": set(), "B": {"A"}, "C": set(), "Gate": {"B"}, "Good": {"Gate"}, "Bad": {"Gate"},
                     "After": {"Good"}}  # fmt: skip
    assert graph.steps["Good"].branch == ("Gate", True)
    assert graph.steps["Bad"].branch == ("Gate", False)
    assert set(graph_of(processing("A"), processing("B", DependsOn=["A"])).steps["B"].needs) == {"A"}


def test_checking_a_definition_does_not_change_it() -> None:
    document = gated()
    before = copy.deepcopy(document)
    check_definition(document)
    assert document == before


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([], ["Steps"]),
        ([processing("A"), processing("A")], ["'A'", "unique"]),
        ([processing("A", PropertyFiles=REPORT), gate("G", "A", [processing("A")], [])], ["'A'", "unique"]),
        ([processing("A b")], ["'A b'", "Name"]),
        ([processing("A" * 65)], ["64"]),
        ([{"Name": "A", "Type": "Magic", "Arguments": {}}], ["'A'", "'Magic'", "Processing"]),
        ([{"Name": "Big", "Type": "EMR", "Arguments": {}}], ["'Big'", "EMR", "not implemented"]),
        ([{"Name": "Each", "Type": "ForEach", "Arguments": {}}], ["'Each'", "ForEach", "not implemented"]),
        ([processing("A", {"Get": "Parameters.X"})], ["'A'", "Parameters.X", "T"]),
        ([processing("A", {"Get": "Execution.Id"})], ["'A'", "Execution.Id"]),
        ([processing("A", output_of("Z"))], ["'A'", "no step 'Z'"]),
        ([processing("A", DependsOn=["Z"])], ["'A'", "no step 'Z'"]),
        ([processing("A", DependsOn="Z")], ["'A'", "DependsOn"]),
        ([processing("A", DependsOn=["A"])], ["'A'", "itself"]),
        ([processing("A", output_of("B")), processing("B", output_of("A"))], ["circle", "A", "B"]),
        ([processing("A"), processing("B", {"Get": "Steps.A.ProcessingOutputConfig.Outputs['x']"})],
         ["'B'", "no output 'x'", "out"]),
        ([processing("A"), processing("B", {"Get": "Steps.A.ModelArtifacts"})], ["'B'", "'ModelArtifacts'"]),
        ([fail("F"), processing("B", {"Get": "Steps.F.ErrorMessage"})], ["'B'", "Fail", "no properties"]),
        ([processing("A"), gate("G", "A", [], [])], ["'G'", "no property file 'Report'"]),
        ([processing("A", PropertyFiles=[{**REPORT[0], "OutputName": "x"}])], ["'A'", "'x'", "out"]),
        ([processing("A", PropertyFiles=[{"PropertyFileName": "R"}])], ["'A'", "PropertyFiles"]),
        ([processing("A", CacheConfig={"Enabled": True, "ExpireAfter": "soon"})], ["'A'", "'soon'"]),
        ([processing("A", RetryPolicies=[{"ExceptionType": ["X"]}])], ["'A'", "ExceptionType"]),
        ([{"Name": "G", "Type": "Condition", "Arguments": {"Conditions": []}}], ["'G'", "Conditions"]),
        ([{"Name": "G", "Type": "Condition", "Arguments": {"Conditions": [{"Type": "Xor"}]}}], ["Xor"]),
        ([{"Name": "P", "Type": "Processing"}], ["'P'", "Arguments"]),
        ([processing("A", DisplayName=5)], ["'A'", "DisplayName", "text"]),
        ([processing("A", Description={})], ["'A'", "Description", "text"]),
        ("A", ["list"]),
    ],
)  # fmt: skip
def test_a_definition_that_cannot_run_is_refused_by_name(steps: Any, words: list[str]) -> None:
    document = definition()
    document["Steps"] = steps
    with pytest.raises(AwsError) as error:
        check_definition(document)
    assert error.value.code == "ValidationException"
    assert all(word in error.value.message for word in words), error.value.message


def test_a_definition_of_another_version_is_refused() -> None:
    with pytest.raises(AwsError, match="2020-12-01"):
        check_definition({**definition(processing("A")), "Version": "2019-01-01"})


def test_a_cycle_through_a_condition_is_found() -> None:
    steps = [
        processing("A", output_of("Good"), PropertyFiles=REPORT),
        gate("G", "A", [processing("Good")], []),
    ]
    with pytest.raises(AwsError, match="circle"):
        check_definition(definition(*steps))


def run(graph: Graph, ends: dict[str, str], outcome: bool = True) -> tuple[list[str], Schedule]:
    """Run a schedule one step at a time; `ends` says what does not succeed."""
    schedule, order = Schedule.begin(graph, {}, None), []
    while ready := schedule.ready():
        name = ready[0].name
        order.append(name)
        schedule.started(name)
        schedule.ended(name, ends.get(name, "Succeeded"), {"Outcome": outcome})
    return order, schedule


@pytest.mark.parametrize(
    ("outcome", "order", "skipped"),
    [
        (True, ["A", "B", "C", "Gate", "Good", "After"], {"Bad"}),
        (False, ["A", "B", "C", "Gate", "Bad"], {"Good", "After"}),
    ],
)
def test_only_the_taken_branch_and_what_needs_it_runs(
    outcome: bool, order: list[str], skipped: set[str]
) -> None:
    ran, schedule = run(check_definition(gated()), {}, outcome)
    assert ran == order
    assert {name for name, state in schedule.states.items() if state == SKIPPED} == skipped
    assert schedule.final_status() == "Succeeded"


def test_independent_steps_are_ready_together() -> None:
    schedule = Schedule.begin(check_definition(gated()), {}, None)
    assert [step.name for step in schedule.ready()] == ["A", "C"]


def imminent(schedule: Schedule) -> list[str]:
    return [name for name, step in schedule.graph.steps.items() if schedule.is_imminent(step)]


def test_a_step_is_imminent_once_it_waits_for_what_runs_and_conditions_alone() -> None:
    schedule = Schedule.begin(check_definition(gated()), {}, None)
    for name in ("A", "C"):
        schedule.started(name)
    assert imminent(schedule) == ["B"]
    schedule.ended("A", "Succeeded", {})
    schedule.started("B")
    assert imminent(schedule) == ["Gate", "Good", "Bad"]
    schedule.ended("B", "Succeeded", {})
    schedule.started("Gate")
    schedule.ended("Gate", "Succeeded", {"Outcome": True})
    assert imminent(schedule) == ["Good"]


def test_nothing_new_starts_after_a_failure_and_what_runs_goes_on() -> None:
    schedule = Schedule.begin(check_definition(gated()), {}, None)
    schedule.started("A")
    schedule.started("C")
    schedule.ended("C", "Failed", {})
    assert schedule.running() == 1
    schedule.ended("A", "Succeeded", {})
    assert schedule.ready() == []
    assert schedule.final_status() == "Failed"


def on(step: str, trigger: str) -> list[dict[str, str]]:
    return [{"Step": step, "Trigger": trigger}]


def test_a_step_that_waits_for_a_failure_runs_and_the_execution_completes_with_failures() -> None:
    steps = [
        processing("A"),
        processing("B", DependsOn=["A"]),
        processing("Notify", DependsOn=on("A", "Failed")),
    ]
    ran, schedule = run(graph_of(*steps), {"A": "Failed"})
    assert ran == ["A", "Notify"]
    assert schedule.final_status() == "CompletedWithFailures"
    ran, schedule = run(graph_of(*steps), {})
    assert ran == ["A", "B"]
    assert schedule.final_status() == "Succeeded"


def test_a_step_that_waits_for_any_end_runs_either_way() -> None:
    graph = graph_of(processing("A"), processing("Clean", DependsOn=on("A", "Any")))
    assert (
        run(graph, {"A": "Failed"})[0]
        == run(graph, {})[0]
        == run(graph, {"A": "Stopped"})[0]
        == ["A", "Clean"]
    )


def test_nothing_can_wait_for_a_fail_step() -> None:
    for wanted in (["End"], on("End", "Failed")):
        with pytest.raises(AwsError, match="B can not depends on End"):
            graph_of({"Name": "End", "Type": "Fail"}, processing("B", DependsOn=wanted))


def test_an_unknown_trigger_is_refused() -> None:
    with pytest.raises(AwsError, match="Trigger"):
        graph_of(processing("A"), processing("B", DependsOn=on("A", "Sometimes")))


def succeeded(name: str, **properties: Any) -> dict[str, Any]:
    return {
        "StepName": name,
        "StepStatus": "Succeeded",
        "StartTime": 1.0,
        "EndTime": 2.0,
        "_Properties": properties,
    }


def test_a_selection_takes_what_comes_before_from_its_source() -> None:
    graph = check_definition(gated())
    chosen = select(graph, ["Gate", "Good"])
    assert chosen.reused == ("A", "B")
    source = {name: succeeded(name) for name in ("A", "B", "C")}
    taken = reused_steps(graph, chosen, "arn:x", source)
    assert [doc["StepName"] for doc in taken] == ["A", "B"]
    assert taken[0]["SelectiveExecutionResult"] == {"SourcePipelineExecutionArn": "arn:x"}
    schedule = Schedule.begin(graph, {"A": {}, "B": {}}, chosen.selected)
    assert [step.name for step in schedule.ready()] == ["Gate"]
    assert schedule.states["C"] == schedule.states["Bad"] == schedule.states["After"] == SKIPPED


@pytest.mark.parametrize(
    ("names", "source", "words"),
    [
        (["Nope"], "arn:x", ["'Nope'", "A, B"]),
        (["A", "Gate"], "arn:x", ["between", "B"]),
        (["B"], None, ["Invalid SourcePipelineExecutionArn: null", "[B]", "[A]"]),
        (["C", "After"], "arn:x", ["Good", "did not", "succeed"]),
        (["Bad"], "arn:x", ["'Bad'", "'Gate' is False", "it was True"]),
    ],
)
def test_a_selection_that_cannot_run_is_refused(
    names: list[str], source: str | None, words: list[str]
) -> None:
    graph = check_definition(gated())
    steps = {"A": succeeded("A"), "B": succeeded("B"), "Gate": succeeded("Gate", Outcome=True)}
    with pytest.raises(AwsError) as error:
        reused_steps(graph, select(graph, names), source, steps)
    text = error.value.message.replace("in the source execution it was", "it was")
    assert all(word in text for word in words), json.dumps(error.value.message)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every member of a JSON value."""
    members = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    return [path] * bool(path) + [one for key, inner in members for one in places(inner, (*path, key))]


FULL = gated()
FULL["Steps"][0].update(
    CacheConfig={"Enabled": True, "ExpireAfter": "P1D"},
    RetryPolicies=[{"ExceptionType": ["Step.THROTTLING"], "MaxAttempts": 2, "BackoffRate": 1.5}],
    DependsOn=[{"Step": "C", "Trigger": "Any"}],
)
FULL["PipelineExperimentConfig"] = {"ExperimentName": {"Get": "Execution.PipelineName"}}
FULL["MlflowConfig"] = {"MlflowResourceArn": "arn", "MlflowExperimentName": {"Get": "Parameters.Name"}}
ODD = st.sampled_from(
    [None, True, 0, -1, 1.5, "", "x", "Steps.A", [], [[]], [{}], {}, {"Get": 1}, {"Std:Join": 1}]
)


@settings(max_examples=300)
@given(st.sampled_from(places(FULL)), ODD)
def test_whatever_stands_in_a_definition_it_is_accepted_or_refused_in_words(
    place: tuple[Any, ...], odd: Any
) -> None:
    document = copy.deepcopy(FULL)
    holder: Any = document
    for part in place[:-1]:
        holder = holder[part]
    holder[place[-1]] = odd
    with contextlib.suppress(AwsError):
        check_definition(document)
