"""What a run does instead of plain requests: record them, replay them, or only list what it would write.

A recording is one file, ``http.jsonl``, of one exchange per line, in the order of the replies. Secrets are
replaced by value before anything is written, so that it can be kept beside the job's tests.
"""

import json
import threading
from base64 import b64decode, b64encode
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from difflib import SequenceMatcher
from hashlib import file_digest, sha256
from os import O_APPEND, O_CREAT, O_WRONLY, fdopen
from os import open as open_file
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from crossdock import Run
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

_WRITING = threading.Lock()
_RECORDED: WeakSet[Run] = WeakSet()
"""The runs whose recording was begun; all systems of a run write into one file."""

_REPLAYS: WeakKeyDictionary[Run, "Replay"] = WeakKeyDictionary()
"""One for all systems of a run: two credentials may ask the same, and each gets its own answer."""


@contextmanager
def exchange_of(configuration: HttpConfiguration) -> Iterator[Exchange]:
    """Give what sends the requests of the run in progress, or of nobody's."""
    run = open_run()
    if run is not None and run.replay is not None:
        with _WRITING:
            replay = _REPLAYS.setdefault(run, Replay(run.replay / _FILE, run.redactor))
        yield replay
        return
    with Transport(configuration) as transport:
        yield transport if run is None or run.record is None else _recorder(transport, run, run.record / _FILE)


def _recorder(transport: Transport, run: Run, file: Path) -> "Recorder":
    with _WRITING:
        if run not in _RECORDED:
            file.unlink(missing_ok=True)  # what an earlier run recorded would answer before what this one does
            _RECORDED.add(run)
    return Recorder(transport, file, run.redactor)


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

    def send(self, request: Request, deadline: Deadline, *, live: bool = False) -> Reply:  # noqa: ARG002 - what is recorded is read whole
        """Send a request, and write it down with its reply."""
        reply = self._exchange.send(request, deadline)
        answered = {
            "status": reply.status,
            "reason": reply.reason,
            "headers": {name: value for name, value in reply.headers.items() if name != "set-cookie"},
            "url": reply.url,
        }
        entry, _ = self._redactor.in_value({"request": described(request), "response": answered})
        entry["response"] |= _stored(reply.content, self._redactor)
        line = json.dumps(entry, ensure_ascii=False) + "\n"
        # Half a character of UTF-16, which JSON text may hold, is written as JSON's own escape.
        data = line.encode("utf-8", "backslashreplace")
        with _WRITING, fdopen(open_file(self._file, O_APPEND | O_CREAT | O_WRONLY, 0o600), "ab") as file:
            file.write(data)
        return reply

    def log_in(self, request: Request, deadline: Deadline) -> Reply:
        """Send a request for a token, which is nobody's business."""
        return self._exchange.log_in(request, deadline)


class Replay:
    """Answers requests from a recording, each recorded exchange once, and reaches no network.

    Args:
        file: The recording.
        redactor: Masks the secrets of a request as they were masked in the recording.
    """

    def __init__(self, file: Path, redactor: Redactor) -> None:
        self._redactor = redactor
        self._lock = threading.Lock()
        self._left: dict[str, deque[Described]] = {}
        for entry in _entries(file):
            self._left.setdefault(_key(entry["request"]), deque()).append(entry["response"])

    def send(self, request: Request, deadline: Deadline, *, live: bool = False) -> Reply:  # noqa: ARG002 - nothing is waited for
        """Give the recorded reply to a request."""
        wanted, _ = self._redactor.in_value(described(request))
        with self._lock:
            replies = self._left.get(_key(wanted))
            if not replies:
                raise self._not_recorded(request, wanted)
            recorded = replies.popleft()
        content = b64decode(recorded["base64"]) if "base64" in recorded else recorded["text"].encode()
        head = (request.method, recorded["url"], recorded["status"], recorded["reason"], recorded["headers"])
        return Reply(*head, content, 0.0)

    def log_in(self, request: Request, deadline: Deadline) -> Reply:  # noqa: ARG002 - as above
        """Give a token that opens nothing: the recording holds none."""
        token = {"access_token": "recorded", "token_type": "Bearer"}
        return Reply(request.method, shown(request.url), 200, "OK", {}, json.dumps(token).encode(), 0.0)

    def _not_recorded(self, request: Request, wanted: Described) -> NotRecordedError:
        key = _key(wanted)
        nearest = max(self._left, key=lambda recorded: _alike(recorded, key), default=None)
        if nearest is None:
            return NotRecordedError(f"{request} was not recorded; the recording holds no requests")
        recorded = json.loads(nearest)
        used = "" if self._left[nearest] else ", which was answered already"
        told = ", ".join(_differences(recorded, wanted)) or "nothing"
        return NotRecordedError(
            f"{request} was not recorded; the nearest is {recorded['method']} {shown(recorded['url'])}"
            f"{used}; it differs in: {told}"
        )


def _entries(file: Path) -> Iterator[dict[str, Described]]:
    if not file.exists():
        return
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield json.loads(line)
            except ValueError as error:
                raise NotRecordedError(f"line {number} of {file} is no recorded exchange") from error


def _key(request: Described) -> str:
    return json.dumps(request, sort_keys=True)


def _alike(recorded: str, wanted: str) -> float:
    most = 2000  # what the comparison of longer ones would cost grows with their square
    return SequenceMatcher(None, recorded[-most:], wanted[-most:]).ratio()


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
    content = _summary(part.content) if isinstance(part.content, Path) else _shown(part.content)
    return {"name": part.name, "filename": part.filename, "type": part.type, "content": content}


def _summary(file: Path) -> Described:
    with file.open("rb") as content:
        return {"bytes": file.stat().st_size, "sha256": file_digest(content, "sha256").hexdigest()}


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


def _stored(content: bytes, redactor: Redactor) -> dict[str, str]:
    """Give a body as JSON can hold it; its secrets are masked before base64 hides them."""
    text = redactor(content.decode("utf-8", "surrogateescape"))
    try:
        text.encode()
    except UnicodeEncodeError:
        return {"base64": b64encode(text.encode("utf-8", "surrogateescape")).decode()}
    return {"text": text}
