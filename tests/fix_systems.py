"""The systems that a job talks to: real HTTP servers that answer as the stubs of a case say."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

Described = dict[str, Any]
"""A request in the words of the cases: system, method, path, query, headers; and its body as text."""


class Systems:
    """HTTP servers, one for each system, each on an origin of its own."""

    def __init__(self) -> None:
        self.requests: list[Described] = []
        self.unanswered: list[Described] = []
        self._stubs: list[dict[str, Any]] = []
        self._put_off: Described | None = None
        self._addresses: dict[str, str] = {}
        self._servers = ExitStack()

    def address(self, name: str) -> str:
        """Give the base URL of a system; its server starts when somebody asks for it."""
        if name not in self._addresses:
            server = self._servers.enter_context(HTTPServer(host="127.0.0.1", port=0))
            server.expect_request(re.compile("")).respond_with_handler(self._handler(name))
            self._addresses[name] = server.url_for("").rstrip("/")
        return self._addresses[name]

    def answer_with(self, stubs: list[dict[str, Any]]) -> None:
        """Answer like this from now on, and forget what came before."""
        self._stubs = [{"times": float("inf"), **stub} for stub in stubs]
        self.requests, self.unanswered, self._put_off = [], [], None

    def stop(self) -> None:
        """Stop the servers."""
        self._servers.close()

    def _handler(self, system: str) -> Callable[[Request], Response]:
        return lambda request: self._answer(described(system, request))

    def _answer(self, request: Described) -> Response:
        if request != self._put_off:  # who is asked to come again, and does, has asked once
            self.requests.append(request)
        stub = next((stub for stub in self._stubs if stub["times"] > 0 and matches(stub["when"], request)), None)
        if stub is None:
            self.unanswered.append(request)
            return Response("no stub", status=501)
        stub["times"] -= 1
        self._put_off = request if asks_to_come_again(request, stub["respond"]) else None
        return response(stub["respond"])


def described(system: str, request: Request) -> Described:
    """Describe a request."""
    query = {name: values[0] if len(values) == 1 else values for name, values in request.args.lists()}
    return {
        "system": system,
        "method": request.method,
        "path": request.path,
        "query": query,
        "headers": {name.lower(): value for name, value in request.headers.items()},
        "body": request.get_data(as_text=True),
    }


def response(respond: Mapping[str, Any]) -> Response:
    """Make the answer that a stub describes."""
    headers = dict(respond.get("headers", {}))
    if "json" not in respond:
        return Response(respond.get("text", ""), status=respond["status"], headers=headers)
    headers = {"content-type": "application/json", **headers}
    return Response(json.dumps(respond["json"]), status=respond["status"], headers=headers)


def asks_to_come_again(request: Described, respond: Mapping[str, Any]) -> bool:
    """Tell whether an answer puts a reader off to a later time."""
    return (
        request["method"] == "GET" and respond["status"] in (429, 503) and "Retry-After" in respond.get("headers", {})
    )


def matches(when: Mapping[str, Any], request: Described) -> bool:
    """Tell whether a stub is for a request."""
    return (
        all(request[key] == when[key] for key in ("system", "method", "path") if key in when)
        and contains(request["query"], when.get("query", {}))
        and when.get("text_contains", "") in request["body"]
        and ("json_contains" not in when or contains(json_of(request), when["json_contains"]))
    )


def contains(value: Any, part: Any) -> bool:
    """Tell whether a value has a part: some keys of a mapping, the first items of a list."""
    if isinstance(part, dict):
        return isinstance(value, dict) and all(key in value and contains(value[key], part[key]) for key in part)
    if isinstance(part, list):
        return isinstance(value, list) and len(value) >= len(part) and all(map(contains, value, part))
    return bool(value == part)


def json_of(request: Described) -> Any:
    """Give the JSON that was sent, None if something else was."""
    return json.loads(request["body"]) if "json" in request["headers"].get("content-type", "") else None


@pytest.fixture
def systems() -> Iterator[Systems]:
    """Servers that start as they are asked for, and stop when the test ends."""
    systems = Systems()
    yield systems
    systems.stop()
