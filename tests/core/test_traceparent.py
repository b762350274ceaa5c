"""A trace of several systems: what comes in with a message goes on to its runs, and out with their requests."""

import json
import re
from urllib.request import Request, urlopen

import pytest
from crossdock.traceparent import Traceparent
from fix_command import Crossdock
from fix_serve import PATIENCE, Served, until
from pytest_httpserver import HTTPServer
from werkzeug import Response

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
GIVEN = f"00-{TRACE}-{SPAN}-01"
WELL_FORMED = re.compile("00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


@pytest.mark.parametrize(
    ("text", "known"),
    [
        (GIVEN, GIVEN),
        (f"00-{TRACE}-{SPAN}-00", f"00-{TRACE}-{SPAN}-00"),
        (f"00-{TRACE}-{SPAN}-ff", f"00-{TRACE}-{SPAN}-03"),
        (f"cc-{TRACE}-{SPAN}-01", GIVEN),
        (f"cc-{TRACE}-{SPAN}-01-what-comes", GIVEN),
        (f"00-{TRACE}-{SPAN}-01-more", None),
        (f"cc-{TRACE}-{SPAN}-01.more", None),
        (f"ff-{TRACE}-{SPAN}-01", None),
        (f"00-{'0' * 32}-{SPAN}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE.upper()}-{SPAN}-01", None),
        (f"00-{TRACE[1:]}-{SPAN}-01", None),
        (f"00-{TRACE}-{SPAN}", None),
        (f" {GIVEN}", None),
        (f"{GIVEN}\n", None),
        ("", None),
    ],
)
def test_a_header_is_read_as_the_standard_says(text, known):
    found = Traceparent.read(text)

    assert (None if found is None else str(found)) == known


def test_a_child_is_in_the_same_trace_with_an_id_of_its_own():
    parent = Traceparent.new()

    child = parent.child()

    assert WELL_FORMED.fullmatch(str(parent))
    assert (child.trace, child.flags) == (parent.trace, parent.flags)
    assert len({parent.span, child.span, parent.child().span}) == 3
    assert Traceparent.read(str(child)) == child


PROJECT = """
    credentials: {{crm: {{adaptor: http, base_url: "{url}", allow_private_addresses: true}}}}
    workflows:
      visits:
        triggers: {{form: {{webhook: visits}}, hand: {{}}}}
        steps: {{load: {{job: jobs/load.py, credentials: [crm]}}}}
      report:
        triggers: {{end: {{after: {{success: visits}}}}}}
        steps: {{load: {{job: jobs/told.py, credentials: [crm]}}}}
"""
LOAD = """
    from crossdock import Job, log
    from crossdock.adaptors import http

    job = Job(http.get("/first"), http.get("/own", headers={"Traceparent": "mine"}), http.get("/away"))
"""
TOLD = """
    from crossdock import Job
    from crossdock.adaptors import http

    job = Job(http.post("/told"))
"""


@pytest.fixture
def traced(served: Served, httpserver: HTTPServer) -> Served:
    """A served project whose jobs send requests to a real server, one of which leads to another origin."""
    elsewhere = httpserver.url_for("/elsewhere").replace("localhost", "127.0.0.1")
    assert "127.0.0.1" in elsewhere
    for path in ("/first", "/own", "/elsewhere", "/told"):
        httpserver.expect_request(path).respond_with_json({})
    httpserver.expect_request("/away").respond_with_response(Response(status=302, headers={"location": elsewhere}))
    served.write(
        PROJECT.format(url=httpserver.url_for("").replace("127.0.0.1", "localhost")).replace(", hand: {}", ""),
        load=LOAD,
        told=TOLD,
    )
    served.start()
    return served


def sent(traced: Served, httpserver: HTTPServer, **headers: str) -> dict[str, str | None]:
    """Send a message, wait for its run and the one that follows it; give what each path got as traceparent."""
    [run] = traced.post("visits", {}, **headers)
    assert traced.run(run).run.outcome == "success", traced.run(run).error
    until(lambda: traced.runs("report"), "the run that follows")
    assert traced.run(traced.runs("report")[0].id).run.outcome == "success"
    return {request.path: request.headers.get("traceparent") for request, _ in httpserver.log}


def test_what_comes_with_a_message_goes_on_with_every_request(traced, httpserver):
    got = sent(traced, httpserver, traceparent=GIVEN)

    first, told = Traceparent.read(got["/first"]), Traceparent.read(got["/told"])
    assert (first.trace, first.flags) == (told.trace, told.flags) == (TRACE, 1)
    assert len({SPAN, first.span, told.span}) == 3
    assert got["/own"] == "mine"
    assert Traceparent.read(got["/away"]).trace == TRACE
    assert got["/elsewhere"] is None


def test_without_one_no_request_says_anything_of_traces(traced, httpserver):
    got = sent(traced, httpserver)

    assert got == {"/first": None, "/own": "mine", "/away": None, "/elsewhere": None, "/told": None}


def test_one_that_is_not_allowed_is_left_and_a_new_one_begun(traced, httpserver):
    got = sent(traced, httpserver, traceparent=f"00-{TRACE}-{'0' * 16}-01")

    trace = Traceparent.read(got["/first"]).trace
    assert trace != TRACE
    assert Traceparent.read(got["/told"]).trace == trace


def test_two_of_them_are_none_that_is_allowed(traced):
    [run] = _post_twice(traced)

    assert traced.run(run).message.traceparent.trace not in (TRACE, "1" * 32)


def _post_twice(traced: Served) -> list[str]:
    from http.client import HTTPConnection

    connection = HTTPConnection(traced.address.removeprefix("http://"), timeout=PATIENCE)
    connection.putrequest("POST", "/inbox/visits")
    for name, value in {"Content-Type": "application/json", "Content-Length": "2", "traceparent": GIVEN}.items():
        connection.putheader(name, value)
    connection.putheader("traceparent", f"00-{'1' * 32}-{SPAN}-01")
    connection.endheaders(b"{}")
    answer = connection.getresponse()
    connection.close()
    return answer.headers["x-run-ids"].split(",")


def test_the_trace_is_shown_with_the_run_and_in_the_log_of_the_server(traced, httpserver, crossdock: Crossdock):
    sent(traced, httpserver, traceparent=GIVEN)
    [run] = traced.runs("visits")

    shown = crossdock("runs", "show", run.id, "--project", str(traced.folder))
    as_json = crossdock("runs", "show", run.id, "--json", "--project", str(traced.folder))

    assert re.search(f"^trace +{TRACE}$", shown.stdout, re.MULTILINE)
    assert as_json.json["trace"] == TRACE
    told = [event for event in traced.servers[0].events if event["event"] in ("message_accepted", "run_ended")]
    assert [event["trace"] for event in told] == [TRACE] * 3
    assert {event["message_id"] for event in told if event.get("inbox") or event["workflow"] == "visits"} == {
        run.message
    }


def test_every_line_of_the_log_is_an_object_without_payload(served: Served):
    served.write(
        "workflows: {visits: {triggers: {form: {webhook: visits}}, steps: {load: {job: jobs/load.py}}}}",
        load="from crossdock import Job, JobError\n\ndef load(state):\n"
        "    print(state.data)\n    raise JobError('no', str(state.data))\n\njob = Job(load)\n",
    )
    server = served.start()
    details = served.sent("visits", {"name": "Asha"})
    broken = Request(f"{served.address}/inbox/visits", b'{"name": "Asha"', {"content-type": "application/json"})
    with pytest.raises(OSError, match="400"):
        urlopen(broken, timeout=PATIENCE)
    server.logged("failed")
    server.end()

    lines = [json.loads(line) for line in server.said.splitlines()]

    assert "Asha" not in server.said
    assert all({"at", "level", "event", "logger", "message"} <= line.keys() for line in lines)
    events = {line["event"]: line for line in lines}
    assert [*events] == [line["event"] for line in lines]
    assert events.keys() == {"ready", "message_accepted", "run_ended", "request_refused", "ending", "ended"}
    accepted, ended = events["message_accepted"], events["run_ended"]
    assert accepted["runs"] == [ended["run"]] == [details.run.id]
    assert accepted["message_id"] == ended["message_id"] == details.run.message
    assert (ended["outcome"], ended["state"], ended["attempt"]) == ("failed", "ended", 1)
