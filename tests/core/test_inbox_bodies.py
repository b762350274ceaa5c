"""What the inbox accepts as a body, over the wire, and what it says of all else. IN-02 to IN-11, IN-14, IN-20, IN-23."""

import gzip
import hashlib
import json
import random
import time

import pytest


@pytest.mark.parametrize(
    "body", [b'{"a":', b"{'a':1}", b"{} x", b"", b"   ", b"\x00", b'{"name": "Amina Odhiambo, Kisumu"']
)
def test_in_02_what_is_no_json_is_refused_with_its_place(server, body):
    answer = server.post("/inbox/open", body)

    assert (answer.status, answer.error) == (400, "invalid_json")
    assert "line 1, column" in answer.json["message"]
    assert answer.json["fix"]
    assert b"Amina" not in answer.body


@pytest.mark.parametrize("body", [b"[1]", b'"x"', b"42", b"null"])
def test_in_03_a_message_is_an_object_unless_its_trigger_accepts_any(server, body):
    refused, accepted = server.post("/inbox/open", body), server.post("/inbox/any", body)

    assert (refused.status, refused.error) == (400, "not_an_object")
    assert "accept: any" in refused.json["fix"]
    assert accepted.status == 200
    assert server.stored("any")[-1]["body"] == body


@pytest.mark.parametrize("body", [b'{"a":NaN}', b'{"a":Infinity}', b'{"a":-Infinity}'])
def test_in_04_nan_is_not_json(server, body):
    answer = server.post("/inbox/open", body)

    assert (answer.status, answer.error) == (400, "invalid_json")
    assert "is not JSON" in answer.json["message"]


def test_in_05_a_number_out_of_range_is_refused_with_its_path(server):
    answer = server.post("/inbox/open", b'{"a":1e400}')

    assert answer.status == 400
    assert "out of range at $.a" in answer.json["message"]


@pytest.mark.parametrize(("body", "path"), [(b'{"a":1,"a":2}', "$.a"), (b'{"b":[{"a":1,"a":2}]}', "$.b[0].a")])
def test_in_06_a_key_that_stands_twice_is_refused_unless_the_last_counts(server, body, path):
    refused, accepted = server.post("/inbox/open", body), server.post("/inbox/last", body)

    assert (refused.status, refused.error, refused.json["path"]) == (400, "duplicate_key", path)
    assert accepted.status == 200


def test_in_07_a_long_integer_is_refused_and_a_large_one_is_kept_exactly(server):
    refused = server.post("/inbox/open", b'{"n":' + b"7" * 5000 + b"}")
    accepted = server.post("/inbox/open", b'{"n":9007199254740993}')

    assert (refused.status, accepted.status) == (400, 200)
    assert server.stored("open")[-1]["body"] == b'{"n":9007199254740993}'


@pytest.mark.parametrize("part", [b"[", b'{"a":'])
def test_in_08_endless_nesting_is_refused_at_once(server, part):
    started = time.perf_counter()

    answer = server.post("/inbox/any", part * 100_000)

    assert (answer.status, answer.error) == (400, "too_deep")
    assert time.perf_counter() - started < 0.25  # on a busy machine; it takes 20 ms


@pytest.mark.parametrize(
    ("body", "status"),
    [(b'{"a":"\xff"}', 400), ('{"a":1}'.encode("utf-16"), 400), (b"\xef\xbb\xbf" + b'{"a":1}', 200)],
)
def test_in_09_a_body_is_utf8(server, body, status):
    answer = server.post("/inbox/open", body)

    assert answer.status == status
    if status == 400:
        assert answer.error == "not_utf8"
        assert answer.json["byte"] == body.index(b"\xff")


def test_in_10_half_a_character_is_refused_and_a_nul_is_kept(server):
    refused, accepted = server.post("/inbox/open", b'{"a":"\\ud800"}'), server.post("/inbox/open", b'{"a":"\\u0000"}')

    assert (refused.status, refused.error, refused.json["path"]) == (400, "invalid_unicode", "$.a")
    assert accepted.status == 200
    assert server.stored("open")[-1]["body"] == b'{"a":"\\u0000"}'


def test_in_11_the_body_is_stored_byte_by_byte(server):
    source = random.Random(11)
    texts = ["é\\u00e9 ", "  ", "\\ud83d\\ude00", "12.345678901234567890"]
    body = (
        '{"items": [' + ",\n ".join(f'"{source.choice(texts)}"' for _ in range(65_000)) + ", 12.345678901234567890 ]}"
    ).encode()
    assert len(body) > 1_000_000

    answer = server.post("/inbox/open", body)

    assert answer.status == 200
    [row] = [row for row in server.stored("open") if row["id"] == answer.headers["x-message-id"]]
    assert hashlib.sha256(row["body"]).digest() == hashlib.sha256(body).digest() == row["sha256"]


