"""What plugs into the runtime: adaptors by name, and hooks through one typed manager.

Two entry point groups exist. ``crossdock.adaptors`` names a module that holds an ``adaptor``; it
may implement the run hooks and ``crossdock_resolve_secret``. ``crossdock.plugins`` names a module
of any other plugin, which alone may add commands. Everything is loaded by name and guarded, so
that a broken plugin is a status and never takes its host down.
"""

import logging
import os
from collections.abc import Generator, Iterator
from inspect import isgeneratorfunction, signature
from typing import TYPE_CHECKING, Any

import pluggy

from crossdock.errors import CredentialError, PluginError, closest, message_of
from crossdock.hooks import hookimpl as hookimpl
from crossdock.hooks import hookspec
from crossdock.installed import Installed, installed
from crossdock.loading import ADAPTORS, PLUGINS, check_api, imported, load_adaptor, public_fields, refuse_twice
from crossdock.otel import Spans, is_wanted
from crossdock.references import Resolved, resolve_reference
from crossdock.traceparent import HEADER

if TYPE_CHECKING:
    import click

    from crossdock.operation import Operation
    from crossdock.run import Run
    from crossdock.state import State
    from crossdock.store.records import Accepted, NewMessage
    from crossdock.walk import Ended
    from crossdock.workflow import Step

_logger = logging.getLogger("crossdock")


class HookSpecifications:
    """The hooks; a plugin implements them as functions of these names, marked ``@hookimpl``."""

    @hookspec
    def crossdock_run_started(self, run: "Run") -> None:
        """Be told that a run starts, before its first step."""

    @hookspec
    def crossdock_run_finished(self, run: "Run") -> None:
        """Be told that a run ended; ``run.outcome`` says how."""

    @hookspec
    def crossdock_step_started(self, run: "Run", step: "Step") -> None:
        """Be told that a step starts, before its first operation."""

    @hookspec
    def crossdock_step_finished(self, run: "Run", step: "Step", ended: "Ended") -> None:
        """Be told that a step ended, after its work was committed or undone; ``ended`` says how."""

    @hookspec
    def crossdock_operation(self, operation: "Operation", state: "State") -> Generator[None, "State", None]:
        """Wrap each top-level operation: a generator that yields once, and gets the new state.

        It watches: it can't change the state, and its own failure is logged and goes no further.
        """
        yield

    @hookspec(firstresult=True)
    def crossdock_resolve_secret(self, reference: str) -> str | None:
        """Give the secret that a reference in a credential stands for; None if it is not yours."""

    @hookspec(firstresult=True)
    def crossdock_message_received(self, message: "NewMessage") -> str | None:
        """Be told that a message came, before it is kept; give the traceparent that it is kept with."""

    @hookspec
    def crossdock_message_accepted(self, message: "NewMessage", accepted: "Accepted | None") -> None:
        """Be told that a message is on the disk, or, without ``accepted``, that it could not be kept."""

    @hookspec
    def crossdock_commands(self, cli: "click.Group") -> None:
        """Add commands to the command line."""


