"""The checks behind `gatehouse doctor`. Each only reads and returns what it found and what to do."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from ipaddress import IPv4Network
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from aws_formats.errors import GatehouseError
from aws_formats.service_errors import is_absent
from aws_formats.sizes import size_in_words
from pipelines.commands.aws_errors import explain
from pipelines.commands.local_endpoint import home_folder, opt_ml_of_jobs
from pipelines.commands.looking import doubts_of
from pipelines.definition.image import check_image, end_of_patches
from pipelines.definition.look import classes_in_words, look_at
from pipelines.settings.environments import all_environments, deployable
from pipelines.settings.project import Project
from pipelines.settings.projects_file import Settings, load_settings
from pipelines.settings.target import Target, resolve_target

FREE_BYTES = 2 * 10**9
"""Enough for the state of a few runs on small data."""

_NAMESPACES = (
    "Programs that have /opt/ml in their own text, and jobs side by side, need namespaces:"
    " sysctl kernel.unprivileged_userns_clone=1 or, on Ubuntu 24.04,"
    " kernel.apparmor_restrict_unprivileged_userns=0"
)


@dataclass(frozen=True)
class Check:
    """`remedy` says what to do where `ok` is false, and is a remark where it is true."""

    name: str
    ok: bool
    found: str
    remedy: str | None = None


def run_checks(project: str | None, target: str) -> Iterator[Check]:
    """All checks that can be made, in an order in which each remedy helps the next check."""
    yield _python()
    yield _pins()
    try:
        settings = load_settings()
        found = settings.project(project)
    except GatehouseError as error:
        yield from (Check("settings", False, f"{one.where}: {one.what}", one.remedy) for one in error.parts)
        return
    yield Check("settings", True, f"{settings.file}, project {found.name}")
    yield image_check(found, date.today())
    yield from _environments(found, target)
    yield from _data(found, target)
    if target == "local":
        yield _opt_ml()
        yield _disk(settings)
    else:
        yield from _account(found)


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    ok = sys.version_info[:2] in ((3, 11), (3, 12))
    return Check("python", ok, f"{version} at {sys.executable}", None if ok else "Use Python 3.11 or 3.12")


def _pins() -> Check:
    """The installed versions against those that this package asks for."""
    from packaging.requirements import Requirement

    wrong = []
    requirements = [Requirement(line) for line in importlib.metadata.requires("gatehouse") or ()]
    for requirement in requirements:
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            installed = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(f"{requirement.name} is not installed")
            continue
        if installed not in requirement.specifier:
            wrong.append(f"{requirement.name} is {installed}, not {requirement.specifier}")
    if wrong:
        return Check("packages", False, "; ".join(wrong), "Install again: make run, or pip install -e .")
    return Check("packages", True, "the versions of the training image and of this package's pins")


def image_check(project: Project, today: date) -> Check:
    """Whether the programs run on the project's image, with a remark half a year before its last patch."""
    try:
        check_image(project)
    except GatehouseError as error:
        return Check("image", False, f"{error.where}: {error.what}", error.remedy)
    return Check("image", True, *end_of_patches(project.image_version, today))


def _environments(project: Project, target: str) -> Iterator[Check]:
    """Whether versions could be deployed to each environment."""
    try:
        at = resolve_target(project, target)
    except GatehouseError:  # what is missing of the account has checks of its own
        return
    try:
        names = [deployable(environment).name for environment in all_environments(project, at)]
    except GatehouseError as error:
        yield Check("environments", False, f"{error.where}: {error.what}", error.remedy)
        return
    yield Check("environments", True, ", ".join(names))


def _data(project: Project, target: str) -> Iterator[Check]:
    """What preprocessing would say of the data, each error by itself."""
    errors: tuple[GatehouseError, ...]
    try:
        look = look_at(project, resolve_target(project, target))
        errors = look.errors
    except GatehouseError as error:
        errors = (error,)
    for wrong in errors:
        place = f"{wrong.where}: " if wrong.where else ""
        yield Check("data", False, f"{place}{wrong.what}", wrong.remedy)
    if errors:
        return
    if look.whole is None:
        yield Check("data", True, look.said)
        return
    found = [look.said, *classes_in_words(look.document)]
    doubts = len(doubts_of(look))
    remark = f"{doubts} in doubt: gatehouse data {project.name}" if doubts else None
    source = project.data.source
    where = source if source.startswith("s3://") else project.root / source
    yield Check("data", True, f"{where}: {', '.join(found)}", remark)


def _opt_ml() -> Check:
    """How jobs are given their own /opt/ml: the answer of what will run them."""
    try:
        given = opt_ml_of_jobs()
    except GatehouseError as error:
        return Check("/opt/ml", False, error.what, error.remedy)
    why = "the environment asks for it. " if given.is_forced else ""
    found = f"{given.mode}: {why}{given.remark or 'each job has its own, in a mount namespace'}"
    has_best = given.is_forced or given.mode == "namespace"
    return Check("/opt/ml", True, found, None if has_best else _NAMESPACES)


