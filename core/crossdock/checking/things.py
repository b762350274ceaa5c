"""What an expression of a job can stand for, as far as that is certain without running it."""

import ast
from types import ModuleType
from typing import Any, NamedTuple

from crossdock.declaration import Declaration

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


class Module(NamedTuple):
    """A module of crossdock, or that of an adaptor."""

    name: str
    module: ModuleType
    adaptor: bool = False


class Known(NamedTuple):
    """Something that such a module holds: a helper, a function, a class."""

    name: str
    value: Any

    @property
    def declaration(self) -> Declaration | None:
        """What is known of the operations that it builds, if it is a helper."""
        found = getattr(self.value, "declaration", None)
        return found if isinstance(found, Declaration) else None


class Foreign(NamedTuple):
    """Something of Python itself or of any other module, by its full name."""

    name: str


class Local(NamedTuple):
    """A function of the file; ``builds`` if ``@operation`` makes a helper of it."""

    node: FunctionNode
    builds: bool = False

    @property
    def name(self) -> str:
        """Its name, or what it is."""
        return "the lambda" if isinstance(self.node, ast.Lambda) else self.node.name


class LazyPath(NamedTuple):
    """A lazy path such as ``state.data["id"]``; a key that is not certain is None."""

    root: str
    keys: tuple[str | int | None, ...] = ()


class Built(NamedTuple):
    """An operation: what a helper, ``Job`` or a method such as ``.into`` gives."""

    name: str
    call: ast.Call
    declaration: Declaration | None = None
    inner: Any = None
    is_job: bool = False


class Method(NamedTuple):
    """A method of an operation that is not called yet."""

    of: Built
    name: str


class RealState(NamedTuple):
    """The state that a function receives, or one made of it."""

    parameter: str = "state"


class StateMethod(NamedTuple):
    """A method of a state that is not called yet."""

    name: str


class Plain(NamedTuple):
    """A value of which just the kind is certain, such as ``a list``."""

    kind: str


Thing = Module | Known | Foreign | Local | LazyPath | Built | Method | RealState | StateMethod | Plain
