"""Every operation that the endpoint carries out, in one table, collected from the modules of this package."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Mapping

from sagemaker_local import services
from sagemaker_local.services.call import AsyncHandler, Handler


@functools.cache
def operations() -> Mapping[tuple[str, str], Handler | AsyncHandler]:
    """Every handler, by botocore's name of the service and the operation's name."""
    table: dict[tuple[str, str], Handler | AsyncHandler] = {}
    for _, name, _ in pkgutil.iter_modules(services.__path__):
        module = importlib.import_module(f"{services.__name__}.{name}")
        for operation, handler in getattr(module, "OPERATIONS", {}).items():
            if (module.SERVICE, operation) in table:
                raise LookupError(f"{module.SERVICE}:{operation} is in two modules, one of them {name}")
            table[module.SERVICE, operation] = handler
    return table
