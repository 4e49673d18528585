"""Looking at registered versions: lists, details, comparisons, notes, cards."""

from __future__ import annotations

import json

import pytest
from registered_models import Registry

PIPELINES = "arn:aws:sagemaker:eu-west-1:000000000000:pipeline"


def test_a_list_of_versions_is_newest_first_with_metrics_and_status(registry: Registry) -> None:
    registry.register(accuracy=0.81)
    registry.register(accuracy=0.84, approved=True)
    listed = registry.done("models", registry.project, "--json").document
    assert [entry["version"] for entry in listed] == [2, 1]
    assert [entry["accuracy"] for entry in listed] == [0.84, 0.81]
    assert [entry["approval"] for entry in listed] == ["Approved", "PendingManualApproval"]
    assert listed[0]["auc"] == registry.model.statistics["binary_classification_metrics"]["auc"]["value"]
    assert listed[0]["status"] == "Completed"
    assert listed[0]["environments"] == []


def test_a_list_can_be_filtered_by_approval_and_cut_short(registry: Registry) -> None:
    for _ in range(3):
        registry.register()
    registry.register(approved=True)
    approved = registry.done("models", registry.project, "--approval", "Approved", "--json").document
    assert [entry["version"] for entry in approved] == [4]
    cut = registry.done("models", registry.project, "--limit", 2)
    assert "There are more" in cut.err
    assert len(cut.out.strip().splitlines()) == 4


def test_a_version_shows_everything_that_is_known_of_it(registry: Registry) -> None:
    registry.register(
        ModelPackageDescription="by hand",
        CustomerMetadataProperties={
            "owner": "rc-ml",
            "dataset_version": "2026-10",
            "dataset_uri": "s3://data/churn",
            "git_commit": "c0ffee",
            "hyperparameters": "seed=0 max_depth=3 eta=0.1",
            "hyperparameter.reg_lambda": "2.0",
            "execution_arn": f"{PIPELINES}/{registry.project}/execution/gone00000000",
        },
    )
    shown = registry.done("model", registry.project, 1, "--json").document
    assert shown["hyperparameters"] == {"eta": "0.1", "max_depth": "3", "reg_lambda": "2.0", "seed": "0"}
    assert shown["metadata"]["dataset_version"] == "2026-10"
    assert shown["metrics"]["accuracy"]["standard_deviation"] > 0
    assert shown["containers"][0]["environment"]["SAGEMAKER_PROGRAM"] == "inference.py"
    assert shown["jobs"] == []
    text = registry.done("model", 1).out
    for word in ("2026-10", "c0ffee", "max_depth", "accuracy", "model.tar.gz", "s3://data/churn"):
        assert word in text


def test_a_version_from_elsewhere_without_statistics_is_shown_all_the_same(registry: Registry) -> None:
    registry.register(statistics={"another": "format"}, CustomerMetadataProperties={"owner": "them"})
    assert registry.done("models", "--json").document[0]["accuracy"] is None
    assert registry.done("model", 1, "--json").document["metrics"] == {}


@pytest.mark.parametrize("uri", ["https://example.com/statistics.json", "s3://registry-tests", "s3://No_/x"])
def test_statistics_that_lie_nowhere_in_s3_hide_no_other_version(registry: Registry, uri: str) -> None:
    registry.register()
    statistics = {"Statistics": {"ContentType": "application/json", "S3Uri": uri}}
    registry.register(ModelMetrics={"ModelQuality": statistics})
    listed = registry.done("models", "--json").document
    assert [entry["accuracy"] is None for entry in listed] == [True, False]
    assert registry.done("model", 2, "--json").document["statistics"] == uri
    registry.done("approve", 2)


def test_a_note_named_like_the_execution_does_not_spoil_its_version(registry: Registry) -> None:
    registry.register()
    shown = registry.done("model", 1, "--set", "execution_arn=the one of Monday", "--json").document
    assert (shown["execution"], shown["jobs"]) == (None, [])
    assert shown["metadata"]["execution_arn"] == "the one of Monday"
    registry.done("approve", 1)


def test_a_comparison_says_whether_a_difference_is_more_than_noise(registry: Registry) -> None:
    registry.register(accuracy=0.80)
    registry.register(accuracy=0.90)
    registry.register(accuracy=0.905)
    found = registry.done("compare", registry.project, 1, 2, "--json").document
    accuracy = next(entry for entry in found["metrics"] if entry["name"] == "accuracy")
    assert accuracy["difference"] == pytest.approx(0.1)
    assert accuracy["more_than_noise"] is True
    assert accuracy["better"] == "second"
    closer = registry.done("compare", 2, 3, "--json").document
    accuracy = next(entry for entry in closer["metrics"] if entry["name"] == "accuracy")
    assert (accuracy["more_than_noise"], accuracy["better"]) == (False, None)
    assert "second is better" in registry.done("compare", 1, 2).out


def test_a_comparison_of_small_test_parts_has_no_verdict(registry: Registry) -> None:
    kind = {"accuracy": {"value": 0.7, "standard_deviation": "NaN"}}
    registry.register(statistics={"binary_classification_metrics": kind})
    registry.register(statistics={"binary_classification_metrics": kind})
    found = registry.done("compare", 1, 2, "--json").document
    assert found["metrics"][0]["more_than_noise"] is None


