"""Who the caller is: the part of STS and IAM that SageMaker's clients ask for.

Any credentials are accepted here, so there is one caller, every role exists and every action is
allowed. Nothing of that says anything about the permissions that a role has on AWS.
"""

from __future__ import annotations

import datetime
import json
import secrets
from typing import Any

from aws_formats.arns import LOCAL_ACCOUNT
from sagemaker_local.context import Call, Handler

CALLER_ARN = f"arn:aws:iam::{LOCAL_ACCOUNT}:user/local"
CALLER_ID = "AIDALOCALLOCALLOCAL00"

_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": ["sagemaker.amazonaws.com", "scheduler.amazonaws.com"]},
            "Action": "sts:AssumeRole",
        }
    ],
}
_SESSION_SECONDS = 3600


def user_context() -> dict[str, Any]:
    """SageMaker's ``UserContext`` for CreatedBy and LastModifiedBy."""
    return {"IamIdentity": {"Arn": CALLER_ARN, "PrincipalId": CALLER_ID}}


def get_caller_identity(_call: Call, _parameters: dict[str, Any]) -> dict[str, Any]:
    """GetCallerIdentity"""
    return {"Account": LOCAL_ACCOUNT, "UserId": CALLER_ID, "Arn": CALLER_ARN}


def assume_role(_call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """AssumeRole: credentials that this endpoint accepts like any others, and nobody else does."""
    seconds = parameters.get("DurationSeconds", _SESSION_SECONDS)
    role_id, session = "AROALOCALLOCALLOCAL00", parameters["RoleSessionName"]
    role_name = parameters["RoleArn"].rsplit("/", 1)[-1]
    return {
        "Credentials": {
            "AccessKeyId": "ASIALOCALLOCALLOCAL0",
            "SecretAccessKey": secrets.token_hex(20),
            "SessionToken": secrets.token_hex(32),
            "Expiration": datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds),
        },
        "AssumedRoleUser": {
            "AssumedRoleId": f"{role_id}:{session}",
            "Arn": f"arn:aws:sts::{LOCAL_ACCOUNT}:assumed-role/{role_name}/{session}",
        },
    }


def get_role(_call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """GetRole: the role of that name, which SageMaker and its scheduler may assume."""
    name = parameters["RoleName"]
    return {
        "Role": {
            "Path": "/",
            "RoleName": name,
            "RoleId": "AROALOCALLOCALLOCAL00",
            "Arn": f"arn:aws:iam::{LOCAL_ACCOUNT}:role/{name}",
            "CreateDate": datetime.datetime(2020, 12, 1, tzinfo=datetime.UTC),
            "AssumeRolePolicyDocument": json.dumps(_TRUST),
            "MaxSessionDuration": _SESSION_SECONDS,
        }
    }


def simulate_principal_policy(_call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """SimulatePrincipalPolicy: everything is allowed."""
    resources = parameters.get("ResourceArns", ["*"])
    return {
        "EvaluationResults": [
            {"EvalActionName": action, "EvalResourceName": resource, "EvalDecision": "allowed"}
            for action in parameters["ActionNames"]
            for resource in resources
        ],
        "IsTruncated": False,
    }


STS_OPERATIONS: dict[str, Handler] = {
    "GetCallerIdentity": get_caller_identity,
    "AssumeRole": assume_role,
}

IAM_OPERATIONS: dict[str, Handler] = {
    "GetRole": get_role,
    "SimulatePrincipalPolicy": simulate_principal_policy,
}
