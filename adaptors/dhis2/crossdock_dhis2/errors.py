"""The errors of the dhis2 adaptor.

    AdaptorError
    ├── Dhis2Error                     DHIS2 refused records
    │   ├── Dhis2RequestError          it refused a request, with a code of its own
    │   └── Dhis2WarningError          it took the records and warned, and the job wants that to be an error
    ├── AmbiguousMatchError            several objects are found where one is meant
    ├── AuthFailedError                the user or token is not accepted
    ├── LoginPageError                 a page for people came instead of JSON
    ├── BaseUrlError                   the instance is not at base_url
    ├── ApiVersionError                the instance has no such version of its API
    └── UnknownOutcomeError            (of crossdock)
        ├── UnexpectedResponseError    the answer to a write is no report
        └── ImportJobError             nobody knows how an import job ended
    ArgumentError
    ├── UidError                       a text is no DHIS2 identifier
    └── PeriodError                    a text is no DHIS2 period

What the http adaptor raises (``HttpError`` and its kin) comes through where DHIS2 has nothing to add.
"""

from crossdock import AdaptorError, UnknownOutcomeError
from crossdock.errors import ArgumentError


class Dhis2Error(AdaptorError):
    """DHIS2 refused records in its import report; ``details["errors"]`` has its codes."""

    code = "dhis2_import_refused"
    fix = "Correct the records that the report names; the DHIS2 documentation explains its error codes."


class Dhis2RequestError(Dhis2Error):
    """DHIS2 refused a request; ``details["errors"]`` has its code."""

    code = "dhis2_request_refused"
    fix = "Look the error code up in the DHIS2 documentation, and correct what was asked for."


class Dhis2WarningError(Dhis2Error):
    """DHIS2 took the records with a warning, which the job wants to be an error."""

    code = "dhis2_warning"
    fix = "Look at the warnings of the report, or leave on_warning='error' out."


class AmbiguousMatchError(AdaptorError):
    """Several objects are found where one is meant; nothing was written."""

    code = "ambiguous"
    fix = "Ask for something that only one object has, or merge the duplicates in DHIS2."


class AuthFailedError(AdaptorError):
    """DHIS2 does not accept the user or the token."""

    code = "auth_failed"
    fix = "Check pat, or username and password, of the credential; a token may have expired."


class LoginPageError(AdaptorError):
    """DHIS2 answered with a page for people, where JSON was expected."""

    code = "login_page"
    fix = "Check the user or token of the credential, and that base_url is the instance itself."


class BaseUrlError(AdaptorError):
    """The instance is not at base_url: requests are redirected elsewhere."""

    code = "wrong_base_url"
    fix = "Set base_url to the address of the instance, without /api."


class ApiVersionError(AdaptorError):
    """The instance has no such version of its API."""

    code = "unsupported_api_version"
    fix = "Leave api_version out of the credential, or give one that this instance has."


class UnexpectedResponseError(UnknownOutcomeError):
    """The answer to a write is no report, so nobody knows what became of it."""

    code = "unexpected_response"
    fix = "Look in DHIS2 whether the records are there; check base_url and what stands before it."


class ImportJobError(UnknownOutcomeError):
    """Nobody knows how an import job ended: DHIS2 has forgotten it, or it took too long."""

    code = "import_job_unknown"
    fix = "Look in DHIS2 what became of the job before you import the records again."


class UidError(ArgumentError):
    """A text is no DHIS2 identifier; nothing was sent."""

    code = "bad_uid"
    fix = "Give an identifier of 11 letters and digits that begins with a letter; uid(key) makes one."


class PeriodError(ArgumentError):
    """A text is no DHIS2 period; nothing was sent."""

    code = "bad_period"
    fix = "Give a period such as 202403, 2024Q1, 2024W7 or 2024; period(date, 'monthly') makes one."
