"""What a system replied, and what a job gets of it: data, metadata, or an error."""

import json as json_module
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, NoReturn

from crossdock import Answer, UnknownOutcomeError, parse_csv, parse_xml
from crossdock.common.text import CsvError
from crossdock.common.xml import XmlError
from crossdock.errors import cut

from crossdock_http.arguments import Parse
from crossdock_http.complaint import complaint
from crossdock_http.content import READS, Errors, RequestOptions
from crossdock_http.errors import HttpError

TRANSIENT = frozenset({408, 425, 429, 502, 503, 504})
"""The statuses after which the same request may succeed."""

REFUSED = frozenset({425, 429, 503})
"""The statuses that say of any request that it was not done."""

_EXCERPT = 2000
_FIXES = {
    401: "Check the user, password or token of the credential.",
    403: "Give the user of the credential the right to do this.",
    404: "Check the path and base_url.",
    407: "Check the user and password in the proxy of the credential.",
    429: "Send less at a time (rate in the credential), or repeat later: .retry(times, wait=seconds).",
}


class Live:
    """The body of a reply that is still being received.

    Args:
        chunks: Its pieces, decoded.
        close: Gives the connection back.
    """

    def __init__(self, chunks: Iterator[bytes], close: Callable[[], None]) -> None:
        self._chunks = chunks
        self.close = close

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._chunks
        finally:
            self.close()


