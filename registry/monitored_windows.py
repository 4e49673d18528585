"""Windows of an environment's requests: where they and what is made of them lie, and which one comes next.

    s3://BUCKET/{project}/monitoring/{environment}/
        windows/          what a comparison is given: two manifests and window.json, a folder for each window
        reports/          what it finds, a folder for each window
        replays/          what another version would have answered
        past/, answers/   what windows leave for later ones
        labels/           what turned out to be right

A window has so many hours and ends on a full hour, so that those of a schedule follow each other without a
gap. Captures lie below the destination of the endpoint's own configuration, by endpoint, variant and hour.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from aws_formats.arns import parse_package_version
from aws_formats.errors import GatehouseError
from aws_formats.service_errors import is_absent
from registry.clients import read_document
from registry.environment_state import read_state
from registry.environments import Environment
from registry.model_packages import describe_arn

CHANGED, WORSE = "changed", "worse"
"""What the monitoring program calls a window that differs, and answers that got worse."""

_RECENT_DAYS = 14
_PAST_WINDOWS = 60
_ANSWER_WINDOWS = 35
_LABEL_DAYS = 35
_CLOCKS_DIFFER = timedelta(minutes=5)
_INVOCATIONS = {"invocations": "Invocations", "refused": "Invocation4XXErrors"}


def monitoring_prefix(project: str, environment: str) -> str:
    """The key prefix of everything that monitoring keeps of an environment."""
    return f"{project}/monitoring/{environment}/"


@dataclass(frozen=True)
class Window:
    """A window of requests; the end does not belong to it. Both have a time zone."""

    start: datetime
    end: datetime

    @property
    def name(self) -> str:
        """Its end, in an order of time and without characters that a path minds."""
        return f"{self.end.astimezone(UTC):%Y%m%dT%H%M%SZ}"

    def hours(self) -> Iterator[datetime]:
        """The full hours that it touches."""
        hour = self.start.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        while hour < self.end:
            yield hour
            hour += timedelta(hours=1)


def window_of(hours: int, started: str, end: str = "") -> Window:
    """The window that a comparison looks at.

    Args:
        started: when the execution began, ISO 8601: the window ends with the last full hour before.
        end: another end, ISO 8601; empty for that one.

    Raises:
        GatehouseError: ``end`` is no time, or has not come yet: that window would stay the newest until then.
    """
    try:
        moment, now = (_in_utc(datetime.fromisoformat(text)) for text in (end or started, started))
    except ValueError as error:
        raise GatehouseError(
            f"{end or started!r} is not a time", remedy="Write it like 2030-01-31T03:00:00Z"
        ) from error
    if moment > now + _CLOCKS_DIFFER:
        raise GatehouseError(
            f"a window cannot end at {end}, which has not come yet", remedy="Name a time in the past"
        )
    if not end:
        moment = moment.replace(minute=0, second=0, microsecond=0)
    return Window(moment - timedelta(hours=hours), moment)


def _in_utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def end_of_now() -> str:
    """The end of a window that holds all that was answered by now, ISO 8601: the next full second.

    Captures say the full second of an answer, and a window's end does not belong to it.
    """
    return (datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)).isoformat()


@dataclass(frozen=True)
class Found:
    """What a comparison of a window is given; all URIs are of S3."""

    version: int
    model: str
    quality: str
    evaluation: str
    window: str
    captures: str
    report: str
    past: str
    answers: str
    captured: int
    name: str


def prepare_window(
    environment: Environment,
    clients: Any,
    bucket: str,
    metric: str,
    window: Window,
    candidate: int | None = None,
) -> Found | str:
    """Write what a comparison needs and say where it lies; or why there is nothing to compare, as a sentence.

    Args:
        clients: of the project's own account, which keeps the versions and the bucket.
        metric: the gate's, which is judged where labels came.
        candidate: the version that a replay sends the requests through.

    Raises:
        GatehouseError: the version lacks something that it should have been registered with.
    """
    state = read_state(environment)
    if state.deployed is None or not state.serves:
        return state.not_serving
    described = environment.clients.client("sagemaker").describe_endpoint(EndpointName=environment.endpoint)
    if state.endpoint is None or state.endpoint.capture is None:
        return (
            f"the endpoint {environment.endpoint} captures nothing: give the environment a table capture and"
            " deploy again"
        )
    captured_in = state.endpoint.capture.destination + "/"
    # What was answered before the endpoint was last changed may be another version's. Captures say the full
    # second of an answer: one of the second of the change counts as coming after it.
    changed = described["LastModifiedTime"].replace(microsecond=0)
    window = Window(max(window.start, changed), window.end)
    if window.start >= window.end:
        return f"the endpoint {environment.endpoint} was changed after the window's end"
    arn = state.deployed.arn
    named = parse_package_version(arn)
    assert named is not None, "it serves"
    package = describe_arn(clients, arn)
    s3 = clients.client("s3")
    prefix = monitoring_prefix(environment.project, environment.name)
    folder = f"{prefix}windows/{window.name}/"
    document = {
        "project": environment.project,
        "environment": environment.name,
        "version": named[1],
        "start": window.start.isoformat(),
        "end": window.end.isoformat(),
        "metric": metric,
        **({} if candidate is None else {"candidate": candidate}),
        **_requests(environment, described, window),
    }
    _put(s3, bucket, f"{folder}window.json", document)
    kept = [
        *_newest(s3, bucket, f"{prefix}past/", _PAST_WINDOWS),
        *_newest(s3, bucket, f"{prefix}answers/", _ANSWER_WINDOWS),
        *_recent(s3, bucket, f"{prefix}labels/", window.end - timedelta(days=_LABEL_DAYS)),
    ]
    of_window = [f"windows/{window.name}/window.json", *(key.removeprefix(prefix) for key in kept)]
    _put(s3, bucket, f"{folder}window.manifest", [{"prefix": f"s3://{bucket}/{prefix}"}, *of_window])
    captures = _captures(environment, captured_in, window)
    if captures:
        _put(s3, bucket, f"{folder}captures.manifest", [{"prefix": captured_in}, *captures])
    return Found(
        version=named[1],
        model=artifact_of(package, named[1]),
        quality=_folder_of(package, "ModelDataQuality", named[1]),
        evaluation=_folder_of(package, "ModelQuality", named[1]),
        window=f"s3://{bucket}/{folder}window.manifest",
        # A job needs an input that has something: without captures it is given the window's own files again.
        captures=f"s3://{bucket}/{folder}{'captures' if captures else 'window'}.manifest",
        report=f"s3://{bucket}/{prefix}reports/{window.name}",
        past=f"s3://{bucket}/{prefix}past",
        answers=f"s3://{bucket}/{prefix}answers",
        captured=len(captures),
        name=window.name,
    )


@dataclass(frozen=True)
class ComparedWindow:
    """What was found of a window.

    Attributes:
        start, end: ISO 8601.
        status: of the traffic: as before, changed, or not enough rows.
        quality: of the answers: as before, worse, no labels, or not enough of them.
        differing: the columns that differ.
        report: the S3 URI of the page.
    """

    name: str
    start: str
    end: str
    version: int
    rows: int
    status: str
    quality: str
    sentence: str
    differing: tuple[str, ...]
    report: str

    @property
    def until(self) -> datetime:
        """Its end."""
        return datetime.fromisoformat(self.end)

    @property
    def asks_for_somebody(self) -> bool:
        """Whether the traffic changed or the model got worse."""
        return self.status == CHANGED or self.quality == WORSE


def last_windows(
    clients: Any, bucket: str, project: str, environment: str, count: int
) -> list[ComparedWindow]:
    """What was found of the last windows, newest first; none where nothing was ever compared."""
    s3 = clients.client("s3")
    prefix = f"{monitoring_prefix(project, environment)}reports/"
    recent = f"{datetime.now(UTC) - timedelta(days=_RECENT_DAYS):%Y%m%d}"
    try:
        folders = _folders(s3, bucket, prefix, recent)
        if len(folders) < count:
            folders = _folders(s3, bucket, prefix)
    except ClientError as error:
        if not is_absent(error):
            raise
        return []  # no bucket, so nothing was ever run
    read = (_compared_window(s3, bucket, folder) for folder in reversed(folders[-count:]))
    return [one for one in read if one is not None]


def report_folder(project: str, environment: str, window: str) -> str:
    """The key prefix of what was found of a window, by its name."""
    return f"{monitoring_prefix(project, environment)}reports/{window}/"


def _folders(s3: Any, bucket: str, prefix: str, after: str = "") -> list[str]:
    """The prefixes below one, in order of time, since the names are."""
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=prefix, Delimiter="/", StartAfter=prefix + after
    )
    return [entry["Prefix"] for page in pages for entry in page.get("CommonPrefixes", ())]


def _compared_window(s3: Any, bucket: str, folder: str) -> ComparedWindow | None:
    """What was found, by the key prefix of its report; None where there is no verdict, or a damaged one."""
    uri = f"s3://{bucket}/{folder}"
    verdict = read_document(s3, f"{uri}verdict.json")
    try:
        found = ComparedWindow(
            name=folder.rstrip("/").rpartition("/")[2],
            **{key: str(verdict[key]) for key in ("start", "end", "status", "sentence")},
            version=int(verdict["version"]),
            rows=int(verdict["rows"]),
            quality=str(verdict["quality"]["status"]),
            differing=tuple(sorted({str(one["column"]) for one in verdict["differences"]})),
            report=f"{uri}report.html",
        )
        datetime.fromisoformat(found.end)
        return found
    except (KeyError, TypeError, ValueError):
        return None


def _captures(environment: Environment, destination: str, window: Window) -> list[str]:
    """The keys of a window's captures, relative to the destination."""
    s3 = environment.clients.client("s3")
    bucket, _, root = destination.removeprefix("s3://").partition("/")
    pages = s3.get_paginator("list_objects_v2")
    below = f"{root}{environment.endpoint}/"
    variants = [
        entry["Prefix"]
        for page in pages.paginate(Bucket=bucket, Prefix=below, Delimiter="/")
        for entry in page.get("CommonPrefixes", ())
    ]
    return [
        entry["Key"].removeprefix(root)
        for variant in variants
        for hour in window.hours()
        for page in pages.paginate(Bucket=bucket, Prefix=f"{variant}{hour:%Y/%m/%d/%H}/")
        for entry in page.get("Contents", ())
    ]


