"""HTTP/1.1 for strangers: uvicorn's own protocol, with the deadlines and limits that it lacks.

A sender has a time for its headers and a rate for its body. Requests of which two servers could see
different ends are refused (RFC 9112, 11.2), as are headers over a size. Whoever is refused is told
why in JSON, and its connection closes: nothing that it sent afterwards is taken for a request.
"""

import asyncio
import json
import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Any, ClassVar, NamedTuple, cast

import h11
from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol

from crossdock.server.errors import RequestError

_logger = logging.getLogger(__name__)


class Limits(NamedTuple):
    """What a connection may take."""

    header_seconds: float = 10
    """How long it may take until the headers of a request are there."""
    body_seconds: float = 30
    """How long a body may take in any case."""
    body_rate: int = 1024
    """How many bytes a second of a body must come, when it takes longer."""
    line_bytes: int = 8 * 1024
    """How long the line with method and address may be."""
    header_bytes: int = 16 * 1024
    """How much the line and all headers may have together."""
    headers: int = 100
    """How many headers there may be."""
    connections: int = 1000
    """How many connections may be open at once."""


USUAL = Limits()

_LINGER_SECONDS = 1.0
_LINGER_BYTES = 64 * 1024
"""How long, and for how many bytes, a refused sender may go on: closed at once, it could miss the answer."""

_READ_BYTES = 64 * 1024
"""How much is read at a time: what comes after a limit is not read but for this."""

_WASTE = 4
"""How many bytes may be sent for one byte of a body, chunk sizes included."""

_FRAMING = (b"content-length", b"transfer-encoding")
_VERSIONS = (b" HTTP/1.1", b" HTTP/1.0")
_BLANK_LINE = re.compile(rb"\n\r?\n")
_QUOTED = re.compile(r":? (?:b['\"]|bytearray)")
_FIX_TIME = "Send the request without a pause, or in smaller parts."


