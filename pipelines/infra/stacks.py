"""A project's CloudFormation stacks: which template, what name, which parameters, all from the settings.

    foundation   bucket, roles, key, log groups      gatehouse-{project}-foundation
    pipeline     functions that the pipeline calls   gatehouse-{project}-pipeline
    ci           CodeBuild with its triggers         gatehouse-{project}-ci
    automation   rules, functions, topic, alarm      gatehouse-{project}-automation

Roles and the bucket have names that are known before they exist, so every stack's parameters follow from the
project, the account and the region alone, and nothing has to be carried from one stack to the next by hand.
Reads the template files; asks AWS nothing.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from aws_formats.arns import parse_arn
from aws_formats.errors import GatehouseError
from pipelines import ROOT
from pipelines.settings.environments import all_environments, deployable, resolve_environment
from pipelines.settings.project import Project
from pipelines.settings.tags import ownership_tags
from pipelines.settings.target import Target, sagemaker_project
from pipelines.settings.tuning import job_prefix
from registry.environments import to_json

Kind = Literal["foundation", "pipeline", "ci", "automation"]
KINDS: tuple[Kind, ...] = ("foundation", "pipeline", "ci", "automation")
"""In the order in which they are made; they are removed the other way round."""

TEMPLATES = ROOT / "automation" / "templates"
NAME_LIMIT = 39
"""Characters of a project's name: the roles know jobs by it, which leaves SageMaker 24 of a job's 63."""

SETTINGS_LIMIT = 3500
"""Characters of the handlers' settings: Lambda allows 4 KB for all of a function's variables."""


@dataclass(frozen=True)
class Site:
    """Where a project lives in AWS; what nobody names has the name that the templates give it.

    Attributes:
        target: account, region, role and bucket.
        role_is_given: the role is another than the templates make; they leave it as it is.
        bucket_is_given: the bucket exists and is left as it is; otherwise the stack's own parameter decides.
    """

    target: Target
    partition: str = "aws"
    role_is_given: bool = False
    bucket_is_given: bool = False


@dataclass(frozen=True)
class Stack:
    """A stack as it should be.

    Attributes:
        parameters: what the settings and the command line say; all others keep their value.
    """

    kind: Kind
    name: str
    template: str
    parameters: Mapping[str, str]
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def content(self) -> dict[str, Any]:
        """The template, parsed."""
        # PyYAML built with libyaml is several times as fast; not every build of it has that.
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        parsed: dict[str, Any] = yaml.load(self.template, Loader=loader)
        return parsed

    def resources(self) -> Iterator[tuple[str, str]]:
        """(logical id, type) of each resource that the template may make."""
        for name, resource in self.content["Resources"].items():
            yield name, resource["Type"]


def site_of(
    project: Project,
    account: str,
    region: str,
    partition: str = "aws",
    environ: Mapping[str, str] | None = None,
) -> Site:
    """Where a project lives, from the environment, the settings, or by the templates' naming.

    Args:
        environ: ``SAGEMAKER_PIPELINE_ROLE_ARN`` and ``ARTIFACT_BUCKET`` count, as for the pipeline itself. A
            SageMaker Project sets them to what it has made, so a bucket that only they name exists.

    Raises:
        GatehouseError: the project's name is too long for the names that come of it.
    """
    if len(project.name) > NAME_LIMIT:
        raise GatehouseError(
            f"the name {project.name} has {len(project.name)} characters, and roles, functions and jobs are"
            f" named after it: at most {NAME_LIMIT}",
            where=str(project.file),
            remedy="Shorten the team's or the project's name",
        )
    made = f"arn:{partition}:iam::{account}:role/gatehouse-{project.name}-execution"
    environ = environ or {}
    role_arn = environ.get("SAGEMAKER_PIPELINE_ROLE_ARN") or project.role or made
    named = project.bucket or default_bucket(project, account, region)
    bucket = environ.get("ARTIFACT_BUCKET") or named
    return Site(
        target=Target(
            name="aws",
            region=region,
            account=account,
            role_arn=role_arn,
            bucket=bucket,
            **sagemaker_project(environ),
        ),
        partition=partition,
        role_is_given=role_arn != made,
        bucket_is_given=bucket != named,
    )


def default_bucket(project: Project, account: str, region: str) -> str:
    """The artifact bucket's name without one in the settings; bucket names are unique across accounts."""
    return f"{project.name[:33].rstrip('-')}-{account}-{region}"


def kinds_in(region: str) -> tuple[Kind, ...]:
    """The stacks that a region can have: CodeBuild does not exist everywhere that SageMaker does."""
    return tuple(kind for kind in KINDS if kind != "ci" or region not in _regions_without_codebuild())


