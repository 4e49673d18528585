"""A job's log as it grows, and the metrics that its lines give.

A log is read on from where it was read last, by whoever looks at the page. SageMaker finds a training job's
metrics by regular expressions in its log (``MetricDefinitions``) and keeps the last value of each; the values
of all rounds are found here in the same way, on this machine and in AWS.
"""

from __future__ import annotations

import copy
import functools
import html
import math
import re
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aws_formats.visible_text import visible
from pipelines.executions.job_records import LogLine, LogTail, StepJob
from pipelines.settings.target import Target
from studio.charts import Series

_LOGS = 16
_MOST_LINES = 20_000
_PAGE_BYTES = 60_000
"""Of a log's HTML on one page."""

_LONGEST_LINE = 2000


@dataclass(frozen=True)
class LogPage:
    """Some lines of a log.

    Attributes:
        lines: from old to new.
        found: how many lines hold what was searched for, or how many there are.
        earlier: how many of these come before the ones on the page.
        lost: how many of the log's first lines are not kept here.
    """

    lines: tuple[str, ...]
    found: int
    earlier: int
    lost: int


class JobLog:
    """One job's log, as far as it has been read."""

    def __init__(self, target: Target, job: StepJob) -> None:
        self._tail = LogTail(target, job)
        self._lock = threading.Lock()
        self._lines: deque[LogLine] = deque(maxlen=_MOST_LINES)
        self._read = 0
        self._patterns = _patterns(target, job)
        self._series = {name: Series() for name in self._patterns}

    def read_on(self) -> None:
        """Read what was written since the last time."""
        with self._lock:
            for line in self._tail.new_lines():
                self._lines.append(line)
                self._read += 1
                for name, pattern in self._patterns.items():
                    for value in filter(math.isfinite, map(_number, pattern.finditer(line.message))):
                        self._series[name].add(value)

    def page(self, search: str = "", before: int | None = None) -> LogPage:
        """The newest lines that hold ``search``, or the newest of the first ``before`` of them."""
        with self._lock:
            lines = sorted(self._lines, key=lambda line: line.timestamp)
            lost = self._read - len(lines)
        is_one = len({line.stream for line in lines}) < 2
        texts = [
            line.message.rstrip("\r\n") if is_one else f"[{_host(line)}] {line.message}" for line in lines
        ]
        if search:
            texts = [text for text in texts if search.casefold() in text.casefold()]
        end = len(texts) if before is None else max(0, min(before, len(texts)))
        start, size = end, 0
        while start > 0 and size < _PAGE_BYTES:
            start -= 1
            size += len(html.escape(visible(texts[start][:_LONGEST_LINE]))) + 1
        shown = tuple(text[:_LONGEST_LINE] for text in texts[start:end])
        return LogPage(shown, len(texts), start, lost)

    def series(self) -> dict[str, Series]:
        """The metrics that have a value so far, by name, in the order of their definitions."""
        with self._lock:
            return {name: copy.deepcopy(one) for name, one in self._series.items() if one.rounds}


@functools.lru_cache(maxsize=_LOGS)
def job_log(target: Target, job: StepJob) -> JobLog:
    """The job's log; the same one for everybody who looks at it."""
    return JobLog(target, job)


def _host(line: LogLine) -> str:
    """``algo-1`` of ``job/algo-1-1700000000``."""
    return line.stream.rpartition("/")[2].rpartition("-")[0]


def _patterns(target: Target, job: StepJob) -> Mapping[str, re.Pattern[str]]:
    if job.kind != "training":
        return {}
    described = target.client("sagemaker").describe_training_job(TrainingJobName=job.name)
    definitions: Sequence[Mapping[str, Any]] = described["AlgorithmSpecification"].get(
        "MetricDefinitions", ()
    )
    found = {}
    for definition in definitions:
        try:
            found[str(definition["Name"])] = re.compile(definition["Regex"])
        except re.error:  # SageMaker's expressions are Java's, which has forms that Python's has not
            continue
    return found


def _number(match: re.Match[str]) -> float:
    try:
        return float(match[1] if match.re.groups else match[0])
    except (TypeError, ValueError):
        return math.nan
