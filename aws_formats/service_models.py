"""botocore's descriptions of AWS's services, each read once: SageMaker's alone is 3 MB of JSON (0.1 s).

Clients and the local SageMaker may live in one process; both read through this one loader.
"""

from __future__ import annotations

import functools

from botocore.loaders import Loader, create_loader
from botocore.model import ServiceModel


@functools.cache
def loader() -> Loader:
    """The loader that all sessions of this process share; what it has read, it keeps."""
    return create_loader()


@functools.cache
def service_model(service: str) -> ServiceModel:
    """A service's model by botocore's name, e.g. ``sagemaker``.

    Not through a session, which would read the user's configuration and stop at a wrong profile.
    """
    return ServiceModel(loader().load_service_model(service, "service-2"), service)
