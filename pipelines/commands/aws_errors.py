"""An error of AWS, or of the connection to it, as one line that names the remedy.

Used once, where the command ends: commands let botocore's exceptions pass.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from botocore import exceptions

from aws_formats.errors import GatehouseError
from aws_formats.service_errors import is_denied
from registry import throttling

_DENIAL = re.compile(
    r"(?:User: (?P<who>\S+) is )?not authorized to perform:? (?P<action>[\w-]+:\w+)"
    r"(?: on resource:? (?P<resource>\S+))?(?P<explicit>.* explicit deny)?"
)
_ROLE_SESSION = re.compile(r"arn:[\w-]+:sts::(\d+):assumed-role/([^/]+)/")
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_INVALID = {
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
}

_ON_THIS_MACHINE = (
    "The local SageMaker behind it has ended, or is stuck: `gatehouse local up` starts it again, and"
    " `gatehouse retry` goes on with an execution that was under way"
)


def explain(error: Exception) -> GatehouseError | None:
    """The one-line form of an error that botocore raised; None if it is not one of botocore's."""
    if isinstance(error, exceptions.ClientError):
        return _from_service(error)
    if isinstance(error, exceptions.NoCredentialsError | exceptions.PartialCredentialsError):
        return GatehouseError(
            "no AWS credentials were found",
            remedy="Log in (`aws sso login`, `aws configure`) or set AWS_PROFILE; "
            "`gatehouse doctor --target aws` checks them",
        )
    if isinstance(error, exceptions.ProfileNotFound):
        return GatehouseError(str(error), remedy="Set AWS_PROFILE to a profile of ~/.aws/config or unset it")
    if isinstance(error, exceptions.TokenRetrievalError | exceptions.SSOError):
        return GatehouseError(f"the AWS login is no longer valid ({error})", remedy="Run `aws sso login`")
    if isinstance(error, exceptions.HTTPClientError | exceptions.ConnectionError):
        url = error.kwargs.get("endpoint_url") or error.kwargs.get("proxy_url")
        return GatehouseError(
            "the endpoint could not be reached",
            where=str(url) if url else None,
            remedy=_ON_THIS_MACHINE
            if url and urlsplit(str(url)).hostname == "127.0.0.1"
            else f"Check the network, the proxy and the region ({_first_line(str(error))})",
        )
    if isinstance(error, exceptions.ParamValidationError):
        return GatehouseError(" ".join(str(error).split()))
    if isinstance(error, exceptions.BotoCoreError):
        return GatehouseError(_first_line(str(error)))
    return None


def _from_service(error: exceptions.ClientError) -> GatehouseError:
    answer = error.response.get("Error", {})
    code, message = str(answer.get("Code", "")), _first_line(str(answer.get("Message", "")))
    where = f"AWS {error.operation_name}"
    if is_denied(error):
        return _denied(message, where, error.operation_name)
    if code in _EXPIRED:
        return GatehouseError("the AWS credentials have expired", where=where, remedy="Log in again")
    if code in _INVALID:
        return GatehouseError(
            f"AWS does not accept the credentials ({code})", where=where, remedy="Log in again"
        )
    if code in throttling.CODES:
        return GatehouseError(
            f"AWS throttles the calls ({code}) and repeating them did not help",
            where=where,
            remedy="Wait a minute and try again",
        )
    return GatehouseError(f"{message or 'no message'} ({code})", where=where)


def _denied(message: str, where: str, operation: str) -> GatehouseError:
    """Which permission is missing, on what and for whom, as far as AWS says: S3 only says no."""
    found = _DENIAL.search(message)
    permission, resource, who = operation, "", "the role or user that you are logged in as"
    if found:
        permission = found["action"]
        resource = f" on {found['resource']}" if found["resource"] else ""
        who = _principal(found["who"]) if found["who"] else who
    if found and found["explicit"]:
        return GatehouseError(
            f"permission {permission}{resource} is denied to {who} by an explicit Deny",
            where=where,
            remedy="An Allow does not help: have the statement with the Deny changed",
        )
    return GatehouseError(
        f"permission {permission}{resource} is missing",
        where=where,
        remedy=f"Have it added to the policy of {who}",
    )


def _principal(arn: str) -> str:
    """A session of a role by its role, which is what holds the policies; anything else as it is."""
    session = _ROLE_SESSION.match(arn)
    return f"role {session[2]} in account {session[1]}" if session else arn


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]
