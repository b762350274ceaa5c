"""What a request is made of: its options, and how its query, headers and body are written."""

from collections.abc import Callable, Iterator, Mapping
from mimetypes import guess_type
from pathlib import Path
from typing import Any, NamedTuple, TypedDict
from urllib.parse import parse_qs, parse_qsl, quote, urlencode, urlsplit

from crossdock import Answer
from crossdock.errors import ArgumentError

from crossdock_http.address import shown
from crossdock_http.arguments import Parse, json_of, text_of

READS = frozenset({"GET", "HEAD", "OPTIONS"})
"""The methods that change nothing."""

Query = list[tuple[str, str]]
Errors = Mapping[int, bool | str | Callable[[Answer], Any]] | bool
"""Status → whether it is an error, its message, or a function of the answer that says so; False: none is."""


class SendOptions(TypedDict, total=False):
    """What every request may be given; None stands for the default."""

    params: Mapping[str, Any] | None
    """Values for ``{name}`` in the path; each becomes one segment."""
    query: Mapping[str, Any] | None
    """Query parameters; a list repeats its key, None leaves it out; what the path has wins."""
    headers: Mapping[str, Any] | None
    """Headers for this request; None leaves one out."""
    json: Any
    """A body to send as JSON, any JSON value, also a list."""
    form: Mapping[str, Any] | None
    """A body to send as an HTML form does; a list repeats its key, None leaves it out."""
    multipart: Mapping[str, Any] | None
    """A body of parts; a path or ``File`` is sent as a file, a list or dict is JSON, None is left out."""
    body: str | bytes | None
    """A body to send as it is; text goes as UTF-8."""
    content_type: str | None
    """The media type of ``body`` or ``json``."""
    ok: set[int] | None
    """Statuses from 300 up that count as success."""
    errors: Errors | None
    """Status → whether it is an error, its message, or a function of the answer that says so; with False none is."""
    timeout: float | None
    """Seconds for the whole operation, with repeats, waits and answer."""
    retry: int | None
    """How often a request is repeated after the first try, where that can do no harm."""
    idempotent: bool | str | None
    """Whether the system keeps a write with one Idempotency-Key from happening twice; or that key."""
    reads: bool | None
    """Whether the request changes nothing though its method could, as a search by POST. A dry run sends it, and
    without an answer it has failed and may be repeated."""


class RequestOptions(SendOptions, total=False):
    """What a request may be given whose answer is read at once."""

    parse: Parse | None
    """How the answer is read; ``auto`` by default."""
    charset: str | None
    """The charset of the answer, where the system says none or a false one."""


class File(NamedTuple):
    """A file in a multipart body; what lies on a disk is sent without being read into memory.

    Example:
        >>> File(b"%PDF-1.7", "scan.pdf").as_part("report")
        Part(name='report', filename='scan.pdf', type='application/pdf')
    """

    content: bytes | Path
    """Its bytes, or where it lies."""
    name: str | None = None
    """What the system is told that it is called; by default the name that it has on the disk."""
    type: str | None = None
    """Its media type; guessed by the name."""

    def as_part(self, field: str) -> "Part":
        """Give the part of a body that holds it."""
        name = self.name or (self.content.name if isinstance(self.content, Path) else field)
        return Part(field, self.content, name, self.type or guess_type(name)[0] or "application/octet-stream")

    def __repr__(self) -> str:
        return f"File(name={self.name!r}, type={self.type!r})"  # no payload


class Part(NamedTuple):
    """One part of a multipart body."""

    name: str
    content: bytes | Path
    filename: str | None = None
    type: str | None = None

    def __repr__(self) -> str:
        return f"Part(name={self.name!r}, filename={self.filename!r}, type={self.type!r})"  # no payload


class Content(NamedTuple):
    """A body and its type."""

    body: bytes | tuple[Part, ...] | None
    type: str | None


