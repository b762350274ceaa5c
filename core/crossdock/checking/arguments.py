"""What a call gives to which parameter, and what does not fit."""

import ast
import inspect
import typing
from collections.abc import Callable, Iterator, Mapping
from inspect import Parameter, Signature
from types import NoneType, UnionType
from typing import Any, NamedTuple

from crossdock.checking.finding import Code
from crossdock.checking.meanings import Meanings
from crossdock.checking.things import Built, FunctionNode, Known, Local, Method, StateMethod, Thing
from crossdock.operation import Operation, OperationLike
from crossdock.options import NAMED, PLACES, Callee, Wrong
from crossdock.state import State


class Misfit(NamedTuple):
    """What is wrong with the arguments of a call."""

    code: Code
    message: str
    fix: str


def callee_of(thing: Thing | None) -> Callee | None:
    """Give the signature of what is called; None where it is not certain."""
    if isinstance(thing, Known) and thing.declaration is not None:
        declaration = thing.declaration
        renamed = declaration.adaptor.renamed if declaration.adaptor else {}
        return Callee(declaration.full_name, declaration.signature, renamed)
    if isinstance(thing, Local):
        return Callee(thing.name, _written(thing.node, skip=thing.builds), {})
    if isinstance(thing, Method):
        return _method(f"{thing.of.name}.{thing.name}", getattr(Operation, thing.name))
    if isinstance(thing, StateMethod):
        return _method(f"state.{thing.name}", getattr(State, thing.name))
    if isinstance(thing, Built):
        return _method(f"{thing.name}(…)", Operation.__call__)
    return _plain(thing) if isinstance(thing, Known) and callable(thing.value) else None


def _plain(thing: Known) -> Callee | None:
    try:
        return Callee(thing.name, inspect.signature(thing.value), {})
    except (TypeError, ValueError):  # a class or function that does not tell
        return None


def _method(name: str, function: Callable[..., Any]) -> Callee:
    parameters = list(inspect.signature(function).parameters.values())
    return Callee(name, Signature(parameters[1:]), {})


def _written(node: FunctionNode, *, skip: bool) -> Signature:
    """Give the signature of a function of the file, for a helper without its state."""
    given, places = node.args, [*node.args.posonlyargs, *node.args.args]
    required = len(places) - len(given.defaults)
    kinds = [Parameter.POSITIONAL_ONLY] * len(given.posonlyargs) + [Parameter.POSITIONAL_OR_KEYWORD] * len(given.args)
    parameters = [
        Parameter(argument.arg, kind, default=Parameter.empty if number < required else None)
        for number, (argument, kind) in enumerate(zip(places, kinds, strict=True))
    ][1 if skip else 0 :]
    parameters += [Parameter(given.vararg.arg, Parameter.VAR_POSITIONAL)] if given.vararg else []
    parameters += [
        Parameter(argument.arg, Parameter.KEYWORD_ONLY, default=Parameter.empty if default is None else None)
        for argument, default in zip(given.kwonlyargs, given.kw_defaults, strict=True)
    ]
    return Signature([*parameters, *([Parameter(given.kwarg.arg, Parameter.VAR_KEYWORD)] if given.kwarg else [])])


def misfit(callee: Callee, call: ast.Call) -> Misfit | None:
    """Give the first thing that is wrong with the arguments of a call."""
    parameters = callee.signature.parameters
    unknown = _unknown_names(parameters, call)
    if unknown:
        return _misfit(Code.UNKNOWN_OPTION, callee, callee.unknown(unknown))
    places = [p for p in parameters.values() if p.kind in PLACES]
    plain = _before_star(call)
    if len(plain) > len(places) and not _has(parameters, Parameter.VAR_POSITIONAL):
        return _misfit(Code.TOO_MANY_ARGUMENTS, callee, callee.surplus(len(plain)))
    return _twice(callee, places[: len(plain)], call) or _missing(callee, call)


def _unknown_names(parameters: Mapping[str, Parameter], call: ast.Call) -> list[str]:
    if _has(parameters, Parameter.VAR_KEYWORD):
        return []
    names = {name for name, parameter in parameters.items() if parameter.kind in NAMED}
    return [keyword.arg for keyword in call.keywords if keyword.arg is not None and keyword.arg not in names]


def _has(parameters: Mapping[str, Parameter], kind: Any) -> bool:
    return any(parameter.kind is kind for parameter in parameters.values())