@functools.cache
def _regions_without_codebuild() -> frozenset[str]:
    """By botocore's table of endpoints; a region that it does not know is none of them."""
    import botocore.session

    session = botocore.session.get_session()
    having: dict[str, set[str]] = {"sagemaker": set(), "codebuild": set()}
    for partition in session.get_available_partitions():
        for service, regions in having.items():
            regions.update(session.get_available_regions(service, partition))
    return frozenset(having["sagemaker"] - having["codebuild"])


def build_stack(
    project: Project, site: Site, kind: Kind, *, code_key: str, given: Mapping[str, str] | None = None
) -> Stack:
    """A stack of a project.

    Args:
        code_key: the key of the handlers' zip file.
        given: parameters that people chose; they win.

    Raises:
        GatehouseError: a given parameter is none of the template's, or there is no CodeBuild in the region.
    """
    if kind not in kinds_in(site.target.region):
        raise GatehouseError(
            f"CodeBuild does not exist in {site.target.region}",
            where=f"{project.file}: project {project.name}",
            remedy="Leave the stack ci out, and run `gatehouse plan`, `upsert` and `start --wait` in another"
            f" CI system, with what the role gatehouse-{project.name}-ci may do",
        )
    known = {
        "foundation": _foundation(project, site),
        "pipeline": pipeline_parameters(project, site.target, code_key),
        "ci": _ci(project, site),
        "automation": automation_parameters(project, site.target, code_key),
    }[kind]
    stack = Stack(
        kind=kind,
        name=f"gatehouse-{project.name}-{kind}",
        template=template_path(kind).read_text(encoding="utf-8"),
        parameters={**known, **(given or {})},
        tags=ownership_tags(project.team, project.short_name, project.owner),
    )
    _check_parameters(stack)
    return stack


def template_path(kind: Kind) -> Path:
    """The template's file."""
    return TEMPLATES / f"{kind}.yaml"


def pipeline_parameters(project: Project, target: Target, code_key: str = "handlers") -> dict[str, str]:
    """The parameters of ``pipeline.yaml``, which the SageMaker on this machine uses as well."""
    captured = {name for name, settings in project.environments.items() if settings.capture is not None}
    names = sorted({*captured, *([project.gate.champion] if project.gate.champion else [])})
    reached = [resolve_environment(project, target, name) for name in names]
    roles = sorted({environment.assume_role for environment in reached if environment.assume_role})
    partition = parse_arn(target.role_arn).partition
    buckets = {
        one.capture.destination.removeprefix("s3://").partition("/")[0] for one in reached if one.capture
    } - {target.bucket}
    there = {
        "KmsKeyArn": project.network.kms_key or "",
        "AssumedRoleArns": ",".join(roles),
        "CaptureBucketArns": ",".join(f"arn:{partition}:s3:::{bucket}" for bucket in sorted(buckets)),
    }
    return {
        **_functions(project, target, code_key),
        **_query(project, partition),
        **({} if target.name == "local" else there),
    }


def _query(project: Project, partition: str) -> dict[str, str]:
    """What the function that runs the project's query may use; empty where there is none."""
    query = project.data.query
    places = [place.removeprefix("s3://").rstrip("/") for place in query.tables_at] if query else []
    arns = [
        *(f"arn:{partition}:s3:::{place}/*" for place in places),
        *(f"arn:{partition}:s3:::{bucket}" for bucket in {place.partition("/")[0] for place in places}),
    ]
    return {
        "QueryWorkgroup": query.workgroup if query else "",
        "QueryDatabase": query.database if query else "",
        "QueryCatalog": (query.catalog or "") if query else "",
        "QueryDataArns": ",".join(sorted(arns)),
    }


def automation_parameters(project: Project, target: Target, code_key: str = "handlers") -> dict[str, str]:
    """The parameters of ``automation.yaml``, which the SageMaker on this machine uses as well."""
    return {
        **_functions(project, target, code_key),
        "ExecutionRoleArn": target.role_arn,
        "Retrains": "true" if project.monitoring.retrain == "automatic" else "false",
        **({} if target.name == "local" else _other_permissions(project, target)),
    }


def _functions(project: Project, target: Target, code_key: str) -> dict[str, str]:
    """What both templates with functions ask for."""
    return {
        "Project": project.name,
        "Settings": automation_settings(project, target),
        "CodeBucket": target.bucket,
        "CodeKey": code_key,
        "ArtifactBucket": target.bucket,
        "Target": target.name,
    }


def _other_permissions(project: Project, target: Target) -> dict[str, str]:
    """What the functions may use beside the project's own: its key, and the roles of single environments."""
    environments = all_environments(project, target)
    assumed = {one.assume_role for one in environments if one.assume_role}
    models = {one.role_arn for one in environments if not one.assume_role} - {target.role_arn}
    return {
        "KmsKeyArn": project.network.kms_key or "",
        "ModelRoleArns": ",".join(sorted(models)),
        "AssumedRoleArns": ",".join(sorted(assumed)),
    }