def test_notes_are_added_and_taken_away_without_touching_anything_else(registry: Registry) -> None:
    registry.register()
    before = registry.describe(1)
    registry.done("model", 1, "--set", "ticket=RC-7", "--set", "dataset_version=2")
    after = registry.describe(1)
    assert after["CustomerMetadataProperties"] == {"owner": "rc-ml", "dataset_version": "2", "ticket": "RC-7"}
    registry.done("model", 1, "--unset", "ticket")
    assert "ticket" not in registry.describe(1)["CustomerMetadataProperties"]
    for member in ("InferenceSpecification", "ModelMetrics", "ModelApprovalStatus", "SamplePayloadUrl"):
        assert after[member] == before[member]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--set", "a=b;c"), "';'"),
        (("--set", f"a={'x' * 257}"), "257 characters"),
        (("--set", "approval.1=Approved"), "history of approvals"),
        (("--unset", "nothing"), "no note 'nothing'"),
    ],
)
def test_a_note_that_cannot_be_is_refused(registry: Registry, words, complaint) -> None:
    registry.register()
    ended = registry.gatehouse("model", 1, *words)
    assert ended.code == 1
    assert complaint in ended.err
    assert ended.err.count("\n") == 1


def test_a_note_that_is_given_twice_is_wrong_usage(registry: Registry) -> None:
    assert registry.gatehouse("model", 1, "--set", "a=1", "--set", "a=2").code == 2
    assert registry.gatehouse("model", 1, "--set", "a=1", "--unset", "a").code == 2


def test_a_card_goes_to_one_place(registry: Registry) -> None:
    for words in (("--html",), ("--output", "card.html"), ("--card", "--json", "--output", "card.html")):
        assert registry.gatehouse("model", 1, *words).code == 2
    assert not (registry.folder / "card.html").exists()


def test_a_card_that_cannot_be_written_is_an_error_of_one_line(registry: Registry) -> None:
    registry.register()
    ended = registry.gatehouse("model", 1, "--card", "--output", "nowhere/card.html")
    assert ended.code == 1
    assert "nowhere/card.html: the card cannot be written: No such file" in ended.err
    assert ended.err.count("\n") == 1


def test_a_model_card_is_completed_with_metrics_and_exported(registry: Registry) -> None:
    draft = {
        "model_overview": {"model_creator": "rc-ml"},
        "intended_uses": {
            "explanations_for_risk_rating": "Few are harmed",
            "purpose_of_model": "Warns <early>",
            "risk_rating": "Low",
        },
    }
    registry.register(ModelCard={"ModelCardStatus": "Draft", "ModelCardContent": json.dumps(draft)})
    text = registry.done("model", 1, "--card").out
    assert text.startswith(f"# Model card: {registry.project}, version 1\n")
    assert "Warns &lt;early&gt;" in text, "Markdown would take it for HTML"
    assert text.index("Purpose of model") < text.index("Risk rating")
    assert "| accuracy |" in text
    assert "evaluation/report.html" in text
    registry.done("model", 1, "--card", "--output", "card.html")
    page = (registry.folder / "card.html").read_text()
    assert "Warns &lt;early&gt;" in page
    assert page.index("Risk rating") < page.index("Explanations for risk rating")
    assert "<td>accuracy</td>" in page
    assert registry.describe(1)["ModelCard"]["ModelCardStatus"] == "Draft"


def test_a_review_can_be_asked_for(registry: Registry) -> None:
    registry.register(ModelCard={"ModelCardStatus": "Draft", "ModelCardContent": '{"intended_uses": {}}'})
    registry.done("model", 1, "--request-review")
    card = registry.describe(1)["ModelCard"]
    assert card["ModelCardStatus"] == "PendingReview"
    content = json.loads(card["ModelCardContent"])
    assert content["evaluation_details"][0]["metric_groups"][0]["metric_data"]
    assert content["model_overview"]["model_artifact"][0].endswith("model.tar.gz")


def test_an_unknown_version_is_an_error_that_names_those_there_are(registry: Registry) -> None:
    registry.register()
    registry.register()
    for words in (
        ("model", 7),
        ("approve", 7),
        ("compare", 1, 7),
        ("deploy", "--env", "dev", "--version", 7),
    ):
        ended = registry.gatehouse(*words)
        assert ended.code == 1
        assert "has no version 7. Its newest versions are: 2, 1." in ended.err
        assert ended.err.count("\n") == 1


def test_a_model_without_versions_says_how_to_get_one(registry: Registry) -> None:
    assert "gatehouse run" in registry.done("models").err
    ended = registry.gatehouse("model", 1)
    assert ended.code == 1
    assert f"gatehouse run {registry.project}" in ended.err


@pytest.mark.parametrize(
    "words", [("model",), ("model", "x"), ("model", "9" * 5000), ("model", "a", "b", "1"), ("compare", "1")]
)
def test_words_that_are_no_version_are_wrong_usage(registry: Registry, words) -> None:
    assert registry.gatehouse(*words).code == 2


def test_metrics_are_called_by_their_names_in_words(registry: Registry) -> None:
    registry.register(accuracy=0.80)
    registry.register(accuracy=0.90)
    compared, shown = registry.done("compare", 1, 2).out, registry.done("model", 1).out
    for label in ("accuracy", "AUC", "F0.5", "false positive rate"):
        assert f"\n{label} " in compared
        assert f"\n{label} " in shown
    assert "accuracy of the best constant classifier" in shown
    assert "best constant classifier" not in compared
