"""What is known of an operation before it is built: its name, parameters, effect and adaptor.

From a function ``(state, …) -> State`` this makes two functions: the *builder*, which has the
author's signature without ``state``, and the *caller*, which hands the remembered arguments back
to the author's parameters.
"""

import inspect
import keyword
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import is_
from sys import _getframe
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeVar, Union, cast

from crossdock.errors import AdaptorDefinitionError, OptionError
from crossdock.lazy import NEVER_LAZY, is_plain_function, resolve, resolve_paths, resolve_top
from crossdock.options import PLACES, Callee
from crossdock.state import State

if TYPE_CHECKING:
    from crossdock.adaptor import Adaptor

T = TypeVar("T")
Effect = Literal["read", "write"]
Caller = Callable[[State, tuple[Any, ...], Any, bool], Any]


class Declaration:
    """What is known of an operation before it is built: its name, signature, effect, adaptor."""

    __slots__ = (
        "_kinds",
        "adaptor",
        "call",
        "doc",
        "effect",
        "function",
        "keeps",
        "makes_unit",
        "name",
        "parameters",
        "signature",
    )

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        effect: Effect | Callable[..., Effect] | None = None,
        adaptor: "Adaptor[Any, Any] | None" = None,
        keeps: bool = False,
    ) -> None:
        self.name = function.__name__
        self.function = function
        self.doc = inspect.getdoc(function) or ""
        self.effect = effect
        self.adaptor = adaptor
        self.makes_unit = adaptor is None or adaptor.unit is not None
        """Whether it is a unit where a function calls it, which may go on after its failure."""
        self.keeps = keeps
        """Whether the function takes its operation and ``keep`` after the state: see ``keeping_operation``."""
        hints = _hints_of(function)
        self.parameters = _own_parameters(function, 3 if keeps else 1, hints)
        self._kinds = [_kind_of(hints.get(parameter.name, parameter.annotation)) for parameter in self.parameters]
        self.signature = inspect.Signature(_with_credential(self.parameters) if adaptor else self.parameters)
        self.call: Caller = self._first_call

    @property
    def full_name(self) -> str:
        """The name with the adaptor's in front, as a job writes it."""
        return f"{self.adaptor.name}.{self.name}" if self.adaptor else self.name

    def builder(self, operation: type[T]) -> Callable[..., T]:
        """Make the function that builds an operation of this class, with the author's signature.

        It is generated, so that Python itself binds the arguments: binding them by hand would
        cost ten times as much, and operations are built inside functions, for every item.
        """
        arguments = "".join(f"{parameter.name}, " for parameter in self.parameters)
        credential = "credential" if self.adaptor else "None"
        body = f"return _operation(_declaration, ({arguments}), {credential}, _frame(1))"
        signature, wrong = _tolerant(self.signature)
        if wrong:
            body = f"if {wrong}: _declaration.refuse(_unknown, _surplus, ({arguments}))\n    {body}"
        names = {"_operation": operation, "_declaration": self, "_frame": _getframe}
        build: Any = _generate(self.name, signature, body, **names, _missing=_MISSING, _surplus=())
        build.__doc__, build.__module__, build.__qualname__ = self.doc, self.function.__module__, self.name
        build.__signature__ = self.signature
        build.declaration = self
        return cast("Callable[..., T]", build)

    def refuse(self, unknown: Mapping[str, Any], surplus: tuple[Any, ...], arguments: tuple[Any, ...]) -> NoReturn:
        """Say what is wrong with the arguments that an operation was to be built with.

        Args:
            unknown: Those with a name that it does not have.
            surplus: Those without a name that are too many.
            arguments: The others, with a mark for each one that is missing.
        """
        renamed = self.adaptor.renamed if self.adaptor else {}
        callee = Callee(self.full_name, self.signature, renamed)
        if unknown:
            wrong = callee.unknown(list(unknown))
        elif surplus:
            wrong = callee.surplus(sum(parameter.kind in PLACES for parameter in self.parameters) + len(surplus))
        else:
            pairs = zip(self.parameters, arguments, strict=True)
            wrong = callee.missing([parameter.name for parameter, given in pairs if given is _MISSING])
        options = ", ".join(self.signature.parameters) or "none"
        raise OptionError(f"{wrong.message}; its options are: {options}", fix=wrong.fix)

    def _first_call(self, state: State, arguments: tuple[Any, ...], operation: Any, keep: bool) -> Any:
        """Make the caller when it is first needed: most operations that are imported never run."""
        self.call = _make_caller(self)
        return self.call(state, arguments, operation, keep)

    def resolve(self, arguments: tuple[Any, ...], state: State) -> tuple[Any, ...]:
        """Give the arguments with everything lazy resolved; the same tuple if nothing was."""
        if NEVER_LAZY.issuperset(map(type, arguments)):  # as are most of what a function builds for an item
            return arguments
        resolved = tuple([resolver(argument, state) for resolver, argument in zip(self._kinds, arguments, strict=True)])
        return arguments if all(map(is_, resolved, arguments)) else resolved

    def effect_of(self, arguments: tuple[Any, ...]) -> Effect | None:
        """Tell whether the operation reads or writes with these arguments."""
        if callable(self.effect):
            return self.effect(**dict(zip((parameter.name for parameter in self.parameters), arguments, strict=True)))
        return self.effect


