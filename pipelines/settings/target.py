"""Where a project runs: in AWS or on this machine. One frozen value, and the clients that speak to it.

In AWS the environment beats the settings file, as CI needs it: ``AWS_REGION``,
``SAGEMAKER_PIPELINE_ROLE_ARN`` and ``ARTIFACT_BUCKET`` are what a SageMaker Project gives its build.
On this machine role, bucket and account are always the same made-up ones, and only the region comes
from the settings, so that a definition is the same whoever compiles it. In both,
``SAGEMAKER_PROJECT_NAME`` and ``SAGEMAKER_PROJECT_ID`` become the tags that put the pipeline under
its project in Studio.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from aws_formats.arns import LOCAL_ACCOUNT, parse_arn
from aws_formats.errors import GatehouseError
from aws_formats.service_models import loader
from pipelines.settings.project import ROLE, Project
from registry.clients import aws_session
from registry.throttling import patient_client

LOCAL_BUCKET = "gatehouse-local"
LOCAL_ROLE = f"arn:aws:iam::{LOCAL_ACCOUNT}:role/gatehouse-local"


@dataclass(frozen=True)
class Target:
    """Where requests go and in whose name.

    Attributes:
        name: ``local`` or ``aws``.
        role_arn: the role that the pipeline and its jobs run under; its account is `account`.
        bucket: holds code, data and outputs, each project under its own name.
        endpoint_url: the local endpoint's URL; None in AWS, and here until the endpoint is up.
        sagemaker_project_name: the SageMaker Project this runs in, if any; its id likewise.
    """

    name: Literal["local", "aws"]
    region: str
    account: str
    role_arn: str
    bucket: str
    endpoint_url: str | None = None
    sagemaker_project_name: str | None = None
    sagemaker_project_id: str | None = None

    @property
    def tags(self) -> dict[str, str]:
        """The tags by which Studio finds what belongs to a SageMaker Project; empty outside of one."""
        tags = {
            "sagemaker:project-id": self.sagemaker_project_id,
            "sagemaker:project-name": self.sagemaker_project_name,
        }
        return {key: value for key, value in tags.items() if value}

    @property
    def option(self) -> str:
        """What a suggested command line needs for this target: nothing for the one on this machine."""
        return "" if self.name == "local" else f" --target {self.name}"

    def at(self, endpoint_url: str) -> Target:
        """This target, reached at that URL."""
        return replace(self, endpoint_url=endpoint_url)

    def client(self, service: str) -> Any:
        """A botocore client, the same one at each call; safe to share between threads.

        Locally it neither reads the user's AWS configuration nor looks for credentials.

        Raises:
            GatehouseError: the local endpoint's URL is not known yet.
        """
        if self.name == "local" and self.endpoint_url is None:
            raise GatehouseError(
                "the local SageMaker is not up", remedy="Bring it up with 'gatehouse local up'"
            )
        return _client(self.name, self.region, self.endpoint_url, service)


def resolve_target(project: Project, name: str, environ: Mapping[str, str] = os.environ) -> Target:
    """The target of that name for a project.

    Args:
        name: ``local`` or ``aws``.
        environ: environment variables; see the module's text for those that count.

    Raises:
        GatehouseError: there is no such target, or AWS needs a role and none is set.
    """
    if name == "local":
        return Target(
            name="local",
            region=project.region,
            account=LOCAL_ACCOUNT,
            role_arn=LOCAL_ROLE,
            bucket=LOCAL_BUCKET,
            **sagemaker_project(environ),
        )
    if name != "aws":
        raise GatehouseError(f"there is no target {name!r}", remedy="The targets are: local, aws")
    region = environ.get("AWS_REGION") or project.region
    role_arn = environ.get("SAGEMAKER_PIPELINE_ROLE_ARN") or project.role
    if role_arn is None:
        raise GatehouseError(
            "the target aws needs a role for the pipeline and its jobs",
            where=f"{project.file}: project {project.name}",
            remedy="Set the key role, or SAGEMAKER_PIPELINE_ROLE_ARN, to the full ARN of one",
        )
    account = account_of(role_arn)
    # Without a bucket of its own a project uses the one that SageMaker itself makes by default.
    bucket = environ.get("ARTIFACT_BUCKET") or project.bucket or sagemakers_bucket(region, account)
    return Target(
        name="aws",
        region=region,
        account=account,
        role_arn=role_arn,
        bucket=bucket,
        **sagemaker_project(environ),
    )


def sagemakers_bucket(region: str, account: str) -> str:
    """The bucket that SageMaker itself makes by default."""
    return f"sagemaker-{region}-{account}"


def account_of(role_arn: str) -> str:
    """The account that a role is in.

    Raises:
        GatehouseError: it is not the full ARN of a role; the settings allow no other, the environment does.
    """
    if not re.fullmatch(ROLE, role_arn):
        raise GatehouseError(
            f"{role_arn!r} is not the full ARN of a role",
            where="environment variable SAGEMAKER_PIPELINE_ROLE_ARN",
            remedy="Set it to 'arn:aws:iam::<account>:role/<name>'",
        )
    return parse_arn(role_arn).account


def sagemaker_project(environ: Mapping[str, str]) -> dict[str, str | None]:
    """The fields of a :class:`Target` that name the SageMaker Project, from what a build in one has set."""
    return {
        "sagemaker_project_name": environ.get("SAGEMAKER_PROJECT_NAME") or None,
        "sagemaker_project_id": environ.get("SAGEMAKER_PROJECT_ID") or None,
    }


def boto_session(target: Target) -> Any:
    """A boto3 session for the target, for the SageMaker SDK; each call makes a new one.

    In AWS it is the user's own: profile, environment, instance role. Locally it knows no profile and
    made-up credentials only, and its clients speak to the target's endpoint; while that is not up, to
    ``AWS_ENDPOINT_URL``, and without that to nowhere: never to AWS.
    """
    import boto3

    session = _session(target.name, target.region)
    if target.name == "aws":
        return boto3.session.Session(botocore_session=session)
    endpoint_url = target.endpoint_url or os.environ.get("AWS_ENDPOINT_URL") or _NOT_UP

    class Isolated(boto3.session.Session):  # type: ignore[misc]
        def client(self, service_name: str, *args: Any, **options: Any) -> Any:
            return super().client(service_name, *args, **{"endpoint_url": endpoint_url, **options})

        def resource(self, service_name: str, *args: Any, **options: Any) -> Any:
            return super().resource(service_name, *args, **{"endpoint_url": endpoint_url, **options})

    return Isolated(botocore_session=session)


_NOT_UP = "http://local-sagemaker-is-not-up.invalid"
"""A name that never resolves, so that a client's error says what is wrong."""