def test_in_14_a_chunked_body_is_put_together(server):
    body = json.dumps({"text": "x" * 2000}).encode()
    head = b"POST /inbox/open HTTP/1.1\r\nHost: inbox\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    pieces = (body[:700], body[700:1400], body[1400:])

    with server.connect() as connection:
        connection.send(head)
        for piece in pieces:
            connection.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        connection.send(b"0\r\n\r\n")
        answer = connection.answer()

    assert answer.status == 200
    assert server.stored("open")[-1]["body"] == body


def test_in_20_a_packed_body_is_refused_or_unpacked_up_to_the_limit(server):
    bomb, before = gzip.compress(bytes(500_000_000), 9), server.memory()

    refused = server.post("/inbox/open", bomb, "Content-Encoding: gzip")
    too_large = server.post("/inbox/gzip", bomb, "Content-Encoding: gzip")
    accepted = server.post("/inbox/gzip", gzip.compress(b'{"a":1}'), "Content-Encoding: gzip")

    assert (refused.status, refused.error, refused.json["accepted"]) == (415, "unsupported_encoding", ["identity"])
    assert (too_large.status, too_large.json["limit_bytes"]) == (413, 10_485_760)
    assert accepted.status == 200
    assert server.memory() - before < 20


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (None, 415),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("application/vnd.x+json", 200),
        ("application/json; charset=latin-1", 415),
        ("application/json; charset=UTF-8", 200),
        ("application/xml", 415),
    ],
)
def test_in_23_the_type_of_a_body_is_json(server, kind, status):
    answer = server.post("/inbox/open", b"{}", *([f"Content-Type: {kind}"] if kind else []), json_type=False)

    assert answer.status == status
    if status == 415:
        assert answer.error == "unsupported_media_type"
        assert "application/json" in answer.json["accepted"]


def test_in_23_xml_is_taken_where_the_trigger_accepts_it(server):
    visit = b'<?xml version="1.0"?><visit id="7"/>'
    bomb = b'<!DOCTYPE v [<!ENTITY a "aaaa">]><v>&a;</v>'

    kept, refused = (
        server.post("/inbox/xml", body, "Content-Type: text/xml", json_type=False) for body in (visit, bomb)
    )

    assert (kept.status, refused.status) == (200, 400)
    assert server.stored("xml")[-1]["body"] == visit


def test_a_payload_that_does_not_fit_the_schema_is_refused_with_its_path(server):
    refused = server.post("/inbox/schema", {"age": "thirty-secret"})
    accepted = server.post("/inbox/schema", {"name": "Amina", "age": 30})

    assert (refused.status, refused.error) == (400, "invalid_payload")
    assert {fault["path"] for fault in refused.json["faults"]} == {"$", "$.age"}
    assert b"thirty-secret" not in refused.body
    assert accepted.status == 200


def test_filters_decide_what_runs_and_the_message_is_kept_in_any_case(server):
    both, none = (server.post("/inbox/filtered", {"form": form}) for form in ("v7", "v9"))
    test = server.post("/inbox/filtered", {"form": "v7", "test": True})

    started = [(run["workflow"], run["trigger"]) for run in server.runs() if run["id"] in both.headers["x-run-ids"]]
    assert started == [("visits", "v7"), ("report", "real")]
    assert (none.status, none.headers["x-run-ids"]) == (200, "")
    assert len(test.headers["x-run-ids"].split(",")) == 1


def test_an_answer_is_empty_json_or_tells_the_ids_if_the_trigger_says_so(server):
    plain, accepted = server.post("/inbox/open"), server.post("/inbox/accepted")

    assert (plain.status, plain.body) == (200, b"{}")
    assert accepted.status == 202
    assert accepted.json == {"message_id": accepted.headers["x-message-id"], "run_ids": []}


def test_what_follows_the_address_is_kept_for_the_job(server):
    server.post("/inbox/open/Patient/7?since=2024&tag=a&tag=b", b"{}", "X-Form: visit")

    [kept] = [json.loads(row["request"]) for row in server.stored("open")[-1:]]
    assert kept["path"] == "/inbox/open/Patient/7"
    assert kept["query"] == {"since": "2024", "tag": ["a", "b"]}
    assert kept["headers"]["x-form"] == "visit"


def test_a_trigger_may_take_less_than_the_others(server):
    assert server.post("/inbox/small", b"x" * 101).json["limit_bytes"] == 100
    assert server.post("/inbox/small", b'{"a":1}').status == 200


def test_bodies_together_take_no_more_memory_than_they_may(start_server):
    server = start_server(options="room=1000")

    refused = server.post("/inbox/open", b'{"text":"' + b"x" * 1000 + b'"}')
    kept = [server.post("/inbox/open", b'{"text":"' + b"x" * 900 + b'"}').status for _ in range(3)]

    assert (refused.status, refused.error, refused.headers["retry-after"]) == (503, "busy", "5")
    assert kept == [200] * 3
