"""Loading an installed adaptor or plugin by its name, guarded: what is wrong with it stays with it."""

import re
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from crossdock.errors import PluginError, closest, message_of
from crossdock.installed import Installed, installed
from crossdock.secret_fields import declared_public

if TYPE_CHECKING:
    from crossdock.adaptor import Adaptor

API_VERSION = 1
"""The version of the plugin API: of the hooks here and of ``Adaptor``."""

ADAPTORS = "crossdock.adaptors"
PLUGINS = "crossdock.plugins"
RESERVED = ("dhis2", "http", "kobotoolbox", "postgresql", "sftp")
"""Names that only the distributions of this project may use."""


def load_adaptor(name: str) -> ModuleType:
    """Load the module of an installed adaptor by its name.

    Raises:
        PluginError: No distribution or more than one has it, or it can't be used; with the
            distribution and what to do.
    """
    found = find_adaptor(name, installed(ADAPTORS))
    module = imported(found)
    _adaptor_of(found, module).freeze()
    return module


def public_fields(name: str) -> set[str]:
    """Give the fields of an adaptor's credentials that it declares ``Public``; none if it can't be loaded."""
    try:
        return declared_public(load_adaptor(name).adaptor.configuration)
    except PluginError:  # whoever needs the adaptor says so; until then all that looks secret is one
        return set()


def find_adaptor(name: str, known: list[Installed]) -> Installed:
    """Give the one entry point of a name."""
    found = [entry for entry in known if entry.name == name]
    if not found:
        raise PluginError(
            _unknown(name, [entry.name for entry in known]), fix=_how_to_get(name, [entry.name for entry in known])
        )
    refuse_twice(name, known, "an adaptor")
    owner = f"crossdock-{name}"
    if name in RESERVED and _normal(found[0].distribution) != owner:
        raise PluginError(
            f"{found[0]} uses the name {name!r}, which belongs to {owner}", fix=f"Uninstall it, and install {owner}."
        )
    return found[0]


def refuse_twice(name: str, known: list[Installed], what: str) -> None:
    """Refuse a name that several distributions have."""
    found = [entry for entry in known if entry.name == name]
    if len(found) > 1:
        raise PluginError(
            f"{len(found)} distributions have {what} {name!r}: {'; '.join(map(str, found))}",
            fix="Uninstall all but one of them.",
        )


def _normal(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def _unknown(name: str, names: list[str]) -> str:
    return f"no adaptor {name!r} is installed; there are: {', '.join(sorted(set(names))) or 'none'}"


def _how_to_get(name: str, names: list[str]) -> str:
    close = closest(name, names)
    install = f"pip install crossdock-{name.replace('_', '-')}"
    return f"Did you mean {close}? Else: {install}" if close else f"Install it: {install}"


def imported(found: Installed) -> ModuleType:
    """Import the module of an entry point; whatever goes wrong in there is a PluginError."""
    try:
        return import_module(found.module)
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {message_of(error)}"
        raise PluginError(
            f"{found.name!r} of {found} does not load: {reason}", fix=f"Repair or reinstall {found.distribution}."
        ) from error


def _adaptor_of(found: Installed, module: ModuleType) -> "Adaptor[Any, Any]":
    from crossdock.adaptor import Adaptor

    adaptor = getattr(module, "adaptor", None)
    if not isinstance(adaptor, Adaptor):
        raise PluginError(
            f"the module {found.module} of {found} has no 'adaptor'",
            fix=f"Give it: adaptor = Adaptor({found.name!r}, …).",
        )
    if adaptor.name != found.name:
        raise PluginError(
            f"the adaptor of {found} calls itself {adaptor.name!r} and its entry point {found.name!r}",
            fix="Use one name for both.",
        )
    check_api(found, adaptor.api)
    return adaptor


def check_api(found: Installed, version: Any) -> None:
    """Refuse a plugin that is written for another version of the plugin API."""
    if version != API_VERSION:
        asked = "does not say which plugin API it needs" if version is None else f"needs plugin API {version}"
        raise PluginError(
            f"{found} {asked}; this crossdock has {API_VERSION}",
            fix=f"Install a release of {found.distribution} for API {API_VERSION}.",
        )
