"""Imports that wait until what they bring is used: without them the SageMaker SDK's takes half as long.

The SDK is imported whole for any step, and with it come pandas, SciPy and NumPy (for its serializers), a
client of Docker with an SSH client in it (for its local mode), a GraphQL library (for one function that
writes names in camel case), OmegaConf (for recipes) and pydantic's validators of some thousand request
shapes. A definition uses some thirty of the shapes and nothing of the rest; a notebook that imports the
definition may use it all, so nothing is missing afterwards, it only comes later.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from pydantic import BaseModel, ConfigDict


@contextmanager
def deferred(modules: Mapping[str, Sequence[str]]) -> Iterator[None]:
    """Inside, an import of these modules loads nothing; what was imported loads the module when it is used.

    Args:
        modules: each by its full name, after what it lies in, with the names that are taken from it while
            others are imported. Any other name is looked up in the module itself, which loads it. What lies
            in a module and is not named is imported as ever, but without loading that module.
            A library that is loaded already, or not installed, is left as it is.
    """
    loaded = {name for name in modules if name.partition(".")[0] in sys.modules}
    for name, names in modules.items():
        if name not in loaded and (spec := find_spec(name)):
            sys.modules[name] = _Module(name, names, spec.submodule_search_locations)
            parent, _, child = name.rpartition(".")
            if isinstance(above := sys.modules.get(parent), _Module):
                setattr(above, child, sys.modules[name])
    try:
        yield
    finally:
        _withdraw(modules)


@contextmanager
def models_built_when_used() -> Iterator[None]:
    """Inside, pydantic's models are declared only; each one's validator is made when it is first needed."""
    before = BaseModel.model_config
    BaseModel.model_config = ConfigDict(**before, defer_build=True)
    try:
        yield
    finally:
        BaseModel.model_config = before


class _Module(ModuleType):
    def __init__(self, name: str, names: Sequence[str], locations: Sequence[str] | None) -> None:
        super().__init__(name)
        self.__path__ = list(locations or ())
        for each in names:
            setattr(self, each, _Name(name, each))

    def __getattr__(self, name: str) -> Any:
        return getattr(_loaded(self.__name__), name)


class _Name:
    """A class or function of a module: called, or asked whether an object is one of its instances."""

    def __init__(self, module: str, name: str) -> None:
        self._module, self._name = module, name

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return getattr(_loaded(self._module), self._name)(*arguments, **options)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # typing asks for such of whatever stands in an annotation
            raise AttributeError(name)
        return getattr(getattr(_loaded(self._module), self._name), name)

    def __instancecheck__(self, instance: object) -> bool:
        return isinstance(instance, getattr(_loaded(self._module), self._name))


def _loaded(name: str) -> ModuleType:
    library = name.partition(".")[0]
    _withdraw([each for each in list(sys.modules) if each.partition(".")[0] == library])
    return import_module(name)


def _withdraw(names: Iterable[str]) -> None:
    for name in names:
        if isinstance(sys.modules.get(name), _Module):
            del sys.modules[name]