def _misfit(code: Code, callee: Callee, wrong: Wrong) -> Misfit:
    options = callee.options
    known = f"Use one of its options: {', '.join(options)}." if options else "Leave it out: it has no options."
    return Misfit(code, wrong.message, wrong.fix or known)


def _twice(callee: Callee, filled: list[Parameter], call: ast.Call) -> Misfit | None:
    given = {keyword.arg for keyword in call.keywords}
    twice = [parameter.name for parameter in filled if parameter.kind in NAMED and parameter.name in given]
    if not twice:
        return None
    wrong = f"{callee.name} gets {' and '.join(twice)} twice: by its place and by its name"
    return Misfit(Code.TOO_MANY_ARGUMENTS, wrong, "Remove one of them.")


def _missing(callee: Callee, call: ast.Call) -> Misfit | None:
    if _is_open(call):
        return None
    filled = bound(callee.signature, call)
    open_ended = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    missing = [
        name
        for name, p in callee.signature.parameters.items()
        if p.default is p.empty and p.kind not in open_ended and name not in filled
    ]
    if not missing:
        return None
    return _misfit(Code.MISSING_ARGUMENT, callee, callee.missing(missing))


def _is_open(call: ast.Call) -> bool:
    """Tell whether a call hands on arguments that are not written there: ``*args``, ``**options``."""
    return any(isinstance(given, ast.Starred) for given in call.args) or any(k.arg is None for k in call.keywords)


def _before_star(call: ast.Call) -> list[ast.expr]:
    stars = [number for number, given in enumerate(call.args) if isinstance(given, ast.Starred)]
    return call.args[: stars[0]] if stars else call.args


def bound(signature: Signature, call: ast.Call) -> dict[str, list[ast.expr]]:
    """Give the arguments of a call by parameter, as far as they are written there."""
    filled: dict[str, list[ast.expr]] = {}
    rest = _before_star(call)
    for parameter in signature.parameters.values():
        if parameter.kind in PLACES and rest:
            filled[parameter.name], rest = rest[:1], rest[1:]
        elif parameter.kind is Parameter.VAR_POSITIONAL and rest:
            filled[parameter.name], rest = rest, []
    names = [name for name, parameter in signature.parameters.items() if parameter.kind in NAMED]
    filled.update({k.arg: [k.value] for k in call.keywords if k.arg in names and k.arg is not None})
    return filled


def choices_of(annotation: Any) -> tuple[Any, ...]:
    """Give the values that a parameter is declared to take, if it takes no others."""
    is_union = typing.get_origin(annotation) in (typing.Union, UnionType)
    members = typing.get_args(annotation) if is_union else (annotation,)
    if not all(member is NoneType or typing.get_origin(member) is typing.Literal for member in members):
        return ()
    return tuple(value for member in members for value in typing.get_args(member))


def takes_operation(annotation: Any) -> bool:
    """Tell whether a parameter takes an operation, or a function that is used as one."""
    if isinstance(annotation, str):  # its author defers the evaluation of annotations
        return bool({"Operation", "OperationLike"} & {member.strip() for member in annotation.split("|")})
    return annotation in (Operation, OperationLike, OperationLike | None, Operation | None)


def takes_value(annotation: Any) -> bool:
    """Tell whether a function that is given there is called with the state, for the value that it gives."""
    return not any(word in str(annotation) for word in ("Callable", "Operation"))


class Argument(NamedTuple):
    """One argument of a call that builds an operation."""

    node: ast.expr
    call: ast.Call
    builder: str
    is_operation: bool
    is_value: bool


def building_arguments(call: ast.Call, meanings: Meanings) -> Iterator[Argument]:
    """Give the arguments of a call that builds an operation, each with what becomes of it."""
    built, called = meanings.of(call), meanings.of(call.func)
    if not isinstance(built, Built) or isinstance(called, Method):
        return
    if built.is_job:
        members = [node for node in call.args if not isinstance(node, ast.Starred)]
        yield from (Argument(node, call, "Job", is_operation=True, is_value=False) for node in members)
    elif built.declaration is not None:
        signature = built.declaration.signature
        for name, nodes in bound(signature, call).items():
            kind = signature.parameters[name].annotation
            of = (call, built.name, takes_operation(kind), takes_value(kind) and name != "credential")
            yield from (Argument(node, *of) for node in nodes)
