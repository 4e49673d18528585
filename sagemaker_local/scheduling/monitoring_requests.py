"""The processing job of one monitoring execution, from its schedule and its definition.

Definitions of jobs of data quality and model quality, and one that a schedule holds itself, say the same in
three forms; :func:`inline` gives the last of all. The inputs, paths and variables of a job are those of
"Container contract inputs" in the SageMaker developer guide. AWS merges labels in a job of its own; here the
one job is given them, under ``ground_truth_source``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sagemaker_local.errors import not_implemented, validation_error
from sagemaker_local.hosting.endpoint_record import ENDPOINT
from sagemaker_local.jobs import processing
from sagemaker_local.jobs.transfer import S3Uri, parse_uri
from sagemaker_local.s3.objects import ObjectStore
from sagemaker_local.scheduling import monitoring_windows
from sagemaker_local.store import Document, Store
from sagemaker_local.store.listing import after_prefix

_GROUND_TRUTH = "_GroundTruthS3Input"
_BASELINE, _LABELS = "/opt/ml/processing/baseline", "/opt/ml/processing/input/groundtruth"
_SCRIPT_FOLDER = "/opt/ml/processing/input"
_FOLDERS = ("%Y", "%m", "%d", "%H")
_MOST_CAPTURES, _MOST_LABELS = 4, 2
"""Inputs of a job that hold captures, and those with labels; a job has 10 at most, with the baseline's two
documents and two scripts."""

_SCRIPTS = {
    "record_preprocessor_script": "RecordPreprocessorSourceUri",
    "post_analytics_processor_script": "PostAnalyticsProcessorSourceUri",
}
"""Variable -> where a definition names the script."""


class CannotMonitor(Exception):
    """Why there is no job for an execution: its FailureReason."""


@dataclass(frozen=True)
class Occasion:
    """One due time of a schedule.

    Attributes:
        definition: in the schedule's own form.
        start, end: what is looked at, POSIX seconds.
    """

    schedule: str
    kind: str
    definition: Document
    due: float
    start: float
    end: float

    @property
    def source(self) -> Document:
        """The endpoint that is monitored, and how."""
        source: Document = self.definition["MonitoringInputs"][0]["EndpointInput"]
        return source


def inline(definition: Document, kind: str) -> Document:
    """A job definition of its own in the form that a schedule's MonitoringJobDefinition has.

    Args:
        definition: as Create...JobDefinition takes it.
        kind: ``DataQuality`` or ``ModelQuality``.
    """
    specification = dict(definition[f"{kind}AppSpecification"])
    environment = specification.pop("Environment", {})
    problem = specification.pop("ProblemType", None)
    if problem is not None:
        environment = {**environment, "problem_type": problem}
    given = definition[f"{kind}JobInput"]
    inputs = {name: value for name, value in given.items() if name != "GroundTruthS3Input"}
    found = {
        "MonitoringInputs": [inputs],
        "MonitoringOutputConfig": definition[f"{kind}JobOutputConfig"],
        "MonitoringResources": definition["JobResources"],
        "MonitoringAppSpecification": specification,
        "Environment": environment,
        "RoleArn": definition["RoleArn"],
        "BaselineConfig": definition.get(f"{kind}BaselineConfig"),
        "NetworkConfig": definition.get("NetworkConfig"),
        "StoppingCondition": definition.get("StoppingCondition"),
        _GROUND_TRUTH: given.get("GroundTruthS3Input"),
    }
    return {name: value for name, value in found.items() if value is not None}


def check(definition: Document, kind: str) -> None:
    """Refuse a definition, in the schedule's form, that cannot be carried out here.

    Raises:
        AwsError: with the member that asks for it.
    """
    [source] = definition["MonitoringInputs"]
    if "BatchTransformInput" in source:
        raise not_implemented("BatchTransformInput of a monitoring job")
    if "EndpointInput" not in source:
        raise validation_error("A monitoring job needs an EndpointInput.")
    endpoint = source["EndpointInput"]
    for name in ("StartTimeOffset", "EndTimeOffset"):
        if name in endpoint:
            monitoring_windows.seconds_of(endpoint[name])
    if kind == "ModelQuality":
        if _GROUND_TRUTH not in definition:
            raise validation_error("A model quality job needs GroundTruthS3Input.")
        if "problem_type" not in definition["Environment"]:
            raise validation_error("A model quality job needs a ProblemType.")
    occasion = Occasion("schedule", kind, definition, 0.0, 0.0, 0.0)
    captured = _input("input_1", "s3://captures/hour", endpoint["LocalPath"], endpoint)
    variables = {**_environment(occasion, None, labels=False), **_scripts(definition)}
    processing.KIND.check(_request(occasion, "job", [captured], variables))


def request(occasion: Occasion, name: str, objects: ObjectStore, store: Store, region: str) -> Document:
    """CreateProcessingJob's members for a due time; `name` is the job's.

    Raises:
        CannotMonitor: there is nothing to look at, or nothing to compare it with.
        JobFailure: an S3 URI is none.
    """
    source = occasion.source
    endpoint = store.get(ENDPOINT, region, source["EndpointName"])
    if endpoint is None:
        raise CannotMonitor(f"Could not find endpoint {source['EndpointName']}.")
    captured = endpoint.get("DataCaptureConfig")
    if captured is None:
        raise CannotMonitor(f"Endpoint {source['EndpointName']} has no data capture.")
    place = parse_uri(f"{captured['DestinationS3Uri'].rstrip('/')}/{source['EndpointName']}/")
    hours = list(_hours(occasion.start, occasion.end))
    found = [
        (variant, hour)
        for variant in _folders_below(objects, place)
        for hour in hours
        if _holds_data(objects, S3Uri(place.bucket, f"{place.key}{variant}/{'/'.join(hour)}/"))
    ]
    if not found:
        raise CannotMonitor("Job inputs had no data")
    local = f"{source['LocalPath'].rstrip('/')}/{source['EndpointName']}"
    inputs = [
        _input(f"input_{number}", f"{place}{path}", f"{local}/{path}", source)
        for number, path in enumerate(_few([(variant, *hour) for variant, hour in found], _MOST_CAPTURES), 1)
    ]
    baseline = [
        _input(document, uri, f"{_BASELINE}/{document}", {})
        for document, uri in _baseline(occasion.definition.get("BaselineConfig") or {}, store, region).items()
    ]
    labels = list(_label_inputs(occasion, objects))
    variables = _environment(occasion, captured["DestinationS3Uri"], labels=bool(labels))
    for one in baseline:
        variables[f"baseline_{one['InputName']}"] = _file(one)
    given = [
        _input(variable, uri, f"{_SCRIPT_FOLDER}/{variable}", {})
        for variable, uri in _scripts(occasion.definition).items()
    ]
    variables |= {one["InputName"]: _file(one) for one in given}
    return _request(occasion, name, [*inputs, *baseline, *labels, *given], variables)


def _file(one: Document) -> str:
    """The path of an input that is one object; of a prefix that ends with a slash, the folder's."""
    path, file = one["S3Input"]["LocalPath"], one["S3Input"]["S3Uri"].rpartition("/")[2]
    return f"{path}/{file}" if file else str(path)


