"""Address: where messages of a webhook arrive, on which terms, and what they start."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal, NamedTuple

from crossdock.common.paths import value_at
from crossdock.common.validation import validate
from crossdock.errors import JobError
from crossdock.filter import Accept, Filter
from crossdock.server.authentication import Method
from crossdock.server.body import read_body, unpack_body
from crossdock.server.errors import RequestError
from crossdock.server.headers import Headers, only_value
from crossdock.state import SIZE_LIMIT, State
from crossdock.store.records import NewRun

_IDS = (b"webhook-id", b"idempotency-key")
"""The headers in which senders say which message this is, whatever the trigger says."""


class Target(NamedTuple):
    """A workflow that messages start."""

    workflow: str
    trigger: str
    filter: Filter = Filter()
    """Which messages."""
    most_attempts: int = 3
    serialize_by: str | None = None
    """The path to what a message is about; runs about the same go one after another."""


class Address(NamedTuple):
    """Where messages of a webhook arrive, and on which terms."""

    name: str
    """The last part of its address: ``/inbox/NAME``."""
    targets: Sequence[Target] = ()
    methods: Mapping[str, Method] = {}
    """Who may send; without any, anybody."""
    accept: Accept = "object"
    duplicate_keys: Literal["refuse", "last"] = "refuse"
    xml: bool = False
    """Whether XML is accepted besides JSON."""
    gzip: bool = False
    max_bytes: int = SIZE_LIMIT
    schema: Any = None
    """The JSON Schema that payloads must fit."""
    id_path: str | None = None
    """The path in the payload to what no other message has."""
    id_header: str | None = None
    """The header that holds what no other message has."""
    id_window: timedelta | None = None
    """How long that is remembered; None for as long as the message is."""
    ack: Literal["ok", "accepted"] = "ok"
    reply: Literal["at_once", "after_run"] = "at_once"
    reply_seconds: float = 30
    """How long a sender waits for the runs of its message."""
    enabled: bool = True

    @property
    def secret_headers(self) -> frozenset[str]:
        """The headers in which senders prove who they are."""
        return frozenset[str]().union(*(method.secret_headers for method in self.methods.values()))

    @property
    def signs_body(self) -> bool:
        """Whether the body is needed to tell who may send."""
        return any(method.signs_body for method in self.methods.values())

    def read(self, body: bytes, headers: Headers) -> Any:
        """Read the payload of a message.

        Args:
            body: The body as it came.
            headers: ``Content-Type`` and ``Content-Encoding``; others don't matter.

        Raises:
            RequestError: It is not what this address accepts.

        Example:
            >>> Address("visits").read(b'{"form": "visit"}', [(b"Content-Type", b"application/json")])
            {'form': 'visit'}
        """
        unpacked = unpack_body(body, only_value(headers, b"content-encoding"), gzip=self.gzip, limit=self.max_bytes)
        kind = only_value(headers, b"content-type")
        payload = read_body(unpacked, kind, accept=self.accept, duplicate_keys=self.duplicate_keys, xml=self.xml)
        if self.schema is not None:
            _check(payload, self.schema)
        return payload

    def id_of(self, payload: Any, headers: Headers) -> str | None:
        """Give what tells a message from all others, if its sender says so.

        What the trigger names comes first, then the header ``webhook-id``, then ``Idempotency-Key``.

        Example:
            >>> Address("visits", id_path="visit.id").id_of({"visit": {"id": 7}}, [])
            'visit.id: 7'
        """
        found = None if self.id_path is None else value_at(payload, self.id_path)
        if found is not None:
            return f"{self.id_path}: {json.dumps(found, sort_keys=True)}"
        own = [self.id_header.lower().encode()] if self.id_header else []
        for name in (*own, *_IDS):
            if value := only_value(headers, name):
                return f"{name.decode()}: {value.decode('latin-1')}"
        return None


def runs_of(targets: Iterable[Target], payload: Any, request: Mapping[str, Any], version: str) -> list[NewRun]:
    """Give the runs that a message starts.

    Args:
        targets: What it may start.
        payload: What came.
        request: What ``state.request`` will hold.
        version: That of the project.

    Example:
        >>> [run.workflow for run in runs_of([Target("load", "form")], {"form": "visit"}, {}, "v1")]
        ['load']
    """
    state = {"data": payload, "request": request}
    return [
        NewRun(target.workflow, target.trigger, version, target.most_attempts, _subject(state, target))
        for target in targets
        if target.filter.holds(payload)
    ]


def _subject(state: Mapping[str, Any], target: Target) -> str | None:
    """Give what a message is about, as text."""
    found = None if target.serialize_by is None else value_at(state, target.serialize_by)
    return None if found is None else json.dumps(found, sort_keys=True)


def _check(payload: Any, schema: Any) -> None:
    try:
        validate(schema)(State(data=payload))
    except JobError as error:
        raise RequestError(
            400, "invalid_payload", error.message, fix="Correct what is listed.", **error.details
        ) from None