class Reply(NamedTuple):
    """The reply to a request, read to its end unless it is live."""

    method: str
    """That of the request."""
    url: str
    """Who replied, without user, query and fragment."""
    status: int
    """Its status."""
    reason: str
    """What it says beside the status."""
    headers: Mapping[str, str]
    """Its headers, by names in small letters."""
    content: bytes
    """Its body, empty if it is live."""
    duration: float
    """Seconds since the request began."""
    live: Live | None = None
    """Its body, where that is still being received."""

    def __repr__(self) -> str:
        return f"<Reply to {self.method} {self.url}: {self.status}>"  # no payload

    @property
    def type(self) -> str:
        """The media type, without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def metadata(self) -> dict[str, Any]:
        """What goes to ``state.response``."""
        return {
            "method": self.method,
            "url": self.url,
            "status": self.status,
            "reason": self.reason,
            "headers": {name: value for name, value in self.headers.items() if name != "set-cookie"},
            "duration": round(self.duration, 6),
        }

    def answer(self, options: RequestOptions) -> Answer:
        """Give the answer for the job.

        Raises:
            HttpError: The status is an error, or the body is not what ``parse`` asks for.
        """
        parse, charset = options.get("parse") or "auto", options.get("charset")
        self.check(options.get("ok"), options.get("errors"), lambda: self.data(parse, charset))
        reads = self.method in READS or options.get("reads")
        data = self._of_a_read(parse, charset) if reads else self._of_a_write(parse, charset)
        return Answer(data, response=self.metadata, status=self.status)

    def check(self, ok: set[int] | None, errors: Errors | None, read: Callable[[], Any]) -> None:
        """Raise if this is an error for the job.

        Args:
            ok: Statuses that are none.
            errors: What else the job says of statuses.
            read: Gives the body, for a function in ``errors``.
        """
        verdict: Any = self.status >= 300 and self.status not in (ok or ())
        if isinstance(errors, Mapping):
            verdict = errors.get(self.status, verdict)
            if callable(verdict):
                verdict = verdict(Answer(self._read_or_none(read), response=self.metadata, status=self.status))
        elif errors is False:
            verdict = False
        if verdict:
            raise self._status_error(verdict if isinstance(verdict, str) else None)

    def data(self, parse: Parse = "auto", charset: str | None = None) -> Any:
        """Read the body; an empty one is None."""
        if self.method == "HEAD" or not self.content:
            return None
        match self.kind if parse == "auto" else parse:
            case "json":
                return self._json()
            case "xml":
                return parse_xml(self.content, encoding=charset or self.charset)
            case "csv":
                return list(parse_csv(self.text(charset)))
            case "bytes":
                return self.content
            case "lines":
                return self.text(charset).splitlines()
            case _:
                return self.text(charset)

    @property
    def kind(self) -> Parse:
        """How the body is read where nobody says so: JSON, XML, else text."""
        if self.type == "application/json" or self.type.endswith("+json"):
            return "json"
        is_xml = self.type in ("application/xml", "text/xml") or self.type.endswith("+xml")
        return "xml" if is_xml and self.type != "application/xhtml+xml" else "text"

    def text(self, charset: str | None = None) -> str:
        """Give the body as text, in this charset, or that which the system says, else UTF-8."""
        charset = charset or self.charset or "utf-8"
        try:
            return self.content.decode(charset)
        except (LookupError, UnicodeDecodeError) as error:
            reason = "is not known" if isinstance(error, LookupError) else f"is false from byte {error.start} on"
            raise HttpError(
                f"{self.method} {self.url} answered text whose charset {charset!r:.40} {reason}",
                fix="Say which it is: charset='latin-1'; or take the body as it is: parse='bytes'.",
                status=self.status,
            ) from error

    @property
    def charset(self) -> str | None:
        """The charset that the system says."""
        parameters = self.headers.get("content-type", "").split(";")[1:]
        named = dict(part.strip().lower().partition("=")[::2] for part in parameters)
        return named.get("charset", "").strip("\"' ") or None

    def _json(self) -> Any:
        try:
            return json_module.loads(self.content, parse_constant=_refuse)
        except (ValueError, RecursionError) as error:
            raise self.not_json() from error

    def not_json(self) -> HttpError:
        """Give the error of a body that is something else."""
        size = f" of {len(self.content)} bytes" if self.live is None else ""
        named = "what it calls JSON, and is not," if self.kind == "json" else self.type or "no content type"
        error = HttpError(
            f"{self.method} {self.url} answered {self.status} with {named}{size} where JSON was expected",
            fix="Check base_url and the login: a page for people may stand there. Or ask for parse='text'.",
            status=self.status,
        )
        error.excerpt = self.excerpt
        return error

    def _of_a_read(self, parse: Parse, charset: str | None) -> Any:
        try:
            return self.data(parse, charset)
        except (XmlError, CsvError) as error:
            raise HttpError(
                f"{self.method} {self.url} answered {self.status}: {error}", fix=error.fix, **error.details
            ) from error

    def _of_a_write(self, parse: Parse, charset: str | None) -> Any:
        try:
            return self.data(parse, charset)
        except (HttpError, XmlError, CsvError) as error:
            raise UnknownOutcomeError(
                f"{self.method} {self.url} was answered {self.status}, and the answer can't be read: {error}"
            ) from error

    def _status_error(self, message: str | None) -> HttpError:
        data = self._read_or_none(self.data)
        error = HttpError(
            message or f"{self.method} {self.url} answered {self.status} {self.reason}".rstrip(),
            fix=_FIXES.get(self.status),
            transient=self.status in (TRANSIENT if self.method not in ("POST", "PATCH") else REFUSED),
            answer=Answer(data, response=self.metadata, status=self.status),
            status=self.status,
            method=self.method,
            url=self.url,
            body=complaint(data),
        )
        error.excerpt = self.excerpt
        return error

    @property
    def is_success(self) -> bool:
        """Whether the system did what it was asked."""
        return 200 <= self.status < 300

    @property
    def is_refusal(self) -> bool:
        """Whether it says what went wrong, in a body that was read."""
        return self.status >= 400 and self.live is None

    @property
    def excerpt(self) -> str:
        """The beginning of the body, for who may see values."""
        return cut(self.content[: 4 * _EXCERPT].decode("utf-8", "replace"), _EXCERPT)

    def _read_or_none(self, read: Callable[[], Any]) -> Any:
        try:
            return read()
        except (HttpError, XmlError, CsvError):  # the body is no better than the status; the excerpt shows it
            return None


Take = Callable[[Reply], None]
"""Reads the body of a reply that is still being received."""


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
