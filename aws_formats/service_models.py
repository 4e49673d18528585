"""botocore's descriptions of AWS's services, each read once, and in half the time that botocore takes.

SageMaker's alone is 2.6 MB of JSON. Nearly every command makes a client of it, and clients and the local
SageMaker may live in one process; all of them read through this one loader.
"""

from __future__ import annotations

import functools
import json
import zlib
from pathlib import Path
from typing import Any

from botocore.exceptions import DataNotFoundError
from botocore.loaders import ExtrasProcessor, JSONFileLoader, Loader, create_loader, instance_cache
from botocore.model import ServiceModel

_OF_GZIP = 16 + zlib.MAX_WBITS
"""zlib's argument for data with gzip's header and trailer, whose checksum it compares."""


class _Files(JSONFileLoader):  # type: ignore[misc]
    """The same content as plain dictionaries, which keep their order as botocore's `OrderedDict` does."""

    def load_file(self, file_path: str) -> Any:
        for ending, content in ((".json", bytes), (".json.gz", _unpacked)):
            try:
                return json.loads(content(Path(file_path + ending).read_bytes()))
            except FileNotFoundError:
                continue
        return None


def _unpacked(packed: bytes) -> bytes:
    """What `gzip.decompress` gives, in less time: into memory of the size that the last four bytes say."""
    return zlib.decompress(packed, _OF_GZIP, int.from_bytes(packed[-4:], "little"))


class _QuickLoader(Loader):  # type: ignore[misc]
    """botocore's loader, without its search of 400 services' folders for what is in an error message."""

    @instance_cache  # type: ignore[untyped-decorator]
    def load_service_model(self, service_name: str, type_name: str, api_version: str | None = None) -> Any:
        try:
            version = api_version or self.determine_latest_version(service_name, type_name)
            model = self.load_data(f"{service_name}/{version}/{type_name}")
        except DataNotFoundError:
            return super().load_service_model(service_name, type_name, api_version)  # says what is wrong
        ExtrasProcessor().process(model, self._extras(f"{service_name}/{version}/{type_name}"))
        return model

    def _extras(self, name: str) -> Any:
        for kind in self.extras_types:
            try:
                yield self.load_data(f"{name}.{kind}-extras")
            except DataNotFoundError:
                continue


@functools.cache
def loader(data_path: str | None = None) -> Loader:
    """The loader that all sessions of this process share; what it has read, it keeps.

    Args:
        data_path: where a user keeps descriptions of services beside botocore's (``AWS_DATA_PATH``).
    """
    paths = create_loader(data_path).search_paths
    return _QuickLoader(paths, _Files(), include_default_search_paths=False)


@functools.cache
def service_model(service: str) -> ServiceModel:
    """A service's model by botocore's name, e.g. ``sagemaker``.

    Not through a session, which would read the user's configuration and stop at a wrong profile.
    """
    return ServiceModel(loader().load_service_model(service, "service-2"), service)
