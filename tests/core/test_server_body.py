"""Bodies: a JSON value, or a refusal that says why and where. IN-02 to IN-10, IN-20, IN-23, F11."""

import gzip
import json
import random
import time
import zlib
from typing import Any

import pytest
from crossdock import parse_xml
from crossdock.common.xml import XmlError
from crossdock.server.body import DEPTH, read_body, unpack_body
from crossdock.server.errors import RequestError
from crossdock.state import State, encode
from hypothesis import given, settings
from hypothesis import strategies as st

JSON = b"application/json"
CODES = {"invalid_json", "duplicate_key", "too_deep", "not_utf8", "invalid_unicode", "not_an_object"}


def refused(body: bytes, content_type: bytes | None = JSON, **options: Any) -> RequestError:
    with pytest.raises(RequestError) as caught:
        read_body(body, content_type, **options)
    return caught.value


def outcome(function: Any, *arguments: Any, **options: Any) -> Any:
    """Give what a function gives, or the error with which it refuses."""
    try:
        return function(*arguments, **options)
    except RequestError as error:
        return error


# What is wrong, and where


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        (b'{"a":', "invalid_json", "in line 1, column 6"),
        (b"{'a':1}", "invalid_json", "in line 1, column 2"),
        (b"{} x", "invalid_json", "Extra data in line 1, column 4"),
        (b'{"a":1,\n "b":}', "invalid_json", "in line 2, column 6"),
        (b"", "invalid_json", "the body is empty"),
        (b" \r\n\t", "invalid_json", "in line 1, column 1"),
        (b"\x00", "invalid_json", "in line 1, column 1"),
        (b'{"a":"\n"}', "invalid_json", "in line 1, column 7"),
        (b'{"a":NaN}', "invalid_json", "NaN is not JSON at $.a"),
        (b'{"a":[Infinity]}', "invalid_json", "Infinity is not JSON at $.a[0]"),
        (b'{"a":-Infinity}', "invalid_json", "-Infinity is not JSON at $.a"),
        (b'{"a":1e400}', "invalid_json", "the number 1e400 is out of range at $.a"),
        (b'{"a":%s}' % (b"1" * 5000), "invalid_json", "a whole number that is too long at $.a"),
        (b'{"a":1,"a":2}', "duplicate_key", "at $.a"),
        (b'{"v":[{"a":1,"b":2,"a":1}]}', "duplicate_key", "at $.v[0].a"),
        (b"[" * 100_000, "too_deep", "deeper than 99 levels"),
        (b'{"a":' * 100_000, "too_deep", "deeper than 99 levels"),
        (b'{"a":"\xff"}', "not_utf8", "byte 6"),
        ('{"a":1}'.encode("utf-16"), "not_utf8", "byte 0"),
        ('{"a":1}'.encode("utf-16-le"), "invalid_json", "in line 1, column 2"),
        ('{"a":1}'.encode("utf-32-be"), "invalid_json", "in line 1, column 1"),
        ('{"a":"é"}'.encode("latin-1"), "not_utf8", "byte 6"),
        (b'{"a":"\\ud800"}', "invalid_unicode", "$.a"),
        (b'{"\\uDFFFx":1}', "invalid_unicode", "$"),
        (b"[1]", "not_an_object", "no object"),
        (b'"x"', "not_an_object", "no object"),
        (b"42", "not_an_object", "no object"),
        (b"null", "not_an_object", "no object"),
    ],
)
def test_in_02_to_in_10_a_body_that_is_not_strict_json_is_refused_with_its_place(body, code, said):
    error = refused(body)

    assert (error.status, error.code) == (400, code)
    assert said in error.message
    assert error.answer["fix"]


def test_in_02_a_refusal_tells_a_program_the_place_too():
    assert refused(b'{"a":1,\n "b":}').answer == {
        "error": "invalid_json",
        "message": "the body is not JSON: Expecting value in line 2, column 6",
        "fix": "Send one JSON object as RFC 8259 describes it: names in double quotes, no comments, no NaN.",
        "line": 2,
        "column": 6,
    }
    assert refused(b'{"a":1,"a":2}').answer["path"] == "$.a"


