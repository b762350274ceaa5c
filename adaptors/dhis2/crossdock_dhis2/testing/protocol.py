"""What goes in and out of the fake: requests, responses, and the messages that DHIS2 wraps things in."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

Object = dict[str, Any]


class Request(NamedTuple):
    """A request that arrived."""

    method: str
    path: str
    """The whole path."""
    query: dict[str, list[str]]
    headers: dict[str, str]
    """With lower-case names."""
    body: Any
    """The JSON that was sent, or None."""

    def asked(self, name: str, default: str = "") -> str:
        """Give a query parameter, the last one if there are several."""
        return self.query.get(name, [default])[-1]

    def is_on(self, name: str, *, default: bool = False) -> bool:
        """Tell whether a query parameter is true."""
        return self.asked(name, str(default)).lower() == "true"


class Response(NamedTuple):
    """An answer."""

    status: int = 200
    body: Any = None
    """JSON; text is sent as it is."""
    headers: Mapping[str, str] = {}


def message(status: int, text: str, *, code: str | None = None, response: Object | None = None) -> Response:
    """Make a web message."""
    body: Object = {
        "httpStatus": HTTPStatus(status).phrase,
        "httpStatusCode": status,
        "status": "OK" if status < 400 else "ERROR",
        "message": text,
    }
    if response is not None:
        body |= {"response": response, "status": response.get("status", body["status"])}
    return Response(status, body | ({"errorCode": code} if code else {}))


def not_found(what: str) -> Response:
    """Say that something is not there."""
    return message(404, f"{what} could not be found.", code="E1005")


def selected(objects: list[Object], fields: str) -> list[Object]:
    """Give the fields that are asked for; those in brackets are given whole."""
    names = {name.partition("[")[0] for name in fields.split(",")} if fields else {"*"}
    if names & {"*", ":all", ":owner"}:
        return objects
    return [{name: value for name, value in held.items() if name in names} for held in objects]


def page_of(objects: list[Object], request: Request, size: int = 50) -> tuple[list[Object], Object]:
    """Give the objects of the page that is asked for, and what the pager says of it."""
    number, size = int(request.asked("page", "1")), int(request.asked("pageSize", str(size)))
    pages = max(1, -(-len(objects) // size))
    pager = {"page": number, "pageSize": size, "total": len(objects), "pageCount": pages}
    return objects[(number - 1) * size : number * size], pager
