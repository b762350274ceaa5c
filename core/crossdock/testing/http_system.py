"""HttpSystem: an HTTP API that answers as a test says, and keeps what it was asked."""

import json as json_text
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from crossdock.filter import contains

if TYPE_CHECKING:
    from pytest_httpserver import HTTPServer
    from werkzeug import Request, Response

_ANY: Any = object()


@dataclass(frozen=True)
class HttpRequest:
    """A request that came: its query without what is repeated is text by name, and its headers have small letters."""

    method: str
    path: str
    query: Mapping[str, Any]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """Its body, read as JSON."""
        return json_text.loads(self.body)

    @property
    def text(self) -> str:
        """Its body as text."""
        return self.body.decode()

    def __str__(self) -> str:
        asked = "&".join(f"{name}={value}" for name, value in self.query.items())
        return f"{self.method} {self.path}{'?' if asked else ''}{asked}"


@dataclass(frozen=True)
class _Answer:
    json: Any
    status: int
    text: str | None
    headers: Mapping[str, str]

    def to(self, request: HttpRequest) -> "Response":
        from werkzeug import Response

        if self.json is _ANY:
            return Response(self.text or "", self.status, dict(self.headers))
        value = self.json(request) if callable(self.json) else self.json
        return Response(json_text.dumps(value), self.status, {"content-type": "application/json", **self.headers})


@dataclass
class Exchange:
    """What requests are answered, and how; ``requests`` are those that were."""

    method: str
    path: str | re.Pattern[str]
    query: Mapping[str, Any]
    headers: Mapping[str, str]
    json: Any
    requests: list[HttpRequest] = field(default_factory=list)
    _answers: list[_Answer] = field(default_factory=list)

    def answer(
        self,
        json: Any = _ANY,
        *,
        status: int = 200,
        text: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Self:
        """Answer the next of these requests; the last answer is for all that follow.

        Args:
            json: What the body says, or a function of the request that gives it.
            status: The status.
            text: A body that is no JSON.
            headers: More headers.
        """
        self._answers.append(_Answer(json, status, text, headers or {}))
        return self

    def fits(self, request: HttpRequest) -> bool:
        """Tell whether a request is one of these."""
        same = request.path == self.path if isinstance(self.path, str) else bool(self.path.fullmatch(request.path))
        return (
            same
            and request.method == self.method
            and all(request.query.get(name) == _texts(value) for name, value in self.query.items())
            and all(request.headers.get(name.lower()) == value for name, value in self.headers.items())
            and (self.json is _ANY or contains(_json_of(request), self.json))
        )

    def reply(self, request: HttpRequest) -> "Response":
        """Give the answer to the next request."""
        number = len(self.requests)
        self.requests.append(request)
        answers = self._answers or [_Answer(_ANY, 204, None, {})]
        return answers[min(number, len(answers) - 1)].to(request)

    def __str__(self) -> str:
        path = self.path if isinstance(self.path, str) else self.path.pattern
        wanted = {"query": dict(self.query), "headers": list(self.headers)}
        return f"{self.method} {path}" + "".join(f" {name} {value}" for name, value in wanted.items() if value)


class HttpSystem:
    """An HTTP API that answers as a test says, and keeps what it was asked.

    Args:
        server: The server that it is, with no handlers.

    Example:
        >>> with http_system() as system:
        ...     _ = system.on("GET", "/people", query={"page": 1}).answer([{"id": 7}])
        ...     system.credential("acme", token="…")["adaptor"]
        'acme'
    """

    def __init__(self, server: "HTTPServer") -> None:
        self.url = server.url_for("").rstrip("/")
        """Its base URL."""
        self.requests: list[HttpRequest] = []
        """All requests, in the order in which they came."""
        self.unexpected: list[HttpRequest] = []
        """Those that nothing was said about; they were answered with 501."""
        self._exchanges: list[Exchange] = []
        server.expect_request(re.compile("")).respond_with_handler(self._respond)

    def on(
        self,
        method: str,
        path: str | re.Pattern[str],
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = _ANY,
    ) -> Exchange:
        """Say which requests are answered; ``.answer(…)`` says how, and where several fit, the newest counts.

        Args:
            method: Their method.
            path: Their whole path, or a pattern that fits it.
            query: Parameters that they have; a list is one that is repeated. There may be more.
            headers: Headers that they have, among others.
            json: What their JSON body contains: of an object some keys, of a list some items.
        """
        exchange = Exchange(method, path, query or {}, headers or {}, json)
        self._exchanges.insert(0, exchange)
        return exchange

    def credential(self, adaptor: str = "http", **fields: Any) -> dict[str, Any]:
        """Give the entry of a credential for it; the fields are more of its own."""
        return {"adaptor": adaptor, "base_url": self.url, **fields}

    def check(self) -> None:
        """Fail if there were requests that nothing was said about.

        Raises:
            AssertionError: There were; it lists them, and what was expected.
        """
        if not self.unexpected:
            return
        came = "".join(f"\n  {request}" for request in self.unexpected)
        known = "".join(f"\n  {exchange}" for exchange in reversed(self._exchanges)) or " nothing"
        raise AssertionError(f"requests came that nothing was said about:{came}\nwhat is answered:{known}")

    def _respond(self, asked: "Request") -> "Response":
        from werkzeug import Response

        query = {name: values[0] if len(values) == 1 else values for name, values in asked.args.lists()}
        headers = {name.lower(): value for name, value in asked.headers.items()}
        request = HttpRequest(asked.method, asked.path, query, headers, asked.get_data())
        self.requests.append(request)
        exchange = next((exchange for exchange in self._exchanges if exchange.fits(request)), None)
        if exchange is not None:
            return exchange.reply(request)
        self.unexpected.append(request)
        return Response(f"nothing was said about {request}", status=501)


@contextmanager
def http_system() -> Iterator[HttpSystem]:
    """Run an HTTP API on a port of its own; at the end it checks that nothing else was asked.

    Raises:
        AssertionError: There were requests that nothing was said about.
    """
    from pytest_httpserver import HTTPServer

    with HTTPServer(host="127.0.0.1", port=0, threaded=True) as server:
        system = HttpSystem(server)
        yield system
        system.check()


def _texts(value: Any) -> Any:
    """Give what a query parameter looks like to a server."""
    return [str(item) for item in value] if isinstance(value, list) else str(value)


def _json_of(request: HttpRequest) -> Any:
    try:
        return request.json
    except ValueError:
        return _ANY
