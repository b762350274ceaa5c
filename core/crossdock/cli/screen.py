"""What a person sees of a run while it goes on, and what is kept of what its process sends."""

import os
import sys
import time
from collections.abc import Callable
from functools import cached_property
from math import inf
from typing import Any, NamedTuple

from crossdock.cli.cursors import CursorFile
from crossdock.cli.ending import say
from crossdock.files import remove_folder
from crossdock.message import Message
from crossdock.redaction import Redactor
from crossdock.run import Run


class Limit(NamedTuple):
    """How long a step may take."""

    seconds: float | None
    at: float
    """When that is over, by the clock that only goes forward."""


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
        self.running: dict[str, Limit] = {}
        """The steps that are running."""
        self.ended: list[dict[str, Any]] = []
        """The steps that ended."""

    def take(self, sent: dict[str, Any]) -> None:
        """Take what the child sends: a secret to mask, a folder to clear away, what starts and ends, the report."""
        kind = next((key for key in self._taking if key in sent), None)
        if kind is None:
            self.report = sent
        else:
            self._taking[kind](sent)

    @cached_property
    def _taking(self) -> dict[str, Callable[[dict[str, Any]], None]]:
        """What is done with what is sent, by the key that tells its kind."""
        return {
            "secret": lambda sent: self.redact.add(sent["secret"], what="a credential"),
            "checkpoint": self._take_cursors,
            "files": self._take_folder,
            "span": self._take_span,
            "operation": self._take_operation,
            "step": self._take_step,
        }

    def _take_cursors(self, sent: dict[str, Any]) -> None:
        self.cursors |= sent["checkpoint"]
        if self._kept is not None:
            self._kept.write(self.cursors)

    def _take_folder(self, sent: dict[str, Any]) -> None:
        self._files = sent["files"]

    def _take_span(self, sent: dict[str, Any]) -> None:
        self._spans.append(sent["span"])
        self._running = None

    def _take_operation(self, sent: dict[str, Any]) -> None:
        self._running = sent["operation"]
        if self._status is not None:
            self._status.update(f"{sent['operation']['name']} …")

    def _take_step(self, sent: dict[str, Any]) -> None:
        name = sent["step"]
        if "outcome" in sent:
            self.running.pop(name, None)
            self.ended.append({"name": name, **sent})
        else:
            seconds = sent["seconds"]
            self.running[name] = Limit(seconds, inf if seconds is None else time.monotonic() + seconds)

    def deadline(self) -> float:
        """Give when the time of a running step is over, by the clock that only goes forward."""
        return min((limit.at for limit in self.running.values()), default=inf)

    def traced(self) -> dict[str, Any]:
        """Give the operations that ended, and the one that was running when the process ended."""
        return {"spans": self._spans, "running": self._running}

    def carry(self, run: Run) -> None:
        """Let a run go on where one that was interrupted stopped, and keep how far it comes."""
        if self._kept is not None and not run.dry_run:
            self._kept.carry_progress(run.progress)

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