class InboxProtocol(H11Protocol):
    """Serves one connection."""

    limits: ClassVar[Limits] = USUAL
    conn: "_Connection"
    transport: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conn = _Connection(self.limits)
        self.app = cast(Any, self._closing(cast(Any, self.app)))
        self._deadline: asyncio.TimerHandle | None = None
        self._body_started: float | None = None
        self._has_ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a connection, if there are not too many."""
        super().connection_made(cast(Any, _Lingering(cast(asyncio.Transport, transport), self)))
        if len(self.connections) > self.limits.connections:
            message = "too many connections are open"
            fix = "Send it again later."
            self._refuse(RequestError(503, "too_many_connections", message, fix=fix, retry_after=1))
        else:
            self._deadline = self.loop.call_later(self.limits.header_seconds, self._header_is_late)

    def data_received(self, data: bytes) -> None:
        """Take bytes; what comes after a refusal is thrown away."""
        if self.transport.is_closing():
            self.transport.drop(len(data))
            return
        super().data_received(data)
        self._watch()

    def eof_received(self) -> bool:  # type: ignore[override] # asyncio looks at what it gives
        """Refuse half a body; answer a whole request though nothing more will come."""
        self._has_ended = True
        if self.conn.their_state is h11.SEND_BODY and not self.transport.is_closing():
            message = "the body ended before it was complete"
            self._refuse(RequestError(400, "invalid_http", message, fix="Send the whole body."))
        if self.cycle is None or self.cycle.disconnected or self.cycle.response_complete:
            return False
        self.cycle.keep_alive = False
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_watch()
        self.transport.forget()
        if self.conn.their_state is h11.SEND_BODY:
            _logger.debug("a sender went away before the end of its body")
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Go on with the next request, unless the body of this one was not wanted."""
        super().on_response_complete()
        self._watch()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP: uvicorn calls this for all that h11 does not take."""
        self._refuse(self.conn.refusal or _not_http(msg))

    @staticmethod
    def on_refusal(status: int) -> None:
        """Take note of a refusal; ``configuration`` says how."""

    def is_read(self) -> bool:
        """Tell whether all was read that the sender will send for this request."""
        is_whole = self.conn.refusal is None and self.conn.their_state is not h11.SEND_BODY
        return is_whole or self._has_ended

    def _closing(self, app: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        """Wrap the application: an answer that comes before the end of the body is the last one."""

        async def run(scope: Any, receive: Any, send: Any) -> None:
            async def answer(message: Any) -> None:
                if message["type"] == "http.response.start" and not self.is_read():
                    message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
                await send(message)

            await app(scope, receive, answer)

        return run

    def _watch(self) -> None:
        """Set the deadline for what is awaited."""
        if self.transport.is_closing() or self.conn.their_state not in (h11.IDLE, h11.SEND_BODY):
            self._stop_watch()
        elif self.conn.their_state is h11.SEND_BODY and self._body_started is None:
            self._stop_watch()
            self._body_started = self.loop.time()
            self._deadline = self.loop.call_later(self.limits.body_seconds, self._body_may_be_late)
        elif self.conn.their_state is h11.IDLE and self._deadline is None and self.conn.has_begun:
            self._deadline = self.loop.call_later(self.limits.header_seconds, self._header_is_late)

    def _stop_watch(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self._body_started = None

    def _header_is_late(self) -> None:
        message = f"the headers took longer than {self.limits.header_seconds:g} s"
        self._refuse(RequestError(408, "timeout", message, fix=_FIX_TIME))

    def _body_may_be_late(self) -> None:
        """Refuse a body that comes too slowly; look again when it could have become so."""
        taken = self.loop.time() - (self._body_started or 0)
        allowed = self.conn.body_bytes / self.limits.body_rate
        if allowed > taken:
            self._deadline = self.loop.call_later(allowed - taken, self._body_may_be_late)
            return
        message = (
            f"the body took longer than {self.limits.body_seconds:g} s, at less than {self.limits.body_rate} bytes a s"
        )
        self._refuse(RequestError(408, "timeout", message, fix=_FIX_TIME))

    def _refuse(self, error: RequestError) -> None:
        """Answer with an error, if nothing was answered yet, and close."""
        self._stop_watch()
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._answer(error)
        self.transport.close()

    def _answer(self, error: RequestError) -> None:
        self.on_refusal(error.status)
        body = json.dumps(error.answer).encode()
        headers = {**error.headers, "content-type": "application/json", "content-length": str(len(body))}
        reason = HTTPStatus(error.status).phrase.encode()
        head = [*headers.items(), ("connection", "close")]
        has_body = self.conn.our_state is h11.IDLE or self.scope["method"] != "HEAD"
        self.transport.write(self.conn.send(h11.Response(status_code=error.status, headers=head, reason=reason)))
        self.transport.write(self.conn.send(h11.Data(data=body if has_body else b"")))
        self.transport.write(self.conn.send(h11.EndOfMessage()))


class _Connection(h11.Connection):
    """A parser that also refuses what is too large or ambiguous, and remembers why."""

    def __init__(self, limits: Limits) -> None:
        super().__init__(h11.SERVER, limits.header_bytes)
        self._limits = limits
        self.refusal: RequestError | None = None
        self.body_bytes = 0
        """How much of the body of the current request came."""
        self._raw_bytes = 0

    @property
    def has_begun(self) -> bool:
        """Whether a part of a request is there."""
        return bool(self.trailing_data[0])

    def receive_data(self, data: bytes) -> None:
        """Take bytes."""
        self._raw_bytes += len(data)
        super().receive_data(data)

    def next_event(self) -> Any:
        """Give what came next, or raise h11's error with ``refusal`` set."""
        try:
            if self.their_state is h11.IDLE:
                self._check_head(self.trailing_data[0])
            event = super().next_event()
            self._count(event)
        except RequestError as error:
            self.refusal = error
            raise h11.RemoteProtocolError(error.message, error.status) from None
        except h11.RemoteProtocolError as error:
            self.refusal = _not_http(str(error))
            raise
        return event

    def _count(self, event: Any) -> None:
        if isinstance(event, h11.Request):
            self.body_bytes, self._raw_bytes = 0, len(self.trailing_data[0])
        elif isinstance(event, h11.Data):
            self.body_bytes += len(event.data)
        elif self.their_state is h11.SEND_BODY and self._raw_bytes > _WASTE * self.body_bytes + _READ_BYTES:
            message = "the chunks of the body are too small"
            raise RequestError(400, "invalid_http", message, fix="Send larger chunks.")

    def _check_head(self, received: bytes) -> None:
        """Refuse a head, or the part of it that is there, for its size or for its framing."""
        end = _BLANK_LINE.search(received)
        lines = received[: end.start()].split(b"\n") if end else received.split(b"\n")
        limits = self._limits
        if len(lines[0]) > limits.line_bytes:
            message = f"the address is longer than {limits.line_bytes} bytes"
            raise RequestError(414, "uri_too_long", message, fix="Send the data in the body.")
        if len(received[: end.start()] if end else received) > limits.header_bytes:
            message = f"the headers have more than {limits.header_bytes} bytes"
            raise RequestError(431, "headers_too_large", message, fix="Send smaller headers.")
        if len(lines) - 1 > limits.headers:
            message = f"there are more than {limits.headers} headers"
            raise RequestError(431, "headers_too_large", message, fix="Send fewer headers.")
        if end:
            _check_framing(lines[1:])
            if not lines[0].rstrip(b"\r").endswith(_VERSIONS):
                raise _not_http("illegal request line")


