"""The operations of the http adaptor."""

from collections.abc import Callable, Mapping
from typing import Any, TypedDict, Unpack

from crossdock import Adaptor, Answer, Effect, State, run_file

from crossdock_http.arguments import Parse
from crossdock_http.client import Client
from crossdock_http.configuration import HttpConfiguration
from crossdock_http.content import READS, Errors, File, RequestOptions
from crossdock_http.errors import HttpError, PagingError
from crossdock_http.page import Limits
from crossdock_http.paging import Pages
from crossdock_http.streaming import StreamParse


class WithoutBody(TypedDict, total=False):
    """What an operation without a body may be given; each is an option of ``request``."""

    params: Mapping[str, Any] | None
    query: Mapping[str, Any] | None
    headers: Mapping[str, Any] | None
    parse: Parse | None
    charset: str | None
    ok: set[int] | None
    errors: Errors | None
    timeout: float | None
    retry: int | None
    credential: str | None


class WithBody(WithoutBody, total=False):
    """What an operation with a body may be given; each is an option of ``request``."""

    form: Mapping[str, Any] | None
    multipart: Mapping[str, Any] | None
    body: str | bytes | None
    content_type: str | None
    idempotent: bool | str | None


class WithFile(TypedDict, total=False):
    """What an operation that moves a file may be given; each is an option of ``request``."""

    params: Mapping[str, Any] | None
    query: Mapping[str, Any] | None
    headers: Mapping[str, Any] | None
    ok: set[int] | None
    errors: Errors | None
    timeout: float | None
    retry: int | None
    credential: str | None


def _effect(method: str, *, reads: bool = False, **_: Any) -> Effect:
    return "read" if reads is True or str(method).upper() in READS else "write"


_FORMERLY = {
    "successCodes": "ok",
    "parseAs": "parse",
    "contentType": "content_type",
    "qs": "query",
    "data": "json",
    "formData": "multipart",
    "auth": "credential",
    "authentication": "credential",
}
"""What options of OpenFn's http adaptor are called here."""

adaptor = Adaptor("http", configuration=HttpConfiguration, connect=Client, verify=Client.verify, renamed=_FORMERLY)


