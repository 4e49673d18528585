"""Notes on a version: customer metadata that people add later, without touching anything else."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aws_formats.errors import GatehouseError
from registry import approval_history, artifacts
from registry.clients import Clients
from registry.model_packages import describe

_KEY_LIMIT, _VALUE_LIMIT = 128, 256
_PUNCTUATION = "_.:/=+-@"


@dataclass(frozen=True)
class NotesPlan:
    """The properties of a version that would change, and those that would be removed."""

    arn: str
    changed: Mapping[str, str]
    removed: tuple[str, ...]


def plan_notes(
    clients: Clients, group: str, version: int, set_: Mapping[str, str], unset: Sequence[str]
) -> NotesPlan:
    """What would change of a version's properties; reads only.

    Raises:
        GatehouseError: there is no such version or property, or a key or value is not allowed.
    """
    described = describe(clients, group, version)
    held: dict[str, str] = described.get("CustomerMetadataProperties", {})
    for key in [*set_, *unset]:
        if key.startswith(approval_history.PREFIX):
            raise GatehouseError(
                f"{key!r} belongs to the history of approvals", remedy="Choose a name that begins otherwise"
            )
        if key.startswith(artifacts.PREFIX):
            raise GatehouseError(
                f"{key!r} says which artifact was decided on", remedy="Choose a name that begins otherwise"
            )
    for key in unset:
        if key not in held:
            raise GatehouseError(
                f"version {version} of model {group} has no note {key!r}",
                remedy=f"See `gatehouse model {group} {version}`",
            )
    for key, value in set_.items():
        _check("name", key, _KEY_LIMIT)
        _check(f"value of {key}", value, _VALUE_LIMIT)
    changed = {key: value for key, value in set_.items() if held.get(key) != value}
    if len((held.keys() | set_.keys()) - set(unset)) > approval_history.PROPERTY_LIMIT:
        raise GatehouseError(
            f"a version can have {approval_history.PROPERTY_LIMIT} properties and would have more",
            remedy="Take some away with --unset",
        )
    return NotesPlan(described["ModelPackageArn"], changed, tuple(unset))


def apply_notes(plan: NotesPlan, clients: Clients) -> None:
    """Write and remove the properties of a plan, and change nothing else of the version."""
    if plan.changed or plan.removed:
        clients.client("sagemaker").update_model_package(
            ModelPackageArn=plan.arn,
            **({"CustomerMetadataProperties": dict(plan.changed)} if plan.changed else {}),
            **({"CustomerMetadataPropertiesToRemove": list(plan.removed)} if plan.removed else {}),
        )


def _check(what: str, text: str, limit: int) -> None:
    if not 1 <= len(text) <= limit:
        raise GatehouseError(
            f"the {what} has {len(text)} characters", remedy=f"SageMaker allows 1 to {limit}"
        )
    wrong = sorted({c for c in text if unicodedata.category(c)[0] not in "LNZ" and c not in _PUNCTUATION})
    if wrong:
        raise GatehouseError(
            f"the {what} has {' '.join(map(repr, wrong))} in it",
            remedy=f"SageMaker allows letters, digits, spaces and {_PUNCTUATION}",
        )
