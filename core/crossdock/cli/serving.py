"""How ``crossdock serve`` and ``crossdock worker`` start: the fork server first, so that both processes import what they need at once."""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from io import FileIO, TextIOWrapper
from typing import TYPE_CHECKING, TextIO

from crossdock.worker.child import open_standard
from crossdock.worker.forking import Forks

if TYPE_CHECKING:
    from crossdock.cli.service import Service
    from crossdock.project.project import Project


def serve(project: "Project", host: str, port: int, workers: int) -> int:
    """Serve a project until a signal says to end, and give the exit code.

    Args:
        project: The project.
        host: The address to listen at.
        port: The port to listen at.
        workers: How many runs may be in work at once; without any it only receives.

    Raises:
        CrossdockError: It can't be served; nothing was received.
    """
    with _service(project, workers) as service:
        return service.run(host, port)


def work(project: "Project", workers: int) -> int:
    """Run what servers elsewhere receive until a signal says to end, and give the exit code.

    Args:
        project: The project.
        workers: How many runs may be in work at once.

    Raises:
        CrossdockError: That can't be done; nothing was run.
    """
    with _service(project, workers) as service:
        return service.work()


@contextmanager
def _service(project: "Project", workers: int) -> "Iterator[Service]":
    with closing(Forks(project)) as forks:
        from crossdock.cli.service import Service  # imported late: the fork server imports other things meanwhile

        yield Service(project, forks, workers)


def log_to_stderr(*, as_json: bool) -> None:
    """Let the server log to standard error, a line each, if that is open."""
    open_standard()
    handler = _ToStderr()
    handler.setFormatter(_JsonLines() if as_json else _TextLines())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("crossdock").setLevel(logging.INFO)
    logging.captureWarnings(capture=True)


class _ToStderr(logging.StreamHandler[TextIO]):
    """Writes to standard error; a line that can't be written is lost, and nothing else.

    Nothing is left in a buffer: the end of the process would fail at it.
    """

    def __init__(self) -> None:
        raw = FileIO(2, "w", closefd=False)
        super().__init__(TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", write_through=True))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is that of logging
        """Say what is wrong with a record, unless it is that nobody reads what is said."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)


class _TextLines(logging.Formatter):
    """Writes a record as a line for people, with the ids that the commands of an operator take, and the time in UTC as theirs."""

    _ABOUT = ("run", "message_id", "attempt", "error", "duplicate")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is that of logging
        """Give the line of a record; what it does not know, or is false, is left out."""
        about = [f"{key}={value}" for key in self._ABOUT if (value := getattr(record, key, None))]
        return "  ".join([f"{_at(record)} {record.levelname} {record.message}", *about])


class _JsonLines(logging.Formatter):
    """Writes a record as a JSON object."""

    _ABOUT = (
        *("address", "inbox", "message_id", "run", "runs", "duplicate", "trace"),
        *("workflow", "attempt", "outcome", "error", "state", "trigger", "tick"),
    )

    def format(self, record: logging.LogRecord) -> str:
        """Give the line of a record."""
        about = {key: value for key in self._ABOUT if (value := getattr(record, key, None)) is not None}
        line = {"at": _at(record), "level": record.levelname.lower(), "event": getattr(record, "event", "log")}
        said = {"logger": record.name, "message": record.getMessage()}
        traceback = {} if record.exc_info is None else {"traceback": self.formatException(record.exc_info)}
        return json.dumps({**line, **said, **about, **traceback}, ensure_ascii=False)


def _at(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
