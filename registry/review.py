"""Approving and rejecting: the decision, who took it, when and why, and the model card that goes with it.

One UpdateModelPackage call carries all of a decision: status, description, an entry in the history
(``approval_history``), the digest of the artifact (``artifacts``) and the card's content and status. So no
decision is ever half done, and nothing else of the version is touched. SageMaker has no "change it only if
nobody else did": when two people decide at the same moment both entries stay in the history, the later
call's status counts, and whoever was overtaken is told.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from aws_formats.errors import GatehouseError
from registry import approval_history, model_cards
from registry.approval_history import Decision
from registry.artifacts import ArtifactChanged, Checked, check_artifacts
from registry.clients import Clients, caller_arn
from registry.life_cycle import REVIEW, life_cycle
from registry.model_packages import APPROVED, PENDING, describe_arn
from registry.version_details import VersionDetails, read_version

_CARD_STATUS = {APPROVED: "Approved", "Rejected": "PendingReview"}
_DESCRIPTION_LIMIT = 1024
_ARCHIVED = "Archived"  # SageMaker refuses every change to such a card


@dataclass(frozen=True)
class ReviewPlan:
    """A decision, ready to be carried out.

    Attributes:
        artifacts: properties that say which bytes were decided on; none of a rejected version whose artifact
            is not the one that was evaluated.
        notes: what is not known of the artifact, a sentence each.
        forgotten: keys of the oldest decisions, which make room for this one.
        card_status: what the card's status becomes; None if the card is archived and stays as it is.
    """

    version: VersionDetails
    decision: Decision
    artifacts: Mapping[str, str]
    notes: tuple[str, ...]
    forgotten: tuple[str, ...]
    card: str | None
    card_status: str | None

    @property
    def description(self) -> str:
        """The approval description: one line for Studio and the AWS CLI."""
        decision = self.decision
        when = decision.when.strftime("%Y-%m-%dT%H:%M:%SZ")
        note = f": {decision.note}" if decision.note else ""
        line = " ".join(f"{decision.status} by {decision.who} at {when}{note}".split())
        return line if len(line) <= _DESCRIPTION_LIMIT else line[: _DESCRIPTION_LIMIT - 3] + "..."


@dataclass(frozen=True)
class Reviewed:
    """The status that a version has after a review, and another decision that was taken at the same time.

    Only decisions with an entry in the history are seen: a status that was set by other means leaves none.
    """

    approval: str
    overtaken_by: Decision | None


def plan_review(
    clients: Clients, group: str, version: int, status: str, note: str, *, force: bool = False
) -> ReviewPlan:
    """What a decision on a version would write; reads only, and the artifact whole.

    Args:
        status: Approved or Rejected.
        force: decide also where somebody has decided already.

    Raises:
        ArtifactChanged: the artifact to be approved is not the one that was evaluated or decided on before.
        GatehouseError: there is no such version, it is decided already, or it is not complete.
    """
    found = read_version(clients, group, version)
    if found.status != "Completed":
        raise GatehouseError(
            f"version {version} of model {group} is {found.status}",
            remedy="Only a version that is Completed can be reviewed",
        )
    if found.approval != PENDING and not force:
        raise GatehouseError(
            f"version {version} of model {group} is {found.approval} already{_by_whom(found)}",
            remedy="Decide anew with --force",
        )
    decision = Decision(status, caller_arn(clients), datetime.now(UTC), note.strip())
    checked = _check_artifacts(clients, found, status)
    forgotten = tuple(approval_history.surplus_keys(found.properties))
    written = found.properties.keys() | checked.records.keys()
    if len(written) - len(forgotten) >= approval_history.PROPERTY_LIMIT:
        raise GatehouseError(
            f"version {version} of model {group} has {len(found.properties)} notes, all that SageMaker"
            " allows: the decision and the artifact's digest would not find room",
            remedy=f"Take one away: `gatehouse model {group} {version} --unset KEY`",
        )
    archived = found.card_status == _ARCHIVED
    return ReviewPlan(
        version=found,
        decision=decision,
        artifacts=checked.records,
        notes=checked.notes,
        forgotten=forgotten,
        card=None if archived else json.dumps(model_cards.content(found), sort_keys=True),
        card_status=None if archived else _CARD_STATUS[status],
    )


def apply_review(plan: ReviewPlan, clients: Clients) -> Reviewed:
    """Write the decision, then look whether anybody decided since the plan was made."""
    key, value = approval_history.decision_property(plan.decision)
    card = {"ModelCard": {"ModelCardContent": plan.card, "ModelCardStatus": plan.card_status}}
    clients.client("sagemaker").update_model_package(
        ModelPackageArn=plan.version.arn,
        ModelApprovalStatus=plan.decision.status,
        ApprovalDescription=plan.description,
        ModelLifeCycle=life_cycle(REVIEW, plan.decision.status, plan.decision.note),
        CustomerMetadataProperties={**plan.artifacts, key: value},
        **({"CustomerMetadataPropertiesToRemove": list(plan.forgotten)} if plan.forgotten else {}),
        **(card if plan.card is not None else {}),
    )
    now = describe_arn(clients, plan.version.arn)
    known = {decision.when for decision in plan.version.decisions} | {plan.decision.when}
    others = [
        decision
        for decision in approval_history.decisions(now.get("CustomerMetadataProperties", {}))
        if decision.when not in known and decision.status != plan.decision.status
    ]
    return Reviewed(now["ModelApprovalStatus"], others[0] if others else None)


def _check_artifacts(clients: Clients, version: VersionDetails, status: str) -> Checked:
    """A version is rejected whatever became of its artifact."""
    try:
        return check_artifacts(clients.client("s3"), describe_arn(clients, version.arn), anew=True)
    except ArtifactChanged as error:
        if status == APPROVED:
            raise
        return Checked({}, (str(error),))


def plan_card(clients: Clients, group: str, version: int) -> VersionDetails:
    """The version whose card is to be completed and handed in for review; reads only.

    Raises:
        GatehouseError: there is no such version, or its card can no longer be changed.
    """
    found = read_version(clients, group, version)
    if found.card_status in (_ARCHIVED, "Approved"):
        raise GatehouseError(
            f"the model card of version {version} of model {group} is {found.card_status} already",
            remedy="A new decision with --force moves it",
        )
    return found


def apply_card(version: VersionDetails, clients: Clients) -> None:
    """Attach the completed card to the version, for review."""
    content = json.dumps(model_cards.content(version), sort_keys=True)
    clients.client("sagemaker").update_model_package(
        ModelPackageArn=version.arn,
        ModelCard={"ModelCardContent": content, "ModelCardStatus": "PendingReview"},
    )


def _by_whom(version: VersionDetails) -> str:
    """Who decided on a version and when, in parentheses; without an entry, its approval description."""
    if version.decisions and version.decisions[0].status == version.approval:
        last = version.decisions[0]
        return f" (by {last.who} at {last.when:%Y-%m-%d %H:%M} UTC)"
    return f" ({version.approval_description})" if version.approval_description else ""
