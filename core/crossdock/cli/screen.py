"""What a person sees of a run while it goes on, and what is kept of what its process sends."""

import os
import sys
from typing import Any

from crossdock.cli.cursors import CursorFile
from crossdock.cli.ending import say
from crossdock.files import remove_folder
from crossdock.message import Message
from crossdock.redaction import Redactor


class Screen:
    """What a person sees of a run: what it prints and, on a terminal and only there, what it is doing."""

    def __init__(self, message: Message, kept: CursorFile | None) -> None:
        self.redact = Redactor()
        self.report: dict[str, Any] | None = None
        self.cursors: dict[str, Any] = dict(message.state.get("cursors") or {})
        """Those that count if the run ends without a report."""
        self._kept = kept
        self._files: str | None = None
        self._status: Any = None
        self._spans: list[dict[str, Any]] = []
        self._running: dict[str, Any] | None = None

    def take(self, sent: dict[str, Any]) -> None:
        """Take what the child sends: a secret to mask, a folder to clear away, what starts and ends, the report."""
        if "secret" in sent:
            self.redact.add(sent["secret"], what="a credential")
        elif "checkpoint" in sent:
            self.cursors |= sent["checkpoint"]
            if self._kept is not None:
                self._kept.write(self.cursors)
        elif "files" in sent:
            self._files = sent["files"]
        elif "span" in sent:
            self._spans.append(sent["span"])
            self._running = None
        elif "operation" in sent:
            self._running = sent["operation"]
            if self._status is not None:
                self._status.update(f"{sent['operation']['name']} …")
        else:
            self.report = sent

    def traced(self) -> dict[str, Any]:
        """Give the operations that ended, and the one that was running when the process ended."""
        return {"spans": self._spans, "running": self._running}

    def show(self, text: str) -> None:
        """Show what the child prints."""
        if self._status is None:
            say(self.redact(text), end="")
        else:
            self._status.console.print(self.redact(text), end="", markup=False, highlight=False, soft_wrap=True)

    def clear_away(self) -> None:
        """Remove the temporary files of the run, if its process ended before it could."""
        if self._files is not None and os.path.lexists(self._files):
            remove_folder(self._files)

    def __enter__(self) -> None:
        if sys.stderr is not None and sys.stderr.isatty():
            from rich.console import Console

            self._status = Console(stderr=True).status("starting …")
            self._status.start()

    def __exit__(self, *_: object) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None
