"""Client: one HTTP system, asked safely."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Self, Unpack
from uuid import uuid4
from weakref import WeakSet

from crossdock import Answer, noted, warn
from crossdock.scope import open_run
from crossdock.traceparent import HEADER
from pydantic import SecretStr

from crossdock_http.address import origin, shown, url_of
from crossdock_http.arguments import check_options, checked_method, headers_of
from crossdock_http.configuration import HttpConfiguration
from crossdock_http.content import (
    Query,
    Request,
    RequestOptions,
    SendOptions,
    content_of,
    query_asked,
    query_of,
    with_query,
)
from crossdock_http.deadline import Deadline
from crossdock_http.errors import HttpConnectionError, RedirectError
from crossdock_http.files import written_whole
from crossdock_http.oauth2 import Tokens
from crossdock_http.pace import Pace
from crossdock_http.page import Limits, Page, Place
from crossdock_http.paging import Pages, read_pages
from crossdock_http.patience import patiently
from crossdock_http.recording import exchange_of, planned
from crossdock_http.redirects import MOST_REDIRECTS, check_origin, kept_statuses, location_of, redirected
from crossdock_http.reply import Live, Reply, Take
from crossdock_http.streaming import StreamParse, records_of
from crossdock_http.transport import Exchange
from crossdock_http.verifying import NOTHING_THERE, verdict

_logger = logging.getLogger("crossdock.http")


class Client:
    """One HTTP system, asked safely: only below its base URL, with its credentials nowhere else.

    Args:
        configuration: Where the system is and how to identify oneself.
        headers: Headers for every request; None leaves one out.

    Example:
        >>> with Client(HttpConfiguration(base_url="https://kobo.example.org")) as client:
        ...     client.url("/api/v2/assets")
        'https://kobo.example.org/api/v2/assets'
    """

    lists_writes = True
    """In a dry run the client lists what it would have sent."""

    def __init__(
        self, configuration: HttpConfiguration, *, headers: Mapping[str, str | SecretStr | None] | None = None
    ) -> None:
        self._configuration = configuration
        known = configuration.base_url is not None
        key = configuration.api_key if known else None
        own = {key.header: key.value} if key is not None and key.header is not None else {}
        authorization = configuration.authorization() if known else None
        self._headers = headers_of({"authorization": authorization, **own, **(headers or {})})
        self._query: Query = query_of({key.query: key.value.get_secret_value()}) if key and key.query else []
        self._pace = Pace(configuration.rate) if configuration.rate is not None else None
        oauth2 = configuration.oauth2 if known else None
        self._tokens = Tokens(oauth2, self._log_in) if oauth2 is not None else None
        self._exchange: Exchange | None = None
        self._live: WeakSet[Live] = WeakSet()
        self._open = ExitStack()

    def __enter__(self) -> Self:
        self._exchange = self._open.enter_context(exchange_of(self._configuration))
        self._warn_of_risks()
        return self

    def __exit__(self, *_: object) -> None:
        self._exchange = None
        for live in self._live:
            live.close()
        self._open.close()

    def verify(self) -> str:
        """Read ``verify_path`` of the credential, else its base_url; say where one is, and as whom.

        Raises:
            HttpError: The system does not let one in.
            HttpConnectionError: There is no connection, or no answer.
        """
        known = self._configuration
        if known.base_url is None:
            return "without a base_url: there is nothing to ask"
        ok = NOTHING_THERE if known.verify_path is None else None
        return verdict(known, self.get(known.verify_path or "", parse="bytes", ok=ok))

    def url(self, path: str, params: Mapping[str, Any] | None = None) -> str:
        """Give the URL of a path below the base URL."""
        return url_of(self._configuration.base_url, path, params)

    def request(self, method: str, path: str, **options: Unpack[RequestOptions]) -> Answer:
        """Send one request and give the answer.

        Args:
            method: The HTTP method.
            path: A path below the base URL, or a URL on its origin.
            options: See RequestOptions.

        Raises:
            HttpError: The answer is an error, or is not what ``parse`` asks for.
            HttpConnectionError: There is no connection, or no answer to a read.
            UnknownOutcomeError: A write was sent, and no answer came.
        """
        return self._request(method, self.url(path, options.get("params")), options)

    def get(self, path: str, **options: Unpack[RequestOptions]) -> Answer:
        """Send a GET request; the options are those of ``request``."""
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Unpack[RequestOptions]) -> Answer:
        """Send a POST request; the options are those of ``request``."""
        return self.request("POST", path, **options)

    def put(self, path: str, **options: Unpack[RequestOptions]) -> Answer:
        """Send a PUT request; the options are those of ``request``."""
        return self.request("PUT", path, **options)

    def patch(self, path: str, **options: Unpack[RequestOptions]) -> Answer:
        """Send a PATCH request; the options are those of ``request``."""
        return self.request("PATCH", path, **options)

    def delete(self, path: str, **options: Unpack[RequestOptions]) -> Answer:
        """Send a DELETE request; the options are those of ``request``."""
        return self.request("DELETE", path, **options)

    def head(self, path: str, **options: Unpack[RequestOptions]) -> Answer:
        """Send a HEAD request; the options are those of ``request``."""
        return self.request("HEAD", path, **options)

    def pages(
        self,
        path: str,
        pages: Pages = "next",
        items: str | None = None,
        *,
        limits: Limits | None = None,
        concurrency: int = 1,
        **options: Unpack[RequestOptions],
    ) -> Iterator[Page]:
        """Read page after page.

        Args:
            path: Where the list begins.
            pages: How the pages hang together: ``next``, ``link``, ``page``, ``offset``, ``cursor``,
                one of their classes, or a function of an answer.
            items: The key of a page's items, where it can't be guessed.
            limits: Where reading ends, whatever the pages say.
            concurrency: How many pages are read at a time; needs countable pages.
            options: See RequestOptions; ``timeout`` is for each page.

        Raises:
            PagingError: The pages go round in circles, or elsewhere.
        """
        place = Place(self.url(path, options.get("params")), options.get("query") or {})
        as_json: RequestOptions = {"parse": "json", **_given(options)}

        def get(place: Place) -> Answer:
            return self._request("GET", place.url, {**as_json, "query": place.query})

        return read_pages(get, place, pages, items, limits or Limits(), concurrency)

    def records(
        self,
        path: str,
        pages: Pages = "next",
        items: str | None = None,
        *,
        limits: Limits | None = None,
        concurrency: int = 1,
        **options: Unpack[RequestOptions],
    ) -> Iterator[Any]:
        """Give the items of all pages one by one, in the memory of one page; all is as in ``pages``.

        Example:
            >>> def people(client, village):
            ...     return client.records("/people", Cursor("meta.next"), "results", query={"village": village})
        """
        read = self.pages(path, pages, items, limits=limits, concurrency=concurrency, **options)
        return (item for page in read for item in page.items)

    def stream(
        self,
        path: str,
        *,
        parse: StreamParse = "auto",
        items: str | None = None,
        charset: str | None = None,
        **options: Unpack[SendOptions],
    ) -> Iterator[Any]:
        """Give the records of one answer while it is being received.

        Args:
            path: A path below the base URL.
            parse: How the records stand in the answer: see the operation ``stream``.
            items: The key of the list in a JSON object.
            charset: The charset of the answer, where the system says none or a false one.
            options: See SendOptions; ``timeout`` is for the first byte, and for each silence after it.
        """
        reply, limit = self._receive(path, options), self._configuration.max_response_bytes
        return records_of(reply, parse, items, charset, limit)

    def download(self, path: str, file: Path, **options: Unpack[SendOptions]) -> Answer:
        """Write the answer to a GET into a file, which is there as a whole or not at all.

        Args:
            path: A path below the base URL.
            file: The file, such as ``run_file(name, create=True)``; what stood there is replaced when all has come.
            options: See SendOptions; ``timeout`` is for the first byte, and for each silence after it.

        Returns:
            ``bytes``, ``sha256`` and ``type`` of the file.

        Raises:
            HttpError: The answer is an error.
            ResponseTooLargeError: It is larger than ``max_download_bytes`` in the credential.
        """
        return written_whole(file, partial(self._receive, path, options), self._configuration.max_download_bytes)

    def judge(self, request: Request, reply: Reply, options: SendOptions) -> None:
        """Look at a reply before it counts as a success or an error; override it to raise what its system means.

        Some systems answer 200 and say in the body that they refuse, or send a page for people to log in. What
        this raises ends the request. It does nothing by itself.

        Args:
            request: What was asked; ``str(request)`` is its method and URL without secrets.
            reply: Its ``status``, ``headers``, ``type``, ``url`` where it was redirected, and ``data()``.
            options: What the request was given.
        """

    def _receive(self, path: str, options: SendOptions, take: Take | None = None) -> Reply:
        """Give a reply whose body is still being received; it is read or closed before the client is.

        Args:
            path: A path below the base URL.
            options: See SendOptions.
            take: Reads the body; that is part of the try then, and made again with it.
        """
        request = self._made("GET", self.url(path, options.get("params")), options)
        reply = self._reply(request, options, live=True, take=take)
        reply.check(options.get("ok"), options.get("errors"), reply.data)
        if take is not None and not reply.is_success:
            take(reply)
        elif take is None and reply.live is not None:
            self._live.add(reply.live)
        return reply

    def _request(self, method: str, url: str, options: RequestOptions) -> Answer:
        request = self._made(checked_method(method), url, options)
        if not request.reads and planned(request, self._shown_headers(request)):
            return Answer(None, response={"method": request.method, "url": shown(request.url), "planned": True})
        answer = self._reply(request, options).answer(options)
        if query := query_asked(url, options.get("query") or {}):
            answer.response = {**(answer.response or {}), "query": query}
        return answer

    def _made(self, method: str, url: str, options: SendOptions) -> Request:
        """Make a request of what every request has and what this one was given."""
        check_options(options)
        content, own = content_of(options), options.get("headers") or {}
        left_out = {name.lower() for name, value in own.items() if value is None} if own else ()
        headers = {name: value for name, value in self._headers.items() if name not in left_out}
        if content.type is not None:
            headers["content-type"] = content.type
        headers |= headers_of(own)
        if isinstance(content.body, tuple):
            headers.pop("content-type", None)  # only who writes the parts knows what divides them
        if idempotent := options.get("idempotent"):
            headers |= headers_of({"idempotency-key": uuid4() if idempotent is True else idempotent}) | headers
        query = query_of(options.get("query") or {}) + self._query
        login = "authorization" not in headers and "authorization" not in left_out
        traced = HEADER not in headers and HEADER not in left_out
        return Request(method, with_query(url, query), headers, content.body, login, traced, bool(options.get("reads")))

    def _reply(
        self,
        request: Request,
        options: SendOptions,
        *,
        live: bool = False,
        take: Take | None = None,
    ) -> Reply:
        """Send a request, with all the patience that it may have."""
        deadline = Deadline(options.get("timeout") or self._configuration.timeout)
        retry = options.get("retry")

        def send() -> Reply:
            reply = self._followed(request, deadline, kept_statuses(request.method, options), live=live)
            if take is not None and reply.is_success:
                take(reply)
            return reply

        reply = patiently(
            send,
            method=request.method,
            retry=self._configuration.retry if retry is None else retry,
            idempotent=bool(options.get("idempotent")) or request.reads,
            deadline=deadline,
        )
        self.judge(request, reply, options)
        return reply

    def _followed(self, request: Request, deadline: Deadline, kept: frozenset[int], *, live: bool) -> Reply:
        """Send a request, and follow it to where it was redirected."""
        asked = request
        for _ in range(MOST_REDIRECTS + 1):
            reply = self._authorized(request, deadline, live=live)
            location = location_of(reply, kept)
            if location is None:
                check_origin(reply, asked, request)
                return reply
            request = redirected(request, reply, location, self._query if self._is_own(request) else [])
        raise RedirectError(
            f"{asked} was redirected more than {MOST_REDIRECTS} times, at last to {shown(request.url)}",
            fix="Check base_url and the path.",
        )

    def _authorized(self, request: Request, deadline: Deadline, *, live: bool) -> Reply:
        """Send a request with an access token, where there is one; a token that is refused is fetched anew once."""
        if self._tokens is None or not request.login or not self._is_own(request):
            return self._sent(request, deadline, live=live)
        token = self._tokens.current(deadline)
        reply = self._sent(request.with_token(token), deadline, live=live)
        if reply.status == 401:
            token = self._tokens.current(deadline, refused=token)
            reply = self._sent(request.with_token(token), deadline, live=live)
        return reply

    def _sent(self, request: Request, deadline: Deadline, *, live: bool = False) -> Reply:
        """Send a request once, when it is its turn."""
        exchange = self._turn(request, deadline)
        with noted("request", method=request.method, url=request.url) as note:
            reply = exchange.send(_traced(request), deadline, live=live)
            said = {"said": reply.excerpt} if reply.is_refusal else {}
            note(status=reply.status, bytes=None if reply.live else len(reply.content), **said)
        return reply

    def _log_in(self, request: Request, deadline: Deadline) -> Reply:
        return self._turn(request, deadline).log_in(request, deadline)

    def _turn(self, request: Request, deadline: Deadline) -> Exchange:
        """Wait until the pace allows a request; give what sends it."""
        if self._exchange is None:
            raise RuntimeError("the Client is not open: use it in a with statement")
        left = deadline.left()
        if self._pace is not None:
            left = self._pace.wait(left)
        if left <= 0:
            raise HttpConnectionError(
                f"{request}: the time of {deadline.seconds:g} s was over before it was sent",
                fix="Give it more time (timeout=seconds), or allow a higher rate in the credential.",
            )
        return self._exchange

    def _is_own(self, request: Request) -> bool:
        base_url = self._configuration.base_url
        return base_url is not None and origin(request.url) == origin(base_url)

    def _shown_headers(self, request: Request) -> dict[str, str]:
        return {name: value for name, value in request.headers.items() if self._headers.get(name) != value}

    def _warn_of_risks(self) -> None:
        """Tell the run of a credential that is less safe than it looks."""
        known = self._configuration
        if not known.verify:
            _logger.warning("the certificate of %s is not checked (verify: false)", known.base_url or "any system")
            if open_run() is not None:
                warn("tls_not_verified", base_url=known.base_url)
        if known.base_url is None and (known.username or known.token or known.api_key or known.oauth2):
            _logger.warning("a credential has no base_url, so its user, token or key is sent nowhere")


def _given(options: RequestOptions) -> RequestOptions:
    """Give the options that are not left to their defaults."""
    return {name: value for name, value in options.items() if value is not None}  # type: ignore[return-value]


def _traced(request: Request) -> Request:
    """Let a request say which trace it is part of, if its run is part of one; each time it is sent is a span of its own."""
    run = open_run() if request.traced else None
    trace = run.request_trace() if run is not None else None
    return request if trace is None else request._replace(headers={**request.headers, HEADER: str(trace)})
