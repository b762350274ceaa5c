"""Adaptor: a name, a configuration model, a connection, and the operations that use it."""

import logging
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack
from types import MappingProxyType
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, cast

from crossdock.credentials import Credentials
from crossdock.declaration import Declaration, Effect
from crossdock.errors import AdaptorDefinitionError
from crossdock.operation import Operation
from crossdock.scope import acting_operation, unit_in_progress
from crossdock.state import State

C = TypeVar("C")
R = TypeVar("R")
P = ParamSpec("P")

ADAPTOR_NAME = re.compile(r"[a-z][a-z0-9_]{0,49}")
TAKEN = ("adaptor", "execute")
"""Names that no operation may have: what a module calls its adaptor, and what jobs of OpenFn call the runtime."""

_logger = logging.getLogger("crossdock")


class Adaptor(Generic[C, R]):
    """A plugin that talks to one kind of system.

    Args:
        name: The name of its entry point: small letters, digits and ``_``.
        configuration: A pydantic model of what a credential for it holds.
        connect: Takes the validated configuration and gives a context manager; what that enters
            is ``adaptor.connection``. In a dry run an operation that writes is listed and not
            called, unless the class of this has ``lists_writes = True``: then it is called, and
            the connection hands what it would write to ``run.plan_write`` instead of writing.
        unit: Takes the connection and gives a context manager around one unit of work, nested
            in those around it: for a database its transaction, inside it a savepoint. An adaptor
            without units must be thread-safe.
        api: The version of the plugin API that it is written for.
        verify: Takes the connection, reads something cheap that shows whether the system lets one
            in, and says where and as whom: ``https://kobo.example.org as user amina``. It raises
            if the system does not. ``crossdock credentials check`` calls ``connect`` and this
            outside of a run.
        renamed: Options that its operations had under another name, as old → new: who uses an old
            name is told the new one.

    Example:
        >>> from contextlib import nullcontext
        >>> echo = Adaptor("echo", connect=lambda _: nullcontext(str.upper))
        >>> @echo.operation(effect="read")
        ... def shout(state, text):
        ...     return state.result(echo.connection(text))
        >>> shout("hi")
        echo.shout(<str 2>)
    """

    def __init__(
        self,
        name: str,
        *,
        configuration: type[C] | None = None,
        connect: Callable[[C], AbstractContextManager[R]] | None = None,
        unit: Callable[[R], AbstractContextManager[Any]] | None = None,
        api: int = 1,
        verify: Callable[[R], str | None] | None = None,
        renamed: Mapping[str, str] | None = None,
    ) -> None:
        if not ADAPTOR_NAME.fullmatch(name):
            raise AdaptorDefinitionError(
                f"{name!r} is no name of an adaptor",
                fix="Use small letters, digits and '_', a letter first, at most 50.",
            )
        self.name = name
        self.configuration = configuration
        self.connect = connect
        self.unit = unit
        self.api = api
        self.verify = verify
        self.renamed: Mapping[str, str] = MappingProxyType({**(renamed or {})})
        self._operations: dict[str, Declaration] = {}
        self._is_frozen = False

    @property
    def operations(self) -> Mapping[str, Declaration]:
        """Its operations by name."""
        return MappingProxyType(self._operations)

    def freeze(self) -> None:
        """Take no more operations: its package is loaded, and nobody else is to change it."""
        self._is_frozen = True

    def operation(
        self, *, effect: Effect | Callable[..., Effect] | None = None
    ) -> Callable[[Callable[Concatenate[State, P], Any]], Callable[P, Operation]]:
        """Turn a function ``(state, …) -> State`` into an operation of this adaptor.

        Its arguments are resolved before it is called: lazy paths and functions of the state, at
        any depth of dicts, lists and tuples. The annotation of a parameter may ask for less:

        - ``Callable`` or ``Operation``: it is passed on untouched.
        - ``Iterable`` or ``Iterator``: only the whole is resolved, and no item.
        - a mapping whose values may be functions, such as ``Mapping[int, bool | Callable[…, Any]]``,
          also beside others as in ``… | bool | None``: the whole is resolved, and in a dict the
          lazy paths that stand there as values; functions in it are passed on and not called.

        Args:
            effect: ``"read"`` or ``"write"``, or a function of the arguments that says which. A
                dry run calls what reads, and lists what writes.
        """

        def decorate(function: Callable[Concatenate[State, P], Any]) -> Callable[P, Operation]:
            declaration = Declaration(function, effect=effect, adaptor=self)
            if declaration.name in TAKEN:
                raise AdaptorDefinitionError(
                    f"an operation of the adaptor {self.name!r} can't be named {declaration.name!r}",
                    fix=f"Choose another name than {' and '.join(TAKEN)}.",
                )
            if declaration.name in self._operations:
                raise AdaptorDefinitionError(
                    f"the adaptor {self.name!r} has two operations {declaration.name!r}", fix="Rename one of them."
                )
            if self._is_frozen:
                raise AdaptorDefinitionError(
                    f"the adaptor {self.name!r} is loaded and takes no more operations, such as {declaration.name!r}",
                    fix="Give the operation to an adaptor of your own.",
                )
            self._operations[declaration.name] = declaration
            return declaration.builder(Operation)

        return decorate

    @property
    def connection(self) -> R:
        """The live connection of the current run for this adaptor and credential."""
        unit, operation = unit_in_progress(f"the connection of {self.name}"), acting_operation.get()
        connection = unit.connections.get(self, operation.credential if operation is not None else None)
        if self.unit is not None:
            unit.use(connection)
        return cast("R", connection.resource)

    def __repr__(self) -> str:
        return f"<Adaptor {self.name!r}>"


