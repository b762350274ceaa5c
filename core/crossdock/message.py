"""Message: what a trigger received; one message may start several runs.

Here it is what ``crossdock run`` is given: a state file, standard input, or nothing.
"""

import os
import sys
from typing import Any

from crossdock.decoding import decode
from crossdock.errors import InputError
from crossdock.state import State


class Message:
    """What started a run: its input, and the secrets that came along with it.

    Args:
        state: The input as the first step gets it.
        configuration: The secrets of an input in OpenFn's form, taken out of the state.
    """

    __slots__ = ("configuration", "state")

    def __init__(self, state: State, configuration: Any = None) -> None:
        self.state = state
        self.configuration = configuration

    @classmethod
    def from_json(cls, raw: bytes, *, what: str) -> "Message":
        """Read a message from the JSON text of a state.

        Args:
            raw: A JSON object; ``configuration`` in it is used as the credential.
            what: Where it comes from, for the error.

        Raises:
            InputError: It is no strict JSON, or no object.
        """
        value = decode(raw, what=what)
        if not isinstance(value, dict):
            raise InputError(
                f"{what} holds a JSON value of type {type(value).__name__}, not an object", fix='Write {"data": …}.'
            )
        configuration = value.pop("configuration", None)
        if not isinstance(value.get("cursors") or {}, dict):
            raise InputError(
                f"{what} holds 'cursors' of type {type(value['cursors']).__name__}, not an object",
                fix='Write {"cursors": {"name": …}}, or leave it out.',
            )
        return cls(State({"data": None, "cursors": {}} | value), configuration)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> "Message":
        """Read a message from a state file, or from standard input if it is ``-``."""
        if str(path) == "-":
            if sys.stdin is None:
                raise InputError("standard input is closed", fix="Name a state file, or pipe the state in.")
            return cls.from_json(sys.stdin.buffer.read(), what="standard input")
        try:
            with open(path, "rb") as file:
                raw = file.read()
        except OSError as error:
            raise InputError(
                f"the state file {str(path)!r} can't be read: {error.strerror}",
                fix="Name an existing file, or - for standard input.",
            ) from None
        return cls.from_json(raw, what=f"the state file {str(path)!r}")
