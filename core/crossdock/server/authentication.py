"""``auth:`` of a webhook trigger: who may send, told by a key, a password or a signature.

Several methods may hold at once, also of one kind, so that a secret can be changed without a pause.
Secrets are compared as hashes of equal length, each one in every request: how long an answer takes
says nothing about them. No request raises an error here, whatever its headers hold.
"""

import base64
import hashlib
import hmac
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple

from crossdock.errors import CredentialError, closest
from crossdock.redaction import SHORTEST
from crossdock.server.headers import Headers, only_value

TOLERANCE = 300
"""How many seconds the clock of a signature may differ from ours (Standard Webhooks: 5 minutes)."""

_DIGITS = 15
"""The most digits of a time."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""The name of a header (RFC 9110, 5.6.2)."""

ALGORITHMS = ("sha256", "sha512", "sha384", "sha1")
"""The hash functions that a signature may use."""


class Request(NamedTuple):
    """What a request shows of who sent it."""

    headers: Headers
    body: bytes
    now: float

    def header(self, name: str) -> bytes:
        """Give the value of a header, nothing unless it stands there exactly once."""
        return only_value(self.headers, name.encode()) or b""


class Method(ABC):
    """One way in, with its secret; its repr shows none."""

    challenge: ClassVar[str]
    """What the header ``WWW-Authenticate`` of a refusal says of it."""

    secret_headers: frozenset[str]
    """The headers, in small letters, that carry its secret or signature."""

    signs_body: ClassVar[bool] = False
    """Whether the body is needed to tell."""

    @abstractmethod
    def accepts(self, request: Request) -> bool:
        """Tell whether a request comes from someone who knows the secret."""

    def lateness(self, request: Request) -> int | None:  # noqa: ARG002 - those with a time in them need it
        """Give by how many seconds a request that is right otherwise comes at the wrong time, None if that is not it."""
        return None

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class ApiKey(Method):
    """A key in the header ``x-api-key``.

    Args:
        key: The key.
    """

    challenge = 'ApiKey realm="inbox"'
    secret_headers = frozenset({"x-api-key"})

    def __init__(self, key: str) -> None:
        self._key = _secret(key, "the key")

    def accepts(self, request: Request) -> bool:
        """Tell whether the request has the key."""
        return _same(request.header("x-api-key"), self._key)


class Basic(Method):
    """A user's name and password (RFC 7617), in UTF-8.

    Args:
        user: The name.
        password: The password.
    """

    challenge = 'Basic realm="inbox", charset="UTF-8"'
    secret_headers = frozenset({"authorization"})

    def __init__(self, user: str, password: str) -> None:
        if ":" in user:
            raise CredentialError("the user has a colon in it", fix="Choose a name without a colon.")
        self._pair = _raw(user, "the user") + b":" + _secret(password, "the password")

    def accepts(self, request: Request) -> bool:
        """Tell whether the request has the name and the password."""
        scheme, _, given = request.header("authorization").partition(b" ")
        pair = _from_base64(given.strip(b" ")) if scheme.lower() == b"basic" else b""
        return _same(pair, self._pair)


class StandardWebhooks(Method):
    """A signature over id, time and body, as https://www.standardwebhooks.com specifies.

    Args:
        secret: ``whsec_`` and the key in base64.
    """

    challenge = 'Signature realm="inbox"'
    signs_body = True
    secret_headers = frozenset({"webhook-signature"})

    def __init__(self, secret: str) -> None:
        written = _secret(secret.removeprefix("whsec_"), "the secret")
        self._key = _from_base64(written + b"=" * (-len(written) % 4))  # some senders leave the padding out
        if not self._key:
            raise CredentialError("the secret is not base64", fix="Copy it as the sender shows it: whsec_….")

    def accepts(self, request: Request) -> bool:
        """Tell whether one of the signatures is right, and recent."""
        identity, time = request.header("webhook-id"), request.header("webhook-timestamp")
        return self._is_signed(request) and identity != b"" and _is_recent(time, request.now)

    def lateness(self, request: Request) -> int | None:
        """Give by how many seconds the clocks differ if the signature is right."""
        time = request.header("webhook-timestamp")
        is_late = self._is_signed(request) and _is_time(time) and not _is_recent(time, request.now)
        return round(request.now - int(time)) if is_late else None

    def _is_signed(self, request: Request) -> bool:
        signed = b".".join((request.header("webhook-id"), request.header("webhook-timestamp"), request.body))
        right = b"v1," + base64.b64encode(hmac.digest(self._key, signed, "sha256"))
        signatures = request.header("webhook-signature").split(b" ")
        found = [_same(signature, right) for signature in signatures]
        return any(found)


