"""What all test processes share: their environment, how often they look for garbage, how long an example of
Hypothesis's may take, the process that looks at data, and the descriptions of AWS's services, read once each.

A session of boto3's reads the description of every service that it makes a client for, EC2's in a third of a
second, after it has looked at the folders of all 400 services; the tests make hundreds of sessions. A session
hands the same object to all of its clients, so nothing changes it, and sessions that look in the same folders
can share it, and what they found there. moto's loader is of a class of its own and shares nothing, because
moto merges error codes of its own into what it has read.
"""

from __future__ import annotations

import gc
import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import botocore
import pytest
from botocore.loaders import JSONFileLoader, Loader
from hypothesis import settings

from pipelines.definition.describing import in_one_process

# Containers often have this set. It would have each of some thousand processes compile every module anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# Thousands of tests and the descriptions stay to the end: by Python's own thresholds a fifth of the processor
# time went into looking at them again.
gc.set_threshold(10_000, 10, 10)
# On a busy machine an example may take longer than Hypothesis's 200 ms.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")
# As for the jobs of the local SageMaker: tests run beside each other, and threads that wait would spin.
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
os.environ["OPENBLAS_THREAD_TIMEOUT"] = "4"
# Environments that were built for images on this machine would run the jobs of the tests.
os.environ["SAGEMAKER_LOCAL_IMAGES"] = str(Path(tempfile.gettempdir(), "no-environments-of-images"))


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes that are no text are not part of a test's name: what is packed holds the time of packing, and the
    workers, which collect in different seconds, would have different tests."""
    return argname if isinstance(val, bytes) and (not val.isascii() or b"\0" in val) else None


_DESCRIPTIONS = str(Path(botocore.__file__).parent / "data")


class _SharedFileLoader(JSONFileLoader):
    def load_file(self, path: str) -> Any:
        return _description(path) if path.startswith(_DESCRIPTIONS) else super().load_file(path)


@cache
def _description(path: str) -> Any:
    return JSONFileLoader().load_file(path)


Loader.FILE_LOADER_CLASS = property(
    lambda loader: _SharedFileLoader if type(loader) is Loader else JSONFileLoader
)

_found: defaultdict[tuple[str, ...], dict[Any, Any]] = defaultdict(dict)
"""By the folders that a loader looks in: what all of its kind found there."""


def _found_by(loader: Loader) -> dict[Any, Any]:
    """What ``instance_cache`` of ``botocore.loaders`` keeps; boto3 adds a folder after a loader is made."""
    if type(loader) is Loader:
        return _found[tuple(loader.search_paths)]
    return loader.__dict__.setdefault("own", {})


Loader._cache = property(_found_by, lambda *_: None)


@pytest.fixture(scope="session", autouse=True)
def _looks_in_one_process() -> Iterator[None]:
    """Commands that run in a test's process look some 500 times at data: most of it would be the program's
    start. Commands in processes of their own start it as ever."""
    with in_one_process():
        yield
