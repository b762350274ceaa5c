"""The door to installed adaptors: ``from crossdock.adaptors import http``.

A name is resolved through its entry point when it is first used, so a job imports only the
adaptors that it names.
"""

from collections.abc import Mapping
from types import MappingProxyType, ModuleType

from crossdock.loading import load_adaptor

_opened: dict[str, ModuleType] = {}
opened: Mapping[str, ModuleType] = MappingProxyType(_opened)
"""The adaptors that were used through this door."""


def __getattr__(name: str) -> ModuleType:
    if name.startswith("__"):
        raise AttributeError(name)
    if name not in _opened:
        _opened[name] = load_adaptor(name)
    return _opened[name]
