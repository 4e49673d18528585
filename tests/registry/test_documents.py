"""What ``--json`` prints has the keys that docs/json.md promises."""

from __future__ import annotations

import contextlib
import json

import pytest
from promised_documents import promised
from registered_models import Registry

from pipelines.settings.target import LOCAL_BUCKET

LINES = {
    "groups setup": ["groups setup"],
    "groups verify": ["groups verify"],
    "projects": ["projects"],
    "models": ["models", "models --approval Approved --limit 1"],
    "model": [
        "model 1",
        "model 3",
        "model 3 --set ticket=RC-7",
        "model 1 --card",
        "model 3 --request-review",
    ],
    "compare": ["compare 1 2", "compare 1 3"],
    "approve": ["approve 2 --force --note again"],
    "reject": ["reject 3"],
    "share": ["share --account 111122223333 --plan", "share --account 111122223333 --revoke"],
    "deploy": ["deploy --env dev --version 2 --plan", "deploy --env dev --version 2"],
    "promote": ["promote --from dev --to test --plan"],
    "rollback": ["rollback --env dev --plan", "rollback --env dev --to 2"],
    "environments": ["environments"],
    "environments --env": ["environments --env dev", "environments --env prod"],
    "invoke": ["invoke --env dev --data rows.csv"],
    "monitor": ["monitor --env dev --show"],
    "labels": ["labels labels.csv --env dev"],
    "transform": ["transform --input rows.csv --output o.csv --version 1 --plan"],
    "groups cleanup": ["groups cleanup --yes"],
}


def test_every_command_of_the_registry_is_on_the_page() -> None:
    assert set(promised("The registry")) == set(LINES)


@pytest.fixture
def several(serving: Registry) -> Registry:
    """A version that serves, one approved, and one from elsewhere of which nothing is known."""
    serving.register(approved=True)
    (serving.folder / "labels.csv").write_text("inference_id,label\na,yes\n")
    s3 = serving.client("s3")
    with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=LOCAL_BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    serving.client("sagemaker").create_model_package(
        ModelPackageGroupName=serving.project, ModelApprovalStatus="PendingManualApproval"
    )
    return serving


def test_a_document_has_the_promised_keys_and_nothing_is_beside_it(several: Registry) -> None:
    documents = promised("The registry")
    for command, lines in LINES.items():
        kind, keys = documents[command]
        for line in lines:
            ended = several.gatehouse(*line.split(), "--json")
            assert ended.code in (0, 1 if command == "groups verify" else 0), (line, ended.err)
            document = json.loads(ended.out)
            assert isinstance(document, list if kind == "list" else dict), line
            for entry in document if kind == "list" else [document]:
                assert set(entry) == keys, line


def test_what_fails_leaves_standard_output_empty(several: Registry) -> None:
    for line in (
        "model 99",
        "deploy --env dev --version 99",
        "invoke --env prod --data rows.csv",
        "models x",
    ):
        ended = several.gatehouse(*line.split(), "--json")
        assert (ended.code, ended.out) == (1, ""), line
