"""A terminal: somebody who reads what the command shows and types."""

import os
import pty
import selectors
import subprocess
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from fix_command import StartCrossdock

PROMPT = "(Pdb) "


class Terminal:
    """The command on a terminal of its own; only its standard output is a pipe."""

    def __init__(self, end: int, process: "subprocess.Popen[str]") -> None:
        self._end = end
        self.process = process
        self.seen = ""
        self._decoder = getincrementaldecoder("utf-8")()

    def until(self, text: str) -> str:
        """Read until a text comes, and give what came up to there."""
        shown = ""
        while not shown.endswith(text):
            shown += self._read()
        return shown

    def type(self, line: str) -> str:
        """Wait for the prompt, type a line, and give what was shown before it."""
        shown = self.until(PROMPT)
        os.write(self._end, line.encode() + b"\n")
        return shown

    def rest(self) -> str:
        """Read until the command has closed the terminal."""
        shown = ""
        with suppress(OSError):  # on Linux the end of a terminal is an error
            while piece := self._read():
                shown += piece
        return shown

    def _read(self) -> str:
        with selectors.DefaultSelector() as selector:
            selector.register(self._end, selectors.EVENT_READ)
            assert selector.select(30), f"nothing more came after:\n{self.seen}"
        piece = self._decoder.decode(os.read(self._end, 1)).replace("\r", "")
        self.seen += piece
        return piece or self._read()


OnTerminal = Callable[..., Terminal]


@pytest.fixture
def on_terminal(start_crossdock: StartCrossdock) -> Iterator[OnTerminal]:
    """Start the command on a terminal."""
    ends: list[int] = []

    def start(*arguments: str | Path) -> Terminal:
        own, theirs = pty.openpty()
        ends.append(own)
        env = {"TERM": "dumb", "PYTHONUTF8": "1"}
        process = start_crossdock(*arguments, stdin=theirs, stderr=theirs, env=env)
        os.close(theirs)
        return Terminal(own, process)

    yield start
    for end in ends:
        os.close(end)