def _scripts(definition: Document) -> dict[str, str]:
    specification = definition["MonitoringAppSpecification"]
    return {
        variable: specification[member] for variable, member in _SCRIPTS.items() if specification.get(member)
    }


def _request(
    occasion: Occasion, name: str, inputs: Sequence[Document], variables: dict[str, str]
) -> Document:
    definition, specification = occasion.definition, occasion.definition["MonitoringAppSpecification"]
    [output] = definition["MonitoringOutputConfig"]["MonitoringOutputs"]
    moment = datetime.fromtimestamp(occasion.due, UTC)
    folder = f"{occasion.source['EndpointName']}/{occasion.schedule}/{moment:%Y/%m/%d/%H}"
    destination = {
        "S3UploadMode": "Continuous",
        **output["S3Output"],
        "S3Uri": f"{output['S3Output']['S3Uri'].rstrip('/')}/{folder}",
    }
    members: Document = {
        "ProcessingJobName": name,
        "ProcessingInputs": list(inputs),
        "ProcessingOutputConfig": {
            **{
                key: value for key, value in definition["MonitoringOutputConfig"].items() if key == "KmsKeyId"
            },
            "Outputs": [{"OutputName": "result", "S3Output": destination}],
        },
        "ProcessingResources": {"ClusterConfig": definition["MonitoringResources"]["ClusterConfig"]},
        "AppSpecification": {
            key: value
            for key, value in specification.items()
            if key in ("ImageUri", "ContainerEntrypoint", "ContainerArguments")
        },
        "Environment": variables,
        "RoleArn": definition["RoleArn"],
    }
    for optional in ("NetworkConfig", "StoppingCondition"):
        if optional in definition:
            members[optional] = definition[optional]
    return members


