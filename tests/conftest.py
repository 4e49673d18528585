"""What all test processes share: their environment, and the descriptions of AWS's services, read once each.

A session of boto3's reads the description of every service that it makes a client for, EC2's in a third of a
second, and the tests make hundreds of sessions. A session hands the same object to all of its clients, so
nothing changes it, and sessions can share it, too. moto's loader is of a class of its own and shares nothing,
because moto merges error codes of its own into what it has read.
"""

from __future__ import annotations

import os
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import botocore
from botocore.loaders import JSONFileLoader, Loader

# Containers often have this set. It would have each of some thousand processes compile every module anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# As for the jobs of the local SageMaker: tests run beside each other, and XGBoost's threads would spin.
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
# Environments that were built for images on this machine would run the jobs of the tests.
os.environ["SAGEMAKER_LOCAL_IMAGES"] = str(Path(tempfile.gettempdir(), "no-environments-of-images"))

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