class Plugins:
    """The plugins of one run or command: an object that it owns, not a global.

    Registering validates, and is all or nothing: a plugin that can't be used is in ``broken``.
    """

    def __init__(self) -> None:
        self._manager = pluggy.PluginManager("crossdock")
        self._manager.add_hookspecs(HookSpecifications)
        self._hook = self._manager.hook
        self.broken: dict[str, PluginError] = {}

    def load(self) -> None:
        """Register every installed plugin of the group ``crossdock.plugins``; what can't be is in ``broken``."""
        known = installed(PLUGINS)
        for found in known:
            try:
                refuse_twice(found.name, known, "a plugin")
                module = imported(found)
                check_api(found, getattr(module, "crossdock_api", None))
                self.register(found.name, module)
            except PluginError as error:
                self.broken[found.name] = error
        if is_wanted(os.environ):
            try:
                self.register("opentelemetry", Spans())
            except PluginError as error:
                self.broken["opentelemetry"] = error

    def register(self, name: str, plugin: object) -> None:
        """Register what a module or object implements of the hooks.

        Raises:
            PluginError: It implements a hook that does not exist, with other arguments than the
                hook has, or a hook that only other plugins may implement.
        """
        if self._manager.is_registered(plugin):
            return
        if self._manager.has_plugin(name):
            raise PluginError(f"there are two plugins {name!r}", fix="Uninstall one of them.")
        try:
            self._manager.register(plugin, name)
            self._check_names(name, plugin)
        except (pluggy.PluginValidationError, PluginError) as error:
            if self._manager.has_plugin(name):
                self._manager.unregister(name=name)
            raise (error if isinstance(error, PluginError) else _misfit(name, error)) from error

    def _check_names(self, name: str, plugin: object) -> None:
        """Refuse hooks that do not exist; pluggy itself finds them only when asked."""
        known = _hooks()
        for caller in self._manager.get_hookcallers(plugin) or []:
            if caller.name not in known:
                close = closest(caller.name, known)
                fix = f"Did you mean {close}?" if close else f"The hooks are: {', '.join(known)}."
                raise PluginError(
                    f"the plugin {name!r} implements the hook {caller.name!r}, which does not exist", fix=fix
                )
            _check_kind(name, caller.name, [impl for impl in caller.get_hookimpls() if impl.plugin is plugin])
        if hasattr(plugin, "adaptor") and hasattr(plugin, "crossdock_commands"):
            raise PluginError(
                f"the adaptor {name!r} implements crossdock_commands",
                fix=f"Move it to a module of the group {PLUGINS!r}.",
            )

    def run_started(self, run: "Run") -> None:
        """Tell the plugins that a run starts."""
        self._tell(self._hook.crossdock_run_started, run=run)

    def run_finished(self, run: "Run") -> None:
        """Tell the plugins that a run ended."""
        self._tell(self._hook.crossdock_run_finished, run=run)

    def step_started(self, run: "Run", step: "Step") -> None:
        """Tell the plugins that a step starts."""
        self._tell(self._hook.crossdock_step_started, run=run, step=step)

    def step_finished(self, run: "Run", step: "Step", ended: "Ended") -> None:
        """Tell the plugins that a step ended."""
        self._tell(self._hook.crossdock_step_finished, run=run, step=step, ended=ended)

    def message_received(self, message: "NewMessage") -> "NewMessage":
        """Tell the plugins that a message came, and give it with the trace that one of them has for it."""
        given: list[str | None] = []
        for impl in self._hook.crossdock_message_received.get_hookimpls():
            _guarded(impl, lambda impl=impl: given.append(impl.function(*_picked(impl, message=message))))
        trace = next((found for found in given if found), None)
        return (
            message
            if trace is None
            else message._replace(headers=[*(one for one in message.headers if one[0] != HEADER), (HEADER, trace)])
        )

    def message_accepted(self, message: "NewMessage", accepted: "Accepted | None") -> None:
        """Tell the plugins what became of a message."""
        self._tell(self._hook.crossdock_message_accepted, message=message, accepted=accepted)

    def add_commands(self, cli: "click.Group") -> None:
        """Let the plugins add their commands."""
        self._tell(self._hook.crossdock_commands, cli=cli)

    def resolve_secret(self, reference: str, *, what: str) -> Resolved | None:
        """Look a reference up: crossdock itself knows it, else the first plugin that does.

        Args:
            reference: A text value of a credential.
            what: The credential and field, for the error.
        """
        try:
            own = resolve_reference(reference)
        except CredentialError as error:
            raise CredentialError(f"{what}: {error.message}", fix=error.fix) from None
        if own is not None:
            return Resolved(own)
        answers = (
            _asked(impl, reference, what) for impl in reversed(self._hook.crossdock_resolve_secret.get_hookimpls())
        )
        return next((answer for answer in answers if answer is not None), None)

    def public_fields(self, adaptor: str) -> set[str]:
        """Give the fields of an adaptor's credentials that are no secrets, whatever their names look like."""
        return public_fields(adaptor)

    def perform(self, operation: "Operation", state: "State") -> "State":
        """Run an operation with the plugins that wrap it around it."""
        implementations = self._hook.crossdock_operation.get_hookimpls()
        if not implementations:
            return operation.perform(state)
        watching: list[tuple[Any, Any]] = [
            (impl, impl.function(*_picked(impl, operation=operation, state=state))) for impl in implementations
        ]
        for impl, generator in watching:
            _guarded(impl, next, generator)
        try:
            result = operation.perform(state)
        except BaseException as error:
            for impl, generator in reversed(watching):
                _guarded(impl, generator.throw, error)
            raise
        for impl, generator in reversed(watching):
            _guarded(impl, generator.send, result)
        return result

    def _tell(self, hook: Any, **arguments: Any) -> None:
        """Call every implementation of a hook; one that raises does not keep the others from it."""
        for impl in reversed(hook.get_hookimpls()):
            _guarded(impl, impl.function, *_picked(impl, **arguments))


