"""Every operation that the endpoint carries out, and every listing, collected from this package's modules."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Mapping
from types import ModuleType

from sagemaker_local import services
from sagemaker_local.services.call import AsyncHandler, Handler
from sagemaker_local.store.listing import Listing


def listings() -> list[Listing]:
    """How the operations list what is in the store, for indexes to be made."""
    return [one for module in _modules() for one in getattr(module, "LISTINGS", ())]


@functools.cache
def operations() -> Mapping[tuple[str, str], Handler | AsyncHandler]:
    """Every handler, by botocore's name of the service and the operation's name."""
    table: dict[tuple[str, str], Handler | AsyncHandler] = {}
    for module in _modules():
        for operation, handler in getattr(module, "OPERATIONS", {}).items():
            if (module.SERVICE, operation) in table:
                raise LookupError(
                    f"{module.SERVICE}:{operation} is in two modules, one of them {module.__name__}"
                )
            table[module.SERVICE, operation] = handler
    return table


def transactions() -> frozenset[tuple[str, str]]:
    """The operations that do nothing but read and write the store, by service and name."""
    return frozenset(
        (module.SERVICE, operation)
        for module in _modules()
        for operation in getattr(module, "TRANSACTIONS", ())
    )


def _modules() -> list[ModuleType]:
    names = [name for _, name, _ in pkgutil.iter_modules(services.__path__)]
    return [importlib.import_module(f"{services.__name__}.{name}") for name in names]
