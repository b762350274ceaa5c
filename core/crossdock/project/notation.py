"""How single values are written in a project file: names, lengths of time, cron, references to secrets.

Each is a type that pydantic validates and describes. What is wrong with a value is a `PydanticCustomError`
whose type is the code of the finding and whose context is its message and its fix.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import InitErrorDetails, PydanticCustomError, core_schema

from crossdock.checking.finding import Code
from crossdock.checking.secrets import REFERENCE
from crossdock.common.paths import value_at
from crossdock.credentials import CREDENTIAL_NAME
from crossdock.cursors import LENGTH, length_of
from crossdock.errors import ArgumentError, closest

T = TypeVar("T")


def wrong(code: Code, message: str, fix: str, **more: Any) -> PydanticCustomError:
    """Make the error that pydantic takes for a wrong value.

    Args:
        code: The code of the finding.
        message: What is wrong with the value; where it stands is said by whoever tells it.
        fix: What to do, as one imperative sentence.
        more: For an unknown key the ``close`` one; for a missing one the ``keys`` that could be there.
    """
    context = {"message": message, "fix": fix, **more}
    return PydanticCustomError(str(code), "{message}", context)


def wrong_at(*errors: tuple[str, PydanticCustomError]) -> ValidationError:
    """Make the error for what is wrong under several keys of a part."""
    details = [InitErrorDetails(type=error, loc=(key,), input=None) for key, error in errors]
    return ValidationError.from_exception_data("part", details)


class Part(BaseModel):
    """A mapping in a project file: its keys are known, and none is empty."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)

    choice: ClassVar[tuple[str, ...]] = ()
    """Keys of which exactly one has to be there."""

    @model_validator(mode="before")
    @classmethod
    def _is_whole(cls, given: Any) -> Any:
        if isinstance(given, Mapping) and (errors := list(cls._of_keys(given))):
            raise wrong_at(*errors)
        return given

    @model_validator(mode="after")
    def _has_chosen(self) -> Self:
        present = [key for key in self.choice if key in self.model_fields_set]
        if self.choice and not present:
            raise none_of(self.choice)
        if len(present) > 1:
            message, fix = f"stands beside {present[0]}", f"Write only {listed(self.choice)}."
            raise wrong_at((present[1], wrong(Code.WRONG_VALUE, message, fix)))
        return self

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Describe the part, and that one of its choice is needed."""
        made = handler.resolve_ref_schema(handler(schema))
        if cls.choice:
            made["oneOf"] = [{"required": [key]} for key in cls.choice]
        return made

    @classmethod
    def _of_keys(cls, given: Mapping[str, Any]) -> Iterator[tuple[str, PydanticCustomError]]:
        known = [field.alias or name for name, field in cls.model_fields.items()]
        for key, value in given.items():
            if key not in known and cls.model_config["extra"] == "forbid":
                close = closest(key, known)
                fix = f"Did you mean {close}?" if close else f"Use {listed(known)}."
                yield key, wrong(Code.UNKNOWN_KEY, "is no key here", fix, **({"close": close} if close else {}))
            elif value is None:
                yield key, wrong(Code.EMPTY_KEY, "is empty", "Write something, or remove it.")


def listed(words: Iterable[str]) -> str:
    """Write words as a list of choices.

    >>> listed(["job", "workflow", "each"])
    'job, workflow or each'
    """
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last


def none_of(keys: Iterable[str]) -> PydanticCustomError:
    """Make the error for a mapping that has none of some keys, of which it needs one."""
    names = listed(keys)
    return wrong(Code.MISSING_KEY, f"has none of the keys {names}", f"Write {names}.", keys=" ".join(keys))


def _as_list(given: Any) -> Any:
    return given if isinstance(given, list) else [given]


class _OneOrMore:
    """Takes one thing for a list of it."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """Validate what stands alone as a list."""
        return core_schema.no_info_before_validator_function(_as_list, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Describe both forms."""
        several = handler(schema)
        return {"anyOf": [several["items"], several]}


