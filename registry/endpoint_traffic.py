"""What an environment's endpoint was asked in the last hour, and how fast it answered, by CloudWatch.

SageMaker writes them a minute or two after the requests on AWS, at once on this machine. Latency is that of
the container (ModelLatency), without the way to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from registry.endpoint_requests import VARIANT
from registry.environments import Environment

MINUTES = 60
_QUERIES = {
    "requests": ("Invocations", "Sum"),
    "refused": ("Invocation4XXErrors", "Sum"),
    "failed": ("Invocation5XXErrors", "Sum"),
    "median": ("ModelLatency", "p50"),
    "slowest": ("ModelLatency", "p99"),
}


@dataclass(frozen=True)
class Minute:
    """One minute.

    Attributes:
        refused, failed: of the requests, those that the container answered with 4xx and 5xx.
        median, slowest: milliseconds in which 50 % and 99 % were answered; None without requests.
    """

    begin: datetime
    requests: int = 0
    refused: int = 0
    failed: int = 0
    median: float | None = None
    slowest: float | None = None

    @property
    def answered(self) -> int:
        return max(0, self.requests - self.refused - self.failed)


def read_traffic(environment: Environment, now: datetime | None = None) -> tuple[Minute, ...]:
    """The last 60 minutes in their order, that of `now` last.

    Raises:
        ClientError: the caller may not read metrics there, for one.
    """
    last = (now or datetime.now(UTC)).replace(second=0, microsecond=0)
    begins = [last - timedelta(minutes=MINUTES - 1 - number) for number in range(MINUTES)]
    answer = environment.clients.client("cloudwatch").get_metric_data(
        MetricDataQueries=[_query(environment, name, *asked) for name, asked in _QUERIES.items()],
        StartTime=begins[0],
        EndTime=last + timedelta(minutes=1),
    )
    found: dict[str, dict[datetime, float]] = {
        one["Id"]: dict(zip(one["Timestamps"], one["Values"], strict=True))
        for one in answer["MetricDataResults"]
    }
    return tuple(
        Minute(
            begin,
            requests=round(found["requests"].get(begin, 0)),
            refused=round(found["refused"].get(begin, 0)),
            failed=round(found["failed"].get(begin, 0)),
            median=_milliseconds(found["median"].get(begin)),
            slowest=_milliseconds(found["slowest"].get(begin)),
        )
        for begin in begins
    )


def _query(environment: Environment, name: str, metric: str, statistic: str) -> dict[str, Any]:
    dimensions = {"EndpointName": environment.endpoint, "VariantName": VARIANT}
    return {
        "Id": name,
        "MetricStat": {
            "Metric": {
                "Namespace": "AWS/SageMaker",
                "MetricName": metric,
                "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
            },
            "Period": 60,
            "Stat": statistic,
        },
    }


def _milliseconds(microseconds: float | None) -> float | None:
    return None if microseconds is None else microseconds / 1000
