"""OpenTelemetry: a real collector gets spans of messages, runs, steps, operations and requests, and no payload."""

import subprocess
import sys
from ast import literal_eval
from collections.abc import Iterator
from typing import Any

import pytest
from crossdock.traceparent import Traceparent
from fix_command import Crossdock
from fix_serve import Served, until
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

GIVEN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
SECRET = "c0llector-s3cret"
LOAD = """
    import os
    from crossdock import Job, each, state
    from crossdock.adaptors import http

    def look(state):
        print(sorted(name for name in os.environ if name.startswith("OTEL_")))
        return state

    job = Job(look, each(state.data["names"], http.get("/people/Asha", query={"q": "Asha"}), concurrency=2))
"""
FAILS = """
    from crossdock import Job, require, state

    job = Job(require(state.request["nothing"], "no Asha"))
"""
PROJECT = """
    credentials: {{crm: {{adaptor: http, base_url: "{url}"}}}}
    workflows:
      visits:
        triggers: {{form: {{webhook: visits}}}}
        steps: {{load: {{job: jobs/load.py, credentials: [crm]}}}}
      report:
        triggers: {{end: {{after: {{success: visits}}}}}}
        steps: {{load: {{job: jobs/fails.py}}}}
"""


class Collector:
    """What takes spans, on a socket; and a system that jobs ask."""

    def __init__(self, server: HTTPServer) -> None:
        self.bodies: list[bytes] = []
        self.headers: list[str | None] = []
        self.asked: list[str | None] = []
        self.url = server.url_for("").rstrip("/")
        server.expect_request("/v1/traces").respond_with_handler(self._take)
        server.expect_request("/people/Asha").respond_with_handler(self._answer)

    def _take(self, request: Request) -> Response:
        self.bodies.append(request.data)
        self.headers.append(request.headers.get("x-token"))
        return Response(b"", 200)

    def _answer(self, request: Request) -> Response:
        self.asked.append(request.headers.get("traceparent"))
        return Response(b"{}", 200, content_type="application/json")

    @property
    def spans(self) -> list[Any]:
        """All spans that came, in the order of their end."""
        told = [ExportTraceServiceRequest.FromString(body) for body in self.bodies]
        return [
            span
            for one in told
            for resource in one.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def wait_for(self, *names: str) -> dict[str, Any]:
        """Wait for spans of these names, and give all by name."""
        until(lambda: set(names) <= {span.name for span in self.spans}, f"the spans {names}")
        return {span.name: span for span in self.spans}

    @property
    def environment(self) -> dict[str, str]:
        """What tells a server to send spans here."""
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.url,
            "OTEL_EXPORTER_OTLP_HEADERS": f"x-token={SECRET}",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "OTEL_RESOURCE_ATTRIBUTES": "site=clinic",
        }


@pytest.fixture
def collector(httpserver: HTTPServer) -> Iterator[Collector]:
    """A collector."""
    return Collector(httpserver)


def test_a_message_is_traced_from_its_sender_to_the_systems_that_its_runs_ask(served: Served, collector: Collector):
    served.write(PROJECT.format(url=collector.url), load=LOAD, fails=FAILS)
    served.start(env=collector.environment)

    [run] = served.post("visits", {"names": ["Asha", "Musa"]}, traceparent=GIVEN)

    assert served.run(run).run.outcome == "success", served.run(run).error
    spans = collector.wait_for("message visits", "run visits", "step load", "each", "GET", "run report")
    ids = {name: span.span_id for name, span in spans.items()}
    assert {span.trace_id.hex() for span in collector.spans} == {Traceparent.read(GIVEN).trace}
    assert spans["message visits"].parent_span_id.hex() == Traceparent.read(GIVEN).span
    assert spans["run visits"].parent_span_id == ids["message visits"]
    assert spans["run report"].parent_span_id == ids["run visits"]
    assert spans["each"].parent_span_id in {span.span_id for span in collector.spans if span.name == "step load"}
    requests = [span for span in collector.spans if span.name == "GET"]
    assert [span.parent_span_id for span in requests] == [ids["each"]] * 2
    assert {Traceparent.read(asked).span for asked in collector.asked} == {span.span_id.hex() for span in requests}
    assert (spans["run visits"].status.code, spans["run report"].status.code) == (0, 2)


def test_spans_hold_no_payload_and_jobs_see_no_secret_of_the_collector(served: Served, collector: Collector):
    served.write(PROJECT.format(url=collector.url), load=LOAD, fails=FAILS)
    served.start(env=collector.environment)

    details = served.sent("visits", {"names": ["Asha"]})

    collector.wait_for("message visits", "run visits", "run report")
    assert details.message.traceparent is not None
    assert b"Asha" not in b"".join(collector.bodies)
    assert SECRET.encode() not in b"".join(collector.bodies)
    assert set(collector.headers) == {SECRET}
    [seen] = [line for line in served.lines(details.run.id) if "OTEL_" in line]
    assert literal_eval(seen) == sorted(collector.environment.keys() - {"OTEL_EXPORTER_OTLP_HEADERS"})


def test_a_run_in_a_terminal_is_traced_too(tmp_path, crossdock: Crossdock, collector: Collector):
    (tmp_path / "job.py").write_text("from crossdock import Job, set_data\njob = Job(set_data(7))\n")

    done = crossdock("run", "job.py", env=collector.environment)

    assert (done.returncode, done.json["data"]) == (0, 7), done.stderr
    spans = {span.name: span for span in collector.spans}
    assert spans["set_data"].parent_span_id == spans["step job"].span_id
    assert spans["step job"].parent_span_id == spans["run job"].span_id


def test_a_collector_that_is_away_holds_up_no_run_for_long(tmp_path, crossdock: Crossdock, closed_port):
    (tmp_path / "job.py").write_text("from crossdock import Job, set_data\njob = Job(set_data(7))\n")

    done = crossdock("run", "job.py", env={"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{closed_port[0]}:{closed_port[1]}"})

    assert (done.returncode, done.json["data"]) == (0, 7)


@pytest.mark.parametrize("name", ["OTEL_SDK_DISABLED=true", "OTEL_TRACES_EXPORTER=none", "NOTHING=1"])
def test_nothing_of_it_is_imported_where_nobody_wants_it(name):
    source = (
        "import os, sys\n"
        f"os.environ.update([{name!r}.split('=')])\n"
        "from crossdock.plugins import Plugins\n"
        "plugins = Plugins()\nplugins.load()\n"
        "assert plugins.broken == {}\n"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]\n"
    )

    subprocess.run([sys.executable, "-c", source], check=True)


def test_without_its_library_the_fix_names_the_extra():
    source = (
        "import os, sys\n"
        "os.environ['OTEL_TRACES_EXPORTER'] = 'otlp'\n"
        "sys.modules['opentelemetry'] = None\n"
        "from crossdock.plugins import Plugins\n"
        "plugins = Plugins()\nplugins.load()\n"
        "print(plugins.broken['opentelemetry'].fix)\n"
    )

    done = subprocess.run([sys.executable, "-c", source], check=True, capture_output=True, text=True)

    assert done.stdout == "Install it: pip install 'crossdock[otel]'.\n"