class Request(NamedTuple):
    """A request as it is sent."""

    method: str
    """Its method, in capitals."""
    url: str
    """Where it goes, with all that may be secret in there."""
    headers: Mapping[str, str]
    """Its headers, logins among them."""
    body: bytes | tuple[Part, ...] | None = None
    """What is sent."""
    login: bool = True
    """Whether the credential may still add who it is, as the job gave no Authorization header, nor left it out."""
    traced: bool = False
    """Whether it says which trace it is part of, as the job gave no traceparent header, nor left it out."""
    asks: bool = False
    """Whether it changes nothing, whatever its method is."""

    @property
    def reads(self) -> bool:
        """Whether it changes nothing."""
        return self.asks or self.method in READS

    def with_token(self, token: str) -> "Request":
        """Give the request with an access token."""
        return self._replace(headers={**self.headers, "authorization": f"Bearer {token}"})

    def __str__(self) -> str:
        return f"{self.method} {shown(self.url)}"

    def __repr__(self) -> str:
        return f"<Request {self}>"  # the fields hold secrets, and whoever handles logs may show them


def content_of(options: SendOptions) -> Content:
    """Give the body of a request; there is at most one."""
    given = [name for name in ("json", "form", "multipart", "body") if options.get(name) is not None]
    type_ = options.get("content_type")
    if len(given) > 1:
        raise ArgumentError(f"the request has several bodies: {', '.join(given)}", fix="Give one of them.")
    if type_ is not None and given and given[0] in ("form", "multipart"):
        raise ArgumentError(f"content_type goes with json or body, and the request has {given[0]}", fix="Leave it out.")
    if options.get("json") is not None:
        return Content(json_of(options["json"], "json"), type_ or "application/json")
    if (fields := options.get("form")) is not None:
        return Content(urlencode(query_of(fields, "form")).encode(), "application/x-www-form-urlencoded")
    if (parts := options.get("multipart")) is not None:
        return Content(tuple(parts_of(parts)), None)  # the type names a boundary, which is chosen when it is sent
    body = options.get("body")
    if isinstance(body, str):
        return Content(text_of(body, "body").encode(), type_ or "text/plain; charset=utf-8")
    return Content(body, type_ or (None if body is None else "application/octet-stream"))


def parts_of(fields: Mapping[str, Any]) -> Iterator[Part]:
    """Give the parts of a multipart body; a list or dict is JSON, None is left out."""
    for name, value in fields.items():
        if isinstance(value, File | Path):
            yield (value if isinstance(value, File) else File(value)).as_part(name)
        elif hasattr(value, "read"):
            raise ArgumentError(
                f"multipart[{name!r:.80}] is an open file", fix="Give the path of the file, or its bytes in a File."
            )
        elif isinstance(value, bytes):
            yield Part(name, value)
        elif isinstance(value, Mapping | list | tuple):
            yield Part(name, json_of(value, f"multipart[{name!r:.80}]"), type="application/json")
        elif value is not None:
            yield Part(name, text_of(value, f"multipart[{name!r:.80}]").encode())


def query_of(given: Mapping[str, Any], what: str = "query") -> Query:
    """Give query parameters; a list repeats its key, None leaves it out, a dict is JSON."""
    pairs = [
        (key, item) for key, value in given.items() for item in (value if isinstance(value, list | tuple) else [value])
    ]
    return [(key, text_of(value, f"{what}[{key!r:.80}]")) for key, value in pairs if value is not None]


def query_asked(url: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Give the query that a request asks with, for its metadata; what the URL has wins.

    >>> query_asked("https://x.example/a?page=2", {"page": 1, "tag": ["a", "b"], "q": None})
    {'page': '2', 'tag': ['a', 'b']}
    """
    own = parse_qs(urlsplit(url).query, keep_blank_values=True)
    single = {name: values[0] if len(values) == 1 else values for name, values in own.items()}
    return {**{name: value for name, value in given.items() if value is not None}, **single}


def with_query(url: str, query: Query) -> str:
    """Give a URL with more parameters; those that it has already win.

    >>> with_query("https://x.example/a?page=2", [("page", "1"), ("q", "a b")])
    'https://x.example/a?page=2&q=a%20b'
    """
    if not query:
        return url
    own = urlsplit(url).query
    there = {name for name, _ in parse_qsl(own, keep_blank_values=True)} if own else ()
    added = urlencode([pair for pair in query if pair[0] not in there], quote_via=quote, safe="")
    return f"{url}{'&' if own else '' if url.endswith('?') else '?'}{added}" if added else url
