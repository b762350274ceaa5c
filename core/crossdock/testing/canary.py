"""Canary: a secret that is looked for in all that a test leaves behind."""

import json
import os
import secrets
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, quote_plus


class Sighting(NamedTuple):
    """A place where the canary was seen, and in which form."""

    place: str
    form: str

    def __str__(self) -> str:
        return f"{self.place}: {self.form}"


class Canary:
    """A secret that is looked for in all that a test leaves behind.

    The forms are worked out here and not taken from what masks secrets, which a test of it must not believe.

    Args:
        secret: Its value; by default one that looks different in each form.

    Example:
        >>> canary = Canary("s3cret/7")
        >>> [str(sighting) for sighting in canary.seen({"the log": b"GET /?key=s3cret%2F7"})]
        ['the log: percent-encoded']
    """

    def __init__(self, secret: str | None = None) -> None:
        self.secret = secret or f'cAnary+/"{secrets.token_hex(8)}>>~'
        plain = self.secret.encode()
        self._forms = {form: {found.encode() for found in make(self.secret)} - {plain} for form, make in _FORMS.items()}
        self._forms["plain"] = {plain}

    def seen(self, places: "dict[str, bytes]") -> list[Sighting]:
        """Give where it stands in bytes, by their name, and in which form."""
        return [
            Sighting(place, form)
            for place, raw in places.items()
            for form, values in self._forms.items()
            if any(value in (raw.lower() if form in _ANY_CASE else raw) for value in values)
        ]

    def __str__(self) -> str:
        return self.secret


class CanarySweep:
    """Looks for a canary in files, in what the test printed and logged, and in what it is given.

    Args:
        outputs: Gives what was printed and logged until now, by name.
    """

    def __init__(self, outputs: Callable[[], dict[str, bytes]]) -> None:
        self.canary = Canary()
        self._outputs = outputs

    @property
    def secret(self) -> str:
        """The secret to use in the test."""
        return self.canary.secret

    def __call__(self, *paths: "str | os.PathLike[str]", **values: Any) -> None:
        """Look everywhere.

        Args:
            paths: Files, and folders with all that lies below.
            values: More to look into: bytes, or anything that can be shown as text.

        Raises:
            AssertionError: The canary was seen; it says where, and in which form.
        """
        places = self._outputs() | dict(found for path in paths for found in bytes_in(path))
        places |= {name: value if isinstance(value, bytes) else _shown(value) for name, value in values.items()}
        if seen := self.canary.seen(places):
            raise AssertionError("the canary was seen in " + "; ".join(map(str, seen)))


def _shown(value: Any) -> bytes:
    return f"{value!s}\n{value!r}".encode("utf-8", "surrogatepass")


def bytes_in(path: "str | os.PathLike[str]") -> Iterator[tuple[str, bytes]]:
    """Give the bytes of a file, or of all files in a folder; the name of a file is a place to look too."""
    root = Path(path)
    for file in sorted(root.rglob("*")) if root.is_dir() else [root]:
        yield f"the name of {file}", os.fsencode(file)
        if file.is_file():
            yield str(file), file.read_bytes()


def _base64(secret: str) -> Iterator[str]:
    """Give what does not depend on what stands before and after it, at each of three offsets."""
    raw = secret.encode()
    for before in range(3):
        encoded = b64encode(b"\0" * before + raw).decode()
        yield encoded[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]


def _url_base64(secret: str) -> Iterator[str]:
    return (found.replace("+", "-").replace("/", "_") for found in _base64(secret))


def _percent(secret: str) -> Iterator[str]:
    return (encode(secret).lower() for encode in (lambda text: quote(text, safe=""), quote, quote_plus))


_FORMS: dict[str, Callable[[str], Iterator[str]]] = {
    "percent-encoded": _percent,
    "base64": _base64,
    "base64 for URLs": _url_base64,
    "JSON": lambda secret: iter([json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]]),
    "hex": lambda secret: iter([secret.encode().hex()]),
}
_ANY_CASE = {"percent-encoded", "hex"}
"""Forms of which both cases are the same."""
