"""A state between two steps: its JSON, whatever happens to the objects that it was made from."""

import json
import math
from collections import UserDict
from enum import IntEnum

import pytest
from crossdock import State
from crossdock.errors import StateEncodingError, StateTooLargeError
from crossdock.sealed import Sealed
from crossdock.state import encode
from hypothesis import given
from hypothesis import strategies as st

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
STATES = st.dictionaries(TEXT, VALUES, max_size=4)


def told(value):
    """Give a value with the types of all that is in it: 1, 1.0 and True are not the same."""
    if isinstance(value, dict):
        return {key: told(item) for key, item in value.items()}
    return [told(item) for item in value] if isinstance(value, list) else (type(value), repr(value))


@given(STATES)
def test_a_sealed_state_is_its_json_and_gives_what_that_says(values):
    sealed = Sealed.of(State(values))

    assert sealed.raw == encode(State(values))
    assert told(dict(sealed.state())) == told(json.loads(sealed.raw))


@given(STATES, STATES)
def test_what_is_made_of_a_state_is_sealed_as_if_it_were_new(values, others):
    sealed = Sealed.of(State(values))
    given = sealed.state()

    assert sealed.then(given, given).raw == sealed.raw
    assert sealed.then(given | others, given).raw == encode(given | others)


@pytest.mark.parametrize(
    ("before", "after"),
    [([1], [1.0]), ([1], [True]), ([0.0], [-0.0]), (["1"], [1]), ([{"a": 1}], [{"a": 1, "b": 2}]), ([1, 2], [2, 1])],
)
def test_s_07_a_change_in_place_is_seen_and_changes_nothing_that_was_sealed(before, after):
    sealed = Sealed.of(State(data=before, other={"n": 1}))
    given = sealed.state()
    given.data[:] = after

    following = sealed.then(given, given)

    assert told(following.state().data) == told(after)
    assert told(sealed.state().data) == told(before)
    assert following.raw == encode(given)


class Level(IntEnum):
    LOW = 1


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, {1}, b"x", UserDict(), {1: 2}, "\ud800", 10**5000, object()],
    ids=lambda value: type(value).__name__,
)
def test_s_06_what_is_no_json_is_refused_also_where_it_came_in_place(value):
    sealed = Sealed.of(State(data=[0], other=1))
    given = sealed.state()
    given.data[0] = value

    for seal in (lambda: sealed.then(given, given), lambda: Sealed.of(given)):
        with pytest.raises(StateEncodingError) as caught:
            seal()
        path = "$.data" if type(value) is int else "$.data[0]"  # one that is too long is found while it is written
        assert (caught.value.details["path"], caught.value.details["key"]) == (path, "data")


@pytest.mark.parametrize("value", [(1, 2), Level.LOW, 2**80, [[]] * 3])
def test_what_json_can_say_keeps_saying_the_same(value):
    sealed = Sealed.of(State(data=[0]))
    given = sealed.state()
    given.data[0] = value

    assert sealed.then(given, given).raw == encode(given)


def test_a_value_that_contains_itself_or_nests_too_deep_is_refused():
    sealed = Sealed.of(State(data=[]))
    given = sealed.state()
    given.data.append(given.data)

    with pytest.raises(StateEncodingError, match="nesting of more than 100 levels"):
        sealed.then(given, given)


@pytest.mark.parametrize("key", [1, "\ud800"])
def test_a_key_that_is_no_text_is_refused(key):
    with pytest.raises(StateEncodingError):
        Sealed.of(State({key: 1}))


@given(STATES)
def test_s_10_the_limit_is_that_of_the_json_to_the_byte(values):
    size = len(encode(State(values)))

    assert len(Sealed.of(State(values), limit=size).raw) == size
    with pytest.raises(StateTooLargeError) as caught:
        Sealed.of(State(values), limit=size - 1)
    assert (caught.value.details["size"], caught.value.details["limit"]) == (size, size - 1)


def test_each_reader_has_its_own():
    sealed = Sealed.of(State(data={"rows": [1]}))
    one, other = sealed.state(), sealed.state()
    one.data["rows"].clear()

    assert other.data == sealed.state().data == {"rows": [1]}
