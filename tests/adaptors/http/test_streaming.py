"""Records of an answer while it is being received."""

import gzip
import json

import pytest
from crossdock import Job, Run, Workflow, each, state
from crossdock.adaptors import http
from crossdock.testing import Close, Stall, http_reply
from crossdock_http import HttpError, NoAnswerError, ResponseTooLargeError, TruncatedAnswerError

MB = 1_000_000
TEXT = "Bénédicte 🏥\n"


def chunked(*chunks, type_="application/json", end=b"0\r\n\r\n", head=b""):
    """Give an answer whose chunks come one by one."""
    begin = (
        b"HTTP/1.1 200 OK\r\nContent-Type: " + type_.encode() + b"\r\n" + head + b"Transfer-Encoding: chunked\r\n\r\n"
    )
    return [begin, *[b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks], end]


def bytewise(body):
    return [body[at : at + 1] for at in range(len(body))]


@pytest.fixture
def streamed(faulty_server, run_job):
    """Stream what a server plays, and give the run, whose data are the records as far as they came."""

    def run(reply, *more, fields=None, **options):
        server = faulty_server(reply, *more)
        came = []

        def take(s):
            came.extend(s.data)
            return s.result(None)

        run = run_job(
            http.stream("/x", **options),
            take,
            credentials={"api": {"adaptor": "http", "base_url": server.url, **(fields or {})}},
        )
        return run, came

    return run


RECORDS = [{"n": 1, "name": "é🏥"}, {"n": 12345678901234567890123, "x": [1.5, None, {"a": "\u2028\x85"}]}, {}]
LINES = "\n".join(json.dumps(record, ensure_ascii=False) for record in RECORDS)
BODIES = {
    "jsonl": ("application/x-ndjson", LINES, None, RECORDS),
    "jsonl with blank lines": ("application/jsonl", LINES.replace("\n", "\r\n\r\n") + "\n", None, RECORDS),
    "jsonl with a mark": ("application/x-ndjson", "\ufeff" + LINES, None, RECORDS),
    "a list": ("application/json", json.dumps(RECORDS, ensure_ascii=False), None, RECORDS),
    "a list with blanks and a mark": (
        "application/json",
        "\ufeff \n" + json.dumps(RECORDS, indent=2) + "\n ",
        None,
        RECORDS,
    ),
    "an empty list": ("application/json", "[ ]", None, []),
    "numbers": (
        "application/json",
        "[1,-2.5e3 , 12345678901234567890123]",
        None,
        [1, -2500.0, 12345678901234567890123],
    ),
    "words": ("application/json", '[null,true,false,"", [], [[]]]', None, [None, True, False, "", [], [[]]]),
    "under a key": (
        "application/json",
        '{"item": [9], "d": {"results": [0], "x": {"results": 1}}, "results": [1, 2], "next": {"results": [3]}}',
        "results",
        [1, 2],
    ),
    "under keys": ("application/json", '{"d": {"a": [1, {"r": 1}], "r": [2]}, "r": [3]}', "d.r", [2]),
    "under a key with a dot": ("application/json", '{"d": 1, "d.r": [2]}', "d.r", [2]),
    "an empty list under a key": ("application/json", '{"a": [], "b": [1]}', "a", []),
    "csv": (
        "text/csv",
        'id,name\r\n7,"Am\nina é🏥"\n8,\n',
        None,
        [{"id": "7", "name": "Am\nina é🏥"}, {"id": "8", "name": ""}],
    ),
    "csv with a mark": ("text/csv", "\ufeffid\n7", None, [{"id": "7"}]),
    "lines": ("text/plain", "a\r\nb\u2028c\x0bd\n\n é🏥\r\r\nend", None, ["a", "b\u2028c\x0bd", "", " é🏥\r", "end"]),
    "no lines": ("text/plain", "", None, []),
}


