"""How long a job would take, calculated from the bytes of its data and the cores of its instances.

``throughput.toml`` holds what each program took on one core, and which share of it more cores make faster
(Amdahl's law). Several instances divide the rows; what they tell each other is not counted. Nothing of it was
measured in AWS: it is meant to tell minutes from hours, and one dollar from a hundred.
"""

from __future__ import annotations

import functools
import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pipelines.definition.dataset import is_read
from pipelines.definition.unpacking import PACKED_SUFFIXES
from pipelines.settings.project import Split

FILE = Path(__file__).with_name("throughput.toml")

Program = Literal["preprocess", "train", "evaluate"]

_VCPUS = {"medium": 2, "large": 2}
MEASURED = Split()
"""How the data of the measurements was split."""


@dataclass(frozen=True)
class Data:
    """A project's data.

    Attributes:
        gigabytes: of all of it, as CSV.
        largest: of its largest file, which one instance reads; 0 if that is not known.
        test: the share of the rows that evaluation reads, and training does not.
    """

    gigabytes: float
    largest: float = 0.0
    test: float = MEASURED.test


@dataclass(frozen=True)
class Job:
    """What a job's time depends on.

    Attributes:
        data: the project's, wherever in the pipeline the job stands.
        instances: that divide its rows among them; preprocessing, its files.
        whole: whether each instance reads everything nevertheless.
        rounds, max_depth: of a training, at most.
    """

    program: Program
    data: Data
    cores: int
    instances: int = 1
    whole: bool = False
    rounds: int = 0
    max_depth: int = 0


@functools.cache
def figures() -> Mapping[str, Any]:
    """What is measured and what is assumed: the content of ``throughput.toml``."""
    return tomllib.loads(FILE.read_text(encoding="utf-8"))


def working_seconds(job: Job) -> float:
    """Of the program alone, with its data on the disk."""
    measured = figures()[job.program]
    work = _gigabytes_apiece(job) * measured["seconds_per_gb"]
    if job.program == "train":
        of = figures()["measured"]
        work *= job.rounds / of["rounds"] * job.max_depth / of["max_depth"]
    parallel = measured["parallel"]
    return float(measured["seconds"] + work * (1 - parallel + parallel / job.cores))


def loading_seconds(job: Job) -> float:
    """In AWS, until an instance that runs has its image and its part of the data."""
    assumed = figures()["assumed"]
    size = _gigabytes_apiece(job) * figures()[job.program]["reads"]
    return float(assumed["image_seconds"] + size / assumed["download_gb_per_second"])


def _gigabytes_apiece(job: Job) -> float:
    """Of the data of the measurements, how much would give the instance with most to do as many rows."""
    gigabytes = job.data.gigabytes / (1 if job.whole else job.instances)
    if job.program == "train":
        return gigabytes * (1 - job.data.test) / (1 - MEASURED.test)
    if job.program == "evaluate":
        return gigabytes * job.data.test / MEASURED.test
    return max(gigabytes, job.data.largest)


def start_seconds() -> float:
    """Until a job's instances run in AWS."""
    return float(figures()["assumed"]["start_seconds"])


def factor() -> float:
    """How many times too high or too low all of this may be."""
    return float(figures()["assumed"]["factor"])


def cores_of(instance_type: str) -> int | None:
    """The vCPUs of an instance type, by its size; None where that does not tell, and of those with a GPU.

    A GPU trains at another speed, which was not measured.
    """
    family, _, size = instance_type.removeprefix("ml.").partition(".")
    if re.match(r"(g|p|trn|inf)\d", family):
        return None
    if size in _VCPUS:
        return _VCPUS[size]
    found = re.fullmatch(r"(\d*)xlarge", size)
    return None if found is None else 4 * int(found[1] or 1)


def csv_data(sizes: Mapping[str, int], test: float = MEASURED.test) -> Data:
    """How much CSV the files of a data source are about, by their names and sizes in bytes."""
    found = [_expansion(name.lower()) * size / 1e9 for name, size in sizes.items() if is_read(name)]
    return Data(math.fsum(found), max(found, default=0.0), test)


def _expansion(name: str) -> float:
    assumed = figures()["assumed"]
    if name.endswith(PACKED_SUFFIXES):
        return float(assumed["packed"])
    return float(assumed["parquet"]) if name.endswith((".parquet", ".pq")) else 1.0
