"""How an error becomes a record in a state, and an outcome of a run."""

from collections.abc import Mapping
from typing import Any

from crossdock.errors import MAX_TEXT, CrossdockError, Outcome, message_of, printable


def error_record(error: BaseException, *, with_details: bool = True) -> dict[str, Any]:
    """Describe an error as the JSON object that goes to ``state.errors``.

    Args:
        error: Any exception; one that came out of an operation names it and its line.
        with_details: Whether its details are given.
    """
    operation = getattr(error, "crossdock_operation", None)
    where = {} if operation is None else {"operation": operation.name, "line": str(operation.site.deepest(error))}
    known = isinstance(error, CrossdockError)
    return {
        "code": getattr(error, "code", "error") if known else "job_exception",
        "type": type(error).__name__,
        "message": message_of(error),
        "fix": getattr(error, "fix", "") if known else "Correct the job at the line that is named.",
        "transient": bool(getattr(error, "transient", False)) if known else False,
        "details": _plain_details(getattr(error, "details", {}) if known and with_details else {}),
        **where,
    }


def outcome_of(error: BaseException) -> Outcome:
    """Tell how a run ends that nobody saved from this error, once it has started."""
    outcome = error.outcome if isinstance(error, CrossdockError) else "failed"
    return "failed" if outcome == "refused" else outcome


def _plain_details(details: Mapping[str, Any]) -> dict[str, Any]:
    plain = {printable(str(key)): _plain(value) for key, value in details.items()}
    size = sum(len(str(value)) for value in plain.values())
    return plain if size <= MAX_TEXT else {"dropped": f"details of {size} characters", "keys": sorted(plain)[:50]}


def _plain(value: Any, depth: int = 0) -> Any:
    if value is None or isinstance(value, bool) or (isinstance(value, int) and abs(value) < 2**63):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else str(value)
    if isinstance(value, list | tuple | set | frozenset) and depth < 4:
        return [_plain(item, depth + 1) for item in value]
    if isinstance(value, Mapping) and depth < 4:
        return {printable(str(key)): _plain(item, depth + 1) for key, item in value.items()}
    return printable(value) if isinstance(value, str) else type(value).__name__