class Hmac(Method):
    """A signature over the body in a header, as GitHub and others send it.

    It has no time in it: whoever has seen a signed request can send it again.

    Args:
        header: The header's name.
        secret: The key.
        algorithm: The hash function: ``sha256``, ``sha512``, ``sha384`` or ``sha1``.
        prefix: What stands before the signature, such as ``sha256=``.
        encoding: How the signature is written: ``hex`` or ``base64``.
    """

    challenge = 'Signature realm="inbox"'
    signs_body = True

    def __init__(
        self,
        header: str,
        secret: str,
        *,
        algorithm: str = "sha256",
        prefix: str = "",
        encoding: Literal["hex", "base64"] = "hex",
    ) -> None:
        if not _TOKEN.fullmatch(header):
            raise CredentialError(f"{header!r:.60} is no name of a header", fix="Write it as X-Hub-Signature-256.")
        self._header = header.lower()
        self.secret_headers = frozenset({self._header})
        self._key = _secret(secret, "the secret")
        self._algorithm = one_of(ALGORITHMS, algorithm, "algorithm")
        self._prefix = _raw(prefix, "the prefix")
        self._is_hex = one_of(("hex", "base64"), encoding, "encoding") == "hex"

    def accepts(self, request: Request) -> bool:
        """Tell whether the signature is right."""
        digest = hmac.digest(self._key, request.body, self._algorithm)
        given = request.header(self._header)
        if not self._is_hex:
            return _same(given, self._prefix + base64.b64encode(digest))
        start = len(self._prefix)
        return _same(given[:start] + given[start:].lower(), self._prefix + digest.hex().encode())


def authenticate(methods: Mapping[str, Method], headers: Headers, body: bytes, *, now: float) -> str | None:
    """Give the name of the method by which a request is from someone who may send.

    Args:
        methods: What the trigger accepts, by name; without any nobody may send.
        headers: The headers as they came.
        body: The body as it came, byte by byte.
        now: The time, in seconds since 1970.

    Returns:
        The first method that holds, None if there is none.

    Example:
        >>> methods = {"old": ApiKey("old-s3cret"), "new": ApiKey("new-s3cret")}
        >>> authenticate(methods, [(b"x-api-key", b"new-s3cret")], b"{}", now=0)
        'new'
        >>> authenticate(methods, [], b"{}", now=0) is None
        True
    """
    request = Request(headers, body, now)
    accepted = {name: method.accepts(request) for name, method in methods.items()}  # all, also after one that holds
    return next((name for name, holds in accepted.items() if holds), None)


def doubt(methods: Mapping[str, Method], headers: Headers, body: bytes, *, now: float) -> str:
    """Say for the operator what is wrong with a request that is not from someone who may send.

    It is nothing for the sender, who could learn from it. The arguments are those of ``authenticate``.

    Example:
        >>> doubt({"key": ApiKey("s3cret")}, [(b"x-api-key", b"other")], b"{}", now=0)
        'wrong credentials'
        >>> doubt({"key": ApiKey("s3cret")}, [], b"{}", now=0)
        'no credentials'
    """
    request = Request(headers, body, now)
    late = next((late for method in methods.values() if (late := method.lateness(request)) is not None), None)
    if late is not None:
        return f"a right signature whose time is {abs(late)} s {'behind' if late > 0 else 'before'} the clock of this machine"
    wanted = frozenset[str]().union(*(method.secret_headers for method in methods.values()))
    is_given = any(name.decode("latin-1").lower() in wanted for name, _ in headers)
    return "wrong credentials" if is_given else "no credentials"


def challenge(methods: Mapping[str, Method]) -> str:
    """Give the value of ``WWW-Authenticate`` for who is refused (RFC 9110, 11.6.1).

    Args:
        methods: What the trigger accepts.

    Example:
        >>> challenge({"key": ApiKey("s3cret"), "other key": ApiKey("secret"), "sync": Basic("sync", "s3cret")})
        'ApiKey realm="inbox", Basic realm="inbox", charset="UTF-8"'
    """
    return ", ".join(dict.fromkeys(method.challenge for method in methods.values()))


def one_of(known: Sequence[str], given: Any, what: str) -> str:
    """Give a name if it is one of those that are known.

    Raises:
        CredentialError: It names the closest one.
    """
    if isinstance(given, str) and given in known:
        return given
    near = closest(str(given), known)
    raise CredentialError(
        f"there is no {what} called {str(given)!r:.60}; there are: {', '.join(known)}",
        fix=f"Did you mean {near}?" if near else "Use one of them.",
    )


def _secret(text: str, what: str) -> bytes:
    if len(text) < SHORTEST:
        raise CredentialError(
            f"{what} has only {len(text)} characters; a secret needs {SHORTEST}", fix="Use a longer secret."
        )
    return _raw(text, what)


def _raw(text: str, what: str) -> bytes:
    """Give the bytes of a text; those that an environment variable holds in another encoding come back."""
    try:
        return text.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        raise CredentialError(f"{what} has half a character (a lone surrogate)", fix="Write it in UTF-8.") from None


def _same(given: bytes, wanted: bytes) -> bool:
    return hmac.compare_digest(hashlib.sha256(given).digest(), hashlib.sha256(wanted).digest())


def _from_base64(text: bytes) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""


def _is_recent(time: bytes, now: float) -> bool:
    return _is_time(time) and abs(now - int(time)) <= TOLERANCE


def _is_time(time: bytes) -> bool:
    return time.isdigit() and len(time) <= _DIGITS