def _hooks() -> list[str]:
    return [hook for hook in dir(HookSpecifications) if hook.startswith("crossdock_")]


def _misfit(name: str, error: pluggy.PluginValidationError) -> PluginError:
    """Give the error of a plugin whose hook has arguments that there are not, with those that there are."""
    hook = next(hook for hook in _hooks() if repr(hook) in str(error))
    taken = [*signature(getattr(HookSpecifications, hook)).parameters][1:]
    fix = f"Write it as {hook}({', '.join(taken)}); it may take fewer arguments."
    return PluginError(f"the plugin {name!r} does not fit a hook: {error}", fix=fix)


def _check_kind(name: str, hook: str, implementations: list[Any]) -> None:
    """Refuse a generator where a plain function is called, and the other way round."""
    wraps = hook == "crossdock_operation"
    if all(isgeneratorfunction(impl.function) == wraps for impl in implementations):
        return
    raise PluginError(
        f"the plugin {name!r} implements {hook} as {'a plain function' if wraps else 'a generator'}",
        fix="Write it as a generator that yields once." if wraps else "Write it as a plain function, without yield.",
    )


def _picked(impl: Any, **arguments: Any) -> list[Any]:
    return [arguments[name] for name in impl.argnames]


def _asked(impl: Any, reference: str, what: str) -> Resolved | None:
    """Ask one plugin for a secret, and note that it was this one."""
    name = str(impl.plugin_name)
    by = name if name.startswith("adaptor ") else f"plugin {name}"
    try:
        found = impl.function(*_picked(impl, reference=reference))
    except CredentialError as error:
        raise CredentialError(f"{what}: {error.message}", fix=error.fix, by=by) from None
    except Exception as error:
        raise CredentialError(
            f"{what}: the {by} could not resolve it: {type(error).__name__}",
            fix="Check the vault that it asks.",
            by=by,
        ) from error
    return None if found is None else Resolved(str(found), by)


def _guarded(impl: Any, call: Any, *arguments: Any) -> None:
    try:
        call(*arguments)
    except StopIteration:  # a wrapper that yielded once, as it should
        return
    except BaseException as error:
        if any(error is argument for argument in arguments):  # what a wrapper was told of, and let through
            return
        if not isinstance(error, Exception | SystemExit):
            raise
        _logger.error(
            "the plugin %s failed in %s: %s: %s",
            impl.plugin_name,
            impl.function.__name__,
            type(error).__name__,
            message_of(error),
        )


def adaptor_statuses(only: str | None = None) -> Iterator[dict[str, Any]]:
    """Load each installed adaptor, guarded, and say how that went.

    It imports them, so a command calls it in a child process.

    Args:
        only: The one adaptor to load.
    """
    known = [entry for entry in installed(ADAPTORS) if only in (None, entry.name)]
    for name in sorted({entry.name for entry in known}):
        entry = next(entry for entry in known if entry.name == name)
        status, problem = _status(entry)
        yield {
            "name": name,
            "distribution": entry.distribution,
            "version": entry.version,
            "status": status,
            "problem": problem,
        }


def _status(entry: Installed) -> tuple[str, dict[str, str] | None]:
    """Load an adaptor; give how it is, and what is wrong with it."""
    from crossdock.shared import replacing

    try:
        with replacing() as replaced:
            Plugins().register(entry.name, load_adaptor(entry.name))
    except PluginError as error:
        return "broken", {"message": str(error), "fix": error.fix}
    if not replaced:
        return "ok", None
    message = f"importing {entry} replaces {', '.join(replaced)}, which others use too"
    return "meddles", {"message": message, "fix": "Ask its author to leave it as it is, or uninstall it."}
