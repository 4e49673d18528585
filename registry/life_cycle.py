"""Where a version is in its life, in SageMaker's own words, which Studio and events show: ModelLifeCycle.

    Review            PendingManualApproval, Approved or Rejected
    an environment    Deployed, or RolledBack where an older version serves there again

A version has one of these at a time, the last thing that happened to it. What serves where is not read from
here (``deployment_history`` says that): this is for those who look at the registry alone.
"""

from __future__ import annotations

from botocore.exceptions import ClientError

from aws_formats.service_errors import is_denied
from registry.clients import Clients

REVIEW = "Review"
DEPLOYED, ROLLED_BACK = "Deployed", "RolledBack"
_DESCRIPTION_LIMIT = 1024


def life_cycle(stage: str, status: str, description: str = "") -> dict[str, str]:
    """The member ModelLifeCycle of a request."""
    line = " ".join(description.split())[:_DESCRIPTION_LIMIT]
    return {"Stage": stage, "StageStatus": status, **({"StageDescription": line} if line else {})}


def note_stage(clients: Clients, arn: str, environment: str, status: str, description: str = "") -> None:
    """Write what happened to a version in an environment.

    Whoever deploys need not be one who may change versions, and the version may be gone: then nothing is
    noted.
    """
    try:
        clients.client("sagemaker").update_model_package(
            ModelPackageArn=arn, ModelLifeCycle=life_cycle(environment, status, description)
        )
    except ClientError as error:
        # SageMaker calls a version that does not exist an invalid request.
        if not is_denied(error) and error.response["Error"]["Code"] != "ValidationException":
            raise
