"""FakeDhis2: the HTTP server, who may come in, and where requests go."""

import json
import threading
from base64 import b64decode
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_RDWR
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from crossdock_dhis2.testing import aggregate, legacy, metadata, tracker
from crossdock_dhis2.testing.protocol import Object, Request, Response, message, not_found
from crossdock_dhis2.testing.store import Store

LOGIN_PAGE = "<!DOCTYPE html><html><title>DHIS2</title><form action='login'></form></html>"


class FakeDhis2:
    """A DHIS2 for tests: a real HTTP server that behaves as the documentation of DHIS2 says.

    It validates what is imported, keeps it, and reports as the version does: since 2.38 conflicts
    are HTTP 409, and since 2.41 the pager is an object; up to 2.41 the old tracker endpoints exist.

    Args:
        version: Which DHIS2 this is, from 2.35 to 2.42.
        context: The path below which the instance is, such as ``/dhis``.

    Example:
        >>> with FakeDhis2() as fake:
        ...     fake.add("organisationUnits", {"id": "DiszpKrYNg8", "code": "KSM-01", "name": "Kisumu"})
        ...     sorted(fake.credential)
        ['adaptor', 'base_url', 'pat']
    """

    def __init__(self, version: str = "2.42", *, context: str = "") -> None:
        self.version = version
        self.store = Store()
        self.requests: list[Request] = []
        """Every request that arrived, in order."""
        self.users = {"admin": "district"}
        self.tokens = {"d2pat_of_a_fake_DHIS2"}
        self.before: Callable[[Request], Response | None] = lambda _: None
        """Called with each request; what it gives is the answer, None lets DHIS2 answer."""
        self._context = context
        self._server: ThreadingHTTPServer | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True, name="fake dhis2").start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    @property
    def url(self) -> str:
        """Where the instance is."""
        assert self._server is not None, "use FakeDhis2 in a with statement"  # noqa: S101 - a tool of tests
        return f"http://127.0.0.1:{self._server.server_port}{self._context}"

    @property
    def credential(self) -> dict[str, Any]:
        """The credential of a job that uses it."""
        return {"adaptor": "dhis2", "base_url": self.url, "pat": min(self.tokens)}

    def add(self, resource: str, *objects: Object) -> None:
        """Put objects in, as they are: metadata, or ``events`` and the like."""
        self.store.add(resource, *objects)

    def fail(
        self, status: int, body: Any = None, *, times: int = 1, headers: Mapping[str, str] | None = None, **wanted: Any
    ) -> None:
        """Answer some requests with an error, as what stands before a DHIS2 does.

        Args:
            status: The status; 0 closes the connection without an answer.
            body: JSON, or text such as an HTML page.
            times: How many requests.
            headers: More headers.
            wanted: Which ones: ``method``, ``path`` (its end), and query parameters.
        """
        left = [times]

        def before(request: Request) -> Response | None:
            if not left[0] or not _is_wanted(request, wanted):
                return None
            left[0] -= 1
            return Response(status, body, headers or {})

        self.before = before

    def restart(self) -> None:
        """Forget what is only in memory: the import jobs and their reports."""
        self.store.jobs.clear()

    def answer(self, request: Request) -> Response:
        """Answer a request."""
        with self._lock:
            self.requests.append(request)
            forced = self.before(request)
            return forced if forced is not None else self._routed(request)

    def _routed(self, request: Request) -> Response:
        path = request.path.removeprefix(self._context)
        if not request.path.startswith(f"{self._context}/api"):
            return _page(request, self._context)
        user = self._user(request.headers.get("authorization", ""))
        if user is None:
            return message(401, "Unauthorized")
        parts = [part for part in path.split("/") if part][1:]
        if parts and parts[0].isdigit():
            newest = int(self.version.partition(".")[2])
            if not newest - 2 <= int(parts.pop(0)) <= newest:
                return message(404, "No handler found for this version")
        if parts == ["me"]:
            return Response(200, _me(user, float(self.version)))
        return self._resource(request, parts) if parts else not_found("/api")

    def _user(self, authorization: str) -> str | None:
        """Give who may come in; tokens are those of the first user."""
        scheme, _, given = authorization.partition(" ")
        if scheme == "ApiToken":
            return next(iter(self.users), "admin") if given in self.tokens else None
        if scheme != "Basic":
            return None
        user, _, password = b64decode(given).decode().partition(":")
        return user if self.users.get(user) == password else None

    def _resource(self, request: Request, parts: list[str]) -> Response:
        name, rest, version = parts[0].removesuffix(".json"), parts[1:], float(self.version)
        if name == "tracker" and version >= 2.36:
            return self._tracker(request, rest, version)
        if name in legacy.KINDS and version < 2.42:
            return legacy.answer(self.store, request, name, rest)
        if name == "dataValueSets" and request.method in ("GET", "POST"):
            post = request.method == "POST"
            return aggregate.post(self.store, request, version) if post else aggregate.get(self.store, request)
        if name == "metadata" and request.method == "POST":
            return metadata.imported(self.store, request, version)
        if name == "system":
            return self._system(rest)
        if name in ("resources", "schemas"):
            return metadata.resources() if name == "resources" else metadata.schemas()
        if name == "analytics":
            return metadata.analytics(self.store, request)
        return self._metadata(request, name, rest)

    def _tracker(self, request: Request, rest: list[str], version: float) -> Response:
        if request.method == "POST" and not rest:
            return tracker.post(self.store, request, version)
        if rest[:1] == ["jobs"]:
            return tracker.job(self.store, rest[1:])
        return tracker.get(self.store, request, rest, version) if rest else not_found("tracker")

    def _system(self, rest: list[str]) -> Response:
        if rest[:1] == ["tasks"]:
            return Response(200, tracker.job_log(self.store, rest[-1]))
        if rest[:1] == ["taskSummaries"]:
            job = self.store.jobs.get(rest[-1])
            return Response(200, job.report if job is not None else None)
        return Response(200, {"version": f"{self.version}.0"})

    def _metadata(self, request: Request, name: str, rest: list[str]) -> Response:
        if name not in metadata.SCHEMAS and name not in self.store.metadata:
            return not_found(name)
        match request.method, len(rest):
            case "GET", 0:
                return metadata.listed(self.store, request, name)
            case "GET", 1:
                return metadata.one(self.store, name, rest[0])
            case "POST", 0:
                return metadata.create(self.store, request, name)
            case "PUT", 1:
                return metadata.replace(self.store, request, name, rest[0])
            case "PATCH", 1:
                return metadata.patch(self.store, request, name, rest[0])
            case "DELETE", 1:
                return metadata.delete(self.store, name, rest[0])
        return message(405, "Method not allowed")


