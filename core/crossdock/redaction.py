"""Redaction by value: wherever a secret turns up, in whatever form, it is shown as ``***``."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

from crossdock.errors import CredentialError
from crossdock.state import path_step

MASK = "***"
SHORTEST = 4
"""Shorter secrets are refused: masking them would ruin every log."""

_SECRET_NAME = re.compile(
    r"pass|secret|token|key|credential|auth|cookie|session|signature|(^|_)(pat|pin|pwd)($|_)", re.IGNORECASE
)


def looks_secret(field: str) -> bool:
    """Tell whether a field's name says that its value is a secret.

    >>> looks_secret("api_key"), looks_secret("base_url")
    (True, False)
    """
    return _SECRET_NAME.search(field) is not None


class Redactor:
    """Knows the secrets of a run, and masks them in text.

    Example:
        >>> redact = Redactor()
        >>> redact.add("s3cret/1", what="kobo.token")
        >>> redact("GET /?token=s3cret%2F1")
        'GET /?token=***'
    """

    def __init__(self) -> None:
        self._forms: frozenset[str] = frozenset()
        self._pattern: tuple[frozenset[str], re.Pattern[str]] | None = None
        """What masks, and the forms that it masks: a thread may learn a secret while another masks."""
        self._lock = threading.Lock()
        self.tell: Callable[[str], None] | None = None
        """Called with each new secret: a supervising process masks the same ones."""

    def add(self, secret: str, *, what: str) -> None:
        """Learn a secret in all forms in which it may turn up; empty text means that there is none.

        Args:
            secret: Its value.
            what: Where it comes from, for the error: the credential and field.
        """
        if not secret:
            return
        if len(secret) < SHORTEST:
            raise CredentialError(
                f"{what} has only {len(secret)} characters; a secret needs {SHORTEST}",
                fix="Use a longer secret, or leave the field out.",
            )
        if self.tell is not None:
            self.tell(secret)
        forms = {form for form in _forms(secret) if len(form) >= SHORTEST}
        with self._lock:
            self._forms = self._forms if forms <= self._forms else self._forms | forms

    def __call__(self, text: str) -> str:
        """Give a text with every known secret masked."""
        forms, known = self._forms, self._pattern
        if not forms:
            return text
        if known is None or known[0] is not forms:
            pattern = re.compile("|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True)))
            known = self._pattern = forms, pattern
        return known[1].sub(MASK, text)

    def finds(self, raw: bytes) -> bool:
        """Tell whether a text in UTF-8 holds a known secret."""
        return any(form.encode("utf-8", "surrogatepass") in raw for form in self._forms)

    def in_value(self, value: Any) -> tuple[Any, list[str]]:
        """Mask secrets in a JSON value.

        Returns:
            The value, the same object if it held none, and the paths of what was masked.
        """
        found: list[str] = []
        masked = self._masked(value, "$", found) if self._forms else value
        return (masked, found) if found else (value, found)

    def _masked(self, value: Any, path: str, found: list[str]) -> Any:
        if isinstance(value, dict):
            return self._masked_dict(value, path, found)
        if isinstance(value, list | tuple):
            return [self._masked(item, f"{path}[{index}]", found) for index, item in enumerate(value)]
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            return value
        text = str(value)
        shown = self(text)
        if shown == text:
            return value
        if not isinstance(value, str) and shown != MASK:  # a number that only holds the digits of one
            return value
        found.append(path)
        return shown

    def _masked_dict(self, value: dict[str, Any], path: str, found: list[str]) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, item in value.items():
            shown = self(key)
            if shown != key:
                found.append(path + path_step(key))
            while shown in result:  # two keys must not become one
                shown += "*"
            result[shown] = self._masked(item, path + path_step(key), found)
        return result


def _forms(secret: str) -> Iterator[str]:
    from html import escape
    from urllib.parse import quote, quote_plus  # imported late: a job without secrets needs none of it

    raw = secret.encode("utf-8", "surrogatepass")
    yield secret
    yield from (quote(raw, safe=""), quote(raw), quote_plus(raw))
    yield from (escape(secret), secret.replace("/", "\\/"))
    yield from (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1])
    yield from (raw.hex(), raw.hex().upper())
    yield from (line for line in secret.splitlines() if len(line) >= 2 * SHORTEST)
    for inner in _base64_forms(raw):
        yield from (inner, inner.replace("+", "-").replace("/", "_"))


def _base64_forms(raw: bytes) -> Iterator[str]:
    """Give what base64 makes of a secret, alone or anywhere within longer data."""
    from base64 import b64encode

    yield b64encode(raw).decode().rstrip("=")
    if len(raw) < 2 * SHORTEST:
        return
    for before in range(3):
        encoded = b64encode(b"\0" * before + raw).decode()
        yield encoded[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]
