"""The lazy ``state``: a path that is looked up when an operation runs.

``state.data["patient"]["name"]`` is an object that remembers its path. Whatever takes arguments
for an operation resolves it against the real state, anew each time; a missing step gives None.
Attributes and items are the same thing, and the object has no methods, so no field name is taken.
"""

from collections.abc import Callable, Mapping
from functools import partial
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any, NoReturn, TypeVar, cast

from crossdock.errors import ArgumentError, LazyError, closest
from crossdock.scope import current_state, received, run_in_progress, unit_in_progress
from crossdock.state import State

T = TypeVar("T")


class Lazy:
    """A path that is resolved when an operation runs.

    It can be passed, stored and taken deeper, and nothing else: iterating, comparing, formatting
    or calling it is an error that says to pass a function instead.
    """

    __slots__ = ("_link",)

    def __getattribute__(self, name: str) -> "Lazy":
        if name[0] == "_" and name[:2] == "__":
            return cast("Lazy", object.__getattribute__(self, name))
        child = _new(Lazy)
        _set_link(child, (self, name))
        return child

    def __getitem__(self, key: str | int) -> "Lazy":
        if type(key) is not str and type(key) is not int:
            raise LazyError(f"{self!r}[…] takes a key or a number, and got a value of type {type(key).__name__}")
        child = _new(Lazy)
        _set_link(child, (self, key))
        return child

    def __repr__(self) -> str:
        root, keys = _path(self)
        dotted = f".{keys[0]}" if keys and str(keys[0]).isidentifier() else "".join(f"[{key!r}]" for key in keys[:1])
        return root.name + dotted + "".join(f"[{key!r}]" for key in keys[1:])

    def _refuse(self, *_: Any) -> NoReturn:
        raise LazyError(
            f"{self!r} is a lazy path: it has no value before its operation runs, so it can't be compared, formatted, looped over or called"
        )

    __iter__ = __bool__ = __len__ = __contains__ = __call__ = __format__ = __str__ = __hash__ = _refuse
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __mod__ = __rmod__ = __or__ = __ror__ = __and__ = (
        __invert__
    ) = _refuse
    __int__ = __float__ = __index__ = __setattr__ = __setitem__ = __delattr__ = _refuse


class Root:
    """What a lazy path starts from: how it is written, and how its first value is found."""

    __slots__ = ("find", "name")

    def __init__(self, name: str, find: Callable[[State], Any]) -> None:
        self.name = name
        self.find = find


# A path is linked to the one it was taken from: jobs build paths for every item, so that is cheap.
_link = Lazy._link.__get__  # type: ignore[attr-defined]
_set_link = Lazy._link.__set__  # type: ignore[attr-defined]
_new = object.__new__


def _path(lazy: Lazy) -> tuple[Root, list[str | int]]:
    """Give the root of a path and its keys."""
    keys: list[str | int] = []
    while len(link := _link(lazy)) == 2:
        lazy, key = link
        keys.append(key)
    return link[0], keys[::-1]


def lazy(root: Root) -> Any:
    """Make the lazy path that stands for a root itself."""
    path = _new(Lazy)
    _set_link(path, (root,))
    return path


state: Any = lazy(Root("state", lambda state: state))
"""The lazy reference to the state that an operation receives."""


def _fields() -> Any:
    return unit_in_progress("credentials").connections.credentials.fields()


credentials: Any = lazy(Root("credentials", lambda _: _fields()))
"""The fields of the credentials in scope, for APIs that want a secret inside a body."""


class Settings(dict[str, Any]):
    """The settings of a project: to ask for one that there is not is an error."""

    def get(self, key: str, default: Any = None) -> Any:  # noqa: ARG002 - the signature is inherited
        """Give a setting.

        Raises:
            ArgumentError: There is none of that name.
        """
        if key in self:
            return self[key]
        close = closest(str(key), self)
        raise ArgumentError(
            f"there is no setting {key!r:.60}; there are: {', '.join(self) or 'none'}",
            fix=f"Did you mean {close}?" if close else "Add it to settings in the project file.",
        )


def _settings() -> Any:
    return run_in_progress("settings").settings


settings: Any = lazy(Root("settings", lambda _: _settings()))
"""The settings of the project; one that there is not is an error that lists them."""


def computed(function: Callable[[Any], T]) -> T:
    """Mark a function as the value that it will give, for jobs that are type-checked.

    It returns the function itself, which is resolved like any other when its operation runs.
    """
    return cast("T", function)


def resolve(value: Any, state: State | None = None) -> Any:
    """Give the plain value of a lazy path or of a function of the state.

    Args:
        value: Lazy paths and plain functions are resolved, also within dicts, lists and tuples;
            any other value is given back as it is. What comes out is final.
        state: The state to look in; inside a function the one that the function received.

    Example:
        >>> from crossdock import state
        >>> resolve({"id": state.data["id"], "n": 2}, State(data={"id": 7}))
        {'id': 7, 'n': 2}
    """
    return _resolve(value, received("resolve") if state is None else state)


_FUNCTIONS = frozenset({FunctionType, MethodType, BuiltinFunctionType, partial})


def is_plain_function(value: Any) -> bool:
    """Tell whether a value is a function that resolving calls: no class, no operation."""
    return type(value) in _FUNCTIONS


def resolve_top(value: Any, state: State) -> Any:
    """Resolve a value at its top level only."""
    kind = type(value)
    if kind is Lazy:
        return look_up(value, state)
    return call_with(value, state) if kind in _FUNCTIONS else value


def resolve_paths(value: Any, state: State) -> Any:
    """Resolve a value in whose dict functions stand for themselves: only lazy paths are looked up there."""
    if type(value) is not dict:
        return resolve_top(value, state)
    if not any(type(item) is Lazy for item in value.values()):
        return value
    return {key: look_up(item, state) if type(item) is Lazy else item for key, item in value.items()}


def _resolve(value: Any, state: State) -> Any:
    """Resolve a value at any depth; the very same object comes back if nothing in it was lazy."""
    kind = type(value)
    if kind is dict:
        return _resolve_items(value, value.items(), state)
    if kind is list:
        return _resolve_items(value, enumerate(value), state)
    if kind is tuple:
        resolved = _resolve_items(list(value), enumerate(value), state, value)
        return value if resolved is value else tuple(resolved)
    return resolve_top(value, state)


def _resolve_items(container: Any, items: Any, state: State, unchanged: Any = None) -> Any:
    changed: Any = None
    for key, item in items:
        if type(item) in NEVER_LAZY:
            continue
        resolved = _resolve(item, state)
        if resolved is not item:
            changed = container.copy() if changed is None else changed
            changed[key] = resolved
    if changed is None:
        return container if unchanged is None else unchanged
    return changed


NEVER_LAZY = frozenset({str, int, float, bool, type(None), bytes})
"""The types of values that resolving gives back as they are, whatever is asked of it."""


def call_with(function: Callable[[State], Any], state: State) -> Any:
    """Call a function of the state so that ``operation.result()`` works inside it."""
    token = current_state.set(state)
    try:
        return function(state)
    finally:
        current_state.reset(token)


def look_up(path: Lazy, state: State) -> Any:
    """Follow a lazy path; a missing step gives None."""
    root, keys = _path(path)
    value = root.find(state)
    for key in keys:
        value = _step_into(value, key)
        if value is None:
            return None
    return value


def _step_into(value: Any, key: Any) -> Any:
    if isinstance(value, Mapping):
        return value.get(key)
    if isinstance(value, list | tuple) and type(key) is int:
        return value[key] if -len(value) <= key < len(value) else None
    return None