def _me(user: str, version: float) -> Object:
    """Describe the user, as this version does."""
    return {"username": user} if version >= 2.38 else {"userCredentials": {"username": user}}


def _page(request: Request, context: str) -> Response:
    """Lead who asks outside the API to the start page, and show it."""
    if request.path == f"{context}/":
        return Response(200, LOGIN_PAGE)
    return Response(301, "", {"location": f"{context}/"})


def _is_wanted(request: Request, wanted: Mapping[str, Any]) -> bool:
    method, path = wanted.get("method", request.method), wanted.get("path", "")
    query = {name: value for name, value in wanted.items() if name not in ("method", "path")}
    named = all(request.asked(name) == str(value) for name, value in query.items())
    return request.method == method and request.path.endswith(path) and named


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


def _handler(fake: FakeDhis2) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            query = parse_qs(url.query, keep_blank_values=True)
            body = json.loads(raw) if raw and "json" in headers.get("content-type", "") else None
            response = fake.answer(Request(self.command, url.path, query, headers, body))
            if response.status == 0:
                self.close_connection = True
                self.connection.shutdown(SHUT_RDWR)
                return
            self._send(response)

        do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the names that the base class calls

        def _send(self, response: Response) -> None:
            text = isinstance(response.body, str)
            content = response.body.encode() if text else json.dumps(response.body).encode()
            content = b"" if response.status == 204 or (response.body is None and response.status != 200) else content
            self.send_response(response.status)
            given = {"Content-Type": "text/html" if text else "application/json", **response.headers}
            for name, value in {**given, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Keep quiet."""

    return Handler
