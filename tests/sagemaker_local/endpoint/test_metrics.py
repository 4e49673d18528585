"""CloudWatch's metrics over the wire: what was put is summed up by minutes, and read back."""

from __future__ import annotations

import json
import math
import random
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st
from wire_clients import client_of

from sagemaker_local import endpoint
from sagemaker_local.home import Home
from sagemaker_local.metrics import KEPT_SECONDS, Metrics, Series, Summary
from sagemaker_local.protocols import cbor
from sagemaker_local.store import Store

NOW = datetime.now(UTC).replace(second=0, microsecond=0)
SERIES = Series("eu-west-1", "Shop", "Orders", (("City", "Bern"),))


@pytest.fixture(scope="module")
def cloudwatch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with endpoint.start(tmp_path_factory.mktemp("metrics")) as local:
        yield client_of(local.url, "cloudwatch")


def put(cloudwatch: Any, name: str, **datum: Any) -> None:
    dimensions = [{"Name": "City", "Value": "Bern"}]
    cloudwatch.put_metric_data(
        Namespace="Shop", MetricData=[{"MetricName": name, "Dimensions": dimensions, **datum}]
    )


def query(name: str, stat: str, period: int = 60, **more: Any) -> dict[str, Any]:
    metric = {"Namespace": "Shop", "MetricName": name, "Dimensions": [{"Name": "City", "Value": "Bern"}]}
    return {"Id": "q", "MetricStat": {"Metric": metric, "Period": period, "Stat": stat}, **more}


def values(cloudwatch: Any, *queries: dict[str, Any], **more: Any) -> list[list[float]]:
    span = {"StartTime": NOW - timedelta(hours=3), "EndTime": NOW + timedelta(hours=1)}
    answer = cloudwatch.get_metric_data(MetricDataQueries=list(queries), **{**span, **more})
    return [one["Values"] for one in answer["MetricDataResults"]]


def test_values_are_summed_up_by_minutes_and_by_longer_periods(cloudwatch: Any) -> None:
    hour = NOW.replace(minute=0) - timedelta(hours=2)
    for minute, numbers in ((0, [1.0, 3.0]), (1, [8.0]), (30, [-2.0])):
        put(cloudwatch, "Sold", Timestamp=hour + timedelta(minutes=minute), Values=numbers, Unit="Count")
    for stat, minutes, whole in (
        ("Sum", [4.0, 8.0, -2.0], [10.0]),
        ("SampleCount", [2.0, 1.0, 1.0], [4.0]),
        ("Average", [2.0, 8.0, -2.0], [2.5]),
        ("Minimum", [1.0, 8.0, -2.0], [-2.0]),
        ("Maximum", [3.0, 8.0, -2.0], [8.0]),
    ):
        assert values(cloudwatch, query("Sold", stat), ScanBy="TimestampAscending") == [minutes]
        assert values(cloudwatch, query("Sold", stat, 3600)) == [whole]
    assert values(cloudwatch, query("Sold", "Sum")) == [[-2.0, 8.0, 4.0]]  # the newest first
    answer = cloudwatch.get_metric_statistics(
        Namespace="Shop",
        MetricName="Sold",
        Dimensions=[{"Name": "City", "Value": "Bern"}],
        StartTime=hour,
        EndTime=hour + timedelta(minutes=1),
        Period=60,
        Statistics=["Sum", "Average"],
        ExtendedStatistics=["p100"],
    )
    [point] = answer["Datapoints"]
    assert (point["Timestamp"], point["Sum"], point["Unit"]) == (hour, 4.0, "Count")
    assert point["ExtendedStatistics"] == {"p100": 3.0}


def test_pages_hold_every_point_once(cloudwatch: Any) -> None:
    for minute in range(10):
        put(cloudwatch, "Paged", Timestamp=NOW - timedelta(minutes=minute), Value=float(minute))
    queries = [{**query("Paged", "Sum"), "Id": name} for name in ("a", "b")]
    pages = cloudwatch.get_paginator("get_metric_data").paginate(
        MetricDataQueries=queries,
        StartTime=NOW - timedelta(hours=1),
        EndTime=NOW + timedelta(minutes=1),
        PaginationConfig={"PageSize": 7},
    )
    found: dict[str, list[float]] = {"a": [], "b": []}
    for page in pages:
        for one in page["MetricDataResults"]:
            found[one["Id"]] += one["Values"]
    assert found == {"a": [*map(float, range(10))], "b": [*map(float, range(10))]}


def test_metrics_are_listed_by_what_they_are_about(cloudwatch: Any) -> None:
    put(cloudwatch, "Listed", Value=1.0)
    put(cloudwatch, "Listed", Value=1.0, Unit="Bytes")
    wanted = {"Namespace": "Shop", "MetricName": "Listed"}
    [found] = cloudwatch.list_metrics(**wanted, Dimensions=[{"Name": "City"}])["Metrics"]
    assert found == {**wanted, "Dimensions": [{"Name": "City", "Value": "Bern"}]}
    other = [{"Name": "City", "Value": "Basel"}]
    assert cloudwatch.list_metrics(**wanted, Dimensions=other, RecentlyActive="PT3H")["Metrics"] == []


