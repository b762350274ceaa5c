"""validate: a value against a JSON Schema."""

from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from crossdock.decoding import decode
from crossdock.errors import ArgumentError, JobError, StateEncodingError, cut
from crossdock.lazy import state as lazy_state
from crossdock.operation import operation
from crossdock.state import State, encode, path_step

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator

_MOST_FAULTS = 50
"""The most faults that an error lists; it also says how many there are."""

_NEWEST = "https://json-schema.org/draft/2020-12/schema"

_SAID = {
    "type": "must be of type {rule}",
    "enum": "must be one of {rule}",
    "const": "must be {rule}",
    "format": "must be a {rule}",
    "pattern": "must match {rule}",
    "minimum": "must be {rule} or more",
    "maximum": "must be {rule} or less",
    "exclusiveMinimum": "must be more than {rule}",
    "exclusiveMaximum": "must be less than {rule}",
    "multipleOf": "must be a multiple of {rule}",
    "minLength": "must have {rule} or more characters",
    "maxLength": "must have {rule} or fewer characters",
    "minItems": "must have {rule} or more items",
    "maxItems": "must have {rule} or fewer items",
    "uniqueItems": "must have no item twice",
    "anyOf": "fits none of the alternatives",
    "oneOf": "must fit one of the alternatives, and no other",
    "not": "must not fit {rule}",
    "false": "is not allowed here",
}
"""What an error says of a keyword: what the schema asks for, never what the value is."""


@operation
def validate(state: State, schema: Any, value: Any = lazy_state.data) -> State:
    """Fail unless a value fits a JSON Schema, with all faults at once; the state stays as it is.

    The draft is the one that ``$schema`` names, 2020-12 by default. Of the formats these are
    checked: date, date-time, time, email, hostname, ipv4, ipv6, uri, uri-reference, uuid, regex.

    Args:
        schema: The schema, as a dict; or a lazy path or a function of the state that gives it.
        value: What to check; ``state.data`` by default.

    Raises:
        JobError: ``INVALID_DATA``; ``details["faults"]`` lists where (``path``), what the schema asks
            for (``message``) and by which ``keyword``. No error shows a value.
        ArgumentError: It is no schema.

    Example:
        >>> from crossdock import validate
        >>> person = {"type": "object", "required": ["name"], "properties": {"age": {"type": "integer"}}}
        >>> validate(person)(State(data={"name": "Amina", "age": 30})).data["age"]
        30
        >>> try:
        ...     validate(person)(State(data={"age": "unknown"}))
        ... except JobError as error:
        ...     print(error)
        the value does not fit its schema: $ must have 'name'; $.age must be of type integer
    """
    faults = _faults(_validator(_schema_json(schema)), decode(encode(value)))  # as JSON, where a date is text
    if faults:
        listed = "; ".join(f"{fault['path']} {fault['message']}" for fault in faults[:3])
        more = f"; and {len(faults) - 3} more" if len(faults) > 3 else ""
        raise JobError(
            "INVALID_DATA",
            f"the value does not fit its schema: {listed}{more}",
            fix="Correct what is listed, or the schema.",
            faults=faults[:_MOST_FAULTS],
            count=len(faults),
        )
    return state


def _schema_json(schema: Any) -> bytes:
    try:
        return encode(schema)
    except StateEncodingError as error:
        raise ArgumentError(f"validate() got a schema that is not JSON: {error.message}", fix=error.fix) from None


@lru_cache(maxsize=128)
def _validator(schema_json: bytes) -> "Validator":
    """Make the validator of a schema, which is told from others by its content."""
    from jsonschema import SchemaError, validators  # imported late: it takes 200 ms
    from jsonschema_specifications import REGISTRY

    schema = decode(schema_json)
    draft = schema.get("$schema", _NEWEST) if isinstance(schema, dict) else _NEWEST
    kind: type[Validator] | None = validators.validator_for({"$schema": str(draft)}, default=cast("Any", None))
    if kind is None:
        raise ArgumentError(
            f"validate() does not know the draft {draft!r:.100}", fix=f'Use "$schema": "{_NEWEST}", or leave it away.'
        )
    try:
        kind.check_schema(schema)
    except SchemaError as error:
        where = _path(error.absolute_path)
        raise ArgumentError(
            f"validate() got no JSON Schema: {where} {cut(error.message, 200)}", fix="Correct the schema there."
        ) from None
    # With a registry of its own nothing is fetched from the network.
    return kind(schema, registry=REGISTRY, format_checker=kind.FORMAT_CHECKER)


def _faults(validator: "Validator", value: Any) -> list[dict[str, str]]:
    from referencing.exceptions import Unresolvable

    try:
        found = [_fault(error) for error in validator.iter_errors(value)]
    except Unresolvable as error:
        raise ArgumentError(
            f"the schema refers to {error.ref!r:.100}, which is not in it", fix="Put it into the schema's $defs."
        ) from None
    except RecursionError:
        raise ArgumentError("the schema refers to itself without end", fix="Remove the circle of $ref.") from None
    return list({(fault["path"], fault["message"]): fault for fault in found}.values())


def _fault(error: "ValidationError") -> dict[str, str]:
    return {"path": _path(error.absolute_path), "message": _said(error), "keyword": _keyword(error)}


def _keyword(error: "ValidationError") -> str:
    return "false" if error.validator is None else str(error.validator)  # the schema that nothing fits


def _said(error: "ValidationError") -> str:
    """Say what the schema asks for; what the value is may be a patient's."""
    keyword, rule, value = _keyword(error), cast("Any", error.validator_value), cast("Any", error.instance)
    if keyword == "required":
        return f"must have {_names(name for name in rule if name not in value)}"
    if keyword in ("additionalProperties", "unevaluatedProperties"):
        return "must have no other keys than the schema names"
    return _SAID.get(keyword, "does not fit " + keyword).format(rule=_rule(rule))


def _rule(rule: Any) -> str:
    if isinstance(rule, str):
        return cut(rule, 100)
    return _names(rule) if isinstance(rule, list) else cut(encode(rule).decode(), 100)


def _names(names: Iterable[Any]) -> str:
    return cut(", ".join(map(repr, names)), 200)


def _path(steps: Iterable[str | int]) -> str:
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else path_step(step) for step in steps)
