"""What a system replied, and what a job gets of it: data, metadata, or an error."""

import json as json_module
from collections.abc import Mapping
from typing import Any, NamedTuple, NoReturn

from crossdock import Answer, UnknownOutcomeError, parse_xml
from crossdock.common.xml import XmlError
from crossdock.errors import cut

from crossdock_http.content import Parse
from crossdock_http.errors import HttpError

TRANSIENT = frozenset({408, 425, 429, 502, 503, 504})
"""The statuses after which the same request may succeed."""

REFUSED = frozenset({425, 429, 503})
"""The statuses that say of any request that it was not done."""

READS = frozenset({"GET", "HEAD", "OPTIONS"})
"""The methods that change nothing."""

_EXCERPT = 2000
_FIXES = {
    401: "Check the user, password or token of the credential.",
    403: "Give the user of the credential the right to do this.",
    404: "Check the path and base_url.",
    429: "Send less at a time, or repeat later: .retry(times, wait=seconds).",
}


class Reply(NamedTuple):
    """The reply to a request, read to its end."""

    method: str
    url: str
    """Without user, query and fragment."""
    status: int
    reason: str
    headers: Mapping[str, str]
    content: bytes
    duration: float
    """Seconds since the request began."""

    @property
    def type(self) -> str:
        """The media type, without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def metadata(self) -> dict[str, Any]:
        """What goes to ``state.response``."""
        headers = {name: value for name, value in self.headers.items() if name != "set-cookie"}
        return {
            "method": self.method,
            "url": self.url,
            "status": self.status,
            "headers": headers,
            "duration": round(self.duration, 6),
        }

    def answer(self, parse: Parse = "auto", ok: set[int] | None = None) -> Answer:
        """Give the answer for the job.

        Raises:
            HttpError: The status is an error, or the body is not what ``parse`` asks for.
        """
        if self.status >= 300 and self.status not in (ok or ()):
            raise self._status_error()
        try:
            data = self.data(parse)
        except (HttpError, XmlError) as error:
            if self.method in READS:
                raise
            raise UnknownOutcomeError(
                f"{self.method} {self.url} was answered {self.status}, and the answer can't be read: {error}"
            ) from error
        return Answer(data, response=self.metadata, status=self.status)

    def data(self, parse: Parse = "auto") -> Any:
        """Read the body; an empty one is None."""
        if self.method == "HEAD" or not self.content:
            return None
        if parse == "auto":
            parse = "json" if self.type == "application/json" or self.type.endswith("+json") else "text"
        match parse:
            case "json":
                return self._json()
            case "xml":
                return parse_xml(self.content if "charset" not in self.headers.get("content-type", "") else self.text)
            case "bytes":
                return self.content
            case "lines":
                return self.text.splitlines()
            case "text":
                return self.text
        raise HttpError(f"parse={parse!r} is not known", fix="Use auto, json, text, xml, bytes or lines.")

    @property
    def text(self) -> str:
        """The body as text, in the charset that the system says, else UTF-8."""
        charset = self._charset() or "utf-8"
        try:
            return self.content.decode(charset)
        except (LookupError, UnicodeDecodeError) as error:
            reason = "is not known" if isinstance(error, LookupError) else f"is false from byte {error.start} on"
            raise HttpError(
                f"{self.method} {self.url} answered text whose charset {charset!r:.40} {reason}",
                fix="Take the body as it is: parse='bytes', and decode it in a function.",
                status=self.status,
            ) from error

    def _charset(self) -> str | None:
        parameters = self.headers.get("content-type", "").split(";")[1:]
        named = dict(part.strip().lower().partition("=")[::2] for part in parameters)
        return named.get("charset", "").strip("\"' ") or None

    def _json(self) -> Any:
        try:
            return json_module.loads(self.content, parse_constant=_refuse)
        except (ValueError, RecursionError) as error:
            raise HttpError(
                f"{self.method} {self.url} answered {self.type or 'no content type'} of {len(self.content)} bytes where JSON was expected",
                fix="Check base_url and the login: a page for people may stand there. Or ask for parse='text'.",
                status=self.status,
                body=cut(self.content.decode("utf-8", "replace"), 200),
            ) from error

    def _status_error(self) -> HttpError:
        try:
            data = self.data()
        except HttpError:  # the body is no better than the status; the excerpt below shows it
            data = None
        return HttpError(
            f"{self.method} {self.url} answered {self.status} {self.reason}".rstrip(),
            fix=_FIXES.get(self.status),
            transient=self.status in (TRANSIENT if self.method not in ("POST", "PATCH") else REFUSED),
            answer=Answer(data, response=self.metadata, status=self.status),
            status=self.status,
            method=self.method,
            url=self.url,
            body=cut(self.content.decode("utf-8", "replace"), _EXCERPT),
        )


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