@pytest.mark.parametrize(
    ("datum", "code"),
    [
        ({}, "InvalidParameterCombination"),
        ({"Value": 1.0, "Values": [1.0]}, "InvalidParameterCombination"),
        ({"Values": [1.0], "Counts": [1.0, 2.0]}, "InvalidParameterValue"),
        ({"Value": 2.0**400}, "InvalidParameterValue"),
        ({"Value": 1.0, "Timestamp": NOW - timedelta(days=15)}, "InvalidParameterValue"),
        ({"Value": 1.0, "StorageResolution": 1}, "UnknownOperationException"),
    ],
)
def test_what_cannot_be_kept_is_refused(cloudwatch: Any, datum: dict[str, Any], code: str) -> None:
    with pytest.raises(ClientError) as refused:
        put(cloudwatch, "Refused", **datum)
    assert refused.value.response["Error"]["Code"] == code
    assert cloudwatch.list_metrics(MetricName="Refused")["Metrics"] == []


def test_metric_math_is_refused_by_name(cloudwatch: Any) -> None:
    with pytest.raises(ClientError, match="metric math"):
        values(cloudwatch, {"Id": "e", "Expression": "1 + 1"})
    put(cloudwatch, "Math", Value=1.0)
    with pytest.raises(ClientError, match="statistic 'tm90'"):
        values(cloudwatch, query("Math", "tm90"))


def test_the_json_protocol_reads_the_same(cloudwatch: Any) -> None:
    put(cloudwatch, "ByJson", Value=2.0)
    credentials = "AWS4-HMAC-SHA256 Credential=local/20260101/eu-west-1/monitoring/aws4_request"
    request = urllib.request.Request(
        cloudwatch.meta.endpoint_url,
        json.dumps({"MetricName": "ByJson"}).encode(),
        {"X-Amz-Target": "GraniteServiceVersion20100801.ListMetrics", "Authorization": credentials},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert json.load(answer)["Metrics"][0]["MetricName"] == "ByJson"


def test_what_was_written_is_there_for_another_process_and_old_minutes_go(tmp_path: Path) -> None:
    home = Home(tmp_path).create()
    first, second = Metrics(Store(home.database)), Metrics(Store(home.database))
    moment = NOW.timestamp()
    old = moment - KEPT_SECONDS - 120
    for metrics in (first, second):
        for value in (1.0, 2.0):
            metrics.add({SERIES: value}, moment)
            metrics.write()
    first.add({SERIES: 5.0}, old)
    [(begin, seen)] = second.summaries(SERIES, old, moment + 60, 60)
    assert (begin, seen.count, seen.total) == (moment, 4, 6.0)
    first.write()
    assert [begin for begin, _ in first.summaries(SERIES, old, moment + 60, 60)] == [moment]
    first.add({SERIES: 7.0}, moment)
    first.close()
    [(_, seen)] = second.summaries(SERIES, moment, moment + 60, 60)
    assert seen.total == 13.0


def test_percentiles_are_right_to_one_percent() -> None:
    chance = random.Random(1)
    numbers = sorted(chance.lognormvariate(0, 6) * chance.choice((1, 1, -1, 0)) for _ in range(5000))
    summary = Summary()
    for number in numbers:
        summary.add(number)
    for percent in (0.1, 10, 50, 90, 99, 99.9, 100):
        exact = numbers[max(0, math.ceil(len(numbers) * percent / 100) - 1)]
        assert summary.percentile(percent) == pytest.approx(exact, rel=0.011)


def test_of_a_sum_alone_no_percentile_is_made_up(cloudwatch: Any) -> None:
    for least in (1.0, 5.0):
        name = f"Summed{least:.0f}"
        given = {"SampleCount": 2.0, "Sum": 6.0 if least == 1.0 else 10.0, "Minimum": least, "Maximum": 5.0}
        put(cloudwatch, name, StatisticValues=given)
    assert values(cloudwatch, query("Summed1", "p50"), query("Summed1", "Average") | {"Id": "a"}) == [
        [],
        [3.0],
    ]
    assert values(cloudwatch, query("Summed5", "p50")) == [[5.0]]


_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
)


@given(
    st.recursive(_SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)
)
def test_cbor_reads_what_it_writes(value: Any) -> None:
    assert cbor.loads(cbor.dumps(value)) == value


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused_as_cbor(data: bytes) -> None:
    try:
        cbor.loads(data)
    except ValueError:
        return


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("f90001", 5.960464477539063e-08),
        ("1bffffffffffffffff", 2**64 - 1),
        ("3863", -100),
        ("c1fb41d452d9e20c0000", 1363896240.1875),
        ("5f42010243030405ff", b"\x01\x02\x03\x04\x05"),
        ("7f657374726561646d696e67ff", "streaming"),
        ("9f018202039f0405ffff", [1, [2, 3], [4, 5]]),
        ("bf61610161629f0203ffff", {"a": 1, "b": [2, 3]}),
    ],
)
def test_cbor_is_read_as_the_examples_of_rfc_8949_say(written: str, value: Any) -> None:
    if written.startswith("c1"):
        assert cbor.loads(bytes.fromhex(written)) == pytest.approx(value)
    else:
        assert cbor.loads(bytes.fromhex(written)) == value
