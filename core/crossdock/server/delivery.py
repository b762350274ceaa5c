"""Delivery: a request whose body is there, and the message that it becomes."""

from typing import NamedTuple

from crossdock.server.address import Address, runs_of
from crossdock.server.authentication import authenticate, challenge, doubt
from crossdock.server.errors import RequestError
from crossdock.server.headers import Headers, describe_request, only_value
from crossdock.store.records import NewMessage
from crossdock.traceparent import HEADER, Traceparent


class Delivery(NamedTuple):
    """A request to the inbox."""

    path: str
    query: bytes
    headers: Headers
    body: bytes = b""
    now: float = 0
    """The time, in seconds since 1970."""

    def is_allowed(self, address: Address) -> bool:
        """Tell whether its sender may send to an address; where no method is set, nobody has proved anything."""
        return authenticate(address.methods, self.headers, self.body, now=self.now) is not None

    def doubt(self, address: Address) -> str:
        """Say for the operator why it may not be sent to an address."""
        return doubt(address.methods, self.headers, self.body, now=self.now)

    def message(self, address: Address, version: str) -> NewMessage:
        """Give the message that is kept of it.

        Args:
            address: Where it came in; its sender is allowed to.
            version: That of the project.

        Raises:
            RequestError: It is not what the address accepts.
        """
        payload = address.read(self.body, self.headers)
        request = describe_request("POST", self.path, self.query, self.headers, secret=address.secret_headers)
        kind = only_value(self.headers, b"content-type") or b""
        return NewMessage(
            source=address.name,
            body=self.body,
            runs=runs_of(address.targets, payload, request, version),
            content_type=kind.decode("latin-1"),
            headers=_trace(self.headers),
            request=request,
            idempotency_key=address.id_of(payload, self.headers),
            idempotency_window=address.id_window,
        )


def _trace(headers: Headers) -> list[tuple[str, str]]:
    """Give the trace that a message is part of; one that is not as it should be is left, and a new one begun."""
    given = any(name.lower() == HEADER.encode() for name, _ in headers)
    value = (only_value(headers, HEADER.encode()) or b"").decode("latin-1")
    return [(HEADER, str(Traceparent.read(value) or Traceparent.new()))] if given else []


def unauthorized(address: Address) -> RequestError:
    """Give the refusal of who has not proved to be allowed: the same for all reasons."""
    message = "the credentials of the request are missing or wrong"
    fix = "Send the key, password or signature that this address asks for."
    return RequestError(401, "unauthorized", message, fix=fix, headers={"www-authenticate": challenge(address.methods)})
