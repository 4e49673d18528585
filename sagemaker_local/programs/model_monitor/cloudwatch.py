"""The metrics of an analysis, for CloudWatch: its namespaces and names are Model Monitor's.

https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-interpreting-cloudwatch.html. The image leaves a
file, which the service publishes; here the program publishes them itself, by the boto3 of its environment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_MOST_IN_A_CALL = 500

Datum = dict[str, Any]


def is_asked_for(variables: Mapping[str, str], constraints: Mapping[str, Any] | None) -> bool:
    """Whether metrics are published: of a schedule's jobs, unless its baseline says otherwise."""
    emitted = ((constraints or {}).get("monitoring_config") or {}).get("emit_metrics", "Enabled")
    scheduled = bool(variables.get("sagemaker_monitoring_schedule_name"))
    return scheduled and variables.get("publish_cloudwatch_metrics") == "Enabled" and emitted == "Enabled"


def of_columns(columns: Sequence[Any], drift: Mapping[str, float]) -> Iterator[Datum]:
    """Of data quality: what each column holds, how complete it is, how far it has moved."""
    for column in columns:
        yield {"MetricName": f"feature_non_null_{column.name}", "Value": column.completeness}
        if len(column.numbers):
            yield {
                "MetricName": f"feature_data_{column.name}",
                "StatisticValues": {
                    "SampleCount": float(len(column.numbers)),
                    "Sum": float(column.numbers.sum()),
                    "Minimum": float(column.numbers[0]),
                    "Maximum": float(column.numbers[-1]),
                },
            }
        if column.name in drift:
            yield {"MetricName": f"feature_baseline_drift_{column.name}", "Value": drift[column.name]}


def of_values(values: Mapping[str, float]) -> Iterator[Datum]:
    """Of model quality: each metric by its name."""
    for name, value in values.items():
        yield {"MetricName": name, "Value": value}


def publish(variables: Mapping[str, str], what: str, data: Iterator[Datum]) -> None:
    """Publish them for the endpoint, if one is monitored, and the schedule."""
    import boto3  # not every analysis publishes

    endpoint = variables.get("sagemaker_endpoint_name")
    dimensions = [{"Name": "MonitoringSchedule", "Value": variables["sagemaker_monitoring_schedule_name"]}]
    if endpoint:
        dimensions.insert(0, {"Name": "Endpoint", "Value": endpoint})
    namespace = f"aws/sagemaker/{'Endpoints' if endpoint else 'ModelMonitoring'}/{what}"
    client = boto3.client("cloudwatch")
    ready = [{**datum, "Timestamp": variables["end_time"], "Dimensions": dimensions} for datum in data]
    for first in range(0, len(ready), _MOST_IN_A_CALL):
        client.put_metric_data(Namespace=namespace, MetricData=ready[first : first + _MOST_IN_A_CALL])
    print(f"{len(ready)} metrics in the namespace {namespace}", flush=True)
