"""A job on its way: what was asked for, where it happens, and what one instance is to run."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sagemaker_local.jobs import images
from sagemaker_local.jobs.images import Interpreter
from sagemaker_local.jobs.places import Host, rewritten

if TYPE_CHECKING:
    from sagemaker_local.s3.objects import ObjectStore

Document = dict[str, Any]

NETWORK_INTERFACE = "lo"
"""Instances of a job reach each other on this machine's loopback."""

_HOME, _TEMPORARY = "/opt/ml/.home", "/opt/ml/.tmp"


@dataclass(frozen=True)
class Surroundings:
    """What all jobs of one endpoint share.

    Attributes:
        interpreters: paths of Pythons by image pattern.
        endpoint_url: where the jobs' own boto3 finds AWS; None until the endpoint has its address.
    """

    objects: ObjectStore
    interpreters: Mapping[str, str]
    endpoint_url: str | None


@dataclass(frozen=True)
class Job:
    """One job: its document, its instances, and `check`, which raises once the job is to stop."""

    name: str
    region: str
    document: Document
    hosts: tuple[Host, ...]
    rewrite: bool
    surroundings: Surroundings
    check: Callable[[], None]
    note: Callable[[str], None]

    @property
    def objects(self) -> ObjectStore:
        return self.surroundings.objects

    @property
    def host_names(self) -> list[str]:
        return [host.name for host in self.hosts]

    def write_config(self, host: Host, container_path: str, content: Any) -> None:
        text = json.dumps(content, indent=2)
        path = host.path(container_path, "a configuration file")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(rewritten(text, host.ml) if self.rewrite else text)

    def resource_config(self, host: Host, instance_type: str) -> Document:
        """`resourceconfig.json`: who am I, who else is there."""
        group = "homogeneousCluster"
        return {
            "current_host": host.name,
            "current_instance_type": instance_type,
            "current_group_name": group,
            "hosts": self.host_names,
            "instance_groups": [
                {"instance_group_name": group, "instance_type": instance_type, "hosts": self.host_names}
            ],
            "network_interface_name": NETWORK_INTERFACE,
        }

    def environment(self, interpreter: Interpreter, host: Host) -> dict[str, str]:
        """What every job's environment begins with; the request's own Environment goes on top."""
        for folder in (_HOME, _TEMPORARY):
            host.path(folder, "a folder").mkdir(parents=True, exist_ok=True)
        values = images.environment(interpreter, _HOME, _TEMPORARY, host.folder / "bin")
        values |= {
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        if self.surroundings.endpoint_url is not None:
            values["AWS_ENDPOINT_URL"] = self.surroundings.endpoint_url
        return values


@dataclass(frozen=True)
class Command:
    """What one instance runs. Paths are those inside the container.

    Attributes:
        folder: the working directory.
    """

    argv: list[str]
    environment: dict[str, str]
    folder: str = _HOME

    def rewritten(self, ml: Path) -> Command:
        return Command(
            [rewritten(word, ml) for word in self.argv],
            {name: rewritten(value, ml) for name, value in self.environment.items()},
            rewritten(self.folder, ml),
        )


@dataclass(frozen=True)
class JobKind:
    """What the two kinds of jobs call things, and the functions that know their layouts.

    Attributes:
        kind: the store's and the folders' name, e.g. ``processing-job``.
        prefix: of the API's members, e.g. ``ProcessingJob``.
        verb: of its times, e.g. ``Processing``.
        log_group: where CloudWatch keeps the logs.
        check: raises AwsError for a request that cannot be carried out here.
        instances: how many instances the request asks for.
        stage: lays out /opt/ml and says what each instance runs.
        collect: keeps what a job that went well left; returns members for its document. The second
            argument says whether it was stopped before its end.
        has_phases: the API tells a SecondaryStatus.
        words_member: the member for the job's own words about its end, empty if there is none.
        explain: the job's own words about its end, from the instance that failed, possibly empty.
    """

    kind: str
    prefix: str
    verb: str
    log_group: str
    has_phases: bool
    words_member: str
    check: Callable[[Document], None]
    instances: Callable[[Document], int]
    stage: Callable[[Job], list[Command]]
    collect: Callable[[Job, bool], Document]
    explain: Callable[[Host], str]

    @property
    def name_member(self) -> str:
        return f"{self.prefix}Name"

    @property
    def arn_member(self) -> str:
        return f"{self.prefix}Arn"

    @property
    def status_member(self) -> str:
        return f"{self.prefix}Status"
