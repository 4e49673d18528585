"""Functions that get other code or settings, as the SageMaker SDK's and AWS's own tools change them."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError
from event_places import zipped
from wire_clients import Client

ANSWERS = "def handler(event, context):\n    import os\n    return [{!r}, os.environ.get('WHICH')]\n"


def answered(lambdas: Client, arn: str) -> object:
    return json.loads(lambdas.invoke(FunctionName=arn)["Payload"].read())


def test_a_function_gets_other_code_and_other_settings(
    lambdas: Client, function: Callable[..., str], name: str
) -> None:
    arn = function(ANSWERS.format("old"))
    before = lambdas.get_function_configuration(FunctionName=arn)
    assert answered(lambdas, arn) == ["old", None]
    updated = lambdas.update_function_code(
        FunctionName=arn, ZipFile=zipped({"code.py": ANSWERS.format("new")}), Publish=False
    )
    assert updated["CodeSha256"] != before["CodeSha256"]
    lambdas.get_waiter("function_updated_v2").wait(FunctionName=name)
    lambdas.update_function_configuration(
        FunctionName=name, Environment={"Variables": {"WHICH": "mine"}}, Timeout=9
    )
    lambdas.get_waiter("function_active_v2").wait(FunctionName=name)
    assert answered(lambdas, arn) == ["new", "mine"]
    after = lambdas.get_function_configuration(FunctionName=arn)
    assert (after["Timeout"], after["Handler"]) == (9, before["Handler"])
    assert after["CodeSha256"] == updated["CodeSha256"]


def test_what_a_function_cannot_be_here_is_refused_when_it_is_changed(
    lambdas: Client, function: Callable[..., str], name: str
) -> None:
    function(ANSWERS.format("old"))
    with pytest.raises(ClientError, match=r"Runtime 'nodejs22\.x'"):
        lambdas.update_function_configuration(FunctionName=name, Runtime="nodejs22.x")
    with pytest.raises(ClientError, match="Could not unzip"):
        lambdas.update_function_code(FunctionName=name, ZipFile=b"no zip file")
    with pytest.raises(ClientError, match="Function not found"):
        lambdas.update_function_code(FunctionName="none", ZipFile=zipped({"code.py": ""}))
    assert answered(lambdas, name) == ["old", None]


def test_a_function_is_found_by_its_name_its_arn_and_parts_of_it(
    lambdas: Client, function: Callable[..., str], name: str
) -> None:
    arn = function(ANSWERS.format("here"))
    for given in (name, arn, f"{arn}:$LATEST", f"{name}:$LATEST", arn.partition("eu-west-1:")[2]):
        assert answered(lambdas, given) == ["here", None], given
    elsewhere = arn.replace("eu-west-1", "us-east-1")
    with pytest.raises(ClientError, match="'us-east-1' are not reachable in this region \\('eu-west-1'\\)"):
        lambdas.invoke(FunctionName=elsewhere)
    with pytest.raises(ClientError, match="Function not found: arn:aws:lambda:eu-west-1:111122223333:"):
        lambdas.invoke(FunctionName=arn.replace("000000000000", "111122223333"))
    for other in (f"{arn}:live", f"{name}:7"):
        with pytest.raises(ClientError, match="Qualifier other than"):
            lambdas.get_function(FunctionName=other)


def test_there_is_no_image_of_studio_and_clients_are_told_so(sagemaker: Client) -> None:
    assert sagemaker.list_images()["Images"] == []
    for call in (sagemaker.describe_image, sagemaker.describe_image_version, sagemaker.list_image_versions):
        with pytest.raises(ClientError, match="ResourceNotFound"):
            call(ImageName="base-python-310")
