"""botocore's descriptions of AWS's services, each read once: SageMaker's alone is 3 MB of JSON (0.1 s)."""

from __future__ import annotations

import functools
from typing import Any


@functools.cache
def loader() -> Any:
    """The loader that this process's own sessions share; what it has read, it keeps."""
    from botocore.loaders import create_loader

    return create_loader()


@functools.cache
def service_model(service: str) -> Any:
    """botocore's ``ServiceModel`` of a service, e.g. ``sagemaker``.

    Not through a session, which would read the user's configuration and stop at a wrong profile.
    """
    from botocore.model import ServiceModel

    return ServiceModel(loader().load_service_model(service, "service-2"), service)
