"""The handlers, one after another, and with events that come twice, late, in another order, or not at all."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from automated_project import BROKEN, SILENT, STATISTICS, AutomatedProject
from registered_models import packed
from wire_clients import definition, wait_for

from automation import lease
from automation.context import read_context
from automation.messages import report_failure
from aws_formats.errors import GatehouseError


def better(accuracy: float) -> dict[str, object]:
    kind = "binary_classification_metrics"
    return {kind: {**STATISTICS[kind], "accuracy": {"value": accuracy, "standard_deviation": 0.01}}}


def test_a_version_is_deployed_up_to_test_and_a_rejected_one_is_rolled_back(
    automated: AutomatedProject,
) -> None:
    registry = automated.registry
    first = registry.register()
    automated.registered(first)
    [(subject, text)] = automated.messages()
    assert subject == f"please review version {first}"
    assert "Accuracy:  0.9000 (the gate's threshold: 0.6)" in text
    assert "nothing yet" in text
    assert f"gatehouse approve {registry.project} {first} --note" in text
    assert f"gatehouse reject {registry.project} {first} --note" in text
    assert f"Studio:  gatehouse studio {registry.project} {first}\n" in text, "not the console of an account"
    assert "https://" not in text

    registry.done("approve", first, "--note", "good")
    automated.decided(first)
    assert registry.parameter("dev") == registry.arn(first)
    assert "on its way" in automated.changed("dev")
    automated.arrived("dev")
    assert registry.parameter("test") == registry.arn(first), "test is entered automatically"
    automated.deployed("test")
    assert registry.parameter("prod") is None, "prod waits for a person"
    (_, in_dev), (in_test, waits) = automated.messages()
    assert "It goes on to test by itself." in in_dev
    assert in_test == f"version {first} serves in test"
    assert "Back" not in in_dev, "there is nothing to go back to: the command would fail"
    assert f"gatehouse promote {registry.project} --from test --to prod" in waits
    assert automated.serving("test") == registry.arn(first)

    second = registry.register(statistics=better(0.95))
    automated.registered(second)
    assert f"version {first} in test with 0.9000 (+0.0500)" in automated.messages()[0][1]
    registry.done("approve", second)
    automated.decided(second)
    automated.deployed("dev")
    assert automated.serving("dev") == registry.arn(second)
    [(subject, text)] = automated.messages()
    assert subject == f"version {second} serves in dev"
    assert f"Back to version {first}: gatehouse rollback {registry.project} --env dev" in text

    registry.done("reject", second, "--force", "--note", "it is unfair")
    automated.decided(second)
    assert registry.parameter("dev") == registry.arn(first)
    assert registry.parameter("test") == registry.arn(first), "rejected before it got there"
    messages = automated.messages()
    assert [subject for subject, _ in messages] == [
        f"version {second} does not stay in {one}" for one in ("dev", "test")
    ]
    assert all("it is unfair" in text for _, text in messages)
    automated.deployed("dev")
    automated.deployed("test")
    assert automated.serving("dev") == registry.arn(first)
    assert automated.subjects() == [f"version {first} serves in dev again"]
    assert registry.parameter("prod") is None

    # By a person's word it goes on; the automation only says so.
    registry.done("promote", "--from", "test", "--to", "prod")
    automated.changed("prod")
    assert "This is the last environment." in automated.messages()[0][1]


def test_reviewers_are_told_every_check_of_the_gate_in_its_own_words(automated: AutomatedProject) -> None:
    sentences = ("AUC 0.9100 is above the threshold 0.8", "the answers are no product of chance (p 0.001)")
    checks = [
        {"name": name, "passed": True, "sentence": sentence}
        for name, sentence in zip(("threshold", "worth"), sentences, strict=True)
    ]
    measured = {"auc": {"value": 0.91, "low": 0.85, "high": 0.95}}
    verdict = {"verdict": "passed", "metric": "auc", "checks": checks, "metrics": measured}
    automated.registered(automated.registry.register(verdict=verdict))
    [(_, text)] = automated.messages()
    for sentence in sentences:
        assert sentence in text
    assert "AUC:       0.9100, 95 % interval 0.8500 to 0.9500\n" in text
    assert "Gate:      passed\n" in text


def test_repeated_late_and_disordered_events_change_nothing_twice(automated: AutomatedProject) -> None:
    registry = automated.registry
    first = registry.register()
    automated.registered(first)
    assert "requested already" in automated.registered(first)
    assert "waits" not in automated.decided(first)
    assert registry.parameter("dev") is None, "an event that claims an approval is not believed"
    assert len(automated.messages()) == 1

    # The endpoint's and the environment's events before there is anything.
    automated.arrived("dev")
    automated.changed("dev")
    registry.done("approve", first)
    assert "Approved" in automated.registered(first)
    automated.decided(first)
    automated.decided(first)
    automated.changed("dev")
    assert "Creating" in automated.changed("dev") or automated.status("dev") == "InService"
    automated.arrived("dev")
    automated.arrived("dev")
    automated.changed("dev")
    automated.decided(first)
    assert automated.subjects() == [f"version {first} serves in dev"]
    automated.deployed("test")
    automated.messages()

    # The older version's approval arrives after the newer one's.
    second, third = registry.register(), registry.register()
    registry.done("approve", second)
    registry.done("approve", third)
    automated.decided(third)
    assert "newer" in automated.decided(second)
    automated.deployed("dev")
    assert automated.serving("dev") == registry.arn(third)
    versions = [
        entry["version"] for entry in registry.done("environments", "--env", "dev", "--json").document
    ]
    assert versions == [third, first]


def test_a_rejection_whose_event_is_lost_or_overtaken_leaves_no_environment_on_that_version(
    automated: AutomatedProject,
) -> None:
    registry = automated.registry
    first, second = registry.register(approved=True), registry.register(approved=True)
    automated.decided(first)
    automated.deployed("dev")
    automated.messages()
    # Approved, and rejected before anybody looked.
    automated.decided(second)
    registry.done("reject", second, "--force")
    automated.changed("dev")
    assert registry.parameter("dev") == registry.arn(first)
    assert automated.serving("dev") == registry.arn(first)
    assert automated.subjects() == [f"version {second} does not stay in dev"]
    assert "Rejected" in automated.decided(second)
    assert registry.parameter("dev") == registry.arn(first)

    # Serving, then rejected; the event is lost, and the timer rings.
    third = registry.register(approved=True)
    automated.decided(third)
    automated.deployed("dev")
    assert automated.serving("dev") == registry.arn(third)
    registry.done("reject", third, "--force")
    automated.timer()
    assert registry.parameter("dev") == registry.arn(first)
    automated.arrived("dev")
    assert registry.parameter("test") == registry.arn(first), "which the rejected one had entered"


def test_the_only_version_stays_when_it_is_rejected_and_people_are_told_once(
    automated: AutomatedProject,
) -> None:
    registry = automated.registry
    only = registry.register(approved=True)
    automated.decided(only)
    automated.deployed("dev")
    automated.messages()
    registry.done("reject", only, "--force")
    automated.decided(only)
    automated.decided(only)
    automated.timer()
    messages = [
        text for subject, text in automated.messages() if subject == f"version {only} still serves in dev"
    ]
    assert len(messages) == 1
    # Pasted as it stands, it must not reach an endpoint of that name in AWS.
    assert '(eval "$(gatehouse local env)" && aws sagemaker delete-endpoint' in messages[0]
    assert automated.serving("dev") == registry.arn(only)
    assert registry.parameter("test") is None, "it never answered there"


def test_a_version_with_the_arn_of_a_deleted_one_takes_its_place(automated: AutomatedProject) -> None:
    """A group that is deleted and made again numbers its versions from 1 again; the endpoint serves on."""
    registry = automated.registry
    first = registry.register(approved=True)
    registry.done("deploy", "--env", "dev", "--version", first)
    automated.changed("dev")
    config = automated.config("dev")
    registry.done("groups", "cleanup", "--yes")
    again = registry.register()
    assert registry.arn(again) == registry.arn(first)
    registry.done("approve", again)
    automated.messages()
    automated.decided(again)
    assert "on its way" in automated.changed("dev")
    assert "was announced" not in automated.arrived("dev")
    assert automated.config("dev") != config, "another model"
    assert automated.subjects() == [f"version {again} serves in dev"]
    assert "was announced" in automated.changed("dev")


def test_a_version_that_does_not_come_up_or_answer_is_replaced_by_the_one_before(
    automated: AutomatedProject,
) -> None:
    registry = automated.registry
    broken = registry.register(artifact=packed("code/inference.py", BROKEN), approved=True)
    automated.decided(broken)
    automated.deployed("dev")
    assert registry.parameter("dev") is None
    [(subject, text)] = automated.messages()
    assert subject == f"version {broken} does not stay in dev"
    assert "Nothing serves in dev" in text
    by_hand = f"gatehouse deploy {registry.project} --env dev --version {broken}"
    assert f"To try it again: {by_hand}\n" in text, "a lack of instances passes"
    assert automated.status("dev") is None

    good = registry.register(approved=True)
    automated.decided(good)
    automated.deployed("dev")
    automated.messages()
    silent = registry.register(artifact=packed("code/inference.py", SILENT), approved=True)
    automated.decided(silent)
    automated.deployed("dev")
    [(subject, text)] = automated.messages()
    assert subject == f"version {silent} does not stay in dev"
    assert "sample payload" in text
    assert "again" not in text, "it would answer the same"
    assert registry.parameter("dev") == registry.arn(good)
    assert registry.parameter("test") == registry.arn(good)
    automated.deployed("dev")
    assert automated.serving("dev") == registry.arn(good)


def test_a_version_that_no_endpoint_can_serve_is_replaced_and_people_are_told(
    automated: AutomatedProject,
) -> None:
    registry = automated.registry
    good = registry.register(approved=True)
    automated.decided(good)
    automated.deployed("dev")
    automated.messages()
    made = registry.client("sagemaker").create_model_package(
        ModelPackageGroupName=registry.project, ModelApprovalStatus="Approved"
    )
    bare = int(made["ModelPackageArn"].rpartition("/")[2])
    automated.decided(bare)
    automated.changed("dev")
    assert registry.parameter("dev") == registry.arn(good) == automated.serving("dev")
    [(subject, text)] = automated.messages()
    assert subject == f"version {bare} does not stay in dev"
    assert "no inference specification" in text


def test_a_parameter_that_somebody_sets_to_what_nobody_approved_is_set_back(
    automated: AutomatedProject,
) -> None:
    registry = automated.registry
    first, pending = registry.register(approved=True), registry.register()
    automated.decided(first)
    automated.deployed("dev")
    name = f"/gatehouse/{registry.project}/dev/model-package"
    for value in (
        registry.arn(pending),
        "arn:aws:sagemaker:eu-west-1:000000000000:model-package/other/1",
        "7",
    ):
        registry.client("ssm").put_parameter(Name=name, Value=value, Type="String", Overwrite=True)
        automated.changed("dev")
        assert registry.parameter("dev") == registry.arn(first)
    assert automated.serving("dev") == registry.arn(first)


def test_parameters_that_name_no_version_stop_no_other_version(automated: AutomatedProject) -> None:
    """Neither the review request, which compares with what serves, nor the deployment."""
    registry = automated.registry
    for environment, value in (("dev", "newest"), ("test", "oldest"), ("prod", registry.arn(999))):
        name = f"/gatehouse/{registry.project}/{environment}/model-package"
        registry.client("ssm").put_parameter(Name=name, Value=value, Type="String")
    version = registry.register()
    automated.registered(version)
    [(subject, text)] = automated.messages()
    assert subject == f"please review version {version}"
    assert "Serving:   nothing yet" in text
    registry.done("approve", version)
    automated.decided(version)
    assert registry.parameter("dev") == registry.arn(version)
    automated.deployed("dev")
    assert automated.subjects() == [f"version {version} serves in dev"]
    assert registry.parameter("test") == registry.arn(version)


def test_an_environment_may_change_more_often_than_parameter_store_remembers(
    automated: AutomatedProject,
) -> None:
    """It keeps a hundred entries, and refuses another while the oldest has a label."""
    registry, ssm = automated.registry, automated.registry.client("ssm")
    name = f"/gatehouse/{registry.project}/dev/model-package"
    first, second = registry.register(approved=True), registry.register(approved=True)
    automated.decided(first)
    automated.deployed("dev")
    registry.done("reject", first, "--force")
    automated.timer()  # stays, and people know
    automated.decided(second)
    automated.deployed("dev")
    for number in range(99):
        ssm.put_parameter(Name=name, Value=registry.arn(second), Type="String", Overwrite=True)
        if number % 33 == 0:
            automated.changed("dev")
    third = registry.register(approved=True)
    automated.decided(third)
    assert registry.parameter("dev") == registry.arn(third)


def test_the_timer_handles_versions_whose_events_were_lost(automated: AutomatedProject) -> None:
    registry = automated.registry
    first = registry.register()
    automated.timer()
    automated.timer()
    assert automated.subjects() == [f"please review version {first}"]
    registry.done("approve", first)
    automated.timer()
    assert registry.parameter("dev") == registry.arn(first)
    automated.deployed("dev")
    assert automated.subjects() == [f"version {first} serves in dev"]
    registry.register(approved=True)  # in Studio, which does not say when
    automated.timer()
    assert registry.parameter("dev") == registry.arn(first)


def test_a_version_that_did_not_come_up_is_not_tried_again_by_the_same_approval(
    automated: AutomatedProject,
) -> None:
    registry = automated.registry
    broken = registry.register(artifact=packed("code/inference.py", BROKEN))
    registry.done("approve", broken)
    automated.decided(broken)
    automated.deployed("dev")
    assert automated.subjects() == [f"version {broken} does not stay in dev"]
    assert "deployed for this approval already" in automated.decided(broken), "the event came twice"
    automated.timer()
    assert registry.parameter("dev") is None
    registry.done("approve", broken, "--force")
    automated.decided(broken)
    assert registry.parameter("dev") == registry.arn(broken), "a person's new word is a new try"


def test_an_execution_without_a_version_is_reported_with_its_reason(automated: AutomatedProject) -> None:
    sagemaker, name = automated.registry.client("sagemaker"), automated.registry.project
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
    automated.failed(arn)
    [(subject, text)] = automated.messages()
    assert subject == "the model is not good enough, no version is registered"
    assert "the gate stayed shut" in text
    assert "Why: accuracy 0.61 is not above the threshold 0.9" in text
    assert f"gatehouse executions {name}" in text
    assert "retry" not in text, "the same again would end the same"
    assert "none of project" in automated.failed(
        "arn:aws:sagemaker:eu-west-1:000000000000:pipeline/o/execution/x"
    )

    step = {"StepName": "TrainModel", "FailureReason": "AlgorithmError: no memory", "Metadata": {}}
    report_failure(read_context(), arn, [step])
    [(subject, text)] = automated.messages()
    assert subject == "execution failed in TrainModel, no version is registered"
    assert "Why: AlgorithmError: no memory" in text
    identity = arn.rpartition("/")[2]
    assert f"gatehouse logs {name} {identity} --step TrainModel" in text
    assert f"gatehouse retry {name} {identity}" in text


def test_events_of_other_projects_are_passed_over(automated: AutomatedProject) -> None:
    assert "is no version of" in automated.registered(99)
    assert "is no version of" in automated.decided(99)
    assert "no environment of project" in automated.changed("staging")
    assert "none of project" in automated.arrived("staging")


def test_the_same_event_many_times_at_once_is_handled_once(automated: AutomatedProject) -> None:
    registry = automated.registry
    version = registry.register()
    with ThreadPoolExecutor(4) as functions:
        list(functions.map(automated.registered, [version] * 4))
    assert automated.subjects() == [f"please review version {version}"]
    registry.done("approve", version)
    with ThreadPoolExecutor(4) as functions:
        list(functions.map(automated.decided, [version] * 4))
        list(functions.map(automated.changed, ["dev"] * 4))
        list(functions.map(automated.arrived, ["dev"] * 4))
    assert automated.subjects() == [f"version {version} serves in dev"]
    assert len(registry.done("environments", "--env", "dev", "--json").document) == 1


def test_a_lease_that_a_killed_function_left_behind_is_taken_over(
    automated: AutomatedProject, monkeypatch
) -> None:
    clients = read_context().clients
    name = f"/gatehouse/{automated.registry.project}/dev/lease"
    clients.client("ssm").put_parameter(Name=name, Value="held", Type="String")
    assert lease.LIFETIME < lease.PATIENCE, "the first who waits for it takes it over, none gives up before"
    monkeypatch.setattr(lease, "PATIENCE", 0.1)
    with pytest.raises(GatehouseError, match="another function"):
        automated.changed("dev")
    monkeypatch.setattr(lease, "PATIENCE", 60)
    monkeypatch.setattr(lease, "LIFETIME", 3.0)
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
    assert "nothing is wanted" in automated.changed("dev")


def test_a_lease_is_not_taken_from_a_function_at_work(automated: AutomatedProject, monkeypatch) -> None:
    clients = read_context().clients
    name = f"/gatehouse/{automated.registry.project}/dev/lease"
    monkeypatch.setattr(lease, "RENEWAL", 0.1)
    monkeypatch.setattr(lease, "LIFETIME", 3.0)
    monkeypatch.setattr(lease, "PATIENCE", 4.5)
    with lease.lease(clients, name), pytest.raises(GatehouseError, match="another function"):
        automated.changed("dev")
    assert "nothing is wanted" in automated.changed("dev")
