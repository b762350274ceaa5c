"""Trace: what the operations of a run did, as a tree that stays small however long the run is.

Inside an operation all runs of one operation from one line are one span with a count: what
``each`` runs for 10,000 items is one line of the tree. A run that nobody traces has no spans.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from datetime import date
from itertools import islice
from time import perf_counter
from typing import TYPE_CHECKING, Any

from crossdock.changes import Change, changes, kind_of, snapshot
from crossdock.derived import into
from crossdock.errors import cut
from crossdock.redaction import MASK, Redactor, looks_secret
from crossdock.scope import StopStep
from crossdock.state import State

if TYPE_CHECKING:
    from crossdock.operation import Operation

open_span: ContextVar["Span | None"] = ContextVar("open_span", default=None)
"""The span of the innermost running operation; None where nobody traces."""


Hearing = Callable[[str, Mapping[str, Any]], AbstractContextManager[Callable[..., None]]]

_hearing: ContextVar[Hearing | None] = ContextVar("hearing", default=None)


def heard_by(hearing: Hearing | None) -> None:
    """Let somebody else hear, too, what the connections of the run in progress do; None for nobody.

    Args:
        hearing: Given the kind and what is known, it makes a context manager around what is
            done, which gives what takes what is known afterwards.
    """
    _hearing.set(hearing)


def is_traced() -> bool:
    """Tell whether somebody traces the run in progress."""
    return open_span.get() is not None


_MOST_SPANS = 2_000
_DEEPEST = 30
_MOST_NOTES = 20
_MOST_TEXT = 300
_MOST_VALUE = 120
_MOST_MEMBERS = 6


class Notes:
    """What connections did inside one span, of one kind: all of it summed up, and some of it kept."""

    __slots__ = ("amount", "count", "failed", "kept", "seconds", "slowest")

    def __init__(self) -> None:
        self.count = self.failed = self.amount = 0
        self.seconds = self.slowest = 0.0
        self.kept: list[dict[str, Any]] = []
        """The first ones, and the first that failed."""

    def add(self, facts: dict[str, Any], *, failed: bool) -> None:
        """Add one."""
        kept_failed = sum(note["failed"] for note in self.kept)
        if (kept_failed if failed else len(self.kept) - kept_failed) < _MOST_NOTES:
            self.kept.append({**facts, "failed": failed})
        self.count += 1
        self.failed += failed
        self.amount += facts.get("bytes") or facts.get("rows") or 0
        self.seconds += facts["seconds"]
        self.slowest = max(self.slowest, facts["seconds"])


class Span:
    """One operation as it ran; inside another operation all its runs from one line."""

    def __init__(self, trace: "Trace", operation: "Operation | None" = None, depth: int = 0) -> None:
        self._trace = trace
        self.operation = operation
        self.depth = depth
        self.at = self.until = trace.clock()
        self.seconds = self.slowest = 0.0
        self.count = self.failed = 0
        self.error: str | None = None
        self.changes: list[dict[str, Any]] | None = None
        """What its first run changed in the state, described: a trace holds none of the data."""
        self.notes: dict[str, Notes] = {}
        self.spans: dict[Any, Span] = {}

    def inside(self, operation: "Operation") -> "Span | None":
        """Give the span of an operation that runs inside this one; None if it has none of its own."""
        if self._is_into(operation):
            return None
        with self._trace.lock:
            key = (operation.name, operation.site.file, operation.site.line) if self.depth else len(self.spans)
            span = self.spans.get(key)
            if span is None and self._trace.may_grow(self.depth):
                span = self.spans[key] = Span(self._trace, operation, self.depth + 1)
        return span

    def _is_into(self, operation: "Operation") -> bool:
        """Tell whether this is ``operation.into(…)``: the two are one span."""
        own = self.operation
        return own is not None and own.declaration.function is into and own.arguments[0] is operation

    def saw(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        """Take down what its first run changed."""
        self.changes = [self._trace.change(change) for change in changes(before, after)]

    def end(self, seconds: float, error: BaseException | None) -> None:
        """Add one run that ended."""
        with self._trace.lock:
            self.count += 1
            self.seconds += seconds
            self.slowest = max(self.slowest, seconds)
            self.until = self._trace.clock()
            if error is not None and not isinstance(error, StopStep):
                self.failed += 1
                self.error = self.error or type(error).__name__
        if self.depth == 1:
            self._trace.tell(self._trace.described(self))

    def note(self, kind: str, facts: Mapping[str, Any]) -> None:
        """Add something that a connection did."""
        with self._trace.lock:
            known = {"at": self._trace.clock() - facts["seconds"], **facts}
            failed = "error" in facts or int(facts.get("status") or 0) >= 400
            self.notes.setdefault(kind, Notes()).add(known, failed=failed)


class Trace:
    """What the operations of one run did.

    Args:
        redactor: Masks the secrets in it.
        values: Whether it shows values of the state and of query parameters, cut.
        tell: Called with each top-level operation that ended, as JSON.

    Example:
        >>> from crossdock import Job, Run, Workflow, set_data
        >>> told = []
        >>> Run(Workflow.of(Job(set_data([1, 2]))), trace=Trace(Redactor(), tell=told.append)).execute()
        'success'
        >>> told[0]["name"], told[0]["changes"]
        ('set_data', [{'path': 'data', 'how': '~', 'before': 'None', 'after': 'list 2', 'times': 1}])
    """

    def __init__(
        self, redactor: Redactor, *, values: bool = False, tell: Callable[[dict[str, Any]], None] = lambda _: None
    ) -> None:
        self.redactor = redactor
        self.values = values
        self.tell = tell
        self.lock = threading.Lock()
        self._started = perf_counter()
        self._spans = 0
        self.root = Span(self)

    def clock(self) -> float:
        """Give the seconds since the trace began."""
        return perf_counter() - self._started

    def may_grow(self, depth: int) -> bool:
        """Tell whether there may be one span more below one of a depth; a trace stays small."""
        self._spans += 1
        return self._spans <= _MOST_SPANS and depth < _DEEPEST

    def described(self, span: Span) -> dict[str, Any]:
        """Describe a span and those inside it as JSON without secrets."""
        described: dict[str, Any] = self.redactor.in_value(self._described(span))[0]
        return described

    def _described(self, span: Span) -> dict[str, Any]:
        operation = span.operation
        where = {"name": operation.name, "line": str(operation.site), "text": operation.site.text} if operation else {}
        return {
            **where,
            **{name: getattr(span, name) for name in ("at", "until", "seconds", "slowest", "count", "failed", "error")},
            "changes": span.changes or [],
            "notes": {kind: self._notes(notes) for kind, notes in span.notes.items()},
            "spans": [self._described(inner) for inner in span.spans.values()],
        }

    def change(self, change: Change) -> dict[str, Any]:
        """Describe a change as JSON."""
        described = {
            "path": change.path,
            "how": change.how,
            "before": kind_of(change.before),
            "after": kind_of(change.after),
            "times": change.times,
        }
        values = {"was": self._value(change.before), "is": self._value(change.after)} if self.values else {}
        return {**described, **values}

    def _value(self, value: Any) -> str:
        # Masked before it is cut: a part of a secret would not be known as one.
        text = json.dumps(_pruned(value), ensure_ascii=False, default=_as_text)
        return cut(self.redactor(text), _MOST_VALUE)

    def _notes(self, notes: Notes) -> dict[str, Any]:
        summed = {name: getattr(notes, name) for name in ("count", "failed", "amount", "seconds", "slowest")}
        return {**summed, "kept": [self._note(note) for note in notes.kept]}

    def _note(self, note: dict[str, Any]) -> dict[str, Any]:
        url = {"url": shown_url(note["url"], values=self.values)} if "url" in note else {}
        shown = {key: value for key, value in {**note, **url}.items() if key != "said" or self.values}
        return {key: self._fact(value) for key, value in shown.items()}

    def _fact(self, value: Any) -> Any:
        plain = value is None or isinstance(value, bool | int | float)
        return value if plain else cut(self.redactor(" ".join(str(value).split())), _MOST_TEXT)


@contextmanager
def watching(trace: Trace | None) -> Iterator[None]:
    """Trace what runs inside, if there is a trace."""
    token = open_span.set(None if trace is None else trace.root)
    try:
        yield
    finally:
        open_span.reset(token)


@contextmanager
def noted(kind: str, **facts: Any) -> Iterator[Callable[..., None]]:
    """Show in the trace of the run what a connection does: how long it takes, and whether it fails.

    Args:
        kind: ``request``, ``statement``, or a word of the adaptor's own.
        facts: What it is: ``method`` and ``url`` of a request, whose query is shown without
            values; the ``text`` of a statement, without values. A fact that takes time to find
            is given as a function; it is called only where somebody traces.

    Returns:
        A context manager that gives a function, which takes what is known afterwards: the
        ``status`` and ``bytes`` of an answer, the ``rows`` of a statement, and what a system ``said``
        when it refused, which is shown only where values are.

    Example:
        >>> with noted("request", method="GET", url="https://example.org/people?id=7") as note:
        ...     note(status=200, bytes=512)
    """
    span, hearing = open_span.get(), _hearing.get()
    if span is None and hearing is None:
        yield _unheard
        return
    known = {key: value() if callable(value) else value for key, value in facts.items()}
    with hearing(kind, known) if hearing is not None else nullcontext(_unheard) as tell:
        if span is None:
            yield tell
            return

        def take(**more: Any) -> None:
            known.update(more)
            tell(**more)

        started = perf_counter()
        try:
            yield take
        except BaseException as error:
            known["error"] = type(error).__name__
            raise
        finally:
            span.note(kind, {**known, "seconds": perf_counter() - started})


def _unheard(**_: Any) -> None:
    """Take facts that nobody looks at."""


def watched(operation: "Operation", state: State, keep: bool) -> Any:
    """Do the work of an operation, and of one that it returned, inside a span.

    Args:
        operation: What runs.
        state: The state that it receives.
        keep: Whether it gives a state and its result, as ``operation.work`` does.
    """
    around = open_span.get()
    span = around.inside(operation) if around is not None else None
    if span is None:
        return _done(operation, state, keep)
    before = snapshot(state) if span.changes is None else None
    token, started, failure = open_span.set(span), perf_counter(), None
    try:
        result = _done(operation, state, keep)
    except BaseException as error:
        failure = error
        raise
    finally:
        seconds = perf_counter() - started
        open_span.reset(token)
        if before is not None and failure is None:
            span.saw(before, result[0] if keep else result)
        span.end(seconds, failure)
    return result


def _done(operation: "Operation", state: State, keep: bool) -> Any:
    result = operation.work(state, keep)
    return result if keep or type(result) is State else operation.accepted(result, state)


def shown_url(url: str, *, values: bool) -> str:
    """Give a URL without user and fragment; of its query the names, and the values if they are asked for.

    >>> shown_url("https://amina:pw@example.org/people?name=Amina&page=2", values=False)
    'https://example.org/people?name=…&page=…'
    """
    from urllib.parse import urlsplit  # imported late: few runs are traced

    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    shown = parts._replace(netloc=host, query="", fragment="").geturl()
    pairs = [pair.partition("=") for pair in parts.query.split("&") if pair]
    query = [f"{name}={_query_value(name, value, values=values)}" for name, _, value in pairs]
    return f"{shown}?{'&'.join(query)}" if query else shown


def _query_value(name: str, value: str, *, values: bool) -> str:
    return "…" if not values else MASK if looks_secret(name) else value


def _as_text(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else kind_of(value)


def _pruned(value: Any, depth: int = 0) -> Any:
    """Give the beginning of a value: whole texts, and the first few of what is many."""
    if depth < 4 and isinstance(value, dict):
        some = {str(key): _pruned(item, depth + 1) for key, item in islice(value.items(), _MOST_MEMBERS)}
        return {**some, "…": "…"} if len(value) > _MOST_MEMBERS else some
    if depth < 4 and isinstance(value, list | tuple):
        first = [_pruned(item, depth + 1) for item in value[:_MOST_MEMBERS]]
        return [*first, "…"] if len(value) > _MOST_MEMBERS else first
    return kind_of(value) if isinstance(value, dict | list | tuple) else value