@pytest.mark.parametrize(
    "body",
    [
        b'{"%s": NaN}' % (b"Amina" * 100),
        b'{"%s": 1, "%s": 2}' % (b"Amina" * 100, b"Amina" * 100),
        b'{"a": "%s' % (b"Amina" * 100),
        b'{"a": %s}' % (b"Amina" * 100),
        b'{"a":%s1e999}' % (b"7" * 500),
        b'{"%s": "\\ud800"}' % (b"Amina" * 100),
    ],
)
def test_in_02_a_refusal_never_echoes_more_than_forty_characters(body):
    answer = json.dumps(refused(body).answer)
    text = body.decode()

    assert not any(text[start : start + 41] in answer for start in range(len(text) - 41))


def test_in_03_the_refusal_of_a_list_names_the_option_that_allows_it():
    assert "accept: any" in refused(b"[1]").fix
    for body in (b"[1]", b'"x"', b"42", b"null", b"false"):
        assert read_body(body, JSON, accept="any") == json.loads(body)


def test_in_06_the_last_of_two_equal_keys_counts_where_the_trigger_says_so():
    assert "duplicate_keys: last" in refused(b'{"a":1,"a":2}').fix
    assert read_body(b'{"a":1,"a":2}', JSON, duplicate_keys="last") == {"a": 2}


def test_in_07_a_large_whole_number_is_read_exactly():
    assert read_body(b'{"n":9007199254740993}', JSON) == {"n": 9007199254740993}


def test_in_08_the_deepest_body_that_is_read_fits_into_a_state():
    deepest = b'{"a":' * DEPTH + b"1" + b"}" * DEPTH

    assert encode(State(data=read_body(deepest, JSON)))
    assert refused(b'{"b":' + deepest + b"}").code == "too_deep"


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":'])
def test_in_08_endless_nesting_is_refused_at_once(opening, measured):
    code = "from crossdock.server.body import read_body\n"
    code += f"body = {opening!r} * 100_000\ndef run(): read_body(body, b'application/json')"

    cost = measured(code)

    assert (cost.got, cost.seconds < 0.05) == ("too_deep", True), cost


def test_in_09_a_byte_order_mark_is_accepted():
    assert read_body(b'\xef\xbb\xbf{"a":1}', JSON) == {"a": 1}


def test_in_10_a_null_character_and_a_pair_of_surrogates_are_text():
    assert read_body(b'{"a":"\\u0000","b":"\\uD83D\\ude00"}', JSON) == {"a": "\0", "b": "😀"}


# Types


@pytest.mark.parametrize(
    "content_type",
    [
        b"application/json",
        b"APPLICATION/JSON",
        b"text/json",
        b"application/json;charset=utf-8",
        b'application/json; odata=verbose ; Charset="UTF-8"',
        b"application/json; charset=us-ascii",
        b"application/vnd.x+json",
        b"application/fhir+json; fhirVersion=4.0",
        b"application/vnd.a+b+json",
    ],
)
def test_in_23_a_type_of_json_is_accepted(content_type):
    assert read_body(b"{}", content_type) == {}


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        b"",
        b";",
        b"text/plain",
        b"application/x-www-form-urlencoded",
        b"application/json; charset=latin-1",
        b"application/json; charset=utf-16",
        b"application/json; charset=",
        b"application/json, text/plain",
        b"application/jsonp",
        b"json",
        b"+json",
        b"application/json-seq",
        b"application/xml",
        b"application/openrosa+xml",
        b"\xff\x00/json",
        b"multipart/form-data; boundary=application/json",
    ],
)
def test_in_23_another_type_or_none_is_refused_with_those_that_are_accepted(content_type):
    error = refused(b"{}", content_type)

    assert (error.status, error.code) == (415, "unsupported_media_type")
    assert error.answer["accepted"] == ["application/json", "*/*+json"]


# XML

XML = b'<visit xmlns="urn:a" id="7"><name>Zo\xc3\xab</name><tag/><tag>b</tag></visit>'


@pytest.mark.parametrize(
    "content_type",
    [
        b"application/xml",
        b"text/xml; charset=utf-8",
        b"application/openrosa+xml",
        b'application/soap+xml; action="urn:x"',
    ],
)
def test_in_23_xml_is_read_where_the_trigger_accepts_it(content_type):
    value = read_body(XML, content_type, xml=True)

    assert value == {"visit": {"@xmlns": "urn:a", "@id": "7", "name": "Zoë", "tag": ["", "b"]}}
    assert value == parse_xml(XML)


def test_in_23_the_charset_of_the_type_counts_for_xml():
    body = "<a>é</a>".encode("iso-8859-1")

    assert read_body(body, b"text/xml; charset=ISO-8859-1", xml=True) == {"a": "é"}
    assert refused(body, b"text/xml", xml=True).code == "xml_invalid"
    assert refused(body, b"text/xml; charset=utf-8", xml=True).code == "xml_invalid"


