"""Triggers: what starts a workflow."""

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Discriminator, Field, Tag, WithJsonSchema, model_validator

from crossdock.checking.finding import Code
from crossdock.errors import InputError
from crossdock.filter import Accept, Filter
from crossdock.project.notation import (
    CronExpression,
    Length,
    Name,
    OneOrMore,
    Part,
    Secret,
    StatePath,
    Timezone,
    none_of,
    wrong,
    wrong_at,
)
from crossdock.state import SIZE_LIMIT

Json = Annotated[Any, WithJsonSchema({"type": ["object", "array", "string"]})]
"""A mapping, a list, or a text that holds JSON."""


class User(Part):
    """A name and its password (RFC 7617)."""

    user: str
    """The name; it is no secret."""
    password: Secret
    """The password."""


class Hmac(Part):
    """A signature of the body, made with a shared key (RFC 2104)."""

    header: str
    """The header that the signature stands in."""
    secret: Secret
    """The key of the signature."""
    algorithm: Literal["sha256", "sha512", "sha384", "sha1"] = "sha256"
    """The hash function."""
    prefix: str = ""
    """What stands before the signature, such as sha256=."""
    encoding: Literal["hex", "base64"] = "hex"
    """How the signature is written."""


class Auth(Part):
    """How senders prove who they are: each way once or several times; any of them lets a sender in."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    api_key: OneOrMore[Secret] = []
    """A key in the header X-API-Key."""
    basic: OneOrMore[User] = []
    """A name and a password."""
    standard_webhooks: OneOrMore[Secret] = []
    """The secret of a signature as https://www.standardwebhooks.com describes it: whsec_…."""
    hmac: OneOrMore[Hmac] = []
    """Another signature."""

    @model_validator(mode="after")
    def _has_a_way(self) -> Self:
        if not any(getattr(self, way) for way in type(self).model_fields):
            raise wrong(Code.EMPTY_KEY, "lets nobody in", 'Write auth: {api_key: "env:NAME"}.')
        return self


class Idempotency(Part):
    """What tells that a message was sent before; the headers webhook-id and Idempotency-Key always do."""

    model_config = ConfigDict(json_schema_extra={"not": {"required": ["path", "header"]}})

    path: StatePath | None = None
    """The path in the payload to what no other message has."""
    header: str | None = None
    """The header that holds what no other message has."""
    window: Length = Field(default="7 days", validate_default=True)
    """How long it is remembered; after that it may come again as something new."""

    @model_validator(mode="after")
    def _is_in_one_place(self) -> Self:
        if self.path is not None and self.header is not None:
            raise wrong_at(("header", wrong(Code.WRONG_VALUE, "stands beside path", "Write only path or header.")))
        return self


class Webhook(Part):
    """Messages that are sent to an address of the inbox."""

    path: Name = Field(alias="webhook")
    """The last part of the address: /inbox/PATH. Several triggers may have the same."""
    include: Json = None
    """What the payload must contain."""
    exclude: Json = None
    """What the payload must not contain."""
    auth: Auth | None = None
    """How senders prove who they are; without, anybody may send."""
    xml: bool = False
    """Whether XML is accepted too."""
    accept: Accept = "object"
    """Whether the payload must be a JSON object, or may be any JSON."""
    payload_schema: str | None = Field(default=None, alias="schema")
    """The file of a JSON Schema that the payload must fit."""
    duplicate_keys: Literal["refuse", "last"] = "refuse"
    """What becomes of an object that has a key twice."""
    gzip: bool = False
    """Whether senders may compress the body."""
    max_bytes: int = Field(default=SIZE_LIMIT, gt=0)
    """The most bytes that a body may have."""
    idempotency: Idempotency = Idempotency()
    """What else tells that a message was sent before."""
    ack: Literal["ok", "accepted"] = "ok"
    """How a message is acknowledged: 200 with {}, or 202 with its ids."""
    reply: Literal["at_once", "after_run"] = "at_once"
    """Whether the sender is answered when the message is kept, or when it was processed."""
    reply_timeout: Length = Field(default="30 seconds", validate_default=True)
    """How long a sender waits for the run before it is told that the run goes on."""
    enabled: bool = True
    """Whether it takes messages."""

    @model_validator(mode="after")
    def _can_match(self) -> Self:
        for key in ("include", "exclude"):
            try:
                Filter(getattr(self, key), what="it")
            except InputError as error:
                message = error.message.removeprefix("include of it ")
                raise wrong_at((key, wrong(Code.WRONG_VALUE, message, "Correct the filter."))) from None
        if not self.filter.can_match(accept=self.accept):
            key = "include" if self.include is not None else "exclude"
            fix = "Take out of exclude what include asks for, or say accept: any if payloads may be lists."
            raise wrong_at((key, wrong(Code.FILTER_NEVER_MATCHES, "lets no payload through", fix)))
        return self

    @property
    def filter(self) -> Filter:
        """What payloads it takes."""
        return Filter(self.include, self.exclude)


class Cron(Part):
    """A clock."""

    expression: CronExpression = Field(alias="cron")
    """When: minute, hour, day of the month, month, day of the week."""
    timezone: Timezone = "UTC"
    """The zone that the times are of."""
    overlap: Literal["skip", "queue"] = "skip"
    """What becomes of a time at which the run before is not done."""
    catch_up: Literal["latest", "none"] = "latest"
    """What becomes of times that were missed: one run for all of them, or none."""
    enabled: bool = True
    """Whether the clock runs."""


class Upstream(Part):
    """Another workflow, and how its run has to end."""

    choice = ("success", "failure")

    success: Name | None = None
    """The workflow that has to succeed, at least in part."""
    failure: Name | None = None
    """The workflow that has to fail."""


class After(Part):
    """The end of a run of another workflow."""

    upstream: Upstream = Field(alias="after")
    """Which workflow, and how its run has to end."""
    enabled: bool = True
    """Whether it starts anything."""

    @property
    def success(self) -> str | None:
        """The workflow that has to succeed."""
        return self.upstream.success

    @property
    def failure(self) -> str | None:
        """The workflow that has to fail."""
        return self.upstream.failure

    @property
    def workflow(self) -> str:
        """The workflow whose end it waits for."""
        return self.success or self.failure or ""


def _kind(given: Any) -> str | None:
    keys = given if isinstance(given, dict) else ()
    return next((f"({key})" for key in _KINDS if key in keys), None)


_KINDS = ("webhook", "cron", "after")
_NO_KIND = none_of(_KINDS)

Trigger = Annotated[
    Annotated[Webhook, Tag("(webhook)")] | Annotated[Cron, Tag("(cron)")] | Annotated[After, Tag("(after)")],
    Discriminator(
        _kind,
        custom_error_type=_NO_KIND.type,
        custom_error_message=_NO_KIND.message_template,
        custom_error_context=_NO_KIND.context,
    ),
]
"""What starts a workflow."""