# Making a client costs some milliseconds; only these decide what it is.
@functools.lru_cache(maxsize=64)
def _client(name: str, region: str, endpoint_url: str | None, service: str) -> Any:
    session = _session(name, region)
    if name == "aws":
        return patient_client(session, service)
    # A proxy cannot reach this machine's loopback address. Nobody there checks signatures, and nothing is
    # damaged on the way, so what is uploaded is digested for neither: that takes as long as sending it.
    s3 = {"addressing_style": "path", "payload_signing_enabled": False}
    needed = {"request_checksum_calculation": "when_required"}
    return patient_client(session, service, endpoint_url=endpoint_url, proxies={}, s3=s3, **needed)


def _session(name: str, region: str) -> Any:
    """A botocore session: the user's own in AWS; one that reads no AWS configuration here."""
    if name == "aws":
        return aws_session(region)
    import botocore.session

    # (key in the config file, environment variable, default, conversion): only the default counts.
    nothing, nowhere = (None, None, None, None), (None, None, os.devnull, None)
    settings = {"profile": nothing, "config_file": nowhere, "credentials_file": nowhere}
    session = botocore.session.Session(session_vars=settings)
    session.register_component("data_loader", loader())
    session.set_config_variable("region", region)
    session.set_credentials("local", "local")
    return session
