"""Nothing enters the first environment without a person's decision, or with other bytes than it was about."""

from __future__ import annotations

from automated_project import SILENT, AutomatedProject
from registered_models import BUCKET, Registry, packed


def by_a_pipeline(registry: Registry, **more: bool) -> int:
    """A version that says which execution registered it, as those of a pipeline do."""
    pipeline = f"arn:aws:sagemaker:eu-west-1:000000000000:pipeline/{registry.project}"
    properties = {"execution_arn": f"{pipeline}/execution/abcdef123456"}
    return registry.register(CustomerMetadataProperties=properties, **more)


def test_a_version_that_its_pipeline_registered_as_approved_waits_for_a_decision(
    automated: AutomatedProject,
) -> None:
    registry = automated.registry
    version = by_a_pipeline(registry, approved=True)
    assert "nobody decided on it" in automated.decided(version)
    assert registry.parameter("dev") is None
    [(subject, text)] = automated.messages()
    assert subject == f"version {version} is approved, and nobody decided on it"
    assert f"Approve: gatehouse approve {registry.project} {version} --force --note" in text

    automated.decided(version)
    automated.timer()
    assert registry.parameter("dev") is None
    assert automated.messages() == [], "people are told once"

    registry.done("approve", version, "--force", "--note", "the metrics are good")
    automated.decided(version)
    assert registry.parameter("dev") == registry.arn(version)


def test_a_version_that_waited_and_was_approved_in_studio_goes_on(automated: AutomatedProject) -> None:
    registry = automated.registry
    version = by_a_pipeline(registry)
    automated.registered(version)
    registry.client("sagemaker").update_model_package(
        ModelPackageArn=registry.arn(version), ModelApprovalStatus="Approved"
    )
    automated.decided(version)
    assert registry.parameter("dev") == registry.arn(version)


def test_an_artifact_that_was_replaced_after_the_approval_does_not_enter(automated: AutomatedProject) -> None:
    registry = automated.registry
    version = registry.register()
    registry.done("approve", version)
    replace(registry, version)
    automated.decided(version)
    automated.messages()
    automated.changed("dev")
    assert registry.parameter("dev") is None
    [(subject, text)] = automated.messages()
    assert subject == f"version {version} does not stay in dev"
    assert "is not the one that was decided on" in text


def test_an_artifact_that_is_replaced_on_the_way_does_not_stay(automated: AutomatedProject) -> None:
    registry = automated.registry
    version = registry.register()
    registry.done("approve", version)
    automated.decided(version)
    assert "on its way" in automated.changed("dev")
    replace(registry, version)
    automated.arrived("dev")
    assert registry.parameter("dev") is None
    assert registry.parameter("test") is None
    assert "is not the one that was decided on" in automated.messages()[0][1]


def replace(registry: Registry, version: int) -> None:
    [container] = registry.describe(version)["InferenceSpecification"]["Containers"]
    key = container["ModelDataUrl"].removeprefix(f"s3://{BUCKET}/")
    registry.client("s3").put_object(Bucket=BUCKET, Key=key, Body=packed("code/inference.py", SILENT))
