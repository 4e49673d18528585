"""CloudWatch's metrics: what endpoints say of their requests, and what anybody puts beside it.

Endpoints write ``AWS/SageMaker`` as SageMaker does (:func:`count_invocation`): a value for each request,
with the dimensions EndpointName and VariantName. Statistics and percentiles of whole minutes are served;
metric math, anomaly detection, trimmed statistics and periods below a minute are refused by name.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sagemaker_local import clocks
from sagemaker_local.errors import AwsError, not_implemented
from sagemaker_local.metrics import MINUTE, MOST_SERIES, Metrics, Series, Summary, summary_of
from sagemaker_local.services import paging
from sagemaker_local.services.call import Call, Handler

SERVICE = "cloudwatch"
NAMESPACE = "AWS/SageMaker"

_STATISTICS = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")
_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,10})?|100)")
_MOST_QUERIES, _MOST_POINTS, _MOST_STATISTICS_POINTS = 500, 100_800, 1440
_MOST_DATA, _MOST_VALUES = 1000, 150
_OLDEST, _NEWEST = 14 * 86400.0, 2 * 3600.0
"""Seconds from now that a value's time may be in the past and in the future."""

_LISTED = 500
_RECENT_SECONDS = 3 * 3600.0


def count_invocation(
    metrics: Metrics, region: str, endpoint: str, variant: str, status: int, model: float, overhead: float
) -> None:
    """One request to an endpoint, as SageMaker reports it.

    Args:
        status: what the container answered; 0 where it answered nothing.
        model, overhead: seconds that the container took, and that the service took around it.
    """
    dimensions = (("EndpointName", endpoint), ("VariantName", variant))
    values = {
        ("Invocations", "None"): 1.0,
        ("Invocation4XXErrors", "None"): float(400 <= status < 500),
        ("Invocation5XXErrors", "None"): float(500 <= status < 600),
        ("InvocationModelErrors", "None"): float(status != 200),
        ("ModelLatency", "Microseconds"): model * 1e6,
        ("OverheadLatency", "Microseconds"): overhead * 1e6,
    }
    metrics.add(
        {Series(region, NAMESPACE, name, dimensions, unit): value for (name, unit), value in values.items()}
    )