def _requests(
    environment: Environment, described: Mapping[str, Any], window: Window
) -> dict[str, int | None]:
    """How many requests there were and how many were refused, by the endpoint's metrics."""
    cloudwatch = environment.clients.client("cloudwatch")
    found: dict[str, int | None] = {}
    for member, name in _INVOCATIONS.items():
        total = 0.0
        for variant in described.get("ProductionVariants", ()):
            answer = cloudwatch.get_metric_statistics(
                Namespace="AWS/SageMaker",
                MetricName=name,
                Dimensions=[
                    {"Name": "EndpointName", "Value": environment.endpoint},
                    {"Name": "VariantName", "Value": variant["VariantName"]},
                ],
                StartTime=window.start,
                EndTime=window.end,
                Period=3600,
                Statistics=["Sum"],
            )
            total += sum(point["Sum"] for point in answer["Datapoints"])
        found[member] = round(total)
    return found


def _newest(s3: Any, bucket: str, prefix: str, count: int) -> list[str]:
    """The keys of the last windows, which are named in order of time."""
    return [entry["Key"] for entry in _objects(s3, bucket, prefix)][-count:]


def _recent(s3: Any, bucket: str, prefix: str, since: datetime) -> list[str]:
    return [entry["Key"] for entry in _objects(s3, bucket, prefix) if entry["LastModified"] >= since]