@pytest.mark.parametrize(
    "charset", [b"idna", b"punycode", b"undefined", b"unicode_escape", b"rot13", b"utf-7", b"\xff", b"\x00"]
)
def test_in_23_a_charset_that_is_none_of_xml_is_refused(charset):
    assert refused(b"<a/>", b"text/xml; charset=" + charset, xml=True).status == 415


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        (b"<a>", "xml_invalid", "line 1, column 4"),
        (b"{}", "xml_invalid", "line 1, column 1"),
        (b"", "invalid_json", "empty"),
        (b"\x00", "xml_invalid", ""),
        (b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><a>&x;</a>', "dtd_forbidden", "document type"),
        (b"<a>" * 100 + b"</a>" * 100, "too_deep", "99 levels"),
        (b"<a>" * 300 + b"</a>" * 300, "xml_limit", "nested more than 256 deep"),
        (b"<a>" + b"<b/>" * 500_001 + b"</a>", "too_many_nodes", "500,000"),
    ],
)
def test_xml_that_is_not_read_is_refused_with_its_place(body, code, said):
    error = refused(body, b"text/xml", xml=True)

    assert (error.status, error.code) == (400, code)
    assert said in error.message
    assert "stream_xml" not in error.fix


# Encodings


def test_in_20_gzip_is_refused_unless_the_trigger_accepts_it():
    packed = gzip.compress(b"{}")

    with pytest.raises(RequestError) as caught:
        unpack_body(packed, b"gzip")

    assert (caught.value.status, caught.value.code) == (415, "unsupported_encoding")
    assert unpack_body(packed, b"GZIP", gzip=True) == b"{}"
    assert unpack_body(packed, b"x-gzip", gzip=True) == b"{}"
    assert unpack_body(b"{}", None) == unpack_body(b"{}", b"identity") == b"{}"


def test_in_20_a_body_that_unpacks_to_too_much_is_refused_and_never_held(measured):
    code = "import gzip\nfrom crossdock.server.body import unpack_body\n"
    code += "bomb = gzip.compress(bytes(500_000_000), 9)\ndef run(): unpack_body(bomb, b'gzip', gzip=True)"

    cost = measured(code)

    assert cost.got == "too_large"
    assert cost.megabytes < 20


@pytest.mark.parametrize(("size", "fits"), [(100_000, True), (100_001, False)])
def test_in_20_the_limit_of_what_is_unpacked_is_exact(size, fits):
    packed = gzip.compress(bytes(size))
    if fits:
        assert unpack_body(packed, b"gzip", gzip=True, limit=100_000) == bytes(size)
        return
    with pytest.raises(RequestError) as caught:
        unpack_body(packed, b"gzip", gzip=True, limit=100_000)
    assert (caught.value.status, caught.value.answer["limit_bytes"]) == (413, 100_000)


PACKED = gzip.compress(b'{"a": 1}' * 20_000)


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (b"{}", b"gzip", 400),
        (b"", b"gzip", 400),
        (PACKED[:-1], b"gzip", 400),
        (PACKED[:20], b"gzip", 400),
        (PACKED + b"x", b"gzip", 400),
        (PACKED + PACKED, b"gzip", 400),
        (zlib.compress(b"{}"), b"gzip", 400),
        (PACKED[:-8] + bytes(8), b"gzip", 400),
        (PACKED, b"br", 415),
        (PACKED, b"gzip, gzip", 415),
        (PACKED, b"\xff", 415),
    ],
)
def test_in_20_what_is_not_one_whole_gzip_is_refused(body, encoding, status):
    with pytest.raises(RequestError) as caught:
        unpack_body(body, encoding, gzip=True)

    assert caught.value.status == status


@settings(max_examples=300, deadline=None)
@given(st.binary() | st.binary().map(gzip.compress), st.integers(0, 30), st.binary(max_size=3))
def test_any_bytes_that_are_declared_as_gzip_unpack_or_are_refused(body, at, put):
    hurt = body[:at] + put + body[at + len(put) :]
    got = outcome(unpack_body, hurt, b"gzip", gzip=True)

    assert got.code == "invalid_gzip" if isinstance(got, RequestError) else got == gzip.decompress(hurt)


# Whatever comes


