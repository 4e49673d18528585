"""Images of SageMaker Studio: there are none here, which is what clients that look for one are told."""

from __future__ import annotations

from typing import Any

from sagemaker_local.errors import AwsError
from sagemaker_local.services.call import Call, Handler


def _not_found(_call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """DescribeImage, DescribeImageVersion, ListImageVersions"""
    raise AwsError("ResourceNotFound", f"The image {parameters['ImageName']} does not exist.")


def list_images(_call: Call, _parameters: dict[str, Any]) -> dict[str, Any]:
    """ListImages"""
    return {"Images": []}


SERVICE = "sagemaker"
OPERATIONS: dict[str, Handler] = {
    "DescribeImage": _not_found,
    "DescribeImageVersion": _not_found,
    "ListImageVersions": _not_found,
    "ListImages": list_images,
}
