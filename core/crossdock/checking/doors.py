"""The modules whose contents a check knows: crossdock itself, its values, and installed adaptors."""

import sys
from contextlib import redirect_stdout
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import NamedTuple

from crossdock.checking.finding import Code
from crossdock.checking.things import Module
from crossdock.errors import PluginError
from crossdock.installed import installed
from crossdock.loading import ADAPTORS, API_VERSION, load_adaptor

DOOR = "crossdock.adaptors"
_OPEN = frozenset({"crossdock", "crossdock.values", DOOR})


class Unusable(NamedTuple):
    """An adaptor that can't be loaded, and why."""

    code: Code
    message: str
    fix: str


@cache
def adaptor(name: str) -> Module | Unusable:
    """Load an adaptor for its declarations; what it prints while it loads goes to standard error."""
    try:
        with redirect_stdout(sys.stderr):
            return Module(name, load_adaptor(name), adaptor=True)
    except PluginError as error:
        return Unusable(_why(name), error.message, error.fix)


def _why(name: str) -> Code:
    entries = [entry for entry in installed(ADAPTORS) if entry.name == name]
    if not entries:
        return Code.ADAPTOR_NOT_INSTALLED
    module = getattr(sys.modules.get(entries[0].module), "adaptor", None)
    return Code.ADAPTOR_BROKEN if getattr(module, "api", API_VERSION) == API_VERSION else Code.ADAPTOR_WRONG_API


@cache
def module(name: str) -> Module | None:
    """Give a module of crossdock or of an adaptor by its full name; None if its contents aren't known here."""
    if name in _OPEN:
        return Module(name, import_module(name))
    owners = [entry.name for entry in installed(ADAPTORS) if entry.module == name]
    found = adaptor(owners[0]) if owners else None
    return found if isinstance(found, Module) else None


@cache
def is_missing(name: str) -> bool:
    """Tell whether a module of crossdock's own name does not exist; of others nothing is certain here."""
    return name.partition(".")[0] == "crossdock" and not name.startswith(DOOR) and _spec(name) is None


def has(found: Module, name: str) -> bool:
    """Tell whether a module holds a name, or a module of that name lies in it."""
    return hasattr(found.module, name) or _spec(f"{found.module.__name__}.{name}") is not None


def _spec(name: str) -> object:
    try:
        return find_spec(name)
    except ModuleNotFoundError:  # what it would lie in is no package, or is not there
        return None


@cache
def is_adaptor(name: str) -> bool:
    """Tell whether an adaptor of this name is installed."""
    return any(entry.name == name for entry in installed(ADAPTORS))