class Connection:
    """One open connection of a run."""

    __slots__ = ("_adaptor", "resource")

    def __init__(self, adaptor: Adaptor[Any, Any], resource: Any) -> None:
        self._adaptor = adaptor
        self.resource = resource

    def unit(self) -> AbstractContextManager[Any]:
        """Give the context manager around one unit of work on it."""
        return self._adaptor.unit(self.resource)  # type: ignore[misc]


class Connections:
    """The connections of a run: opened on first use, closed when it ends.

    Steps that run at the same time have connections of their own.

    Args:
        credentials: Where their configurations come from.
    """

    def __init__(self, credentials: Credentials) -> None:
        self.credentials = credentials
        self._chosen: dict[tuple[str, str | None], Connection] = {}
        self._open: dict[tuple[str, str], Connection] = {}
        self._stack = ExitStack()
        self._lock = threading.RLock()

    def within(self, names: Iterable[str] | None) -> "Connections":
        """Give the same connections as a step sees them that may use only some credentials; None means all."""
        if names is None:
            return self
        seen = Connections(self.credentials.only(names))
        seen._open, seen._stack, seen._lock = self._open, self._stack, self._lock
        return seen

    def get(self, adaptor: Adaptor[Any, Any], credential: str | None) -> Connection:
        """Give the connection of an adaptor under a credential's name, open."""
        found = self._chosen.get((adaptor.name, credential))
        return found if found is not None else self._opened(adaptor, credential)

    def check(self, adaptor: Adaptor[Any, Any], credential: str | None) -> None:
        """Raise if there is no valid credential for it."""
        self.credentials.permit(adaptor.name)
        if adaptor.connect is not None:
            self.credentials.configuration(adaptor, credential)

    def verify(self, adaptor: Adaptor[Any, Any], credential: str) -> str | None:
        """Connect, and give what the adaptor says of where one is and as whom; None if it can't tell."""
        resource = self.get(adaptor, credential).resource
        return None if adaptor.verify is None else adaptor.verify(resource)

    def close(self) -> None:
        """Close all of them, the last opened first; a failure to close is logged."""
        self._chosen.clear()
        self._open.clear()
        try:
            self._stack.close()
        except Exception:
            _logger.warning("a connection could not be closed", exc_info=True)

    def _opened(self, adaptor: Adaptor[Any, Any], credential: str | None) -> Connection:
        if adaptor.connect is None:
            raise AdaptorDefinitionError(f"the adaptor {adaptor.name!r} has no connection", fix="Give it connect=….")
        self.credentials.permit(adaptor.name)
        with self._lock:
            # Two ways to ask for one credential (by name, by default) share its connection.
            key = adaptor.name, self.credentials.choose(adaptor.name, credential).name
            if key not in self._open:
                configuration = self.credentials.configuration(adaptor, credential)
                self._open[key] = Connection(adaptor, self._stack.enter_context(adaptor.connect(configuration)))
            self._chosen[adaptor.name, credential] = self._open[key]
            return self._open[key]


class Lanes:
    """The connections of a run, several times: those of steps that run at the same time are not the same.

    Args:
        credentials: Where their configurations come from.
    """

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._all: list[Connections] = []
        self._free: list[Connections] = []
        self._lock = threading.Lock()

    def take(self) -> Connections:
        """Give connections that are nobody's until they are given back."""
        with self._lock:
            if self._free:
                return self._free.pop()
            self._all.append(Connections(self._credentials))
            return self._all[-1]

    def give_back(self, connections: Connections, *, broken: bool) -> None:
        """Take connections back; ``broken`` ones are closed first, and open anew when they are used."""
        if broken:
            connections.close()
        with self._lock:
            self._free.append(connections)

    def close(self) -> None:
        """Close all of them."""
        for connections in self._all:
            connections.close()
