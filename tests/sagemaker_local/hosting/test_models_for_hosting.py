"""Models and endpoint configurations: what can be served is checked before anything starts."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from hosting_place import IMAGE, ROLE, SCRIPT, Place


def registered(place: Place, group: str, *containers: dict[str, Any]) -> str:
    """The ARN of a version of a new group, with these containers."""
    place.sagemaker.create_model_package_group(ModelPackageGroupName=group)
    version = place.sagemaker.create_model_package(
        ModelPackageGroupName=group,
        ModelApprovalStatus="Approved",
        InferenceSpecification={
            "Containers": list(containers),
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["application/json"],
        },
    )
    return str(version["ModelPackageArn"])


def test_a_registered_version_is_served_with_what_it_was_registered_with(place: Place) -> None:
    arn = registered(place, "rc-fraud-detection", place.echo("registered"))
    place.serve("fraud", {"ModelPackageName": arn})
    assert place.sagemaker.describe_model(ModelName="fraud")["PrimaryContainer"] == {"ModelPackageName": arn}
    assert place.invoke("fraud", b"x")["model"] == "registered"


def test_a_version_with_several_containers_is_served_as_a_chain(place: Place) -> None:
    arn = registered(place, "rc-chained", place.echo("one"), place.echo("two"))
    place.serve("chained", {"ModelPackageName": arn})
    answer = place.invoke("chained", b"x")
    assert answer["model"] == "two"
    assert '"model": "one"' in answer["sent"]


def test_an_environment_is_given_by_the_version_or_by_the_model(place: Place) -> None:
    arn = registered(place, "rc-environment", place.echo("environment"))
    with pytest.raises(ClientError, match="cannot be specified both at Model Package and Model"):
        place.model("twice", {"ModelPackageName": arn, "Environment": {"LEVEL": "1"}})
    bare = {key: value for key, value in place.echo("later").items() if key != "Environment"}
    plain = registered(place, "rc-plain", bare)
    place.serve("plain", {"ModelPackageName": plain, "Environment": SCRIPT})
    assert place.invoke("plain", b"x")["model"] == "later"


def test_an_endpoint_serves_on_when_its_model_and_configuration_are_deleted(place: Place) -> None:
    place.serve("orphan", place.echo("orphan"))
    place.sagemaker.delete_endpoint_config(EndpointConfigName="orphan")
    place.sagemaker.delete_model(ModelName="orphan")
    assert place.invoke("orphan", b"x")["model"] == "orphan"
    for look in (
        lambda: place.sagemaker.describe_model(ModelName="orphan"),
        lambda: place.sagemaker.describe_endpoint_config(EndpointConfigName="orphan"),
    ):
        with pytest.raises(ClientError, match="Could not find"):
            look()


def test_models_and_configurations_are_listed_newest_first_with_their_tags(place: Place) -> None:
    for name in ("listed-a", "listed-b"):
        place.config(name, (place.model(name, place.echo(name)), 1, 1.0))
    models = place.sagemaker.list_models(NameContains="listed")["Models"]
    assert [one["ModelName"] for one in models] == ["listed-b", "listed-a"]
    configs = place.sagemaker.list_endpoint_configs(
        NameContains="listed", SortBy="Name", SortOrder="Ascending"
    )
    assert [one["EndpointConfigName"] for one in configs["EndpointConfigs"]] == ["listed-a", "listed-b"]
    arn = models[0]["ModelArn"]
    place.sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "team", "Value": "rc"}])
    assert place.sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "team", "Value": "rc"}]


@pytest.mark.parametrize(
    ("container", "complaint"),
    [
        ({"Image": IMAGE, "Mode": "MultiModel"}, "MultiModel is not implemented"),
        ({"ModelDataUrl": "s3://hosting/x"}, "needs Image or ModelPackageName"),
        ({"Image": IMAGE, "ModelDataUrl": "https://example.com/x"}, "not in S3"),
        ({"ModelPackageName": "nobody", "Image": IMAGE}, "not by both"),
        ({"ModelPackageName": "nobody"}, "does not exist"),
    ],
)
def test_a_container_that_cannot_be_served_is_refused(
    place: Place, container: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ClientError, match=complaint):
        place.sagemaker.create_model(ModelName="refused", ExecutionRoleArn=ROLE, PrimaryContainer=container)


def test_a_configuration_that_cannot_be_served_is_refused(place: Place) -> None:
    variant = {
        "VariantName": "all",
        "ModelName": "variants",
        "InitialInstanceCount": 1,
        "InstanceType": "ml.m5.large",
    }

    def create(*variants: dict[str, Any], **members: Any) -> None:
        place.sagemaker.create_endpoint_config(
            EndpointConfigName="variants", ProductionVariants=list(variants), **members
        )

    with pytest.raises(ClientError, match="Could not find model"):
        create(variant)
    place.model("variants", place.echo("variants"))
    with pytest.raises(ClientError, match="different names"):
        create(variant, variant)
    with pytest.raises(ClientError, match="at most 8 instances"):
        create({**variant, "InitialInstanceCount": 9})
    with pytest.raises(ClientError, match="ServerlessConfig of production variant all is not implemented"):
        create({**variant, "ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 1}})
    with pytest.raises(ClientError, match="AsyncInferenceConfig is not implemented"):
        create(variant, AsyncInferenceConfig={"OutputConfig": {"S3OutputPath": "s3://hosting/out"}})
    with pytest.raises(ClientError, match="Could not find endpoint configuration"):
        place.sagemaker.create_endpoint(EndpointName="variants", EndpointConfigName="variants")


def test_names_are_given_once(place: Place) -> None:
    place.serve("once", place.echo("once"))
    with pytest.raises(ClientError, match="already existing model"):
        place.model("once", place.echo("once"))
    with pytest.raises(ClientError, match="already existing endpoint configuration"):
        place.config("once", ("once", 1, 1.0))
    with pytest.raises(ClientError, match="already existing endpoint "):
        place.sagemaker.create_endpoint(EndpointName="once", EndpointConfigName="once")


@pytest.mark.parametrize("given", ["ModelDataETag", "ModelDataSource"])
def test_an_artifact_with_another_etag_than_the_model_names_is_not_served(place: Place, given: str) -> None:
    container = place.echo("expected")
    uri = container.pop("ModelDataUrl")
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    etag = place.s3.head_object(Bucket=bucket, Key=key)["ETag"].strip('"')
    if given == "ModelDataETag":
        artifact: dict[str, Any] = {"ModelDataUrl": uri, "ModelDataETag": etag}
    else:
        source = {"S3Uri": uri, "S3DataType": "S3Object", "CompressionType": "Gzip", "ETag": etag}
        artifact = {"ModelDataSource": {"S3DataSource": source}}
    arn = registered(place, f"rc-{given}", {**container, **artifact})
    place.serve(f"first-{given}", {"ModelPackageName": arn})

    place.s3.copy_object(Bucket=bucket, Key=key, CopySource=place.echo("other")["ModelDataUrl"][5:])
    name = f"second-{given}"
    place.config(name, (place.model(name, {"ModelPackageName": arn}), 1, 1.0))
    place.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    found = place.after_change(name)
    assert found["EndpointStatus"] == "Failed"
    assert f"the model names {etag}" in found["FailureReason"]
