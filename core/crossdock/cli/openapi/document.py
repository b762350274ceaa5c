"""An OpenAPI document, and where in it something stands."""

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from crossdock.errors import InputError

_PLAIN = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_VERSION = re.compile(r"3\.[01](\.\d+)?")


class Part:
    """A part of a document that knows where it stands; what a ``$ref`` names stands in the place of the reference."""

    __slots__ = ("_root", "_where", "value")

    def __init__(self, value: Any, where: tuple[str | int, ...] = (), root: Any = None) -> None:
        self._root = value if root is None else root
        self.value, self._where = self._followed(value, where)

    def get(self, key: str) -> "Part | None":
        """Give an entry; None if there is none."""
        value = self.mapping().get(key)
        return None if value is None else Part(value, (*self._where, key), self._root)

    def need(self, key: str, what: str) -> "Part":
        """Give an entry that must be there."""
        return self.get(key) or self.refuse(f"has no {key!r}", f"Add {key}: {what}.")

    def entries(self) -> Iterator[tuple[str, "Part"]]:
        """Give the entries with their keys."""
        for key, value in self.mapping().items():
            yield key, Part(value, (*self._where, key), self._root)

    def items(self) -> Iterator["Part"]:
        """Give the items of a list."""
        if not isinstance(self.value, list):
            self.refuse("is no list", "Write a list there.")
        for index, value in enumerate(self.value):
            yield Part(value, (*self._where, index), self._root)

    def mapping(self) -> dict[str, Any]:
        """Give the value, which must be a mapping."""
        return self.value if isinstance(self.value, dict) else self.refuse("is no mapping", "Write a mapping there.")

    def text(self, key: str) -> str:
        """Give the text of an entry; the empty text if there is none."""
        part = self.get(key)
        if part is not None and not isinstance(part.value, str):
            part.refuse("is no text", "Write a text there.")
        return "" if part is None else part.value

    def refuse(self, message: str, fix: str) -> NoReturn:
        """Say what is wrong with this part."""
        raise self._fault(self._where, message, fix)

    def _followed(self, value: Any, where: tuple[str | int, ...]) -> tuple[Any, tuple[str | int, ...]]:
        seen = set[str]()
        while isinstance(value, dict) and isinstance(reference := value.get("$ref"), str):
            if reference in seen:
                raise self._fault(where, "is a reference that leads to itself", "Name what is meant.")
            seen.add(reference)
            value, where = self._named(reference, where)
        return value, where

    def _named(self, reference: str, where: tuple[str | int, ...]) -> tuple[Any, tuple[str | int, ...]]:
        """Give what a reference names (RFC 6901 in a fragment)."""
        if not reference.startswith("#/"):
            what = f"refers to {reference!r:.80}, which is outside of the document; nothing else is read"
            raise self._fault(
                where, what, "Bundle everything into one document, with references such as #/components/…."
            )
        from urllib.parse import unquote  # imported late: --help needs none of it

        path = tuple(step.replace("~1", "/").replace("~0", "~") for step in unquote(reference[2:]).split("/"))
        value = self._root
        for step in path:
            value = value.get(step) if isinstance(value, dict) else None
        if value is None:
            raise self._fault(where, f"refers to {reference!r:.80}, which is not there", "Correct the reference.")
        return value, path

    @staticmethod
    def _fault(where: tuple[str | int, ...], message: str, fix: str) -> InputError:
        return InputError(f"the OpenAPI document at {_shown(where)}: it {message}", fix=fix)


def read_api(path: str) -> Part:
    """Read an OpenAPI 3.0 or 3.1 document, JSON or YAML.

    Raises:
        InputError: It can't be read, or is of another version.
    """
    document = Part(_content(path))
    if "swagger" in document.mapping():
        document.refuse("is of Swagger 2", "Convert it to OpenAPI 3 first.")
    version = document.need("openapi", "3.1.0, or its version")
    if not isinstance(version.value, str) or not _VERSION.fullmatch(version.value):
        version.refuse(f"is {version.value!r:.40}, not 3.0 or 3.1", "Convert the document to OpenAPI 3.1.")
    return document


def _content(path: str) -> Any:
    from pathlib import Path  # imported late, as the others: --help needs none of them

    from crossdock.decoding import decode
    from crossdock.documents import read_document

    what = f"the OpenAPI document {path}"
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{what} can't be read: {error.strerror}", fix="Name an existing file.") from None
    if raw.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{":  # reading it as YAML takes a hundred times as long
        return decode(raw, what=what)
    return read_document(path, what=what, error=InputError).content


def _shown(where: tuple[str | int, ...]) -> str:
    """Write a JSON path (RFC 9535).

    >>> _shown(("paths", "/pets", "get", "parameters", 0))
    '$.paths["/pets"].get.parameters[0]'
    """
    plain = (
        f".{step}" if isinstance(step, str) and _PLAIN.fullmatch(step) else f"[{json.dumps(step)}]" for step in where
    )
    return "$" + "".join(plain)
