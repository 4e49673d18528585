"""IAM: the part that SageMaker's clients ask for. Every role exists and every action is allowed.

Nothing of that says anything about the permissions that a role has on AWS.
"""

from __future__ import annotations

import datetime
import json
from typing import Any

from aws_formats.arns import LOCAL_ACCOUNT
from sagemaker_local.services.call import Call, Handler
from sagemaker_local.services.identity import SESSION_SECONDS

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
            "MaxSessionDuration": SESSION_SECONDS,
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


SERVICE = "iam"
OPERATIONS: dict[str, Handler] = {
    "GetRole": get_role,
    "SimulatePrincipalPolicy": simulate_principal_policy,
}