def _environment(occasion: Occasion, captured_at: str | None, *, labels: bool) -> dict[str, str]:
    source, definition = occasion.source, occasion.definition
    [output] = definition["MonitoringOutputConfig"]["MonitoringOutputs"]
    variables = {
        "publish_cloudwatch_metrics": "Enabled",
        **(definition.get("Environment") or {}),
        "dataset_format": json.dumps(
            {"sagemakerCaptureJson": {"captureIndexNames": ["endpointInput", "endpointOutput"]}}
        ),
        "dataset_source": source["LocalPath"],
        "output_path": output["S3Output"]["LocalPath"],
        "start_time": _text(occasion.start),
        "end_time": _text(occasion.end),
        "sagemaker_endpoint_name": source["EndpointName"],
        "sagemaker_monitoring_schedule_name": occasion.schedule,
    }
    if captured_at is not None:
        variables["sagemaker_endpoint_datacapture_prefix"] = captured_at
    if "ExcludeFeaturesAttribute" in source:
        variables["exclude_features_attribute"] = source["ExcludeFeaturesAttribute"]
    if occasion.kind == "ModelQuality":
        variables["analysis_type"] = "MODEL_QUALITY"
        for member, variable in (
            ("InferenceAttribute", "inference_attribute"),
            ("ProbabilityAttribute", "probability_attribute"),
            ("ProbabilityThresholdAttribute", "probability_threshold_attribute"),
        ):
            if member in source:
                variables[variable] = str(source[member])
    if labels:
        variables["ground_truth_source"] = _LABELS
    return variables


def _baseline(config: Document, store: Store, region: str) -> dict[str, str]:
    """Where the baseline's documents are, as the definition says, or as the job that it names left them."""
    found = {}
    job = config.get("BaseliningJobName")
    if job is not None and not config.get("ConstraintsResource"):
        document = store.get(processing.KIND.kind, region, job)
        if document is None:
            raise CannotMonitor(f"There is no processing job {job}, which the baseline is of.")
        [output, *_] = document["ProcessingOutputConfig"]["Outputs"]
        folder = output["S3Output"]["S3Uri"].rstrip("/")
        found = {name: f"{folder}/{name}.json" for name in ("constraints", "statistics")}
    for name in ("constraints", "statistics"):
        if uri := (config.get(f"{name.capitalize()}Resource") or {}).get("S3Uri"):
            found[name] = uri
    return found


def _label_inputs(occasion: Occasion, objects: ObjectStore) -> Iterator[Document]:
    """The ground truth that has come since the window's start; its folders say when it came."""
    if occasion.kind != "ModelQuality":
        return
    place = parse_uri(f"{occasion.definition[_GROUND_TRUTH]['S3Uri'].rstrip('/')}/")
    found = [
        hour
        for hour in _hours(occasion.start, occasion.due + 1)
        if _holds_data(objects, S3Uri(place.bucket, f"{place.key}{'/'.join(hour)}/"))
    ]
    if not found:
        raise CannotMonitor(f"Job inputs had no data: there is no ground truth of this time below {place}")
    for number, path in enumerate(_few(found, _MOST_LABELS), 1):
        yield _input(f"groundtruth_{number}", f"{place}{path}", f"{_LABELS}/{path}", {})


def _input(name: str, uri: str, path: str, source: Document) -> Document:
    return {
        "InputName": name,
        "S3Input": {
            "S3Uri": uri,
            "LocalPath": path,
            "S3DataType": "S3Prefix",
            "S3InputMode": source.get("S3InputMode", "File"),
            "S3DataDistributionType": source.get("S3DataDistributionType", "FullyReplicated"),
        },
    }


def _hours(start: float, end: float) -> Iterator[tuple[str, ...]]:
    """The folders of the hours of a window: year, month, day, hour."""
    moment = datetime.fromtimestamp(start, UTC).replace(minute=0, second=0, microsecond=0)
    while moment.timestamp() < end:
        yield tuple(moment.strftime(part) for part in _FOLDERS)
        moment += timedelta(hours=1)


def _few(folders: Iterable[tuple[str, ...]], most: int) -> list[str]:
    """The same folders, or so few of those above them; a job looks at the times of what is in them."""
    kept = list(dict.fromkeys(folders))
    while len(kept) > most:
        kept = list(dict.fromkeys(folder[:-1] for folder in kept))
    return ["/".join(folder) for folder in kept]


def _folders_below(objects: ObjectStore, place: S3Uri) -> Iterator[str]:
    """The names directly below a prefix that ends with a slash; none of what is in them is read."""
    position, end = place.key, after_prefix(place.key)
    while rows := objects.rows(place.bucket, position, end, 1):
        name, slash, _ = str(rows[0][1])[len(place.key) :].partition("/")
        if slash:
            yield name
        position = after_prefix(f"{place.key}{name}{slash}") or ""


def _holds_data(objects: ObjectStore, place: S3Uri) -> bool:
    return bool(objects.rows(place.bucket, place.key, after_prefix(place.key), 1))


def _text(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%SZ}"
