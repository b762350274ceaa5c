"""Exporting: where spans go, as the environment says.

Importing it reads the environment: a child of the fork server, which sees less of it, has what is here.
"""

import os
from functools import cache

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.trace import Tracer

from crossdock.errors import PluginError

_PATIENCE = 3.0
"""How many seconds the end of a run waits at most for who takes its spans, unless OTEL_EXPORTER_OTLP_TIMEOUT says."""


def _exporter() -> SpanExporter:
    kind = os.environ.get("OTEL_TRACES_EXPORTER") or "otlp"
    if kind == "console":
        return ConsoleSpanExporter()
    if kind != "otlp":
        raise PluginError(f"OTEL_TRACES_EXPORTER is {kind!r:.40}", fix="Set it to otlp, console or none.")
    return OTLPSpanExporter(timeout=None if "OTEL_EXPORTER_OTLP_TIMEOUT" in os.environ else _PATIENCE)


_EXPORTER = _exporter()
_RESOURCE = Resource.create({} if "OTEL_SERVICE_NAME" in os.environ else {SERVICE_NAME: "crossdock"})


@cache
def _provider() -> TracerProvider:
    """Give the provider of this process; it has a thread, so it is made after all forks."""
    provider = TracerProvider(resource=_RESOURCE)
    provider.add_span_processor(BatchSpanProcessor(_EXPORTER))
    return provider


def tracer() -> Tracer:
    """Give what makes spans."""
    return _provider().get_tracer("crossdock")


def flush() -> None:
    """Hand on all spans that have ended."""
    _provider().force_flush()