def _hints_of(function: Callable[..., Any]) -> dict[str, Any]:
    """Give the annotations, each evaluated by itself: one may name what only a type checker imports."""
    names = getattr(function, "__globals__", {})
    return {name: _evaluated(annotation, names) for name, annotation in inspect.get_annotations(function).items()}


def _evaluated(annotation: Any, names: dict[str, Any]) -> Any:
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, names)  # noqa: S307 - an annotation of the author's own
    except Exception:  # noqa: BLE001 - then its text must do
        return annotation


def _own_parameters(function: Callable[..., Any], given: int, hints: dict[str, Any]) -> list[inspect.Parameter]:
    """Give the parameters of an operation's function that a job fills in."""
    name, parameters = function.__name__, list(inspect.signature(function).parameters.values())
    if keyword.iskeyword(name) or name.startswith("__"):
        raise AdaptorDefinitionError(f"an operation can't be named {name!r}", fix="Give the function another name.")
    if not parameters or parameters[0].name != "state":
        raise AdaptorDefinitionError(
            f"operation {name!r} does not take the state first", fix=f"Write: def {name}(state: State, …) -> State."
        )
    return [own for parameter in parameters[given:] for own in _expanded(parameter, hints.get(parameter.name))]


def _expanded(parameter: inspect.Parameter, hint: Any) -> Iterator[inspect.Parameter]:
    """Make keyword parameters of ``**options: Unpack[…]``, so that unknown options are refused."""
    if parameter.kind is not parameter.VAR_KEYWORD or typing.get_origin(hint) is not typing.Unpack:
        yield parameter
        return
    for name, annotation in typing.get_type_hints(typing.get_args(hint)[0]).items():
        yield inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _with_credential(parameters: list[inspect.Parameter]) -> list[inspect.Parameter]:
    if any(parameter.name == "credential" for parameter in parameters):
        return parameters
    credential = inspect.Parameter("credential", inspect.Parameter.KEYWORD_ONLY, default=None, annotation="str | None")
    at = next((i for i, parameter in enumerate(parameters) if parameter.kind is parameter.VAR_KEYWORD), len(parameters))
    return [*parameters[:at], credential, *parameters[at:]]


_MISSING: Any = object()
"""Stands for an argument that was not given; without it Python would name that one before an unknown option."""


def _tolerant(signature: inspect.Signature) -> tuple[inspect.Signature, str]:
    """Give a signature that any call fits, and the condition under which the call is wrong.

    One that takes any option itself stays as it is.
    """
    parameters = list(signature.parameters.values())
    kinds = {parameter.kind for parameter in parameters}
    if inspect.Parameter.VAR_KEYWORD in kinds:
        return signature, ""
    required = [p for p in parameters if p.default is p.empty and p.kind is not p.VAR_POSITIONAL]
    tolerant = [parameter.replace(default=_MISSING) if parameter in required else parameter for parameter in parameters]
    surplus = [] if inspect.Parameter.VAR_POSITIONAL in kinds else [("_surplus", inspect.Parameter.VAR_POSITIONAL)]
    extra = [inspect.Parameter(name, kind) for name, kind in [*surplus, ("_unknown", inspect.Parameter.VAR_KEYWORD)]]
    condition = [*(parameter.name for parameter in extra), *(f"{parameter.name} is _missing" for parameter in required)]
    return inspect.Signature(sorted([*tolerant, *extra], key=lambda p: p.kind)), " or ".join(condition)


