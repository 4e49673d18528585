"""AWS's descriptions of its services, read once in each test process.

A session of boto3's reads the description of every service that it makes a client for, EC2's in a third of a
second, and the tests make hundreds of sessions. A session hands the same object to all of its clients, so
nothing changes it, and sessions can share it, too.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import botocore
from botocore.loaders import JSONFileLoader

_DESCRIPTIONS = str(Path(botocore.__file__).parent / "data")
_read = JSONFileLoader.load_file


@cache
def _description(path: str) -> Any:
    return _read(JSONFileLoader(), path)


def _load_file(loader: JSONFileLoader, path: str) -> Any:
    return _description(path) if path.startswith(_DESCRIPTIONS) else _read(loader, path)


JSONFileLoader.load_file = _load_file
