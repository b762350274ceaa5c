"""What a run does instead of plain requests: record them, replay them, or only list what it would write.

A recording is one file, ``http.jsonl``, of one exchange per line, in the order of the replies. Secrets are
replaced by value before anything is written, so that it can be kept beside the job's tests.
"""

import json
import threading
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from difflib import SequenceMatcher
from hashlib import sha256
from os import O_APPEND, O_CREAT, O_WRONLY, fdopen
from os import open as open_file
from pathlib import Path
from typing import Any

from crossdock.redaction import Redactor
from crossdock.scope import open_run

from crossdock_http.address import shown
from crossdock_http.configuration import HttpConfiguration
from crossdock_http.content import Part, Request
from crossdock_http.deadline import Deadline
from crossdock_http.errors import NotRecordedError
from crossdock_http.reply import Reply
from crossdock_http.transport import Exchange, Transport

_FILE = "http.jsonl"
Described = dict[str, Any]


@contextmanager
def exchange_of(configuration: HttpConfiguration) -> Iterator[Exchange]:
    """Give what sends the requests of the run in progress, or of nobody's."""
    run = open_run()
    if run is not None and run.replay is not None:
        yield Replay(run.replay / _FILE, run.redactor)
        return
    with Transport(configuration) as transport:
        yield transport if run is None or run.record is None else Recorder(transport, run.record / _FILE, run.redactor)


def planned(request: Request, headers: Mapping[str, str]) -> bool:
    """List a write in the plan of a dry run; tell whether this is one."""
    run = open_run()
    if run is None or not run.dry_run:
        return False
    run.plan_write({**described(request), "headers": dict(headers)})
    return True


def described(request: Request) -> Described:
    """Describe a request as JSON: its body as JSON or text where it is that, else by its size and hash."""
    body: Any = [_part(part) for part in request.body] if isinstance(request.body, tuple) else _shown(request.body)
    return {"method": request.method, "url": request.url, "body": body}


class Recorder:
    """Sends requests, and writes each with its reply.

    Args:
        exchange: What sends them.
        file: Where they are written.
        redactor: Masks the secrets in them.
    """

    def __init__(self, exchange: Exchange, file: Path, redactor: Redactor) -> None:
        self._exchange = exchange
        self._file = file
        self._redactor = redactor
        self._lock = threading.Lock()

    def send(self, request: Request, deadline: Deadline, *, live: bool = False) -> Reply:  # noqa: ARG002 - what is recorded is read whole
        """Send a request, and write it down with its reply."""
        reply = self._exchange.send(request, deadline)
        answered = {
            "status": reply.status,
            "reason": reply.reason,
            "headers": {name: value for name, value in reply.headers.items() if name not in _OF_THE_CONNECTION},
            "url": reply.url,
            **_stored(reply.content),
        }
        entry, _ = self._redactor.in_value({"request": described(request), "response": answered})
        with self._lock, fdopen(open_file(self._file, O_APPEND | O_CREAT | O_WRONLY, 0o600), "a") as file:
            file.write(json.dumps(entry, ensure_ascii=False) + "\n")
        return reply


class Replay:
    """Answers requests from a recording, each recorded exchange once, and reaches no network.

    Args:
        file: The recording.
        redactor: Masks the secrets of a request as they were masked in the recording.
    """

    def __init__(self, file: Path, redactor: Redactor) -> None:
        self._redactor = redactor
        self._lock = threading.Lock()
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        self._left: list[dict[str, Any]] = [json.loads(line) for line in lines]
        self._all = list(self._left)

    def send(self, request: Request, deadline: Deadline, *, live: bool = False) -> Reply:  # noqa: ARG002 - nothing is waited for
        """Give the recorded reply to a request."""
        wanted, _ = self._redactor.in_value(described(request))
        with self._lock:
            entry = next((entry for entry in self._left if entry["request"] == wanted), None)
            if entry is None:
                raise self._not_recorded(request, wanted)
            self._left.remove(entry)
        recorded = entry["response"]
        content = b64decode(recorded["base64"]) if "base64" in recorded else recorded["text"].encode()
        return Reply(
            request.method,
            recorded["url"],
            recorded["status"],
            recorded["reason"],
            recorded["headers"],
            content,
            0.0,
        )

    def _not_recorded(self, request: Request, wanted: Described) -> NotRecordedError:
        nearest = max(self._all, key=lambda entry: _alike(entry["request"], wanted), default=None)
        if nearest is None:
            return NotRecordedError(f"{request} was not recorded; the recording holds no requests")
        used = "" if nearest in self._left else ", which was answered already"
        told = ", ".join(_differences(nearest["request"], wanted)) or "nothing"
        return NotRecordedError(
            f"{request} was not recorded; the nearest is {nearest['request']['method']} {shown(nearest['request']['url'])}"
            f"{used}; it differs in: {told}"
        )


_OF_THE_CONNECTION = frozenset({"connection", "content-encoding", "content-length", "set-cookie", "transfer-encoding"})
"""Headers that say nothing of a body that was decoded, or are secret."""


def _alike(recorded: Described, wanted: Described) -> float:
    return SequenceMatcher(None, json.dumps(recorded, sort_keys=True), json.dumps(wanted, sort_keys=True)).ratio()


def _differences(recorded: Described, wanted: Described) -> Iterator[str]:
    """Name what differs between two requests, without the values."""
    if recorded["method"] != wanted["method"]:
        yield "method"
    before, _, query = str(recorded["url"]).partition("?")
    path, _, asked = str(wanted["url"]).partition("?")
    if before != path:
        yield "path"
    if query != asked:
        yield "query"
    if recorded["body"] != wanted["body"]:
        yield "body"


def _part(part: Part) -> Described:
    content = part.content.read_bytes() if isinstance(part.content, Path) else part.content
    return {"name": part.name, "filename": part.filename, "type": part.type, "content": _shown(content)}


def _shown(body: bytes | None) -> Any:
    if body is None:
        return None
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return {"bytes": len(body), "sha256": sha256(body).hexdigest()}
    try:
        return json.loads(text)
    except ValueError:
        return text


def _stored(content: bytes) -> dict[str, str]:
    try:
        return {"text": content.decode()}
    except UnicodeDecodeError:
        return {"base64": b64encode(content).decode()}
