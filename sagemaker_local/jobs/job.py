"""What the modules that prepare, run and collect a job know of it.

The job itself is a document in the store. A :class:`JobRun` is one job that runs, with its instances; a
:class:`Command` is what one instance runs; a :class:`JobKind` knows the names and the layout of processing
jobs or of training jobs.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sagemaker_local.errors import validation_error
from sagemaker_local.jobs import images
from sagemaker_local.jobs.images import Interpreter
from sagemaker_local.jobs.places import Host, rewritten

if TYPE_CHECKING:
    from sagemaker_local.s3.objects import ObjectStore

Document = dict[str, Any]

DEFAULT_RUNTIME = 86400
"""Seconds that a job may run whose request sets no limit."""

NETWORK_INTERFACE = "lo"
"""Instances of a job reach each other on this machine's loopback."""

_HOME, _TEMPORARY = "/opt/ml/.home", "/opt/ml/.tmp"


@dataclass(frozen=True)
class JobContext:
    """What all jobs and model servers of one endpoint share.

    Attributes:
        interpreters: paths of Pythons by image: a glob pattern for its whole name, or a part of it.
        endpoint_url: where the jobs' own boto3 finds AWS.
    """

    objects: ObjectStore
    interpreters: Mapping[str, str]
    endpoint_url: str


@dataclass(frozen=True)
class JobRun:
    """One job that runs, from its preparation until what it left is collected.

    Attributes:
        document: the job's document as it was when it started.
        hosts: its instances.
        rewrite: /opt/ml cannot be given, so paths in configuration and command are real ones.
        in_namespace: /opt/ml is given by a mount namespace.
        check: raises JobStopped once the job is to stop.
        note: takes a line for the job's log.
        hints: what a person should know if the job's program fails.
    """

    name: str
    region: str
    document: Document
    hosts: tuple[Host, ...]
    rewrite: bool
    in_namespace: bool
    context: JobContext
    check: Callable[[], None]
    note: Callable[[str], None]
    hints: list[str] = field(default_factory=list)

    @property
    def objects(self) -> ObjectStore:
        return self.context.objects

    @property
    def host_names(self) -> list[str]:
        return [host.name for host in self.hosts]

    def write_config(self, host: Host, container_path: str, content: Any) -> None:
        text = json.dumps(content, indent=2)
        path = host.path(container_path, "a configuration file")
        path.parent.mkdir(parents=True, exist_ok=True)
        ml = json.dumps(str(host.ml))[1:-1]  # as it stands within a text of JSON
        path.write_text(rewritten(text, ml) if self.rewrite else text)

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
        """What the job's environment begins with; the request's own Environment goes on top."""
        return base_environment(interpreter, host, self.region, self.context)


def base_environment(
    interpreter: Interpreter, host: Host, region: str, context: JobContext
) -> dict[str, str]:
    """What every job and model server has in its environment; makes the folders that it names."""
    for folder in (_HOME, _TEMPORARY):
        host.path(folder, "a folder").mkdir(parents=True, exist_ok=True)
    values = images.environment(interpreter, _HOME, _TEMPORARY, host.folder / "bin")
    return values | {
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": context.endpoint_url,
    }


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
        has_phases: the API shows a SecondaryStatus.
        message_member: the member for the message that a job leaves at its end, empty if there is none.
        check: raises AwsError for a request that cannot be carried out here.
        instances: how many instances the request asks for.
        stage: lays out /opt/ml and returns what each instance runs.
        collect: keeps what a job leaves that has not failed; returns members for its document. The second
            argument says whether it was stopped before its end.
        message: what the job left as a message about its end, given the instance that failed; may be empty.
        added: members that the service itself adds to a request's.
        running: a context for the time in which the instances run.
    """

    kind: str
    prefix: str
    verb: str
    log_group: str
    has_phases: bool
    message_member: str
    check: Callable[[Document], None]
    instances: Callable[[Document], int]
    stage: Callable[[JobRun], list[Command]]
    collect: Callable[[JobRun, bool], Document]
    message: Callable[[Host], str]
    added: Callable[[Document], Document] = lambda _: {}
    running: Callable[[JobRun], AbstractContextManager[None]] = lambda _: nullcontext()

    @property
    def name_member(self) -> str:
        return f"{self.prefix}Name"

    @property
    def arn_member(self) -> str:
        return f"{self.prefix}Arn"

    @property
    def status_member(self) -> str:
        return f"{self.prefix}Status"


def check_names(member: str, names: Iterable[str]) -> None:
    """Refuse a request of which two inputs, outputs or channels have one name.

    Args:
        member: that holds the names.
    """
    counted = Counter(names)
    if twice := [name for name, count in counted.items() if count > 1]:
        raise validation_error(
            f"{member} has to be unique within a job: '{twice[0]}' is there more than once."
        )