@pytest.mark.parametrize(("type_", "text", "items", "records"), BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("cut", ["at each byte", "nowhere", "packed"])
def test_each_record_comes_however_the_answer_is_cut(streamed, monkeypatch, type_, text, items, records, cut):
    if cut == "at each byte":  # and so is what is read of it at a time
        monkeypatch.setattr("crossdock_http.json_list._STEP", 1)
    body = text.encode()
    chunks = {
        "at each byte": bytewise(body),
        "nowhere": [body] if body else [],
        "packed": bytewise(gzip.compress(body)),
    }
    head = b"Content-Encoding: gzip\r\n" if cut == "packed" else b""

    run, came = streamed(chunked(*chunks[cut], type_=type_, head=head), items=items)

    assert (run.outcome, came) == ("success", records)


def test_bytes_come_as_they_are(streamed):
    run, came = streamed(chunked(b"\xff\x00", b"\xfe"), parse="bytes")

    assert (run.outcome, b"".join(came)) == ("success", b"\xff\x00\xfe")


@pytest.mark.parametrize("charset", ["utf-16", "latin-1", "cp1252", "utf-8-sig"])
def test_text_is_read_in_the_charset_that_is_said(streamed, charset):
    body = "id;é\n".encode(charset)

    told, came = streamed(chunked(*bytewise(body), type_=f"text/plain; charset={charset}"))
    given, also = streamed(chunked(*bytewise(body), type_="text/plain; charset=ascii"), charset=charset)

    assert (told.outcome, given.outcome, came, also) == ("success", "success", ["id;é"], ["id;é"])


def test_json_is_utf_8_whatever_its_type_says(streamed):
    _, came = streamed(chunked('["é"]'.encode(), type_="application/json; charset=latin-1"))
    _, also = streamed(chunked('["é"]'.encode("latin-1")), charset="latin-1")

    assert came == also == ["é"]


FALSE = {
    "json cut": ("json", b'[{"n": 1}, {"n": 2}'),
    "json cut after a comma": ("json", b'[{"n": 1},'),
    "json cut in a text": ("json", b'[{"n": 1}, "ab'),
    "json cut in a word": ("json", b'[{"n": 1}, tru'),
    "json with more": ("json", b'[{"n": 1}] [2]'),
    "json with a comma too many": ("json", b'[{"n": 1},]'),
    "json without a comma": ("json", b'[{"n": 1} 2]'),
    "json with NaN": ("json", b'[{"n": 1}, NaN]'),
    "json without a quote": ("json", b"[{'n': 1}]"),
    "an object": ("json", b'{"results": [1]}'),
    "a number": ("json", b"7"),
    "nothing": ("json", b""),
    "endless nesting": ("json", b"[" * 200_000),
    "endless nesting of objects": ("json", b'[{"a":' * 50_000),
    "jsonl cut": ("jsonl", b'{"n": 1}\n{"n": 2'),
    "jsonl with NaN": ("jsonl", b'{"n": 1}\n{"n": NaN}'),
    "false utf-8": ("json", b'[{"n": 1}, "\xff"]'),
    "utf-8 cut": ("lines", b"a\n\xc3"),
    "csv with a field too many": ("csv", b"a\n1\n1,2\n"),
    "csv cut in quotes": ("csv", b'a\n1\n"2\n'),
}


@pytest.mark.parametrize(("parse", "body"), FALSE.values(), ids=FALSE)
def test_what_is_broken_is_an_error_and_never_a_short_list(streamed, parse, body):
    run, came = streamed(http_reply(body), parse=parse)

    assert run.outcome == "failed"
    assert run.error.fix
    assert len(came) <= 2


@pytest.mark.parametrize("items", ["results", "d.results", "n"])
def test_a_list_that_is_not_there_is_an_error(streamed, items):
    run, came = streamed(http_reply(b'{"n": 1, "d": {"x": [1]}, "e": {"results": [2]}}'), items=items)

    assert (type(run.error), came) == (HttpError, [])
    assert items in run.error.message


@pytest.mark.parametrize("charset", ["klingon", "hex"])
def test_a_charset_that_is_not_known_is_an_error(streamed, charset):
    run, _ = streamed(chunked(b"a", type_=f"text/plain; charset={charset}"))

    assert "not known" in run.error.message


def test_a_page_for_people_is_no_list(streamed):
    run, _ = streamed(chunked(b"<html>Log in", type_="text/html"), parse="json")

    assert "login" in run.error.fix


@pytest.mark.parametrize("parse", ["lines", "jsonl", "json", "csv", "bytes"])
@pytest.mark.parametrize("by_length", [True, False])
def test_a_break_in_the_middle_is_an_error(streamed, parse, by_length):
    body = b"[1\n,\n2\n]\n" if parse == "json" else b"1\n2\n3\n"
    if by_length:
        reply = [b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + body, Close()]
    else:
        reply = [*chunked(body, end=b""), Close()]

    run, _ = streamed(reply, parse=parse)

    assert (run.outcome, isinstance(run.error, NoAnswerError), run.error.transient) == ("failed", True, True)


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_break_in_the_middle_is_the_error_of_each(faulty_server, run_job, concurrency):
    server = faulty_server([*chunked(b"1\n2\n3\n", end=b""), Close()])
    done = []

    run = run_job(
        http.stream("/x", parse="jsonl"),
        each(state.data, lambda s: done.append(s.data) or s, concurrency=concurrency, on_error="collect"),
        credentials={"api": {"adaptor": "http", "base_url": server.url}},
    )

    assert (run.outcome, type(run.error)) == ("failed", TruncatedAnswerError)
    assert sorted(done) == [1, 2, 3]


@pytest.mark.parametrize(
    ("parse", "begin"),
    [("lines", b"y"), ("jsonl", b'"'), ("json", b'["'), ("json", b'{"b": "'), ("csv", b"a,b")],
)
def test_ht_04_a_record_over_the_limit_is_an_error(streamed, parse, begin):
    reply = chunked(begin, *[b"x" * 3000] * 100, end=b"")

    run, came = streamed(
        [*reply, Stall()], parse=parse, items="a" if b"{" in begin else None, fields={"max_response_bytes": 2000}
    )

    assert (type(run.error), came) == (ResponseTooLargeError, [])


def test_an_error_status_is_an_error_before_anything_is_given(streamed):
    run, came = streamed(http_reply(b'{"why": "no"}', status=403), parse="jsonl")

    assert (run.error.details["status"], run.error.answer.data, came) == (403, {"why": "no"}, [])


def test_a_status_that_is_expected_is_streamed(streamed):
    run, came = streamed(http_reply(b'{"why": "no"}', status=404), parse="jsonl", ok={404})

    assert (run.outcome, came) == ("success", [{"why": "no"}])


def test_the_connection_is_given_back_when_all_was_read(faulty_server, run_job):
    server = faulty_server(http_reply(b"1\n2\n"), http_reply(b'"next"'))

    run = run_job(
        http.stream("/x", parse="jsonl"),
        lambda s: s.result(list(s.data)),
        http.get("/x"),
        credentials={"api": {"adaptor": "http", "base_url": server.url}},
    )

    assert (run.state.data, server.connections) == ("next", 1)


def test_a_loop_that_stops_early_gives_the_connection_back(faulty_server, run_job):
    server = faulty_server([*chunked(b"1\n2\n", end=b""), Stall()])

    def one_after_another(state):
        for _ in range(101):  # one more than there may be connections
            for _ in http.stream("/x", parse="jsonl", timeout=2).result():
                break
        return state

    run = run_job(one_after_another, credentials={"api": {"adaptor": "http", "base_url": server.url}})

    assert (run.outcome, server.connections) == ("success", 101)


def test_a_record_that_can_not_be_read_gives_the_connection_back(faulty_server, run_job):
    server = faulty_server([*chunked(b"1\n{\n2\n", end=b""), Stall()])
    errors = []

    def one_after_another(state):
        for _ in range(101):  # one more than there may be connections
            with pytest.raises(HttpError) as caught:
                list(http.stream("/x", parse="jsonl", timeout=2).result())
            errors.append(caught.value)  # and with it all that its traceback holds
        return state

    run = run_job(one_after_another, credentials={"api": {"adaptor": "http", "base_url": server.url}})

    assert (run.outcome, server.connections) == ("success", 101), run.error


def test_a_stream_that_nobody_reads_ends_with_the_run(faulty_server):
    server = faulty_server([*chunked(b"1\n", end=b""), Stall()])
    credentials = {"api": {"adaptor": "http", "base_url": server.url}}
    job = Job(http.stream("/x"), lambda s: s.result(None))

    assert Run(Workflow.of(job), credentials=credentials).execute() == "success"


LINE = json.dumps({"id": 7, "name": "Amina", "visits": ["2024-05-02"] * 40}).encode() + b"\n"
BLOCK = LINE * (64_000 // len(LINE))
MANY = 100 * MB // len(BLOCK)


SEPARATED = {
    "jsonl": (BLOCK, BLOCK, b""),
    "json": (b"[" + BLOCK[:-1].replace(b"\n", b",\n"), b",\n" + BLOCK[:-1].replace(b"\n", b",\n"), b"]"),
}


@pytest.mark.parametrize("kind", SEPARATED)
def test_100_mb_take_the_memory_of_one_record(faulty_server, measure_http, kind):
    first, block, last = SEPARATED[kind]
    head, first, block, *end = chunked(first, block, *([last] if last else []))
    server = faulty_server([head, first, *[block] * MANY, *end])

    run = measure_http(
        f"http.stream('/x', parse={kind!r}), lambda s: s.result(sum(1 for _ in s.data))", base_url=server.url
    )

    assert run.outcome == "success"
    assert run.data * len(LINE) > 100 * MB
    assert run.grew < 40 * MB