def _generate(name: str, signature: inspect.Signature, body: str, **names: Any) -> Any:
    """Compile a function of this signature and body."""
    defaults = {
        f"_default_{i}": p.default for i, p in enumerate(signature.parameters.values()) if p.default is not p.empty
    }
    bare = [
        p.replace(annotation=p.empty, default=_Name(f"_default_{i}") if f"_default_{i}" in defaults else p.empty)
        for i, p in enumerate(signature.parameters.values())
    ]
    source = f"def {name}{inspect.Signature(bare)}:\n    {body}\n"
    namespace: dict[str, Any] = {**defaults, **names}
    exec(compile(source, f"<crossdock operation {name}>", "exec"), namespace)  # noqa: S102 - made of the author's own signature
    return namespace[name]


class _Name:
    """A default value that is written as a name in generated code."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


def _make_caller(declaration: Declaration) -> Caller:
    """Make the function that hands the flat tuple of arguments to the author's parameters."""
    forms: dict[Any, str] = {
        inspect.Parameter.VAR_POSITIONAL: "*a[{i}]",
        inspect.Parameter.KEYWORD_ONLY: "{name}=a[{i}]",
        inspect.Parameter.VAR_KEYWORD: "**a[{i}]",
    }
    passed = [forms.get(p.kind, "a[{i}]").format(i=i, name=p.name) for i, p in enumerate(declaration.parameters)]
    given = ["state", "operation", "keep"] if declaration.keeps else ["state"]
    signature = inspect.Signature(
        [inspect.Parameter(name, inspect.Parameter.POSITIONAL_ONLY) for name in ("state", "a", "operation", "keep")]
    )
    caller: Caller = _generate(
        "call", signature, f"return _function({', '.join(given + passed)})", _function=declaration.function
    )
    return caller


def _untouched(value: Any, _: State) -> Any:
    return value


def _uncalled(value: Any, state: State) -> Any:
    """Resolve a value that may also be a function which is wanted itself."""
    return value if is_plain_function(value) else resolve(value, state)


def _kind_of(annotation: Any) -> Callable[[Any, State], Any]:
    if isinstance(annotation, str):
        return _BY_NAME.get(annotation.partition("[")[0].rpartition(".")[2].strip(), resolve)
    members = typing.get_args(annotation) if typing.get_origin(annotation) in (Union, UnionType) else (annotation,)
    origins = {typing.get_origin(member) or member for member in members} - {NoneType}
    if origins & {Iterable, Iterator}:
        return resolve_top
    if any(_maps_to_functions(member) for member in members):
        return resolve_paths
    if origins and all(isinstance(origin, type) and issubclass(origin, Callable) for origin in origins):  # type: ignore[arg-type]
        return _untouched
    return _uncalled if Callable in origins else resolve


def _maps_to_functions(annotation: Any) -> bool:
    """Tell whether a mapping's values may be functions by what is declared: those are never called for a value."""
    origin, values = typing.get_origin(annotation), typing.get_args(annotation)[1:]
    return isinstance(origin, type) and issubclass(origin, Mapping) and any(map(_holds_callable, values))


def _holds_callable(annotation: Any) -> bool:
    return Callable in (annotation, typing.get_origin(annotation)) or any(
        map(_holds_callable, typing.get_args(annotation))
    )


_BY_NAME = {
    "Callable": _untouched,
    "Operation": _untouched,
    "OperationLike": _untouched,
    "Iterable": resolve_top,
    "Iterator": resolve_top,
}
"""How an annotation that can't be evaluated is understood."""
