"""What the answer to `crossdock credentials check` shows: whether the system lets one in, and as whom."""

from urllib.parse import urlsplit

from crossdock import Answer

from crossdock_http.address import origin
from crossdock_http.configuration import HttpConfiguration
from crossdock_http.errors import HttpError, RedirectError

NOTHING_THERE = {400, 404, 405, 406}
"""What the address of a system may answer at which no page is."""


def verdict(known: HttpConfiguration, answer: Answer) -> str:
    """Say where one is and as whom, as far as an answer shows it.

    Raises:
        HttpError: One was led to where people log in, or to another system.
    """
    who = known.identity()
    if known.verify_path is None:
        said = f"{known.base_url} answered {answer.status}"
        return f"{said}; only a verify_path can show that {who} is let in" if who else said
    _check_place(known, str((answer.response or {}).get("url")))
    return f"{known.base_url} {f'as {who}' if who else 'without a login'}"


def _check_place(known: HttpConfiguration, url: str) -> None:
    asked = f"GET {known.base_url}/{(known.verify_path or '').lstrip('/')}"
    if origin(url) != origin(known.base_url or ""):
        raise RedirectError(f"{asked} was redirected to {origin(url)}, which gets no credentials")
    if "login" in urlsplit(url).path and "login" not in asked:
        raise HttpError(
            f"{asked} was redirected to a login page, {urlsplit(url).path}",
            fix="Check the user, password or token of the credential.",
        )
