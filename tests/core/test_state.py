"""State and the strict encoder: RT-04, RT-05, RT-06."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from crossdock import Answer, State
from crossdock.decoding import decode
from crossdock.errors import InputError, StateEncodingError, StateError, StateTooLargeError
from crossdock.state import encode
from hypothesis import given
from hypothesis import strategies as st


def test_keys_are_attributes():
    state = State(data={"id": 7}, form="visit")

    assert (state.form, state.data["id"], state["form"]) == ("visit", 7, "visit")


def test_a_missing_key_names_those_that_are_there():
    with pytest.raises(AttributeError, match=r"the state has no 'from'; it has 'form'"):
        _ = getattr(State(form="visit"), "from")


@pytest.mark.parametrize(
    "write",
    [
        lambda state: state.__setitem__("a", 1),
        lambda state: state.__delitem__("a"),
        lambda state: state.update(a=1),
        lambda state: state.pop("a"),
        lambda state: state.clear(),
        lambda state: state.setdefault("b", 1),
        lambda state: setattr(state, "a", 1),
        lambda state: state.__ior__({"a": 1}),
    ],
)
def test_a_state_can_not_be_written_to_and_says_what_to_do(write):
    state = State(a=0)

    with pytest.raises(StateError) as caught:
        write(state)

    assert "replace" in caught.value.fix
    assert state == {"a": 0}


def test_changes_give_new_states_that_share_the_unchanged_parts():
    before = State(data=[1, 2], a=1, b=2)

    after = before.replace(a=3)

    assert (before.a, after.a) == (1, 3)
    assert after.data is before.data
    assert before.without("a", "z") == {"data": [1, 2], "b": 2}
    assert before.only("b", "z") == {"b": 2}
    assert before.copy() == before
    assert type(before | {"c/d": 1}) is State


def test_an_answer_brings_its_metadata_along():
    state = State(data=1).result(Answer([2], response={"status": 201}))

    assert state == {"data": [2], "response": {"status": 201}}


def test_configuration_has_no_place_in_a_state():
    with pytest.raises(StateError, match="configuration"):
        State().replace(configuration={"password": "x"})
    with pytest.raises(KeyError, match="credentials from the run"):
        State()["configuration"]


def test_rt_04_documented_types_have_a_text_form():
    value = {
        "at": datetime(2024, 5, 2, 10, 0, tzinfo=UTC),
        "on": date(2024, 5, 2),
        "price": Decimal("1.50"),
        "id": UUID("aaaaaaaa-0000-4000-8000-000000004711"),
        "pair": (1, 2),
        "big": 2**70,
    }

    assert json.loads(encode(value)) == {
        "at": "2024-05-02T10:00:00+00:00",
        "on": "2024-05-02",
        "price": "1.50",
        "id": "aaaaaaaa-0000-4000-8000-000000004711",
        "pair": [1, 2],
        "big": 2**70,
    }


def _deep(levels: int) -> list:
    value: list = []
    for _ in range(levels):
        value = [value]
    return value


def _cycle() -> dict:
    value: dict = {}
    value["again"] = value
    return value


@pytest.mark.parametrize(
    ("value", "path", "word"),
    [
        ({"data": {"tags": {1, 2}}}, "$.data.tags", "set"),
        ({"data": [{"raw": b"x"}]}, "$.data[0].raw", "bytes"),
        ({"data": object()}, "$.data", "object"),
        ({"data": iter([])}, "$.data", "list_iterator"),
        ({"data": {1: "a", "1": "b"}}, "$.data", "int"),
        ({"data": {(1, 2): "a"}}, "$.data", "tuple"),
        ({"data": {"a/b": [float("nan")]}}, '$.data["a/b"][0]', "nan"),
        ({"data": float("inf")}, "$.data", "inf"),
        ({"data": Decimal("NaN")}, "$.data", "NaN"),
        ({"data": ["\ud800"]}, "$.data[0]", "surrogate"),
        ({"data": _deep(3000)}, "$.data", "levels"),
        ({"data": _cycle()}, "$.data.again", "contains itself"),
        ({"data": lambda: 1}, "$.data", "function"),
    ],
)
def test_rt_04_and_05_what_is_not_json_is_named_with_its_path(value, path, word):
    with pytest.raises(StateEncodingError) as caught:
        encode(value)

    assert caught.value.details["path"].startswith(path)
    assert word in caught.value.message


def test_rt_06_a_state_over_its_limit_names_limit_and_largest_keys():
    value = {"a": "x" * 5000, "b": "y" * 3000, "c": "z" * 2000, "d": 1}

    assert len(encode(value, limit=20_000)) < 20_000
    with pytest.raises(StateTooLargeError) as caught:
        encode(value, limit=9_000)

    assert list(caught.value.details["largest"]) == ["a", "b", "c"]
    assert "9000 bytes" in caught.value.message


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(exclude_categories=["Cs"])),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
        ),
    )
)
def test_any_json_value_survives_a_round_trip(value):
    assert decode(encode(value)) == value


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b'{"a":', "line 1, column 6"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b'{"a": 1e400}', "1e400 is out of range"),
        (b'{"a": 1, "a": 2}', "a key stands twice in one object at $.a"),
        (b'{"a": "\\ud800"}', "$.a"),
        (b"[" * 100_000, "levels"),
        (b'{"a": "\xff"}', "byte 7"),
        ('{"a": 1}'.encode("utf-16"), "not UTF-8"),
        (b"1" * 5000, "too long"),
    ],
)
def test_strict_json_refuses_what_python_would_take(raw, said):
    with pytest.raises(InputError, match=r".") as caught:
        decode(raw)

    assert said in caught.value.message


@pytest.mark.parametrize(
    ("raw", "details"),
    [
        (b'{"a":\n "x}', {"reason": "invalid_json", "line": 2, "column": 2}),
        (b'{"a": [1, {"b/c": Infinity}]}', {"reason": "invalid_json", "path": '$.a[1]["b/c"]'}),
        (b'{"a": -1e400}', {"reason": "invalid_json", "path": "$.a"}),
        (b'[1, {"n": %s}]' % (b"7" * 5000), {"reason": "invalid_json", "path": "$[1].n"}),
        (b'{"a": {"b": 1, "c": 2, "b": 3}}', {"reason": "duplicate_key", "path": "$.a.b"}),
        (b'{"a": {"b": NaN}, "c": 1, "c": 2}', {"reason": "duplicate_key", "path": "$.c"}),
        (b'{"a": {"\\uDC00": 1}}', {"reason": "invalid_unicode", "path": '$.a["\\udc00"]'}),
        (b'{"a": "\xff"}', {"reason": "not_utf8", "byte": 7}),
        (b"[" * 100_000, {"reason": "too_deep"}),
        (b"[" * 101 + b"]" * 101, {"reason": "too_deep", "path": "$" + "[0]" * 13 + "…"}),
        (b'{"%s": NaN}' % (b"k" * 5000), {"reason": "invalid_json", "path": "$." + "k" * 38 + "…"}),
    ],
)
def test_what_is_wrong_with_a_text_has_a_reason_and_a_place(raw, details):
    with pytest.raises(InputError) as caught:
        decode(raw)

    assert caught.value.details == details
    assert len(caught.value.message) < 150


def test_a_text_may_be_allowed_less_depth_and_duplicate_keys():
    assert decode(b"[" * 99 + b"]" * 99, max_depth=99)
    assert decode('{"a": 1, "b": 2, "a": 3}', duplicate_keys="last") == {"a": 3, "b": 2}

    with pytest.raises(InputError, match="the input nests deeper than 99 levels at"):
        decode(b'{"a":' * 100 + b"1" + b"}" * 100, max_depth=99)


def test_a_key_that_stands_twice_among_very_many_is_found_at_once(measured):
    many = "import json; from crossdock.decoding import decode\ndef run():\n"
    many += """    decode("{" + ",".join(f'"k{n}":1' for n in range(200_000)) + ',"k199999":1}')"""

    cost = measured(many)

    assert (cost.got, cost.seconds < 5) == ("bad_input", True)


def test_a_byte_order_mark_and_long_integers_are_read_exactly():
    assert decode(b'\xef\xbb\xbf{"n": 9007199254740993}') == {"n": 9007199254740993}