def put_metric_data(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """PutMetricData"""
    namespace = parameters["Namespace"]
    if "EntityMetricData" in parameters:
        raise not_implemented("EntityMetricData (metrics of an entity)")
    data = parameters.get("MetricData", [])
    if namespace.startswith("AWS/"):
        raise _invalid(
            f"The value {namespace} for parameter Namespace is invalid: it must not begin with AWS/."
        )
    if not data:
        raise AwsError("MissingParameter", "The parameter MetricData is required.")
    if len(data) > _MOST_DATA:
        raise _invalid(f"The collection MetricData must not have a size greater than {_MOST_DATA}.")
    now = clocks.now()
    read = [_read_datum(call.region, namespace, datum, now) for datum in data]
    metrics = call.components.metrics
    if not metrics.has_room_for(series for series, _, _ in read):
        raise AwsError(
            "LimitExceeded", f"There are {MOST_SERIES} series already; older ones go after a week."
        )
    for series, when, summary in read:
        metrics.merge(series, when, summary)
    return {}


def get_metric_data(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """GetMetricData: a page holds so many points, of the queries in their order."""
    start, end = _span(parameters)
    queries = parameters["MetricDataQueries"]
    if not 0 < len(queries) <= _MOST_QUERIES:
        raise _validation(f"A request has 1 to {_MOST_QUERIES} queries.")
    identifiers = [query["Id"] for query in queries]
    if len(set(identifiers)) < len(identifiers):
        raise _validation("The Ids of the queries must be unique.")
    ascending = parameters.get("ScanBy") == "TimestampAscending"
    left = min(_MOST_POINTS, parameters.get("MaxDatapoints", _MOST_POINTS))
    skipped = _page_begin(parameters.get("NextToken"))
    page_end, passed, results = skipped + left, 0, []
    for query in queries:
        if not query.get("ReturnData", True):
            continue
        points = _points(call, query, start, end)
        ordered = points if ascending else points[::-1]
        shown = ordered[max(0, skipped - passed) : max(0, page_end - passed)]
        passed += len(points)
        results.append(
            {
                "Id": query["Id"],
                "Label": query.get("Label") or query["MetricStat"]["Metric"].get("MetricName", ""),
                "Timestamps": [moment for moment, _ in shown],
                "Values": [value for _, value in shown],
                "StatusCode": "Complete" if passed <= page_end else "PartialData",
            }
        )
    token = {"NextToken": str(page_end)} if passed > page_end else {}
    return {"MetricDataResults": results, "Messages": [], **token}


def get_metric_statistics(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """GetMetricStatistics"""
    start, end = _span(parameters)
    period = _period(parameters["Period"])
    statistics: Sequence[str] = parameters.get("Statistics", ())
    extended: Sequence[str] = parameters.get("ExtendedStatistics", ())
    if not statistics and not extended:
        raise _combination("At least one of Statistics and ExtendedStatistics must be given.")
    if (end - start) / period > _MOST_STATISTICS_POINTS:
        raise _combination(
            f"{math.ceil((end - start) / period)} datapoints are asked for, and {_MOST_STATISTICS_POINTS} are"
            " the limit. Take a longer Period, or less time."
        )
    found = []
    for series in _units(call, parameters, parameters.get("Unit")):
        for moment, summary in call.components.metrics.summaries(series, start, end, period):
            values = {name: _value(summary, name) for name in statistics}
            spread = {name: value for name in extended if (value := _value(summary, name)) is not None}
            more = {"ExtendedStatistics": spread} if spread else {}
            found.append({"Timestamp": moment, "Unit": series.unit, **values, **more})
    return {"Label": parameters["MetricName"], "Datapoints": found}


def list_metrics(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """ListMetrics"""
    for member in ("IncludeLinkedAccounts", "OwningAccount"):
        if parameters.get(member):
            raise not_implemented(f"{member} (metrics of other accounts)")
    since = clocks.now() - _RECENT_SECONDS if "RecentlyActive" in parameters else 0.0
    wanted = {one["Name"]: one.get("Value") for one in parameters.get("Dimensions", ())}
    metrics = {
        (series.namespace, series.name, series.dimensions)
        for series in call.components.metrics.series(call.region, since)
        if parameters.get("Namespace") in (None, series.namespace)
        and parameters.get("MetricName") in (None, series.name)
        and _has(dict(series.dimensions), wanted)
    }
    documents = [
        {"Namespace": namespace, "MetricName": name, "Dimensions": _written(dimensions)}
        for namespace, name, dimensions in metrics
    ]
    shown, token = paging.page(
        documents,
        {name: value for name, value in parameters.items() if name == "NextToken"},
        lambda one: (one["Namespace"], one["MetricName"], str(one["Dimensions"])),
        descending=False,
        size=_LISTED,
    )
    return {"Metrics": shown, **({"NextToken": token} if token else {})}


OPERATIONS: dict[str, Handler] = {
    "PutMetricData": put_metric_data,
    "GetMetricData": get_metric_data,
    "GetMetricStatistics": get_metric_statistics,
    "ListMetrics": list_metrics,
}


def _points(call: Call, query: Mapping[str, Any], start: float, end: float) -> list[tuple[float, float]]:
    """The times and values of one query, in order; of series that differ in unit only, of all of them."""
    if "Expression" in query or "AccountId" in query or "MetricStat" not in query:
        raise not_implemented("a query other than MetricStat of this account (metric math)")
    wanted = query["MetricStat"]
    period, statistic = _period(wanted["Period"]), wanted["Stat"]
    periods: dict[int, Summary] = {}
    for series in _units(call, wanted["Metric"], wanted.get("Unit")):
        for moment, summary in call.components.metrics.summaries(series, start, end, period):
            periods.setdefault(moment, Summary()).merge(summary)
    values = ((moment, _value(summary, statistic)) for moment, summary in sorted(periods.items()))
    return [(moment, value) for moment, value in values if value is not None]


def _units(call: Call, metric: Mapping[str, Any], unit: str | None) -> Iterator[Series]:
    """The series of a metric: one for each unit that its values came with."""
    if "Namespace" not in metric or "MetricName" not in metric:
        raise _validation("A metric has a Namespace and a MetricName.")
    dimensions = _dimensions(metric.get("Dimensions", ()))
    wanted = Series(call.region, metric["Namespace"], metric["MetricName"], dimensions)
    for series in call.components.metrics.with_units(wanted):
        if unit in (None, series.unit):
            yield series


def _value(summary: Summary, statistic: str) -> float | None:
    match statistic:
        case "SampleCount":
            return summary.count
        case "Sum":
            return summary.total
        case "Average":
            return summary.total / summary.count
        case "Minimum":
            return summary.least
        case "Maximum":
            return summary.greatest
    found = _PERCENTILE.fullmatch(statistic)
    if found is None:
        raise not_implemented(
            f"the statistic {statistic!r}; {', '.join(_STATISTICS)} and p0 to p100 are there"
        )
    return summary.percentile(float(found[1]))


def _read_datum(
    region: str, namespace: str, datum: Mapping[str, Any], now: float
) -> tuple[Series, float, Summary]:
    name, forms = datum["MetricName"], [key for key in ("Value", "Values", "StatisticValues") if key in datum]
    if len(forms) != 1:
        raise _combination(f"{name}: exactly one of Value, Values and StatisticValues must be given.")
    when = datum["Timestamp"].timestamp() if "Timestamp" in datum else now
    if not now - _OLDEST <= when <= now + _NEWEST:
        raise _invalid(f"{name}: the Timestamp must be within the last two weeks and the next two hours.")
    if datum.get("StorageResolution", 60) != MINUTE:
        raise not_implemented("StorageResolution below a minute")
    if "StatisticValues" in datum:
        given = datum["StatisticValues"]
        numbers = [given[key] for key in ("SampleCount", "Sum", "Minimum", "Maximum")]
        _check_finite(name, numbers)
        if given["SampleCount"] <= 0 or given["Minimum"] > given["Maximum"]:
            raise _invalid(f"{name}: StatisticValues must be of one value at least.")
        summary = summary_of(*numbers)
    else:
        values = datum.get("Values", [datum.get("Value", 0.0)])
        counts = datum.get("Counts", [1.0] * len(values))
        if not 0 < len(values) <= _MOST_VALUES or len(values) != len(counts):
            raise _invalid(
                f"{name}: Values and Counts must be equally long, with 1 to {_MOST_VALUES} numbers."
            )
        _check_finite(name, [*values, *counts])
        if min(counts) <= 0:
            raise _invalid(f"{name}: each of Counts must be positive.")
        summary = Summary()
        for value, count in zip(values, counts, strict=True):
            summary.add(float(value), float(count))
    dimensions = _dimensions(datum.get("Dimensions", ()))
    return Series(region, namespace, name, dimensions, datum.get("Unit", "None")), when, summary


def _check_finite(name: str, numbers: Sequence[float]) -> None:
    if not all(math.isfinite(number) and abs(number) <= 2.0**360 for number in numbers):
        raise _invalid(f"{name}: a value must be a number between -2^360 and 2^360.")


def _dimensions(given: Sequence[Mapping[str, str]]) -> tuple[tuple[str, str], ...]:
    pairs = {one["Name"]: one["Value"] for one in given}
    if len(pairs) < len(given):
        raise _invalid("A dimension must be named once.")
    return tuple(sorted(pairs.items()))


def _has(dimensions: Mapping[str, str], wanted: Mapping[str, str | None]) -> bool:
    return all(name in dimensions and value in (None, dimensions[name]) for name, value in wanted.items())


def _written(dimensions: tuple[tuple[str, str], ...]) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in dimensions]


def _span(parameters: Mapping[str, Any]) -> tuple[float, float]:
    start: datetime = parameters["StartTime"]
    end: datetime = parameters["EndTime"]
    if start >= end:
        raise _validation("The parameter StartTime must be less than the parameter EndTime.")
    return start.timestamp(), end.timestamp()


def _period(seconds: int) -> int:
    if seconds % MINUTE:
        raise not_implemented("a Period that is not a multiple of 60")
    return seconds


def _page_begin(token: str | None) -> int:
    if token is None:
        return 0
    if not token.isdecimal() or len(token) > 9:
        raise AwsError("InvalidNextToken", "The next token specified is invalid.")
    return int(token)


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterValue", message)


def _combination(message: str) -> AwsError:
    return AwsError("InvalidParameterCombination", message)


def _validation(message: str) -> AwsError:
    return AwsError("ValidationError", message)