def _check_framing(headers: list[bytes]) -> None:
    """Refuse a request whose end could be seen in two places."""
    fields = [line.partition(b":") for line in headers]
    framing = [value for name, _, value in fields if name.strip().lower() in _FRAMING]
    if len(framing) > 1 or b"," in b"".join(framing):
        message = "there is more than one Content-Length or Transfer-Encoding"
        raise RequestError(400, "invalid_http", message, fix="Send one Content-Length, or one Transfer-Encoding.")


def _not_http(reason: str) -> RequestError:
    """Say what h11 says, without what it quotes."""
    said = _QUOTED.split(reason)[0]
    fix = "Send the request with an HTTP library."
    return RequestError(400, "invalid_http", f"the request is no HTTP/1.1: {said}", fix=fix)


class _Lingering:
    """A transport that closes in two steps where the sender is still sending.

    A socket that is closed with unread bytes in it is reset, and a reset may reach the sender before
    the answer does (RFC 9112, 9.6).
    """

    def __init__(self, transport: asyncio.Transport, protocol: InboxProtocol) -> None:
        transport.max_size = _READ_BYTES  # type: ignore[attr-defined] # asyncio's own; other loops may not have it
        self._transport = transport
        self._protocol = protocol
        self._left = _LINGER_BYTES
        self._end: asyncio.TimerHandle | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        """Tell whether it is closed for what is above it."""
        return self._end is not None or self._transport.is_closing()

    def close(self) -> None:
        """Close; where bytes are still coming, send the answer first and wait a moment."""
        if self.is_closing():
            return
        if self._protocol.is_read() or not self._transport.can_write_eof():
            self._transport.close()
            return
        self._transport.write_eof()
        self._transport.resume_reading()
        self._end = self._protocol.loop.call_later(_LINGER_SECONDS, self._transport.close)

    def forget(self) -> None:
        """Let go of what is closed."""
        if self._end is not None:
            self._end.cancel()

    def drop(self, number: int) -> None:
        """Count bytes that nobody wants."""
        self._left -= number
        if self._left < 0:
            self._transport.close()


def configuration(
    app: Any,
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    limits: Limits = USUAL,
    trusted_proxies: Sequence[str] = (),
    on_refusal: Callable[[int], None] = InboxProtocol.on_refusal,
) -> Config:
    """Give the configuration with which uvicorn serves an application to strangers.

    Args:
        app: An ASGI application.
        host: The address to listen at.
        port: The port to listen at; 0 takes a free one.
        limits: What a connection may take.
        trusted_proxies: The addresses and networks of proxies that may say whom a request is from.
        on_refusal: Called with the status of each refusal of which the application never hears.

    Example:
        >>> from uvicorn import Server
        >>> server = Server(configuration(lambda scope, receive, send: None, port=0))
    """
    own = {"limits": limits, "on_refusal": staticmethod(on_refusal)}
    protocol = type(InboxProtocol.__name__, (InboxProtocol,), own)
    return Config(
        app,
        host=host,
        port=port,
        http=protocol,
        ws="none",
        loop="asyncio",
        log_config=None,
        access_log=False,  # its lines hold the query, which may hold a secret
        server_header=False,
        forwarded_allow_ips=list(trusted_proxies),
    )