def _objects(s3: Any, bucket: str, prefix: str) -> Iterator[dict[str, Any]]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        yield from page.get("Contents", ())


def _put(s3: Any, bucket: str, key: str, document: Any) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(document).encode())


def artifact_of(described: Mapping[str, Any], version: int) -> str:
    """The S3 URI of a version's artifact.

    Raises:
        GatehouseError: it has none, or several.
    """
    containers: Sequence[Any] = described.get("InferenceSpecification", {}).get("Containers", ())
    artifacts = [str(one["ModelDataUrl"]) for one in containers if "ModelDataUrl" in one]
    if len(artifacts) != 1:
        raise GatehouseError(f"version {version} has {len(artifacts)} artifacts; one can be monitored")
    return artifacts[0]


def _folder_of(described: Mapping[str, Any], kind: str, version: int) -> str:
    """The S3 folder of a statistics file that the version was registered with."""
    source = described.get("DriftCheckBaselines", {}).get(kind, {}).get("Statistics", {})
    if "S3Uri" not in source:
        raise GatehouseError(
            f"version {version} was registered without DriftCheckBaselines, so later requests can be compared"
            " with nothing",
            remedy="Register a version with this pipeline and deploy that",
        )
    return str(source["S3Uri"]).rpartition("/")[0] + "/"
