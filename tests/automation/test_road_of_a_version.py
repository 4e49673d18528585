"""The handlers, one after another, and with events that come twice, late, in another order, or not at all."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from automated_road import BROKEN, SILENT, STATISTICS, Road
from registered_models import packed
from wire_clients import definition, wait_for

from automation import lease
from automation.context import read_surroundings
from automation.messages import report_failure
from aws_formats.errors import GatehouseError


def better(accuracy: float) -> dict[str, object]:
    kind = "binary_classification_metrics"
    return {kind: {**STATISTICS[kind], "accuracy": {"value": accuracy, "standard_deviation": 0.01}}}


def test_a_version_goes_from_registration_to_a_waiting_prod_and_another_back_by_reject(road: Road) -> None:
    registry = road.registry
    first = registry.register()
    road.registered(first)
    [(subject, text)] = road.messages()
    assert subject == f"please review version {first}"
    assert "Accuracy:  0.9000 (the gate's threshold: 0.6)" in text
    assert "nothing yet" in text
    assert f"gatehouse approve {registry.project} {first} --note" in text
    assert f"gatehouse reject {registry.project} {first} --note" in text
    assert "https://" in text

    registry.done("approve", first, "--note", "good")
    road.decided(first)
    assert registry.parameter("dev") == registry.arn(first)
    assert "on its way" in road.changed("dev")
    road.arrived("dev")
    assert registry.parameter("test") == registry.arn(first), "test is entered automatically"
    road.deployed("test")
    assert registry.parameter("prod") is None, "prod waits for a person"
    (_, in_dev), (in_test, waits) = road.messages()
    assert "It goes on to test by itself." in in_dev
    assert in_test == f"version {first} serves in test"
    assert "Back" not in in_dev, "there is nothing to go back to: the command would fail"
    assert f"gatehouse promote {registry.project} --from test --to prod" in waits
    assert road.serving("test") == registry.arn(first)

    second = registry.register(statistics=better(0.95))
    road.registered(second)
    assert f"version {first} in test with 0.9000 (+0.0500)" in road.messages()[0][1]
    registry.done("approve", second)
    road.decided(second)
    road.deployed("dev")
    assert road.serving("dev") == registry.arn(second)
    [(subject, text)] = road.messages()
    assert subject == f"version {second} serves in dev"
    assert f"Back to version {first}: gatehouse rollback {registry.project} --env dev" in text

    registry.done("reject", second, "--force", "--note", "it is unfair")
    road.decided(second)
    assert registry.parameter("dev") == registry.arn(first)
    assert registry.parameter("test") == registry.arn(first), "rejected before it got there"
    messages = road.messages()
    assert [subject for subject, _ in messages] == [
        f"version {second} does not stay in {one}" for one in ("dev", "test")
    ]
    assert all("it is unfair" in text for _, text in messages)
    road.deployed("dev")
    road.deployed("test")
    assert road.serving("dev") == registry.arn(first)
    assert road.subjects() == [f"version {first} serves in dev again"]
    assert registry.parameter("prod") is None

    # By a person's word it goes on; the automation only says so.
    registry.done("promote", "--from", "test", "--to", "prod")
    road.changed("prod")
    assert "This is the last environment." in road.messages()[0][1]


def test_repeated_late_and_disordered_events_change_nothing_twice(road: Road) -> None:
    registry = road.registry
    first = registry.register()
    road.registered(first)
    assert "requested already" in road.registered(first)
    assert "waits" not in road.decided(first)
    assert registry.parameter("dev") is None, "an event that claims an approval is not believed"
    assert len(road.messages()) == 1

    # The endpoint's and the environment's events before there is anything.
    road.arrived("dev")
    road.changed("dev")
    registry.done("approve", first)
    assert "Approved" in road.registered(first)
    road.decided(first)
    road.decided(first)
    road.changed("dev")
    assert "Creating" in road.changed("dev") or road.status("dev") == "InService"
    road.arrived("dev")
    road.arrived("dev")
    road.changed("dev")
    road.decided(first)
    assert road.subjects() == [f"version {first} serves in dev"]
    road.deployed("test")
    road.messages()

    # The older version's approval arrives after the newer one's.
    second, third = registry.register(), registry.register()
    registry.done("approve", second)
    registry.done("approve", third)
    road.decided(third)
    assert "newer" in road.decided(second)
    road.deployed("dev")
    assert road.serving("dev") == registry.arn(third)
    versions = [
        entry["version"] for entry in registry.done("environments", "--env", "dev", "--json").document
    ]
    assert versions == [third, first]


def test_a_rejection_whose_event_is_lost_or_overtaken_leaves_no_environment_on_that_version(
    road: Road,
) -> None:
    registry = road.registry
    first, second = registry.register(approved=True), registry.register(approved=True)
    road.decided(first)
    road.deployed("dev")
    road.messages()
    # Approved, and rejected before anybody looked.
    road.decided(second)
    registry.done("reject", second, "--force")
    road.changed("dev")
    assert registry.parameter("dev") == registry.arn(first)
    assert road.serving("dev") == registry.arn(first)
    assert road.subjects() == [f"version {second} does not stay in dev"]
    assert "Rejected" in road.decided(second)
    assert registry.parameter("dev") == registry.arn(first)

    # Serving, then rejected; the event is lost, and the timer rings.
    third = registry.register(approved=True)
    road.decided(third)
    road.deployed("dev")
    assert road.serving("dev") == registry.arn(third)
    registry.done("reject", third, "--force")
    road.timer()
    assert registry.parameter("dev") == registry.arn(first)
    road.arrived("dev")
    assert registry.parameter("test") == registry.arn(first), "which the rejected one had entered"


def test_the_only_version_stays_when_it_is_rejected_and_people_are_told_once(road: Road) -> None:
    registry = road.registry
    only = registry.register(approved=True)
    road.decided(only)
    road.deployed("dev")
    road.messages()
    registry.done("reject", only, "--force")
    road.decided(only)
    road.decided(only)
    road.timer()
    messages = [text for subject, text in road.messages() if subject == f"version {only} still serves in dev"]
    assert len(messages) == 1
    # Pasted as it stands, it must not reach an endpoint of that name in AWS.
    assert '(eval "$(gatehouse local env)" && aws sagemaker delete-endpoint' in messages[0]
    assert road.serving("dev") == registry.arn(only)
    assert registry.parameter("test") is None, "it never answered there"


def test_a_version_that_does_not_come_up_or_answer_gives_way_to_the_one_before(road: Road) -> None:
    registry = road.registry
    broken = registry.register(artifact=packed("code/inference.py", BROKEN), approved=True)
    road.decided(broken)
    road.deployed("dev")
    assert registry.parameter("dev") is None
    [(subject, text)] = road.messages()
    assert subject == f"version {broken} does not stay in dev"
    assert "Nothing serves in dev" in text
    assert road.status("dev") is None

    good = registry.register(approved=True)
    road.decided(good)
    road.deployed("dev")
    road.messages()
    silent = registry.register(artifact=packed("code/inference.py", SILENT), approved=True)
    road.decided(silent)
    road.deployed("dev")
    [(subject, text)] = road.messages()
    assert subject == f"version {silent} does not stay in dev"
    assert "sample payload" in text
    assert registry.parameter("dev") == registry.arn(good)
    assert registry.parameter("test") == registry.arn(good)
    road.deployed("dev")
    assert road.serving("dev") == registry.arn(good)


def test_a_version_that_no_endpoint_can_serve_gives_way_and_people_are_told(road: Road) -> None:
    registry = road.registry
    good = registry.register(approved=True)
    road.decided(good)
    road.deployed("dev")
    road.messages()
    made = registry.client("sagemaker").create_model_package(
        ModelPackageGroupName=registry.project, ModelApprovalStatus="Approved"
    )
    bare = int(made["ModelPackageArn"].rpartition("/")[2])
    road.decided(bare)
    road.changed("dev")
    assert registry.parameter("dev") == registry.arn(good) == road.serving("dev")
    [(subject, text)] = road.messages()
    assert subject == f"version {bare} does not stay in dev"
    assert "no inference specification" in text


def test_a_person_at_work_is_left_alone(road: Road) -> None:
    """`gatehouse deploy` moves the endpoint first and writes the parameter last."""
    registry = road.registry
    first, second = registry.register(approved=True), registry.register(approved=True)
    registry.done("deploy", "--env", "dev", "--version", first)
    road.arrived("dev")
    road.changed("dev")
    assert road.subjects() == [f"version {first} serves in dev"]
    registry.done("deploy", "--env", "dev", "--version", second)
    road.arrived("dev")
    registry.done("rollback", "--env", "dev")
    road.changed("dev")
    assert road.serving("dev") == registry.arn(first)
    assert road.subjects() == [f"version {second} serves in dev", f"version {first} serves in dev again"]
    # Back to a rejected version on purpose: the timer does not know better.
    registry.done("deploy", "--env", "dev", "--version", second)
    registry.done("reject", first, "--force")
    registry.done("rollback", "--env", "dev")
    road.timer()
    assert registry.parameter("dev") == registry.arn(first)


def test_a_parameter_that_somebody_sets_to_what_nobody_approved_is_set_back(road: Road) -> None:
    registry = road.registry
    first, pending = registry.register(approved=True), registry.register()
    road.decided(first)
    road.deployed("dev")
    name = f"/gatehouse/{registry.project}/dev/model-package"
    for value in (
        registry.arn(pending),
        "arn:aws:sagemaker:eu-west-1:000000000000:model-package/other/1",
        "7",
    ):
        registry.client("ssm").put_parameter(Name=name, Value=value, Type="String", Overwrite=True)
        road.changed("dev")
        assert registry.parameter("dev") == registry.arn(first)
    assert road.serving("dev") == registry.arn(first)


def test_an_environment_may_change_more_often_than_parameter_store_remembers(road: Road) -> None:
    """It keeps a hundred entries, and refuses another while the oldest has a label."""
    registry, ssm = road.registry, road.registry.client("ssm")
    name = f"/gatehouse/{registry.project}/dev/model-package"
    first, second = registry.register(approved=True), registry.register(approved=True)
    road.decided(first)
    road.deployed("dev")
    registry.done("reject", first, "--force")
    road.timer()  # stays, and people know
    road.decided(second)
    road.deployed("dev")
    for number in range(99):
        ssm.put_parameter(Name=name, Value=registry.arn(second), Type="String", Overwrite=True)
        if number % 33 == 0:
            road.changed("dev")
    third = registry.register(approved=True)
    road.decided(third)
    assert registry.parameter("dev") == registry.arn(third)


def test_the_timer_takes_up_versions_whose_events_were_lost(road: Road) -> None:
    registry = road.registry
    first = registry.register()
    road.timer()
    road.timer()
    assert road.subjects() == [f"please review version {first}"]
    registry.done("approve", first)
    road.timer()
    assert registry.parameter("dev") == registry.arn(first)
    road.deployed("dev")
    assert road.subjects() == [f"version {first} serves in dev"]
    registry.register(approved=True)  # in Studio, which does not say when
    road.timer()
    assert registry.parameter("dev") == registry.arn(first)


def test_a_version_that_did_not_come_up_is_not_tried_again_by_the_same_approval(road: Road) -> None:
    registry = road.registry
    broken = registry.register(artifact=packed("code/inference.py", BROKEN))
    registry.done("approve", broken)
    road.decided(broken)
    road.deployed("dev")
    assert road.subjects() == [f"version {broken} does not stay in dev"]
    assert "taken up already" in road.decided(broken), "the event came twice"
    road.timer()
    assert registry.parameter("dev") is None
    registry.done("approve", broken, "--force")
    road.decided(broken)
    assert registry.parameter("dev") == registry.arn(broken), "a person's new word is a new try"


def test_an_execution_without_a_version_is_told_with_its_reason(road: Road) -> None:
    sagemaker, name = road.registry.client("sagemaker"), road.registry.project
    role = "arn:aws:iam::000000000000:role/any"
    sagemaker.create_pipeline(
        PipelineName=name,
        PipelineDefinition=definition("accuracy 0.61 is not above the threshold 0.9"),
        RoleArn=role,
        ClientRequestToken="t" * 32,
    )
    arn = sagemaker.start_pipeline_execution(PipelineName=name)["PipelineExecutionArn"]
    wait_for(
        lambda: (
            sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"]
            == "Failed"
            or None
        )
    )
    road.failed(arn)
    [(subject, text)] = road.messages()
    assert subject == "the model is not good enough, no version is registered"
    assert "the gate stayed shut" in text
    assert "Why: accuracy 0.61 is not above the threshold 0.9" in text
    assert f"gatehouse executions {name}" in text
    assert "retry" not in text, "the same again would end the same"
    assert "none of ours" in road.failed("arn:aws:sagemaker:eu-west-1:000000000000:pipeline/o/execution/x")

    step = {"StepName": "TrainModel", "FailureReason": "AlgorithmError: no memory", "Metadata": {}}
    report_failure(read_surroundings(), arn, [step])
    [(subject, text)] = road.messages()
    assert subject == "execution failed in TrainModel, no version is registered"
    assert "Why: AlgorithmError: no memory" in text
    identity = arn.rpartition("/")[2]
    assert f"gatehouse logs {name} {identity} --step TrainModel" in text
    assert f"gatehouse retry {name} {identity}" in text


def test_events_of_other_projects_are_none_of_ours(road: Road) -> None:
    assert "is no version of" in road.registered(99)
    assert "is no version of" in road.decided(99)
    assert "no environment of ours" in road.changed("staging")
    assert "none of ours" in road.arrived("staging")


def test_the_same_event_many_times_at_once_is_handled_once(road: Road) -> None:
    registry = road.registry
    version = registry.register()
    with ThreadPoolExecutor(4) as functions:
        list(functions.map(road.registered, [version] * 4))
    assert road.subjects() == [f"please review version {version}"]
    registry.done("approve", version)
    with ThreadPoolExecutor(4) as functions:
        list(functions.map(road.decided, [version] * 4))
        list(functions.map(road.changed, ["dev"] * 4))
        list(functions.map(road.arrived, ["dev"] * 4))
    assert road.subjects() == [f"version {version} serves in dev"]
    assert len(registry.done("environments", "--env", "dev", "--json").document) == 1


def test_a_lease_that_a_killed_function_left_behind_is_taken_over(road: Road, monkeypatch) -> None:
    clients = read_surroundings().clients
    name = f"/gatehouse/{road.registry.project}/dev/lease"
    clients.client("ssm").put_parameter(Name=name, Value="held", Type="String")
    assert lease.LIFETIME < lease.PATIENCE, "the first who waits for it takes it over, none gives up before"
    monkeypatch.setattr(lease, "PATIENCE", 0.1)
    with pytest.raises(GatehouseError, match="another function"):
        road.changed("dev")
    monkeypatch.setattr(lease, "PATIENCE", 60)
    monkeypatch.setattr(lease, "LIFETIME", 0.5)
    at_work: list[int] = []

    def work() -> None:
        with lease.lease(clients, name):
            at_work.append(1)
            assert len(at_work) == 1, "only one of those who saw it stand still takes it over"
            time.sleep(0.2)
            at_work.clear()

    with ThreadPoolExecutor(4) as functions:
        for done in [functions.submit(work) for _ in range(4)]:
            done.result()
    assert "nothing is wanted" in road.changed("dev")


def test_a_lease_is_not_taken_from_a_function_at_work(road: Road, monkeypatch) -> None:
    clients = read_surroundings().clients
    name = f"/gatehouse/{road.registry.project}/dev/lease"
    monkeypatch.setattr(lease, "RENEWAL", 0.1)
    monkeypatch.setattr(lease, "LIFETIME", 1.0)
    monkeypatch.setattr(lease, "PATIENCE", 3.0)
    with lease.lease(clients, name), pytest.raises(GatehouseError, match="another function"):
        road.changed("dev")
    assert "nothing is wanted" in road.changed("dev")
