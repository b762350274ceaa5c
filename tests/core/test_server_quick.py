"""Quick JSON: it gives what the strict decoder gives, or leaves the text to it. IN-02, IN-06 to IN-10, F11."""

import json
from typing import Any

import pytest
from crossdock.decoding import decode
from crossdock.errors import InputError
from crossdock.server.quick import UNSURE, read_quickly
from hypothesis import given, settings
from hypothesis import strategies as st

LEVELS = 5


def quickly(raw: bytes, *, unique_keys: bool = True) -> Any:
    return read_quickly(raw, levels=LEVELS, unique_keys=unique_keys)


def strictly(raw: bytes, *, unique_keys: bool = True) -> Any:
    try:
        return decode(raw, max_depth=LEVELS, duplicate_keys="refuse" if unique_keys else "last")
    except InputError:
        return UNSURE


# Texts that are made of what could be mistaken for structure, written in all the ways that JSON knows.
LETTERS = st.sampled_from(['"', "\\", "[", "]", "{", "}", ":", ",", "a", "é", "😀", "\n", "\0"])
TEXTS = st.lists(LETTERS, max_size=4).map("".join)
WRITTEN_TEXTS = st.builds(lambda text, ascii_: json.dumps(text, ensure_ascii=ascii_), TEXTS, st.booleans())
ODD_TEXTS = st.sampled_from([r'"\u0022"', r'"\u005c"', r'"\u005b"', r'"\/"', r'"\ud800"', '"\x7f"', r'"\ud83d\ude00"'])
NUMBERS = st.sampled_from(["0", "-0", "1e2", "1.0", "-0.0", "1e400", "NaN", "5e-324", "0." + "1" * 30, "01"])
INTEGERS = st.integers(-(2**70), 2**70).map(str) | st.sampled_from(["9" * 18, "9" * 19, str(2**63), str(2**64)])
SIMPLE = WRITTEN_TEXTS | ODD_TEXTS | NUMBERS | INTEGERS | st.floats().map(json.dumps) | st.just("null")


def containers(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = st.builds("{}:{}".format, WRITTEN_TEXTS | ODD_TEXTS, values)
    lists = st.lists(values, max_size=3).map(lambda items: f"[{','.join(items)}]")
    return lists | st.lists(pairs, max_size=3).map(lambda items: f"{{{','.join(items)}}}")


@settings(max_examples=400, deadline=None)
@given(st.recursive(SIMPLE, containers, max_leaves=12), st.booleans())
def test_f_11_what_is_read_quickly_is_what_the_strict_decoder_reads(text, unique_keys):
    raw = text.encode("utf-8", "surrogatepass")
    quick, strict = quickly(raw, unique_keys=unique_keys), strictly(raw, unique_keys=unique_keys)

    assert quick is UNSURE or repr(quick) == repr(strict)  # repr tells 1, 1.0 and True apart


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":1,"a":1}',
        b'{"a":1,"\\u0061":1}',
        b'[{"a":"\\"","b":{"c":1,"c":"\\\\"}}]',
        b'{"a":"x","a":{"b":"y"}}',
    ],
)
def test_in_06_a_key_that_stands_twice_is_seen(raw):
    assert quickly(raw) is UNSURE
    assert quickly(raw, unique_keys=False) == json.loads(raw)


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1, 10**19, -(10**30)])
def test_in_07_a_whole_number_over_64_bits_is_left_to_the_strict_decoder(number):
    assert quickly(b'{"n":%d}' % number) is UNSURE
    assert quickly(b'{"n":%d}' % (10**18 - 1)) == {"n": 10**18 - 1}


@pytest.mark.parametrize(
    "raw",
    [
        b"[[[[[[1]]]]]]",
        b'{"a":[{"b":[{"c":[]}]}]}',
        b'[["]",["]",["]",["]",["]",["]","["],"["],"["],"["],"["],"["]',
    ],
)
def test_in_08_what_nests_too_deep_is_seen_whatever_stands_in_its_texts(raw):
    assert strictly(raw) is UNSURE
    assert quickly(raw) is UNSURE


def test_what_nearly_everybody_sends_is_read_quickly():
    visits = [{"name": 'Zoë "Z" O\'Neil \\ Amina', "at": "2024-05-02T10:00:00+03:00", "n": [1.5, -7, None, True]}]
    for ensure_ascii in (True, False):
        raw = json.dumps({"visits": visits}, ensure_ascii=ensure_ascii, indent=1).encode()
        assert quickly(raw) == {"visits": visits}