def _length(given: Any) -> timedelta:
    length = length_of(given) if isinstance(given, str) else None
    if length is None:
        raise wrong(Code.WRONG_VALUE, "is no length of time", "Write it with its unit: 30 seconds, 5 minutes, 7 days.")
    return length


def _is_reference(given: str) -> str:
    if REFERENCE.fullmatch(given) is None:
        raise wrong(
            Code.SECRET_INLINE,
            "holds a secret itself",
            "Keep it elsewhere, and write env:NAME, file:PATH or keyring:SERVICE/NAME here.",
        )
    return given


def _is_path(given: str) -> str:
    try:
        value_at({}, given)
    except ArgumentError as error:
        raise wrong(Code.WRONG_VALUE, "is no path", error.fix) from None
    return given


_FIELDS = {
    "minute": "0-59",
    "hour": "0-23",
    "day-of-month": "1-31, of a month that has that day",
    "month": "1-12 or JAN-DEC",
    "day-of-week": "0-7 or SUN-SAT",
}
"""The fields of a cron expression in their order, and what each may be."""


def _is_cron(given: str) -> str:
    from cronsim import CronSim, CronSimError  # imported late: few projects have a clock

    names = list(_FIELDS)
    if (number := len(given.split())) != len(names):
        fix = "Write five: " + ", ".join(f"{name} ({allowed})" for name, allowed in _FIELDS.items()) + "."
        raise wrong(Code.WRONG_CRON, f"has {number} {'field' if number == 1 else 'fields'}", fix)
    try:
        CronSim(given, datetime.now(UTC))
    except CronSimError as error:
        name = str(error).removeprefix("Bad ")
        part = given.split()[names.index(name)]
        message = f"has {part!r:.20} for its {name}, which is {_FIELDS[name]}"
        raise wrong(
            Code.WRONG_CRON, message, f"Write a number, *, a list, a range or a step of {_FIELDS[name]}."
        ) from None
    return given


def _is_network(given: str) -> str:
    from ipaddress import ip_network

    try:
        ip_network(given)
    except ValueError:
        fix = "Write an IP address, or a network: 10.0.0.0/8."
        raise wrong(Code.WRONG_VALUE, f"names no address and no network: {given!r:.40}", fix) from None
    return given


def _is_zone(given: str) -> str:
    from zoneinfo import ZoneInfo, available_timezones

    try:
        ZoneInfo(given)
    except (ValueError, OSError, KeyError):
        close = closest(given, available_timezones())
        fix = f"Did you mean {close}?" if close else "Name a zone of the IANA database: Africa/Nairobi."
        raise wrong(Code.WRONG_TIMEZONE, f"names no time zone: {given!r:.40}", fix) from None
    return given


Name = Annotated[str, StringConstraints(pattern=f"^{CREDENTIAL_NAME.pattern}$")]
"""What something is called: a small letter, then small letters, digits, '-' and '_'; at most 50."""

Length = Annotated[
    timedelta,
    BeforeValidator(_length, json_schema_input_type=Annotated[str, Field(pattern=f"^{LENGTH.pattern}$")]),
]
"""A length of time with its unit: ``30 seconds``, ``5 minutes``, ``2 hours``, ``7 days``, ``4 weeks``."""

Secret = Annotated[str, AfterValidator(_is_reference), Field(json_schema_extra={"pattern": f"^{REFERENCE.pattern}$"})]
"""Where a secret is kept: ``env:NAME``, ``file:PATH``, ``keyring:SERVICE/NAME``."""

StatePath = Annotated[str, AfterValidator(_is_path)]
"""A path such as ``data.interventions``."""

CronExpression = Annotated[str, AfterValidator(_is_cron)]
Timezone = Annotated[str, AfterValidator(_is_zone)]
Network = Annotated[str, AfterValidator(_is_network)]
"""An IP address or a network of them, such as 10.0.0.0/8."""

OneOrMore = Annotated[list[T], _OneOrMore()]
"""One of something, or a list of them."""