def _disk(settings: Settings) -> Check:
    home = home_folder(settings)
    existing = next(folder for folder in (home, *home.parents) if folder.exists())
    if not os.access(existing, os.W_OK):
        return Check("disk", False, f"{existing} is not writable", "Set GATEHOUSE_HOME to a folder of yours")
    free = shutil.disk_usage(existing).free
    remedy = "Free some space, or set GATEHOUSE_HOME to a folder on another disk"
    return Check(
        "disk",
        free >= FREE_BYTES,
        f"{size_in_words(free)} free at {home}",
        remedy if free < FREE_BYTES else None,
    )


def _account(project: Project) -> Iterator[Check]:
    try:
        target = resolve_target(project, "aws")
    except GatehouseError as error:
        yield Check("role", False, error.what, error.remedy)
        return
    credentials = _credentials(target)
    yield credentials
    if not credentials.ok:
        return
    yield _role(target)
    yield _bucket(target)
    yield _pipelines(target)
    if project.network.security_groups and project.training_instance_count > 1:
        yield _instances_reach_each_other(project, target)


def _credentials(target: Target) -> Check:
    try:
        identity = target.client("sts").get_caller_identity()
    except (ClientError, BotoCoreError) as error:
        return _refused("credentials", error)
    if identity["Account"] != target.account:
        return Check(
            "credentials",
            False,
            f"{identity['Arn']} is in account {identity['Account']}, the role in {target.account}",
            "Log in to the role's account, or name a role of this one",
        )
    return Check("credentials", True, identity["Arn"])


def _role(target: Target) -> Check:
    name = target.role_arn.rpartition("/")[2]
    try:
        role = target.client("iam").get_role(RoleName=name)["Role"]
    except (ClientError, BotoCoreError) as error:
        return _refused("role", error)
    if "sagemaker.amazonaws.com" not in str(role.get("AssumeRolePolicyDocument", "")):
        return Check(
            "role",
            False,
            f"{role['Arn']} does not trust sagemaker.amazonaws.com",
            "Add it to the trust policy",
        )
    return Check("role", True, role["Arn"])


def _bucket(target: Target) -> Check:
    try:
        target.client("s3").head_bucket(Bucket=target.bucket)
    except ClientError as error:
        if is_absent(error):
            return Check(
                "bucket",
                False,
                f"{target.bucket} does not exist",
                f"Create it: aws s3 mb s3://{target.bucket}",
            )
        return _refused("bucket", error)
    except BotoCoreError as error:
        return _refused("bucket", error)
    return Check("bucket", True, target.bucket)


def _pipelines(target: Target) -> Check:
    try:
        target.client("sagemaker").list_pipelines(MaxResults=1)
    except (ClientError, BotoCoreError) as error:
        return _refused("SageMaker Pipelines", error)
    return Check("SageMaker Pipelines", True, f"reachable in {target.region}")


def _instances_reach_each_other(project: Project, target: Target) -> Check:
    """Whether one training job's instances reach each other: XGBoost uses whatever ports are free."""
    name, groups = "security groups", set(project.network.security_groups)
    ec2 = target.client("ec2")
    try:
        found = ec2.describe_security_groups(GroupIds=sorted(groups))["SecurityGroups"]
        subnets = ec2.describe_subnets(SubnetIds=list(project.network.subnets))["Subnets"]
    except (ClientError, BotoCoreError) as error:
        return _refused(name, error)
    networks = [IPv4Network(subnet["CidrBlock"]) for subnet in subnets]
    listed = ", ".join(sorted(groups))
    for direction, way in (("IpPermissions", "from"), ("IpPermissionsEgress", "to")):
        rules = (rule for group in found for rule in group[direction])
        if not any(_is_for_every_port(rule) and _is_for_members(rule, groups, networks) for rule in rules):
            return Check(
                name,
                False,
                f"none of {listed} allows all TCP ports {way} its own members, and the"
                f" {project.training_instance_count} instances of a training job have to reach each other",
                f"Add a rule for all TCP ports {way} the group itself, or train on one instance",
            )
    return Check(name, True, f"the instances of a training job reach each other by {listed}")


def _is_for_every_port(rule: dict[str, Any]) -> bool:
    """Whether a rule of a security group is about all TCP ports; ``-1`` is every protocol."""
    if rule["IpProtocol"] == "-1":
        return True
    return bool(rule["IpProtocol"] == "tcp" and rule["FromPort"] <= 1 and rule["ToPort"] == 65535)


def _is_for_members(rule: dict[str, Any], groups: set[str], subnets: list[IPv4Network]) -> bool:
    """Whether a rule names one of the groups, which every instance has, or all of their addresses."""
    if any(pair.get("GroupId") in groups for pair in rule.get("UserIdGroupPairs", ())):
        return True
    ranges = [IPv4Network(one["CidrIp"]) for one in rule.get("IpRanges", ())]
    return all(any(subnet.subnet_of(one) for one in ranges) for subnet in subnets)


def _refused(name: str, error: Exception) -> Check:
    explained = explain(error)
    assert explained is not None  # only botocore's errors come here
    return Check(name, False, explained.what, explained.remedy)