def strictly(body: bytes) -> tuple[bool, Any]:
    """Tell with Python's own reader whether a body is strict JSON, and give its value."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in pairs}) < len(pairs):
            raise ValueError("twice")
        return dict(pairs)

    try:
        value = json.loads(body.decode("utf-8-sig"), object_pairs_hook=unique)
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return False, None
    return depth(value) <= DEPTH, value


def depth(value: Any) -> int:
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if below is None else 1 + max(map(depth, below), default=0)


def assert_read_or_refused(body: bytes) -> None:
    strict, value = strictly(body)
    got = outcome(read_body, body, JSON, accept="any")
    if isinstance(got, RequestError):
        assert (got.status, strict) == (400, False), body
        assert got.code in CODES
    else:
        assert strict, body
        assert json.dumps(got) == json.dumps(value)  # as text, where 1, 1.0 and true differ
        assert encode(State(data=got))


SEEDS = [
    b'{"a":1,"b":[true,false,null],"c":{"d":"e\\u00e9\\ud83d\\ude00","f":-1.5e10}}',
    b'[{"id":"u1","n":9007199254740993},{"id":"u2","n":0.1},[[[[]]]]]',
    '\ufeff{"größe":"Zoë 😀","x":""}'.encode(),
    b' {"a" : [ 1 , 2.0 , 3e3 ] }\r\n',
    b'{"a":NaN,"b":Infinity,"c":1e400}',
    b'{"a":1,"a":{"a":2,"a":3}}',
    b'{"\\ud800":"\\udc00"}',
    b"[" * 120 + b"]" * 120,
    b'"text"',
    b"1" * 60,
]
SPLICES = [
    b'"',
    b"\\u",
    b"\\ud8",
    b"[",
    b"]",
    b"{",
    b"}",
    b",",
    b":",
    b"\xff",
    b"\xed\xa0\x80",
    b"\0",
    b"NaN",
    b"9" * 4301,
]
SPLICES += [b"[" * 2000, b'{"":' * 2000, b"1e999", b"\xef\xbb\xbf", b"-", b".", b"e", b"/*", b"'a'", b"\\", b"\n"]


def mutated(body: bytes, chance: random.Random) -> bytes:
    """Change a body a few times: flip a byte, cut, repeat or splice."""
    for _ in range(chance.randint(1, 4)):
        at, end = sorted((chance.randint(0, len(body)), chance.randint(0, len(body))))
        body = chance.choice(
            [
                body[:at] + bytes([chance.randrange(256)]) + body[at + 1 :],
                body[:at] + body[end:],
                body[:end] + body[at:end] + body[end:],
                body[:at] + chance.choice(SPLICES) + body[at:],
            ]
        )
    return body


def test_f11_twenty_thousand_mutated_bodies_are_read_or_refused_and_none_hangs():
    chance = random.Random(11)
    longest = 0.0
    for _ in range(20_000):
        body = mutated(chance.choice(SEEDS), chance)
        start = time.perf_counter()
        assert_read_or_refused(body)
        longest = max(longest, time.perf_counter() - start)

    assert longest < 1


def test_f11_mutated_xml_is_read_or_refused_and_none_hangs():
    chance = random.Random(11)
    for _ in range(5000):
        body = mutated(XML, chance)
        start = time.perf_counter()
        got = outcome(read_body, body, b"text/xml", xml=True)
        assert time.perf_counter() - start < 1
        if isinstance(got, RequestError):
            assert got.status == 400
            assert got.code == ("invalid_json" if not body.strip() else refusal_of_xml(body) or "too_deep")
        else:
            assert got == parse_xml(body)
            assert encode(State(data=got))


def refusal_of_xml(body: bytes) -> str | None:
    try:
        parse_xml(body)
    except XmlError as error:
        return error.code
    return None


TEXT = st.text(st.characters() | st.characters(categories=["Cs"]))  # with lone surrogates
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
)


@settings(max_examples=500, deadline=None)
@given(st.binary() | st.text().map(str.encode) | ANY_JSON.map(json.dumps).map(str.encode))
def test_any_body_is_read_as_python_reads_it_where_that_is_strict_and_refused_elsewhere(body):
    assert_read_or_refused(body)


@settings(max_examples=500, deadline=None)
@given(st.binary(), st.binary() | st.binary().map(lambda end: b"application/json" + end), st.booleans())
def test_any_type_and_body_is_read_or_refused(body, content_type, xml):
    got = outcome(read_body, body, content_type, accept="any", xml=xml)

    assert not isinstance(got, RequestError) or got.status in (400, 415)
