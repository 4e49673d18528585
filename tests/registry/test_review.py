"""Approving and rejecting: who, when, why; what stays; what happens when two people decide at once."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from registered_models import Registry

from registry import approval_history
from registry.approval_history import Decision
from registry.review import apply_review, plan_review

LOCAL_USER = "arn:aws:sts::000000000000:assumed-role/local/user"


def test_an_approval_says_who_when_and_why_and_erases_nothing(registry: Registry) -> None:
    registry.register(ModelCard={"ModelCardStatus": "Draft", "ModelCardContent": '{"intended_uses": {}}'})
    before = registry.describe(1)
    registry.done("approve", registry.project, 1, "--note", "looks good, 100 % sure!")
    after = registry.describe(1)
    assert after["ModelApprovalStatus"] == "Approved"
    assert after["ApprovalDescription"].startswith(f"Approved by {LOCAL_USER} at 20")
    assert after["ApprovalDescription"].endswith(": looks good, 100 % sure!")
    for member in ("InferenceSpecification", "ModelMetrics", "SamplePayloadUrl", "CreationTime"):
        assert after[member] == before[member]
    assert before["CustomerMetadataProperties"].items() <= after["CustomerMetadataProperties"].items()
    assert after["ModelCard"]["ModelCardStatus"] == "Approved"
    assert "evaluation_details" in json.loads(after["ModelCard"]["ModelCardContent"])


def test_the_history_of_approvals_keeps_every_decision(registry: Registry) -> None:
    registry.register()
    registry.done("approve", 1, "--note", "fine")
    registry.done("reject", 1, "--note", "drifted; see RC-9", "--force")
    shown = registry.done("model", 1, "--json").document
    assert [(entry["status"], entry["note"]) for entry in shown["approvals"]] == [
        ("Rejected", "drifted; see RC-9"),
        ("Approved", "fine"),
    ]
    assert {entry["who"] for entry in shown["approvals"]} == {LOCAL_USER}
    assert shown["card"]["status"] == "PendingReview"
    text = registry.done("model", 1).out
    assert text.index("drifted; see RC-9") < text.index("fine")


def test_a_decided_version_needs_force(registry: Registry) -> None:
    registry.register()
    registry.done("approve", 1)
    for command in ("approve", "reject"):
        ended = registry.gatehouse(command, 1)
        assert ended.code == 1
        assert f"is Approved already (by {LOCAL_USER}" in ended.err
        assert "--force" in ended.err
    assert registry.done("reject", 1, "--force", "--json").document["approval"] == "Rejected"


def test_a_version_approved_with_the_aws_cli_is_decided_as_well(registry: Registry) -> None:
    registry.register()
    registry.client("sagemaker").update_model_package(
        ModelPackageArn=registry.arn(1), ModelApprovalStatus="Rejected", ApprovalDescription="by the CLI"
    )
    ended = registry.gatehouse("approve", 1)
    assert ended.code == 1
    assert "is Rejected already (by the CLI)" in ended.err


def test_an_archived_card_does_not_stand_in_the_way(registry: Registry) -> None:
    registry.register(ModelCard={"ModelCardStatus": "Archived", "ModelCardContent": "{}"})
    registry.done("approve", 1)
    assert registry.describe(1)["ModelCard"]["ModelCardStatus"] == "Archived"


def test_two_people_who_decide_at_once_leave_one_whole_decision_and_both_entries(registry: Registry) -> None:
    registry.register()
    with ThreadPoolExecutor(2) as people:
        plans = [
            plan_review(registry, registry.project, 1, status, f"because {status}")
            for status in ("Approved", "Rejected")
        ]
        ended = list(people.map(lambda plan: apply_review(plan, registry), plans))
    now = registry.describe(1)
    status = now["ModelApprovalStatus"]
    assert now["ApprovalDescription"].startswith(f"{status} by ")
    assert now["ApprovalDescription"].endswith(f"because {status}")
    assert (
        now["ModelCard"]["ModelCardStatus"] == {"Approved": "Approved", "Rejected": "PendingReview"}[status]
    )
    history = approval_history.decisions(now["CustomerMetadataProperties"])
    assert {decision.status for decision in history} == {"Approved", "Rejected"}
    assert any(one.overtaken_by is not None for one in ended), "whoever came second is told of the other"


def test_whoever_is_overtaken_is_told_on_the_command_line(registry: Registry, monkeypatch) -> None:
    registry.register()
    from pipelines.commands import reviewing

    planned = plan_review(registry, registry.project, 1, "Rejected", "too late")

    def plan_while_another_decides(*words, **options):
        plan = plan_review(*words, **options)
        apply_review(planned, registry)
        return plan

    monkeypatch.setattr(reviewing, "plan_review", plan_while_another_decides)
    ended = registry.gatehouse("approve", 1)
    assert ended.code == 1
    assert "set version 1" in ended.err
    assert "to Rejected at the same moment" in ended.err


def test_a_status_that_was_set_by_other_means_meanwhile_is_told_as_well(
    registry: Registry, monkeypatch
) -> None:
    registry.register()
    from registry import review

    describe = review.describe_arn

    def describe_after_another_has_decided(clients, arn):
        registry.client("sagemaker").update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Rejected")
        return describe(clients, arn)

    monkeypatch.setattr(review, "describe_arn", describe_after_another_has_decided)
    ended = registry.gatehouse("approve", 1)
    assert ended.code == 1
    assert "somebody set version 1" in ended.err
    assert "to Rejected" in ended.err


def test_a_version_full_of_notes_says_that_the_decision_has_no_room(registry: Registry) -> None:
    registry.register(CustomerMetadataProperties={f"key{n}": "x" for n in range(50)})
    ended = registry.gatehouse("approve", 1)
    assert ended.code == 1
    assert f"gatehouse model {registry.project} 1 --unset KEY" in ended.err
    registry.done("model", 1, "--unset", "key7")
    assert registry.gatehouse("approve", 1).code == 1, "the artifact's digest needs room too"
    registry.done("model", 1, "--unset", "key8")
    registry.done("approve", 1)


def test_ten_registrations_at_once_get_ten_numbers_without_gaps(registry: Registry) -> None:
    registry.register()
    with ThreadPoolExecutor(10) as pipelines:
        numbers = list(pipelines.map(lambda _: registry.register(), range(10)))
    assert sorted(numbers) == list(range(2, 12))
    assert [entry["version"] for entry in registry.done("models", "--json").document] == list(
        range(11, 0, -1)
    )


def test_only_the_newest_ten_decisions_are_kept(registry: Registry) -> None:
    registry.register(CustomerMetadataProperties={f"key{n}": "x" for n in range(39)})
    for n in range(12):
        registry.done("approve" if n % 2 else "reject", 1, "--force", "--note", f"number {n}")
    approvals = registry.done("model", 1, "--json").document["approvals"]
    assert [entry["note"] for entry in approvals] == [f"number {n}" for n in range(11, 1, -1)]


NOW = datetime(2026, 11, 21, 3, 35, tzinfo=UTC)


@given(st.text(max_size=60))
def test_any_short_note_survives_in_the_metadata(note: str) -> None:
    key, value = approval_history.decision_property(Decision("Approved", LOCAL_USER, NOW, note))
    found = approval_history.decisions({key: value})
    if approval_history.encode(note) in value:  # it was not cut
        assert found == (Decision("Approved", LOCAL_USER, NOW, note),)
    assert len(value) <= approval_history.VALUE_LIMIT
    assert all(c.isalpha() or c.isdecimal() or c in " _.:/=+-@" for c in value)


def test_a_long_note_is_cut_and_says_so() -> None:
    key, value = approval_history.decision_property(Decision("Rejected", LOCAL_USER, NOW, "é;" * 300))
    assert len(value) <= 256
    assert approval_history.decisions({key: value})[0].note.endswith("...")


def test_a_cut_note_keeps_as_many_characters_as_fit() -> None:
    key, value = approval_history.decision_property(Decision("Rejected", LOCAL_USER, NOW, "\U0001f4a1" * 60))
    assert 256 - 12 < len(value) <= 256
    [found] = approval_history.decisions({key: value})
    assert set(found.note) == {"\U0001f4a1", "."}


def test_decisions_of_the_same_second_keep_their_order() -> None:
    later = NOW + timedelta(microseconds=1)
    entries = [Decision("Approved", "a", NOW, ""), Decision("Rejected", "b", later, "")]
    metadata = dict(approval_history.decision_property(decision) for decision in entries)
    assert [found.who for found in approval_history.decisions(metadata)] == ["b", "a"]


@pytest.mark.parametrize("value", ["", "Approved", "rubbish"])
def test_properties_that_are_no_decisions_are_passed_over(value: str) -> None:
    assert (
        approval_history.decisions({"approval.note": value, "approval.20261121T033500.000000Z": value}) == ()
    )
