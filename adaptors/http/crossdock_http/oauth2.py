"""OAuth2: an access token is fetched when it is first needed, and anew when the system refuses it.

RFC 6749: client credentials (4.4), refresh tokens (6), the client's own identification (2.3.1).
"""

import logging
import re
import threading
from base64 import b64encode
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any
from urllib.parse import quote_plus, urlencode

from crossdock import UnknownOutcomeError, warn
from crossdock.errors import cut
from crossdock.scope import open_run

from crossdock_http.address import shown
from crossdock_http.configuration import OAuth2
from crossdock_http.content import Request
from crossdock_http.deadline import Deadline
from crossdock_http.errors import HttpError, LoginError
from crossdock_http.reply import Reply

_EARLY = 30.0
"""Seconds before its end at which a token counts as used up; half of its life if that is less."""

_TOKEN = re.compile(r"[!-~]+")
"""What can stand in an Authorization header; more than RFC 6750 allows, as systems give more."""

_logger = logging.getLogger("crossdock.http")

Send = Callable[[Request, Deadline], Reply]


class Tokens:
    """The access token of one credential in one run, shared by its threads.

    Args:
        login: How it is fetched.
        send: Sends a request.
    """

    def __init__(self, login: OAuth2, send: Send) -> None:
        self._login = login
        self._send = send
        self._lock = threading.Lock()
        self._refresh = login.refresh_token.get_secret_value() if login.refresh_token is not None else None
        self._token: str | None = None
        self._end = 0.0
        self._is_told = False

    def current(self, deadline: Deadline, refused: str | None = None) -> str:
        """Give the token, fetched if there is none that lasts.

        Args:
            deadline: Until when.
            refused: A token that the system did not take; another thread may have replaced it.
        """
        with self._lock:
            if self._token is None or self._token == refused or monotonic() > self._end:
                self._fetch(deadline)
            assert self._token is not None  # noqa: S101 - it was just fetched
            return self._token

    def _fetch(self, deadline: Deadline) -> None:
        granted = self._granted(self._asked(deadline))
        self._token = _learned(granted["access_token"])
        lasts = _seconds(granted.get("expires_in"))
        self._end = monotonic() + lasts - min(_EARLY, lasts / 2)
        if isinstance(granted.get("refresh_token"), str):  # the old one may not count any more
            self._replace(_learned(granted["refresh_token"]))

    def _replace(self, refresh: str) -> None:
        """Go on with another refresh token, and tell that it ends with the run: a credential is never written."""
        if refresh != self._refresh and not self._is_told:
            self._is_told = True
            _logger.warning(
                "%s gave another refresh token, which is kept for this run alone; if it takes the one of the credential back, "
                "the next run can't log in: have it issue refresh tokens that last, or use client credentials",
                shown(self._login.token_url),
            )
            if open_run() is not None:
                warn("refresh_token_replaced", token_url=shown(self._login.token_url))
        self._refresh = refresh

    def _asked(self, deadline: Deadline) -> Reply:
        """Ask for a token; to ask twice does no harm, so no answer is nothing that nobody knows."""
        try:
            return self._send(self._request(), deadline)
        except UnknownOutcomeError as error:
            raise LoginError(
                f"{shown(self._login.token_url)} gave no answer that can be read, and no token",
                fix="Check token_url and the network, and try again.",
                transient=True,
            ) from error

    def _request(self) -> Request:
        login = self._login
        grant = {"grant_type": "refresh_token", "refresh_token": self._refresh}
        fields = {**(grant if self._refresh else {"grant_type": "client_credentials"}), **login.parameters}
        if login.scope is not None:
            fields["scope"] = login.scope
        headers = {"accept": "application/json", "content-type": "application/x-www-form-urlencoded"}
        secret = login.client_secret.get_secret_value() if login.client_secret is not None else None
        if secret is None or login.client_auth == "post":
            fields |= {"client_id": login.client_id} | ({"client_secret": secret} if secret is not None else {})
        else:
            pair = f"{quote_plus(login.client_id)}:{quote_plus(secret)}"
            headers["authorization"] = _learned(f"Basic {b64encode(pair.encode()).decode()}", shown_word="Basic ")
        return Request("POST", login.token_url, headers, urlencode(fields).encode())

    def _granted(self, reply: Reply) -> Mapping[str, Any]:
        try:
            data = reply.data("json")
        except HttpError:
            data = None
        known = data if isinstance(data, dict) else {}
        token = known.get("access_token")
        if reply.status == 200 and isinstance(token, str) and _TOKEN.fullmatch(token):
            return known
        told = [cut(known[name], 200) for name in ("error", "error_description") if isinstance(known.get(name), str)]
        raise LoginError(
            ": ".join([f"{shown(self._login.token_url)} answered {reply.status} and gave no token", *told]),
            status=reply.status,
            transient=reply.status in (429, 503),
        )


def _seconds(value: Any) -> float:
    """Read ``expires_in``; a token without one lasts until it is refused."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("inf")


def _learned(secret: str, shown_word: str = "") -> str:
    """Have a secret that was made in the run masked wherever it turns up."""
    run = open_run()
    if run is not None:
        run.redactor.add(secret.removeprefix(shown_word), what="oauth2")
    return secret
