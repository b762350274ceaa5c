"""The door to installed adaptors: ``from crossdock.adaptors import http``.

A name is resolved through its entry point when it is first used, so a job imports only the
adaptors that it names.
"""

from types import ModuleType

from crossdock.loading import load_adaptor

opened: dict[str, ModuleType] = {}
"""The adaptors that were used through this door."""


def __getattr__(name: str) -> ModuleType:
    if name.startswith("__"):
        raise AttributeError(name)
    if name not in opened:
        opened[name] = load_adaptor(name)
    return opened[name]