def automation_settings(project: Project, target: Target) -> str:
    """What the handlers have to know of a project: JSON as ``automation/context.py`` reads it.

    Raises:
        GatehouseError: an environment cannot be used (see :func:`resolve_environment`) or deployed to (see
            :func:`deployable`), or, for AWS, the text is longer than a function's variables may be.
    """
    monitoring = project.monitoring.model_dump(exclude_defaults=True)
    settings = {
        "name": project.name,
        "metric": project.gate.metric,
        "threshold": project.threshold,
        "environments": [
            {"promotion": project.promotion(environment.name), **to_json(deployable(environment))}
            for environment in all_environments(project, target)
        ],
        **({"monitoring": monitoring} if monitoring else {}),
    }
    text = json.dumps(settings, separators=(",", ":"))
    if target.name == "aws" and len(text) > SETTINGS_LIMIT:
        raise GatehouseError(
            f"what the handlers have to know of the environments takes {len(text)} characters,"
            f" of {SETTINGS_LIMIT}",
            where=f"{project.file}: project {project.name}",
            remedy="Use fewer environments, or shorter names of alarms and owners",
        )
    return text


def _foundation(project: Project, site: Site) -> dict[str, str]:
    source = "" if project.data.query is not None else project.data.source
    data_bucket = source.removeprefix("s3://").partition("/")[0] if source.startswith("s3://") else ""
    return {
        "Project": project.name,
        "BucketName": site.target.bucket,
        "ExecutionRoleArn": site.target.role_arn if site.role_is_given else "",
        **({"CreateBucket": "false"} if site.bucket_is_given else {}),
        "DataBucket": "" if data_bucket == site.target.bucket else data_bucket,
        "AlarmArns": ",".join(_alarms(project, site)),
        "CaptureArns": ",".join(_captures(project, site)),
        **_mlflow(project),
        "TuningJobs": job_prefix(project.name) if project.tuning else "",
        "InVpc": "true" if project.network.subnets else "false",
        # Without one in the settings the stack keeps what it was given.
        **({"KmsKeyArn": project.network.kms_key} if project.network.kms_key else {}),
    }


def _mlflow(project: Project) -> dict[str, str]:
    """The MLflow server as the parameter of its kind: the role needs other permissions for each."""
    is_app = ":mlflow-app/" in (arn := project.mlflow or "")
    return {"MlflowAppArn": arn if is_app else "", "MlflowTrackingServerArn": "" if is_app else arn}


def _alarms(project: Project, site: Site) -> list[str]:
    """The alarms that the execution role watches: those of the environments whose models run under it."""
    return [
        # A comma would end an entry of CloudFormation's list; in a policy ? stands for any one character.
        f"arn:{site.partition}:cloudwatch:{one.region}:{site.target.account}:alarm:{name.replace(',', '?')}"
        for one in all_environments(project, site.target)
        if one.role_arn == site.target.role_arn
        for name in one.alarms
    ]


def _captures(project: Project, site: Site) -> list[str]:
    """What the execution role captures: the objects of the endpoints whose models run under it."""
    return [
        f"arn:{site.partition}:s3:::{one.capture.destination.removeprefix('s3://')}/{one.endpoint}/*"
        for one in all_environments(project, site.target)
        if one.capture is not None and one.role_arn == site.target.role_arn
    ]


def _ci(project: Project, site: Site) -> dict[str, str]:
    roles = f"arn:{site.partition}:iam::{site.target.account}:role/gatehouse-{project.name}"
    return {
        "Project": project.name,
        "Bucket": site.target.bucket,
        "ExecutionRoleArn": site.target.role_arn,
        "CiRoleArn": f"{roles}-ci",
        "PlanRoleArn": f"{roles}-ci-plan",
    }


def _check_parameters(stack: Stack) -> None:
    declared = stack.content["Parameters"]
    unknown = sorted(set(stack.parameters) - set(declared))
    if unknown:
        raise GatehouseError(
            f"the template has no parameter {', '.join(unknown)}",
            where=f"{stack.kind}.yaml",
            remedy=f"It has: {', '.join(declared)}",
        )
    for name, value in stack.parameters.items():
        allowed = [str(one) for one in declared[name].get("AllowedValues", ())]
        if allowed and value not in allowed:
            raise GatehouseError(
                f"{value!r} is not allowed for {name}",
                where=f"{stack.kind}.yaml",
                remedy=f"Use one of: {', '.join(allowed)}",
            )
        pattern = declared[name].get("AllowedPattern")
        if pattern and not re.fullmatch(pattern, value):
            raise GatehouseError(
                f"{value!r} is not allowed for {name}",
                where=f"{stack.kind}.yaml",
                remedy=declared[name].get("ConstraintDescription", f"It has to match {pattern}"),
            )


def missing_parameters(stack: Stack) -> tuple[str, ...]:
    """Parameters without a value and without a default: a new stack needs them."""
    declared = stack.content["Parameters"]
    return tuple(
        name for name, one in declared.items() if "Default" not in one and name not in stack.parameters
    )
