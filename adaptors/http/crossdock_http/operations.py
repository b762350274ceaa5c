"""The operations of the http adaptor."""

from collections.abc import Mapping
from typing import Any, TypedDict, Unpack

from crossdock import Adaptor, Effect, State

from crossdock_http.client import Client
from crossdock_http.configuration import HttpConfiguration
from crossdock_http.content import Parse, RequestOptions
from crossdock_http.errors import HttpError


class WithoutBody(TypedDict, total=False):
    """What an operation without a body may be given; each is an option of ``request``."""

    params: Mapping[str, Any] | None
    query: Mapping[str, Any] | None
    headers: Mapping[str, Any] | None
    parse: Parse | None
    ok: set[int] | None
    timeout: float | None
    retry: int | None
    credential: str | None


class WithBody(WithoutBody, total=False):
    """What an operation with a body may be given; each is an option of ``request``."""

    form: Mapping[str, Any] | None
    body: str | bytes | None
    content_type: str | None
    idempotent: bool | None


def _effect(method: str, **_: Any) -> Effect:
    return "read" if str(method).upper() in ("GET", "HEAD", "OPTIONS") else "write"


adaptor = Adaptor("http", configuration=HttpConfiguration, connect=Client)


@adaptor.operation(effect=_effect)
def request(state: State, method: str, path: str, *, json: Any = None, **options: Unpack[WithBody]) -> State:
    """Send a request of any method, and make the parsed answer the result.

    Args:
        method: The HTTP method.
        path: A path below ``base_url``, or a URL on its origin; without ``base_url`` a whole URL.
        params: Values for ``{name}`` in the path; each becomes one segment.
        query: Query parameters; a list repeats its key, None leaves it out.
        headers: Headers for this request; None leaves one out.
        json: A body to send as JSON: any JSON value, also a list.
        body: A body to send as it is; text goes as UTF-8.
        content_type: The type of ``body``.
        parse: ``auto`` reads JSON where the answer says that it is, else text; or ``json``, ``text``.
        ok: Statuses from 300 up that count as success.
        credential: The credential to use.

    Returns:
        The state with the parsed body in ``data`` (None if it is empty) and the metadata in ``response``.

    Raises:
        HttpError: The answer is an error, or can't be read.
        HttpConnectionError: There is no connection, or no answer to a read.
        UnknownOutcomeError: A write was sent, and no answer came.

    Example:
        >>> request("REPORT", "/visits", json={"since": "2024-05-01"})
        http.request(<str 6>, <str 7>, json=<dict 1>)
    """
    return _answer(state, method, path, json=json, **options)


@adaptor.operation(effect="read")
def get(state: State, path: str, **options: Unpack[WithoutBody]) -> State:
    """Get a resource; the options are those of ``request``.

    Example:
        >>> get("/people/{id}", params={"id": "P-7"})
        http.get(<str 12>, params=<dict 1>)
    """
    return _answer(state, "GET", path, **options)


@adaptor.operation(effect="read")
def head(state: State, path: str, **options: Unpack[WithoutBody]) -> State:
    """Ask for the metadata of a resource only: ``data`` is None; the options are those of ``request``.

    Example:
        >>> head("/files/{id}", params={"id": "F-7"})
        http.head(<str 11>, params=<dict 1>)
    """
    return _answer(state, "HEAD", path, **options)


@adaptor.operation(effect="read")
def get_all(
    state: State,
    path: str,
    *,
    pages: str = "next",
    items: str | None = None,
    params: Mapping[str, Any] | None = None,
    query: Mapping[str, Any] | None = None,
    headers: Mapping[str, Any] | None = None,
    credential: str | None = None,
) -> State:
    """Get the items of all pages as one list.

    Args:
        pages: How pages hang together: ``next`` follows the URL that each page has under ``next``.
        items: The key of a page's list, where it can't be guessed.
        path: The first page; it and the other options are those of ``request``.

    Returns:
        The state with the list of all items in ``data``.

    Example:
        >>> get_all("/api/v2/assets/visits/data", query={"limit": 100})
        http.get_all(<str 26>, query=<dict 1>)
    """
    if pages != "next":
        raise HttpError(f"get_all knows no pages={pages!r}", fix="Use pages='next'.")
    answers = adaptor.connection.pages(path, params=params, query=query, headers=headers)
    return state.result([item for answer in answers for item in _items(answer.data, items)])


@adaptor.operation(effect="write")
def post(state: State, path: str, json: Any = None, **options: Unpack[WithBody]) -> State:
    """Post a body; the options are those of ``request``.

    Example:
        >>> post("/people", {"name": "Amina"})
        http.post(<str 7>, <dict 1>)
    """
    return _answer(state, "POST", path, json=json, **options)


@adaptor.operation(effect="write")
def put(state: State, path: str, json: Any = None, **options: Unpack[WithBody]) -> State:
    """Replace a resource; the options are those of ``request``.

    Example:
        >>> put("/people/{id}", {"name": "Amina"}, params={"id": "P-7"})
        http.put(<str 12>, <dict 1>, params=<dict 1>)
    """
    return _answer(state, "PUT", path, json=json, **options)


@adaptor.operation(effect="write")
def patch(state: State, path: str, json: Any = None, **options: Unpack[WithBody]) -> State:
    """Change a part of a resource; the options are those of ``request``.

    Example:
        >>> patch("/people/{id}", {"phone": None}, params={"id": "P-7"})
        http.patch(<str 12>, <dict 1>, params=<dict 1>)
    """
    return _answer(state, "PATCH", path, json=json, **options)


@adaptor.operation(effect="write")
def delete(state: State, path: str, *, json: Any = None, **options: Unpack[WithoutBody]) -> State:
    """Delete a resource; the options are those of ``request``.

    Example:
        >>> delete("/people/{id}", params={"id": "P-7"}, ok={404})
        http.delete(<str 12>, params=<dict 1>, ok=<set 1>)
    """
    return _answer(state, "DELETE", path, json=json, **options)


def _answer(
    state: State, method: str, path: str, *, credential: str | None = None, **options: Unpack[RequestOptions]
) -> State:
    """Make the answer to a request the result; the runtime has chosen the credential already."""
    return state.result(adaptor.connection.request(method, path, **options))


def _items(page: Any, key: str | None) -> list[Any]:
    """Give the items of a page: the page itself, or its one list."""
    if isinstance(page, list):
        return page
    if not isinstance(page, dict):
        raise HttpError(f"a page is of type {type(page).__name__}, not a list or an object", fix="Check the path.")
    lists = [name for name, value in page.items() if isinstance(value, list)]
    name = key if key is not None else lists[0] if len(lists) == 1 else None
    if name is None or not isinstance(page.get(name), list):
        raise HttpError(
            f"a page has its items nowhere certain; it has the lists: {', '.join(lists) or 'none'}",
            fix="Name their key: items='results'.",
        )
    found: list[Any] = page[name]
    return found