@adaptor.operation(effect=_effect)
def request(
    state: State, method: str, path: str, *, json: Any = None, reads: bool = False, **options: Unpack[WithBody]
) -> State:
    """Send a request of any method, and make the parsed answer the result.

    Args:
        method: The HTTP method.
        path: A path below ``base_url``, or a URL on its origin; without ``base_url`` a whole URL.
        params: Values for ``{name}`` in the path; each becomes one segment.
        query: Query parameters; a list repeats its key, None leaves it out.
        headers: Headers for this request; None leaves one out.
        json: A body to send as JSON: any JSON value, also a list.
        form: A body to send as an HTML form does; a list repeats its key, None leaves it out.
        multipart: A body of parts; a path or ``File`` is sent as a file, a list or dict is JSON, None is left out.
        body: A body to send as it is; text goes as UTF-8.
        content_type: The media type of ``body`` or ``json``.
        parse: ``auto`` reads JSON and XML where the answer says that it is that, else text; or
            ``json``, ``text``, ``xml``, ``csv``, ``bytes``, ``lines``.
        charset: The charset of the answer, where the system says none or a false one.
        ok: Statuses from 300 up that count as success.
        errors: Status → False (no error), True, a message, or a function of the answer that gives
            one of these; ``errors=False``: no status is an error.
        timeout: Seconds for the whole operation: repeats, waits and answer included.
        retry: How often a request is repeated after the first try, where that can do no harm.
        idempotent: Whether the system keeps a write with one ``Idempotency-Key`` from happening
            twice, so that it may be repeated; or that key.
        reads: Whether it changes nothing though its method could, as a search by POST: a dry run sends it, and
            without an answer it has failed and may be repeated.
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
    return _answer(state, method, path, json=json, reads=reads, **options)


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
    pages: Pages = "next",
    items: str | None = None,
    until: Callable[[Answer], Any] | None = None,
    max_pages: int = 10_000,
    max_items: int | None = None,
    concurrency: int = 1,
    **options: Unpack[WithoutBody],
) -> State:
    """Get the items of all pages as one list.

    Args:
        path: The first page; it and the other options are those of ``request``, ``timeout`` for each page.
        pages: How pages hang together: ``next`` follows the URL that each page has under ``next``,
            ``link`` its Link header; ``page``, ``offset`` and ``cursor`` count or hand on query
            parameters. ``http.Next``, ``LinkHeader``, ``PageNumber``, ``Offset`` and ``Cursor`` say
            more; a function of the answer gives the next URL, query parameters, or None.
        items: The key of a page's list, where it can't be guessed; dots lead into objects.
        until: Tells of a page's answer whether it is the last one that is wanted.
        max_pages: Where reading ends in any case. What is left unread is a warning of the run.
        max_items: The most items that are given; what is left is a warning, too.
        concurrency: How many pages are read at a time; needs ``page`` or ``offset``.

    Returns:
        The state with the list of all items in ``data``.

    Raises:
        PagingError: The pages go round in circles, or elsewhere; ``error.items`` has what was read.

    Example:
        >>> get_all("/api/v2/assets/visits/data", query={"limit": 100})
        http.get_all(<str 26>, query=<dict 1>)
    """
    limits = Limits(until, max_pages, max_items)
    read = adaptor.connection.pages(path, pages, items, limits=limits, concurrency=concurrency, **_sent(options))
    found: list[Any] = []
    try:
        for page in read:
            found += page.items
    except PagingError as error:
        error.items = found
        raise
    return state.result(found)


@adaptor.operation(effect="read")
def stream(
    state: State,
    path: str,
    *,
    parse: StreamParse = "auto",
    items: str | None = None,
    charset: str | None = None,
    **options: Unpack[WithFile],
) -> State:
    """Get the records of a large answer one by one, in the memory of one record.

    The result is lazy and can be iterated once, by ``each`` or in a function of the same job.

    Args:
        path: The path; the other options are those of ``request``. ``timeout`` is for the head of
            the answer, and for each silence after it.
        parse: How records stand in the answer: ``lines`` of text, ``jsonl`` (one JSON value a line),
            ``json`` (the items of a list), ``csv`` (its first line names the columns), or ``bytes``;
            ``auto`` goes by the media type, and takes lines where that says nothing.
        items: The key of the list in a JSON object; dots lead into objects.
        charset: The charset of the answer, where the system says none or a false one.

    Returns:
        The state with an iterator in ``data``.

    Raises:
        HttpError: The answer is an error; or, while iterating, it breaks off or can't be read.

    Example:
        >>> stream("/visits.ndjson", parse="jsonl")
        http.stream(<str 14>, parse=<str 5>)
    """
    records = adaptor.connection.stream(path, parse=parse, items=items, charset=charset, **_sent(options))
    return state.result(records)


@adaptor.operation(effect="read")
def download(state: State, path: str, file: str, **options: Unpack[WithFile]) -> State:
    """Get a large or binary answer into a file of the run, which is there as a whole or not at all.

    Args:
        path: The path; the other options are those of ``request``. ``timeout`` is for the head of
            the answer, and for each silence after it.
        file: The name of the file inside the run's folder (see ``run_file``).

    Returns:
        The state with ``file``, ``bytes``, ``sha256`` and ``type`` in ``data``.

    Example:
        >>> download("/media/{id}", "scan.pdf", params={"id": 7})
        http.download(<str 11>, <str 8>, params=<dict 1>)
    """
    answer = adaptor.connection.download(path, run_file(file, create=True), **_sent(options))
    return state.result({"file": file, **answer.data}, response=answer.response)


@adaptor.operation(effect="write")
def upload(
    state: State,
    path: str,
    file: str,
    *,
    field: str = "file",
    type: str | None = None,  # noqa: A002 - the word that a job looks for
    fields: Mapping[str, Any] | None = None,
    method: str = "POST",
    parse: Parse | None = None,
    idempotent: bool | str | None = None,
    **options: Unpack[WithFile],
) -> State:
    """Send a file of the run as an HTML form does, without reading it into memory.

    Args:
        path: The path; the other options are those of ``request``.
        file: The name of the file inside the run's folder (see ``run_file``).
        field: The name of the form's field that it is sent as.
        type: Its media type; guessed by its name.
        fields: The other fields of the form; a list or dict is JSON, None is left out.
        method: The HTTP method.

    Returns:
        The state with the parsed answer in ``data``.

    Example:
        >>> upload("/api/attachments", "scan.pdf", fields={"patient": "P-7"})
        http.upload(<str 16>, <str 8>, fields=<dict 1>)
    """
    if field in (fields or {}):
        raise HttpError(f"the field {field!r:.80} is the file's and stands in fields, too", fix="Name one otherwise.")
    parts = {**(fields or {}), field: File(run_file(file), type=type)}
    answer = adaptor.connection.request(
        method, path, multipart=parts, parse=parse, idempotent=idempotent, **_sent(options)
    )
    return state.result(answer)


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


def _sent(options: Mapping[str, Any]) -> Any:
    """Give the options of a request among those of an operation."""
    return {name: value for name, value in options.items() if name != "credential"}
