"""The errors of the http adaptor.

    AdaptorError
    ├── HttpError                      the system answered with an error status, or with nonsense
    │   ├── RedirectError              it sent the request elsewhere
    │   ├── ResponseTooLargeError      it answered more than may be read
    │   ├── LoginError                 it gave no OAuth2 token
    │   └── PagingError                its pages go round in circles
    ├── HttpConnectionError            no connection
    │   ├── NoAnswerError              no answer to a request that only reads
    │   │   ├── TruncatedAnswerError   the answer broke off
    │   │   └── DeadlineError          the answer was not whole in time
    │   └── TlsError                   the certificate or the handshake is not good
    ├── UrlError                       a URL or path that must not be requested
    │   └── BlockedAddressError        it leads to an address inside the own network
    └── NotRecordedError               a replayed run asks for what was not recorded

A write that has no answer is an ``UnknownOutcomeError`` of crossdock, with the code of the reason.
"""

from typing import Any

from crossdock import AdaptorError


class HttpError(AdaptorError):
    """The system answered with an error status, or with something that can't be read.

    ``excerpt`` is the beginning of its answer as it came. Like ``answer`` it is never printed or stored:
    a refusal may repeat a record. What a JSON answer says of the fault is in the details, as ``body``.
    """

    code = "http_error"
    excerpt: str = ""


class RedirectError(HttpError):
    """The system sent the request elsewhere, where it does not follow by itself."""

    code = "redirected"
    fix = "Set base_url to the address that the system names, if you trust it."


class ResponseTooLargeError(HttpError):
    """The system answered more than may be read into memory."""

    code = "response_too_large"
    fix = "Ask for less, use stream or download, or raise max_response_bytes in the credential."


class LoginError(HttpError):
    """The system gave no OAuth2 token."""

    code = "login_failed"
    fix = "Check token_url, client_id, client_secret and scope of the credential."


class PagingError(HttpError):
    """The pages go round in circles; ``items`` holds what was read before that."""

    code = "paging"
    fix = "Check how the system pages, and say so with pages=…."

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message, **details)
        self.items: list[Any] = []
        """The items of the pages so far."""


class HttpConnectionError(AdaptorError):
    """There was no connection."""

    code = "connection_failed"
    fix = "Check base_url and the network, and try again."
    transient = True
    sent = False
    """Whether the request may have reached the system."""


class NoAnswerError(HttpConnectionError):
    """The system gave no answer to a request that only reads."""

    code = "connection_reset"
    sent = True


class TruncatedAnswerError(NoAnswerError):
    """The answer broke off."""

    code = "truncated"


class DeadlineError(NoAnswerError):
    """The answer was not whole in time."""

    code = "deadline"
    fix = "Ask for less, or give it more time: timeout=seconds."


class TlsError(HttpConnectionError):
    """The certificate of the system is not good, or the handshake failed."""

    code = "tls_error"
    fix = "Check base_url and the certificate; name the authority that signed it: ca=FILE."
    transient = False


class UrlError(AdaptorError):
    """A URL or path must not be requested with these credentials."""

    code = "unsafe_url"
    fix = "Give a path below base_url, with values in params: get('/people/{id}', params={'id': …})."


class BlockedAddressError(UrlError):
    """A URL leads to an address inside the own network, which no credential names."""

    code = "blocked_address"
    fix = "Use a credential whose base_url is this host, or one with allow_private_addresses: true."


class NotRecordedError(AdaptorError):
    """A replayed run asks for something that was not recorded."""

    code = "not_recorded"
    fix = "Record the run again: crossdock run JOB --record DIR."
