"""OpenTelemetry: what becomes of messages and runs, as spans of a trace.

It is a plugin like any other, configured by the variables of the standard alone
(https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/). Nothing of the
library is imported before the first span. A span holds names and figures: no payload, no
address with its query, no text of an error.
"""

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from crossdock.errors import PluginError
from crossdock.hooks import hookimpl
from crossdock.trace import heard_by
from crossdock.traceparent import HEADER, Traceparent

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

    from crossdock.operation import Operation
    from crossdock.run import Run
    from crossdock.store.records import Accepted, NewMessage
    from crossdock.walk import Ended
    from crossdock.workflow import Step

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_GONE_WELL = ("success", "partial")


def is_wanted(environment: Mapping[str, str]) -> bool:
    """Tell whether the environment asks for spans: it names where they go, or how.

    Example:
        >>> is_wanted({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"})
        True
        >>> is_wanted({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"})
        False
    """
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    exporter = environment.get("OTEL_TRACES_EXPORTER", "")
    return exporter != "none" if exporter else any(environment.get(name) for name in _ENDPOINTS)


def is_for_runs(name: str) -> bool:
    """Tell whether runs see a variable of the environment: those of the standard, but for what may hold a secret."""
    return name.startswith("OTEL_") and not name.endswith("_HEADERS")


class Spans:
    """The plugin.

    Raises:
        PluginError: The library is not installed.
    """

    def __init__(self) -> None:
        if find_spec("opentelemetry") is None or find_spec("opentelemetry.exporter.otlp.proto.http") is None:
            message = "the environment asks for spans of OpenTelemetry (OTEL_…), and its library is not installed"
            raise PluginError(message, fix="Install it: pip install 'crossdock[otel]'.")
        self._open: dict[str, tuple[Span, Any]] = {}
        """Key → a span that began in one hook and ends in another one, and what undoes its being the current one."""
        self._messages: dict[str, Span] = {}

    @property
    def _tracer(self) -> "Tracer":
        from crossdock.exporting import tracer  # imported late: most processes make no span

        return tracer()

    @hookimpl
    def crossdock_message_received(self, message: "NewMessage") -> str:
        """Begin the span of a message; it is the parent of all that becomes of it."""
        given = Traceparent.read(dict(message.headers).get(HEADER, ""))
        about: dict[str, str | int] = {"crossdock.source": message.source, "crossdock.bytes": len(message.body)}
        span = self._tracer.start_span(f"message {message.source}", context=_context(given), attributes=about)
        trace = str(_traceparent(span))
        self._messages[trace] = span
        return trace

    @hookimpl
    def crossdock_message_accepted(self, message: "NewMessage", accepted: "Accepted | None") -> None:
        """End the span of a message: it is on the disk, or was refused."""
        span = self._messages.pop(dict(message.headers).get(HEADER, ""), None)
        if span is None:
            return
        if accepted is not None:
            span.set_attributes({"crossdock.message_id": accepted.message, "crossdock.duplicate": accepted.duplicate})
        _end(span, well=accepted is not None)

    @hookimpl
    def crossdock_run_started(self, run: "Run") -> None:
        """Begin the span of a run; what it asks systems for says that it belongs there."""
        about = {"crossdock.workflow": run.workflow.name}
        self._begin("run", f"run {run.workflow.name}", about, _context(run.traceparent))
        run.traceparent = _traceparent(self._open["run"][0])
        run.parent_of = _current
        heard_by(self._heard)

    @hookimpl
    def crossdock_run_finished(self, run: "Run") -> None:
        """End the span of a run, and hand on what was not yet: its process may end now."""
        from crossdock.exporting import flush

        heard_by(None)
        self._finish("run", run.outcome)
        flush()

    @hookimpl
    def crossdock_step_started(self, step: "Step") -> None:
        """Begin the span of a step."""
        self._begin(f"step {step.name}", f"step {step.name}", {"crossdock.step": step.name})

    @hookimpl
    def crossdock_step_finished(self, step: "Step", ended: "Ended") -> None:
        """End the span of a step."""
        self._finish(f"step {step.name}", ended.outcome)

    @hookimpl
    def crossdock_operation(self, operation: "Operation") -> Generator[None, Any, None]:
        """Be the span around an operation."""
        with self._span(operation.name, {"crossdock.line": str(operation.site)}):
            yield

    @contextmanager
    def _heard(self, kind: str, facts: Mapping[str, Any]) -> Iterator[Callable[..., None]]:
        """Be the span around what a connection does."""
        name, about = _request(facts) if kind == "request" else _statement(kind, facts)
        with self._span(name, about) as span:
            yield lambda **more: span.set_attributes(
                {f"crossdock.{key}": value for key, value in more.items() if isinstance(value, int)}
            )

    def _begin(self, key: str, name: str, about: Mapping[str, str], context: Any = None) -> None:
        from opentelemetry.context import attach
        from opentelemetry.trace import set_span_in_context

        span = self._tracer.start_span(name, context=context, attributes=about)
        self._open[key] = (span, attach(set_span_in_context(span)))

    def _finish(self, key: str, outcome: str) -> None:
        from opentelemetry.context import detach

        span, token = self._open.pop(key)
        span.set_attribute("crossdock.outcome", outcome)
        _end(span, well=outcome in _GONE_WELL)
        detach(token)

    @contextmanager
    def _span(self, name: str, about: Mapping[str, Any]) -> "Iterator[Span]":
        from opentelemetry.trace import use_span

        span, well = self._tracer.start_span(name, attributes=about), False
        try:
            with use_span(span, record_exception=False, set_status_on_exception=False):
                yield span
            well = True
        except BaseException as error:
            span.set_attribute("error.type", type(error).__name__)
            raise
        finally:
            _end(span, well=well)


def _request(facts: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Give name and attributes of a request: of its address only the server, since a path may name a person."""
    url = urlsplit(str(facts["url"]))
    return str(facts["method"]), {
        "http.request.method": str(facts["method"]),
        "server.address": url.hostname or "",
        "server.port": url.port or (443 if url.scheme == "https" else 80),
    }


def _statement(kind: str, facts: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Give name and attributes of anything else: of a statement only its first word."""
    words = str(facts.get("text", "")).split(maxsplit=1)
    return (words[0].upper()[:20] if words and words[0].isalpha() else kind), {"crossdock.kind": kind}


def _end(span: "Span", *, well: bool) -> None:
    from opentelemetry.trace import StatusCode

    if not well:
        span.set_status(StatusCode.ERROR)
    span.end()


def _context(parent: Traceparent | None) -> Any:
    """Give the context in which a span has this parent."""
    from opentelemetry.context import Context
    from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

    if parent is None:
        return Context()
    flags = TraceFlags(parent.flags)
    known = SpanContext(int(parent.trace, 16), int(parent.span, 16), is_remote=True, trace_flags=flags)
    return set_span_in_context(NonRecordingSpan(known), Context())


def _traceparent(span: "Span") -> Traceparent:
    known = span.get_span_context()
    return Traceparent(f"{known.trace_id:032x}", f"{known.span_id:016x}", int(known.trace_flags))


def _current() -> Traceparent | None:
    """Give what a request says of its trace: that its parent is the span around it."""
    from opentelemetry.trace import get_current_span

    span = get_current_span()
    return _traceparent(span) if span.get_span_context().is_valid else None
