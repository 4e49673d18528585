"""STS: who the caller is. Any credentials are accepted here, so there is one caller.

That is a session of the role ``local``: the SageMaker SDK's ``get_execution_role()`` takes the role that its
caller has assumed, and refuses a user.
"""

from __future__ import annotations

import datetime
import secrets
from typing import Any

from aws_formats.arns import LOCAL_ACCOUNT
from sagemaker_local import clocks
from sagemaker_local.api import RoleSession
from sagemaker_local.services.call import Call, Handler

ROLE_ID = "AROALOCALLOCALLOCAL00"
CALLER_ARN = f"arn:aws:sts::{LOCAL_ACCOUNT}:assumed-role/local/user"
CALLER_ID = f"{ROLE_ID}:user"

SESSION_SECONDS = 3600


def user_context(session: RoleSession | None = None) -> dict[str, Any]:
    """SageMaker's ``UserContext`` for CreatedBy and LastModifiedBy: a service's session, or the caller."""
    if session is None:
        return {"IamIdentity": {"Arn": CALLER_ARN, "PrincipalId": CALLER_ID}}
    return {
        "IamIdentity": {
            "Arn": _session_arn(session.role_arn, session.name),
            "PrincipalId": f"{ROLE_ID}:{session.name}",
        }
    }


def _session_arn(role_arn: str, session: str) -> str:
    return f"arn:aws:sts::{LOCAL_ACCOUNT}:assumed-role/{role_arn.rsplit('/', 1)[-1]}/{session}"


def get_caller_identity(_call: Call, _parameters: dict[str, Any]) -> dict[str, Any]:
    """GetCallerIdentity"""
    return {"Account": LOCAL_ACCOUNT, "UserId": CALLER_ID, "Arn": CALLER_ARN}


def assume_role(_call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """AssumeRole: credentials that this endpoint accepts like any others; AWS does not."""
    seconds = parameters.get("DurationSeconds", SESSION_SECONDS)
    session = parameters["RoleSessionName"]
    return {
        "Credentials": {
            "AccessKeyId": "ASIALOCALLOCALLOCAL0",
            "SecretAccessKey": secrets.token_hex(20),
            "SessionToken": secrets.token_hex(32),
            "Expiration": clocks.utc_now() + datetime.timedelta(seconds=seconds),
        },
        "AssumedRoleUser": {
            "AssumedRoleId": f"{ROLE_ID}:{session}",
            "Arn": _session_arn(parameters["RoleArn"], session),
        },
    }


SERVICE = "sts"
OPERATIONS: dict[str, Handler] = {
    "GetCallerIdentity": get_caller_identity,
    "AssumeRole": assume_role,
}
