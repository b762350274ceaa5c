"""What a dry run plans: reads happen, and a write is listed instead of made."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from crossdock.scope import acting_operation, open_run, unit_in_progress
from crossdock.sketch import arguments_text

if TYPE_CHECKING:
    from crossdock.operation import Operation

NO_ANSWER = "this was a dry run, and a planned write had no answer: a real run may not fail here"
"""What is said of an error that comes after a planned write."""


def is_planned(operation: "Operation", arguments: tuple[Any, ...]) -> bool:
    """Tell whether an operation is not to be called, since this is a dry run and it writes; then it is listed.

    Args:
        operation: What is about to be called.
        arguments: Its arguments, resolved.
    """
    run = open_run()
    if run is None or not run.dry_run or operation.declaration.effect_of(arguments) != "write":
        return False
    if _lists_writes(operation):
        return False
    shown = ", ".join(arguments_text(operation.declaration.parameters, arguments))
    run.plan_write({**_named(operation), "arguments": shown})
    return True


def _lists_writes(operation: "Operation") -> bool:
    """Tell whether the connection of an operation lists its writes itself."""
    adaptor = operation.declaration.adaptor
    if adaptor is None or adaptor.connect is None:
        return False
    # Its class is asked: a proxy of a remote system has any attribute that it is asked for.
    connections = unit_in_progress("a planned write").connections
    kind = type(connections.get(adaptor, operation.credential).resource)
    return bool(getattr(kind, "lists_writes", False))


def completed(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Complete what is to be written with the operation that writes it, its line and its system."""
    operation = acting_operation.get()
    return {**(_named(operation) if operation is not None else {}), **entry}


def _named(operation: "Operation") -> dict[str, Any]:
    return {"operation": operation.name, "line": str(operation.site), "system": operation.system}
