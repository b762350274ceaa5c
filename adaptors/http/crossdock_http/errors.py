"""The errors of the http adaptor, and the one place where those of httpx become ours.

AdaptorError
├── HttpError                  the system answered with an error status, or with nonsense
│   └── RedirectError          it sent the request elsewhere
├── HttpConnectionError        no connection, or no answer to a request that only reads
└── UrlError                   a URL or path that must not be requested
"""

from typing import Any

from crossdock import AdaptorError


class HttpError(AdaptorError):
    """The system answered with an error status, or with something that can't be read."""

    code = "http_error"


class RedirectError(HttpError):
    """The system sent the request elsewhere, where it does not follow by itself."""

    code = "redirected"
    fix = "Set base_url to the address that the system names, if you trust it."


class HttpConnectionError(AdaptorError):
    """There was no connection, or no answer to a request that only reads."""

    code = "connection_failed"
    fix = "Check base_url and the network, and try again."
    transient = True

    def __init__(self, message: str, *, sent: bool = True, **details: Any) -> None:
        super().__init__(message, **details)
        self.sent = sent
        """Whether the request may have reached the system."""


class UrlError(AdaptorError):
    """A URL or path must not be requested with these credentials."""

    code = "unsafe_url"
    fix = "Give a path below base_url, with values in params: get('/people/{id}', params={'id': …})."
