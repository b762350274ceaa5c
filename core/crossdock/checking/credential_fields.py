"""The fields of a credential as its adaptor takes them."""

from collections.abc import Iterator, Mapping
from typing import Any

from crossdock.adaptor import Adaptor
from crossdock.checking.finding import Code
from crossdock.credentials import Credential, contradictions, known_fields
from crossdock.errors import closest


def unknown_fields(adaptor: Adaptor[Any, Any], credential: Credential) -> Iterator[tuple[str, str, str]]:
    """Give the fields that an adaptor does not know, each with the fault and its fix."""
    model: Any = adaptor.configuration
    for field in credential.fields if model is not None else ():
        if not known_fields(model, {field: None}):
            close = closest(field, model.model_fields)
            fix = f"Did you mean {close}?" if close else f"See its fields: crossdock adaptors show {adaptor.name}."
            yield (
                field,
                f"the credential {credential.name!r} has a field {field!r}, which {adaptor.name} does not know",
                fix,
            )


def faults(adaptor: Adaptor[Any, Any], credential: Credential) -> Iterator[tuple[str, Code, str]]:
    """Give the fields that don't fit an adaptor; what a reference stands for is not known here."""
    from pydantic import ValidationError  # imported late: a job without adaptors needs none of it

    if adaptor.configuration is None:
        return
    for name, contradiction in contradictions(adaptor.configuration, credential.fields):
        yield name, Code.CREDENTIAL_FIELD_INVALID, _reason(name, contradiction)
    known = known_fields(adaptor.configuration, credential.fields)
    try:
        adaptor.configuration.model_validate(known)
    except ValidationError as error:
        for fault in error.errors(include_input=False, include_url=False):
            field = str(fault["loc"][0]) if fault["loc"] else ""
            if _refers(known.get(field)) or (not field and any(map(_refers, known.values()))):
                continue
            code = Code.CREDENTIAL_FIELD_MISSING if fault["type"] == "missing" else Code.CREDENTIAL_FIELD_INVALID
            message = f"the field {field!r} is missing" if fault["type"] == "missing" else _reason(field, fault["msg"])
            yield field, code, message


def _reason(field: str, message: str) -> str:
    return f"{field}: {message}" if field else message.removeprefix("Value error, ")


def _refers(value: Any) -> bool:
    """Tell whether a value is, or holds, a reference such as ``env:NAME``."""
    if isinstance(value, Mapping):
        return any(map(_refers, value.values()))
    return isinstance(value, str) and ":" in value and "://" not in value
