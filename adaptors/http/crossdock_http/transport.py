"""Transport: one request sent and its reply read, with errors of ours that tell no secret."""

import logging
import ssl
import threading
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol, Self
from urllib.parse import urlsplit

from crossdock import AdaptorError, UnknownOutcomeError

from crossdock_http.address import origin, shown
from crossdock_http.configuration import HttpConfiguration
from crossdock_http.connections import Pools
from crossdock_http.content import Part, Request
from crossdock_http.deadline import Deadline
from crossdock_http.encoding import ACCEPTED, EncodingError, decoded
from crossdock_http.errors import (
    DeadlineError,
    HttpConnectionError,
    HttpError,
    NoAnswerError,
    RedirectError,
    ResponseTooLargeError,
    TlsError,
    TruncatedAnswerError,
)
from crossdock_http.library import httpcore, httpx
from crossdock_http.reply import Live, Reply

_CHUNK = 65536
_FIX_ENCODING = "Check what the system sends; ask for it plain: headers={'Accept-Encoding': 'identity'}."
_CONNECT = 10.0
"""Seconds that a connection may take; it is tried again while the deadline lasts."""

_logger = logging.getLogger("crossdock.http")


class Exchange(Protocol):
    """What sends requests: a network, or the record of an earlier run."""

    def send(self, request: Request, deadline: Deadline, *, live: bool = False) -> Reply:
        """Send a request once and give its reply, read to its end unless it is to be ``live``."""

    def log_in(self, request: Request, deadline: Deadline) -> Reply:
        """Send a request whose reply is a token."""


class Transport:
    """Sends requests over the network with the credentials of one system.

    Args:
        configuration: What the credential holds.
    """

    def __init__(self, configuration: HttpConfiguration) -> None:
        self._configuration = configuration
        self._origin = origin(configuration.base_url) if configuration.base_url is not None else None
        self._open = ExitStack()
        self._digests = threading.local()

    def __enter__(self) -> Self:
        pools = Pools(self._configuration)
        policy = DefaultCookiePolicy(allowed_domains=None if self._configuration.keep_cookies else ())
        # Another origin never sees the cookies of the system's own.
        self._own = self._open.enter_context(_client(pools, CookieJar(policy)))
        self._foreign = self._open.enter_context(_client(pools, CookieJar(DefaultCookiePolicy(allowed_domains=()))))
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def send(self, request: Request, deadline: Deadline, *, live: bool = False) -> Reply:
        """Send a request once.

        Args:
            request: What to send.
            deadline: Until when the reply must have been read; until its head came if it is live.
            live: Whether the body of a success is left to be read bit by bit.
        """
        started = perf_counter()
        with _mapped(request, deadline), ExitStack() as stack:
            response = self._response(request, deadline, stack)
            head = (request.method, shown(request.url), response.status_code, response.reason_phrase)
            headers = dict(response.headers)
            if live and response.is_success:
                left = stack.pop_all()
                body = Live(_chunks(request, deadline, response), left.close)
                return Reply(*head, headers, b"", perf_counter() - started, body)
            content = _read(request, response, self._configuration.max_response_bytes)
        reply = Reply(*head, headers, content, perf_counter() - started)
        _logger.debug("%s: %s in %.3f s", request, reply.status, reply.duration)
        return reply

    def log_in(self, request: Request, deadline: Deadline) -> Reply:
        """Send a request for a token; to the network it is one like any other."""
        return self.send(request, deadline)

    def _response(self, request: Request, deadline: Deadline, stack: ExitStack) -> httpx.Response:
        ours = origin(request.url) == self._origin
        client = self._own if ours else self._foreign
        built = client.build_request(
            request.method,
            request.url,
            headers=request.headers,
            **_body(request.body, stack),
            extensions={"timeout": _timeouts(deadline)},
        )
        response = client.send(built, auth=self._digest() if ours and request.login else None, stream=True)
        stack.callback(response.close)
        return response

    def _digest(self) -> httpx.Auth | None:
        """Give what answers digest challenges; each thread counts its own nonces."""
        known = self._configuration
        if known.auth != "digest" or known.username is None or known.password is None:
            return None
        if not hasattr(self._digests, "auth"):
            self._digests.auth = _Digest(known.username, known.password.get_secret_value())
        auth: httpx.Auth = self._digests.auth
        return auth


class _Digest(httpx.DigestAuth):
    """Answers digest challenges (RFC 7616); one that can't be answered is an error of ours."""

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send a request, and again with the digest if that is asked for."""
        try:
            yield from super().auth_flow(request)
        except (KeyError, ValueError, NotImplementedError, httpx.ProtocolError) as error:
            raise HttpError(
                f"{request.method} {shown(str(request.url))} asks for a digest that can't be made",
                fix="Look at its WWW-Authenticate header: MD5, SHA-256 and SHA-512 with qop=auth are known.",
            ) from error


def _client(transport: httpx.BaseTransport, cookies: CookieJar) -> httpx.Client:
    # The environment is not asked: a run depends on its credentials alone.
    return httpx.Client(
        transport=transport,
        follow_redirects=False,
        trust_env=False,
        cookies=cookies,
        headers={"accept-encoding": ACCEPTED},
    )


def _timeouts(deadline: Deadline) -> dict[str, Any]:
    """Give the timeouts of a request in httpcore's form; our streams understand a deadline there."""
    left = max(deadline.left(), 0.001)
    return {"connect": min(left, _CONNECT), "read": deadline, "write": deadline, "pool": left}


