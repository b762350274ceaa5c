"""Traceparent: which trace of several systems something is part of (https://www.w3.org/TR/trace-context/)."""

import os
import re
from typing import NamedTuple, Self

HEADER = "traceparent"

_FORM = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})(?P<more>-.*)?"
)
_KNOWN_FLAGS = 0b11
"""Sampled, and that the trace id is random; others must not be handed on by who does not know them."""


class Traceparent(NamedTuple):
    """A trace, and the part of it that is the parent of what comes next."""

    trace: str
    """The id that all parts of the trace have, 32 digits of base 16."""
    span: str
    """The id of the parent, 16 digits."""
    flags: int = 0

    @classmethod
    def read(cls, text: str) -> Self | None:
        """Read the value of a header; None if it is not one that the standard allows.

        Example:
            >>> Traceparent.read("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").trace
            '0af7651916cd43dd8448eb211c80319c'
            >>> Traceparent.read("00-00000000000000000000000000000000-b7ad6b7169203331-01") is None
            True
        """
        found = _FORM.fullmatch(text)
        if found is None or found["version"] == "ff" or (found["version"] == "00" and found["more"]):
            return None
        if not int(found["trace"], 16) or not int(found["span"], 16):
            return None
        return cls(found["trace"], found["span"], int(found["flags"], 16) & _KNOWN_FLAGS)

    @classmethod
    def new(cls) -> Self:
        """Begin a trace; nobody has asked for it to be recorded."""
        return cls(_digits(16), _digits(8))

    def child(self) -> Self:
        """Give what a request within it says: the same trace, with a parent of its own."""
        return self._replace(span=_digits(8))

    def __str__(self) -> str:
        return f"00-{self.trace}-{self.span}-{self.flags:02x}"


def _digits(size: int) -> str:
    """Give so many random bytes, not all of them zero."""
    while not any(found := os.urandom(size)):
        continue
    return found.hex()
