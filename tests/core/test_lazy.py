"""The lazy state, and how arguments are resolved: C57, C58."""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from crossdock import State, computed, cursor, operation, resolve, set_data, state
from crossdock.errors import LazyError, NoRunError


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (state.data["patient"]["name"], "Amina"),
        (state.data.patient.name, "Amina"),
        (state.data["form/group/age"], 7),
        (state.data["items"][1], "b"),
        (state.data["items"][-1], "b"),
        (state.data["items"][9], None),
        (state.data["items"]["x"], None),
        (state.data["@id"]["#text"], "t"),
        (state.nothing["at"]["all"], None),
        (state.data["patient"]["name"]["first"], None),
        (state.data.copy.count, 3),
        (cursor("visits", "2024-01-01"), "2024-05-02"),
        (cursor("other", "2024-01-01"), "2024-01-01"),
    ],
)
def test_a_path_is_looked_up_when_it_is_resolved(path, value):
    data = {
        "patient": {"name": "Amina"},
        "form/group/age": 7,
        "items": ["a", "b"],
        "@id": {"#text": "t"},
        "copy": {"count": 3},
    }

    assert resolve(path, State(data=data, cursors={"visits": "2024-05-02"})) == value


@pytest.mark.parametrize(
    "misuse",
    [
        lambda path: list(path),
        lambda path: path == 1,
        lambda path: path < 1,
        lambda path: f"{path}",
        lambda path: str(path),
        lambda path: path(),
        lambda path: path + 1,
        lambda path: "a" + path,
        lambda path: bool(path),
        lambda path: not path,
        lambda path: len(path),
        lambda path: 1 in path,
        lambda path: int(path),
        lambda path: {path: 1},
        lambda path: setattr(path, "x", 1),
    ],
)
def test_a_path_refuses_to_be_used_as_a_value(misuse):
    with pytest.raises(LazyError) as caught:
        misuse(state.data["age"])

    assert "state.data['age']" in caught.value.message
    assert "function" in caught.value.fix


def test_c57_arguments_are_resolved_in_dicts_lists_and_tuples():
    pattern, raw = re.compile("a"), b"raw"

    resolved = resolve(
        {"a": state.data, "b": [lambda s: s.data + 1, (state.data,)], "c": pattern, "d": raw}, State(data=1)
    )

    assert resolved == {"a": 1, "b": [2, (1,)], "c": pattern, "d": raw}
    assert resolved["c"] is pattern


def test_what_a_lazy_value_gives_is_final():
    inner = {"f": lambda s: s.data}

    assert resolve(lambda s: inner, State(data=1)) is inner


def test_c58_values_of_other_types_come_out_unchanged():
    values = [date(2024, 5, 2), datetime(2024, 5, 2), Decimal("1.5"), UUID(int=7), {1, 2}, int, set_data(1)]

    assert all(resolve(value, State()) is value for value in values)


def test_c58_a_callback_is_passed_through_and_not_called():
    from collections.abc import Callable

    @operation
    def with_callback(state, callback: Callable[[int], int], value):
        return state.result(callback(value))

    assert with_callback(lambda n: n * 2, state.data)(State(data=4)).data == 8


Handler = Callable[[Any], bool]


@operation
def with_errors(state, errors: Mapping[int, bool | str | Handler] | bool | None = None):
    return state.result(errors)


@operation
def with_bare_callables(state, errors: "dict[str, list[Callable] | None]"):
    return state.result(errors)


@operation
def with_values(state, errors: Mapping[int, Any] | None):
    return state.result(errors)


def test_a_mapping_that_may_hold_functions_keeps_them_and_its_paths_are_looked_up():
    def handler(answer):
        raise AssertionError("a function that belongs to the mapping was called")

    given = State(data={"on_404": False, "all": {502: handler}})

    assert with_errors({404: state.data["on_404"], 502: handler})(given).data == {404: False, 502: handler}
    assert with_errors(lambda s: s.data["all"])(given).data == {502: handler}
    assert with_errors(state.data["all"])(given).data == {502: handler}
    assert with_errors(state.data["on_404"])(given).data is False
    plain = {404: False, 502: handler}
    assert with_errors(plain)(given).data is plain
    kept = {"a": [handler]}
    assert with_bare_callables(kept)(given).data is kept


def test_a_function_that_may_stand_for_a_value_is_left_alone():
    @operation
    def walk(state, pages: str | Callable[[int], int]):
        return state.result(pages)

    assert walk(abs)(State()).data is abs
    assert walk(state.style)(State(style="next")).data == "next"


def test_a_mapping_of_plain_values_has_its_functions_called():
    assert with_values({404: lambda s: s.data, 502: state.data})(State(data=7)).data == {404: 7, 502: 7}


def test_an_iterable_is_resolved_at_its_top_only():
    from collections.abc import Iterable
    from typing import Any

    def untouched(s):
        raise AssertionError("a row was walked")

    @operation
    def take(state, rows: Iterable[Any]):
        return state.result(rows)

    rows = [{"f": untouched}]

    assert take(rows)(State()).data is rows
    assert take(lambda s: s.rows)(State(rows=rows)).data is rows


def test_resolving_again_gives_the_value_of_then():
    built = set_data({"id": state.data["id"]})

    assert [built(State(data={"id": n})).data for n in (1, 2)] == [{"id": 1}, {"id": 2}]


def test_computed_is_the_function_itself():
    def rows(s):
        return [1]

    assert computed(rows) is rows


def test_resolve_outside_a_function_says_that_it_needs_a_state():
    with pytest.raises(NoRunError, match="resolve needs a state"):
        resolve(state.data)