def _body(body: bytes | tuple[Part, ...] | None, stack: ExitStack) -> dict[str, Any]:
    if not isinstance(body, tuple):
        return {"content": body}
    return {"files": [(part.name, _form_part(part, stack)) for part in body]}


def _form_part(part: Part, stack: ExitStack) -> tuple[Any, ...]:
    content = stack.enter_context(part.content.open("rb")) if isinstance(part.content, Path) else part.content
    return (part.filename, content) if part.type is None else (part.filename, content, part.type)


def _read(request: Request, response: httpx.Response, limit: int) -> bytes:
    """Read a body, no more than the limit."""
    body = bytearray()
    for chunk in decoded(response.iter_raw(), response.headers.get("content-encoding", "")):
        body += chunk
        if len(body) > limit:
            raise too_large(request, limit)
    return bytes(body)


def _chunks(request: Request, deadline: Deadline, response: httpx.Response) -> Iterator[bytes]:
    """Give a body as it comes; the deadline holds for each silence, not for the time that the job takes."""
    with _mapped(request, deadline):
        yield from decoded(_renewing(deadline, response.iter_raw()), response.headers.get("content-encoding", ""))


def _renewing(deadline: Deadline, chunks: Iterator[bytes]) -> Iterator[bytes]:
    deadline.renew()
    for chunk in chunks:
        yield chunk
        deadline.renew()


def too_large(request: Request, limit: int) -> AdaptorError:
    """Give the error of an answer over the limit; a write that was answered may have happened."""
    kind = ResponseTooLargeError if request.reads else UnknownOutcomeError
    return kind(f"{request} answered more than {limit} bytes", fix=ResponseTooLargeError.fix)


@contextmanager
def _mapped(request: Request, deadline: Deadline) -> Iterator[None]:
    """Turn what httpx and httpcore raise into our errors, without URLs' secrets."""
    try:
        yield
    except (httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.PoolTimeout, httpcore.ProxyError) as error:
        raise _no_connection(request, error) from error
    except (httpcore.LocalProtocolError, httpx.LocalProtocolError, httpx.InvalidURL, httpcore.UnsupportedProtocol) as e:
        raise HttpError(
            f"{request} can't be sent ({type(e).__name__})", fix="Check the URL, the headers and the body."
        ) from e
    except httpcore.TimeoutException as error:
        raise _unanswered(request, DeadlineError, f"no whole answer within {deadline.seconds:g} s") from error
    except httpx.RemoteProtocolError as error:  # httpx itself has this for the Location of a redirect only
        raise RedirectError(f"{request} was redirected to something that is no URL") from error
    except (httpcore.RemoteProtocolError, httpcore.NetworkError, httpx.TransportError) as error:
        if _wants_certificate(error):
            raise _no_connection(request, error) from error
        broke_off = "complete message body" in str(error) or "incomplete chunked read" in str(error)
        kind = TruncatedAnswerError if broke_off else NoAnswerError
        raise _unanswered(request, kind, f"no whole answer ({type(error).__name__})") from error
    except EncodingError as error:
        broken = HttpError if request.reads else UnknownOutcomeError
        raise broken(f"{request} answered in an encoding that can't be undone: {error}", fix=_FIX_ENCODING) from error


def _wants_certificate(error: Exception) -> bool:
    """Tell whether a server refused us for our certificate: with TLS 1.3 it says so after the handshake."""
    reason = getattr(error.__context__, "reason", None)
    return isinstance(error.__context__, ssl.SSLError) and "CERTIFICATE" in str(reason)


def _no_connection(request: Request, error: Exception) -> HttpConnectionError:
    """Give the error of a connection that did not come about: nothing was sent."""
    host = urlsplit(request.url)
    reason = error.__cause__ or error.__context__ or error  # the pool of httpcore drops the cause
    if isinstance(reason, ssl.SSLError):
        why = getattr(reason, "verify_message", None) or reason.reason or type(reason).__name__
        return TlsError(f"{request}: no secure connection: {why}")
    if isinstance(error, httpcore.ProxyError):
        return HttpConnectionError(
            f"{request}: the proxy answered {error}",
            fix="Check the proxy of the credential, and its user and password.",
            transient=False,
        )
    what = f"no connection to {host.hostname}:{host.port or (443 if host.scheme == 'https' else 80)}"
    return HttpConnectionError(f"{request}: {what} ({type(reason).__name__})")


def _unanswered(request: Request, kind: type[NoAnswerError], what: str) -> AdaptorError:
    """Give the error of a request that was sent and not answered: a write may have happened."""
    if request.reads:
        return kind(f"{request}: {what}")
    return UnknownOutcomeError(f"{request} was sent, and {what} came", reason=kind.code)
